//! What a stream's input makes of good, bad and hostile datagrams.

mod support;

use std::sync::Arc;
use std::time::Duration;

use core_media::counters::{DropReason, LegCounters};
use core_media::frame::Kind;
use core_media::rtcp::{Rtcp, SenderReport, parse};
use core_media::rtp::write_header;
use core_media::source::{Ending, Notice, Output, Source};
use core_media::time::{Ntp, Time};
use core_media::warning::Warning;
use support::{Bench, Decoder, Encoder, FFMPEG, PPS, Random, SPS, nal_units};

const FRAME: Duration = Duration::from_micros(33_333);

fn dropped(counters: &LegCounters, reason: DropReason) -> u64 {
    counters.count(reason)
}

/// Sends `count` frames over a network that does as `shake` says; gives the decoder and what was sent.
fn run(
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
fn annex_b_in_payloads_and_b_frames_are_warned_of_once() {
    let mut bench = Bench::new();
    for sequence in 0..10 {
        let mut datagram = write_header(true, 96, sequence, u32::from(sequence) * 3_000, 6).to_vec();
        datagram.extend_from_slice(&[0, 0, 0, 1, 0x65, 0x88]);
        bench.video(&datagram);
    }
    assert!(bench.frames().is_empty());
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Warning(Warning::AnnexB)]);

    let mut bench = Bench::new();
    let mut encoder = Encoder::new(15);
    for _ in 0..10 {
        let mut unit = encoder.next_unit();
        if let [slice] = unit.as_mut_slice() {
            slice[1] = 0b1010_1000; // slice type B
        }
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        bench.pass(FRAME);
    }
    assert_eq!(bench.frames().len(), 10);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Warning(Warning::BFrames)]);
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

/// What a publisher is told within a time, as RTCP.
fn told(bench: &mut Bench, duration: Duration) -> Vec<Rtcp> {
    bench.pass(duration);
    let mut reports = Vec::new();
    for (_, bytes) in bench.output.feedback.drain(..) {
        parse(&bytes, |report| reports.push(report));
    }
    reports
}

#[test]
fn a_publisher_is_asked_for_what_is_missing_and_its_repair_is_used() {
    let (mut encoder, mut bench) = (Encoder::new(17), Bench::published());
    let mut decoder = Decoder::default();
    let mut sent = Vec::new();
    for number in 0..90 {
        let unit = encoder.next_unit();
        let mut datagrams = encoder.packetize(&unit);
        sent.push(unit);
        let lost = (number % 10 == 5 && datagrams.len() > 1).then(|| datagrams.remove(0));
        datagrams.iter().for_each(|datagram| bench.video(datagram));
        let reports = told(&mut bench, FRAME);
        if let Some(lost) = lost {
            let wanted = u16::from_be_bytes([lost[2], lost[3]]);
            let asked =
                reports.iter().any(|report| matches!(report, Rtcp::Nack { sequences, .. } if sequences == &[wanted]));
            assert!(asked, "frame {number}: {reports:?}");
            bench.video(&lost);
        }
        bench.frames().iter().for_each(|frame| decoder.take(frame, &sent));
    }
    assert_eq!(decoder.decoded, (0..90).collect::<Vec<_>>());
}

#[test]
fn a_publisher_is_asked_for_a_keyframe_at_the_start_after_a_loss_and_when_a_viewer_needs_one() {
    let (mut encoder, mut bench) = (Encoder::new(18), Bench::published());
    let publish = |encoder: &mut Encoder, bench: &mut Bench, skip: usize| {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().skip(skip).for_each(|datagram| bench.video(datagram));
        told(bench, FRAME).iter().filter(|report| matches!(report, Rtcp::Pli { .. })).count()
    };
    encoder.next_unit();
    assert_eq!(publish(&mut encoder, &mut bench, 0), 1, "nothing is decodable yet");
    let throttled: usize = (0..14).map(|_| publish(&mut encoder, &mut bench, 0)).sum();
    assert_eq!(throttled, 0, "asked a moment ago");
    let repeated: usize = (0..14).map(|_| publish(&mut encoder, &mut bench, 0)).sum();
    assert_eq!(repeated, 1);
    assert_eq!(encoder.frame_number(), 30);
    assert_eq!(publish(&mut encoder, &mut bench, 0), 0, "a keyframe came");
    assert!((0..20).all(|_| publish(&mut encoder, &mut bench, 0) == 0));
    bench.source.request_keyframe();
    assert_eq!(publish(&mut encoder, &mut bench, 0), 1);
}

#[test]
fn a_new_publisher_may_have_the_ssrc_of_the_last() {
    let (mut encoder, mut bench) = (Encoder::new(20), Bench::published());
    let before = run(&mut encoder, &mut bench, 30, |datagrams| datagrams);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
    bench.source.depart(&mut bench.output);
    assert_eq!(bench.notices(), [Notice::Inactive(Kind::Video, Ending::Bye)]);
    // A straggler is no sign of life.
    let straggler = encoder.next_unit();
    encoder.packetize(&straggler).iter().for_each(|datagram| bench.video(datagram));
    assert_eq!(bench.notices(), []);
    let numbered = (before.decoded.len() + bench.frames().len()) as u64;
    bench.source.arrive();
    for _ in 0..60 {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        bench.pass(FRAME);
    }
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
    let frames = bench.frames();
    assert!(frames[0].keyframe && frames[0].number == numbered);
}

#[test]
fn ffmpeg_is_told_nothing() {
    let (mut encoder, mut bench) = (Encoder::new(19), Bench::new());
    let decoder = run(&mut encoder, &mut bench, 60, |mut datagrams| {
        datagrams.pop();
        datagrams
    });
    bench.source.request_keyframe();
    assert!(decoder.decoded.is_empty());
    assert_eq!(told(&mut bench, Duration::from_secs(5)), []);
}

fn sound(sequence: u16, timestamp: u32) -> Vec<u8> {
    let mut datagram = write_header(false, 97, sequence, timestamp, 5).to_vec();
    datagram.extend_from_slice(&[0xfc, 1, 2, 3]);
    datagram
}

#[test]
fn jitter_of_opus_time_stamps_is_taken_out_and_drift_is_not_built_up() {
    let mut bench = Bench::new();
    let mut random = Random::new(3);
    let mut stamps = Vec::new();
    for number in 0..2_000u32 {
        // The source's clock is 0.1 % fast, and each stamp is up to 5 ms off.
        let natural = number * 961 + random.below(240) as u32;
        bench.audio(&sound(number as u16, natural));
        bench.pass(Duration::from_millis(20));
        stamps.push((bench.frames().pop().expect("a frame").timestamp, natural));
    }
    let (first, first_natural) = stamps[0];
    let even = stamps.windows(2).filter(|pair| pair[1].0 - pair[0].0 == 960).count();
    assert!(even > 1_990, "{even} of 1999 steps are those of the packets");
    for (stamp, natural) in stamps {
        let error = (stamp - first) as i64 - i64::from(natural - first_natural);
        assert!(error.abs() <= 960, "never more than 20 ms from the source's clock: {error}");
    }
}

#[test]
fn aac_on_the_audio_leg_is_recognised_and_dropped() {
    let mut bench = Bench::new();
    for number in 0..50u32 {
        bench.audio(&sound(number as u16, number * 1_024));
        bench.pass(Duration::from_micros(21_333));
    }
    assert_eq!(bench.notices(), [Notice::Active(Kind::Audio), Notice::Warning(Warning::NotOpus)]);
    assert_eq!(dropped(&bench.audio, DropReason::NotOpus), 40);
}

#[test]
fn a_stream_without_keyframes_or_parameter_sets_or_with_loss_is_warned_of_once() {
    let mut bench = Bench::new();
    let mut encoder = Encoder::new(21);
    encoder.gop = 10_000;
    encoder.next_unit();
    run(&mut encoder, &mut bench, 330, |datagrams| datagrams);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Warning(Warning::NoKeyframe)]);

    let mut bench = Bench::new();
    let mut encoder = Encoder::new(22);
    encoder.repeat_sets = false;
    encoder.next_unit();
    run(&mut encoder, &mut bench, 330, |datagrams| datagrams);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Warning(Warning::NoParameterSets)]);

    let mut bench = Bench::new();
    let mut number = 0;
    run(&mut Encoder::new(23), &mut bench, 60, |mut datagrams| {
        number += 1;
        if number % 4 == 0 {
            datagrams.remove(0);
        }
        datagrams
    });
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Warning(Warning::Loss)]);
}

/// Another SPS: 1280x720, baseline or, by its profile byte, main.
fn larger_sps(profile: u8) -> Vec<u8> {
    let mut sps = vec![
        0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03,
        0x00, 0x80, 0x00, 0x00, 0x1e, 0x47, 0x8c, 0x19, 0x24,
    ];
    sps[1] = profile;
    sps
}

#[test]
fn the_truth_about_the_video_is_told_and_a_change_of_size_or_profile_is_seen() {
    let (mut encoder, mut bench) = (Encoder::new(30), Bench::new());
    run(&mut encoder, &mut bench, 70, |datagrams| datagrams);
    let facts = |bench: &Bench| bench.source.facts(Kind::Video).expect("a video leg").1;
    let known = facts(&bench);
    let sps = known.sps.expect("an SPS came");
    assert_eq!((sps.width, sps.height, sps.frames_per_second()), (640, 360, Some(30.0)));
    assert_eq!(sps.reorder_frames, Some(0));
    assert!(known.frame_ticks.is_some_and(|ticks| (ticks - 3_000.0).abs() < 1.0));
    assert_eq!((known.gop, known.sps_changes, known.profile_changed), (Some((30, 90_000)), 0, false));
    bench.notices();
    let mut change = |sps: Vec<u8>| {
        while encoder.frame_number() % encoder.gop != 0 {
            let unit = encoder.next_unit();
            encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        }
        let mut unit = encoder.next_unit();
        unit[0] = sps;
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        bench.pass(FRAME);
        (facts(&bench), bench.notices())
    };
    let (known, notices) = change(larger_sps(0x42));
    assert_eq!(known.sps.map(|sps| sps.width), Some(1280));
    assert_eq!((known.sps_changes, known.profile_changed), (1, false));
    assert_eq!(notices, [], "another size hurts nobody");
    let (known, notices) = change(larger_sps(0x4d));
    assert_eq!((known.sps_changes, known.profile_changed), (2, true));
    assert_eq!(notices, [Notice::Warning(Warning::ProfileChanged)]);
    let (_, notices) = change(larger_sps(0x42));
    assert_eq!(notices, [], "said once");
}

#[test]
fn aac_with_several_frames_in_a_packet_is_recognised_and_no_opus_is_mistaken_for_it() {
    let mut bench = Bench::new();
    for number in 0..20u32 {
        bench.audio(&sound(number as u16, number * 4_096));
        bench.pass(Duration::from_micros(85_333));
    }
    assert_eq!(bench.notices(), [Notice::Active(Kind::Audio), Notice::Warning(Warning::NotOpus)]);
    for step in [120, 240, 480, 960, 1_920, 2_880, 5_760, 15_360] {
        let mut bench = Bench::new();
        for number in 0..20u32 {
            bench.audio(&sound(number as u16, number * step));
            bench.pass(Duration::from_millis(20));
        }
        assert_eq!(bench.notices(), [Notice::Active(Kind::Audio)], "a step of {step}");
    }
}

#[test]
fn breaks_in_the_time_stamps_of_sound_are_counted() {
    let mut bench = Bench::new();
    for number in 0..100u32 {
        // Half a second is missing after each 25th packet.
        bench.audio(&sound(number as u16, number * 960 + number / 25 * 24_000));
        bench.pass(Duration::from_millis(20));
    }
    let (_, facts) = bench.source.facts(Kind::Audio).expect("an audio leg");
    assert_eq!((facts.timestamp_breaks, facts.channels, facts.not_opus), (3, Some(2), false));
}

#[test]
fn one_leg_that_dies_leaves_the_other_playing() {
    let (mut encoder, mut bench) = (Encoder::new(31), Bench::new());
    let mut number = 0;
    let mut play = |bench: &mut Bench, picture: bool, frames: u32| {
        for _ in 0..frames {
            if picture {
                let unit = encoder.next_unit();
                encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
            }
            bench.audio(&sound(number as u16, number * 1_600));
            number += 1;
            bench.pass(FRAME);
        }
        let frames = bench.frames();
        let of = |kind| frames.iter().filter(|frame| frame.kind == kind).count() as u32;
        (of(Kind::Video), of(Kind::Audio))
    };
    assert_eq!(play(&mut bench, true, 30), (30, 30));
    assert_eq!(play(&mut bench, false, 90), (0, 90));
    let expected =
        [Notice::Active(Kind::Video), Notice::Active(Kind::Audio), Notice::Inactive(Kind::Video, Ending::Silent)];
    assert_eq!(bench.notices(), expected);
    assert_eq!(play(&mut bench, true, 30), (30, 30), "and it may come back");
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
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

#[test]
fn the_frame_rate_is_right_with_b_frames_too() {
    let (mut encoder, mut bench) = (Encoder::new(32), Bench::new());
    for number in 0..120u32 {
        let unit = encoder.next_unit();
        // Shown in the order 0 2 3 1 5 6 4 and so on.
        let shown = if number % 3 == 1 { number + 2 } else { number.saturating_sub(1) };
        for mut datagram in encoder.packetize(&unit) {
            datagram[4..8].copy_from_slice(&(shown * 3_000).to_be_bytes());
            bench.video(&datagram);
        }
        bench.pass(FRAME);
    }
    let (_, facts) = bench.source.facts(Kind::Video).expect("a video leg");
    let rate = 90_000.0 / facts.frame_ticks.expect("measured");
    assert!((26.0..35.0).contains(&rate), "{rate} frames a second");
}
