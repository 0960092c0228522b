//! Frames from a program: every arrangement of NAL units that encoders make comes out as the same packets.

mod support;

use std::time::Duration;

use core_media::codec::Codec;
use core_media::counters::DropReason;
use core_media::frame::Kind;
use core_media::source::Notice;
use core_media::warning::Warning;
use support::{Bench, PPS, SPS, nal_units};

const IDR: &[u8] = &[0x65, 0x88, 1, 2, 3, 4, 5, 6];
const DELTA: &[u8] = &[0x41, 0x9a, 7, 7, 7];
const DELIMITER: &[u8] = &[9, 0x10];
const SUPPLEMENT: &[u8] = &[6, 5, 1, 0xaa, 0x80];

type Framing = fn(&[&[u8]]) -> Vec<u8>;

fn short_codes(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 1], *unit].concat()).collect()
}

fn long_codes(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
}

/// As encoders mix them: four bytes before the first unit and parameter sets, three before slices.
fn mixed_codes(units: &[&[u8]]) -> Vec<u8> {
    let code = |unit: &[u8]| if unit[0] & 0x1f < 6 { &[0u8, 0, 1][..] } else { &[0, 0, 0, 1] };
    units.iter().flat_map(|unit| [code(unit), *unit].concat()).collect()
}

fn trailing_zeros(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 0, 1], *unit, &[0, 0, 0]].concat()).collect()
}

fn lengths(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
}

const FRAMINGS: [(&str, Framing); 5] = [
    ("three bytes", short_codes),
    ("four bytes", long_codes),
    ("mixed", mixed_codes),
    ("trailing zeros", trailing_zeros),
    ("AVCC", lengths),
];

/// Pushes access units 40 ms apart.
struct Program {
    bench: Bench,
    pushed: u32,
}

impl Program {
    fn new() -> Self {
        Self { bench: Bench::new(), pushed: 0 }
    }

    /// Gives the NAL units of what comes out, frame by frame, and whether it is a keyframe.
    fn push(&mut self, data: &[u8]) -> Vec<(bool, Vec<Vec<u8>>)> {
        self.bench.pass(Duration::from_millis(40));
        let capture = Duration::from_millis(40) * self.pushed;
        self.pushed += 1;
        self.bench.source.push(Kind::Video, data, capture, self.bench.now, &mut self.bench.output);
        self.bench.frames().iter().map(|frame| (frame.keyframe, nal_units(frame))).collect()
    }
}

fn owned(units: &[&[u8]]) -> Vec<Vec<u8>> {
    units.iter().map(|unit| unit.to_vec()).collect()
}

/// A name, the units pushed, and those that come out.
type Arrangement<'a> = (&'a str, Vec<&'a [u8]>, Vec<&'a [u8]>);

#[test]
fn every_framing_of_every_arrangement_gives_the_same_packets() {
    let large: Vec<u8> = [&[0x65, 0x88][..], &vec![0x5a; 5_000]].concat();
    let second: &[u8] = &[0x65, 0x40, 9, 9];
    let arrangements: [Arrangement<'_>; 5] = [
        ("plain", vec![SPS, PPS, IDR], vec![SPS, PPS, IDR]),
        ("delimiter and supplement", vec![DELIMITER, SPS, PPS, SUPPLEMENT, IDR], vec![SPS, PPS, SUPPLEMENT, IDR]),
        ("several slices", vec![SPS, PPS, IDR, second], vec![SPS, PPS, IDR, second]),
        ("a slice larger than a packet", vec![SPS, PPS, &large], vec![SPS, PPS, &large]),
        ("filler and unknown types", vec![SPS, PPS, IDR, &[12, 0xff, 0x80], &[31, 1]], vec![SPS, PPS, IDR]),
    ];
    for (framing, write) in FRAMINGS {
        for (name, units, expected) in &arrangements {
            let mut program = Program::new();
            assert_eq!(program.push(&write(units)), [(true, owned(expected))], "{name}, {framing}");
            assert_eq!(program.push(&write(&[DELIMITER, DELTA])), [(false, owned(&[DELTA]))], "{name}, {framing}");
            assert_eq!(program.bench.video.drops().map(|(_, count)| count).sum::<u64>(), 0, "{name}, {framing}");
        }
    }
}

#[test]
fn parameter_sets_that_come_once_are_put_before_each_keyframe() {
    let sets = owned(&[SPS, PPS]);
    let record: Vec<u8> = [
        &[1, SPS[1], SPS[2], SPS[3], 0xff, 0xe1][..],
        &(SPS.len() as u16).to_be_bytes(),
        SPS,
        &[1],
        &(PPS.len() as u16).to_be_bytes(),
        PPS,
    ]
    .concat();
    let firsts = [("in a unit of their own", long_codes(&[SPS, PPS])), ("in a configuration record", record)];
    for (name, first) in firsts {
        let mut program = Program::new();
        assert_eq!(program.push(&first), [], "{name}: no picture, nothing to send");
        for _ in 0..2 {
            assert_eq!(program.push(&lengths(&[IDR])), [(true, [&sets[..], &owned(&[IDR])].concat())], "{name}");
            assert_eq!(program.push(&lengths(&[DELTA])), [(false, owned(&[DELTA]))], "{name}");
        }
    }
}

#[test]
fn wrong_lengths_are_refused_and_counted_and_the_next_keyframe_goes_on() {
    let mut program = Program::new();
    let key = lengths(&[SPS, PPS, IDR]);
    assert_eq!(program.push(&key).len(), 1);
    let mut wrong = lengths(&[DELTA]);
    wrong[3] += 1;
    assert_eq!(program.push(&wrong), []);
    assert_eq!(program.push(&lengths(&[DELTA])), [], "its reference is missing");
    assert_eq!(program.push(&key).len(), 1);
    assert_eq!(program.push(&lengths(&[DELTA])).len(), 1);
    let counters = &program.bench.video;
    assert_eq!((counters.count(DropReason::Malformed), counters.count(DropReason::AwaitingKeyframe)), (1, 1));
    let warnings = program
        .bench
        .notices()
        .into_iter()
        .filter(|notice| *notice == Notice::Warning(Warning::NotAFrame(Codec::H264)));
    assert_eq!(warnings.count(), 1);
}

#[test]
fn a_program_may_begin_with_anything() {
    let mut program = Program::new();
    for data in [&[][..], &[0, 0, 1], &lengths(&[DELTA]), &long_codes(&[IDR]), &long_codes(&[DELIMITER])] {
        assert_eq!(program.push(data), []);
    }
    let active = Notice::Active(Kind::Video);
    assert!(!program.bench.notices().contains(&active), "nothing came of it");
    assert_eq!(program.push(&long_codes(&[SPS, PPS, IDR])).len(), 1);
    assert!(program.bench.notices().contains(&active));
    assert_eq!(program.bench.video.count(DropReason::NoParameterSets), 1);
}

#[test]
fn sound_is_taken_as_it_is_and_nonsense_counted() {
    let mut bench = Bench::new();
    for (index, packet) in [&[0xfc, 1, 2][..], &[], &[3, 0], &[0xfc, 3]].into_iter().enumerate() {
        let capture = Duration::from_millis(20) * index as u32;
        bench.source.push(Kind::Audio, packet, capture, bench.now, &mut bench.output);
        bench.pass(Duration::from_millis(20));
    }
    let sent: Vec<Vec<u8>> = bench.frames().iter().map(|frame| frame.payloads.payload(0).to_vec()).collect();
    assert_eq!(sent, [vec![0xfc, 1, 2], vec![0xfc, 3]]);
    assert_eq!(bench.audio.count(DropReason::Malformed), 2);
}

#[test]
fn pictures_pushed_within_one_tick_get_a_time_stamp_each() {
    let mut bench = Bench::new();
    let picture = [&[0, 0, 0, 1], SPS, &[0, 0, 0, 1], PPS, &[0, 0, 0, 1, 0x65, 0x88]].concat();
    for micros in [0, 3, 6, 33_000, 33_000, 33_000] {
        let capture = Duration::from_micros(1_000_000 + micros);
        bench.source.push(Kind::Video, &picture, capture, bench.now, &mut bench.output);
    }
    let frames = bench.frames();
    let stamps: Vec<u64> = frames.iter().map(|frame| frame.timestamp - frames[0].timestamp).collect();
    assert_eq!(stamps, [0, 1, 2, 2_970, 2_971, 2_972]);
}
