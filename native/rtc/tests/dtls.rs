//! The handshake of DTLS: who leads it, what it chooses, and that it ends well on a bad path.

mod support;

use rtc::{DtlsVersion, MuxPort, Peer, PeerConfig, PeerState, Role, Security, SrtpProfile, burst};
use std::net::{SocketAddr, UdpSocket};
use support::relay::{Fate, Relay};
use support::stun::{HANDSHAKE_TYPE, Kind, SERVER_HELLO, client_hello, join, kind, receive, socket};
use support::{
    DEADLINE, Event, LOOPBACK, Pair, Recorder, VIDEO_SSRC, answer, port, receiver_report, rtp, section,
    without_candidates,
};

/// What the viewer offers to be, as the server sees it: the server is the other one.
const ROLES: [&str; 2] = ["active", "passive"];

/// A viewer in that role that offers these profiles, and its server; each finds the other by `path`.
fn meet(
    setup: &str,
    server_port: &MuxPort,
    profiles: &[SrtpProfile],
    path: impl FnOnce(SocketAddr, SocketAddr) -> SocketAddr,
) -> Pair {
    let viewer_port = port();
    let (recorder, viewer_events) = Recorder::new();
    let wanted = section("video", "0", "recvonly", 5);
    let config = PeerConfig { port: &viewer_port, role: Role::Offer, tracks: &[&wanted], profiles, timeout: DEADLINE };
    let (viewer, offered) = Peer::new(config, recorder).expect("an offer");
    let (recorder, server_events) = Recorder::new();
    let given = section("video", "0", "sendonly", VIDEO_SSRC);
    let offered = offered.replace("a=setup:actpass", &format!("a=setup:{setup}"));
    let (server, answered) = answer(server_port, &offered, &[&given], recorder);
    viewer.set_answer(&without_candidates(&answered)).expect("a valid answer");
    let address = |port: &MuxPort| SocketAddr::new(LOOPBACK, port.port());
    let target = path(address(&viewer_port), address(server_port));
    let candidate = format!("candidate:1 1 UDP 2122317823 {} {} typ host", target.ip(), target.port());
    assert!(viewer.add_candidate("0", &candidate));
    Pair { viewer, viewer_events, server, server_events, viewer_port }
}

fn direct(_viewer: SocketAddr, server: SocketAddr) -> SocketAddr {
    server
}

/// Media flows both ways.
fn assert_talks(pair: &Pair) {
    for events in [&pair.server_events, &pair.viewer_events] {
        events.wait_for(&Event::Open(0));
    }
    let (packet, report) = (rtp(96, VIDEO_SSRC, 1, 1000), receiver_report(0x2000_0001, VIDEO_SSRC, 1));
    burst(|burst| assert!(burst.send(pair.server.track(0), &packet)));
    assert_eq!(pair.viewer_events.packet(), (0, packet));
    burst(|burst| assert!(burst.send(pair.viewer.track(0), &report)));
    assert_eq!(pair.server_events.packet(), (0, report));
}

#[test]
fn the_server_of_dtls_chooses_the_profile() {
    let port = port();
    let mut reversed = SrtpProfile::PREFERENCE;
    reversed.reverse();
    for (setup, chosen) in ROLES.into_iter().zip([SrtpProfile::AeadAes128Gcm, SrtpProfile::AesCmSha1]) {
        let pair = meet(setup, &port, &reversed, direct);
        for events in [&pair.server_events, &pair.viewer_events] {
            let expected = Security { version: DtlsVersion::Dtls12, profile: chosen };
            assert_eq!(events.security(), expected, "the viewer offers to be {setup}");
        }
        assert_talks(&pair);
    }
}

#[test]
fn whoever_knows_a_single_profile_gets_it() {
    let port = port();
    for setup in ROLES {
        for profile in SrtpProfile::PREFERENCE {
            let pair = meet(setup, &port, &[profile], direct);
            assert_eq!(pair.server_events.security().profile, profile, "the viewer offers to be {setup}");
            assert_talks(&pair);
        }
    }
}

fn survives(setup: &str, fate: Fate) {
    let (port, mut relay) = (port(), None);
    let pair = meet(setup, &port, &SrtpProfile::PREFERENCE, |viewer, server| {
        relay.insert(Relay::start(viewer, server, fate)).address
    });
    assert_talks(&pair);
}

#[test]
fn a_datagram_of_the_handshake_may_be_lost_on_either_way() {
    for setup in ROLES {
        (0..5).for_each(|number| survives(setup, Fate::Lost(number)));
    }
}

#[test]
fn datagrams_of_the_handshake_may_come_twice() {
    ROLES.into_iter().for_each(|setup| survives(setup, Fate::Doubled));
}

#[test]
fn datagrams_of_the_handshake_may_overtake_each_other() {
    ROLES.into_iter().for_each(|setup| survives(setup, Fate::Swapped));
}

/// Of the server's, which is left without an answer: until it has one, nobody listens for DTLS.
fn first_check(client: &UdpSocket) -> Vec<u8> {
    loop {
        let datagram = receive(client);
        if kind(&datagram) == Kind::Check {
            return datagram;
        }
    }
}

#[test]
fn a_first_flight_that_comes_before_the_library_listens_is_kept() {
    let port = port();
    let (hello, joined, client) = (client_hello(&port), join(&port, "active", ""), socket());
    joined.nominate(&client);
    let check = first_check(&client);
    client.send_to(&hello, joined.server).expect("loopback takes it");
    client.send_to(&joined.success(&check), joined.server).expect("loopback takes it");
    assert_eq!(joined.wait(&client, Kind::Dtls)[HANDSHAKE_TYPE], SERVER_HELLO);
}

#[test]
fn what_is_kept_is_bounded_and_needs_no_sense() {
    let port = port();
    let (hello, joined, client) = (client_hello(&port), join(&port, "active", ""), socket());
    joined.nominate(&client);
    let check = first_check(&client);
    for length in 1..100 {
        client.send_to(&vec![22; length], joined.server).expect("loopback takes it");
    }
    client.send_to(&joined.success(&check), joined.server).expect("loopback takes it");
    joined.events.wait_for_state(PeerState::IceConnected);
    client.send_to(&hello, joined.server).expect("loopback takes it");
    assert_eq!(joined.wait(&client, Kind::Dtls)[HANDSHAKE_TYPE], SERVER_HELLO);
}
