//! What a publisher is asked for, and one that follows another.

mod support;

use std::time::Duration;

use core_media::frame::Kind;
use core_media::rtcp::{Rtcp, parse};
use core_media::source::{Ending, Notice};
use support::{Bench, Decoder, Encoder, FRAME, run};

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
    bench.source.depart(bench.now, &mut bench.output);
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
