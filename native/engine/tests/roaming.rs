//! A viewer whose address changes in mid-session: what is encrypted past the library follows it.
#![cfg(target_os = "linux")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::*;

/// Joins through a relay in the place of every candidate.
fn join_behind(engine: &engine::Engine, stream: &str) -> (Viewer, Relay) {
    loop {
        let (mut viewer, offer) = Viewer::offer();
        let number = next_number();
        viewer.id = format!("viewer-{number}");
        let unknown: String = offer.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate:")).collect();
        let answer = watch(engine, stream, &viewer.id, number, &unknown).expect("an answer");
        let relay = Relay::start(address(&answer));
        let relayed = answer.replace(&address(&answer).port().to_string(), &relay.address().port().to_string());
        if viewer.accept(&relayed).is_ok() {
            viewer.log.wait("a connection", |state| state.connected || state.gone);
            if !viewer.log.state().gone {
                return (viewer, relay);
            }
        }
        leave(engine, viewer);
    }
}

/// Of the answer's candidate.
fn address(answer: &str) -> SocketAddr {
    let candidate = answer.lines().find(|line| line.starts_with("a=candidate:")).expect("a candidate");
    let port = candidate.split(' ').nth(5).and_then(|port| port.parse().ok()).expect("a port");
    (LOOPBACK, port).into()
}

#[test]
fn a_viewer_that_gets_another_port_plays_on() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let (viewer, relay) = join_behind(&engine, "cam");
    programme.picture(true, 5_000);
    viewer.wait_for_last(&programme);
    for round in 0..3 {
        let before = rtc::send_counters().direct;
        relay.rebind();
        let from = programme.pictures.len();
        // What a viewer says from its new port is what shows it to the engine.
        eventually("a picture of after the change", || {
            viewer.send_reports(1);
            programme.picture(true, 2_000);
            // More reports than a viewer needs would be a flood.
            std::thread::sleep(Duration::from_millis(20));
            let state = viewer.log.state();
            programme.pictures[from..]
                .iter()
                .filter_map(|picture| picture.payloads.last())
                .any(|last| state.packets.iter().rev().any(|packet| packet.payload == *last))
        });
        programme.picture(true, 2_000);
        viewer.wait_for_last(&programme);
        assert!(rtc::send_counters().direct > before, "round {round}: it goes past the library all the time");
        assert_eq!(engine.viewers().len(), 1, "round {round}: it is the same session");
    }
}
