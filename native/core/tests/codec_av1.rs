//! AV1 as senders have it leaves in the one form that receivers without Dependency Descriptor take.

#[path = "support/captures.rs"]
mod captures;
#[path = "support/obus.rs"]
mod obus;
mod support;

use captures::{frames, take};
use core_media::codec::av1::Av1;
use core_media::codec::parameters::Profile;
use core_media::codec::{Examined, VideoCodec};
use core_media::counters::DropReason;
use core_media::payloads::Payloads;
use core_media::rtp::MAX_PAYLOAD;
use obus::{is_even, joined, low_overhead, received};
use support::Random;

/// Name, frames, keyframes, size, level index, bit depth.
type Capture = (&'static str, usize, &'static [usize], (u32, u32), u8, u8);

const CAPTURES: [Capture; 8] = [
    ("av1-ffmpeg", 30, &[0, 15], (320, 180), 0, 8),
    ("av1-ffmpeg-hidden", 30, &[0, 15], (320, 180), 0, 8),
    ("av1-ffmpeg-1472", 30, &[0, 15], (320, 180), 0, 8),
    ("av1-ffmpeg-10bit", 15, &[0], (320, 180), 0, 10),
    ("av1-chromium", 32, &[0, 15, 30], (320, 180), 0, 8),
    ("av1-chromium-l1t3", 32, &[0, 15, 30], (320, 180), 0, 8),
    ("av1-chromium-l2t2", 32, &[0, 16, 31], (640, 360), 1, 8),
    ("av1-chromium-descriptor", 32, &[0, 15, 30], (320, 180), 0, 8),
];

fn slices(frame: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    frame.iter().map(Vec::as_slice)
}

fn packed_whole(av1: &mut Av1, data: &[u8]) -> (Examined, Payloads) {
    av1.clear();
    av1.push_whole(data).expect("a temporal unit");
    let examined = av1.examine().expect("whole").expect("a frame");
    (examined, av1.pack().expect("can be packed"))
}

#[test]
fn captures_leave_as_chains_of_the_same_obus() {
    for (name, count, keyframes, ..) in CAPTURES {
        let (mut av1, mut found) = (Av1::default(), Vec::new());
        let frames = frames(name);
        for (index, frame) in frames.iter().enumerate() {
            let taken = take(&mut av1, slices(frame).map(Some)).expect("whole");
            let (examined, payloads) = taken.unwrap_or_else(|| panic!("{name}: {index} is a frame"));
            assert_eq!(received(&payloads, examined.keyframe), joined(slices(frame)), "{name}: {index}");
            assert!(is_even(&payloads), "{name}: {index}");
            assert!(!examined.keyframe || examined.begins, "{name}: {index}");
            assert!(!examined.leading && !examined.reordered, "{name}: {index}");
            found.extend(examined.keyframe.then_some(index));
        }
        assert_eq!((frames.len(), found.as_slice()), (count, keyframes), "{name}");
    }
}

#[test]
fn captures_tell_their_parameters() {
    for (name, _, _, size, level, bit_depth) in CAPTURES {
        let mut av1 = Av1::default();
        assert_eq!(av1.parameters(), None);
        take(&mut av1, slices(&frames(name)[0]).map(Some)).expect("whole");
        let told = av1.parameters().expect("known");
        assert_eq!(told.profile, Profile::Av1 { profile: 0, level, high_tier: false }, "{name}");
        assert_eq!(((told.width, told.height), told.bit_depth), (size, bit_depth), "{name}");
        assert!(!told.other_chroma && !told.interlaced, "{name}");
    }
}

#[test]
fn a_frame_that_misses_a_packet_is_damaged() {
    for (name, ..) in CAPTURES {
        let mut av1 = Av1::default();
        for frame in frames(name) {
            for missing in 0..frame.len() {
                let present = slices(&frame).enumerate().map(|(index, payload)| (index != missing).then_some(payload));
                assert_eq!(take(&mut av1, present), Err(DropReason::Damaged), "{name}: {missing}");
            }
            let (_, payloads) = take(&mut av1, slices(&frame).map(Some)).expect("whole").expect("a frame");
            let (first, last) = (payloads.payload(0), payloads.payload(payloads.len() - 1));
            if payloads.len() > 1 {
                assert_eq!(take(&mut av1, [Some(first)]), Err(DropReason::Damaged), "{name}: no end");
                assert_eq!(take(&mut av1, [Some(last)]), Err(DropReason::Damaged), "{name}: no beginning");
            }
        }
    }
}

#[test]
fn whole_frames_leave_as_those_from_packets_do() {
    for (name, ..) in CAPTURES {
        let (mut from_packets, mut from_program) = (Av1::default(), Av1::default());
        for frame in frames(name) {
            let (examined, payloads) =
                take(&mut from_packets, slices(&frame).map(Some)).expect("whole").expect("a frame");
            let obus = joined(slices(&frame));
            for (delimiter, last_sized) in [(true, true), (false, true), (true, false)] {
                let data = low_overhead(&obus, delimiter, last_sized);
                let (told, packed) = packed_whole(&mut from_program, &data);
                assert_eq!((told.keyframe, told.begins), (examined.keyframe, true), "{name}");
                assert!(packed == payloads, "{name}");
            }
        }
    }
}

#[test]
fn a_keyframe_gets_the_newest_sequence_header_where_it_has_none() {
    let frames = frames("av1-chromium-l1t3");
    let obus = joined(slices(&frames[0]));
    let mut av1 = Av1::default();
    av1.push_whole(&low_overhead(&obus[1..], true, true)).expect("a temporal unit");
    assert!(av1.examine().expect("whole").expect("a frame").keyframe);
    assert_eq!(av1.pack(), Err(DropReason::NoParameterSets));
    packed_whole(&mut av1, &low_overhead(&obus, true, true));
    let (examined, payloads) = packed_whole(&mut av1, &low_overhead(&obus[1..], true, true));
    assert!(examined.keyframe && received(&payloads, true) == obus);
}

/// The OBUs of a temporal unit that nobody would encode.
fn random_unit(random: &mut Random, sequence: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let keyframe = random.chance(30);
    let mut obus = if keyframe { vec![sequence.to_vec()] } else { Vec::new() };
    obus.push(vec![0x30, if keyframe { 0x10 } else { 0x30 }]);
    let largest = [3, 300, 3_000, 20_000][random.below(4) as usize];
    for _ in 0..random.below(40) {
        let size = 1 + random.below(largest) as usize;
        let mut obu = random.bytes(size);
        // Metadata, frames, tiles and what is reserved; an extension, where there is a byte for it.
        let kind = [3, 4, 5, 6, 7, 9, 14][random.below(7) as usize];
        obu[0] = kind << 3 | if size > 1 && random.chance(50) { 4 } else { 0 };
        obus.push(obu);
    }
    (obus, keyframe)
}

/// Payloads that hold one piece each.
fn in_pieces(obus: &[Vec<u8>], random: &mut Random) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for obu in obus {
        let pieces: Vec<&[u8]> = obu.chunks(1 + random.below(1_400) as usize).collect();
        for (index, piece) in pieces.iter().enumerate() {
            let flags = u8::from(index > 0) << 7 | u8::from(index + 1 < pieces.len()) << 6;
            payloads.push([&[flags | 0x10], *piece].concat());
        }
    }
    payloads
}

#[test]
fn obus_of_every_number_and_size_survive() {
    let sequence = joined(slices(&frames("av1-ffmpeg")[0])).remove(0);
    let (mut random, mut av1, mut again) = (Random::new(14), Av1::default(), Av1::default());
    let (mut uneven, mut several) = (0, 0);
    for round in 0..3_000 {
        let (obus, keyframe) = random_unit(&mut random, &sequence);
        let sent = in_pieces(&obus, &mut random);
        let (examined, payloads) = take(&mut av1, slices(&sent).map(Some)).expect("whole").expect("a frame");
        assert_eq!(examined.keyframe, keyframe, "{round}");
        assert!(received(&payloads, keyframe) == obus, "{round}: nothing is lost");
        let (_, packed) = packed_whole(&mut av1, &low_overhead(&obus, random.chance(50), random.chance(50)));
        assert!(packed == payloads, "{round}: whole");
        let (_, packed) = take(&mut again, payloads.iter().map(Some)).expect("whole").expect("a frame");
        assert!(packed == payloads, "{round}: what has left comes in");
        several += usize::from(payloads.len() > 1);
        uneven += usize::from(!is_even(&payloads));
    }
    assert!(several > 1_000 && uneven * 50 < several, "{uneven} of {several}");
}

/// Payloads of a captured frame, changed as networks and enemies do.
fn mutated(frame: &[Vec<u8>], random: &mut Random) -> Vec<Vec<u8>> {
    let mut frame = frame.to_vec();
    for _ in 0..1 + random.below(3) {
        let (at, other) = (random.below(frame.len() as u64) as usize, random.below(frame.len() as u64) as usize);
        let payload = &mut frame[at];
        let byte = random.below(payload.len() as u64) as usize;
        match random.below(6) {
            0 => payload[byte.min(3)] ^= 1 << random.below(8),
            1 => payload[byte] ^= 1 << random.below(8),
            2 => payload.truncate(byte.max(1)),
            3 => frame.insert(at, frame[other].clone()),
            4 => frame.swap(at, other),
            _ => {
                let size = 1 + random.below(60) as usize;
                frame[at] = random.bytes(size);
            }
        }
    }
    frame
}

#[test]
fn garbage_is_harmless() {
    let frames: Vec<Vec<Vec<u8>>> = CAPTURES.iter().flat_map(|(name, ..)| frames(name)).collect();
    let (mut random, mut av1) = (Random::new(41), Av1::default());
    let (mut packed, mut refused) = (0, 0);
    for _ in 0..4_000 {
        let frame = mutated(&frames[random.below(frames.len() as u64) as usize], &mut random);
        match take(&mut av1, slices(&frame).map(Some)) {
            Ok(Some((examined, payloads))) => {
                received(&payloads, examined.keyframe);
                packed += 1;
            }
            Ok(None) | Err(_) => refused += 1,
        }
        av1.clear();
        if av1.push_whole(&frame.concat()).is_ok() && av1.examine().is_ok_and(|examined| examined.is_some()) {
            av1.pack().into_iter().for_each(|payloads| assert!(payloads.iter().all(|each| each.len() <= MAX_PAYLOAD)));
        }
    }
    assert!(packed > 500 && refused > 500, "{packed} packed, {refused} refused");
}
