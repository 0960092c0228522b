//! What is sent: the RTP packets of an H264 and an Opus stream that a server takes for real, 720p at about 2 Mbit/s unless
//! told otherwise.

use std::time::Duration;

use core_media::codec::Codec;
use core_media::codec::h264::payload::Format;
use core_media::frame::Kind;
use core_media::payloads::Payloads;
use core_media::rtp::write_header;

use crate::stamp;

/// From IDR picture to IDR picture.
const GOP_SECONDS: u64 = 2;
/// Of a picture for each of its packets, the last a little shorter; 8 of them are 2 Mbit/s at 30 pictures a second.
const PACKET_BYTES: usize = 1_060;
/// 64 kbit/s.
const AUDIO_BYTES: usize = 160;

/// Constrained Baseline, level 3.1, 1280x720.
const SPS: [u8; 25] = [
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03,
    0x03, 0xc0, 0xf1, 0x83, 0x24, 0x80,
];
const PPS: [u8; 5] = [0x68, 0xcb, 0x83, 0xcb, 0x20];
/// NAL unit header and the start of the slice header: first macroblock 0, all slices I, parameter set 0.
const IDR: [u8; 3] = [0x65, 0x88, 0x84];
/// The same for P slices.
const PREDICTED: [u8; 2] = [0x41, 0x9a];
/// CELT, 20 ms, stereo, one frame (RFC 6716 §3.1).
const OPUS: [u8; 1] = [0xfc];

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
    /// Must divide 90000.
    pub frames_per_second: u32,
    /// In how many packets each picture leaves, up to 8: more would need fuller ones.
    pub packets_per_frame: u32,
}

impl Programme {
    /// Whether it has a leg of this kind.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Video => self.video.is_some(),
            Kind::Audio => self.audio,
        }
    }

    /// Both legs, or the one there is.
    pub(crate) fn legs(&self) -> Vec<Leg> {
        self.video.map(Leg::video).into_iter().chain(self.audio.then(Leg::audio)).collect()
    }
}

/// One leg's packets, one frame after the other.
pub(crate) struct Leg {
    codec: Codec,
    /// Bytes of a picture or sound.
    size: usize,
    /// Pictures or sounds.
    per_second: u64,
    frame: u64,
    sequence: u16,
    ssrc: u32,
    media: Vec<u8>,
    packets: Vec<Vec<u8>>,
}

impl Leg {
    fn video(Video { frames_per_second, packets_per_frame }: Video) -> Self {
        let size = PACKET_BYTES * packets_per_frame as usize;
        Self::new(Codec::H264, size, u64::from(frames_per_second), 0x5000_0001)
    }

    /// Sounds of 20 ms.
    fn audio() -> Self {
        Self::new(Codec::Opus, AUDIO_BYTES, 50, 0x5000_0002)
    }

    fn new(codec: Codec, size: usize, per_second: u64, ssrc: u32) -> Self {
        Self { codec, size, per_second, frame: 0, sequence: 0, ssrc, media: Vec::new(), packets: Vec::new() }
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
        let payload_type = match kind {
            Kind::Video => 96,
            Kind::Audio => 97,
        };
        let payloads = self.payloads();
        let timestamp = (self.frame * u64::from(self.codec.rate()) / self.per_second) as u32;
        self.packets.resize_with(payloads.len(), Vec::new);
        for (index, (packet, payload)) in self.packets.iter_mut().zip(payloads.iter()).enumerate() {
            let marker = kind == Kind::Video && index + 1 == payloads.len();
            packet.clear();
            packet.extend(write_header(marker, payload_type, self.sequence, timestamp, self.ssrc));
            packet.extend(payload);
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.frame += 1;
        &self.packets
    }

    fn payloads(&mut self) -> Payloads {
        let mut payloads = Payloads::default();
        let key = self.frame.is_multiple_of(GOP_SECONDS * self.per_second);
        let start: &[u8] = match (self.kind(), key) {
            (Kind::Audio, _) => &OPUS,
            (Kind::Video, true) => &IDR,
            (Kind::Video, false) => &PREDICTED,
        };
        self.media.clear();
        self.media.extend(start);
        // Bytes that no one can take for a start code.
        self.media
            .extend((start.len()..self.size).map(|at| 0x40 | (at as u8).wrapping_mul(7) | self.frame as u8 & 0x3f));
        stamp::write(stamp::now(), &mut self.media);
        match self.kind() {
            Kind::Audio => payloads.push(&self.media),
            Kind::Video if key => payloads.push_units::<Format>([&SPS[..], &PPS, &self.media].into_iter()),
            Kind::Video => payloads.push_units::<Format>([&self.media[..]].into_iter()),
        }
        payloads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core_media::counters::LegCounters;
    use core_media::leg::Leg as Input;
    use core_media::time::Time;
    use std::net::SocketAddr;
    use std::sync::Arc;

    #[test]
    fn a_picture_has_the_packets_that_are_asked_for() {
        for count in 1..=8 {
            let mut leg = Leg::video(Video { frames_per_second: 30, packets_per_frame: count });
            leg.next();
            assert_eq!(leg.next().len(), count as usize, "behind the keyframe with its parameter sets");
        }
    }

    #[test]
    fn a_server_takes_it_for_real() {
        let mut frames = Vec::new();
        let mut input = Input::new(&Codec::H264.into(), Arc::new(LegCounters::default()));
        let mut leg = Leg::video(Video { frames_per_second: 30, packets_per_frame: 8 });
        let from = SocketAddr::from(([127, 0, 0, 1], 9));
        for number in 0..130 {
            let packets = leg.next();
            let sizes: Vec<usize> = packets.iter().map(Vec::len).collect();
            let parameters = usize::from(number % 60 == 0);
            assert_eq!(sizes.len(), 8 + parameters);
            let (last, equal) = sizes[parameters..].split_last().expect("eight");
            assert!(equal.iter().all(|size| size == &equal[0] && size > last), "the last ends a super-packet");
            for packet in packets {
                let now = Time::from_millis(number * 33);
                input.handle_rtp(packet, from, now, &mut |frame, _| frames.push(frame));
            }
        }
        assert_eq!(frames.iter().filter(|frame| frame.keyframe).count(), 3);
        assert_eq!(input.facts().parameters.map(|found| (found.width, found.height)), Some((1280, 720)));
        assert!(frames.iter().all(|frame| stamp::read(frame.payloads.iter().last().expect("one")).is_some()));
    }
}
