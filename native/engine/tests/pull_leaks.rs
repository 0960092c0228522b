//! Pulls that begin, fail and end leave nothing behind. Alone in its file: it measures the whole process.
#![cfg(target_os = "linux")]

mod support;

use core_media::frame::Kind;
use support::*;

#[test]
fn eighty_pulls_leave_nothing_behind() {
    let (origin, edge_engine) = (start(1), start(1));
    let mut programme = Programme::new(&origin, "cam");
    let mut edge = Edge::new(&edge_engine, "relay");
    let mut together = |rounds: usize| {
        for _ in 0..rounds {
            // One that nobody answers, one whose answer is none, one that plays.
            let (unanswered, _) = edge.offer();
            let (refused, _) = edge.offer();
            assert!(edge_engine.accept_answer(&refused, "no", &answered(&Kind::ALL)).is_err());
            edge.pull(&origin, "cam");
            programme.picture(true, 20_000);
            let active = || edge_engine.facts("relay").and_then(|facts| facts.video).is_some_and(|video| video.active);
            eventually("a picture", active);
            for id in [unanswered, refused] {
                edge_engine.remove_session(&id);
            }
            edge.leave(&origin);
            programme.pictures.clear();
        }
    };
    together(5);
    let (before, memory_before) = (footprint(), memory());
    together(25);
    eventually("threads and descriptors are back", || footprint() == before);
    let growth = memory().saturating_sub(memory_before);
    // What is kept of the streams is bounded: a session needs about 150 KiB, so 75 that stay would be 11 MiB.
    assert!(growth < 8_192, "{growth} KiB more after 75 pulls");
    assert_eq!(edge_engine.snapshot().udp_ports, 1);
}
