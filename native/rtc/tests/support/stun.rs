//! A client of nothing but sockets: it speaks STUN by hand (RFC 8489), so that it can send what no library would.

use super::{DEADLINE, Events, LOOPBACK, Recorder, VIDEO_SSRC, answer_to, section};
use ring::hmac;
use rtc::{MuxPort, Peer};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

const UFRAG: &str = "byhand";
pub const PASSWORD: &str = "not+secret+not+secret+not";
const COOKIE: u32 = 0x2112_a442;
/// Binding request, success response and error response.
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const ERROR: u16 = 0x0111;

/// What the server has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Check,
    Success,
    Error,
    Dtls,
    Other,
}

/// A server's peer, and what a client has to know of it.
pub struct Joined {
    pub peer: Peer,
    pub events: Events,
    pub server: SocketAddr,
    pub ufrag: String,
    pub password: String,
}

/// `setup` and `candidates` are the client's own, the latter as lines of SDP.
pub fn join(port: &MuxPort, setup: &str, candidates: &str) -> Joined {
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n{}a=setup:{setup}\r\n\
         a=ice-ufrag:{UFRAG}\r\na=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {}\r\n{candidates}",
        section("video", "0", "recvonly", 0x2000_0001),
        ["AB"; 32].join(":"),
    );
    let (recorder, events) = Recorder::new();
    let (peer, answer) = answer_to(port, &offer, &[&section("video", "0", "sendonly", VIDEO_SSRC)], recorder);
    let value = |name: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name));
        line.expect("every answer has it").to_owned()
    };
    let server = SocketAddr::new(LOOPBACK, port.port());
    Joined { peer, events, server, ufrag: value("ice-ufrag:"), password: value("ice-pwd:") }
}

impl Joined {
    /// A connectivity check that nominates its pair.
    pub fn check(&self, tie_breaker: u64, password: &str) -> Vec<u8> {
        let username = format!("{}:{UFRAG}", self.ufrag);
        let attributes: [(u16, &[u8]); 4] = [
            (0x0006, username.as_bytes()),
            (0x802a, &tie_breaker.to_be_bytes()),
            (0x0024, &0x6e7f_1eff_u32.to_be_bytes()),
            (0x0025, &[]),
        ];
        message(REQUEST, &transaction(), &attributes, password)
    }

    /// Sends a check that nominates its pair.
    pub fn nominate(&self, from: &UdpSocket) {
        from.send_to(&self.check(7, &self.password), self.server).expect("loopback takes it");
    }

    /// Waits for a datagram of a kind, and answers the server's checks meanwhile.
    pub fn wait(&self, socket: &UdpSocket, wanted: Kind) -> Vec<u8> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "{wanted:?} before the deadline");
            let datagram = receive(socket);
            let kind = kind(&datagram);
            if kind == Kind::Check {
                socket.send_to(&self.success(&datagram), self.server).expect("loopback takes it");
            }
            if kind == wanted {
                return datagram;
            }
        }
    }

    fn success(&self, request: &[u8]) -> Vec<u8> {
        let IpAddr::V4(address) = self.server.ip() else { unreachable!("the tests' loopback is IPv4") };
        let mut mapped = vec![0, 1];
        mapped.extend((self.server.port() ^ (COOKIE >> 16) as u16).to_be_bytes());
        mapped.extend((u32::from(address) ^ COOKIE).to_be_bytes());
        message(SUCCESS, &request[8..20], &[(0x0020, &mapped)], PASSWORD)
    }
}

/// A socket of the client, with a deadline.
pub fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((LOOPBACK, 0)).expect("a free port");
    socket.set_read_timeout(Some(DEADLINE)).expect("valid");
    socket
}

pub fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).expect("a datagram before the deadline");
    buffer[..length].to_vec()
}

/// RFC 7983 §7.
pub fn kind(datagram: &[u8]) -> Kind {
    match (datagram.first(), u16::from_be_bytes([datagram[0], datagram[1]])) {
        (Some(20..=63), _) => Kind::Dtls,
        (_, REQUEST) => Kind::Check,
        (_, SUCCESS) => Kind::Success,
        (_, ERROR) => Kind::Error,
        _ => Kind::Other,
    }
}

fn transaction() -> [u8; 12] {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let mut id = [0; 12];
    id[..8].copy_from_slice(&COUNT.fetch_add(1, Relaxed).to_be_bytes());
    id
}

/// With MESSAGE-INTEGRITY at the end (RFC 8489 §14.5), which counts as if it were there already.
fn message(kind: u16, transaction: &[u8], attributes: &[(u16, &[u8])], password: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in attributes {
        attribute(&mut body, *name, value);
    }
    let mut message = Vec::new();
    message.extend(kind.to_be_bytes());
    message.extend((body.len() as u16 + 24).to_be_bytes());
    message.extend(COOKIE.to_be_bytes());
    message.extend(transaction);
    message.extend(body);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let tag = hmac::sign(&key, &message);
    attribute(&mut message, 0x0008, tag.as_ref());
    message
}

fn attribute(to: &mut Vec<u8>, name: u16, value: &[u8]) {
    to.extend(name.to_be_bytes());
    to.extend((value.len() as u16).to_be_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}
