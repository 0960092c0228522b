//! All counters.

use std::collections::HashMap;

use engine::{HistogramSnapshot, LegSnapshot, Snapshot, StreamSnapshot};
use napi_derive::napi;

use super::facts::FactsObject;

/// All counters.
#[napi(object, object_from_js = false)]
pub struct SnapshotObject {
    /// UDP sockets open for media.
    pub udp_ports: u32,
    /// What was given to the system.
    pub sends: SendsObject,
    /// What peers sent in vain, by reason.
    pub refused: HashMap<String, f64>,
    /// Every stream.
    pub streams: Vec<StreamSnapshotObject>,
    /// Every shard.
    pub shards: Vec<ShardObject>,
    /// By name.
    pub histograms: HistogramsObject,
}

/// What the process has given to the system.
#[napi(object, object_from_js = false)]
pub struct SendsObject {
    /// Datagrams.
    pub datagrams: f64,
    /// Of them, those that went past libdatachannel.
    pub direct: f64,
    /// System calls that sent them or tried to.
    pub calls: f64,
    /// Datagrams that the system did not take.
    pub dropped: f64,
}

/// One shard.
#[napi(object, object_from_js = false)]
pub struct ShardObject {
    /// Viewers.
    pub viewers: u32,
    /// Packets that wait.
    pub queue_depth: u32,
}

/// Every histogram.
#[napi(object, object_from_js = false)]
pub struct HistogramsObject {
    /// From the offer to a chosen candidate pair.
    pub ice_seconds: HistogramObject,
    /// From there to keys.
    pub dtls_seconds: HistogramObject,
    /// From the offer to the first keyframe sent.
    pub first_keyframe_seconds: HistogramObject,
    /// From a frame's last datagram to the kernel.
    pub fanout_latency_seconds: HistogramObject,
    /// Datagrams handed to the kernel by one burst.
    pub send_batch_packets: HistogramObject,
    /// Messages to the kernel that a picture took for each viewer.
    pub frame_messages: HistogramObject,
    /// As receivers report.
    pub rtt_seconds: HistogramObject,
    /// As receivers report.
    pub loss_ratio: HistogramObject,
}

/// One histogram.
#[napi(object, object_from_js = false)]
pub struct HistogramObject {
    /// Upper bounds.
    pub bounds: Vec<f64>,
    /// Cumulative.
    pub counts: Vec<f64>,
    /// Of all values.
    pub sum: f64,
    /// Of all values.
    pub count: f64,
}

impl From<HistogramSnapshot> for HistogramObject {
    fn from(histogram: HistogramSnapshot) -> Self {
        let HistogramSnapshot { bounds, counts, sum, count } = histogram;
        Self { bounds, counts: counts.into_iter().map(|count| count as f64).collect(), sum, count: count as f64 }
    }
}

impl From<Snapshot> for SnapshotObject {
    fn from(snapshot: Snapshot) -> Self {
        let shard =
            |(viewers, depth): (usize, usize)| ShardObject { viewers: viewers as u32, queue_depth: depth as u32 };
        Self {
            udp_ports: snapshot.udp_ports as u32,
            sends: SendsObject {
                datagrams: snapshot.sends.datagrams as f64,
                direct: snapshot.sends.direct as f64,
                calls: snapshot.sends.calls as f64,
                dropped: snapshot.sends.dropped as f64,
            },
            refused: snapshot.refused.into_iter().map(|(reason, count)| (reason.into(), count as f64)).collect(),
            streams: snapshot.streams.into_iter().map(StreamSnapshotObject::from).collect(),
            shards: snapshot.shards.into_iter().map(shard).collect(),
            histograms: HistogramsObject {
                ice_seconds: snapshot.ice.into(),
                dtls_seconds: snapshot.dtls.into(),
                first_keyframe_seconds: snapshot.first_keyframe.into(),
                fanout_latency_seconds: snapshot.fanout.into(),
                send_batch_packets: snapshot.send_batch.into(),
                frame_messages: snapshot.frame_messages.into(),
                rtt_seconds: snapshot.rtt.into(),
                loss_ratio: snapshot.loss.into(),
            },
        }
    }
}

/// One stream's counters.
#[napi(object, object_from_js = false)]
pub struct StreamSnapshotObject {
    /// Its name.
    pub id: String,
    /// What is known of its media.
    pub facts: FactsObject,
    /// The video leg.
    pub video: Option<LegObject>,
    /// The audio leg.
    pub audio: Option<LegObject>,
    /// Sessions that watch it.
    pub viewers: u32,
    /// Received.
    pub nacks: f64,
    /// Packets sent again.
    pub retransmissions: f64,
    /// PLI and FIR received.
    pub keyframe_requests: f64,
    /// What hurts its viewers.
    pub warnings: Vec<WarningObject>,
}

/// What a person can cure.
#[napi(object, object_from_js = false)]
pub struct WarningObject {
    /// For machines.
    pub code: String,
    /// For people.
    pub text: String,
}

/// One leg's counters.
#[napi(object, object_from_js = false)]
pub struct LegObject {
    /// Received.
    pub packets_in: f64,
    /// Received.
    pub bytes_in: f64,
    /// Sent.
    pub packets_out: f64,
    /// Sent.
    pub bytes_out: f64,
    /// By reason.
    pub dropped: HashMap<String, f64>,
}

impl From<StreamSnapshot> for StreamSnapshotObject {
    fn from(stream: StreamSnapshot) -> Self {
        let warnings = stream.warnings.into_iter();
        Self {
            id: stream.id,
            facts: stream.facts.into(),
            video: stream.video.map(LegObject::from),
            audio: stream.audio.map(LegObject::from),
            viewers: stream.viewers as u32,
            nacks: stream.nacks as f64,
            retransmissions: stream.retransmissions as f64,
            keyframe_requests: stream.keyframe_requests as f64,
            warnings: warnings.map(|w| WarningObject { code: w.code().into(), text: w.text().into() }).collect(),
        }
    }
}

impl From<LegSnapshot> for LegObject {
    fn from(leg: LegSnapshot) -> Self {
        Self {
            packets_in: leg.packets_in as f64,
            bytes_in: leg.bytes_in as f64,
            packets_out: leg.packets_out as f64,
            bytes_out: leg.bytes_out as f64,
            dropped: leg.dropped.into_iter().map(|(reason, count)| (reason.into(), count as f64)).collect(),
        }
    }
}
