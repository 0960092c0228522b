//! A short clip, played round and round: Annex B video with access unit delimiters, Ogg Opus audio.

use std::ops::Range;
use std::time::Duration;

use crate::codec::Codec;
use crate::codec::opus::Toc;
use crate::frame::Kind;
use crate::time::Time;

/// Why a clip cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipError {
    /// No access unit delimiter, or no picture.
    Video,
    /// No Ogg pages of Opus packets (RFC 3533, RFC 7845).
    Audio,
    /// A frame rate of zero, or not a number.
    FrameRate,
}

/// Frames with the moment within the clip at which each is due.
#[derive(Debug)]
pub struct Clip {
    video: Vec<u8>,
    audio: Vec<u8>,
    schedule: Vec<Cue>,
    length: Duration,
}

#[derive(Debug)]
struct Cue {
    due: Duration,
    kind: Kind,
    range: Range<usize>,
}

impl Clip {
    /// Takes the files' bytes. The video's length is the clip's; audio is cut or falls silent at its end.
    pub fn parse(video: Vec<u8>, audio: &[u8], frames_per_second: f64) -> Result<Self, ClipError> {
        if !frames_per_second.is_finite() || frames_per_second <= 0.0 {
            return Err(ClipError::FrameRate);
        }
        let units = access_units(&video);
        if units.is_empty() {
            return Err(ClipError::Video);
        }
        let length = Duration::from_secs_f64(units.len() as f64 / frames_per_second);
        let mut schedule: Vec<Cue> = (0u32..)
            .zip(units)
            .map(|(index, range)| Cue {
                due: Duration::from_secs_f64(f64::from(index) / frames_per_second),
                kind: Kind::Video,
                range,
            })
            .collect();
        let mut due = Duration::ZERO;
        let mut packets = Vec::new();
        for range in opus_packets(audio, &mut packets).ok_or(ClipError::Audio)? {
            let toc = Toc::parse(&packets[range.clone()]).ok_or(ClipError::Audio)?;
            let duration = Duration::from_nanos(crate::time::nanos(u64::from(toc.duration), Codec::Opus.rate()));
            if due + duration > length {
                break;
            }
            schedule.push(Cue { due, kind: Kind::Audio, range });
            due += duration;
        }
        schedule.sort_by_key(|cue| cue.due);
        Ok(Self { video, audio: packets, schedule, length })
    }

    fn data(&self, cue: &Cue) -> &[u8] {
        match cue.kind {
            Kind::Video => &self.video[cue.range.clone()],
            Kind::Audio => &self.audio[cue.range.clone()],
        }
    }
}

/// Plays a clip from a moment on, forever.
#[derive(Debug)]
pub struct Player {
    clip: Clip,
    start: Time,
    rounds: u32,
    next: usize,
}

impl Player {
    /// The first frame is due at `start`.
    pub fn new(clip: Clip, start: Time) -> Self {
        Self { clip, start, rounds: 0, next: 0 }
    }

    /// When the next frame is due.
    pub fn deadline(&self) -> Time {
        self.start + self.position()
    }

    /// Calls `each` with what is due: leg, data, and time since the start.
    pub fn poll(&mut self, now: Time, mut each: impl FnMut(Kind, &[u8], Duration)) {
        while self.deadline() <= now {
            let position = self.position();
            let cue = &self.clip.schedule[self.next];
            each(cue.kind, self.clip.data(cue), position);
            self.next += 1;
            if self.next == self.clip.schedule.len() {
                self.next = 0;
                self.rounds += 1;
            }
        }
    }

    fn position(&self) -> Duration {
        self.clip.length * self.rounds + self.clip.schedule[self.next].due
    }
}

/// The ranges between access unit delimiters (ITU-T H.264 §7.3.2.4).
fn access_units(stream: &[u8]) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = Vec::new();
    for at in 0..stream.len().saturating_sub(3) {
        if stream[at..at + 3] == [0, 0, 1] && stream[at + 3] & 0x1f == 9 {
            starts.push(at);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Collects the Opus packets of an Ogg file into `packets`; gives their ranges. The two header packets are left out.
fn opus_packets(mut ogg: &[u8], packets: &mut Vec<u8>) -> Option<Vec<Range<usize>>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    while !ogg.is_empty() {
        // Page header: "OggS", version, flags, granule position, serial, sequence, checksum, segment count (RFC 3533 §6).
        let count = usize::from(*ogg.get(26).filter(|_| ogg.starts_with(b"OggS"))?);
        let lengths = ogg.get(27..27 + count)?;
        let mut rest = &ogg[27 + count..];
        for &length in lengths {
            let (segment, after) = rest.split_at_checked(usize::from(length))?;
            packets.extend_from_slice(segment);
            rest = after;
            // A segment shorter than 255 bytes ends its packet (§5).
            if length < 255 {
                ranges.push(start..packets.len());
                start = packets.len();
            }
        }
        ogg = rest;
    }
    let head = ranges.first()?.clone();
    packets[head].starts_with(b"OpusHead").then(|| ranges.split_off(2.min(ranges.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(packets: &[&[u8]]) -> Vec<u8> {
        let mut page = b"OggS".to_vec();
        page.resize(26, 0);
        page.push(packets.len() as u8);
        page.extend(packets.iter().map(|packet| packet.len() as u8));
        packets.iter().for_each(|packet| page.extend_from_slice(packet));
        page
    }

    fn clip() -> Clip {
        let picture: &[u8] = &[0, 0, 0, 1, 9, 0x10, 0, 0, 1, 0x65, 0x88];
        let ogg = [page(&[b"OpusHead"]), page(&[b"OpusTags"]), page(&[&[0xfc, 1], &[0xfc, 2], &[0xfc, 3]])].concat();
        Clip::parse(picture.repeat(2), &ogg, 50.0).expect("a valid clip")
    }

    #[test]
    fn loops_without_a_seam() {
        let mut player = Player::new(clip(), Time::from_millis(1_000));
        let mut seen = Vec::new();
        for millis in 1_000..=1_080 {
            player.poll(Time::from_millis(millis), |kind, data, position| {
                seen.push((kind, data[data.len() - 1], position.as_millis(), millis - 1_000));
            });
        }
        let video: Vec<_> = seen.iter().filter(|cue| cue.0 == Kind::Video).map(|cue| (cue.2, cue.3)).collect();
        assert_eq!(video, [(0, 0), (20, 20), (40, 40), (60, 60), (80, 80)]);
        let audio: Vec<_> = seen.iter().filter(|cue| cue.0 == Kind::Audio).map(|cue| (cue.1, cue.2)).collect();
        assert_eq!(audio, [(1, 0), (2, 20), (1, 40), (2, 60), (1, 80)], "the third packet lies past the video's end");
    }

    #[test]
    fn a_late_poll_catches_up() {
        let mut player = Player::new(clip(), Time::default());
        let mut count = 0;
        player.poll(Time::from_millis(399), |_, _, _| count += 1);
        assert_eq!(count, 40);
        assert_eq!(player.deadline(), Time::from_millis(400));
    }

    #[test]
    fn broken_files_are_named() {
        assert_eq!(Clip::parse(vec![1, 2, 3], &[], 30.0).err(), Some(ClipError::Video));
        let video = vec![0, 0, 1, 9, 0x10];
        assert_eq!(Clip::parse(video.clone(), b"OggS", 30.0).err(), Some(ClipError::Audio));
        assert_eq!(Clip::parse(video.clone(), &page(&[b"mp3"]), 30.0).err(), Some(ClipError::Audio));
        assert_eq!(Clip::parse(video, &[], 0.0).err(), Some(ClipError::FrameRate));
    }
}
