//! Who sends, when senders leave, come back, move or are several.

mod support;

use std::time::Duration;

use core_media::counters::DropReason;
use core_media::frame::Kind;
use core_media::rtcp::SenderReport;
use core_media::rtp::write_header;
use core_media::source::{Ending, Notice};
use core_media::time::Ntp;
use core_media::warning::Warning;
use support::{Bench, Decoder, Encoder, FFMPEG, FRAME, run};

fn bye(ssrc: u32) -> Vec<u8> {
    [&[0x81, 203, 0, 1], ssrc.to_be_bytes().as_slice()].concat()
}

fn frames(encoder: &mut Encoder, bench: &mut Bench, count: usize) -> usize {
    let mut frames = 0;
    for _ in 0..count {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        bench.pass(FRAME);
        frames += bench.frames().len();
    }
    frames
}

#[test]
fn who_goes_on_after_a_goodbye_is_back_without_a_gap() {
    let (mut encoder, mut bench) = (Encoder::new(1), Bench::new());
    assert_eq!(frames(&mut encoder, &mut bench, 10), 10);
    bench.video(&bye(encoder.ssrc));
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Inactive(Kind::Video, Ending::Bye)]);
    assert_eq!(frames(&mut encoder, &mut bench, 60), 60);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
    bench.video(&bye(encoder.ssrc));
    assert_eq!(bench.notices(), [Notice::Inactive(Kind::Video, Ending::Bye)], "a second goodbye is one too");
}

#[test]
fn a_goodbye_forgets_who_sent() {
    let (mut first, mut second, mut bench) = (Encoder::new(2), Encoder::new(3), Bench::new());
    frames(&mut first, &mut bench, 3);
    bench.video(&bye(first.ssrc));
    frames(&mut first, &mut bench, 2);
    let unit = second.next_unit();
    second.packetize(&unit).iter().for_each(|datagram| bench.from("127.0.0.1:50000", datagram));
    assert_eq!(bench.frames().len(), 1, "stragglers do not hold the leg");
}

#[test]
fn an_encoder_that_begins_anew_under_the_same_ssrc_is_recognised() {
    let pauses = [0, 700, 1_900, 2_100, 10_000].map(Duration::from_millis);
    for (goodbye, pause) in [true, false].into_iter().flat_map(|bye| pauses.map(|pause| (bye, pause))) {
        for back in [1, 500, 2_900, 20_000] {
            let (mut first, mut bench) = (Encoder::new(4), Bench::new());
            frames(&mut first, &mut bench, 60);
            if goodbye {
                bench.video(&bye(first.ssrc));
            }
            bench.pass(pause);
            let mut next = Encoder::new(5);
            (next.ssrc, next.sequence) = (first.ssrc, first.sequence.wrapping_sub(back));
            next.timestamp = first.timestamp.wrapping_add(123_456_789);
            let told = pause >= Duration::from_secs(2) || goodbye && !pause.is_zero();
            let (seen, all) = (frames(&mut next, &mut bench, 120), 120);
            let case = format!("{back} numbers back after {pause:?}, goodbye: {goodbye}");
            if told {
                // The first of two packets far away is a stray, but after a silence or a goodbye.
                assert_eq!(seen, all, "{case}");
            } else {
                assert!(seen >= 60, "{case}: {seen} frames, at the latest from the second keyframe on");
            }
            assert_eq!(bench.notices().last(), Some(&Notice::Active(Kind::Video)), "{case}");
        }
    }
}

#[test]
fn other_payload_types_among_the_numbers_are_not_lost_packets() {
    for published in [false, true] {
        let mut bench = if published { Bench::published() } else { Bench::new() };
        let mut encoder = Encoder::new(6);
        let (mut decoder, mut sent) = (Decoder::default(), Vec::new());
        for _ in 0..90 {
            let unit = encoder.next_unit();
            let datagrams = encoder.packetize(&unit);
            sent.push(unit);
            let correction = write_header(false, 122, encoder.sequence, encoder.timestamp, encoder.ssrc);
            encoder.sequence = encoder.sequence.wrapping_add(1);
            datagrams.iter().for_each(|datagram| bench.video(datagram));
            bench.video(&[&correction[..], &[0; 40]].concat());
            bench.frames().iter().for_each(|frame| decoder.take(frame, &sent));
            bench.pass(FRAME);
        }
        assert_eq!(decoder.decoded, (0..90).collect::<Vec<_>>(), "at once, not after a wait");
        let count = |reason| bench.video.count(reason);
        assert_eq!((count(DropReason::PayloadType), count(DropReason::Lost)), (90, 0));
        assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
    }
}

#[test]
fn a_sender_that_moves_has_lost_nothing() {
    let (mut encoder, mut bench) = (Encoder::new(7), Bench::new());
    encoder.gop = 10;
    run(&mut encoder, &mut bench, 30, |datagrams| datagrams);
    let mut frames = 0;
    for _ in 0..120 {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.from("127.0.0.1:50000", datagram));
        bench.pass(FRAME);
        frames += bench.frames().len();
    }
    assert!(frames >= 50, "from the first keyframe after two seconds on: {frames}");
    assert!(bench.video.count(DropReason::ForeignSender) > 100);
    assert_eq!(bench.video.count(DropReason::Lost), 0);
    assert!(!bench.notices().contains(&Notice::Warning(Warning::Loss)));
}

#[test]
fn of_several_streams_of_one_sender_one_is_taken() {
    let mut bench = Bench::new();
    let mut layers = [Encoder::new(8), Encoder::new(9), Encoder::new(10)];
    let mut taken = Vec::new();
    for _ in 0..90 {
        for layer in &mut layers {
            let unit = layer.next_unit();
            layer.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        }
        bench.pass(FRAME);
        taken.push(bench.frames().len());
    }
    // Each takes over from the one before with its first picture.
    assert_eq!((taken[0], &taken[1..]), (3, &[1; 89][..]));
    assert!(bench.video.count(DropReason::OtherStream) > 100);
    assert!(bench.notices().contains(&Notice::Warning(Warning::SeveralStreams)));
    // The one that was taken ends: another is there at once, from its next keyframe on.
    let [first, _, last] = &mut layers;
    bench.video(&bye(last.ssrc));
    assert!(frames(first, &mut bench, 60) >= 30);
    bench.notices();
    // It falls silent: a further one comes after two seconds.
    assert!(frames(&mut layers[1], &mut bench, 120) >= 30);
}

#[test]
fn a_stream_that_takes_over_again_and_again_costs_no_picture() {
    let mut bench = Bench::new();
    let mut seen = 0;
    for seed in 20..40 {
        let mut encoder = Encoder::new(seed);
        seen += frames(&mut encoder, &mut bench, 30);
    }
    assert_eq!(seen, 600);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
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
    assert!(bench.video.count(DropReason::ForeignSender) > 0);
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
fn goodbye_makes_the_leg_inactive_at_once_and_lets_the_next_sender_in() {
    let (mut first, mut second, mut bench) = (Encoder::new(10), Encoder::new(11), Bench::new());
    run(&mut first, &mut bench, 3, |datagrams| datagrams);
    bench.video(&bye(first.ssrc));
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
    bench.video(&bye(99));
    assert_eq!(bench.video.count(DropReason::ForeignReport), 0, "nobody knows yet which streams there are");
    run(&mut encoder, &mut bench, 3, |datagrams| datagrams);
    let mut report = Vec::new();
    SenderReport { ssrc: 98, ntp: Ntp(1 << 32), timestamp: 0, packets: 0, octets: 0, cname: "" }.write(&mut report);
    bench.video(&bye(99));
    bench.video(&report);
    assert_eq!(bench.video.count(DropReason::ForeignReport), 2);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
}
