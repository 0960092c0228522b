//! What is told of a stream: facts, and warnings of what hurts.

mod support;

use std::time::Duration;

use core_media::codec::Codec;
use core_media::frame::Kind;
use core_media::rtp::write_header;
use core_media::source::{Ending, Notice};
use core_media::time::Time;
use core_media::warning::Warning;
use support::{Bench, Encoder, FRAME, run};

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
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Warning(Warning::BFrames(Codec::H264))]);
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
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Warning(Warning::NoParameterSets(Codec::H264))]);

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
    let sps = known.parameters.expect("an SPS came");
    assert_eq!((sps.width, sps.height, sps.frame_rate), (640, 360, Some((60, 2))));
    assert_eq!(sps.reorder_frames, Some(0));
    assert!(known.frame_ticks.is_some_and(|ticks| (ticks - 3_000.0).abs() < 1.0));
    assert_eq!((known.gop, known.parameter_changes, known.profile_changed), (Some((30, 90_000)), 0, false));
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
    assert_eq!(known.parameters.map(|sps| sps.width), Some(1280));
    assert_eq!((known.parameter_changes, known.profile_changed), (1, false));
    assert_eq!(notices, [], "another size hurts nobody");
    let (known, notices) = change(larger_sps(0x4d));
    assert_eq!((known.parameter_changes, known.profile_changed), (2, true));
    assert_eq!(notices, [Notice::Warning(Warning::ProfileChanged)]);
    let (_, notices) = change(larger_sps(0x42));
    assert_eq!(notices, [], "said once");
}

#[test]
fn pictures_that_few_players_can_show_are_warned_of() {
    let high_10: &[u8] = &[0x67, 0x6e, 0x00, 0x0c, 0xa6, 0xcd, 0x94, 0x14, 0x19, 0xf9, 0xf0];
    let interlaced: &[u8] = &[0x67, 0x64, 0x00, 0x15, 0xac, 0xd9, 0x41, 0x43, 0x3f, 0x26, 0x02, 0x20];
    for (sps, warning) in [(high_10, Warning::PixelFormat), (interlaced, Warning::Interlaced)] {
        let (mut encoder, mut bench) = (Encoder::new(38), Bench::new());
        let mut unit = encoder.next_unit();
        unit[0] = sps.to_vec();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Warning(warning)]);
    }
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

#[test]
fn h265_is_named_and_no_gop_is_blamed() {
    let parameter_sets: [&[u8]; 3] = [&[0x40, 1, 0x0c, 1], &[0x42, 1, 1, 1], &[0x44, 1, 0xc1, 0x72]];
    let aggregated = [&[0x60, 1][..], &[0, 4], parameter_sets[0], &[0, 4], parameter_sets[1]].concat();
    let (aggregate, mut alone) = (vec![aggregated.as_slice()], parameter_sets.to_vec());
    // IDR_W_RADL and TRAIL_R in fragments and whole.
    alone.extend([&[0x62, 1, 0x93, 1, 2][..], &[0x62, 1, 0x53, 1, 2], &[0x02, 1, 0xd0]]);
    for payloads in [aggregate, alone] {
        let mut bench = Bench::new();
        for (number, payload) in payloads.iter().cycle().take(400).enumerate() {
            let mut datagram = write_header(true, 96, number as u16, number as u32 * 3_000, 6).to_vec();
            datagram.extend_from_slice(payload);
            bench.video(&datagram);
            bench.pass(FRAME);
        }
        assert_eq!(bench.notices(), [Notice::Active(Kind::Video), Notice::Warning(Warning::Hevc)]);
    }
    let mut bench = Bench::new();
    run(&mut Encoder::new(33), &mut bench, 60, |datagrams| datagrams);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
}

#[test]
fn time_stamps_that_do_not_run_as_time_does_are_warned_of() {
    let warned = |step: u32, interval: Duration, jump: u32| {
        let (mut encoder, mut bench) = (Encoder::new(34), Bench::new());
        encoder.step = step;
        for _ in 0..20_000 / interval.as_millis() {
            if bench.now > Time::from_millis(8_000) && bench.now < Time::from_millis(8_000) + interval {
                encoder.timestamp = encoder.timestamp.wrapping_add(jump);
            }
            let unit = encoder.next_unit();
            encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
            bench.pass(interval);
        }
        bench.notices().contains(&Notice::Warning(Warning::WrongPace))
    };
    for step in [0, 33, 1_500, 6_000] {
        assert!(warned(step, FRAME, 0), "a step of {step} for 3000");
    }
    for step in [2_700, 3_000, 3_300] {
        assert!(!warned(step, FRAME, 0), "a step of {step} for 3000");
    }
    assert!(!warned(450_000, Duration::from_secs(5), 0), "one picture in five seconds");
    for jump in [720_000, 900_000, 900_000_u32.wrapping_neg()] {
        assert!(!warned(3_000, FRAME, jump), "a jump of {jump}");
    }
}

fn play(encoder: &mut Encoder, bench: &mut Bench, count: usize) {
    for _ in 0..count {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        bench.pass(FRAME);
    }
}

#[test]
fn a_camera_of_one_picture_in_five_seconds_is_live_from_the_second_one_on_and_silent_when_it_stops() {
    let (mut encoder, mut bench) = (Encoder::new(35), Bench::new());
    (encoder.gop, encoder.step) = (1, 450_000);
    play(&mut encoder, &mut bench, 1);
    bench.notices();
    for number in 0..12 {
        bench.pass(Duration::from_millis(4_700 + 300 * (number % 3)));
        bench.notices().iter().for_each(|notice| assert_eq!(*notice, Notice::Inactive(Kind::Video, Ending::Silent)));
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        let again = if number == 0 { vec![Notice::Active(Kind::Video)] } else { vec![] };
        assert_eq!(bench.notices(), again, "picture {number}");
    }
    bench.pass(Duration::from_secs(14));
    assert_eq!(bench.notices(), [Notice::Inactive(Kind::Video, Ending::Silent)]);
}

#[test]
fn one_hitch_makes_no_slow_camera() {
    let (mut encoder, mut bench) = (Encoder::new(36), Bench::new());
    play(&mut encoder, &mut bench, 30);
    bench.pass(Duration::from_secs(10));
    play(&mut encoder, &mut bench, 1);
    bench.notices();
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.notices(), [Notice::Inactive(Kind::Video, Ending::Silent)]);
}

#[test]
fn a_publisher_makes_keyframes_when_asked_and_is_blamed_only_when_it_does_not() {
    let (mut encoder, mut bench) = (Encoder::new(37), Bench::published());
    encoder.gop = 10_000;
    play(&mut encoder, &mut bench, 400);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
    for answers in [true, false] {
        bench.source.request_keyframe();
        play(&mut encoder, &mut bench, 3);
        if answers {
            encoder.continue_from(encoder.frame_number());
        }
        play(&mut encoder, &mut bench, 400);
        let told = if answers { vec![] } else { vec![Notice::Warning(Warning::NoKeyframe)] };
        assert_eq!(bench.notices(), told);
    }
}
