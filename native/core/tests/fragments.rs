//! NAL units leave whole and in as few packets as fit, however their sender has cut them.

mod support;

use std::sync::Arc;

use core_media::codec::h264::payload::nal;
use core_media::counters::DropReason;
use core_media::frame::Frame;
use core_media::rtp::{MAX_PAYLOAD, write_header};
use core_media::time::Time;
use support::{Bench, Encoder, FRAME, PPS, Random, SPS, nal_units};

const SEI: &[u8] = &[0x06, 5, 3, 1, 2, 3, 0x80];
const DELIMITER: &[u8] = &[0x09, 0xf0];
const FILLER: &[u8] = &[0x0c, 0xff, 0xff, 0x80];

/// A slice of `size` bytes that begins a picture.
fn slice(random: &mut Random, idr: bool, size: usize) -> Vec<u8> {
    let head: &[u8] = if idr { &[0x65, 0x88] } else { &[0x41, 0x9a] };
    [head, &random.bytes(size.saturating_sub(2))].concat()
}

/// Cuts an access unit as a sender may: aggregates, single units, fragments of any sizes.
fn cut(units: &[Vec<u8>], random: &mut Random) -> Vec<Vec<u8>> {
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    for unit in units {
        match random.below(3) {
            0 if unit.len() < 1_400 => {
                let length = (unit.len() as u16).to_be_bytes();
                match payloads.last_mut() {
                    Some(last) if last[0] & 0x1f == nal::STAP_A && last.len() + unit.len() < 1_460 => {
                        last.extend([&length[..], unit].concat());
                    }
                    _ => payloads.push([&[0x78], &length[..], unit].concat()),
                }
            }
            1 if unit.len() < 9_000 => payloads.push(unit.clone()),
            _ => payloads.extend(fragments(unit, 1 + random.below(3_000) as usize)),
        }
    }
    payloads
}

/// Fragments that hold `size` bytes each.
fn fragments(unit: &[u8], size: usize) -> Vec<Vec<u8>> {
    let pieces: Vec<&[u8]> = unit[1..].chunks(size).collect();
    let flags = |index| u8::from(index == 0) << 7 | u8::from(index + 1 == pieces.len()) << 6;
    let head = |index| [unit[0] & 0xe0 | nal::FU_A, flags(index) | unit[0] & 0x1f];
    pieces.iter().enumerate().map(|(index, piece)| [&head(index), *piece].concat()).collect()
}

/// An input and the number of its next packet.
struct Input {
    bench: Bench,
    sequence: u16,
    picture: u32,
}

impl Input {
    fn new() -> Self {
        Self { bench: Bench::new(), sequence: 0, picture: 0 }
    }

    /// Sends a picture in these payloads, but for those that get `lost`.
    fn picture(&mut self, payloads: &[Vec<u8>], lost: impl Fn(usize) -> bool) -> Vec<Arc<Frame>> {
        for (index, payload) in payloads.iter().enumerate() {
            let head = write_header(index + 1 == payloads.len(), 96, self.sequence, self.picture * 3_000, 6);
            self.sequence = self.sequence.wrapping_add(1);
            if !lost(index) {
                self.bench.video(&[&head[..], payload].concat());
            }
        }
        self.picture += 1;
        self.bench.pass(FRAME);
        self.bench.frames()
    }

    fn whole(&mut self, payloads: &[Vec<u8>]) -> Arc<Frame> {
        let mut frames = self.picture(payloads, |_| false);
        assert_eq!(frames.len(), 1);
        frames.remove(0)
    }
}

/// As the first of a burst has it: runs of datagrams of one size, the last of which may be shorter.
fn messages(frame: &Frame) -> usize {
    let (mut messages, mut segment, mut ended) = (0, 0, true);
    for size in frame.payloads.iter().map(<[u8]>::len) {
        if ended || size > segment {
            (messages, segment, ended) = (messages + 1, size, false);
        } else {
            ended = size < segment;
        }
    }
    messages
}

#[test]
fn whatever_the_sender_makes_of_them_units_come_out_byte_for_byte_in_as_few_packets_as_fit() {
    for seed in 0..60 {
        let (mut random, mut input) = (Random::new(seed), Input::new());
        for number in 0..20 {
            let idr = number % 5 == 0;
            let mut units = if idr { vec![SPS.to_vec(), PPS.to_vec(), SEI.to_vec()] } else { Vec::new() };
            for _ in 0..1 + random.below(3) {
                let most = if random.chance(30) { 60_000 } else { 4_000 };
                let size = 2 + random.below(most) as usize;
                units.push(slice(&mut random, idr, size));
            }
            let payloads = cut(&units, &mut random);
            let frame = input.whole(&payloads);
            assert!(nal_units(&frame) == units, "seed {seed}, picture {number}");
            let fewest = |unit: &Vec<u8>| unit.len().div_ceil(1_188);
            let most = units.iter().map(fewest).sum::<usize>() - if idr { 2 } else { 0 };
            assert!(frame.payloads.len() <= most, "seed {seed}: {} packets, {most} at most", frame.payloads.len());
            let large = units.iter().filter(|unit| unit.len() > MAX_PAYLOAD).count();
            let small = frame.payloads.iter().filter(|payload| payload[0] & 0x1f != nal::FU_A).count();
            assert!(messages(&frame) <= large + small, "seed {seed}, picture {number}");
        }
    }
}

#[test]
fn the_cut_of_a_muxer_with_larger_packets_costs_no_packet() {
    for payload in [1_188, 1_460, 8_000] {
        let unit = slice(&mut Random::new(1), true, 12_001);
        let payloads = fragments(&unit, payload - 2);
        let sets = [&[0x78, 0, SPS.len() as u8], SPS, &[0, PPS.len() as u8], PPS].concat();
        let frame = Input::new().whole(&[vec![sets], payloads].concat());
        let sizes: Vec<usize> = frame.payloads.iter().map(<[u8]>::len).collect();
        assert_eq!(sizes[1..], [MAX_PAYLOAD; 10], "{payload}");
        assert_eq!(messages(&frame), 2, "parameter sets and a slice");
    }
}

#[test]
fn a_picture_of_one_slice_is_one_message() {
    let (mut random, mut input) = (Random::new(2), Input::new());
    input.whole(&[SPS.to_vec(), PPS.to_vec(), slice(&mut random, true, 500)]);
    for size in (100..40_000).step_by(371) {
        let frame = input.whole(&fragments(&slice(&mut random, false, size), 1_458));
        assert_eq!(messages(&frame), 1, "{size} bytes");
    }
}

#[test]
fn delimiters_and_filler_are_left_out_wherever_they_stand() {
    let mut random = Random::new(3);
    let units = [SPS.to_vec(), PPS.to_vec(), slice(&mut random, true, 3_000)];
    let filler = [FILLER, &[0xff; 4_000], &[0x80]].concat();
    let around = [vec![DELIMITER.to_vec()], units.to_vec(), vec![FILLER.to_vec(), filler]].concat();
    for _ in 0..40 {
        let frame = Input::new().whole(&cut(&around, &mut random));
        assert_eq!(nal_units(&frame), units);
    }
    // A delimiter still tells that a picture begins.
    let mut input = Input::new();
    input.whole(&units);
    input.picture(&units, |_| true);
    let without_sets = [DELIMITER.to_vec(), units[2].clone()];
    let mut frames = input.picture(&without_sets, |_| false);
    input.bench.pass(FRAME * 30);
    frames.extend(input.bench.frames());
    assert_eq!(frames.iter().map(|frame| nal_units(frame)).collect::<Vec<_>>(), [units]);
    assert!(input.picture(&[DELIMITER.to_vec()], |_| false).is_empty(), "no picture");
}

#[test]
fn a_fragment_lost_anywhere_costs_its_picture_and_those_up_to_the_next_idr() {
    let mut random = Random::new(4);
    let picture = |random: &mut Random, idr| {
        let sets = if idr { vec![SPS.to_vec(), PPS.to_vec()] } else { Vec::new() };
        [sets, fragments(&slice(random, idr, 9_000), 1_458)].concat()
    };
    for lost in 0..7 {
        let mut input = Input::new();
        input.whole(&picture(&mut random, true));
        let mut frames = input.picture(&picture(&mut random, false), |index| index == lost);
        frames.extend(input.picture(&picture(&mut random, false), |_| false));
        // The order waits for a packet that may still come.
        input.bench.pass(FRAME * 30);
        frames.extend(input.bench.frames());
        assert!(frames.is_empty(), "packet {lost}");
        assert_eq!(input.bench.video.count(DropReason::Lost), 1);
        assert!(input.bench.video.count(DropReason::AwaitingKeyframe) > 0);
        let idr = picture(&mut random, true);
        let frame = input.whole(&idr);
        assert!(frame.keyframe);
    }
}

#[test]
fn fragments_that_do_not_fit_together_cost_their_picture() {
    let mut random = Random::new(5);
    let unit = slice(&mut random, true, 5_000);
    let [first, middle, last] = fragments(&unit, 2_000).try_into().expect("three");
    let whole = vec![0x65, 0x88, 1];
    let cases = [
        ("no end", vec![first.clone(), middle.clone()]),
        ("no start", vec![middle.clone(), last.clone()]),
        ("two starts", vec![first.clone(), first.clone(), middle.clone(), last.clone()]),
        ("two ends", vec![first.clone(), last.clone(), last.clone()]),
        ("another type", vec![first.clone(), [&[0x7c, 1], &middle[2..]].concat(), last.clone()]),
        ("a unit in between", vec![first.clone(), whole, last.clone()]),
        ("a packet too short", vec![first.clone(), vec![0x7c], last.clone()]),
        ("an aggregate within", vec![first.clone(), vec![0x7c, nal::STAP_A, 0, 1, 9], last.clone()]),
    ];
    for (name, payloads) in cases {
        let mut input = Input::new();
        let sets = vec![SPS.to_vec(), PPS.to_vec()];
        assert!(input.picture(&[sets.clone(), payloads].concat(), |_| false).is_empty(), "{name}");
        assert!(input.bench.video.count(DropReason::Damaged) > 0, "{name}");
        let frame = input.whole(&[sets, vec![first.clone(), middle.clone(), last.clone()]].concat());
        assert!(nal_units(&frame)[2] == unit, "{name}: the next one comes");
    }
}

/// Parameter sets outlive their access unit: one that is joined of two would spoil every keyframe from then on.
#[test]
fn parameter_sets_in_fragments_are_known_when_they_are_whole_and_never_otherwise() {
    let mut random = Random::new(6);
    let [first, second] = fragments(SPS, 13).try_into().expect("two");
    let idr = slice(&mut random, true, 100);
    let mut input = Input::new();
    let other_end = [&second[..2], &[0xff; 12]].concat();
    let broken = [first.clone(), second.clone(), other_end, PPS.to_vec(), idr.clone()];
    assert!(input.picture(&broken, |index| index == 1).is_empty());
    input.bench.pass(FRAME * 30);
    assert!(input.picture(std::slice::from_ref(&idr), |_| false).is_empty());
    assert_eq!(input.bench.video.count(DropReason::NoParameterSets), 1);
    input.whole(&[first, second, PPS.to_vec(), idr.clone()]);
    let frame = input.whole(std::slice::from_ref(&idr));
    assert_eq!(nal_units(&frame), [SPS.to_vec(), PPS.to_vec(), idr]);
}

#[test]
fn units_without_end_are_bounded_and_cost_no_more_than_their_bytes() {
    let mut random = Random::new(7);
    let unit = slice(&mut random, true, 5 << 20);
    let mut input = Input::new();
    let sets = vec![SPS.to_vec(), PPS.to_vec()];
    assert!(input.picture(&[sets.clone(), fragments(&unit, 8_000)].concat(), |_| false).is_empty());
    assert_eq!(input.bench.video.count(DropReason::Oversized), 1);
    // As many units as an access unit can have, and more: all of them end in it.
    let many = [&[0x78][..], &[0, 1, 0x41].repeat(2_000)].concat();
    assert!(input.picture(&vec![many; 1_000], |_| false).is_empty());
    assert_eq!(input.bench.video.count(DropReason::Oversized), 2);
    let large = slice(&mut random, true, 4_000_000);
    let frame = input.whole(&[sets, fragments(&large, 8_000)].concat());
    assert!(nal_units(&frame)[2] == large);
}

#[test]
fn a_frame_comes_out_with_the_packet_that_ends_it() {
    let (mut encoder, mut bench) = (Encoder::new(8), Bench::new());
    for _ in 0..60 {
        let unit = encoder.next_unit();
        let datagrams = encoder.packetize(&unit);
        let (last, others) = datagrams.split_last().expect("some");
        others.iter().for_each(|datagram| bench.video(datagram));
        assert!(bench.frames().is_empty(), "it has not ended");
        bench.now = bench.now + FRAME;
        bench.video(last);
        let frames = bench.frames();
        assert_eq!(frames.iter().map(|frame| frame.received).collect::<Vec<Time>>(), [bench.now]);
        assert_eq!(nal_units(&frames[0]), unit);
    }
}

#[test]
fn any_size_of_packets_from_the_encoder_gives_the_same_packets() {
    let packets = |payload| {
        let (mut encoder, mut bench, mut packets) = (Encoder::new(9), Bench::new(), Vec::new());
        encoder.payload = payload;
        for _ in 0..40 {
            let unit = encoder.next_unit();
            encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
            packets.extend(
                bench.frames().iter().flat_map(|frame| frame.payloads.iter().map(<[u8]>::to_vec).collect::<Vec<_>>()),
            );
        }
        packets
    };
    let expected = packets(1_460);
    for payload in [40, 500, 1_188, 1_202, 1_203, 8_000, 60_000] {
        assert!(packets(payload) == expected, "{payload}");
    }
}
