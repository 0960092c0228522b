//! Strangers, guessers and viewers that flood, against an engine whose other viewers play on.
#![cfg(target_os = "linux")]

#[path = "../../core/tests/support/stun.rs"]
mod stun;
mod support;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use core_media::frame::Kind;
use engine::{EndReason, Engine, Event};
use stun::Message;
use support::*;

/// Enough to be no accident, few enough for any machine.
const DATAGRAMS: u64 = 500;

/// What an answer tells a client.
struct Answer {
    port: SocketAddr,
    fragment: String,
}

impl Answer {
    fn read(sdp: &str) -> Self {
        let value = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        let port = value("a=candidate:").split(' ').nth(5).and_then(|port| port.parse().ok()).expect("a port");
        Self { port: (Ipv4Addr::LOCALHOST, port).into(), fragment: value("a=ice-ufrag:").into() }
    }
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
    let Answer { port, fragment } = Answer::read(&answer);
    flood(&engine, port, "unknown-address", |number| number.to_be_bytes().repeat(20));
    let user = format!("{fragment}:else");
    flood(&engine, port, "wrong-password", |number| {
        let mut transaction = [0; 12];
        transaction[4..].copy_from_slice(&number.to_be_bytes());
        Message { transaction, user: &user, password: "a guess of twenty-four" }.request()
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
