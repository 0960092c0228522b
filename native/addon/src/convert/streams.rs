//! What an engine and a stream are started with.

use std::time::Duration;

use core_media::frame::Kind;
use core_media::history::Limits;
use engine::{EngineConfig, EngineError, Ingress, StreamConfig, StreamPorts};
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use super::invalid;

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
