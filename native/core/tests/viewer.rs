//! What a viewer gets, from any moment on and over any line: two ends and a seeded network in virtual time.

#[path = "support/receiver.rs"]
mod receiver;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use core_media::extension::{Extension, ExtensionIds};
use core_media::frame::Kind;
use core_media::history::{History, Limits};
use core_media::rtp::RtpPacket;
use core_media::time::{Time, WallClock};
use core_media::track::{MAX_BURST, Outcome, Outgoing, Retransmission, Track, TrackConfig};
use receiver::{FIRST_SEQUENCE, PAYLOAD_TYPE, RTX_PAYLOAD_TYPE, RTX_SSRC, Receiver, SSRC};
use support::{Bench, Encoder, Random};

const FRAME: Duration = Duration::from_micros(33_333);
const STEP: Duration = Duration::from_millis(1);

/// What the line between server and viewer does.
#[derive(Clone, Copy)]
struct Line {
    loss_percent: u64,
    delay: Duration,
    /// Added at random, up to this.
    jitter: Duration,
    retransmission: bool,
}

const CLEAN: Line = Line { loss_percent: 0, delay: Duration::ZERO, jitter: Duration::ZERO, retransmission: true };

struct Session {
    bench: Bench,
    encoder: Encoder,
    history: History,
    track: Track,
    receiver: Receiver,
    random: Random,
    line: Line,
    /// On the way, by arrival.
    forth: BTreeMap<(Time, u64), Vec<u8>>,
    back: BTreeMap<(Time, u64), Request>,
    count: u64,
    next_frame: Time,
    /// Bytes that left in one call, at most.
    largest_burst: usize,
    sent_bytes: usize,
    repairs: usize,
}

enum Request {
    Nack(Vec<u16>),
    Keyframe,
}

fn track(retransmission: bool) -> Track {
    let retransmission = retransmission.then_some(Retransmission {
        payload_type: RTX_PAYLOAD_TYPE,
        ssrc: RTX_SSRC,
        first_sequence: 65_530,
    });
    Track::new(TrackConfig {
        kind: Kind::Video,
        payload_type: PAYLOAD_TYPE,
        ssrc: SSRC,
        first_sequence: FIRST_SEQUENCE,
        timestamp_offset: 0xffff_0000,
        retransmission,
        extensions: ExtensionIds::default(),
        wall: WallClock::new(Duration::from_secs(1_000)),
    })
}

/// The packet's bytes, as a shard puts them together.
fn bytes(packet: &Outgoing<'_>) -> Vec<u8> {
    let extension = packet.extension.as_ref().map_or(&[][..], Extension::as_bytes);
    let original = packet.original.map(u16::to_be_bytes);
    packet.header.iter().chain(extension).chain(original.iter().flatten()).chain(packet.payload()).copied().collect()
}

impl Session {
    fn new(seed: u64, gop: u64, line: Line) -> Self {
        let mut encoder = Encoder::new(seed);
        encoder.gop = gop;
        let bench = Bench::new();
        let next_frame = bench.now;
        Self {
            bench,
            encoder,
            history: History::new(Kind::Video, Limits::default()),
            track: track(line.retransmission),
            receiver: Receiver::default(),
            random: Random::new(seed + 1_000),
            line,
            forth: BTreeMap::new(),
            back: BTreeMap::new(),
            count: 0,
            next_frame,
            largest_burst: 0,
            sent_bytes: 0,
            repairs: 0,
        }
    }

    fn now(&self) -> Time {
        self.bench.now
    }

    fn join(&mut self) {
        let now = self.now();
        self.track.open(now, &self.history);
    }

    /// Runs the stream, the viewer and the line between them.
    fn run(&mut self, duration: Duration, watching: bool) {
        let end = self.now() + duration;
        while self.now() < end {
            let now = self.now();
            if now >= self.next_frame {
                self.next_frame = self.next_frame + FRAME;
                let unit = self.encoder.next_unit();
                self.encoder.packetize(&unit).iter().for_each(|datagram| self.bench.video(datagram));
            }
            let frames = self.bench.frames();
            let mut out = Vec::new();
            for frame in frames {
                self.history.push(frame.clone());
                if watching {
                    self.track.live(&frame, now, &mut |packet| out.push(bytes(&packet)));
                }
            }
            if watching {
                self.track.poll(now, &self.history, &mut |packet| out.push(bytes(&packet)));
            }
            self.largest_burst = self.largest_burst.max(out.iter().map(Vec::len).sum());
            out.into_iter().for_each(|packet| self.launch(packet));
            self.deliver(now);
            self.bench.pass(STEP);
        }
    }

    fn launch(&mut self, packet: Vec<u8>) {
        self.sent_bytes += packet.len();
        if self.random.chance(self.line.loss_percent) {
            return;
        }
        let jitter = self.random.below(self.line.jitter.as_nanos() as u64 + 1);
        let at = self.now() + self.line.delay + Duration::from_nanos(jitter);
        self.count += 1;
        self.forth.insert((at, self.count), packet);
    }

    fn deliver(&mut self, now: Time) {
        while let Some(entry) = self.forth.first_entry().filter(|entry| entry.key().0 <= now) {
            let packet = entry.remove();
            self.receiver.packet(&packet, now);
        }
        let round_trip = self.line.delay * 2 + Duration::from_millis(5);
        let missing = self.receiver.missing(round_trip, now);
        let at = now + self.line.delay;
        if !missing.is_empty() && !self.random.chance(self.line.loss_percent) {
            self.count += 1;
            self.back.insert((at, self.count), Request::Nack(missing));
        }
        if self.receiver.stuck() {
            self.count += 1;
            self.back.insert((at, self.count), Request::Keyframe);
        }
        while let Some(entry) = self.back.first_entry().filter(|entry| entry.key().0 <= now) {
            let mut out = Vec::new();
            match entry.remove() {
                Request::Nack(sequences) => {
                    let collect = &mut |packet: Outgoing<'_>| out.push(bytes(&packet));
                    self.repairs += self.track.nack(&sequences, self.line.delay * 2, now, &self.history, collect);
                }
                Request::Keyframe => {
                    self.track.refresh(now, &self.history);
                }
            }
            out.into_iter().for_each(|packet| self.launch(packet));
        }
    }
}

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
        let newest = session.encoder.frame_number() - 1;
        assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(newest), "seed {seed}");
        // Every frame of the GOP so far at 20 times its pace, and those that came meanwhile.
        let behind = Duration::from_millis(2_000) / 20 + Duration::from_millis(40);
        let caught_up = session.receiver.decoded.iter().position(|(number, at)| {
            let made = Time::from_millis(1_000) + FRAME * (*number as u32);
            at.since(made) <= Duration::from_millis(40)
        });
        let (_, at) = session.receiver.decoded[caught_up.expect("caught up")];
        assert!(at.since(joined) <= behind, "seed {seed}: live after {:?}", at.since(joined));
        assert!(session.largest_burst <= MAX_BURST + 1_300, "seed {seed}: a burst of {}", session.largest_burst);
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
    session.history = History::new(Kind::Video, Limits { instant_start: false, ..Limits::default() });
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
        assert_eq!(session.repairs, 0);
        let newest = session.encoder.frame_number() - 1;
        assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(newest));
    }
}

#[test]
fn loss_is_repaired_within_round_trips() {
    for (loss_percent, retransmission) in [(5, true), (10, true), (5, false)] {
        for seed in 0..5 {
            let delay = Duration::from_millis(20);
            let line = Line { loss_percent, delay, jitter: Duration::from_millis(3), retransmission };
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
    let mut nack = |after: Duration| session.track.nack(&wanted, trip, now + after, &session.history, &mut |_| {});
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
    let before = session.sent_bytes;
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
fn requests_for_what_was_never_sent_are_ignored() {
    let mut session = Session::new(3, 60, CLEAN);
    session.run(Duration::from_millis(500), false);
    session.join();
    session.run(Duration::from_millis(100), true);
    let now = session.now();
    let all: Vec<u16> = (0..64_900).collect();
    assert_eq!(session.track.nack(&all, Duration::ZERO, now, &session.history, &mut |_| panic!("not sent")), 0);
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
    let newest = session.encoder.frame_number() - 1;
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
    assert!(session.largest_burst <= 2 * MAX_BURST + 2_600, "a burst of {}", session.largest_burst);
    let newest = session.encoder.frame_number() - 1;
    let (last, _) = session.receiver.decoded[session.receiver.decoded.len() - 1];
    assert!(newest - last <= 2, "frame {last} of {newest}");
    let count = session.receiver.decoded.len() as u64;
    assert_eq!(count, last + 1, "each frame once");
}

#[test]
fn a_gap_in_what_the_shard_got_ends_at_a_keyframe() {
    let mut session = Session::new(6, 30, CLEAN);
    session.run(Duration::from_millis(500), false);
    session.join();
    session.run(Duration::from_millis(300), true);
    session.run(Duration::from_millis(200), false);
    session.run(Duration::from_secs(2), true);
    let jumps: Vec<u64> =
        session.receiver.decoded.windows(2).filter(|pair| pair[1].0 != pair[0].0 + 1).map(|pair| pair[1].0).collect();
    assert_eq!(jumps, [30]);
}

#[test]
fn capture_times_and_the_wish_for_low_delay_are_told_once_a_second() {
    let mut session = Session::new(9, 30, CLEAN);
    session.run(Duration::from_millis(500), false);
    let wall = WallClock::new(Duration::from_secs(1_000));
    session.track = Track::new(TrackConfig {
        kind: Kind::Video,
        payload_type: PAYLOAD_TYPE,
        ssrc: SSRC,
        first_sequence: 0,
        timestamp_offset: 0,
        retransmission: None,
        extensions: ExtensionIds { absolute_capture_time: Some(3), playout_delay: Some(14) },
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
                    assert_eq!(packet.index, 0, "on a frame's first packet");
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
