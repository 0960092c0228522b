//! A viewer or publisher between its peer, the thread that serves it, and its readers.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use core_media::budget::{Budget, Charge};
use core_media::codec::Codec;
use core_media::frame::Kind;
use core_media::rtcp::{self, Reception};
use core_media::time::Time;
use rtc::{PeerEvents, PeerState, Security};

use crate::clock::Clock;
use crate::event::{EndReason, Event, Events};
use crate::gate::Refused;
use crate::inbox::SourceHandle;
use crate::mailbox::{Feedback, Mailbox};
use crate::publishers::PublisherKey;
use crate::shard::Control;
use crate::snapshot::{Histograms, SessionTotals};
use crate::stream::StreamKey;
use crate::viewer::ViewerKey;

/// Between a packet and its repair, where the viewer has not reported yet.
const DEFAULT_ROUND_TRIP: Duration = Duration::from_millis(40);

/// What callbacks, threads and readers share of a session.
#[derive(Debug)]
pub struct SessionState {
    pub id: String,
    pub created: Time,
    ended: AtomicBool,
    playing: AtomicBool,
    /// Nanoseconds after `created`; 0 before.
    ice_connected: AtomicU64,
    connected: AtomicBool,
    security: OnceLock<Security>,
    /// Sent to a viewer, received from a publisher.
    pub packets: AtomicU64,
    pub bytes: AtomicU64,
    pub retransmissions: AtomicU64,
    /// Bits of f32 each; NaN before the first report.
    rtt: AtomicU32,
    loss: AtomicU32,
    jitter: AtomicU32,
    /// Packets of each kind, in the order of `Kind::ALL`, that a viewer says it has missed since it joined.
    lost: [AtomicU32; Kind::ALL.len()],
    reports: Mutex<Vec<Report>>,
    /// Some of them are news to the shard.
    reported: AtomicBool,
}

/// What a viewer said last of one of its streams.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    pub reception: Reception,
    /// Where it can be told.
    pub round_trip: Option<Duration>,
    /// The shard has seen it.
    seen: bool,
}

impl SessionState {
    pub fn new(id: String, created: Time) -> Self {
        let unknown = || AtomicU32::new(f32::NAN.to_bits());
        Self {
            id,
            created,
            ended: AtomicBool::new(false),
            playing: AtomicBool::new(false),
            ice_connected: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            security: OnceLock::new(),
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            retransmissions: AtomicU64::new(0),
            rtt: unknown(),
            loss: unknown(),
            jitter: unknown(),
            lost: Default::default(),
            reports: Mutex::default(),
            reported: AtomicBool::new(false),
        }
    }

    /// Nothing is to be sent any more.
    pub fn ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// The newest round trip, as the viewer reports it; some tens of milliseconds before the first report.
    pub fn round_trip(&self) -> Duration {
        let (seconds, _, _) = self.reception();
        seconds.map_or(DEFAULT_ROUND_TRIP, Duration::from_secs_f64)
    }

    pub fn connected(&self) -> bool {
        self.connected.load(Relaxed)
    }

    pub fn playing(&self) -> bool {
        self.playing.load(Relaxed)
    }

    pub fn carried(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// The first packet has been sent. Only video's is a keyframe.
    pub fn start(&self, kind: Kind, now: Time, histograms: &Histograms) {
        if !self.playing.swap(true, Relaxed) && kind == Kind::Video {
            histograms.first_keyframe.observe(now.since(self.created).as_secs_f64());
        }
    }

    /// Takes a receiver's report from any thread: its shard sees it with whatever it does next for the viewer. The library
    /// hands out a compound packet several times (see `ShardViewer::has_heard`), of which the first counts.
    pub fn report(&self, codec: Codec, reception: Reception, clock: Clock, histograms: &Histograms) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let last = reports.iter_mut().find(|report| report.reception.ssrc == reception.ssrc);
        if last.as_ref().is_some_and(|report| report.reception == reception) {
            return;
        }
        let report = Report { reception, round_trip: self.learn(codec, &reception, clock, histograms), seen: false };
        match last {
            Some(last) => *last = report,
            None => reports.push(report),
        }
        self.reported.store(true, Relaxed);
    }

    /// Reports that came since the last call.
    pub fn take_reports(&self, mut each: impl FnMut(&Report)) {
        // Most calls find none: no lock for these, and no write.
        if self.reported.load(Relaxed) {
            let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
            self.reported.store(false, Relaxed);
            for report in reports.iter_mut().filter(|report| !report.seen) {
                report.seen = true;
                each(report);
            }
        }
    }

    /// Takes over a receiver's report: loss, jitter, and the round trip from the echoed sender report (RFC 3550 §6.4.1).
    /// Gives the round trip.
    fn learn(&self, codec: Codec, reception: &Reception, clock: Clock, histograms: &Histograms) -> Option<Duration> {
        let loss = f32::from(reception.fraction_lost) / 256.0;
        self.loss.store(loss.to_bits(), Relaxed);
        self.lost[codec.kind() as usize].store(reception.lost, Relaxed);
        self.jitter.store((reception.jitter as f32 / codec.rate() as f32).to_bits(), Relaxed);
        histograms.loss.observe(f64::from(loss));
        if reception.last_report == 0 {
            return None;
        }
        let now = clock.wall().ntp(clock.now()).middle();
        let trip = now.wrapping_sub(reception.last_report).wrapping_sub(reception.delay) as i32;
        // A report that claims to answer the future, or a minute ago, says nothing.
        if !(0..60 << 16).contains(&trip) {
            return None;
        }
        let seconds = trip as f32 / 65_536.0;
        self.rtt.store(seconds.to_bits(), Relaxed);
        histograms.rtt.observe(f64::from(seconds));
        Some(Duration::from_secs_f32(seconds))
    }

    pub fn reception(&self) -> (Option<f64>, Option<f64>, Option<f64>) {
        let value = |bits: &AtomicU32| Some(f32::from_bits(bits.load(Relaxed))).filter(|v| !v.is_nan()).map(f64::from);
        (value(&self.rtt), value(&self.loss), value(&self.jitter))
    }

    /// All of it, once nothing more is carried.
    pub fn totals(&self) -> SessionTotals {
        let (packets, repeated) = (self.packets.load(Relaxed), self.retransmissions.load(Relaxed));
        // Signed in 24 bits: negative after duplicates (RFC 3550 §6.4.1). A viewer may claim anything.
        let lost = self.lost.iter().map(|lost| lost.load(Relaxed)).filter(|lost| *lost < 1 << 23);
        let lost: u64 = lost.map(u64::from).sum();
        let ratio = (lost as f64 / packets.saturating_sub(repeated).max(1) as f64).min(1.0);
        let (_, reported, _) = self.reception();
        SessionTotals { packets, bytes: self.bytes.load(Relaxed), loss: reported.map(|_| ratio) }
    }

    /// Says once that the session is over.
    pub fn end(&self, reason: EndReason, events: &Events) {
        if !self.ended.swap(true, Relaxed) {
            events.push(Event::SessionEnded { session: self.id.clone(), reason });
        }
    }

    /// Over by request: nothing more is said of it.
    pub fn retire(&self) {
        self.ended.store(true, Relaxed);
    }
}

/// Takes a peer's callbacks.
pub struct SessionEvents {
    pub state: Arc<SessionState>,
    pub media: Media,
    pub events: Arc<Events>,
    pub histograms: Arc<Histograms>,
    pub refused: Arc<Refused>,
    /// RTCP of a viewer.
    pub feedback: Mutex<Budget>,
    pub clock: Clock,
}

impl SessionEvents {
    /// Whether a viewer's RTCP is within its budget; who exceeds it for long is ended.
    fn is_affordable(&self) -> bool {
        let charge = self.feedback.lock().unwrap_or_else(PoisonError::into_inner).take(self.clock.now());
        match charge {
            Charge::Within => return !self.state.ended(),
            Charge::Above => {}
            Charge::Exhausted => self.state.end(EndReason::Flooding, &self.events),
        }
        self.refused.count_feedback();
        false
    }
}

/// Where a session's packets and news go.
pub enum Media {
    /// A viewer's to its shard; what each of its streams carries, by SSRC.
    Viewer(ViewerKey, Arc<Mailbox>, Vec<(u32, Codec)>),
    /// A publisher's to its stream, which tells the tracks apart by itself: not all is announced.
    Publisher { stream: StreamKey, publisher: PublisherKey, source: SourceHandle },
}

impl PeerEvents for SessionEvents {
    fn state(&self, state: PeerState) {
        let viewer = &self.state;
        let age = self.clock.now().since(viewer.created);
        match state {
            PeerState::Connecting => {}
            PeerState::IceConnected => {
                let nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX).max(1);
                if viewer.ice_connected.compare_exchange(0, nanos, Relaxed, Relaxed).is_ok() {
                    self.histograms.ice.observe(age.as_secs_f64());
                }
            }
            PeerState::Connected => {
                if !viewer.connected.swap(true, Relaxed) {
                    let ice = viewer.ice_connected.load(Relaxed) as f64 / 1e9;
                    self.histograms.dtls.observe((age.as_secs_f64() - ice).max(0.0));
                    let (session, security) = (viewer.id.clone(), viewer.security.get().copied());
                    self.events.push(Event::SessionConnected { session, security });
                }
            }
            PeerState::IceLost if viewer.connected() => viewer.end(EndReason::ConsentLost, &self.events),
            PeerState::IceLost => viewer.end(EndReason::IceFailed, &self.events),
            PeerState::Disconnected | PeerState::Closed if viewer.connected() => {
                viewer.end(EndReason::ClosedByPeer, &self.events);
            }
            PeerState::Failed | PeerState::Disconnected | PeerState::Closed => {
                viewer.end(EndReason::DtlsFailed, &self.events);
            }
        }
    }

    fn secured(&self, security: Security) {
        // A peer shakes hands once.
        let _ = self.state.security.set(security);
    }

    fn open(&self, track: usize) {
        if let Media::Viewer(key, mailbox, _) = &self.media {
            mailbox.control(Control::Open(*key, track));
        }
    }

    fn message(&self, _track: usize, packet: &[u8]) {
        match &self.media {
            Media::Viewer(viewer, mailbox, streams) if self.is_affordable() => {
                rtcp::receptions(packet, |reception| {
                    if let Some((_, codec)) = streams.iter().find(|(ssrc, _)| *ssrc == reception.ssrc) {
                        self.state.report(*codec, reception, self.clock, &self.histograms);
                    }
                });
                // A report alone wakes no shard: it can wait for the next frame.
                if rtcp::asks(packet) {
                    mailbox.feedback(Feedback { viewer: *viewer, packet: packet.to_vec() });
                }
            }
            Media::Viewer(..) => {}
            Media::Publisher { stream, publisher, source } => {
                self.state.carried(1, packet.len() as u64);
                source.publish(*stream, *publisher, packet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lost: u32) -> Reception {
        Reception { ssrc: 1, fraction_lost: 0, lost, highest: 0, jitter: 0, last_report: 0, delay: 0 }
    }

    #[test]
    fn loss_is_that_of_both_kinds_since_the_beginning() {
        let (clock, histograms) = (Clock::start(), Histograms::default());
        let state = SessionState::new("viewer".into(), clock.now());
        state.carried(105, 10_500);
        state.retransmissions.fetch_add(5, Relaxed);
        assert_eq!(state.totals(), SessionTotals { packets: 105, bytes: 10_500, loss: None });
        for (codec, lost) in [(Codec::H264, 3), (Codec::Opus, 9), (Codec::H264, 1)] {
            state.learn(codec, &report(lost), clock, &histograms);
        }
        assert_eq!(state.totals().loss, Some(0.1));
    }

    #[test]
    fn whatever_a_viewer_claims_is_a_ratio() {
        let (clock, histograms) = (Clock::start(), Histograms::default());
        let state = SessionState::new("viewer".into(), clock.now());
        state.carried(10, 1_000);
        // Fewer than none: duplicates came.
        state.learn(Codec::Opus, &report(0xff_fffe), clock, &histograms);
        assert_eq!(state.totals().loss, Some(0.0));
        state.learn(Codec::H264, &report(0x7f_ffff), clock, &histograms);
        assert_eq!(state.totals().loss, Some(1.0));
    }
}
