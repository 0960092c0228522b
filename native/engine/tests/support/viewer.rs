//! A viewer: a peer of the library on a port of its own.

use std::sync::Arc;

use core_media::frame::Kind;
use engine::{Engine, EngineError};
use rtc::{MuxPort, Peer, PeerConfig, Role, SrtpProfile};

use super::log::{Log, Packet};
use super::session::{LINES, section, ssrc};
use super::{DEADLINE, LOOPBACK, Programme, next_number, watch};

/// Packets of a track that may come out of order, at its beginning.
const OPENING: usize = 64;

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
        Self::join_with(engine, stream, &SrtpProfile::PREFERENCE)
    }

    /// The same with SRTP profiles of its own choice.
    pub fn join_with(engine: &Engine, stream: &str, profiles: &[SrtpProfile]) -> Self {
        loop {
            let viewer = Self::try_join_with(engine, stream, profiles).expect("an answer");
            viewer.log.wait("a connection", |state| state.connected || state.gone);
            if !viewer.log.state().gone {
                return viewer;
            }
            leave(engine, viewer);
        }
    }

    /// On a port of its own: libjuice tells a port's peers apart by the address that they send from.
    pub fn try_join(engine: &Engine, stream: &str) -> Result<Self, EngineError> {
        Self::try_join_with(engine, stream, &SrtpProfile::PREFERENCE)
    }

    fn try_join_with(engine: &Engine, stream: &str, profiles: &[SrtpProfile]) -> Result<Self, EngineError> {
        let (mut viewer, offer) = Self::offer_with(profiles);
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
        Self::offer_with(&SrtpProfile::PREFERENCE)
    }

    fn offer_with(profiles: &[SrtpProfile]) -> (Self, String) {
        // The library sends RTP for who may send, and tests do.
        Self::offer_of("sendrecv", Some(1), profiles)
    }

    /// The same of a publisher that announces no SSRC.
    pub fn offer_media() -> (Self, String) {
        Self::offer_of("sendonly", None, &SrtpProfile::PREFERENCE)
    }

    fn offer_of(direction: &str, ssrc: Option<u32>, profiles: &[SrtpProfile]) -> (Self, String) {
        let port = MuxPort::open(Some(LOOPBACK), 0).expect("a free port");
        let log = Arc::new(Log::default());
        let wanted = LINES.map(|line| section(line, direction, ssrc));
        let tracks = wanted.each_ref().map(String::as_str);
        let config = PeerConfig { port: &port, role: Role::Offer, tracks: &tracks, profiles, timeout: DEADLINE };
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

    /// Sends bytes as they are, as somebody might who is able to send from this viewer's address.
    pub fn say_plain(&self, datagram: &[u8]) {
        let track = self.peer.track(0);
        rtc::burst(|burst| {
            let route = burst.route(track, 1).expect("the viewer is connected");
            burst.put(track, &route, |out| out.extend_from_slice(datagram));
        });
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

/// The engine is told of every session whose peer is still there.
pub fn leave(engine: &Engine, viewer: Viewer) {
    engine.remove_session(&viewer.id);
}
