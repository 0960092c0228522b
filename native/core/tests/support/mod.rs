//! Two ends and a seeded network, in virtual time.

#![allow(dead_code, reason = "each test file uses its part")]

use core_media::codec::Codec;
use core_media::codec::h264::payload::Format as H264;
use core_media::codec::nal::{Unit, units};
use core_media::counters::LegCounters;
use core_media::frame::{Frame, Kind};
use core_media::media::Format;
use core_media::rtp::{MAX_PAYLOAD, write_header};
use core_media::source::{Input, Notice, Output, Source};
use core_media::time::Time;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// 640x360 constrained baseline, as x264 writes it.
pub const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03,
    0x00, 0x3c, 0x0f, 0x16, 0x2e, 0x48,
];
pub const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

/// xorshift64*: small, seeded, good enough to shake packets.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Makes access units and sends them as FFmpeg does: datagrams of up to 1472 bytes, parameter sets in a STAP-A.
pub struct Encoder {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    /// From one time stamp to the next.
    pub step: u32,
    pub gop: u64,
    pub size: usize,
    /// Parameter sets before each IDR picture, or before the first one only.
    pub repeat_sets: bool,
    pub payload: usize,
    frame: u64,
    /// The number of its first frame.
    first: u64,
    random: Random,
}

impl Encoder {
    pub fn new(seed: u64) -> Self {
        Self {
            ssrc: 0x1000 + seed as u32,
            sequence: 65_500,
            timestamp: u32::MAX - 10_000,
            step: 3_000,
            gop: 30,
            size: 4_000,
            repeat_sets: true,
            payload: 1_460,
            frame: 0,
            first: 0,
            random: Random::new(seed),
        }
    }

    pub fn frame_number(&self) -> u64 {
        self.frame
    }

    /// One that takes over from another: its first frame, an IDR picture, has this number.
    pub fn continue_from(&mut self, number: u64) {
        (self.first, self.frame) = (number, number);
    }

    /// The next access unit as NAL units: slices whose bytes tell the frame.
    pub fn next_unit(&mut self) -> Vec<Vec<u8>> {
        let number = self.frame;
        self.frame += 1;
        let idr = (number - self.first).is_multiple_of(self.gop);
        let mut slice = vec![if idr { 0x65 } else { 0x41 }, if idr { 0x88 } else { 0x9a }];
        slice.extend_from_slice(&number.to_be_bytes());
        let size = self.size / 2 + self.random.below(self.size as u64) as usize * if idr { 4 } else { 1 };
        slice.extend(self.random.bytes(size));
        let mut unit = Vec::new();
        if idr && (self.repeat_sets || number == self.first) {
            unit.extend([SPS.to_vec(), PPS.to_vec()]);
        }
        unit.push(slice);
        unit
    }

    /// The datagrams of an access unit.
    pub fn packetize(&mut self, unit: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut payloads: Vec<Vec<u8>> = Vec::new();
        if unit.len() > 1 {
            let mut aggregate = vec![0x78];
            for set in &unit[..unit.len() - 1] {
                aggregate.extend_from_slice(&(set.len() as u16).to_be_bytes());
                aggregate.extend_from_slice(set);
            }
            payloads.push(aggregate);
        }
        let slice = &unit[unit.len() - 1];
        if slice.len() <= self.payload {
            payloads.push(slice.clone());
        } else {
            let pieces: Vec<&[u8]> = slice[1..].chunks(self.payload - 2).collect();
            for (index, piece) in pieces.iter().enumerate() {
                let start = u8::from(index == 0) << 7;
                let end = u8::from(index + 1 == pieces.len()) << 6;
                let mut payload = vec![slice[0] & 0xe0 | 28, start | end | slice[0] & 0x1f];
                payload.extend_from_slice(piece);
                payloads.push(payload);
            }
        }
        let last = payloads.len() - 1;
        let datagrams = payloads.iter().enumerate().map(|(index, payload)| {
            let sequence = self.sequence.wrapping_add(index as u16);
            let mut datagram = write_header(index == last, 96, sequence, self.timestamp, self.ssrc).to_vec();
            datagram.extend_from_slice(payload);
            datagram
        });
        let datagrams = datagrams.collect();
        self.sequence = self.sequence.wrapping_add(payloads.len() as u16);
        self.timestamp = self.timestamp.wrapping_add(self.step);
        datagrams
    }
}

/// A source under test with everything that came out of it.
pub struct Bench {
    pub source: Source,
    pub video: Arc<LegCounters>,
    pub audio: Arc<LegCounters>,
    pub now: Time,
    pub output: Output,
}

pub const FFMPEG: &str = "127.0.0.1:40000";

pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Source::new, Codec::H264, Codec::Opus)
    }

    /// A stream of other codecs.
    pub fn of(video: impl Into<Format>, audio: impl Into<Format>) -> Self {
        Self::with(Source::new, video, audio)
    }

    /// A publisher's stream.
    pub fn published() -> Self {
        Self::with(Source::published, Codec::H264, Codec::Opus)
    }

    fn with(
        make: impl Fn(Option<Input>, Option<Input>, Duration) -> Source,
        video_format: impl Into<Format>,
        audio_format: impl Into<Format>,
    ) -> Self {
        let (video, audio) = (Arc::new(LegCounters::default()), Arc::new(LegCounters::default()));
        let input = |format, counters: &Arc<LegCounters>| Some(Input { format, counters: counters.clone() });
        let (video_input, audio_input) = (input(video_format.into(), &video), input(audio_format.into(), &audio));
        let source = make(video_input, audio_input, Duration::from_secs(2));
        Self { source, video, audio, now: Time::from_millis(1_000), output: Output::default() }
    }

    pub fn video(&mut self, datagram: &[u8]) {
        self.from(FFMPEG, datagram);
    }

    pub fn from(&mut self, sender: &str, datagram: &[u8]) {
        self.source.handle_datagram(Kind::Video, datagram, address(sender), self.now, &mut self.output);
    }

    pub fn audio(&mut self, datagram: &[u8]) {
        self.source.handle_datagram(Kind::Audio, datagram, address(FFMPEG), self.now, &mut self.output);
    }

    /// Lets time pass; deadlines on the way are kept.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.source.deadline(self.now).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.source.poll(self.now, &mut self.output);
        }
        self.now = end;
    }

    pub fn frames(&mut self) -> Vec<Arc<Frame>> {
        std::mem::take(&mut self.output.frames)
    }

    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.output.notices)
    }
}

/// The NAL units of a frame, put together again.
pub fn nal_units(frame: &Frame) -> Vec<Vec<u8>> {
    let mut nals: Vec<Vec<u8>> = Vec::new();
    for payload in frame.payloads.iter() {
        assert!(payload.len() <= MAX_PAYLOAD, "a payload of {} bytes", payload.len());
        units::<H264>(payload, |unit| match unit {
            Unit::Whole(unit) => nals.push(unit.to_vec()),
            Unit::Fragment { header, start, data, .. } => {
                if start {
                    nals.push(vec![header as u8]);
                }
                nals.last_mut().expect("a fragment begins with its start").extend_from_slice(data);
            }
        })
        .expect("outgoing payloads are valid");
    }
    nals
}

/// Takes frames as a decoder would: from an IDR picture with its parameter sets, in order, each once and whole.
#[derive(Default)]
pub struct Decoder {
    last: Option<u64>,
    pub decoded: Vec<u64>,
}

impl Decoder {
    pub fn take(&mut self, frame: &Frame, sent: &[Vec<Vec<u8>>]) {
        let nals = nal_units(frame);
        let slice = nals.last().expect("a frame holds a slice");
        let number = u64::from_be_bytes(slice[2..10].try_into().expect("a slice tells its frame"));
        assert_eq!(sent[number as usize].last(), Some(slice), "frame {number} is whole");
        if slice[0] & 0x1f == 5 {
            assert!(frame.keyframe);
            assert_eq!(nals[..2], [SPS.to_vec(), PPS.to_vec()], "parameter sets come before IDR picture {number}");
            assert!(self.last.is_none_or(|last| last < number), "frame {number} comes once");
        } else {
            assert_eq!(self.last.map(|last| last + 1), Some(number), "nothing is missing before frame {number}");
        }
        self.last = Some(number);
        self.decoded.push(number);
    }
}

pub const FRAME: Duration = Duration::from_micros(33_333);

/// Sends `count` frames over a network that does as `shake` says; gives the decoder and what was sent.
pub fn run(
    encoder: &mut Encoder,
    bench: &mut Bench,
    count: usize,
    mut shake: impl FnMut(Vec<Vec<u8>>) -> Vec<Vec<u8>>,
) -> Decoder {
    let mut decoder = Decoder::default();
    let mut sent = Vec::new();
    for _ in 0..count {
        let unit = encoder.next_unit();
        let datagrams = encoder.packetize(&unit);
        sent.push(unit);
        shake(datagrams).iter().for_each(|datagram| bench.video(datagram));
        bench.pass(FRAME);
        bench.frames().iter().for_each(|frame| decoder.take(frame, &sent));
    }
    decoder
}
