//! What a viewer may draw, whatever it asks for: never much more than the stream is.

#[path = "support/receiver.rs"]
mod receiver;
#[path = "support/session.rs"]
mod session;
mod support;
#[path = "support/wire.rs"]
mod wire;

use std::time::Duration;

use core_media::history::Cache;
use core_media::rtcp::{Rtcp, parse};
use receiver::FIRST_SEQUENCE;
use session::{CLEAN, FRAME, Session};

const STEP: Duration = Duration::from_millis(50);
const SPAN: usize = 200;

const PLI: [u8; 12] = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7];
const FIR: [u8; 20] = [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0, 0, 0];

/// What a viewer asks for in each step.
#[derive(Clone, Copy, Debug)]
struct Storm {
    keyframes: Option<&'static [u8]>,
    nacks: bool,
}

const STORMS: [Storm; 4] = [
    Storm { keyframes: Some(&PLI), nacks: false },
    Storm { keyframes: Some(&FIR), nacks: false },
    Storm { keyframes: None, nacks: true },
    Storm { keyframes: Some(&PLI), nacks: true },
];

/// Payload bytes of the stream and those sent to the viewer, step by step from its joining on.
struct Drawn {
    start: usize,
    steps: Vec<(usize, usize)>,
    refused: usize,
}

fn draw(storm: Storm, gop: u64, joins_at: Duration, duration: Duration) -> Drawn {
    let mut session = Session::new(gop, gop, CLEAN);
    session.run(joins_at, false);
    session.join();
    let start = session.history.keyframe().map_or(0, |keyframe| keyframe.bytes);
    let mut drawn = Drawn { start, steps: Vec::new(), refused: 0 };
    let mut next = session.newest() + 1;
    for _ in 0..duration.as_millis() / STEP.as_millis() {
        let before = session.wire.bytes + session.wire.repeated_bytes;
        session.run(STEP, true);
        let Session { track, history, wire, bench, .. } = &mut session;
        parse(storm.keyframes.unwrap_or_default(), |report| {
            assert!(matches!(report, Rtcp::Pli { .. } | Rtcp::Fir { .. }));
            drawn.refused += usize::from(!track.refresh(bench.now, history));
        });
        if storm.nacks {
            let newest = FIRST_SEQUENCE.wrapping_add(wire.packets as u16);
            let wanted: Vec<u16> = (1..=256).map(|back| newest.wrapping_sub(back)).collect();
            track.nack(&wanted, Duration::from_millis(20), bench.now, history, &mut |packet| wire.take(&packet));
        }
        let mut stream = 0;
        while let Some(frame) = session.history.frame(next) {
            stream += frame.payloads.total();
            next += 1;
        }
        drawn.steps.push((stream, session.wire.bytes + session.wire.repeated_bytes - before));
    }
    drawn
}

fn sums(window: &[(usize, usize)]) -> (usize, usize) {
    window.iter().fold((0, 0), |(stream, sent), step| (stream + step.0, sent + step.1))
}

#[test]
fn over_ten_seconds_nobody_draws_more_than_one_and_a_half_times_the_stream() {
    for gop in [30, 60, 300] {
        for storm in STORMS {
            let drawn = draw(storm, gop, Duration::from_millis(2_500), Duration::from_secs(60));
            let what = format!("{storm:?}, pictures from keyframe to keyframe: {gop}");
            for (index, window) in drawn.steps.windows(SPAN).enumerate() {
                let (stream, sent) = sums(window);
                // What a viewer begins with is not the stream's rate, and may be sent a second time, once.
                let start = if index < SPAN { 2 * drawn.start + 64_000 } else { 0 };
                assert!(2 * sent <= 3 * stream + 2 * start, "{what}: {sent} bytes of {stream}, {start}, step {index}");
            }
            let (stream, sent) = sums(&drawn.steps[SPAN..]);
            // Who says that everything gets lost is given keyframes alone.
            let used = storm.nacks || 5 * sent > 6 * stream;
            assert!(used, "{what}: the budget is there to be used: {sent} bytes of {stream}");
        }
    }
}

#[test]
fn when_the_budget_is_spent_the_source_is_to_be_asked() {
    let drawn = draw(STORMS[0], 300, Duration::from_millis(2_500), Duration::from_secs(30));
    assert!((10..=60).contains(&drawn.refused), "at most twice a second: {}", drawn.refused);
}

#[test]
fn the_first_start_is_fast_and_may_be_repeated() {
    let mut session = Session::new(3, 300, CLEAN);
    session.run(Duration::from_millis(8_000), false);
    session.join();
    session.run(Duration::from_millis(600), true);
    assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(session.newest()));
    assert_eq!(session.repeated_after_refresh(), [0]);
    session.run(Duration::from_millis(600), true);
    assert_eq!(session.repeated_after_refresh(), [], "not again and again");
}

#[test]
fn after_a_loss_a_keyframe_that_is_near_is_waited_for() {
    for (passed, lossy, repeated) in [(51, true, false), (51, false, true), (20, true, true)] {
        let mut session = Session::new(4, 60, CLEAN);
        session.join();
        session.run(FRAME * 120 + FRAME * passed, true);
        if lossy {
            let now = session.now();
            session.track.nack(&[FIRST_SEQUENCE], Duration::from_millis(40), now, &session.history, &mut |_| {});
        }
        let expected: &[u64] = if repeated { &[120] } else { &[] };
        assert_eq!(session.repeated_after_refresh(), expected, "{passed} pictures after a keyframe, loss: {lossy}");
        session.run(FRAME * 12, true);
        let keyframe = session.receiver.decoded.iter().any(|(number, _)| *number == 180);
        assert_eq!(keyframe, passed == 51, "the next one comes by itself");
    }
}

#[test]
fn a_stream_of_a_picture_in_five_seconds_is_helped() {
    let mut session = Session::new(5, 2, CLEAN);
    session.interval = Duration::from_secs(5);
    session.join();
    session.run(Duration::from_secs(121), true);
    for lost in 0..4 {
        // Just before a picture.
        let wait = session.next_frame.since(session.now());
        session.run(wait, true);
        session.line.loss_percent = 100;
        session.run(Duration::from_millis(50), true);
        session.line.loss_percent = 0;
        let newest = session.newest();
        assert!(session.receiver.decoded.iter().all(|(number, _)| *number != newest));
        session.run(Duration::from_millis(1_500), true);
        session.repeated_after_refresh();
        assert_eq!(session.receiver.decoded.last().map(|(number, _)| *number), Some(newest), "loss {lost}");

        // The next report says that it has everything.
        session.run(Duration::from_millis(1_100), true);
        let (now, sent) = (session.now(), session.sent_bytes);
        assert!(session.track.refresh(now, &session.history));
        session.run(Duration::from_millis(100), true);
        assert_eq!(session.sent_bytes, sent, "loss {lost}: nothing newer to get");
        session.run(Duration::from_secs(50), true);
        let last = session.receiver.decoded.last().map(|(number, _)| *number);
        assert_eq!(last, Some(session.newest()), "loss {lost}: goes on");
    }
}
