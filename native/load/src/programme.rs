//! What is sent: the RTP packets of a stream that a server takes for real, 720p at about 2 Mbit/s and Opus unless told
//! otherwise.

use std::time::Duration;

use core_media::codec::{Codec, Reader, VideoCodec};
use core_media::frame::Kind;
use core_media::payloads::Payloads;
use core_media::rtp::write_header;

use crate::{frames, offers, stamp};

/// From keyframe to keyframe.
const GOP_SECONDS: u64 = 2;
/// Of a picture for each of its packets, the last a little shorter; 8 of them are 2 Mbit/s at 30 pictures a second.
const PACKET_BYTES: usize = 1_060;
/// 64 kbit/s.
const AUDIO_BYTES: usize = 160;

/// The stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Programme {
    /// Pictures; absent: sound alone.
    pub video: Option<Video>,
    /// Whether there is sound.
    pub audio: bool,
}

/// Its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Video {
    /// One of video.
    pub codec: Codec,
    /// Must divide 90000.
    pub frames_per_second: u32,
    /// In how many packets each picture leaves, up to 8: more would need fuller ones.
    pub packets_per_frame: u32,
}

impl Programme {
    /// Of its legs, in the order of browsers' m-lines.
    pub(crate) fn codecs(&self) -> Vec<Codec> {
        self.audio.then_some(Codec::Opus).into_iter().chain(self.video.map(|video| video.codec)).collect()
    }

    /// Both legs, or the one there is.
    pub(crate) fn legs(&self) -> Vec<Leg> {
        self.video.map(Leg::video).into_iter().chain(self.audio.then(Leg::audio)).collect()
    }
}

/// One leg's packets, one frame after the other.
pub(crate) struct Leg {
    codec: Codec,
    /// Of video: what makes packets of a picture.
    packer: Option<Box<dyn VideoCodec>>,
    /// Bytes of a picture or sound.
    size: usize,
    /// Pictures or sounds.
    per_second: u64,
    frame: u64,
    sequence: u16,
    media: Vec<u8>,
    packets: Vec<Vec<u8>>,
}

impl Leg {
    fn video(Video { codec, frames_per_second, packets_per_frame }: Video) -> Self {
        let size = PACKET_BYTES * packets_per_frame as usize - 1 + frames::header(codec);
        Self::new(codec, size, u64::from(frames_per_second))
    }

    /// Sounds of 20 ms.
    fn audio() -> Self {
        Self::new(Codec::Opus, AUDIO_BYTES, 50)
    }

    fn new(codec: Codec, size: usize, per_second: u64) -> Self {
        let packer = match codec.reader(None) {
            Reader::Video(packer) => Some(packer),
            Reader::Audio(_) => None,
        };
        Self { codec, packer, size, per_second, frame: 0, sequence: 0, media: Vec::new(), packets: Vec::new() }
    }

    /// Which leg of its stream it is.
    pub fn kind(&self) -> Kind {
        self.codec.kind()
    }

    /// Between two frames.
    pub fn interval(&self) -> Duration {
        Duration::from_nanos(1_000_000_000 / self.per_second)
    }

    /// The packets of the next picture or sound, stamped with the time of now.
    pub fn next(&mut self) -> &[Vec<u8>] {
        let kind = self.kind();
        let (payload_type, ssrc) = (offers::payload_type(kind), offers::ssrc(kind));
        let payloads = self.payloads();
        let timestamp = (self.frame * u64::from(self.codec.rate()) / self.per_second) as u32;
        self.packets.resize_with(payloads.len(), Vec::new);
        for (index, (packet, payload)) in self.packets.iter_mut().zip(payloads.iter()).enumerate() {
            let marker = kind == Kind::Video && index + 1 == payloads.len();
            packet.clear();
            packet.extend(write_header(marker, payload_type, self.sequence, timestamp, ssrc));
            packet.extend(payload);
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.frame += 1;
        &self.packets
    }

    fn payloads(&mut self) -> Payloads {
        let key = self.frame.is_multiple_of(GOP_SECONDS * self.per_second);
        let (before, start) = frames::beginning(self.codec, key);
        self.media.clear();
        self.media.extend(before);
        self.media.extend(start);
        // Bytes that no one can take for a start code.
        self.media
            .extend((start.len()..self.size).map(|at| 0x40 | (at as u8).wrapping_mul(7) | self.frame as u8 & 0x3f));
        stamp::write(stamp::now(), &mut self.media);
        match &mut self.packer {
            Some(packer) => packed(packer.as_mut(), &self.media).expect("its own frames are whole"),
            None => {
                let mut payloads = Payloads::default();
                payloads.push(&self.media);
                payloads
            }
        }
    }
}

/// The packets of a frame, as a server would send them.
fn packed(packer: &mut dyn VideoCodec, frame: &[u8]) -> Option<Payloads> {
    packer.clear();
    packer.push_whole(frame).ok()?;
    packer.examine().ok()??;
    packer.pack().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core_media::counters::LegCounters;
    use core_media::leg::Leg as Input;
    use core_media::time::Time;
    use std::net::SocketAddr;
    use std::sync::Arc;

    /// Those of video.
    const CODECS: [Codec; 5] = [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1];

    fn leg(codec: Codec, packets_per_frame: u32) -> Leg {
        Leg::video(Video { codec, frames_per_second: 30, packets_per_frame })
    }

    fn sizes(packets: &[Vec<u8>]) -> Vec<usize> {
        packets.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_picture_has_the_packets_that_are_asked_for_and_they_are_as_large_in_every_codec() {
        for codec in CODECS {
            for count in 1..=8 {
                let mut leg = leg(codec, count);
                leg.next();
                let sizes = sizes(leg.next());
                let (last, equal) = sizes.split_last().expect("some");
                assert_eq!(sizes.len(), count as usize, "{codec:?}: behind the keyframe");
                assert!(equal.iter().all(|size| size == &equal[0] && size > last), "{codec:?}: {sizes:?}");
                assert!(sizes.iter().all(|size| (1_071..=1_075).contains(size)), "{codec:?}: {sizes:?}");
            }
        }
    }

    #[test]
    fn a_server_takes_it_for_real() {
        for codec in CODECS {
            let mut frames = Vec::new();
            let mut input = Input::new(&codec.into(), Arc::new(LegCounters::default()));
            let mut leg = leg(codec, 8);
            let from = SocketAddr::from(([127, 0, 0, 1], 9));
            for number in 0..130 {
                for packet in leg.next() {
                    let now = Time::from_millis(number * 33);
                    input.handle_rtp(packet, from, now, &mut |frame, _| frames.push(frame));
                }
            }
            let keyframes: Vec<bool> = frames.iter().map(|frame| frame.keyframe).collect();
            assert_eq!((keyframes.len(), keyframes.iter().filter(|key| **key).count()), (130, 3), "{codec:?}");
            assert_eq!(input.facts().parameters.map(|found| (found.width, found.height)), Some((1280, 720)));
            for frame in frames {
                let begins = frames::begins_keyframe(codec, frame.payloads.payload(0));
                assert_eq!(begins, frame.keyframe, "{codec:?}");
                assert!(stamp::read(frame.payloads.iter().last().expect("one")).is_some(), "{codec:?}");
            }
        }
    }
}
