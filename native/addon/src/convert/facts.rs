//! What is known of a stream's media.

use std::collections::HashMap;

use engine::{AudioFacts, StreamFacts, VideoFacts};
use napi_derive::napi;

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
    /// What it carries.
    pub codec: &'static str,
    /// The stream's own parameters, as SDP names and writes them.
    pub parameters: Option<HashMap<&'static str, String>>,
    /// Bits of a sample.
    pub bit_depth: Option<u8>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Measured.
    pub frames_per_second: Option<f64>,
    /// As the stream says.
    pub nominal_frames_per_second: Option<f64>,
    /// As the stream says.
    pub reorder_frames: Option<u32>,
    /// As the stream says.
    pub interlaced: bool,
    /// Times that the parameters changed.
    pub parameter_changes: u32,
    /// From keyframe to keyframe.
    pub gop_frames: Option<f64>,
    /// The same in seconds.
    pub gop_seconds: Option<f64>,
    /// Frames came that may be shown later than those that follow them.
    pub b_frames: bool,
    /// Seconds since the last keyframe.
    pub keyframe_age: Option<f64>,
    /// Packets of the source that never came.
    pub lost: f64,
}

/// What is known of an audio leg.
#[napi(object, object_from_js = false)]
pub struct AudioObject {
    /// Packets arrive.
    pub active: bool,
    /// What it carries.
    pub codec: &'static str,
    /// 1 to 8.
    pub channels: Option<u8>,
    /// What comes is something else.
    pub wrong_codec: bool,
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
            codec: facts.codec.name(),
            parameters: facts.parameters.map(HashMap::from_iter),
            bit_depth: facts.bit_depth,
            width: facts.width,
            height: facts.height,
            frames_per_second: facts.frames_per_second,
            nominal_frames_per_second: facts.nominal_frames_per_second,
            reorder_frames: facts.reorder_frames,
            interlaced: facts.interlaced,
            parameter_changes: facts.parameter_changes,
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
        let AudioFacts { active, codec, channels, wrong_codec, timestamp_breaks, lost } = facts;
        let (codec, timestamp_breaks, lost) = (codec.name(), timestamp_breaks as f64, lost as f64);
        Self { active, codec, channels, wrong_codec, timestamp_breaks, lost }
    }
}
