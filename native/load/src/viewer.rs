//! One WHEP viewer: a real peer that receives and counts, and shows nothing.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use core_media::codec::Codec;
use core_media::frame::Kind;
use core_media::rtp::{RtpPacket, is_rtcp};
use hdrhistogram::Histogram;
use rtc::{Burst, MuxPort, Peer, PeerEvents, PeerState, Security, SrtpProfile};

use crate::programme::Programme;
use crate::reception::{Reception, Totals, latency};
use crate::tap::{self, Tapped};
use crate::{frames, offers, stamp, trickle};

/// Making an offer takes a millisecond; this is for a machine that stands still.
const OFFER_TIMEOUT: Duration = Duration::from_secs(10);

/// Nanoseconds from sending to arrival, of viewers that are looked at together.
pub(crate) type Latencies = Arc<Mutex<Histogram<u64>>>;

/// A viewer that has made its offer. Dropped in this order: the port is still there while the peer closes.
pub(crate) struct Viewer {
    peer: Peer,
    /// What it has joined with, once it has.
    tapped: Option<Tapped>,
    _port: MuxPort,
    pub offer: String,
    pub group: u32,
    /// Once it has joined.
    pub session: Option<String>,
    pub eyes: Arc<Eyes>,
}

impl Viewer {
    /// On a port of its own, as every real viewer is. It offers just these SRTP profiles.
    pub fn new(
        programme: Programme,
        host: IpAddr,
        group: u32,
        profiles: &[SrtpProfile],
        latencies: Latencies,
    ) -> Result<Self, rtc::Error> {
        let codecs = programme.codecs();
        let tracks = offers::receiving(&codecs);
        let eyes = Arc::new(Eyes::new(codecs, latencies));
        let (port, peer, offer) = trickle::offer(host, &tracks, profiles, OFFER_TIMEOUT, eyes.clone())?;
        Ok(Self { peer, tapped: None, _port: port, offer, group, session: None, eyes })
    }

    /// Takes the answer in.
    pub fn accept(&mut self, answer: &str) -> Result<(), rtc::Error> {
        self.tapped = tap::listen(answer, &self.eyes);
        trickle::accept(&self.peer, answer)
    }

    /// One receiver report for each track, as a browser sends about once a second (RFC 3550 §6.4.2).
    pub fn report(&self, burst: &mut Burst) {
        for (index, (_, track)) in self.eyes.tracks.iter().enumerate() {
            let report = lock(track).report(index as u32);
            if let Some(report) = report.filter(|_| self.eyes.open.load(Relaxed)) {
                burst.send(self.peer.track(index), &report);
            }
        }
    }
}

/// Takes a peer's callbacks. All of it costs as little as it can: it runs beside the server that is measured.
#[derive(Debug)]
pub(crate) struct Eyes {
    tracks: Vec<(Codec, Mutex<Reception>)>,
    latencies: Latencies,
    /// Packets are counted by [`Eyes::glance`].
    pub tapped: AtomicBool,
    /// When it asked to join; by [`stamp::now`], as all times here. 0: not yet.
    pub asked: AtomicU64,
    /// When it was connected; 0: not yet.
    connected: AtomicU64,
    /// When its first keyframe began, or its first sound where it watches no video; 0: not yet.
    keyframe: AtomicU64,
    open: AtomicBool,
    security: OnceLock<Security>,
    gone: AtomicBool,
}

impl Eyes {
    fn new(codecs: Vec<Codec>, latencies: Latencies) -> Self {
        Self {
            tracks: codecs.into_iter().map(|codec| (codec, Mutex::default())).collect(),
            latencies,
            tapped: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            keyframe: AtomicU64::new(0),
            open: AtomicBool::new(false),
            security: OnceLock::new(),
            gone: AtomicBool::new(false),
        }
    }

    pub fn connected(&self) -> bool {
        self.connected.load(Relaxed) > 0 && !self.gone.load(Relaxed)
    }

    /// From asking to join to being connected.
    pub fn connection(&self) -> Option<Duration> {
        self.since_asked(&self.connected)
    }

    /// What has been negotiated, once it has.
    pub fn security(&self) -> Option<Security> {
        self.security.get().copied()
    }

    /// From asking to join to the first packet of a keyframe.
    pub fn first_keyframe(&self) -> Option<Duration> {
        self.since_asked(&self.keyframe)
    }

    fn since_asked(&self, time: &AtomicU64) -> Option<Duration> {
        let at = time.load(Relaxed);
        (at > 0).then(|| Duration::from_nanos(at.saturating_sub(self.asked.load(Relaxed))))
    }

    fn kind(&self, track: usize) -> Kind {
        self.tracks[track].0.kind()
    }

    fn begins(&self, track: usize, payload: &[u8]) -> bool {
        match self.kind(track) {
            Kind::Video => frames::begins_keyframe(self.tracks[track].0, payload),
            Kind::Audio => self.tracks.len() == 1,
        }
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.tracks.iter().for_each(|(_, track)| totals.add(lock(track).totals()));
        totals
    }
}

impl Eyes {
    /// Counts a packet by its header, which is not encrypted. True when that was all that is wanted of it; else the
    /// decrypted packet is to come as a message.
    pub fn glance(&self, track: usize, packet: &RtpPacket<'_>) -> bool {
        let ends = packet.marker || self.kind(track) == Kind::Audio;
        let mut reception = lock(&self.tracks[track].1);
        if !reception.note(packet) {
            return true;
        }
        let sampled = ends && reception.sampled(packet, stamp::now);
        !sampled && self.keyframe.load(Relaxed) > 0
    }
}

impl PeerEvents for Eyes {
    fn state(&self, state: PeerState) {
        match state {
            PeerState::Connected => self.connected.store(stamp::now(), Relaxed),
            PeerState::Disconnected | PeerState::Failed | PeerState::Closed => self.gone.store(true, Relaxed),
            PeerState::Connecting | PeerState::IceConnected | PeerState::IceLost => {}
        }
    }

    fn secured(&self, security: Security) {
        // A peer shakes hands once.
        let _ = self.security.set(security);
    }

    fn open(&self, _track: usize) {
        self.open.store(true, Relaxed);
    }

    fn message(&self, track: usize, packet: &[u8]) {
        if is_rtcp(packet) {
            return;
        }
        let Ok(packet) = RtpPacket::parse(packet) else { return };
        let tapped = self.tapped.load(Relaxed);
        let counted = tapped || lock(&self.tracks[track].1).note(&packet);
        let video = self.kind(track) == Kind::Video;
        if counted && self.keyframe.load(Relaxed) == 0 && self.begins(track, packet.payload) {
            self.keyframe.store(stamp::now(), Relaxed);
        }
        // Decrypting is the viewer's own affair, and waits for handshakes of others when many join.
        let arrived = if tapped {
            lock(&self.tracks[track].1).arrived(&packet)
        } else {
            (counted && (packet.marker || !video)).then(stamp::now)
        };
        if let Some(nanos) = arrived.and_then(|arrived| latency(&packet, arrived)) {
            lock(&self.latencies).saturating_record(nanos);
        }
    }
}

/// Counters are whole after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
