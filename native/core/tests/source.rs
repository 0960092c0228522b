//! What a stream's input makes of packets that are late, lost or unmarked.

mod support;

use core_media::counters::DropReason;
use core_media::frame::Kind;
use core_media::rtcp::SenderReport;
use core_media::rtp::write_header;
use core_media::source::Notice;
use core_media::time::Ntp;
use support::{Bench, Encoder, FRAME, Random, run};

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
        assert!(bench.video.count(DropReason::Lost) > 0);
        assert!(bench.video.count(DropReason::AwaitingKeyframe) > 0);
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
    assert_eq!(bench.video.count(DropReason::NoParameterSets), 2);
    assert!(bench.source.facts(Kind::Video).is_some_and(|(active, facts)| active && facts.parameters.is_none()));
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
