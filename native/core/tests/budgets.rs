//! What an honest viewer on a bad line says is within what a viewer may say: in virtual time.

mod support;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use core_media::budget::{Budget, Charge};
use core_media::gate::{Decision, Gate, Limits};
use core_media::stun::{key, request};
use core_media::time::Time;
use support::Random;

const PASSWORD: &str = "the password of the session";
const CLIENT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000));
/// NACK, picture loss and reports look alike from outside (RFC 3711 §3.4).
const RTCP: &[u8] = &[0x81, 201, 0, 1, 0, 0, 0, 1];

const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 30);
/// From packet to packet of a frame: 64 Mbit/s.
const PACE: Duration = Duration::from_micros(150);
/// Chromium asks again for what is missing at this interval, a round trip after it has asked last, ten times at most.
const AGAIN: Duration = Duration::from_millis(20);
const TIMES: u32 = 10;
/// It checks its pair at this interval.
const CHECK: Duration = Duration::from_millis(2_500);
const REPORT: Duration = Duration::from_secs(1);

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Line {
    loss_percent: u64,
    packets_per_frame: u64,
    round_trip: Duration,
}

/// A packet that was asked for, so many times.
struct Missing {
    times: u32,
    asked: Time,
}

/// What the viewer says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Nack,
    /// Names both streams: the library hands it out twice.
    Report,
    Check,
}

/// As Chromium does it, over a minute: a NACK for each gap, at once, and reports of both streams. Nothing of it gets lost.
fn watch(line: Line, seed: u64) -> Vec<(Time, Word)> {
    let mut random = Random::new(seed);
    let mut said = Vec::new();
    let mut missing: Vec<Missing> = Vec::new();
    let mut gap = 0;
    let start = Time::from_millis(1_000);
    let (mut again, mut report, mut check) = (start, start, start);
    let mut frame = start;
    while frame.since(start) < MINUTE {
        for packet in 0..line.packets_per_frame {
            let now = frame + PACE * packet as u32;
            while again <= now {
                again = again + AGAIN;
                // What was asked for has come by now, or got lost as well.
                missing.retain(|it| again.since(it.asked) < line.round_trip || random.chance(line.loss_percent));
                missing.retain(|it| it.times < TIMES);
                let due = missing.iter_mut().filter(|it| again.since(it.asked) >= line.round_trip);
                if due.map(|it| (it.times, it.asked) = (it.times + 1, again)).count() > 0 {
                    said.push((again, Word::Nack));
                }
            }
            if random.chance(line.loss_percent) {
                gap += 1;
                continue;
            }
            if gap > 0 {
                missing.extend((0..gap).map(|_| Missing { times: 1, asked: now }));
                said.push((now, Word::Nack));
                gap = 0;
            }
        }
        for (next, interval, word) in [(&mut report, REPORT, Word::Report), (&mut check, CHECK, Word::Check)] {
            if *next <= frame {
                *next = *next + interval;
                said.push((frame, word));
            }
        }
        frame = frame + FRAME;
    }
    said.sort_by_key(|(at, _)| *at);
    said
}

/// Up to 25 Mbit/s, near and far away.
fn lines() -> impl Iterator<Item = Line> {
    [(2, 40), (10, 40), (87, 5), (87, 40), (87, 300)].into_iter().map(|(packets_per_frame, round_trip)| Line {
        loss_percent: 10,
        packets_per_frame,
        round_trip: Duration::from_millis(round_trip),
    })
}

#[test]
fn a_viewer_on_a_line_that_loses_a_tenth_passes_the_gate() {
    for (seed, line) in (1..).zip(lines()) {
        let mut gate = Gate::new(Limits::VIEWER);
        gate.add(1, "ours", PASSWORD, ());
        let check = request([1; 12], "ours:theirs", 7, &key(PASSWORD));
        assert_eq!(gate.decide(CLIENT, &check, Time::from_millis(0)), Decision::Pass);
        for (at, word) in watch(line, seed) {
            let datagram = if word == Word::Check { &check } else { RTCP };
            assert_eq!(gate.decide(CLIENT, datagram, at), Decision::Pass, "{line:?} at {at:?}");
        }
    }
}

#[test]
fn its_reports_and_requests_are_within_the_budget_for_them() {
    for (seed, line) in (1..).zip(lines()) {
        let mut budget = Budget::feedback();
        let said = watch(line, seed);
        let nacks = said.iter().filter(|(_, word)| *word == Word::Nack).count();
        let gaps = 60 * 30 * line.packets_per_frame as usize * 9 / 100;
        assert!(nacks > gaps * 8 / 10, "{line:?}: {nacks} requests for some {gaps} gaps");
        for (at, word) in said {
            let packets = match word {
                Word::Nack => 1,
                Word::Report => 2,
                Word::Check => 0,
            };
            for _ in 0..packets {
                assert_eq!(budget.take(at), Charge::Within, "{line:?} at {at:?}");
            }
        }
    }
}
