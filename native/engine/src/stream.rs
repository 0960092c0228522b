//! What ingest, shards and readers share of one stream.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use core_media::codec::Codec;
use core_media::counters::{DropReason, LegCounters};
use core_media::frame::{ClockPoint, Frame, Kind};
use core_media::history::{Cache, History, Keyframe, Limits};
use core_media::media::{Facts, Format};
use core_media::source::Source;
use core_media::time::{Time, nanos};
use core_media::warning::Warning;

use crate::inbox::SourceHandle;

/// Names a stream within one engine; never used twice.
pub type StreamKey = u64;

/// The shared part of a stream.
#[derive(Debug)]
pub struct Stream {
    pub key: StreamKey,
    pub id: String,
    pub video: Option<Arc<LegState>>,
    pub audio: Option<Arc<LegState>>,
    /// Bytes that leave at once for one viewer.
    pub burst: usize,
    /// Viewers of this stream on each shard.
    pub audience: Vec<AtomicUsize>,
    pub nacks: AtomicU64,
    pub retransmissions: AtomicU64,
    pub keyframe_requests: AtomicU64,
    pub warnings: Mutex<Vec<Warning>>,
    /// Who can be asked for a keyframe; only a publisher can.
    publisher: Option<SourceHandle>,
    pub keyframe_wanted: AtomicBool,
}

/// The shared part of a leg.
#[derive(Debug)]
pub struct LegState {
    pub input: Arc<LegCounters>,
    /// The publisher that feeds the stream has no such track.
    absent: AtomicBool,
    /// Written by all shards.
    pub output: OutputCounters,
    known: Mutex<Known>,
    /// Written by ingest once per frame; read by viewers that join, are behind or miss packets.
    history: RwLock<History>,
}

/// Which legs a stream has, and what they carry.
#[derive(Clone, Debug)]
pub struct Legs {
    pub video: Option<Format>,
    pub audio: Option<Format>,
}

impl Legs {
    /// Of H264 and Opus.
    pub fn usual(video: bool, audio: bool) -> Self {
        Self { video: video.then(|| Codec::H264.into()), audio: audio.then(|| Codec::Opus.into()) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Known {
    active: bool,
    facts: Facts,
}

/// What viewers got of a leg, and what they did not.
#[derive(Debug, Default)]
pub struct OutputCounters {
    pub packets: AtomicU64,
    pub bytes: AtomicU64,
    /// Packets that a full mailbox refused, once for each viewer of its shard.
    pub overloaded: AtomicU64,
    /// Packets skipped by viewers that waited for a keyframe.
    pub awaiting_keyframe: AtomicU64,
}

impl Stream {
    pub fn new(
        key: StreamKey,
        id: String,
        legs: &Legs,
        limits: Limits,
        burst: usize,
        publisher: Option<SourceHandle>,
        shards: usize,
    ) -> Self {
        let leg = |format: &Format| Arc::new(LegState::new(format.codec, limits));
        Self {
            key,
            id,
            video: legs.video.as_ref().map(leg),
            audio: legs.audio.as_ref().map(leg),
            burst,
            audience: (0..shards).map(|_| AtomicUsize::new(0)).collect(),
            nacks: AtomicU64::new(0),
            retransmissions: AtomicU64::new(0),
            keyframe_requests: AtomicU64::new(0),
            warnings: Mutex::default(),
            publisher,
            keyframe_wanted: AtomicBool::new(false),
        }
    }

    /// Asks the source for a keyframe, where there is somebody to ask.
    pub fn request_keyframe(&self) {
        if let Some(publisher) = &self.publisher
            && !self.keyframe_wanted.swap(true, Relaxed)
        {
            publisher.request_keyframe(self.key);
        }
    }

    pub fn leg(&self, kind: Kind) -> Option<&LegState> {
        match kind {
            Kind::Video => self.video.as_deref(),
            Kind::Audio => self.audio.as_deref(),
        }
    }

    /// What the stream's publisher carries: further legs are not there until another one comes.
    pub fn carry(&self, legs: &[Kind]) {
        for kind in Kind::ALL {
            if let Some(leg) = self.leg(kind) {
                leg.absent.store(!legs.contains(&kind), Relaxed);
            }
        }
    }

    pub fn viewers(&self) -> usize {
        self.audience.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Takes over what the source knows.
    pub fn learn(&self, source: &Source) {
        for kind in Kind::ALL {
            if let (Some(leg), Some((active, facts))) = (self.leg(kind), source.facts(kind)) {
                *leg.known.lock().unwrap_or_else(PoisonError::into_inner) = Known { active, facts };
            }
        }
    }

    /// Nothing comes any more.
    pub fn fall_silent(&self) {
        for leg in Kind::ALL.into_iter().filter_map(|kind| self.leg(kind)) {
            leg.known.lock().unwrap_or_else(PoisonError::into_inner).active = false;
        }
    }

    pub fn facts(&self, now: Time) -> StreamFacts {
        let present = |leg: &&LegState| !leg.absent.load(Relaxed);
        StreamFacts {
            video: self.video.as_deref().filter(present).map(|leg| VideoFacts::new(leg, now)),
            audio: self.audio.as_deref().filter(present).map(AudioFacts::new),
        }
    }
}

impl LegState {
    fn new(codec: Codec, limits: Limits) -> Self {
        Self {
            input: Arc::default(),
            absent: AtomicBool::new(false),
            output: OutputCounters::default(),
            known: Mutex::new(Known { active: false, facts: Facts::new(codec) }),
            history: RwLock::new(History::new(codec.rate(), limits)),
        }
    }

    pub fn remember(&self, frame: Arc<Frame>) {
        self.history.write().unwrap_or_else(PoisonError::into_inner).push(frame);
    }

    /// What the leg carries.
    pub fn codec(&self) -> Codec {
        self.known().facts.codec
    }

    /// The leg carries another codec from now on: nothing of what is kept is of use.
    pub fn begin_anew(&self) {
        let rate = self.codec().rate();
        self.history.write().unwrap_or_else(PoisonError::into_inner).clear(rate);
    }

    fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Packets of the source that never came.
    fn lost(&self) -> u64 {
        self.input.count(DropReason::Lost)
    }

    fn look<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(&self.history.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Each look takes the lock for itself: nothing is sent while ingest waits.
impl Cache for LegState {
    fn frame(&self, number: u64) -> Option<Arc<Frame>> {
        self.look(|history| history.frame(number))
    }

    fn packet(&self, number: u64) -> Option<(Arc<Frame>, usize)> {
        self.look(|history| history.packet(number))
    }

    fn keyframe(&self) -> Option<Keyframe> {
        self.look(History::keyframe)
    }

    fn clock(&self) -> Option<ClockPoint> {
        self.look(History::clock)
    }

    fn live_timestamp(&self, now: Time) -> Option<u64> {
        self.look(|history| history.live_timestamp(now))
    }
}

/// What negotiation and people want to know of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamFacts {
    /// The video leg, when there is one.
    pub video: Option<VideoFacts>,
    /// The audio leg, when there is one.
    pub audio: Option<AudioFacts>,
}

/// Of a video leg. What is not known yet is absent.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFacts {
    /// Packets arrive.
    pub active: bool,
    /// What it carries.
    pub codec: Codec,
    /// The stream's own parameters, by the names and in the form that SDP has for them.
    pub parameters: Option<Vec<(&'static str, String)>>,
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
    /// Frames that may be shown later than they are decoded, as the stream says.
    pub reorder_frames: Option<u32>,
    /// Frames may be of fields, as the stream says.
    pub interlaced: bool,
    /// Times that the parameters changed while the stream went on.
    pub parameter_changes: u32,
    /// From keyframe to keyframe.
    pub gop_frames: Option<u64>,
    /// The same in seconds.
    pub gop_seconds: Option<f64>,
    /// Frames came that may be shown later than those that follow them.
    pub b_frames: bool,
    /// Seconds since the last keyframe.
    pub keyframe_age: Option<f64>,
    /// Packets of the source that never came.
    pub lost: u64,
}

/// Of an audio leg.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioFacts {
    /// Packets arrive.
    pub active: bool,
    /// What it carries.
    pub codec: Codec,
    /// 1 to 8, once a packet has come.
    pub channels: Option<u8>,
    /// What comes is something else, and dropped.
    pub wrong_codec: bool,
    /// Packets that did not begin where the one before ended, but for those that end a silence.
    pub timestamp_breaks: u64,
    /// Packets of the source that never came.
    pub lost: u64,
}

impl AudioFacts {
    fn new(leg: &LegState) -> Self {
        let Known { active, facts } = leg.known();
        let Facts { codec, channels, other, timestamp_breaks, .. } = facts;
        Self { active, codec, channels, wrong_codec: other.is_some(), timestamp_breaks, lost: leg.lost() }
    }
}

impl VideoFacts {
    fn new(leg: &LegState, now: Time) -> Self {
        let Known { active, facts } = leg.known();
        let (codec, found) = (facts.codec, facts.parameters);
        let rate = codec.rate();
        Self {
            active,
            codec,
            parameters: found.map(|found| found.profile.format_parameters()),
            bit_depth: found.map(|found| found.bit_depth),
            width: found.map(|found| found.width),
            height: found.map(|found| found.height),
            frames_per_second: facts.frame_ticks.map(|ticks| f64::from(rate) / ticks),
            nominal_frames_per_second: found
                .and_then(|found| found.frame_rate)
                .map(|(frames, seconds)| f64::from(frames) / f64::from(seconds)),
            reorder_frames: found.and_then(|found| found.reorder_frames),
            interlaced: found.is_some_and(|found| found.interlaced),
            parameter_changes: facts.parameter_changes,
            gop_frames: facts.gop.map(|(frames, _)| frames),
            gop_seconds: facts.gop.map(|(_, ticks)| nanos(ticks, rate) as f64 / 1e9),
            b_frames: facts.reordered,
            keyframe_age: facts.keyframe.map(|at| now.since(at).as_secs_f64()),
            lost: leg.lost(),
        }
    }
}
