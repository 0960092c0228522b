//! Between the engine's types and plain JavaScript objects, shaped as the engine port says.

use std::collections::HashMap;
use std::time::Duration;

use core_media::extension::ExtensionIds;
use core_media::frame::Kind;
use core_media::history::Limits;
use core_media::source::Ending;
use engine::{
    AudioFacts, EngineConfig, EngineError, Event, HistogramSnapshot, Ingress, LegSnapshot, MediaLine, PullConfig,
    SessionConfig, SessionTotals, Snapshot, StreamConfig, StreamFacts, StreamPorts, StreamSnapshot, VideoFacts,
    ViewerSnapshot,
};
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

/// How long an answer may take. It takes about a millisecond; this is for a machine that stands still.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// `video` or `audio`.
pub fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

fn invalid(what: &str) -> EngineError {
    EngineError::Failed(format!("{what} is not what the engine port says"))
}

/// What an engine is started with.
#[napi(object)]
pub struct EngineOptions {
    /// Absent: every interface.
    pub media_host: Option<String>,
    /// 0: the system chooses.
    pub media_port: u16,
    /// Threads that send.
    pub shards: u32,
    /// Packets are protected where they leave from.
    pub direct: bool,
}

impl EngineOptions {
    /// The engine's own form.
    pub fn parse(&self) -> Result<EngineConfig, EngineError> {
        let parse = |host: &String| host.parse().map_err(|_| invalid("mediaHost"));
        let media_host = self.media_host.as_ref().map(parse).transpose()?;
        let EngineOptions { media_port, shards, direct, .. } = *self;
        Ok(EngineConfig { media_host, media_port, shards: shards as usize, direct })
    }
}

/// A stream to open.
#[napi(object, object_to_js = false)]
pub struct StreamObject {
    /// Its name.
    pub id: String,
    /// Milliseconds without a packet after which a leg is inactive.
    pub silence: f64,
    /// Where its media comes from.
    pub ingress: IngressObject,
    /// What is kept for viewers that join or miss packets.
    pub cache: CacheObject,
    /// Bytes that leave at once for one viewer; infinite for no limit.
    pub burst: f64,
}

/// How much of a stream is kept.
#[napi(object, object_to_js = false)]
pub struct CacheObject {
    /// Bytes, each leg.
    pub bytes: f64,
    /// Milliseconds.
    pub age: f64,
    /// Viewers begin with the newest keyframe kept.
    pub instant_start: bool,
}

/// Where media comes from; which fields are there depends on `kind`.
#[napi(object, object_to_js = false)]
pub struct IngressObject {
    /// `rtp`, `clip`, `push`, `publisher` or `pull`.
    pub kind: String,
    /// rtp: the address to bind.
    pub host: Option<String>,
    /// rtp: the video leg's port.
    pub video_port: Option<u16>,
    /// rtp: the audio leg's port.
    pub audio_port: Option<u16>,
    /// clip: Annex B.
    pub video_file: Option<Uint8Array>,
    /// clip: Ogg Opus.
    pub audio_file: Option<Uint8Array>,
    /// clip: pictures per second.
    pub frames_per_second: Option<f64>,
    /// push, publisher, pull: the legs there are.
    pub legs: Option<Vec<String>>,
}

impl From<StreamObject> for Result<StreamConfig, EngineError> {
    fn from(spec: StreamObject) -> Self {
        let silence = Duration::from_millis(spec.silence.max(0.0) as u64);
        let CacheObject { bytes, age, instant_start } = spec.cache;
        let limits =
            Limits { bytes: bytes.max(0.0) as usize, age: Duration::from_millis(age.max(0.0) as u64), instant_start };
        // Infinity becomes the largest number there is.
        let burst = spec.burst.max(0.0) as usize;
        Ok(StreamConfig { id: spec.id, ingress: ingress(spec.ingress)?, silence, limits, burst })
    }
}

fn ingress(spec: IngressObject) -> Result<Ingress, EngineError> {
    match spec.kind.as_str() {
        "rtp" => {
            let host = spec.host.and_then(|host| host.parse().ok()).ok_or_else(|| invalid("ingress.host"))?;
            Ok(Ingress::Rtp { host, video: spec.video_port, audio: spec.audio_port })
        }
        "clip" => {
            let bytes = |file: Option<Uint8Array>| file.map(|file| file.to_vec()).unwrap_or_default();
            Ok(Ingress::Clip {
                video: bytes(spec.video_file),
                audio: bytes(spec.audio_file),
                frames_per_second: spec.frames_per_second.unwrap_or_default(),
            })
        }
        kind @ ("push" | "publisher" | "pull") => {
            let legs = spec.legs.unwrap_or_default();
            let has = |kind: Kind| legs.iter().any(|leg| leg == kind.name());
            let (video, audio) = (has(Kind::Video), has(Kind::Audio));
            Ok(if kind == "push" { Ingress::Push { video, audio } } else { Ingress::Publisher { video, audio } })
        }
        _ => Err(invalid("ingress.kind")),
    }
}

/// The ports of a stream.
#[napi(object, object_from_js = false)]
pub struct PortsObject {
    /// Of the video leg.
    pub video: Option<u16>,
    /// Of the audio leg.
    pub audio: Option<u16>,
}

impl From<StreamPorts> for PortsObject {
    fn from(ports: StreamPorts) -> Self {
        Self { video: ports.video, audio: ports.audio }
    }
}

/// A viewer or publisher to answer.
#[napi(object, object_to_js = false)]
pub struct SessionSpec {
    /// Its session's name.
    pub id: String,
    /// What it watches or feeds.
    pub stream: String,
    /// The offer, accepted m-lines only.
    pub offer: String,
    /// One per accepted m-line.
    pub media: Vec<LineObject>,
}

/// One accepted m-line.
#[napi(object, object_to_js = false)]
pub struct LineObject {
    /// `video` or `audio`.
    pub kind: String,
    /// The local media section.
    pub description: String,
    /// Negotiated.
    pub payload_type: u8,
    /// Announced.
    pub ssrc: u32,
    /// Announced.
    pub cname: String,
    /// Retransmissions (RFC 4588), when negotiated.
    pub rtx: Option<RetransmissionObject>,
    /// Header extension ids.
    pub extensions: ExtensionsObject,
}

/// Header extensions to write, as negotiated.
#[napi(object, object_to_js = false)]
pub struct ExtensionsObject {
    /// abs-capture-time.
    pub abs_capture_time: Option<u8>,
    /// playout-delay.
    pub playout_delay: Option<u8>,
}

/// Where repeated packets go.
#[napi(object, object_to_js = false)]
pub struct RetransmissionObject {
    /// Negotiated.
    pub payload_type: u8,
    /// Announced.
    pub ssrc: u32,
}

impl From<SessionSpec> for Result<SessionConfig, EngineError> {
    fn from(spec: SessionSpec) -> Self {
        let line = |line: LineObject| {
            let kind = kind(&line.kind).ok_or_else(|| invalid("media.kind"))?;
            let LineObject { description, payload_type, ssrc, cname, rtx, extensions, .. } = line;
            let retransmission = rtx.map(|rtx| (rtx.payload_type, rtx.ssrc));
            let extensions = ExtensionIds {
                absolute_capture_time: extensions.abs_capture_time,
                playout_delay: extensions.playout_delay,
            };
            Ok(MediaLine { kind, description, payload_type, ssrc, cname, retransmission, extensions })
        };
        let media = spec.media.into_iter().map(line).collect::<Result<_, EngineError>>()?;
        Ok(SessionConfig { id: spec.id, stream: spec.stream, offer: spec.offer, media, timeout: ANSWER_TIMEOUT })
    }
}

/// A session to ask of another server.
#[napi(object, object_to_js = false)]
pub struct PullSpec {
    /// Its session's name.
    pub id: String,
    /// What it feeds.
    pub stream: String,
    /// One per m-line to offer.
    pub media: Vec<OfferedLine>,
}

/// One m-line to offer.
#[napi(object, object_to_js = false)]
pub struct OfferedLine {
    /// `video` or `audio`.
    pub kind: String,
    /// The local media section.
    pub description: String,
}

impl From<PullSpec> for Result<PullConfig, EngineError> {
    fn from(PullSpec { id, stream, media }: PullSpec) -> Self {
        let line = |OfferedLine { kind: name, description }: OfferedLine| {
            let kind = kind(&name).ok_or_else(|| invalid("media.kind"))?;
            Ok((kind, description))
        };
        let media = media.into_iter().map(line).collect::<Result<_, EngineError>>()?;
        Ok(PullConfig { id, stream, media, timeout: ANSWER_TIMEOUT })
    }
}

/// What is known of a stream's media.
#[napi(object, object_from_js = false)]
pub struct FactsObject {
    /// The video leg.
    pub video: Option<VideoObject>,
    /// The audio leg.
    pub audio: Option<AudioObject>,
}

/// What is known of a video leg.
#[napi(object, object_from_js = false)]
pub struct VideoObject {
    /// Packets arrive.
    pub active: bool,
    /// Six hex digits.
    pub profile_level_id: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Measured.
    pub frames_per_second: Option<f64>,
    /// As the SPS says.
    pub nominal_frames_per_second: Option<f64>,
    /// As the SPS says.
    pub reorder_frames: Option<u32>,
    /// Times that the SPS changed.
    pub sps_changes: u32,
    /// From IDR picture to IDR picture.
    pub gop_frames: Option<f64>,
    /// The same in seconds.
    pub gop_seconds: Option<f64>,
    /// B-frames were seen.
    pub b_frames: bool,
    /// Seconds since the last IDR picture.
    pub keyframe_age: Option<f64>,
    /// Packets of the source that never came.
    pub lost: f64,
}

/// What is known of an audio leg.
#[napi(object, object_from_js = false)]
pub struct AudioObject {
    /// Packets arrive.
    pub active: bool,
    /// 1 or 2.
    pub channels: Option<u8>,
    /// What comes is AAC.
    pub not_opus: bool,
    /// Packets that did not begin where the one before ended.
    pub timestamp_breaks: f64,
    /// Packets of the source that never came.
    pub lost: f64,
}

impl From<StreamFacts> for FactsObject {
    fn from(facts: StreamFacts) -> Self {
        Self { video: facts.video.map(VideoObject::from), audio: facts.audio.map(AudioObject::from) }
    }
}

impl From<VideoFacts> for VideoObject {
    fn from(facts: VideoFacts) -> Self {
        Self {
            active: facts.active,
            profile_level_id: facts.profile_level_id,
            width: facts.width,
            height: facts.height,
            frames_per_second: facts.frames_per_second,
            nominal_frames_per_second: facts.nominal_frames_per_second,
            reorder_frames: facts.reorder_frames,
            sps_changes: facts.sps_changes,
            gop_frames: facts.gop_frames.map(|frames| frames as f64),
            gop_seconds: facts.gop_seconds,
            b_frames: facts.b_frames,
            keyframe_age: facts.keyframe_age,
            lost: facts.lost as f64,
        }
    }
}

impl From<AudioFacts> for AudioObject {
    fn from(facts: AudioFacts) -> Self {
        let AudioFacts { active, channels, not_opus, timestamp_breaks, lost } = facts;
        Self { active, channels, not_opus, timestamp_breaks: timestamp_breaks as f64, lost: lost as f64 }
    }
}

/// All counters.
#[napi(object, object_from_js = false)]
pub struct SnapshotObject {
    /// UDP sockets open for media.
    pub udp_ports: u32,
    /// What was given to the system.
    pub sends: SendsObject,
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
            streams: snapshot.streams.into_iter().map(StreamSnapshotObject::from).collect(),
            shards: snapshot.shards.into_iter().map(shard).collect(),
            histograms: HistogramsObject {
                ice_seconds: snapshot.ice.into(),
                dtls_seconds: snapshot.dtls.into(),
                first_keyframe_seconds: snapshot.first_keyframe.into(),
                fanout_latency_seconds: snapshot.fanout.into(),
                send_batch_packets: snapshot.send_batch.into(),
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

/// One viewer.
#[napi(object, object_from_js = false)]
pub struct ViewerObject {
    /// Its session's name.
    pub id: String,
    /// What it watches.
    pub stream: String,
    /// How far it got.
    pub state: String,
    /// Seconds since its offer.
    pub age_seconds: f64,
    /// Sent.
    pub packets_out: f64,
    /// Sent.
    pub bytes_out: f64,
    /// Sent again.
    pub retransmissions: f64,
    /// As it reports.
    pub rtt_seconds: Option<f64>,
    /// As it reports.
    pub loss_ratio: Option<f64>,
    /// As it reports.
    pub jitter_seconds: Option<f64>,
    /// Once chosen.
    pub candidate_pair: Option<String>,
}

impl From<ViewerSnapshot> for ViewerObject {
    fn from(viewer: ViewerSnapshot) -> Self {
        Self {
            id: viewer.id,
            stream: viewer.stream,
            state: viewer.state.name().into(),
            age_seconds: viewer.age,
            packets_out: viewer.packets_out as f64,
            bytes_out: viewer.bytes_out as f64,
            retransmissions: viewer.retransmissions as f64,
            rtt_seconds: viewer.rtt,
            loss_ratio: viewer.loss,
            jitter_seconds: viewer.jitter,
            candidate_pair: viewer.candidate_pair,
        }
    }
}

/// What a session carried in all.
#[napi(object, object_from_js = false)]
pub struct TotalsObject {
    /// Sent or received.
    pub packets: f64,
    /// The same.
    pub bytes: f64,
    /// As the viewer says.
    pub loss_ratio: Option<f64>,
}

impl From<SessionTotals> for TotalsObject {
    fn from(totals: SessionTotals) -> Self {
        Self { packets: totals.packets as f64, bytes: totals.bytes as f64, loss_ratio: totals.loss }
    }
}

/// What this machine grants to media sockets.
#[napi(object, object_from_js = false)]
pub struct MachineObject {
    /// UDP segmentation offload is in use.
    pub gso: bool,
    /// `sendmmsg` is in use.
    pub sendmmsg: bool,
    /// Of a socket that takes RTP.
    pub receive_buffer: GrantObject,
    /// Of a socket that sends to viewers.
    pub send_buffer: GrantObject,
}

/// Bytes.
#[napi(object, object_from_js = false)]
pub struct GrantObject {
    /// Asked for.
    pub asked: f64,
    /// Given.
    pub given: f64,
}

impl From<rtc::Machine> for MachineObject {
    fn from(machine: rtc::Machine) -> Self {
        let grant = |rtc::Grant { asked, given }: rtc::Grant| GrantObject { asked: asked as f64, given: given as f64 };
        let rtc::Machine { gso, sendmmsg, receive_buffer, send_buffer } = machine;
        Self { gso, sendmmsg, receive_buffer: grant(receive_buffer), send_buffer: grant(send_buffer) }
    }
}

/// Something happened; which fields are there depends on `type`.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct EventObject {
    /// As the engine port names it.
    #[napi(js_name = "type")]
    pub name: String,
    /// The session.
    pub session: Option<String>,
    /// The stream.
    pub stream: Option<String>,
    /// The leg.
    pub leg: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// For machines.
    pub code: Option<String>,
    /// How bad.
    pub level: Option<String>,
    /// For people.
    pub text: Option<String>,
}

impl From<Event> for EventObject {
    fn from(event: Event) -> Self {
        let named = |name: &str| Self { name: name.into(), ..Self::default() };
        let leg_name = |leg: Kind| Some(leg.name().into());
        match event {
            Event::SessionConnected { session } => Self { session: Some(session), ..named("session-connected") },
            Event::SessionEnded { session, reason } => {
                Self { session: Some(session), reason: Some(reason.name().into()), ..named("session-ended") }
            }
            Event::LegActive { stream, leg } => {
                Self { stream: Some(stream), leg: leg_name(leg), ..named("leg-active") }
            }
            Event::LegInactive { stream, leg, reason } => {
                let reason = match reason {
                    Ending::Bye => "bye",
                    Ending::Silent => "silent",
                };
                let reason = Some(reason.into());
                Self { stream: Some(stream), leg: leg_name(leg), reason, ..named("leg-inactive") }
            }
            Event::Warning { stream, warning } => Self {
                stream: Some(stream),
                code: Some(warning.code().into()),
                text: Some(warning.text().into()),
                ..named("warning")
            },
            Event::Log { level, text } => {
                let level = match level {
                    rtc::Level::Error => "error",
                    rtc::Level::Warning => "warning",
                    rtc::Level::Info => "info",
                    rtc::Level::Debug => "debug",
                };
                Self { level: Some(level.into()), text: Some(text), ..named("log") }
            }
        }
    }
}
