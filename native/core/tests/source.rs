//! What a stream's input makes of good, bad and hostile datagrams.

mod support;

use std::sync::Arc;
use std::time::Duration;

use core_media::counters::{DropReason, LegCounters};
use core_media::frame::{Frame, Kind};
use core_media::h264::Payloads;
use core_media::rtcp::SenderReport;
use core_media::rtp::write_header;
use core_media::source::{Ending, Notice, Output, Source};
use core_media::time::{Ntp, Time};
use support::{Bench, Decoder, Encoder, FFMPEG, FRAME, PPS, Random, SPS, nal_units, run};

fn dropped(counters: &LegCounters, reason: DropReason) -> u64 {
    counters.count(reason)
}

#[test]
fn every_frame_of_a_clean_line_comes_out_across_both_wraps() {
    let (mut encoder, mut bench) = (Encoder::new(1), Bench::new());
    let decoder = run(&mut encoder, &mut bench, 300, |datagrams| datagrams);
    assert_eq!(decoder.decoded, (0..300).collect::<Vec<_>>());
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
}

#[test]
fn media_time_and_packet_numbers_have_no_gaps() {
    let (mut encoder, mut bench) = (Encoder::new(2), Bench::new());
    let (mut timestamp, mut packet) = (None, 0);
    for number in 0..100 {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        bench.pass(FRAME);
        let frame = bench.frames().pop().expect("each access unit is a frame");
        assert_eq!((frame.number, frame.first_packet), (number, packet));
        packet += frame.payloads.len() as u64;
        assert_eq!(frame.timestamp - timestamp.unwrap_or(frame.timestamp - 3_000), 3_000);
        timestamp = Some(frame.timestamp);
    }
}

#[test]
fn reordered_and_doubled_datagrams_change_nothing() {
    for seed in 0..20 {
        let (mut encoder, mut bench) = (Encoder::new(seed), Bench::new());
        let mut random = Random::new(seed);
        let decoder = run(&mut encoder, &mut bench, 120, |mut datagrams| {
            for at in 1..datagrams.len() {
                if random.chance(20) {
                    datagrams.swap(at - 1, at);
                }
                if random.chance(5) {
                    datagrams.push(datagrams[at].clone());
                }
            }
            datagrams
        });
        // A swap in the first datagrams ever makes the later one the first: that access unit is lost.
        let first = decoder.decoded[0];
        assert!(first == 0 || first == encoder.gop, "seed {seed}: starts at a keyframe, not at {first}");
        assert_eq!(decoder.decoded, (first..120).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn after_a_loss_nothing_undecodable_comes_out() {
    for seed in 0..20 {
        let (mut encoder, mut bench) = (Encoder::new(seed), Bench::new());
        encoder.gop = 10;
        let mut random = Random::new(seed);
        let decoder = run(&mut encoder, &mut bench, 400, |mut datagrams| {
            datagrams.retain(|_| !random.chance(2));
            datagrams
        });
        assert!(decoder.decoded.len() > 100, "seed {seed}: {} of 400 frames", decoder.decoded.len());
        assert!(dropped(&bench.video, DropReason::Lost) > 0);
        assert!(dropped(&bench.video, DropReason::AwaitingKeyframe) > 0);
    }
}

#[test]
fn joining_in_mid_gop_waits_for_the_idr_picture() {
    let (mut encoder, mut bench) = (Encoder::new(3), Bench::new());
    let mut skip = 45;
    let decoder = run(&mut encoder, &mut bench, 100, |datagrams| {
        skip -= 1;
        if skip >= 0 { Vec::new() } else { datagrams }
    });
    assert_eq!(decoder.decoded, (60..100).collect::<Vec<_>>());
}

#[test]
fn parameter_sets_sent_once_are_put_before_every_idr_picture() {
    let (mut encoder, mut bench) = (Encoder::new(4), Bench::new());
    encoder.repeat_sets = false;
    let decoder = run(&mut encoder, &mut bench, 100, |datagrams| datagrams);
    assert_eq!(decoder.decoded.len(), 100);
}

#[test]
fn without_parameter_sets_nothing_comes_out_and_the_reason_is_counted() {
    let (mut encoder, mut bench) = (Encoder::new(5), Bench::new());
    encoder.repeat_sets = false;
    encoder.next_unit();
    let decoder = run(&mut encoder, &mut bench, 61, |datagrams| datagrams);
    assert!(decoder.decoded.is_empty());
    assert_eq!(dropped(&bench.video, DropReason::NoParameterSets), 2);
    assert!(bench.source.facts(Kind::Video).is_some_and(|(active, facts)| active && facts.sps.is_none()));
}

#[test]
fn frames_without_a_marker_end_with_the_next_time_stamp() {
    let (mut encoder, mut bench) = (Encoder::new(6), Bench::new());
    let decoder = run(&mut encoder, &mut bench, 60, |mut datagrams| {
        datagrams.iter_mut().for_each(|datagram| datagram[1] &= 0x7f);
        datagrams
    });
    assert_eq!(decoder.decoded, (0..59).collect::<Vec<_>>());
}

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
                    payloads.push_nal(nal);
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

#[test]
fn another_sender_is_ignored_while_the_first_is_active_and_takes_over_after_two_seconds() {
    let (mut first, mut second, mut bench) = (Encoder::new(7), Encoder::new(8), Bench::new());
    let send = |encoder: &mut Encoder, bench: &mut Bench, from: &str| {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.from(from, datagram));
        bench.frames().len()
    };
    assert_eq!(send(&mut first, &mut bench, FFMPEG), 1);
    assert_eq!(send(&mut second, &mut bench, "127.0.0.1:50000"), 0);
    assert!(dropped(&bench.video, DropReason::ForeignSender) > 0);
    bench.pass(Duration::from_millis(1_900));
    assert_eq!(send(&mut second, &mut bench, "127.0.0.1:50000"), 0);
    bench.pass(Duration::from_millis(101));
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Inactive(Kind::Video, Ending::Silent)]);
    assert_eq!(send(&mut second, &mut bench, "127.0.0.1:50000"), 0, "a delta frame begins nothing");
    second.gop = 1;
    assert_eq!(send(&mut second, &mut bench, "127.0.0.1:50000"), 1);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
}

#[test]
fn a_restarted_encoder_continues_the_line() {
    let (mut first, mut bench) = (Encoder::new(9), Bench::new());
    run(&mut first, &mut bench, 30, |datagrams| datagrams);
    let mut last = None;
    for restart in 0..3 {
        let mut next = Encoder::new(20 + restart);
        next.timestamp = 77_777 * restart as u32;
        let mut sent = Vec::new();
        for _ in 0..10 {
            sent.push(next.next_unit());
            let unit = sent.last().expect("just pushed").clone();
            next.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
            bench.pass(FRAME);
            for frame in bench.frames() {
                if let Some((number, timestamp)) = last {
                    assert_eq!(frame.number, number + 1);
                    let step: u64 = frame.timestamp - timestamp;
                    assert!((2_900..3_100).contains(&step), "a step of {step} ticks");
                }
                last = Some((frame.number, frame.timestamp));
            }
        }
    }
    assert_eq!(last.map(|(number, _)| number), Some(59));
}

#[test]
fn pictures_under_one_time_stamp_get_two() {
    let mut source = Source::new(Some(Arc::default()), None, Duration::from_secs(2));
    let mut out = Output::default();
    let picture = [&[0, 0, 0, 1], SPS, &[0, 0, 0, 1], PPS, &[0, 0, 0, 1, 0x65, 0x88]].concat();
    for micros in [0, 3, 6, 33_000] {
        let capture = Duration::from_micros(1_000_000 + micros);
        source.push(Kind::Video, &picture, capture, Time::from_millis(1), &mut out);
    }
    let stamps: Vec<u64> = out.frames.iter().map(|frame| frame.timestamp - out.frames[0].timestamp).collect();
    assert_eq!(stamps, [0, 1, 2, 2_970]);
}

#[test]
fn goodbye_makes_the_leg_inactive_at_once_and_lets_the_next_sender_in() {
    let (mut first, mut second, mut bench) = (Encoder::new(10), Encoder::new(11), Bench::new());
    run(&mut first, &mut bench, 3, |datagrams| datagrams);
    let mut bye = vec![0x81, 203, 0, 1];
    bye.extend_from_slice(&first.ssrc.to_be_bytes());
    bench.video(&bye);
    let expected = [Notice::Active(Kind::Video), Notice::Inactive(Kind::Video, Ending::Bye)];
    assert_eq!(bench.notices(), expected);
    let straggler = first.next_unit();
    first.packetize(&straggler).iter().for_each(|datagram| bench.video(datagram));
    assert_eq!(bench.notices(), [], "a straggler does not bring it back");
    let unit = second.next_unit();
    second.packetize(&unit).iter().for_each(|datagram| bench.from("127.0.0.1:50000", datagram));
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
}

#[test]
fn what_is_said_of_other_streams_is_counted_and_changes_nothing() {
    let (mut encoder, mut bench) = (Encoder::new(13), Bench::new());
    let bye = [&[0x81, 203, 0, 1], 99_u32.to_be_bytes().as_slice()].concat();
    bench.video(&bye);
    assert_eq!(bench.video.count(DropReason::ForeignReport), 0, "nobody knows yet which streams there are");
    run(&mut encoder, &mut bench, 3, |datagrams| datagrams);
    let mut report = Vec::new();
    SenderReport { ssrc: 98, ntp: Ntp(1 << 32), timestamp: 0, packets: 0, octets: 0, cname: "" }.write(&mut report);
    bench.video(&bye);
    bench.video(&report);
    assert_eq!(bench.video.count(DropReason::ForeignReport), 2);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
}

#[test]
fn a_sender_report_before_the_first_packet_counts() {
    let (mut encoder, mut bench) = (Encoder::new(12), Bench::new());
    let mut report = Vec::new();
    let wall = Ntp(1_000 << 32);
    let described = SenderReport {
        ssrc: encoder.ssrc,
        ntp: wall,
        // Captured half a second before the first frame's time stamp.
        timestamp: encoder.timestamp.wrapping_sub(45_000),
        packets: 0,
        octets: 0,
        cname: "ffmpeg",
    };
    described.write(&mut report);
    bench.video(&report);
    let mut audio_report = Vec::new();
    SenderReport { ssrc: 5, timestamp: 0, ..described }.write(&mut audio_report);
    bench.audio(&audio_report);
    let unit = encoder.next_unit();
    encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
    let mut sound = write_header(false, 97, 1, 0, 5).to_vec();
    sound.push(0xfc);
    // Audio was captured half a second before video but arrives together with it.
    bench.audio(&sound);
    bench.frames();
    bench.pass(FRAME);
    let unit = encoder.next_unit();
    encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
    let frame = bench.frames().pop().expect("a frame");
    // Video alone would say: captured when it arrived. Audio's report shows that the leg is half a second late.
    let late = frame.clock.timestamp as i64 - frame.timestamp as i64;
    assert!((-100..100).contains(&late), "video is the faster leg, so its own delay counts: {late}");
    let mut sound = write_header(false, 97, 2, 960, 5).to_vec();
    sound.push(0xfc);
    bench.audio(&sound);
    let frame = bench.frames().pop().expect("a frame");
    let late = frame.clock.timestamp as i64 - frame.timestamp as i64;
    assert!((23_000..25_700).contains(&late), "audio's clock runs half a second ahead of its packets: {late}");
}

#[test]
fn wrong_payload_types_and_strays_are_counted_and_harmless() {
    let (mut encoder, mut bench) = (Encoder::new(13), Bench::new());
    let decoder = run(&mut encoder, &mut bench, 60, |mut datagrams| {
        let mut other = datagrams[0].clone();
        other[1] = other[1] & 0x80 | 97;
        let mut stray = datagrams[0].clone();
        let far = u16::from_be_bytes([stray[2], stray[3]]).wrapping_add(20_000);
        stray[2..4].copy_from_slice(&far.to_be_bytes());
        if encoder_has_begun(&datagrams) {
            datagrams.insert(0, other);
            datagrams.insert(1, stray);
        }
        datagrams
    });
    assert_eq!(decoder.decoded, (0..60).collect::<Vec<_>>());
    assert_eq!(dropped(&bench.video, DropReason::PayloadType), 59);
    assert_eq!(dropped(&bench.video, DropReason::Stray), 59);
}

/// The first datagram ever decides the payload type and the numbering.
fn encoder_has_begun(datagrams: &[Vec<u8>]) -> bool {
    u16::from_be_bytes([datagrams[0][2], datagrams[0][3]]) != 65_500
}

#[test]
fn header_extensions_csrcs_and_padding_are_taken_off() {
    let (mut encoder, mut bench) = (Encoder::new(14), Bench::new());
    let decoder = run(&mut encoder, &mut bench, 10, |datagrams| {
        let wrap = |datagram: Vec<u8>| {
            let mut wrapped = datagram[..12].to_vec();
            wrapped[0] |= 0x20 | 0x10 | 1;
            wrapped.extend_from_slice(&[9, 9, 9, 9, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0]);
            wrapped.extend_from_slice(&datagram[12..]);
            wrapped.extend_from_slice(&[0, 0, 3]);
            wrapped
        };
        datagrams.into_iter().map(wrap).collect()
    });
    assert_eq!(decoder.decoded.len(), 10);
}

#[test]
fn several_slices_single_units_and_aggregates_make_one_frame() {
    let mut bench = Bench::new();
    let slice = |first: u8, fill: u8| [vec![0x65, first], vec![fill; 900]].concat();
    // ue(0) and ue(1) for the first macroblock, then slice type I and parameter set 0.
    let (top, bottom) = (slice(0b1011_0000, 1), slice(0b0100_1110, 2));
    let mut aggregate = vec![0x78];
    for unit in [SPS, PPS] {
        aggregate.extend_from_slice(&(unit.len() as u16).to_be_bytes());
        aggregate.extend_from_slice(unit);
    }
    for (sequence, payload) in [&aggregate, &top, &bottom].into_iter().enumerate() {
        let mut datagram = write_header(sequence == 2, 96, sequence as u16, 5, 6).to_vec();
        datagram.extend_from_slice(payload);
        bench.video(&datagram);
    }
    let frames = bench.frames();
    assert_eq!(frames.len(), 1);
    assert_eq!(nal_units(&frames[0]), [SPS.to_vec(), PPS.to_vec(), top, bottom]);
}

#[test]
fn bytes_behind_the_units_of_an_aggregate_are_no_part_of_it() {
    for stray in [&[0][..], &[7], &[0, 0], &[0, 0, 0, 0], &[0, 0, 9, 9, 9]] {
        let (mut encoder, mut bench) = (Encoder::new(15), Bench::new());
        let decoder = run(&mut encoder, &mut bench, 60, |mut datagrams| {
            let aggregates = datagrams.iter_mut().filter(|datagram| datagram[12] & 0x1f == 24);
            aggregates.for_each(|datagram| datagram.extend_from_slice(stray));
            datagrams
        });
        assert_eq!(decoder.decoded, (0..60).collect::<Vec<_>>(), "{stray:?}");
        assert_eq!(dropped(&bench.video, DropReason::Malformed), 0, "{stray:?}");
    }
}

#[test]
fn garbage_of_every_length_is_refused_without_harm() {
    let (mut encoder, mut bench) = (Encoder::new(16), Bench::new());
    let mut random = Random::new(99);
    let mut decoder = Decoder::default();
    let mut sent = Vec::new();
    for length in 0..=2_000 {
        let mut garbage = random.bytes(length);
        bench.audio(&garbage);
        // Not version 2 from the encoder's own address, any bytes from elsewhere.
        if length > 0 {
            bench.from("127.0.0.1:50000", &garbage);
            garbage[0] &= 0x3f;
        }
        bench.video(&garbage);
        if length % 20 == 0 {
            let unit = encoder.next_unit();
            let datagrams = encoder.packetize(&unit);
            sent.push(unit);
            datagrams.iter().for_each(|datagram| bench.video(datagram));
            bench.pass(FRAME);
        }
        for frame in bench.frames().iter().filter(|frame| frame.kind == Kind::Video) {
            decoder.take(frame, &sent);
        }
    }
    assert!(dropped(&bench.video, DropReason::Malformed) > 1_000);
    assert!(decoder.decoded.len() > 50, "the encoder's own frames come through: {}", decoder.decoded.len());
}

#[test]
fn hostile_packets_of_the_active_stream_never_panic() {
    for seed in 0..50 {
        let (mut encoder, mut bench) = (Encoder::new(seed), Bench::new());
        let mut random = Random::new(seed);
        for _ in 0..60 {
            let unit = encoder.next_unit();
            for mut datagram in encoder.packetize(&unit) {
                for _ in 0..random.below(4) {
                    let at = random.below(datagram.len() as u64) as usize;
                    datagram[at] = random.next() as u8;
                }
                datagram.truncate(datagram.len() - random.below(3) as usize);
                bench.video(&datagram);
            }
            bench.pass(FRAME);
            bench.frames().iter().for_each(|frame| {
                nal_units(frame);
            });
        }
    }
}

#[test]
fn pictures_pushed_within_one_tick_stay_two() {
    let mut bench = Bench::new();
    let picture = [&[0, 0, 0, 1][..], SPS, &[0, 0, 0, 1], PPS, &[0, 0, 0, 1, 0x65, 0x88, 1, 2, 3]].concat();
    for micros in [0u64, 5, 33_333, 33_333, 33_333] {
        let capture = Duration::from_micros(micros);
        bench.source.push(Kind::Video, &picture, capture, bench.now, &mut bench.output);
    }
    let stamps: Vec<u64> = bench.frames().iter().map(|frame| frame.timestamp).collect();
    assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]), "{stamps:?}");
}
