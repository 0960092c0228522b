//! Senders that mark parts of pictures as if each were one.

mod support;

use std::sync::Arc;

use core_media::codec::h264::payload::Format;
use core_media::frame::Frame;
use core_media::payloads::Payloads;
use core_media::rtp::write_header;
use support::{Bench, Encoder, FRAME, PPS, SPS, nal_units};

/// A picture of four slices, each of which tells its frame.
fn slices(number: u64, idr: bool) -> Vec<Vec<u8>> {
    // ue(0), ue(1), ue(2) or ue(3) for the first macroblock, then slice type P or I and parameter set 0.
    let firsts = [0b1001_1010, 0b0100_0111, 0b0110_0111, 0b0010_0001];
    let slice = |first: u8| {
        let header = if idr { 0x65 } else { 0x41 };
        [&[header, first, 0b1111_1111][..], &number.to_be_bytes(), &[first; 2_000]].concat()
    };
    firsts.map(slice).to_vec()
}

#[test]
fn a_sender_that_marks_each_part_is_found_out_and_no_other_waits() {
    for parts in [false, true] {
        let (mut bench, mut sequence, mut frames) = (Bench::new(), 0, Vec::new());
        for number in 0..90_u64 {
            let mut unit = slices(number, number % 30 == 0);
            if number % 30 == 0 {
                unit.splice(0..0, [SPS.to_vec(), PPS.to_vec()]);
            }
            let mut payloads = Payloads::default();
            let marks: Vec<usize> = unit
                .iter()
                .map(|nal| {
                    payloads.push_units::<Format>([nal.as_slice()].into_iter());
                    payloads.len() - 1
                })
                .collect();
            for (index, payload) in payloads.iter().enumerate() {
                let marker = if parts { marks.contains(&index) } else { index + 1 == payloads.len() };
                let mut datagram = write_header(marker, 96, sequence, number as u32 * 3_000, 6).to_vec();
                datagram.extend_from_slice(payload);
                sequence += 1;
                bench.video(&datagram);
            }
            let whole = |frame: &Arc<Frame>| nal_units(frame).iter().filter(|nal| nal[0] & 0x1f < 6).cloned().collect();
            frames.extend(bench.frames().iter().map(whole).map(|slices: Vec<Vec<u8>>| (number, slices)));
            bench.pass(FRAME);
        }
        if parts {
            // The first picture showed it, and went out in parts; the next keyframe begins anew, a frame later.
            let (_, first) = frames.remove(0);
            assert_eq!(first, slices(0, true)[..1]);
            let expected: Vec<_> = (30..89).map(|number| (number + 1, slices(number, number % 30 == 0))).collect();
            assert!(frames == expected, "{} pictures", frames.len());
        } else {
            let expected: Vec<_> = (0..90).map(|number| (number, slices(number, number % 30 == 0))).collect();
            assert!(frames == expected, "{} pictures", frames.len());
        }
    }
}

#[test]
fn who_follows_a_sender_that_marks_parts_is_trusted_again() {
    let mut bench = Bench::new();
    for (sequence, slice) in slices(0, true).iter().enumerate() {
        let head = write_header(true, 96, sequence as u16, 0, 6);
        bench.video(&[&head[..], &slice[..100]].concat());
    }
    bench.frames();
    let mut encoder = Encoder::new(39);
    for _ in 0..3 {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        assert_eq!(bench.frames().len(), 1, "at once");
    }
}

#[test]
fn a_stream_that_begins_in_mid_picture_under_the_last_time_stamp_marks_no_parts() {
    let (mut first, mut second, mut bench) = (Encoder::new(40), Encoder::new(41), Bench::new());
    let unit = first.next_unit();
    first.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
    second.size = 9_000;
    for number in 0..32 {
        let unit = second.next_unit();
        // Parameter sets and the beginning of the first picture are missing.
        let skip = if number == 0 { 2 } else { 0 };
        second.packetize(&unit).iter().skip(skip).for_each(|datagram| bench.video(datagram));
        let frames = bench.frames().len();
        assert!(number < 30 || frames == 1, "at once");
    }
}

/// What is missing may be the end of one picture and the beginning of the next.
#[test]
fn a_keyframe_that_lacks_its_first_slice_is_no_keyframe() {
    let (mut bench, mut sequence) = (Bench::new(), 0);
    for number in 0..60_u64 {
        let sets = if number % 30 == 0 { vec![SPS.to_vec(), PPS.to_vec()] } else { Vec::new() };
        let mut payloads = Payloads::default();
        sets.iter().chain(&slices(number, number % 30 == 0)).for_each(|unit| {
            payloads.push_units::<Format>([unit.as_slice()].into_iter());
        });
        let (count, first) = (payloads.len(), sets.len());
        for (index, payload) in payloads.iter().enumerate() {
            let mut datagram = write_header(index + 1 == count, 96, sequence, number as u32 * 3_000, 6).to_vec();
            datagram.extend_from_slice(payload);
            sequence += 1;
            // The last packet of picture 29, and of picture 30 the parameter sets and the first slice.
            let missing = number == 29 && index + 1 == count || number == 30 && index < first + count / 4;
            if !missing {
                bench.video(&datagram);
            }
        }
        bench.pass(FRAME);
    }
    bench.pass(FRAME * 60);
    assert_eq!(bench.frames().len(), 29, "nothing comes out until the next keyframe");
}
