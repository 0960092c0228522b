//! What leaves a leg: a frame, whole or not at all, shared by every viewer and never changed.

use crate::codec::Codec;
use crate::payloads::Payloads;
use crate::time::{Time, nanos, ticks};

/// The two legs of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Frames that refer to each other.
    Video,
    /// Packets that stand alone.
    Audio,
}

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Video, Kind::Audio];

    /// `video` or `audio`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Video => "video",
            Kind::Audio => "audio",
        }
    }
}

/// One frame of video or one packet of audio.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What the leg carries.
    pub codec: Codec,
    /// Counts the leg's frames without gaps.
    pub number: u64,
    /// Counts the leg's packets without gaps: that of the first payload.
    pub first_packet: u64,
    /// Media time in ticks of the leg's rate; continuous over restarts of the source.
    pub timestamp: u64,
    /// Decodable without any other frame. Always true for audio.
    pub keyframe: bool,
    /// Refers to frames before the newest keyframe: of no use to who begins there.
    pub leading: bool,
    /// When its last datagram arrived.
    pub received: Time,
    /// How the leg's media time relates to time, as known by then.
    pub clock: ClockPoint,
    /// RTP payloads, each of at most `MAX_PAYLOAD` bytes, of sound `MAX_SOUND`.
    pub payloads: Payloads,
}

impl Frame {
    /// The leg.
    pub fn kind(&self) -> Kind {
        self.codec.kind()
    }
}

/// A moment and the media time that was captured then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClockPoint {
    /// The moment.
    pub time: Time,
    /// In ticks of the leg's rate.
    pub timestamp: u64,
}

impl ClockPoint {
    /// The media time of another moment.
    pub fn at(&self, time: Time, rate: u32) -> u64 {
        if time >= self.time {
            self.timestamp + ticks(time.since(self.time), rate)
        } else {
            self.timestamp.saturating_sub(ticks(self.time.since(time), rate))
        }
    }

    /// When a media time was captured.
    pub fn moment(&self, timestamp: u64, rate: u32) -> Time {
        let span = nanos(timestamp.abs_diff(self.timestamp), rate);
        let base = self.time.nanos();
        Time::from_nanos(if timestamp >= self.timestamp { base + span } else { base.saturating_sub(span) })
    }
}
