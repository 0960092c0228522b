//! What an engine and a stream are started with.

use std::time::Duration;

use core_media::frame::Kind;
use core_media::history::Limits;
use core_media::media::Format;
use engine::{EngineConfig, EngineError, Ingress, RtpLeg, StreamConfig, StreamPorts};
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use super::{codec, invalid};

/// What an engine is started with.
#[napi(object)]
pub struct EngineOptions {
    /// Absent: every interface.
    pub media_host: Option<String>,
    /// 0: the system chooses.
    pub media_port: u16,
    /// Threads that send.
    pub shards: u32,
}

impl EngineOptions {
    /// The engine's own form.
    pub fn parse(&self) -> Result<EngineConfig, EngineError> {
        let parse = |host: &String| host.parse().map_err(|_| invalid("mediaHost"));
        let media_host = self.media_host.as_ref().map(parse).transpose()?;
        let EngineOptions { media_port, shards, .. } = *self;
        Ok(EngineConfig { media_host, media_port, shards: shards as usize })
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
    /// rtp: the address to bind, or a multicast group.
    pub host: Option<String>,
    /// rtp, push: the video leg.
    pub video: Option<LegObject>,
    /// rtp, push: the audio leg.
    pub audio: Option<LegObject>,
    /// clip: Annex B.
    pub video_file: Option<Uint8Array>,
    /// clip: Ogg Opus.
    pub audio_file: Option<Uint8Array>,
    /// clip: frames per second.
    pub frames_per_second: Option<f64>,
    /// publisher, pull: the legs there are.
    pub legs: Option<Vec<String>>,
}

/// A leg and what it carries.
#[napi(object, object_to_js = false)]
pub struct LegObject {
    /// rtp: its port.
    pub port: Option<u16>,
    /// rtp: where its reports come, where that is not the port after.
    pub rtcp_port: Option<u16>,
    /// Its name.
    pub codec: String,
    /// Others are dropped.
    pub payload_type: Option<u8>,
    /// Where packets do not say it.
    pub channels: Option<u8>,
    /// Parameter sets that need not come in the stream.
    pub sets: Option<Vec<Uint8Array>>,
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
            let leg = |leg: LegObject| -> Result<RtpLeg, EngineError> {
                let port = leg.port.ok_or_else(|| invalid("ingress.port"))?;
                Ok(RtpLeg { port, rtcp_port: leg.rtcp_port, format: format(leg)? })
            };
            Ok(Ingress::Rtp { host, video: spec.video.map(leg).transpose()?, audio: spec.audio.map(leg).transpose()? })
        }
        "clip" => {
            let bytes = |file: Option<Uint8Array>| file.map(|file| file.to_vec()).unwrap_or_default();
            Ok(Ingress::Clip {
                video: bytes(spec.video_file),
                audio: bytes(spec.audio_file),
                frames_per_second: spec.frames_per_second.unwrap_or_default(),
            })
        }
        "push" => {
            Ok(Ingress::Push { video: spec.video.map(format).transpose()?, audio: spec.audio.map(format).transpose()? })
        }
        "publisher" | "pull" => {
            let legs = spec.legs.unwrap_or_default();
            let has = |kind: Kind| legs.iter().any(|leg| leg == kind.name());
            Ok(Ingress::Publisher { video: has(Kind::Video), audio: has(Kind::Audio) })
        }
        _ => Err(invalid("ingress.kind")),
    }
}

fn format(leg: LegObject) -> Result<Format, EngineError> {
    let codec = codec(&leg.codec)?;
    let sets = leg.sets.unwrap_or_default().iter().map(|set| set.to_vec()).collect();
    Ok(Format { codec, payload_type: leg.payload_type, channels: leg.channels, sets })
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
