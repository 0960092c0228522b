//! An engine pulls a stream from another one, and its viewers get what the other's would.

mod support;

use core_media::frame::Kind;
use engine::EngineError;
use support::*;

#[test]
fn every_byte_arrives_over_one_hop() {
    let (origin, edge_engine) = (start(1), start(2));
    let mut programme = Programme::new(&origin, "cam");
    let mut edge = Edge::new(&edge_engine, "relay");
    edge.pull(&origin, "cam");
    let viewers = [Viewer::join(&edge_engine, "relay"), Viewer::join(&edge_engine, "relay")];
    programme.picture(true, 9_000);
    programme.sound_for(&viewers);
    for number in 1..60 {
        programme.picture(number % 20 == 0, 2_000 + 700 * (number % 20));
        programme.sound();
        viewers.iter().for_each(|viewer| viewer.wait_for_last(&programme));
    }
    for viewer in &viewers {
        viewer.wait_for_last_sound(&programme);
        assert_eq!(programme.position(&viewer.received(Kind::Video)), 0..60, "{}", viewer.id);
        assert!(programme.sounds.ends_with(&viewer.received(Kind::Audio)), "{}", viewer.id);
    }
    let facts = edge_engine.facts("relay").expect("the stream is there");
    assert!(
        facts
            .video
            .is_some_and(|video| video.active && video.parameters == Some(vec![("profile-level-id", "42c01f".into())]))
    );
    assert!(facts.audio.is_some_and(|audio| audio.active));
    // A port for the shards each, and one for the pull.
    assert_eq!(edge_engine.snapshot().udp_ports, 3);
}

#[test]
fn an_answer_need_not_announce_its_streams() {
    let (origin, edge_engine) = (start(1), start(1));
    let mut programme = Programme::new(&origin, "cam");
    let mut edge = Edge::new(&edge_engine, "relay");
    edge.pull_legs(&origin, "cam", &Kind::ALL, |answer| {
        answer.split_inclusive('\n').filter(|line| !line.starts_with("a=ssrc")).collect()
    });
    let viewer = Viewer::join(&edge_engine, "relay");
    programme.picture(true, 9_000);
    programme.sound_for(std::slice::from_ref(&viewer));
    for number in 1..10 {
        programme.picture(false, 2_000 + 700 * number);
        viewer.wait_for_last(&programme);
    }
    assert_eq!(programme.position(&viewer.received(Kind::Video)), 0..10);
}

#[test]
fn viewers_stay_while_the_pull_begins_anew() {
    let (origin, edge_engine) = (start(1), start(1));
    let mut programme = Programme::new(&origin, "cam");
    let mut edge = Edge::new(&edge_engine, "relay");
    edge.pull(&origin, "cam");
    let viewer = Viewer::join(&edge_engine, "relay");
    for number in 0..10 {
        programme.picture(number == 0, 5_000);
        viewer.wait_for_last(&programme);
    }
    let before = viewer.received(Kind::Video).len();
    edge.leave(&origin);
    assert_eq!(edge_engine.facts("relay").and_then(|facts| facts.video).map(|video| video.active), Some(false));
    for _ in 0..5 {
        programme.picture(false, 5_000);
    }
    programme.picture(true, 5_000);
    edge.pull(&origin, "cam");
    for _ in 0..10 {
        programme.picture(false, 5_000);
        viewer.wait_for_last(&programme);
    }
    // One sequence of numbers, which `received` checks, and time that goes on.
    let received = viewer.received(Kind::Video);
    assert_eq!(programme.position(&received[..before]), 0..10);
    assert_eq!(programme.position(&received[before..]), 15..26);
    let state = viewer.log.state();
    let stamps: Vec<u32> = state.packets.iter().filter(|it| it.kind == Kind::Video).map(|it| it.timestamp).collect();
    assert!(stamps.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) < 1 << 31));
    assert!(!state.gone);
}

#[test]
fn two_streams_of_one_origin_do_not_mix() {
    let (origin, edge_engine) = (start(1), start(1));
    let (mut first, mut second) = (Programme::new(&origin, "a"), Programme::new(&origin, "b"));
    let (mut edge_a, mut edge_b) = (Edge::new(&edge_engine, "a"), Edge::new(&edge_engine, "b"));
    edge_a.pull(&origin, "a");
    edge_b.pull(&origin, "b");
    let (viewer_a, viewer_b) = (Viewer::join(&edge_engine, "a"), Viewer::join(&edge_engine, "b"));
    for number in 0..10 {
        first.picture(number == 0, 4_000);
        second.picture(number == 0, 7_000);
        viewer_a.wait_for_last(&first);
        viewer_b.wait_for_last(&second);
    }
    assert_eq!(first.position(&viewer_a.received(Kind::Video)), 0..10);
    assert_eq!(second.position(&viewer_b.received(Kind::Video)), 0..10);
}

#[test]
fn who_leaves_late_takes_nothing_from_who_came_meanwhile() {
    let (origin, edge_engine) = (start(1), start(1));
    let mut programme = Programme::new(&origin, "cam");
    let mut edge = Edge::new(&edge_engine, "relay");
    let (first, _) = edge.offer();
    edge.pull(&origin, "cam");
    programme.picture(true, 5_000);
    let active = || edge_engine.facts("relay").and_then(|facts| facts.video).is_some_and(|video| video.active);
    eventually("a picture", active);
    edge_engine.remove_session(&first);
    assert!(active());
    edge.leave(&origin);
    assert!(!active());
}

#[test]
fn the_first_feeds_the_stream_until_the_second_sends() {
    let (first_origin, second_origin, edge_engine) = (start(1), start(1), start(1));
    let mut first = Programme::new(&first_origin, "cam");
    let mut second = Programme::new(&second_origin, "cam");
    let mut edge = Edge::new(&edge_engine, "relay");
    edge.pull(&first_origin, "cam");
    let viewer = Viewer::join(&edge_engine, "relay");
    let mut successor = edge.successor();
    for number in 0..10 {
        first.picture(number == 0, 4_000);
        viewer.wait_for_last(&first);
        match number {
            // One that never connects, and leaves.
            2 => drop(edge_engine.remove_session(&edge.offer().0)),
            // One that is connected, and does not send yet.
            5 => successor.pull(&second_origin, "cam"),
            _ => {}
        }
    }
    let before = viewer.received(Kind::Video).len();
    for number in 0..10 {
        second.picture(number == 0, 7_000);
        viewer.wait_for_last(&second);
        // Whoever was replaced may go on for a while, and may leave.
        match number {
            0..5 => first.picture(true, 4_000),
            5 => edge.leave(&first_origin),
            _ => {}
        }
    }
    let received = viewer.received(Kind::Video);
    assert_eq!(first.position(&received[..before]), 0..10);
    assert_eq!(second.position(&received[before..]), 0..10);
    let active = || edge_engine.facts("relay").and_then(|facts| facts.video).is_some_and(|video| video.active);
    assert!(active());
    successor.leave(&second_origin);
    assert!(!active());
}

#[test]
fn what_is_no_answer_is_refused() {
    let engine = start(1);
    let edge = Edge::new(&engine, "relay");
    let (id, _) = edge.offer();
    for answer in ["", "v=0", "\0"] {
        assert_eq!(
            engine.accept_answer(&id, answer, &answered(&Kind::ALL)),
            Err(EngineError::InvalidAnswer),
            "{answer:?}"
        );
    }
    assert!(engine.accept_answer("unknown", "v=0", &answered(&Kind::ALL)).is_err());
    engine.remove_session(&id);
    assert_eq!(engine.snapshot().udp_ports, 1);
}

#[test]
fn a_leg_that_the_other_side_has_not_is_not_there() {
    let (origin, edge_engine) = (start(1), start(1));
    let _programme = Programme::new(&origin, "cam");
    let mut edge = Edge::new(&edge_engine, "relay");
    assert!(edge_engine.facts("relay").is_some_and(|facts| facts.audio.is_some()), "not known yet");
    edge.pull_legs(&origin, "cam", &[Kind::Video], str::to_owned);
    let facts = edge_engine.facts("relay").expect("the stream is there");
    assert_eq!((facts.video.is_some(), facts.audio.is_some()), (true, false));
}
