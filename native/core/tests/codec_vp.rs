//! VP8 and VP9 as FFmpeg, GStreamer and browsers send them: every frame goes on, as the same bytes in packets of our own.

#[path = "support/captures.rs"]
mod captures;
mod support;

use captures::{frames, take};
use core_media::codec::parameters::{Parameters, Profile};
use core_media::codec::vp8::Vp8;
use core_media::codec::vp9::Vp9;
use core_media::codec::{Codec, VideoCodec};
use core_media::counters::DropReason;
use core_media::payloads::Payloads;
use core_media::rtp::MAX_PAYLOAD;
use support::Random;

/// What is known of a capture.
struct Capture {
    name: &'static str,
    frames: usize,
    keyframes: &'static [usize],
    profile: Profile,
    size: (u32, u32),
    bit_depth: u8,
}

impl Capture {
    const fn vp8(name: &'static str, frames: usize, keyframes: &'static [usize]) -> Self {
        Self { name, frames, keyframes, profile: Profile::Vp8, size: (320, 180), bit_depth: 8 }
    }

    const fn vp9(name: &'static str, frames: usize, keyframes: &'static [usize]) -> Self {
        Self { profile: Profile::Vp9 { profile: 0 }, ..Self::vp8(name, frames, keyframes) }
    }

    fn codec(&self) -> Box<dyn VideoCodec> {
        match self.profile.codec() {
            Codec::Vp8 => Box::new(Vp8::default()),
            _ => Box::new(Vp9::default()),
        }
    }

    /// Bytes of a payload's descriptor.
    fn descriptor(&self, payload: &[u8]) -> usize {
        match self.profile {
            Profile::Vp8 => vp8_descriptor(payload),
            _ => vp9_descriptor(payload),
        }
    }

    /// The bytes of a frame.
    fn joined(&self, payloads: &[Vec<u8>]) -> Vec<u8> {
        payloads.iter().flat_map(|payload| &payload[self.descriptor(payload)..]).copied().collect()
    }
}

const CAPTURES: [Capture; 10] = [
    Capture::vp8("vp8-ffmpeg", 30, &[0, 15]),
    Capture::vp8("vp8-gstreamer", 30, &[0, 15]),
    Capture::vp8("vp8-chromium", 32, &[0, 15, 30]),
    Capture::vp8("vp8-chromium-l1t3", 32, &[0, 15, 30]),
    Capture::vp9("vp9-ffmpeg", 30, &[0, 15]),
    Capture { profile: Profile::Vp9 { profile: 2 }, bit_depth: 10, ..Capture::vp9("vp9-ffmpeg-profile2", 15, &[0]) },
    Capture::vp9("vp9-gstreamer", 30, &[0, 15]),
    Capture::vp9("vp9-chromium", 32, &[0, 15, 30]),
    Capture::vp9("vp9-firefox", 32, &[0, 12, 22]),
    Capture { size: (640, 360), ..Capture::vp9("vp9-chromium-l2t3key", 32, &[0, 15, 31]) },
];

/// RFC 7741 §4.2.
fn vp8_descriptor(payload: &[u8]) -> usize {
    if payload[0] & 0x80 == 0 {
        return 1;
    }
    let has = |flags| usize::from(payload[1] & flags != 0);
    2 + has(0x80) * (1 + usize::from(payload[2] >> 7)) + has(0x40) + has(0x30)
}

/// RFC 9628 §4.2.
fn vp9_descriptor(payload: &[u8]) -> usize {
    let has = |flags| payload[0] & flags == flags;
    let mut at = 1;
    if has(0x80) {
        at += 1 + usize::from(payload[at] >> 7);
    }
    if has(0x20) {
        at += if has(0x10) { 1 } else { 2 };
    }
    if has(0x50) {
        at += 1 + payload[at..].iter().take_while(|distance| *distance & 1 == 1).count();
    }
    if has(0x02) {
        let structure = payload[at];
        at += 1;
        if structure & 0x10 != 0 {
            at += 4 * usize::from((structure >> 5) + 1);
        }
        if structure & 0x08 != 0 {
            let pictures = payload[at];
            at += 1;
            (0..pictures).for_each(|_| at += 1 + usize::from(payload[at] >> 2 & 3));
        }
    }
    at
}

/// What a capture's codec makes of one frame's payloads.
fn whole(codec: &mut dyn VideoCodec, payloads: &[Vec<u8>]) -> (bool, Payloads) {
    let taken = take(codec, payloads.iter().map(|payload| Some(payload.as_slice())));
    let (examined, sent) = taken.expect("whole").expect("a frame");
    assert!(examined.begins && !examined.leading && !examined.reordered);
    (examined.keyframe, sent)
}

#[test]
fn frames_keyframes_and_parameters_are_the_senders() {
    for capture in &CAPTURES {
        let mut codec = capture.codec();
        assert_eq!(codec.parameters(), None, "nothing has come yet");
        let (width, height) = capture.size;
        let expected = Parameters {
            profile: capture.profile,
            width,
            height,
            bit_depth: capture.bit_depth,
            other_chroma: false,
            interlaced: false,
            reorder_frames: Some(0),
            frame_rate: None,
        };
        let mut keyframes = Vec::new();
        let frames = frames(capture.name);
        for (index, payloads) in frames.iter().enumerate() {
            if whole(&mut *codec, payloads).0 {
                keyframes.push(index);
            }
            assert_eq!(codec.parameters(), Some(expected), "{}", capture.name);
        }
        assert_eq!((frames.len(), &keyframes[..]), (capture.frames, capture.keyframes), "{}", capture.name);
    }
}

#[test]
fn the_same_bytes_leave_in_packets_of_one_size_under_a_descriptor_of_one_byte() {
    for capture in &CAPTURES {
        let mut codec = capture.codec();
        for (index, payloads) in frames(capture.name).iter().enumerate() {
            let (keyframe, sent) = whole(&mut *codec, payloads);
            let last = sent.len() - 1;
            for (at, payload) in sent.iter().enumerate() {
                let descriptor = match capture.profile {
                    Profile::Vp8 => (payloads[0][0] & 0x20) | if at == 0 { 0x10 } else { 0 },
                    _ => u8::from(at == 0) << 3 | u8::from(at == last) << 2 | if keyframe { 0 } else { 0x40 },
                };
                assert_eq!(payload[0], descriptor, "{} frame {index} packet {at}", capture.name);
                assert!((2..=MAX_PAYLOAD).contains(&payload.len()), "{}: {}", capture.name, payload.len());
                assert!(at == last || payload.len() == sent.payload(0).len(), "{} frame {index}", capture.name);
            }
            let bytes: Vec<u8> = sent.iter().flat_map(|payload| &payload[1..]).copied().collect();
            assert!(bytes == capture.joined(payloads), "{} frame {index}", capture.name);
            assert_eq!(sent.len(), bytes.len().div_ceil(MAX_PAYLOAD - 1), "as few packets as can be");
        }
    }
}

#[test]
fn frames_that_others_need_are_told_from_those_that_none_does() {
    let mut codec = Vp8::default();
    let sent = frames("vp8-chromium-l1t3").iter().map(|payloads| whole(&mut codec, payloads).1).collect::<Vec<_>>();
    let spare = sent.iter().filter(|payloads| payloads.iter().all(|payload| payload[0] & 0x20 != 0)).count();
    assert_eq!(spare, 15, "those of the highest temporal layer");
}

#[test]
fn what_was_sent_comes_in_again_as_it_was() {
    for capture in &CAPTURES {
        let (mut first, mut second) = (capture.codec(), capture.codec());
        for payloads in frames(capture.name) {
            let sent = whole(&mut *first, &payloads);
            let received: Vec<Vec<u8>> = sent.1.iter().map(<[u8]>::to_vec).collect();
            assert!(whole(&mut *second, &received) == sent, "{}", capture.name);
        }
    }
}

#[test]
fn whole_frames_leave_like_those_from_packets() {
    for capture in &CAPTURES {
        let (mut packets, mut program) = (capture.codec(), capture.codec());
        for payloads in frames(capture.name) {
            let (keyframe, expected) = whole(&mut *packets, &payloads);
            program.clear();
            program.push_whole(&capture.joined(&payloads)).expect("a frame");
            let examined = program.examine().expect("whole").expect("a frame");
            assert!(examined.begins && examined.keyframe == keyframe, "{}", capture.name);
            let sent = program.pack().expect("whole");
            // Only packets tell that a frame is needed by no other.
            let known = |payloads: &Payloads| -> Vec<Vec<u8>> {
                payloads.iter().map(|payload| [&[payload[0] & !0x20], &payload[1..]].concat()).collect()
            };
            assert!(known(&sent) == known(&expected), "{}", capture.name);
        }
    }
}

#[test]
fn a_frame_without_one_of_its_packets_is_damaged_and_the_next_is_not() {
    for capture in &CAPTURES {
        let mut codec = capture.codec();
        for (index, payloads) in frames(capture.name).iter().enumerate() {
            for missing in 0..payloads.len() {
                let rest = payloads.iter().enumerate().map(|(at, payload)| (at != missing).then_some(&payload[..]));
                let taken = take(&mut *codec, rest);
                assert_eq!(taken, Err(DropReason::Damaged), "{} frame {index} packet {missing}", capture.name);
            }
            whole(&mut *codec, payloads);
        }
    }
}

/// The first packet, and VP9's last, are missed without anybody's word.
#[test]
fn descriptors_alone_show_what_is_missing_at_the_ends() {
    for capture in &CAPTURES {
        let mut codec = capture.codec();
        for payloads in frames(capture.name).iter().filter(|payloads| payloads.len() > 1) {
            let slices = || payloads.iter().map(|payload| Some(payload.as_slice()));
            // Without the whole of its lower layer it is a picture that may lack something.
            let taken = take(&mut *codec, slices().skip(1));
            assert!(!taken.is_ok_and(|taken| taken.expect("a frame").0.begins), "{}", capture.name);
            let layers = payloads.iter().filter(|payload| payload[0] & 0x04 != 0).count();
            if capture.profile != Profile::Vp8 && layers == 1 {
                let beginning = slices().take(payloads.len() - 1);
                assert_eq!(take(&mut *codec, beginning), Err(DropReason::Damaged), "{}", capture.name);
            }
        }
    }
}

#[test]
fn garbage_does_no_harm() {
    for codec in [Codec::Vp8, Codec::Vp9] {
        let captures: Vec<&Capture> = CAPTURES.iter().filter(|capture| capture.profile.codec() == codec).collect();
        let frames: Vec<_> = captures.iter().flat_map(|capture| frames(capture.name)).collect();
        let (mut codec, mut random) = (captures[0].codec(), Random::new(14));
        let (mut passed, mut refused) = (0, 0);
        for _ in 0..4_000 {
            let mut payloads = frames[random.below(frames.len() as u64) as usize].clone();
            let at = random.below(payloads.len() as u64) as usize;
            spoil(&mut payloads, at, &mut random);
            let mut fits = |sent: &Payloads| {
                assert!(sent.iter().all(|payload| (2..=MAX_PAYLOAD).contains(&payload.len())), "packets fit");
                passed += 1;
            };
            match take(&mut *codec, payloads.iter().map(|payload| Some(payload.as_slice()))) {
                Ok(taken) => fits(&taken.expect("a frame").1),
                Err(_) => refused += 1,
            }
            if codec.push_whole(&payloads[at]).is_ok() {
                codec.examine().expect("whole");
                fits(&codec.pack().expect("whole"));
            }
        }
        assert!(passed > 100 && refused > 100, "{passed} frames passed, {refused} were refused");
    }
}

/// Makes garbage of a payload; it is not empty.
fn spoil(payloads: &mut Vec<Vec<u8>>, at: usize, random: &mut Random) {
    let payload = &mut payloads[at];
    match random.below(5) {
        0 => *payload = random.bytes(1 + payload.len()),
        // Headers rather than what is behind them.
        1 => {
            let end = payload.len().min(24) as u64;
            (0..1 + random.below(4)).for_each(|_| payload[random.below(end) as usize] ^= 1 << random.below(8));
        }
        2 => payload.truncate(1 + random.below(payload.len() as u64) as usize),
        3 => payload.truncate(1 + random.below(12) as usize),
        _ => {
            let twice = payload.clone();
            payloads.insert(at, twice);
        }
    }
}
