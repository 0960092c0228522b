//! Viewers come and go.

mod support;

use std::collections::HashMap;

use core_media::frame::Kind;
use engine::{EndReason, EngineError, Event};
use support::*;

#[test]
fn viewers_join_and_leave_while_media_flows() {
    let engine = start(2);
    let mut programme = Programme::new(&engine, "cam");
    let mut viewers: Vec<Viewer> = Vec::new();
    for number in 0..200 {
        programme.picture(number % 20 == 0, 5_000);
        programme.sound();
        if number % 4 == 0 {
            viewers.push(Viewer::join(&engine, "cam"));
        }
        if number % 4 == 2 && viewers.len() > 10 {
            // The oldest, so that every viewer sees others come and go.
            let viewer = viewers.remove(0);
            viewer.wait_for_last(&programme);
            programme.position(&viewer.received(Kind::Video));
            leave(&engine, viewer);
        }
    }
    for viewer in &viewers {
        viewer.wait_for_last(&programme);
        let range = programme.position(&viewer.received(Kind::Video));
        assert_eq!(range.end, programme.pictures.len(), "{}", viewer.id);
    }
    assert_eq!(engine.viewers().len(), viewers.len());
    viewers.into_iter().for_each(|viewer| leave(&engine, viewer));
    assert_eq!(engine.viewers().len(), 0);
    assert_eq!(engine.snapshot().streams[0].viewers, 0);
}

#[test]
fn a_peer_that_goes_ends_its_session_and_no_other() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let (going, staying) = (Viewer::join(&engine, "cam"), Viewer::join(&engine, "cam"));
    programme.picture(true, 5_000);
    for viewer in [&going, &staying] {
        viewer.wait_for_last(&programme);
    }
    let id = going.id.clone();
    drop(going);
    let mut ended = HashMap::new();
    eventually("the session's end", || {
        programme.picture(false, 5_000);
        for event in engine.drain_events() {
            if let Event::SessionEnded { session, reason } = event {
                ended.insert(session, reason);
            }
        }
        !ended.is_empty()
    });
    assert_eq!(ended, HashMap::from([(id.clone(), EndReason::ClosedByPeer)]));
    engine.remove_session(&id);
    programme.picture(false, 5_000);
    staying.wait_for_last(&programme);
    assert_eq!(programme.position(&staying.received(Kind::Video)), 0..programme.pictures.len());
    assert_eq!(engine.viewers().len(), 1);
}

#[test]
fn what_a_session_carried_is_told_once_at_its_end() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let viewer = Viewer::join(&engine, "cam");
    programme.picture(true, 9_000);
    programme.sound_for(std::slice::from_ref(&viewer));
    programme.sound();
    viewer.wait_for_last(&programme);
    viewer.wait_for_last_sound(&programme);
    let packets = viewer.log.state().packets.clone();
    let totals = engine.remove_session(&viewer.id).expect("a session");
    // A header has 12 bytes (RFC 3550 §5.1); this viewer sends no reports.
    let bytes: usize = packets.iter().map(|packet| packet.payload.len() + 12).sum();
    assert_eq!((totals.packets, totals.bytes), (packets.len() as u64, bytes as u64));
    assert_eq!(totals.loss, None);
    assert_eq!(engine.remove_session(&viewer.id), None);
}

#[test]
fn closing_ends_everything() {
    let engine = start(2);
    let mut programme = Programme::new(&engine, "cam");
    let viewers: Vec<Viewer> = (0..10).map(|_| Viewer::join(&engine, "cam")).collect();
    programme.picture(true, 5_000);
    viewers.iter().for_each(|viewer| viewer.wait_for_last(&programme));
    engine.close();
    for viewer in &viewers {
        viewer.log.wait("the end", |state| state.gone);
    }
    assert!(!engine.push("cam", Kind::Video, vec![0, 0, 1, 0x41], DEADLINE));
    assert!(matches!(Viewer::try_join(&engine, "cam"), Err(EngineError::Closing)));
    assert_eq!((engine.viewers().len(), engine.snapshot().streams.len(), engine.snapshot().udp_ports), (0, 0, 0));
    engine.close();
}
