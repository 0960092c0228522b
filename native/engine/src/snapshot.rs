//! Numbers for people: a consistent-enough copy of all counters at one moment.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use core_media::time::Time;
use core_media::warning::Warning;
use rtc::SendCounters;

use crate::histogram::{Histogram, HistogramSnapshot};
use crate::session;
use crate::stream::{LegState, Stream, StreamFacts};

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// UDP sockets open for media, legs included.
    pub udp_ports: usize,
    /// What the process has given to the system, all engines together.
    pub sends: SendCounters,
    /// What peers sent in vain, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Every stream.
    pub streams: Vec<StreamSnapshot>,
    /// Viewers and waiting packets of each shard.
    pub shards: Vec<(usize, usize)>,
    /// From the offer to a chosen candidate pair.
    pub ice: HistogramSnapshot,
    /// From there to keys.
    pub dtls: HistogramSnapshot,
    /// From the offer to the first keyframe sent.
    pub first_keyframe: HistogramSnapshot,
    /// From a frame's last datagram to the kernel.
    pub fanout: HistogramSnapshot,
    /// Packets gathered in one burst.
    pub send_batch: HistogramSnapshot,
    /// Messages to the kernel that a picture took for each viewer, reports to it included.
    pub frame_messages: HistogramSnapshot,
    /// As receivers report.
    pub rtt: HistogramSnapshot,
    /// As receivers report.
    pub loss: HistogramSnapshot,
}

/// One stream.
#[derive(Clone, Debug)]
pub struct StreamSnapshot {
    /// Its name.
    pub id: String,
    /// What is known of its media.
    pub facts: StreamFacts,
    /// Present when there is such a leg.
    pub video: Option<LegSnapshot>,
    /// Present when there is such a leg.
    pub audio: Option<LegSnapshot>,
    /// Sessions that watch it.
    pub viewers: usize,
    /// Generic NACKs received.
    pub nacks: u64,
    /// Packets sent again.
    pub retransmissions: u64,
    /// PLI and FIR received.
    pub keyframe_requests: u64,
    /// What hurts its viewers.
    pub warnings: Vec<Warning>,
}

/// One leg.
#[derive(Clone, Debug)]
pub struct LegSnapshot {
    /// Received.
    pub packets_in: u64,
    /// Received.
    pub bytes_in: u64,
    /// Sent, all viewers together.
    pub packets_out: u64,
    /// Sent, all viewers together, RTP headers included.
    pub bytes_out: u64,
    /// By reason; those that never happened are left out.
    pub dropped: Vec<(&'static str, u64)>,
}

/// One viewer.
#[derive(Clone, Debug)]
pub struct ViewerSnapshot {
    /// Its session's name.
    pub id: String,
    /// What it watches.
    pub stream: String,
    /// How far it got.
    pub state: ViewerState,
    /// Seconds since its offer.
    pub age: f64,
    /// Sent.
    pub packets_out: u64,
    /// Sent.
    pub bytes_out: u64,
    /// Sent again.
    pub retransmissions: u64,
    /// Seconds, as it reports.
    pub rtt: Option<f64>,
    /// 0 to 1, as it reports.
    pub loss: Option<f64>,
    /// Seconds, as it reports.
    pub jitter: Option<f64>,
    /// Once chosen.
    pub candidate_pair: Option<String>,
}

/// What a session carried in all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SessionTotals {
    /// Sent to a viewer, received from a publisher; repetitions included.
    pub packets: u64,
    /// The same, with RTP headers.
    pub bytes: u64,
    /// What a viewer says it has missed of its media, 0 to 1; unknown without a report.
    pub loss: Option<f64>,
}

/// How far a viewer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerState {
    /// ICE or DTLS is under way.
    Connecting,
    /// Media could flow, but no keyframe has come.
    WaitingForKeyframe,
    /// Media flows.
    Playing,
}

impl ViewerState {
    pub(crate) fn of(state: &session::SessionState) -> Self {
        match (state.connected(), state.playing()) {
            (_, true) => Self::Playing,
            (true, false) => Self::WaitingForKeyframe,
            (false, false) => Self::Connecting,
        }
    }

    /// A word for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::WaitingForKeyframe => "waiting-for-keyframe",
            Self::Playing => "playing",
        }
    }
}

/// The engine's histograms.
#[derive(Debug)]
pub struct Histograms {
    pub ice: Histogram,
    pub dtls: Histogram,
    pub first_keyframe: Histogram,
    pub fanout: Histogram,
    pub send_batch: Histogram,
    pub frame_messages: Histogram,
    pub rtt: Histogram,
    pub loss: Histogram,
}

const SETUP_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const LATENCY_SECONDS: &[f64] = &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
const BATCH_PACKETS: &[f64] = &[1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0];
const FRAME_MESSAGES: &[f64] = &[1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0];
const RTT_SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6];
const LOSS_RATIO: &[f64] = &[0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

impl Default for Histograms {
    fn default() -> Self {
        Self {
            ice: Histogram::new(SETUP_SECONDS),
            dtls: Histogram::new(SETUP_SECONDS),
            first_keyframe: Histogram::new(SETUP_SECONDS),
            fanout: Histogram::new(LATENCY_SECONDS),
            send_batch: Histogram::new(BATCH_PACKETS),
            frame_messages: Histogram::new(FRAME_MESSAGES),
            rtt: Histogram::new(RTT_SECONDS),
            loss: Histogram::new(LOSS_RATIO),
        }
    }
}

impl StreamSnapshot {
    pub(crate) fn of(stream: &Stream, now: Time) -> Self {
        let leg = |leg: &Arc<LegState>| LegSnapshot::of(leg);
        Self {
            id: stream.id.clone(),
            facts: stream.facts(now),
            video: stream.video.as_ref().map(leg),
            audio: stream.audio.as_ref().map(leg),
            viewers: stream.viewers(),
            nacks: stream.nacks.load(Relaxed),
            retransmissions: stream.retransmissions.load(Relaxed),
            keyframe_requests: stream.keyframe_requests.load(Relaxed),
            warnings: stream.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl LegSnapshot {
    fn of(leg: &LegState) -> Self {
        let output = &leg.output;
        let dropped_in = leg.input.drops().map(|(reason, count)| (reason.name(), count));
        let dropped_out = [
            ("shard-overloaded", output.overloaded.load(Relaxed)),
            ("viewer-awaiting-keyframe", output.awaiting_keyframe.load(Relaxed)),
        ];
        Self {
            packets_in: leg.input.packets.value(),
            bytes_in: leg.input.bytes.value(),
            packets_out: output.packets.load(Relaxed),
            bytes_out: output.bytes.load(Relaxed),
            dropped: dropped_in.chain(dropped_out).filter(|(_, count)| *count > 0).collect(),
        }
    }
}
