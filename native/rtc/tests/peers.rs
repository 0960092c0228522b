//! Two peers on loopback: they connect, carry packets both ways and end in every order.

mod support;

use rtc::{Error, MuxPort, Peer, PeerConfig, PeerEvents, PeerState, Role, SrtpProfile, burst};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::*;

#[test]
fn packets_arrive_unchanged_both_ways() {
    let server_port = port();
    let pair = connect(&server_port);

    let video: Vec<Vec<u8>> = (0..40).map(|n| rtp(96, VIDEO_SSRC, n, if n % 8 == 7 { 333 } else { 1180 })).collect();
    let audio: Vec<Vec<u8>> = (0..10).map(|n| rtp(111, AUDIO_SSRC, n, 160)).collect();
    let report = sender_report(VIDEO_SSRC, 40);
    burst(|burst| {
        for packet in &video {
            assert!(burst.send(pair.server.track(0), packet));
        }
        for packet in &audio {
            assert!(burst.send(pair.server.track(1), packet));
        }
        assert!(burst.send(pair.server.track(0), &report));
    });
    let mut received = [Vec::new(), Vec::new()];
    while received[0].len() < video.len() + 1 || received[1].len() < audio.len() {
        let (track, packet) = pair.viewer_events.packet();
        received[track].push(packet);
    }
    assert_eq!(received[0][..video.len()], video);
    assert_eq!(received[0][video.len()], report);
    assert_eq!(received[1], audio);

    let report = receiver_report(0x2000_0001, VIDEO_SSRC, 39);
    burst(|burst| assert!(burst.send(pair.viewer.track(0), &report)));
    assert_eq!(pair.server_events.packet(), (0, report));

    let found = pair.server.candidate_pair().expect("connected peers have a pair");
    assert!(found.contains(&format!("{} ", server_port.port())), "{found}");
    assert!(found.contains(&format!("{} ", pair.viewer_port.port())), "{found}");
    pair.viewer.close();
    pair.server.close();
}

#[test]
fn states_come_in_order() {
    let server_port = port();
    let pair = join(LOOPBACK, &server_port);
    for events in [&pair.viewer_events, &pair.server_events] {
        events.wait_for_state(PeerState::Connecting);
        events.wait_for_state(PeerState::IceConnected);
        events.wait_for_state(PeerState::Connected);
    }
    pair.server.close();
    pair.viewer_events.wait_for_state(PeerState::Disconnected);
    pair.viewer_events.wait_for_state(PeerState::Closed);
    pair.viewer.close();
}

#[test]
fn an_answer_holds_only_the_host_candidates_of_its_port() {
    let (viewer_port, server_port) = (port(), port());
    let wanted = section("video", "0", "recvonly", 5);
    let (viewer, offered) = offer(&viewer_port, &[&wanted], Recorder::new().0);
    let given = section("video", "0", "sendonly", VIDEO_SSRC);
    let (server, answered) = answer(&server_port, &offered, &[&given], Recorder::new().0);
    let candidates: Vec<&str> = answered.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    assert_eq!(candidates.len(), 1, "{answered}");
    let end = format!(" 127.0.0.1 {} typ host", server_port.port());
    assert!(candidates[0].contains(&end), "{answered}");
    assert!(answered.contains("a=ssrc:268435457 cname:test"), "{answered}");
    server.close();
    viewer.close();
}

#[test]
fn a_trickled_candidate_connects_and_a_name_is_refused() {
    let (viewer_port, server_port) = (port(), port());
    let (recorder, events) = Recorder::new();
    let wanted = section("video", "0", "recvonly", 5);
    let (viewer, offered) = offer(&viewer_port, &[&wanted], Recorder::new().0);
    let given = section("video", "0", "sendonly", VIDEO_SSRC);
    let (server, answered) = answer(&server_port, &offered, &[&given], recorder);
    viewer.set_answer(&without_candidates(&answered)).expect("a valid answer");
    assert!(!viewer.add_candidate("0", "candidate:1 1 UDP 2122317823 host.example 9 typ host"));
    assert!(!viewer.add_candidate("0", "nonsense"));
    assert!(!viewer.add_candidate("0", "candidate:1 1 UDP 1 127.0.0.1\0 9 typ host"));
    let candidate = answered.lines().find_map(|line| line.strip_prefix("a=").filter(|it| it.starts_with("candidate:")));
    assert!(viewer.add_candidate("0", candidate.expect("a host candidate")));
    events.wait_for_state(PeerState::Connected);
    server.close();
    viewer.close();
}

#[test]
fn ipv6_connects() {
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let server_port = MuxPort::open(Some(loopback), 0).expect("a free port");
    let pair = join(loopback, &server_port);
    pair.wait_until_open();
    let packet = rtp(96, VIDEO_SSRC, 1, 1000);
    burst(|burst| assert!(burst.send(pair.server.track(0), &packet)));
    assert_eq!(pair.viewer_events.packet(), (0, packet));
}

#[test]
fn many_peers_share_a_port_and_keep_apart() {
    let server_port = port();
    let pairs: Vec<Pair> = (0..8).map(|_| connect(&server_port)).collect();
    let packet = |viewer, sequence| rtp(96, VIDEO_SSRC, sequence, 100 + viewer);
    burst(|burst| {
        for (viewer, pair) in pairs.iter().enumerate() {
            for sequence in 0..5 {
                assert!(burst.send(pair.server.track(0), &packet(viewer, sequence)));
            }
        }
    });
    for (viewer, pair) in pairs.iter().enumerate() {
        for sequence in 0..5 {
            assert_eq!(pair.viewer_events.packet(), (0, packet(viewer, sequence)));
        }
    }
}

#[test]
fn bad_descriptions_are_refused_by_name() {
    let port = port();
    let given = section("video", "0", "sendonly", VIDEO_SSRC);
    let make = |role, tracks: &[&str]| {
        let config = PeerConfig { port: &port, role, tracks, profiles: &SrtpProfile::PREFERENCE, timeout: DEADLINE };
        Peer::new(config, Recorder::new().0).map(|(_, sdp)| sdp)
    };
    for offer in ["", "v=0\r\n", "\0", "nonsense", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"] {
        let result = make(Role::Answer { offer }, &[&given]);
        assert!(matches!(result, Err(Error::InvalidSdp("remote description"))), "{offer:?}");
    }
    let tracks = vec![given.as_str(); 300];
    assert!(matches!(make(Role::Offer, &tracks), Err(Error::InvalidSdp("list of tracks"))));
    assert!(matches!(make(Role::Offer, &["m=\0"]), Err(Error::InvalidSdp(_))));
    assert!(make(Role::Offer, &[&given]).is_ok(), "the port still works");
}

#[test]
fn packets_of_no_valid_size_and_tracks_that_are_gone_are_refused() {
    let server_port = port();
    let pair = connect(&server_port);
    let (track, packet) = (pair.server.track(0), rtp(96, VIDEO_SSRC, 1, 100));
    burst(|burst| {
        assert!(!burst.send(track, &[]));
        assert!(!burst.send(track, &[0x80; 7]));
        assert!(!burst.send(track, &vec![0x80; 70_000]));
        assert!(burst.send(track, &packet));
    });
    assert_eq!(pair.viewer_events.packet(), (0, packet.clone()));
    pair.server.close();
    burst(|burst| assert!(!burst.send(track, &packet)));
}

#[test]
fn the_remote_side_learns_of_a_close_at_once_every_time() {
    let server_port = port();
    for round in 0..40 {
        let Pair { viewer, viewer_events, server, server_events, viewer_port: _port } = connect(&server_port);
        // Consent alone would take half a minute, longer than the deadline.
        if round % 2 == 0 {
            viewer.close();
            server_events.wait_for_state(PeerState::Closed);
            server.close();
        } else {
            server.close();
            viewer_events.wait_for_state(PeerState::Closed);
            viewer.close();
        }
    }
}

#[test]
fn both_sides_may_close_at_once() {
    let server_port = port();
    for _ in 0..20 {
        let Pair { viewer, server, viewer_port: _port, .. } = connect(&server_port);
        let other = std::thread::spawn(move || viewer.close());
        server.close();
        other.join().expect("closing does not panic");
    }
}

#[test]
fn a_peer_may_be_closed_at_any_moment_of_its_connecting() {
    let server_port = port();
    let steps = [None, Some(PeerState::Connecting), Some(PeerState::IceConnected)];
    for round in 0..30 {
        let pair = join(LOOPBACK, &server_port);
        if let Some(step) = steps[round % steps.len()] {
            pair.viewer_events.wait_for_state(step);
        }
        // The other one is dropped.
        if round % 2 == 0 { pair.server.close() } else { pair.viewer.close() }
    }
}

/// Holds each message's callback until the test lets it go.
struct Slow {
    entered: Mutex<SyncSender<()>>,
    leave: Mutex<Receiver<()>>,
    left: Mutex<Vec<&'static str>>,
}

impl PeerEvents for Slow {
    fn state(&self, _: PeerState) {}
    fn open(&self, _: usize) {}
    fn message(&self, _: usize, _: &[u8]) {
        self.entered.lock().expect("not poisoned").send(()).expect("the test waits");
        self.leave.lock().expect("not poisoned").recv_timeout(DEADLINE).expect("let go");
        self.left.lock().expect("not poisoned").push("callback");
    }
}

#[test]
fn closing_waits_for_the_callback_that_runs_and_lets_no_other_in() {
    let (viewer_port, server_port) = (port(), port());
    let (entered, has_entered) = sync_channel(100);
    let (go, leave) = sync_channel(100);
    let slow = Arc::new(Slow { entered: Mutex::new(entered), leave: Mutex::new(leave), left: Mutex::default() });
    let wanted = section("video", "0", "recvonly", 5);
    let (viewer, offered) = offer(&viewer_port, &[&wanted], slow.clone());
    let given = section("video", "0", "sendonly", VIDEO_SSRC);
    let (recorder, events) = Recorder::new();
    let (server, answered) = answer(&server_port, &offered, &[&given], recorder);
    accept(&viewer, &answered);
    events.wait_for(&Event::Open(0));
    burst(|burst| {
        for sequence in 0..10 {
            assert!(burst.send(server.track(0), &rtp(96, VIDEO_SSRC, sequence, 100)));
        }
    });
    has_entered.recv_timeout(DEADLINE).expect("a message");
    let order = slow.clone();
    let closing = std::thread::spawn(move || {
        viewer.close();
        order.left.lock().expect("not poisoned").push("close");
    });
    // The callback ends only now; were closing not to wait for it, the order could be the other one.
    assert!(has_entered.recv_timeout(Duration::from_millis(50)).is_err(), "one at a time");
    assert!(!closing.is_finished());
    for _ in 0..10 {
        go.send(()).expect("the callback waits");
    }
    closing.join().expect("closing does not panic");
    let left = slow.left.lock().expect("not poisoned").clone();
    assert_eq!(left.last(), Some(&"close"));
    assert_eq!(left.iter().filter(|who| **who == "close").count(), 1);
    server.close();
    assert_eq!(*slow.left.lock().expect("not poisoned"), left, "nothing comes after closing");
}

/// A seeded sequence (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn malformed_packets_do_no_harm() {
    let server_port = port();
    let pair = connect(&server_port);
    let mut random = Random(0x5eed);
    let report = receiver_report(0x2000_0001, VIDEO_SSRC, 7);
    for _ in 0..2000 {
        let mut packet: Vec<u8> = (0..8 + random.below(300)).map(|_| random.below(256) as u8).collect();
        packet[0] = 0x80 | packet[0] & 0x3f;
        packet[1] = 200 + random.below(8) as u8;
        if random.below(2) == 0 {
            // The length is right, the rest is not.
            packet.truncate(packet.len() / 4 * 4);
            let words = packet.len() / 4 - 1;
            packet[2..4].copy_from_slice(&(words as u16).to_be_bytes());
        }
        // Few enough senders that all are heard.
        let sender = if random.below(2) == 0 { VIDEO_SSRC } else { 0x2000_0001 + random.below(7) as u32 };
        packet[4..8].copy_from_slice(&sender.to_be_bytes());
        burst(|burst| burst.send(pair.viewer.track(0), &packet));
    }
    // A queue that is still full drops what comes.
    eventually("the report", || {
        burst(|burst| assert!(burst.send(pair.viewer.track(0), &report)));
        std::thread::sleep(Duration::from_millis(1));
        pair.server_events.drain().contains(&Event::Message(0, report.clone()))
    });
}

#[test]
#[cfg(target_os = "linux")]
fn reports_with_false_counts_never_arrive() {
    let server_port = port();
    let pair = connect(&server_port);
    let report = receiver_report(0x2000_0001, VIDEO_SSRC, 7);
    let mut lying = report.clone();
    lying[0] |= 0x1f; // 31 blocks
    burst(|burst| {
        assert!(burst.send(pair.viewer.track(0), &lying));
        assert!(burst.send(pair.viewer.track(0), &report));
    });
    assert_eq!(pair.server_events.packet(), (0, report));
}

#[test]
fn mutated_offers_do_no_harm() {
    let server_port = port();
    let viewer_port = port();
    let wanted = section("video", "0", "recvonly", 5);
    let (_viewer, offered) = offer(&viewer_port, &[&wanted], Recorder::new().0);
    let given = section("video", "0", "sendonly", VIDEO_SSRC);
    let mut random = Random(0x0ffe);
    for _ in 0..500 {
        let mut mutated = offered.clone().into_bytes();
        for _ in 0..1 + random.below(4) {
            let at = random.below(mutated.len());
            match random.below(4) {
                0 => mutated[at] = 1 + random.below(127) as u8,
                1 => mutated.truncate(at + 1),
                2 => mutated.extend_from_within(at..),
                _ => drop(mutated.drain(at..(at + 20).min(mutated.len()))),
            }
            mutated.push(b'\n');
        }
        let mutated = String::from_utf8(mutated).expect("ASCII");
        let config = PeerConfig {
            port: &server_port,
            role: Role::Answer { offer: &mutated },
            tracks: &[&given],
            profiles: &SrtpProfile::PREFERENCE,
            timeout: DEADLINE,
        };
        match Peer::new(config, Recorder::new().0) {
            Ok((peer, _)) => peer.close(),
            Err(error) => assert!(!matches!(error, Error::Timeout), "{mutated}"),
        }
    }
    connect(&server_port);
}

/// Panics in every event.
struct Panicking;

impl PeerEvents for Panicking {
    fn state(&self, _: PeerState) {
        panic!("on purpose");
    }
    fn open(&self, _: usize) {
        panic!("on purpose");
    }
    fn message(&self, _: usize, _: &[u8]) {
        panic!("on purpose");
    }
}

#[test]
fn a_panic_in_an_event_stays_there() {
    let (viewer_port, server_port) = (port(), port());
    let wanted = section("video", "0", "recvonly", 5);
    let (viewer, offered) = offer(&viewer_port, &[&wanted], Arc::new(Panicking));
    let given = section("video", "0", "sendonly", VIDEO_SSRC);
    let (recorder, events) = Recorder::new();
    let (server, answered) = answer(&server_port, &offered, &[&given], recorder);
    accept(&viewer, &answered);
    events.wait_for(&Event::Open(0));
    burst(|burst| assert!(burst.send(server.track(0), &rtp(96, VIDEO_SSRC, 0, 100))));
    viewer.close();
    events.wait_for_state(PeerState::Closed);
}
