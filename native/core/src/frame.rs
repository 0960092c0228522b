//! What leaves a leg: a frame, whole or not at all, shared by every viewer and never changed.

use crate::payloads::Payloads;
use crate::time::{Time, nanos, ticks};

/// The two legs of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// H264.
    Video,
    /// Opus.
    Audio,
}

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Video, Kind::Audio];

    /// RTP clock ticks per second (RFC 6184 §8.2.1, RFC 7587 §4.1).
    pub const fn rate(self) -> u32 {
        match self {
            Kind::Video => 90_000,
            Kind::Audio => 48_000,
        }
    }

    /// `video` or `audio`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Video => "video",
            Kind::Audio => "audio",
        }
    }
}

/// One H264 access unit or one Opus packet.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The leg.
    pub kind: Kind,
    /// Counts the leg's frames without gaps.
    pub number: u64,
    /// Counts the leg's packets without gaps: that of the first payload.
    pub first_packet: u64,
    /// Media time in ticks of the leg's rate; continuous over restarts of the source.
    pub timestamp: u64,
    /// Decodable without any other frame: an IDR picture with its parameter sets. Always true for audio.
    pub keyframe: bool,
    /// When its last datagram arrived.
    pub received: Time,
    /// How the leg's media time relates to time, as known by then.
    pub clock: ClockPoint,
    /// RTP payloads, each of at most `MAX_PAYLOAD` bytes, of sound `MAX_SOUND`.
    pub payloads: Payloads,
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
