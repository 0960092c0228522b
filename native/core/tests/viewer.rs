//! What a viewer gets, from any moment on and over any line: two ends and a seeded network in virtual time.

#[path = "support/receiver.rs"]
mod receiver;
#[path = "support/session.rs"]
mod session;
mod support;
#[path = "support/wire.rs"]
mod wire;

use std::time::Duration;

use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::history::{History, Limits};
use core_media::pacer::DEFAULT_BURST;
use core_media::rtp::{MAX_EXTENDED, RtpPacket};
use core_media::time::{Time, WallClock};
use core_media::track::{Outcome, Outgoing, Track, TrackConfig};
use receiver::{PAYLOAD_TYPE, SSRC};
use session::{CLEAN, FRAME, Line, Session, bytes, track};

#[test]
fn a_viewer_that_joins_in_mid_gop_sees_a_picture_at_once_and_the_live_edge_soon() {
    for seed in 0..40 {
        let mut session = Session::new(seed, 60, CLEAN);
        session.run(Duration::from_millis(2_000 + seed * 97), false);
        let joined = session.now();
        session.join();
        session.run(Duration::from_millis(600), true);
        let (first, at) = session.receiver.decoded[0];
        assert_eq!(first % 60, 0, "seed {seed}: begins with an IDR picture");
        assert!(
            at.since(joined) <= Duration::from_millis(5),
            "seed {seed}: first picture after {:?}",
            at.since(joined)
        );
        let newest = session.newest();
        assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(newest), "seed {seed}");
        // Every frame of the GOP so far at 20 times its pace, and those that came meanwhile.
        let behind = Duration::from_millis(2_000) / 20 + Duration::from_millis(40);
        let caught_up = session.receiver.decoded.iter().position(|(number, at)| {
            let made = Time::from_millis(1_000) + FRAME * (*number as u32);
            at.since(made) <= Duration::from_millis(40)
        });
        let (_, at) = session.receiver.decoded[caught_up.expect("caught up")];
        assert!(at.since(joined) <= behind, "seed {seed}: live after {:?}", at.since(joined));
        assert!(session.largest_burst <= DEFAULT_BURST + 1_300, "seed {seed}: a burst of {}", session.largest_burst);
    }
}

#[test]
fn while_catching_up_time_stamps_tell_the_time_of_sending_and_then_nature_goes_on() {
    let mut session = Session::new(7, 300, CLEAN);
    session.run(Duration::from_millis(9_000), false);
    session.join();
    session.run(Duration::from_millis(1_500), true);
    let stamps = &session.receiver.timestamps;
    let steps: Vec<u32> = stamps.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let total: u32 = steps.iter().sum();
    // 1.5 s of watching are 1.5 s of media, though 300 frames were caught up within it.
    assert!((130_000..139_500).contains(&total), "{total} ticks");
    assert!(steps.iter().take(200).all(|step| (1..=300).contains(step)), "{steps:?}");
    assert!(steps.iter().rev().take(20).all(|step| *step == 3_000), "{steps:?}");
}

#[test]
fn without_a_cache_the_next_keyframe_is_the_first() {
    let mut session = Session::new(8, 60, CLEAN);
    session.history = History::new(90_000, Limits { instant_start: false, ..Limits::default() });
    session.run(Duration::from_millis(2_500), false);
    let joined = session.now();
    session.join();
    session.run(Duration::from_millis(3_000), true);
    let (first, at) = session.receiver.decoded[0];
    assert_eq!(first, 120);
    assert!(at.since(joined) > Duration::from_millis(1_000));
}

#[test]
fn sequence_numbers_are_contiguous_at_any_join_moment_on_a_clean_line() {
    for seed in 0..30 {
        let mut session = Session::new(seed, 1 + seed * 7, CLEAN);
        session.run(Duration::from_millis(100 + seed * 131), false);
        session.join();
        session.run(Duration::from_millis(1_000), true);
        assert!(session.receiver.missing(Duration::ZERO, session.now()).is_empty(), "seed {seed}: a gap");
        assert_eq!(session.wire.repairs, 0);
        let newest = session.newest();
        assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(newest));
    }
}

#[test]
fn loss_is_repaired_within_round_trips() {
    for (loss_percent, retransmission) in [(5, true), (10, true), (5, false)] {
        for seed in 0..5 {
            let delay = Duration::from_millis(20);
            let line = Line { loss_percent, delay, jitter: Duration::from_millis(2), retransmission, bottleneck: None };
            let mut session = Session::new(seed, 60, line);
            session.run(Duration::from_millis(2_700), false);
            session.join();
            session.run(Duration::from_secs(20), true);
            let what = format!("{loss_percent} %, seed {seed}");
            assert_eq!(session.receiver.keyframe_requests, 0, "{what}");
            assert!(session.receiver.decoded.len() >= 590, "{what}: {} frames", session.receiver.decoded.len());
            assert_eq!(session.receiver.repaired > 0, retransmission, "{what}");
            let gaps = session.receiver.decoded.windows(2).map(|pair| pair[1].1.since(pair[0].1));
            let longest = gaps.max().expect("frames were decoded");
            assert!(longest < Duration::from_millis(300), "{what}: a freeze of {longest:?}");
        }
    }
}

#[test]
fn a_packet_is_not_repeated_within_a_round_trip() {
    let mut session = Session::new(1, 60, CLEAN);
    session.run(Duration::from_millis(100), false);
    session.join();
    session.run(Duration::from_millis(100), true);
    let now = session.now();
    let wanted = [65_001, 65_001, 65_002];
    let trip = Duration::from_millis(50);
    let mut nack = |after: Duration| {
        let mut count = 0;
        session.track.nack(&wanted, trip, now + after, &session.history, &mut |_| count += 1);
        count
    };
    assert_eq!(nack(Duration::ZERO), 2);
    assert_eq!(nack(Duration::from_millis(49)), 0);
    assert_eq!(nack(Duration::from_millis(50)), 2);
}

#[test]
fn repairs_have_a_budget_and_beyond_it_the_next_keyframe_is_awaited() {
    let mut session = Session::new(2, 60, CLEAN);
    session.run(Duration::from_millis(100), false);
    session.join();
    session.run(Duration::from_millis(1_000), true);
    let before = session.wire.bytes;
    let now = session.now();
    let everything: Vec<u16> = (65_000..65_535).collect();
    let mut bytes = 0;
    for round in 0..50 {
        let at = now + Duration::from_millis(100) * round;
        let collect = &mut |packet: Outgoing<'_>| bytes += packet.payload().len();
        session.track.nack(&everything, Duration::from_millis(10), at, &session.history, collect);
    }
    assert!(bytes <= 64_000 + before / 2, "{bytes} of {before} bytes sent again");
    let delta = session.encoder.next_unit();
    session.encoder.packetize(&delta).iter().for_each(|datagram| session.bench.video(datagram));
    let frame = session.bench.frames().pop().expect("a frame");
    assert_eq!(session.track.live(&frame, now, &mut |_| {}), Outcome::AwaitingKeyframe);
}

#[test]
fn on_a_slow_line_the_pace_comes_down_until_the_line_can_take_it() {
    // A stream of about 1 Mbit/s through 3 Mbit/s, with a queue of 40 kB: twenty times the stream would overflow it.
    for seed in 0..10 {
        let delay = Duration::from_millis(20);
        let line = Line { delay, bottleneck: Some((375, 40_000)), ..CLEAN };
        let mut session = Session::new(seed, 300, line);
        session.run(Duration::from_millis(8_000), false);
        let joined = session.now();
        session.join();
        session.run(Duration::from_secs(8), true);
        let behind = session.newest() - session.receiver.decoded[session.receiver.decoded.len() - 1].0;
        assert!(behind <= 4, "seed {seed}: {behind} frames behind");
        let first = session.receiver.decoded[0].1.since(joined);
        assert!(first < Duration::from_millis(500), "seed {seed}: first picture after {first:?}");
        let (overflowed, packets) = (session.overflowed, session.wire.packets);
        assert!(overflowed * 3 < packets, "seed {seed}: {overflowed} of {packets} packets did not get through");
        assert!(session.receiver.keyframe_requests <= 2, "seed {seed}");
    }
}

#[test]
fn repairs_of_many_packets_are_spread_over_time() {
    let mut session = Session::new(12, 60, CLEAN);
    session.encoder.size = 40_000;
    session.run(Duration::from_millis(100), false);
    session.track = track(true, 16_000);
    session.join();
    session.run(Duration::from_millis(1_900), true);
    let now = session.now();
    let (before, lost) = (session.wire.repairs, session.wire.packets as u16 - 90);
    let wanted: Vec<u16> = (0..80).map(|back| 65_000u16.wrapping_add(lost).wrapping_add(back)).collect();
    let mut at_once = 0;
    let wire = &mut session.wire;
    session.track.nack(&wanted, Duration::from_millis(40), now, &session.history, &mut |packet| {
        wire.take(&packet);
        at_once += packet.payload().len();
    });
    assert!(at_once <= 16_000 + 1_200, "{at_once} bytes at once");
    session.largest_burst = 0;
    session.run(Duration::from_millis(300), true);
    assert_eq!(session.wire.repairs - before, 80, "all are sent in the end");
    assert!(session.largest_burst <= 2 * 16_000 + 2_600, "a burst of {}", session.largest_burst);
}

#[test]
fn without_pacing_a_large_keyframe_leaves_at_once() {
    let mut session = Session::new(5, 30, CLEAN);
    session.encoder.size = 100_000;
    session.track = track(true, usize::MAX);
    session.run(Duration::from_millis(40), false);
    session.join();
    session.run(Duration::from_millis(2_500), true);
    assert!(session.largest_burst > 2 * DEFAULT_BURST, "a burst of {}", session.largest_burst);
    assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(session.newest()));
}

#[test]
fn requests_for_what_was_never_sent_are_ignored() {
    let mut session = Session::new(3, 60, CLEAN);
    session.run(Duration::from_millis(500), false);
    session.join();
    session.run(Duration::from_millis(100), true);
    let now = session.now();
    let all: Vec<u16> = (0..64_900).collect();
    session.track.nack(&all, Duration::ZERO, now, &session.history, &mut |_| panic!("not sent"));
}

#[test]
fn a_keyframe_request_is_answered_from_the_cache_but_not_too_often() {
    let mut session = Session::new(4, 300, CLEAN);
    session.run(Duration::from_millis(1_000), false);
    session.join();
    session.run(Duration::from_millis(1_000), true);
    let decoded = session.receiver.decoded.len();
    let now = session.now();
    assert!(session.track.refresh(now, &session.history));
    session.run(Duration::from_millis(400), true);
    let again = session.receiver.decoded[decoded..].iter().filter(|(number, _)| *number == 0).count();
    assert_eq!(again, 1, "the IDR picture comes again");
    let sent = session.sent_bytes;
    let now = session.now();
    assert!(session.track.refresh(now, &session.history), "answered a moment ago");
    session.run(Duration::from_millis(40), true);
    assert!(session.sent_bytes - sent < 40_000, "nothing but live frames");
    let newest = session.newest();
    assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(newest));
}

#[test]
fn while_the_source_pauses_a_viewer_that_has_everything_is_repeated_nothing() {
    let mut session = Session::new(4, 60, CLEAN);
    session.run(Duration::from_millis(1_000), false);
    session.join();
    session.run(Duration::from_millis(1_500), true);
    session.next_frame = session.now() + Duration::from_millis(2_200);
    session.run(Duration::from_millis(1_500), true);
    let (decoded, sent) = (session.receiver.decoded.len(), session.sent_bytes);
    let now = session.now();
    assert!(session.track.refresh(now, &session.history), "no use in asking the source either");
    session.run(Duration::from_millis(600), true);
    assert_eq!((session.receiver.decoded.len(), session.sent_bytes), (decoded, sent));

    session.run(Duration::from_millis(400), true);
    assert!(session.receiver.decoded.len() > decoded, "live again");
    assert_eq!(session.repeated_after_refresh(), [60], "answered again");
}

#[test]
fn while_the_source_pauses_a_viewer_that_lacks_something_is_helped() {
    let mut session = Session::new(4, 60, CLEAN);
    session.run(Duration::from_millis(1_000), false);
    session.join();
    session.run(Duration::from_millis(1_500), true);
    // The last picture gets lost, and nothing comes after it that would show the gap.
    session.line.loss_percent = 100;
    session.run(FRAME, true);
    session.line.loss_percent = 0;
    let newest = session.newest();
    session.next_frame = session.now() + Duration::from_secs(20);
    session.run(Duration::from_millis(2_500), true);
    assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(newest - 1));
    assert_eq!(session.repeated_after_refresh(), [60]);
    assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(newest));
}

#[test]
fn a_large_keyframe_leaves_in_several_bursts() {
    let mut session = Session::new(5, 30, CLEAN);
    session.encoder.size = 100_000;
    session.run(Duration::from_millis(40), false);
    session.join();
    session.run(Duration::from_millis(2_500), true);
    // The rest of a large frame and a small live one may fall together.
    assert!(session.largest_burst <= 2 * DEFAULT_BURST + 2_600, "a burst of {}", session.largest_burst);
    let newest = session.newest();
    let (last, _) = session.receiver.decoded[session.receiver.decoded.len() - 1];
    assert!(newest - last <= 2, "frame {last} of {newest}");
    let count = session.receiver.decoded.len() as u64;
    assert_eq!(count, last + 1, "each frame once");
}

#[test]
fn what_a_shard_missed_comes_from_the_cache() {
    let mut session = Session::new(6, 300, CLEAN);
    session.run(Duration::from_millis(500), false);
    session.join();
    session.run(Duration::from_millis(300), true);
    session.run(Duration::from_millis(2_000), false);
    session.run(Duration::from_millis(500), true);
    let numbers: Vec<u64> = session.receiver.decoded.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..=session.newest()).collect::<Vec<_>>(), "each picture once");
    assert_eq!(session.wire.repeated_bytes, 0);
}

#[test]
fn what_the_cache_has_forgotten_is_passed_over_up_to_a_keyframe() {
    for instant_start in [true, false] {
        let mut session = Session::new(6, 30, CLEAN);
        let limits = Limits { age: Duration::from_millis(1_200), instant_start, ..Limits::default() };
        session.history = History::new(90_000, limits);
        session.join();
        session.run(Duration::from_millis(800), true);
        // 44 pictures go by, and the next one kept is number 33 or so.
        session.run(FRAME * 44, false);
        session.run(Duration::from_secs(2), true);
        let numbers = session.receiver.decoded.windows(2);
        let jumps: Vec<u64> = numbers.filter(|pair| pair[1].0 != pair[0].0 + 1).map(|pair| pair[1].0).collect();
        assert_eq!(jumps, [if instant_start { 60 } else { 90 }]);
    }
}

#[test]
fn capture_times_and_the_wish_for_low_delay_are_told_once_a_second() {
    let mut session = Session::new(9, 30, CLEAN);
    session.run(Duration::from_millis(500), false);
    let wall = WallClock::new(Duration::from_secs(1_000));
    session.track = Track::new(TrackConfig {
        codec: Codec::H264,
        payload_type: PAYLOAD_TYPE,
        ssrc: SSRC,
        first_sequence: 0,
        timestamp_offset: 0,
        nack: true,
        retransmission: None,
        extensions: ExtensionIds { absolute_capture_time: Some(3), playout_delay: Some(14) },
        burst: DEFAULT_BURST,
        wall,
    });
    let mut told = Vec::new();
    for _ in 0..90 {
        session.next_frame = session.next_frame + FRAME;
        let unit = session.encoder.next_unit();
        session.encoder.packetize(&unit).iter().for_each(|datagram| session.bench.video(datagram));
        let now = session.now();
        for frame in session.bench.frames() {
            session.history.push(frame.clone());
            session.track.live(&frame, now, &mut |packet| {
                RtpPacket::parse(&bytes(&packet)).expect("valid with its extension");
                if let Some(extension) = packet.extension {
                    let before = (0..packet.index).map(|index| frame.payloads.payload(index).len());
                    assert!(before.min().is_none_or(|size| size > MAX_EXTENDED), "the first packet that has room");
                    let capture = u64::from_be_bytes(extension.as_bytes()[5..13].try_into().expect("eight bytes"));
                    let late = wall.ntp(now).nanos() - core_media::time::Ntp(capture).nanos();
                    assert!((0..1_000_000).contains(&late.abs()), "captured {late} ns before it was sent");
                    told.push(now);
                }
            });
        }
        session.bench.pass(FRAME);
    }
    assert!((2..=3).contains(&told.len()), "{told:?}");
}
