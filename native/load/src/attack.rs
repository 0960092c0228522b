//! An attacker: sends what one thread can, for a time, at a server that others watch. It stays on loopback.

mod dtls;
mod half;
mod insider;
mod noise;
mod stranger;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use core_media::codec::Codec;
use insider::Storm;
use stranger::Flood;

use crate::viewer::lock;
use crate::whep::Client;

/// Of the streams that are attacked, in the order of an offer.
const CODECS: [Codec; 2] = [Codec::Opus, Codec::H264];

/// What an attacker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attack(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// To the port of the viewers, by strangers.
    Port(Flood),
    /// To the RTP port of a leg.
    Rtp(Flood),
    /// To its RTCP port.
    Rtcp(Flood),
    /// By a viewer that has connected.
    Viewer(Storm),
    /// ClientHello messages by a viewer that has gone through ICE and no further.
    Half,
}

const ATTACKS: [(&str, Kind); 15] = [
    ("strangers", Kind::Port(Flood::Noise)),
    ("own-socket", Kind::Viewer(Storm::Noise)),
    ("wrong-password", Kind::Port(Flood::WrongPassword)),
    ("srtp-ssrcs", Kind::Viewer(Storm::Srtp)),
    ("srtcp-ssrcs", Kind::Viewer(Storm::Srtcp)),
    ("nack", Kind::Viewer(Storm::Nack)),
    ("pli", Kind::Viewer(Storm::Pli)),
    ("fir", Kind::Viewer(Storm::Fir)),
    ("client-hello", Kind::Port(Flood::ClientHello)),
    ("client-hello-after-ice", Kind::Half),
    ("leg-rtp-noise", Kind::Rtp(Flood::Noise)),
    ("leg-rtp-foreign", Kind::Rtp(Flood::ForeignRtp)),
    ("leg-rtcp-noise", Kind::Rtcp(Flood::Noise)),
    ("leg-rtcp-foreign", Kind::Rtcp(Flood::ForeignRtcp)),
    ("leg-rtcp-goodbye", Kind::Rtcp(Flood::Goodbye)),
];

impl Attack {
    /// The attack of that name.
    pub fn named(name: &str) -> Option<Self> {
        ATTACKS.iter().find(|(known, _)| *known == name).map(|(_, kind)| Self(*kind))
    }

    /// Every name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ATTACKS.iter().map(|(name, _)| *name)
    }
}

/// Whom it is meant for.
pub struct Target<'a> {
    /// Joins as a viewer: takes an offer, gives the answer. The error is for a person.
    pub join: &'a dyn Fn(&str) -> Result<String, String>,
    /// The RTP port of a leg, with its RTCP port above it; for the attacks that go there.
    pub leg: Option<SocketAddr>,
}

/// Joins by WHEP. What has joined by it leaves with it.
pub struct Door {
    client: Client,
    url: String,
    sessions: Mutex<Vec<String>>,
}

impl Door {
    /// To the WHEP endpoint `url`, `http://`.
    pub fn new(url: &str) -> Self {
        Self { client: Client::new(1), url: url.into(), sessions: Mutex::default() }
    }

    /// Takes an offer, gives the answer. The error is for a person.
    pub fn join(&self, offer: &str) -> Result<String, String> {
        let session = self.client.post(&self.url, offer)?;
        lock(&self.sessions).push(session.url);
        Ok(session.answer)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        lock(&self.sessions).iter().for_each(|session| self.client.delete(session));
    }
}

/// When it ends.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// After this time.
    pub lasts: Duration,
    /// After so many datagrams.
    pub most: u64,
}

/// What it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Datagrams that the system took.
    pub sent: u64,
    /// Sessions that it had.
    pub sessions: u64,
    /// Those of them that the server ended.
    pub ended: u64,
}

/// Attacks; blocks until the end. The error, for a person, says why it could not begin.
pub fn attack(attack: Attack, target: &Target<'_>, bounds: Bounds) -> Result<Report, String> {
    let mut budget = Budget { deadline: Instant::now() + bounds.lasts, most: bounds.most, report: Report::default() };
    let leg = |above| {
        let rtp = target.leg.ok_or("the attack needs the port of a leg")?;
        Ok::<_, String>(SocketAddr::new(rtp.ip(), rtp.port().saturating_add(above)))
    };
    match attack.0 {
        Kind::Port(flood) => stranger::attack_port(flood, target.join, &mut budget)?,
        Kind::Rtp(flood) => stranger::attack_leg(flood, leg(0)?, &mut budget)?,
        Kind::Rtcp(flood) => stranger::attack_leg(flood, leg(1)?, &mut budget)?,
        Kind::Viewer(storm) => insider::attack(storm, target.join, &mut budget)?,
        Kind::Half => half::attack(target.join, &mut budget)?,
    }
    Ok(budget.report)
}

/// What is left of an attack, and what was done.
struct Budget {
    deadline: Instant,
    most: u64,
    report: Report,
}

impl Budget {
    fn spent(&self) -> bool {
        self.report.sent >= self.most || Instant::now() >= self.deadline
    }

    fn sent(&mut self, datagrams: usize) {
        self.report.sent += datagrams as u64;
    }
}

/// Where an answer wants its media.
fn address(answer: &str) -> Result<SocketAddr, String> {
    let candidate = answer.lines().find(|line| line.starts_with("a=candidate:")).unwrap_or_default();
    let mut fields = candidate.split(' ').skip(4);
    let address = fields.next().zip(fields.next()).and_then(|(host, port)| format!("{host}:{port}").parse().ok());
    on_loopback(address.ok_or("the answer has no address")?)
}

/// What a description says of its ICE agent: `ice-ufrag` or `ice-pwd`.
fn credential<'a>(sdp: &'a str, name: &str) -> Result<&'a str, String> {
    let found = sdp.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'));
    found.ok_or_else(|| format!("the answer has no {name}"))
}

fn on_loopback(address: SocketAddr) -> Result<SocketAddr, String> {
    if address.ip().is_loopback() { Ok(address) } else { Err(format!("{address} is not on loopback")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_attack() {
        let kinds: Vec<_> = Attack::names().filter_map(Attack::named).collect();
        assert_eq!(kinds.len(), ATTACKS.len());
        assert_eq!(Attack::named("peace"), None);
    }

    #[test]
    fn nobody_outside_is_attacked() {
        let answer = |host| format!("v=0\r\na=candidate:1 1 UDP 2122317823 {host} 5000 typ host\r\n");
        assert_eq!(address(&answer("127.0.0.1")), Ok(SocketAddr::from(([127, 0, 0, 1], 5000))));
        assert!(address(&answer("192.0.2.1")).is_err());
        assert!(address("v=0\r\n").is_err());
        let target = Target { join: &|_| Ok(answer("192.0.2.1")), leg: Some(([192, 0, 2, 1], 5000).into()) };
        let bounds = Bounds { lasts: Duration::from_secs(1), most: 1 };
        for (name, kind) in ATTACKS.iter().filter(|(_, kind)| !matches!(kind, Kind::Viewer(_))) {
            assert!(attack(Attack(*kind), &target, bounds).is_err(), "{name}");
        }
    }
}
