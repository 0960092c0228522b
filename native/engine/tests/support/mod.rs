//! An engine, a stream pushed by the test, and viewers that keep what they get, all in this process on loopback.
#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

mod edge;
mod programme;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use core_media::extension::ExtensionIds;
use core_media::frame::Kind;
use core_media::h264::Payloads;
use core_media::rtp::{RtpPacket, is_rtcp};
use engine::{Engine, EngineConfig, EngineError, MediaLine, SessionConfig};
use rtc::{MuxPort, Peer, PeerConfig, PeerEvents, PeerState, Role};

pub use edge::*;
pub use programme::*;

/// Longer than anything here takes; a test that waits this long has failed.
pub const DEADLINE: Duration = Duration::from_secs(30);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Says to a test that runs in a process of its own that packets go past the library.
pub const DIRECT: &str = "FETCH_WHEP_TEST_DIRECT";

pub fn start(shards: usize) -> Engine {
    start_sending(shards, std::env::var_os(DIRECT).is_some())
}

/// `direct`: past the library.
pub fn start_sending(shards: usize, direct: bool) -> Engine {
    let config = EngineConfig { media_host: Some(LOOPBACK), media_port: 0, shards, direct };
    Engine::start(&config).expect("loopback has free ports")
}

/// Asks until `done` or the deadline.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "{what} before the deadline");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Descriptors and threads of this process.
pub fn footprint() -> (usize, usize) {
    let count = |path: &str| std::fs::read_dir(path).expect("Linux has it").count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// Resident memory, KiB.
pub fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_ascii_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// One packet as a viewer got it.
#[derive(Clone, Debug)]
pub struct Packet {
    pub kind: Kind,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
}

#[derive(Default)]
pub struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub struct State {
    pub packets: Vec<Packet>,
    pub connected: bool,
    pub gone: bool,
    /// Packets are not kept.
    pub deaf: bool,
}

impl Log {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    pub fn wait(&self, what: &str, mut so: impl FnMut(&State) -> bool) {
        let result = self.changed.wait_timeout_while(self.state(), DEADLINE, |state| !so(state));
        let timeout = result.expect("nothing panics under this lock").1;
        assert!(!timeout.timed_out(), "{what} before the deadline");
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}

impl PeerEvents for Log {
    fn state(&self, state: PeerState) {
        self.change(|it| match state {
            PeerState::Connected => it.connected = true,
            PeerState::Disconnected | PeerState::Failed | PeerState::Closed => it.gone = true,
            _ => {}
        });
    }

    fn open(&self, _track: usize) {}

    fn message(&self, track: usize, packet: &[u8]) {
        if is_rtcp(packet) {
            return;
        }
        let packet = RtpPacket::parse(packet).expect("the engine sends RTP");
        let RtpPacket { sequence, timestamp, marker, payload, .. } = packet;
        let kind = LINES[track].0;
        let packet = Packet { kind, sequence, timestamp, marker, payload: payload.to_vec() };
        self.change(|state| {
            if !state.deaf {
                state.packets.push(packet);
            }
        });
    }
}

/// Packets of a track that may come out of order, at its beginning.
const OPENING: usize = 64;

const LINES: [(Kind, u8, &str); 2] = [(Kind::Video, 96, "H264/90000"), (Kind::Audio, 111, "opus/48000/2")];

fn section(kind: Kind, payload_type: u8, codec: &str, direction: &str, ssrc: Option<u32>) -> String {
    let (name, mid) = (kind.name(), kind.name());
    let announced = ssrc.map(|ssrc| format!("a=ssrc:{ssrc} cname:test\r\n")).unwrap_or_default();
    format!(
        "m={name} 9 UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\n\
         a=rtpmap:{payload_type} {codec}\r\n{announced}a=rtcp-mux\r\n"
    )
}

/// A viewer and the session it has. Dropping it closes its peer and leaves the session to the engine.
pub struct Viewer {
    peer: Peer,
    _port: MuxPort,
    pub id: String,
    pub log: Arc<Log>,
}

impl Viewer {
    /// Joins and connects. The library as a client can be overtaken by the engine's checks while it takes in the answer;
    /// DTLS then asks for a fingerprint that is not known yet, and the viewer has to join again.
    pub fn join(engine: &Engine, stream: &str) -> Self {
        loop {
            let viewer = Self::try_join(engine, stream).expect("an answer");
            viewer.log.wait("a connection", |state| state.connected || state.gone);
            if !viewer.log.state().gone {
                return viewer;
            }
            leave(engine, viewer);
        }
    }

    /// On a port of its own: libjuice tells a port's peers apart by the address that they send from.
    pub fn try_join(engine: &Engine, stream: &str) -> Result<Self, EngineError> {
        let (mut viewer, offer) = Self::offer();
        let number = next_number();
        viewer.id = format!("viewer-{number}");
        let answer = watch(engine, stream, &viewer.id, number, &offer)?;
        if viewer.accept(&answer).is_err() {
            // Overtaken so early that the library refuses the answer.
            viewer.log.change(|state| state.gone = true);
        }
        Ok(viewer)
    }

    /// One that has not joined yet, and its offer.
    pub fn offer() -> (Self, String) {
        Self::offer_of("recvonly", Some(1))
    }

    /// The same of a publisher that announces no SSRC.
    pub fn offer_media() -> (Self, String) {
        Self::offer_of("sendonly", None)
    }

    fn offer_of(direction: &str, ssrc: Option<u32>) -> (Self, String) {
        let port = MuxPort::open(Some(LOOPBACK), 0).expect("a free port");
        let log = Arc::new(Log::default());
        let wanted = LINES.map(|(kind, payload_type, codec)| section(kind, payload_type, codec, direction, ssrc));
        let tracks = wanted.each_ref().map(String::as_str);
        let config = PeerConfig { port: &port, role: Role::Offer, tracks: &tracks, timeout: DEADLINE };
        let (peer, offer) = Peer::new(config, log.clone()).expect("an offer");
        (Self { peer, _port: port, id: String::new(), log }, offer)
    }

    /// Sends RTCP. A track's SSRC: `ssrc`.
    pub fn say(&self, packet: &[u8]) {
        rtc::burst(|burst| assert!(burst.send(self.peer.track(0), packet), "the viewer is connected"));
    }

    /// Sends a packet on the track of a leg.
    pub fn send(&self, kind: Kind, packet: &[u8]) {
        // Refused until it is connected.
        rtc::burst(|burst| burst.send(self.peer.track(kind as usize), packet));
    }

    /// That of a leg.
    pub fn ssrc(&self, kind: Kind) -> u32 {
        let number: u32 = self.id.trim_start_matches("viewer-").parse().expect("a number");
        ssrc(number, kind)
    }

    pub fn accept(&self, answer: &str) -> Result<(), rtc::Error> {
        self.peer.set_answer(answer)
    }

    /// Sends so many receiver reports without a block (RFC 3550 §6.4.2).
    pub fn send_reports(&self, count: usize) {
        let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        rtc::burst(|burst| {
            for _ in 0..count {
                // Refused once the session has ended.
                let _ = burst.send(self.peer.track(0), &report);
            }
        });
    }

    /// Payloads of a leg in sending order; checks that they came in it, and that only pictures' last packets are marked.
    pub fn received(&self, kind: Kind) -> Vec<Vec<u8>> {
        let mut packets: Vec<Packet> = self.log.state().packets.iter().filter(|it| it.kind == kind).cloned().collect();
        // While a track opens, two threads of the receiving library hand out what has come.
        let opening = packets.len().min(OPENING);
        if let Some(origin) = packets.first().map(|packet| packet.sequence) {
            packets[..opening].sort_by_key(|packet| packet.sequence.wrapping_sub(origin) as i16);
        }
        for (index, pair) in packets.windows(2).enumerate() {
            let next = pair[0].sequence.wrapping_add(1);
            assert_eq!(pair[1].sequence, next, "{}: {kind:?} without a gap after packet {index}", self.id);
            if kind == Kind::Video {
                let same = pair[0].timestamp == pair[1].timestamp;
                assert_eq!(pair[0].marker, !same, "{}: the marker ends a picture", self.id);
            }
        }
        packets.into_iter().map(|packet| packet.payload).collect()
    }

    /// Waits until the last picture pushed so far has come whole.
    pub fn wait_for_last(&self, programme: &Programme<'_>) {
        let last = programme.pictures.last().and_then(|picture| picture.payloads.last()).expect("a picture");
        self.log.wait("the last picture", |state| {
            state.packets.iter().rev().any(|packet| packet.kind == Kind::Video && packet.payload == *last)
        });
    }

    /// The same for the last sound.
    pub fn wait_for_last_sound(&self, programme: &Programme<'_>) {
        let last = programme.sounds.last().expect("a sound");
        self.log.wait("the last sound", |state| state.packets.iter().rev().any(|packet| packet.payload == *last));
    }
}

/// Active: a server that begins DTLS does so as soon as it knows the pair, before libdatachannel listens here, and the
/// repetition comes a second later. Browsers are not so slow.
fn as_a_browser(offer: &str) -> String {
    offer.replace("a=setup:actpass", "a=setup:active")
}

fn ssrc(number: u32, kind: Kind) -> u32 {
    number << 1 | u32::from(kind == Kind::Audio)
}

/// Has the engine answer an offer of `LINES`; `number` makes the SSRCs.
pub fn watch(engine: &Engine, stream: &str, id: &str, number: u32, offer: &str) -> Result<String, EngineError> {
    engine.add_viewer(&session(stream, id, Some(number), &as_a_browser(offer), "sendonly"))
}

/// The same of a publisher, from the offer of a viewer.
pub fn publish(engine: &Engine, stream: &str, id: &str, offer: &str) -> Result<String, EngineError> {
    let offer = as_a_browser(offer).replace("a=recvonly", "a=sendonly");
    engine.add_publisher(&session(stream, id, None, &offer, "recvonly"))
}

fn session(stream: &str, id: &str, number: Option<u32>, offer: &str, direction: &str) -> SessionConfig {
    let line = |(kind, payload_type, codec): (Kind, u8, &str)| {
        let ssrc = number.map(|number| ssrc(number, kind));
        MediaLine {
            kind,
            description: section(kind, payload_type, codec, direction, ssrc),
            payload_type,
            ssrc: ssrc.unwrap_or_default(),
            cname: "test".into(),
            nack: true,
            retransmission: None,
            extensions: ExtensionIds::default(),
        }
    };
    let (offer, media) = (offer.into(), LINES.map(line).to_vec());
    SessionConfig { id: id.into(), stream: stream.into(), offer, media, timeout: DEADLINE }
}

pub fn next_number() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    NUMBER.fetch_add(1, Relaxed)
}

/// The engine is told of every session whose peer is still there.
pub fn leave(engine: &Engine, viewer: Viewer) {
    engine.remove_session(&viewer.id);
}
