//! A client of nothing but sockets: it speaks STUN by hand (RFC 8489), so that it can send what no library would.

use super::{DEADLINE, Events, LOOPBACK, Recorder, VIDEO_SSRC, answer_to, section};
use core_media::stun::{Binding, Class, TransactionId, key, request, success};
use rtc::{MuxPort, Peer, PeerEvents, PeerState};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

const UFRAG: &str = "byhand";
pub const PASSWORD: &str = "not+secret+not+secret+not";

/// Where a DTLS record of the first flights names its message (RFC 6347 §4.2.2, RFC 5246 §7.4).
pub const HANDSHAKE_TYPE: usize = 13;
pub const CLIENT_HELLO: u8 = 1;
pub const SERVER_HELLO: u8 = 2;

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
    let (recorder, events) = Recorder::new();
    join_with(port, setup, candidates, recorder, events)
}

/// As [`join`], with what the server's peer tells to `server`, from where it gets to `events`.
pub fn join_with(port: &MuxPort, setup: &str, candidates: &str, server: Arc<dyn PeerEvents>, events: Events) -> Joined {
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n{}a=setup:{setup}\r\n\
         a=ice-ufrag:{UFRAG}\r\na=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {}\r\n{candidates}",
        section("video", "0", "recvonly", 0x2000_0001),
        ["AB"; 32].join(":"),
    );
    let (peer, answer) = answer_to(port, &offer, &[&section("video", "0", "sendonly", VIDEO_SSRC)], server);
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
        request(transaction(), &format!("{}:{UFRAG}", self.ufrag), tie_breaker, &key(password))
    }

    /// Sends a check that nominates its pair.
    pub fn nominate(&self, from: &UdpSocket) {
        from.send_to(&self.check(7, &self.password), self.server).expect("loopback takes it");
    }

    /// Waits for a datagram of a kind, and answers the checks of this session meanwhile.
    pub fn wait(&self, socket: &UdpSocket, wanted: Kind) -> Vec<u8> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "{wanted:?} before the deadline");
            let datagram = receive(socket);
            let kind = kind(&datagram);
            if kind == Kind::Check && self.is_own(&datagram) {
                socket.send_to(&self.success(&datagram), self.server).expect("loopback takes it");
            }
            if kind == wanted {
                return datagram;
            }
        }
    }

    fn is_own(&self, check: &[u8]) -> bool {
        Binding::parse(check).and_then(|check| check.fragments()) == Some((UFRAG, &self.ufrag))
    }

    /// The client's answer to a check.
    pub fn success(&self, check: &[u8]) -> Vec<u8> {
        let check = Binding::parse(check).expect("a check");
        success(check.transaction, self.server, &key(PASSWORD))
    }
}

/// A peer that has gone through ICE with a client, and waits for its ClientHello.
pub fn expect_hello(port: &MuxPort, client: &UdpSocket) -> Joined {
    let joined = join(port, "active", "");
    joined.nominate(client);
    joined.wait(client, Kind::Check);
    joined.events.wait_for_state(PeerState::IceConnected);
    // The thread that tells of the state starts DTLS before it reads on.
    joined.nominate(client);
    joined.wait(client, Kind::Success);
    joined
}

/// A ClientHello as the library makes it.
pub fn client_hello(port: &MuxPort) -> Vec<u8> {
    let (joined, client) = (join(port, "passive", ""), socket());
    joined.nominate(&client);
    joined.wait(&client, Kind::Dtls)
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
    match Binding::parse(datagram).map(|binding| binding.class) {
        Some(Class::Request) => Kind::Check,
        Some(Class::Success) => Kind::Success,
        Some(Class::Error) => Kind::Error,
        None if matches!(datagram.first(), Some(20..=63)) => Kind::Dtls,
        None => Kind::Other,
    }
}

fn transaction() -> TransactionId {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let mut id = [0; 12];
    id[..8].copy_from_slice(&COUNT.fetch_add(1, Relaxed).to_be_bytes());
    id
}
