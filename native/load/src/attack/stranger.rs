//! Floods by strangers, from many addresses of 127/8.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use core_media::rtp::write_header;
use core_media::stun;
use ring::hmac::Key;

use super::noise::Noise;
use super::{Budget, address, credential, dtls, half, on_loopback};

/// Addresses that take turns.
const ADDRESSES: u32 = 50_000;
/// Of an address, so that it is the same when its turn comes again.
const PORT: u16 = 9_009;

/// What strangers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    Noise,
    /// Binding requests for a session that lives, from somebody who knows its name alone.
    WrongPassword,
    ClientHello,
    /// RTP in order, of a stream that is not the leg's.
    ForeignRtp,
    /// Sender reports of such a stream.
    ForeignRtcp,
    /// Goodbyes of one stream after another.
    Goodbye,
}

impl Flood {
    /// Datagrams from an address before the next has its turn.
    fn each(self) -> u32 {
        match self {
            Self::WrongPassword => 1,
            Self::ForeignRtp | Self::ForeignRtcp => 1_000,
            Self::Noise | Self::ClientHello | Self::Goodbye => 16,
        }
    }
}

/// To the port that carries the viewers.
pub(super) fn attack_port(
    flood: Flood,
    join: &dyn Fn(&str) -> Result<String, String>,
    budget: &mut Budget,
) -> Result<(), String> {
    let answer = join(&half::offer())?;
    budget.report.sessions += 1;
    let username = format!("{}:{}", credential(&answer, "ice-ufrag")?, half::UFRAG);
    send(flood, address(&answer)?, &username, budget)
}

/// To a port of a leg.
pub(super) fn attack_leg(flood: Flood, leg: SocketAddr, budget: &mut Budget) -> Result<(), String> {
    send(flood, on_loopback(leg)?, "", budget)
}

fn send(flood: Flood, to: SocketAddr, username: &str, budget: &mut Budget) -> Result<(), String> {
    let mut maker = Maker { flood, username, key: stun::key("not the password"), noise: Noise::new(), number: 0 };
    let mut datagram = Vec::new();
    for index in (0..ADDRESSES).cycle() {
        let socket = stranger(index).map_err(|error| format!("no socket for an attacker: {error}"))?;
        for _ in 0..flood.each() {
            if budget.spent() {
                return Ok(());
            }
            maker.make(&mut datagram);
            // A port that nobody listens at any more answers with an error.
            budget.sent(usize::from(socket.send_to(&datagram, to).is_ok()));
        }
    }
    Ok(())
}

/// Systems other than Linux have one loopback address, from which another port is another stranger.
fn stranger(index: u32) -> std::io::Result<UdpSocket> {
    let host = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + index);
    UdpSocket::bind((host, PORT)).or_else(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
}

struct Maker<'a> {
    flood: Flood,
    username: &'a str,
    key: Key,
    noise: Noise,
    number: u32,
}

impl Maker<'_> {
    fn make(&mut self, datagram: &mut Vec<u8>) {
        const SSRC: u32 = 0x0bad_cafe;
        self.number = self.number.wrapping_add(1);
        let number = self.number;
        match self.flood {
            Flood::Noise => self.noise.datagram(datagram),
            Flood::WrongPassword => {
                *datagram = stun::request(self.noise.bytes(), self.username, self.noise.number(), &self.key);
            }
            Flood::ClientHello => *datagram = dtls::client_hello(u64::from(number), &mut self.noise),
            Flood::ForeignRtp => {
                let header = write_header(true, 96, number as u16, number.wrapping_mul(3_000), SSRC);
                *datagram = [&header[..], &[0x41], &[0x55; 1_000]].concat();
            }
            Flood::ForeignRtcp => {
                let ssrc = SSRC.to_be_bytes();
                *datagram = [&[0x80, 200, 0, 6][..], &ssrc, &self.noise.bytes::<20>()].concat();
            }
            Flood::Goodbye => *datagram = [&[0x81, 203, 0, 1][..], &number.to_be_bytes()].concat(),
        }
    }
}
