//! What is known of a stream's media.

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
    /// As the SPS says.
    pub interlaced: bool,
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
    /// What comes is something else.
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
            interlaced: facts.interlaced,
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
