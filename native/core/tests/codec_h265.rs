//! H265 as FFmpeg and GStreamer send it: what goes out is what came in, in packets that fit, with its sets.

#[path = "support/captures.rs"]
mod captures;
mod support;

use captures::{frames, take};
use core_media::codec::h265::H265;
use core_media::codec::parameters::{Parameters, Profile};
use core_media::codec::{Codec, PayloadError, Place, VideoCodec};
use core_media::counters::DropReason;
use core_media::payloads::Payloads;
use core_media::rtp::MAX_PAYLOAD;
use support::Random;

/// The sets of `h265-ffmpeg-no-sets`, which its SDP has.
const VPS: &[u8] = &[
    0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03,
    0x00, 0x3c, 0xba, 0x02, 0x40,
];
const SPS: &[u8] = &[
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0xa0,
    0x0a, 0x08, 0x0c, 0x1f, 0x3e, 0x5b, 0xa4, 0xa4, 0xc2, 0xf0, 0x16, 0x80, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00,
    0x00, 0x07, 0x84,
];
const PPS: &[u8] = &[0x44, 0x01, 0xc0, 0x71, 0x83, 0x12];

/// IDR slices that begin a picture and go on with it, a slice that needs others, and what is left out or kept.
const IDR: &[u8] = &[0x26, 0x01, 0xaf, 1, 2, 3];
const SLICE: &[u8] = &[0x02, 0x01, 0xd0, 4, 5, 6];
const DELIMITER: &[u8] = &[0x46, 0x01, 0x50];
const END_OF_SEQUENCE: &[u8] = &[0x48, 0x01];
const END_OF_BITSTREAM: &[u8] = &[0x4a, 0x01];
const FILLER: &[u8] = &[0x4c, 0x01, 0xff, 0xff, 0x80];
const SEI: &[u8] = &[0x4e, 0x01, 1, 1, 7, 0x80];
const SUFFIX_SEI: &[u8] = &[0x50, 0x01, 1, 1, 7, 0x80];

struct Truth {
    name: &'static str,
    frames: usize,
    keyframes: &'static [usize],
    leading: &'static [usize],
    profile: u8,
    bit_depth: u8,
    reorder_frames: u32,
}

const MAIN: Truth = Truth {
    name: "h265-ffmpeg",
    frames: 30,
    keyframes: &[0, 15],
    leading: &[],
    profile: 1,
    bit_depth: 8,
    reorder_frames: 0,
};

const CAPTURES: [Truth; 5] = [
    MAIN,
    Truth { name: "h265-ffmpeg-open-gop", keyframes: &[0, 13], leading: &[14, 15], reorder_frames: 2, ..MAIN },
    Truth { name: "h265-ffmpeg-no-sets", ..MAIN },
    Truth { name: "h265-ffmpeg-main10", frames: 15, keyframes: &[0], profile: 2, bit_depth: 10, ..MAIN },
    Truth { name: "h265-gstreamer", ..MAIN },
];

/// A codec that knows the sets which the SDP of a capture has.
fn codec(name: &str) -> H265 {
    let mut codec = H265::default();
    if name.ends_with("no-sets") {
        assert!([VPS, SPS, PPS].into_iter().all(|set| codec.adopt(set)));
    }
    codec
}

fn type_of(unit: &[u8]) -> u8 {
    unit[0] >> 1 & 0x3f
}

/// The NAL units in payloads, by RFC 7798 §4.4.1 to §4.4.3.
fn units<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut units: Vec<Vec<u8>> = Vec::new();
    for payload in payloads {
        match type_of(payload) {
            48 => {
                let mut rest = &payload[2..];
                while let [high, low, after @ ..] = rest {
                    let (unit, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
                    units.push(unit.to_vec());
                    rest = after;
                }
            }
            49 => {
                if payload[2] & 0x80 != 0 {
                    units.push(vec![payload[0] & 0x81 | (payload[2] & 0x3f) << 1, payload[1]]);
                }
                units.last_mut().expect("a fragment begins with its start").extend_from_slice(&payload[3..]);
            }
            _ => units.push(payload.to_vec()),
        }
    }
    units
}

fn whole(frame: &[Vec<u8>]) -> impl Iterator<Item = Option<&[u8]>> {
    frame.iter().map(|payload| Some(payload.as_slice()))
}

/// The units that go out for these.
fn sent(codec: &mut H265, given: &[&[u8]]) -> Vec<Vec<u8>> {
    let (_, payloads) = take(codec, given.iter().map(|unit| Some(*unit))).expect("whole").expect("a frame");
    units(payloads.iter())
}

fn start_codes(units: &[Vec<u8>]) -> Vec<u8> {
    let code = |index| if index == 0 { &[0, 0, 0, 1][..] } else { &[0, 0, 1] };
    units.iter().enumerate().flat_map(|(index, unit)| [code(index), unit].concat()).collect()
}

fn lengths(units: &[Vec<u8>]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
}

fn from_program(codec: &mut H265, frame: &[u8]) -> Payloads {
    codec.clear();
    codec.push_whole(frame).expect("a frame");
    codec.examine().expect("whole").expect("a picture");
    codec.pack().expect("sets are known")
}

#[test]
fn frames_come_out_unit_by_unit_with_their_sets_in_packets_that_fit() {
    for truth in CAPTURES {
        let (mut codec, name) = (codec(truth.name), truth.name);
        let (mut keyframes, mut leading, mut sets) = (Vec::new(), Vec::new(), [VPS, SPS, PPS].map(<[u8]>::to_vec));
        let given = frames(name);
        assert_eq!(given.len(), truth.frames, "{name}");
        for (index, frame) in given.iter().enumerate() {
            let (examined, payloads) = take(&mut codec, whole(frame)).expect("whole").expect("a frame");
            assert!(examined.begins, "{name}: {index}");
            assert_eq!(examined.reordered, truth.reorder_frames > 0, "{name}: {index}");
            assert!(payloads.iter().all(|payload| payload.len() <= MAX_PAYLOAD), "{name}: {index}");
            let mut expected = units(frame.iter().map(Vec::as_slice));
            if examined.keyframe {
                keyframes.push(index);
                if type_of(&expected[0]) == 32 {
                    sets.clone_from_slice(&expected[..3]);
                } else {
                    expected.splice(0..0, sets.clone());
                }
                assert_eq!(units([payloads.payload(0)]), sets, "{name}: {index}: one aggregate");
                assert_eq!(payloads.payload(0)[..2], [0x60, 0x01]);
            }
            leading.extend(examined.leading.then_some(index));
            assert!(units(payloads.iter()) == expected, "{name}: {index}");
        }
        assert_eq!((&keyframes[..], &leading[..]), (truth.keyframes, truth.leading), "{name}");
        let parameters = Parameters {
            profile: Profile::H265 { space: 0, profile: truth.profile, high_tier: false, level: 60 },
            width: 320,
            height: 180,
            bit_depth: truth.bit_depth,
            other_chroma: false,
            interlaced: false,
            reorder_frames: Some(truth.reorder_frames),
            frame_rate: Some((15, 1)),
        };
        assert_eq!(codec.parameters(), Some(parameters), "{name}");
    }
}

#[test]
fn without_sets_no_keyframe_is_sent() {
    let mut codec = H265::default();
    let upper = [&[0x42, 0x09], &SPS[2..]].concat();
    for set in [&[][..], &[0x42], &[0x42, 0x01], &SPS[..20], IDR, SEI, &upper] {
        assert!(!codec.adopt(set), "{set:x?}");
    }
    assert_eq!(codec.parameters(), None);
    let given = frames("h265-ffmpeg-no-sets");
    for sets in [&[][..], &[VPS, SPS], &[SPS, PPS], &[PPS, VPS]] {
        let mut codec = H265::default();
        assert!(sets.iter().all(|set| codec.adopt(set)));
        for keyframe in [0, 15] {
            assert_eq!(take(&mut codec, whole(&given[keyframe])), Err(DropReason::NoParameterSets));
        }
    }
}

#[test]
fn a_frame_of_which_a_packet_is_missing_is_damaged() {
    let given = frames("h265-ffmpeg");
    let mut codec = H265::default();
    for frame in &given {
        for missing in 0..frame.len() {
            let payloads = whole(frame).enumerate().map(|(index, payload)| payload.filter(|_| index != missing));
            assert_eq!(take(&mut codec, payloads), Err(DropReason::Damaged));
        }
        assert!(matches!(take(&mut codec, whole(frame)), Ok(Some(_))));
    }
}

#[test]
fn sets_of_a_damaged_frame_are_remembered() {
    let (given, mut codec) = (frames("h265-gstreamer"), H265::default());
    let without_its_end = whole(&given[0][..given[0].len() - 1]).chain([None]);
    assert_eq!(take(&mut codec, without_its_end), Err(DropReason::Damaged));
    let (examined, payloads) = take(&mut codec, whole(&given[15])).expect("whole").expect("a frame");
    assert!(examined.keyframe);
    assert_eq!(units([payloads.payload(0)]), units(given[0][..3].iter().map(Vec::as_slice)));
}

#[test]
fn several_picture_sets_are_kept_and_the_newest_of_an_id_replaces_the_others() {
    let mut codec = H265::default();
    let [other, newer] = [[0x44, 0x01, 0x40, 0x71], [0x44, 0x01, 0xc0, 0x72]];
    assert_eq!(sent(&mut codec, &[VPS, SPS, PPS, &other, IDR]), [VPS, SPS, PPS, &other, IDR]);
    assert_eq!(sent(&mut codec, &[IDR]), [VPS, SPS, PPS, &other, IDR]);
    assert!(codec.adopt(&newer));
    assert_eq!(sent(&mut codec, &[IDR]), [VPS, SPS, &other, &newer, IDR]);
    assert_eq!(sent(&mut codec, &[SPS, PPS, IDR])[0], VPS, "one kind is missing");
    // What is remembered is bounded.
    for id in 0..64_u32 {
        // ue(v), ITU-T H.265 §9.2
        let code = (id + 1) << (31 - 2 * (id + 1).ilog2());
        assert!(codec.adopt(&[&[0x44, 0x01][..], &code.to_be_bytes(), &[0x80]].concat()));
    }
    assert!(!codec.adopt(&[PPS, &[0x55; 100_000]].concat()));
    assert_eq!(sent(&mut codec, &[IDR]).len(), 3 + 8);
}

#[test]
fn delimiters_ends_and_filler_are_left_out_and_messages_stay() {
    let given = [DELIMITER, VPS, SPS, PPS, SEI, IDR, FILLER, SUFFIX_SEI, END_OF_SEQUENCE, END_OF_BITSTREAM];
    assert_eq!(sent(&mut H265::default(), &given), [VPS, SPS, PPS, SEI, IDR, SUFFIX_SEI]);
    // Zeros that some cameras write behind the units of an aggregate.
    let aggregate = [&[0x60, 0x01, 0, 6][..], IDR, &[0, 0]].concat();
    assert_eq!(sent(&mut codec("no-sets"), &[&aggregate]), [VPS, SPS, PPS, IDR]);
    let nothing: [&[&[u8]]; 3] = [&[DELIMITER], &[VPS, SPS, PPS], &[SEI, FILLER]];
    for given in nothing {
        let taken = take(&mut H265::default(), given.iter().map(|unit| Some(*unit)));
        assert_eq!(taken, Ok(None), "nothing to be shown");
    }
}

#[test]
fn random_access_is_every_irap_picture_and_nothing_else() {
    for kind in 0..32_u8 {
        let unit = [kind << 1, 0x01, 0x80, 1];
        let taken = take(&mut codec("no-sets"), [Some(&unit[..])]).expect("whole");
        let found = taken.map(|(examined, _)| (examined.keyframe, examined.leading, examined.reordered));
        let expected = match kind {
            10..=15 | 22..=31 => None,
            _ => Some(((16..=21).contains(&kind), matches!(kind, 8 | 9), matches!(kind, 6..=9))),
        };
        assert_eq!(found, expected, "type {kind}");
    }
    // A picture of layer 1 alone, and one that needs others beside it.
    let mut codec = codec("no-sets");
    let upper = [0x26, 0x09, 0xaf, 1];
    assert_eq!(take(&mut codec, [Some(&upper[..])]), Ok(None));
    let (examined, _) = take(&mut codec, [SLICE, &upper].map(Some)).expect("whole").expect("a frame");
    assert!(!examined.keyframe);
}

#[test]
fn a_frame_begins_with_its_first_slice_segment_or_what_stands_before() {
    let within = [0x02, 0x01, 0x50, 1];
    let begins = |given: &[&[u8]]| {
        let (examined, _) =
            take(&mut codec("no-sets"), given.iter().map(|unit| Some(*unit))).expect("whole").expect("one");
        examined.begins
    };
    assert!(begins(&[SLICE, &within]) && begins(&[DELIMITER, &within]) && begins(&[SEI, SLICE]));
    assert!(!begins(&[&within]) && !begins(&[&within, SLICE]) && !begins(&[SUFFIX_SEI, SLICE]));
    let codec = H265::default();
    for frame in CAPTURES.iter().flat_map(|truth| frames(truth.name)) {
        assert_eq!(codec.place(&frame[0]), Place::Beginning);
        for payload in frame.iter().filter(|payload| type_of(payload) == 49 && payload[2] & 0x80 == 0) {
            assert_eq!(codec.place(payload), Place::Within);
        }
    }
}

#[test]
fn frames_of_programs_come_out_as_those_in_packets() {
    for truth in CAPTURES {
        let (mut packets, mut program) = (codec(truth.name), codec(truth.name));
        for frame in frames(truth.name) {
            let (_, expected) = take(&mut packets, whole(&frame)).expect("whole").expect("a frame");
            let mut units = units(frame.iter().map(Vec::as_slice));
            assert!(from_program(&mut program, &start_codes(&units)) == expected, "{}", truth.name);
            // Types that are of no unit in RTP, and no TID.
            units.splice(0..0, [vec![0x62, 0x01, 0x93, 7], vec![0x7c, 0x01, 7], vec![0x26, 0x00, 0xaf, 7]]);
            assert!(from_program(&mut program, &lengths(&units)) == expected, "{}", truth.name);
        }
    }
}

#[test]
fn a_configuration_record_gives_the_sets() {
    let mut record = vec![1; 23];
    record[22] = 3;
    for set in [VPS, SPS, PPS] {
        record.extend([0x80 | set[0] >> 1, 0, 1, 0, set.len() as u8]);
        record.extend(set);
    }
    let mut codec = H265::default();
    codec.push_whole(&record).expect("a record");
    assert_eq!(codec.examine(), Ok(None));
    let frame = units(frames("h265-ffmpeg-no-sets")[0].iter().map(Vec::as_slice));
    let payloads = from_program(&mut codec, &lengths(&frame));
    assert_eq!(units([payloads.payload(0)]), [VPS, SPS, PPS]);
    codec.clear();
    for nonsense in [&[][..], &[1, 2, 3], &[0x26; 40], &[0, 0, 0, 1, 0x26], &record[..60]] {
        assert!(codec.push_whole(nonsense).is_err(), "{nonsense:x?}");
        assert_eq!(codec.size(), 0, "nothing is kept");
    }
}

#[test]
fn who_speaks_another_format_is_found_out() {
    let mut codec = codec("no-sets");
    assert_eq!(codec.push(&[0, 0, 0, 1, 0x40, 1]), Err(PayloadError::AnnexB));
    assert_eq!(codec.push(&[0x67, 0x42, 0xc0, 0x1f, 0xd9]), Err(PayloadError::Unsupported));
    assert_eq!(codec.push(&[0x64, 0x01, 0, 0, 0, 0]), Err(PayloadError::Unsupported), "PACI");
    assert_eq!((codec.misfit().annex_b, codec.misfit().other), (true, Some(Codec::H264)));
    assert_eq!(codec.examine(), Err(DropReason::Damaged));
    sent(&mut codec, &[IDR]);
    assert_eq!(codec.misfit().other, None, "a frame has come");
    for payload in CAPTURES.iter().flat_map(|truth| frames(truth.name)).flatten() {
        codec.clear();
        codec.push(&payload).expect("valid");
        assert_eq!(codec.misfit().other, None);
    }
}

#[test]
fn garbage_is_refused_and_what_goes_out_always_fits() {
    let given: Vec<Vec<Vec<u8>>> = CAPTURES.iter().flat_map(|truth| frames(truth.name)).collect();
    let (mut random, mut codec, mut packed) = (Random::new(265), H265::default(), 0);
    for _ in 0..4_000 {
        codec.clear();
        let mut frame = given[random.below(given.len() as u64) as usize].clone();
        for payload in &mut frame {
            let at = random.below(payload.len() as u64) as usize;
            match random.below(12) {
                0 => *payload = random.bytes(1 + at),
                1 => payload[at.min(60)] ^= 1 << random.below(8),
                2 => payload.truncate(at + 1),
                3 => payload.extend_from_within(..),
                4 => payload[at] = random.next() as u8,
                _ => {}
            }
            let _ = (codec.place(payload), codec.push(payload), codec.adopt(payload));
        }
        if random.chance(10) {
            let size = random.below(3_000) as usize;
            let _ = codec.push_whole(&random.bytes(size));
        }
        if let Ok(Some(_)) = codec.examine()
            && let Ok(payloads) = codec.pack()
        {
            packed += 1;
            assert!(payloads.iter().all(|payload| (1..=MAX_PAYLOAD).contains(&payload.len())));
        }
    }
    assert!(packed > 200, "some of it passes: {packed}");
}
