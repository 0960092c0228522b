//! Strangers, guessers and viewers that flood, against an engine whose other viewers play on.
#![cfg(target_os = "linux")]

mod support;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use core_media::frame::Kind;
use core_media::stun::{key, request};
use engine::{EndReason, Engine, Event};
use support::*;

/// Enough to be no accident, few enough for any machine.
const DATAGRAMS: u64 = 500;

/// What an answer tells a client.
struct Answer {
    port: SocketAddr,
    fragment: String,
    password: String,
}

impl Answer {
    fn read(sdp: &str) -> Self {
        let port = value(sdp, "a=candidate:").split(' ').nth(5).and_then(|port| port.parse().ok()).expect("a port");
        Self {
            port: (Ipv4Addr::LOCALHOST, port).into(),
            fragment: value(sdp, "a=ice-ufrag:").into(),
            password: value(sdp, "a=ice-pwd:").into(),
        }
    }
}

fn value<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix(name)).expect("a line")
}

fn refused(engine: &Engine) -> HashMap<&'static str, u64> {
    engine.snapshot().refused.into_iter().collect()
}

/// Sends until so many more have been refused for a reason. Each datagram comes from an address of its own.
fn flood(engine: &Engine, to: SocketAddr, reason: &str, datagram: impl Fn(u64) -> Vec<u8>) {
    let before = refused(engine)[reason];
    let mut number = 0;
    eventually(reason, || {
        for _ in 0..20 {
            number += 1;
            let source = Ipv4Addr::from_bits(0x7f01_0000 + number as u32);
            let socket = UdpSocket::bind((source, 0)).expect("all of 127/8 is here");
            socket.send_to(&datagram(number), to).expect("loopback takes it");
        }
        refused(engine)[reason] >= before + DATAGRAMS
    });
}

/// The next picture comes whole at everyone.
fn all_play(programme: &mut Programme<'_>, viewers: &[Viewer]) {
    programme.picture(true, 5_000);
    viewers.iter().for_each(|viewer| viewer.wait_for_last(programme));
}

#[test]
fn strangers_and_guessers_are_refused_and_counted_and_nobody_notices() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let viewers: Vec<Viewer> = (0..3).map(|_| Viewer::join(&engine, "cam")).collect();
    let (_waiting, offer) = Viewer::offer();
    let answer = watch(&engine, "cam", "waiting", next_number(), &offer).expect("an answer");
    let Answer { port, fragment, .. } = Answer::read(&answer);
    flood(&engine, port, "unknown-address", |number| number.to_be_bytes().repeat(20));
    let user = format!("{fragment}:else");
    let guess = key("a guess of twenty-four");
    flood(&engine, port, "wrong-password", |number| {
        let mut transaction = [0; 12];
        transaction[4..].copy_from_slice(&number.to_be_bytes());
        request(transaction, &user, number, &guess)
    });
    all_play(&mut programme, &viewers);
    let late = Viewer::join(&engine, "cam");
    all_play(&mut programme, &[late]);
}

#[test]
fn a_viewer_that_floods_is_ended_and_the_others_play_on() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let mut viewers: Vec<Viewer> = (0..3).map(|_| Viewer::join(&engine, "cam")).collect();
    all_play(&mut programme, &viewers);
    let flooder = viewers.pop().expect("three");
    let ended = Event::SessionEnded { session: flooder.id.clone(), reason: EndReason::Flooding };
    eventually("its end", || {
        flooder.send_reports(100);
        engine.drain_events().contains(&ended)
    });
    let refused = refused(&engine);
    assert!(refused["over-budget"] > 0 && refused["feedback"] > 0, "{refused:?}");
    all_play(&mut programme, &viewers);
    for viewer in &viewers {
        assert_eq!(programme.position(&viewer.received(Kind::Video)), 0..programme.pictures.len(), "{}", viewer.id);
    }
}

/// Of a viewer that says more than the shard wants to hear, and less than the port can take.
#[test]
fn reports_have_a_budget_of_their_own() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let viewers = [Viewer::join(&engine, "cam")];
    all_play(&mut programme, &viewers);
    let request = pli(viewers[0].ssrc(Kind::Video));
    let requests = || engine.snapshot().streams[0].keyframe_requests;
    let is_refused = || refused(&engine)["feedback"] > 0;
    // A port takes 1,500 at once.
    for _ in 0..4 {
        let before = requests();
        viewers[0].send_reports(300);
        eventually("all before it is read", || {
            viewers[0].say(&request);
            requests() > before || is_refused()
        });
        if is_refused() {
            break;
        }
    }
    assert!(is_refused(), "{:?}", refused(&engine));
    assert_eq!(refused(&engine)["over-budget"], 0);
    all_play(&mut programme, &viewers);
    assert!(!engine.drain_events().iter().any(|event| matches!(event, Event::SessionEnded { .. })));
}

/// Who has a session can show its password from any address.
#[test]
fn a_viewer_keeps_its_address_when_another_session_shows_its_password_there() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let viewer = Viewer::join(&engine, "cam");
    all_play(&mut programme, std::slice::from_ref(&viewer));
    let (_attacker, offer) = Viewer::offer();
    let answer = Answer::read(&watch(&engine, "cam", "attacker", next_number(), &offer).expect("an answer"));
    let user = format!("{}:{}", answer.fragment, value(&offer, "a=ice-ufrag:"));
    for number in 1..=3 {
        viewer.say_plain(&request([number; 12], &user, 7, &key(&answer.password)));
        viewer.say(&pli(viewer.ssrc(Kind::Video)));
        eventually("the next request is heard", || engine.snapshot().streams[0].keyframe_requests == u64::from(number));
    }
}

#[test]
fn publishers_have_ports_of_their_own() {
    let engine = start(1);
    let _programme = Programme::new(&engine, "cam");
    let _edge = Edge::new(&engine, "live");
    let (_viewer, offer) = Viewer::offer();
    let viewers = Answer::read(&watch(&engine, "cam", "viewer", next_number(), &offer).expect("an answer"));
    let before = engine.snapshot().udp_ports;
    let (_publisher, offer) = Viewer::offer();
    let publishers = Answer::read(&publish(&engine, "live", "publisher", &offer).expect("an answer"));
    assert_ne!(publishers.port, viewers.port);
    assert_eq!(engine.snapshot().udp_ports, before + 1);
}
