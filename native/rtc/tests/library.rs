//! What the patches in native/patches mend, seen by a client that speaks STUN by hand.

mod support;

use rtc::PeerState;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;
use support::stun::{
    CLIENT_HELLO, HANDSHAKE_TYPE, Kind, SERVER_HELLO, client_hello, expect_hello, join, kind, receive, socket,
};
use support::{DEADLINE, Event, eventually, port, rtp};

#[test]
fn a_tie_breaker_of_zero_is_answered_as_any_other() {
    let port = port();
    for tie_breaker in [0x1234, 0] {
        let (joined, client) = (join(&port, "actpass", ""), socket());
        client.send_to(&joined.check(tie_breaker, &joined.password), joined.server).expect("sent");
        assert_eq!(kind(&receive(&client)), Kind::Success, "tie-breaker {tie_breaker}");
    }
}

#[test]
fn data_and_consent_follow_the_newest_nomination() {
    let port = port();
    let (joined, before, after) = (join(&port, "actpass", ""), socket(), socket());
    joined.nominate(&before);
    joined.wait(&before, Kind::Dtls);

    joined.nominate(&after);
    joined.wait(&after, Kind::Dtls);
    before.set_nonblocking(true).expect("valid");
    while before.recv(&mut [0; 2048]).is_ok() {}
    joined.wait(&after, Kind::Dtls);
    // Nobody answers at the old address: the check that comes now asks for consent.
    joined.wait(&after, Kind::Check);
    let left = before.recv(&mut [0; 2048]).expect_err("nothing goes to the old address");
    assert_eq!(left.kind(), ErrorKind::WouldBlock);

    // A NAT may give the first address back.
    before.set_nonblocking(false).expect("valid");
    joined.nominate(&before);
    joined.wait(&before, Kind::Dtls);
    assert!(!joined.events.drain().contains(&Event::State(PeerState::IceLost)));
}

/// Its data tells of it before its next check does.
#[test]
fn a_peer_is_looked_for_where_its_data_comes_from() {
    let port = port();
    let (joined, before, after) = (join(&port, "actpass", ""), socket(), socket());
    let elsewhere = UdpSocket::bind(("127.0.0.2", 0)).expect("loopback has it");
    joined.nominate(&before);
    joined.wait(&before, Kind::Dtls);

    let data = rtp(96, 1, 1, 100);
    let looked_for = || {
        for socket in [&elsewhere, &after] {
            socket.send_to(&data, joined.server).expect("sent");
        }
        after.set_read_timeout(Some(Duration::from_millis(50))).expect("valid");
        after.peek(&mut [0; 1]).is_ok()
    };
    eventually("a check at the new address", looked_for);
    after.set_read_timeout(Some(DEADLINE)).expect("valid");
    joined.wait(&after, Kind::Dtls);
    elsewhere.set_nonblocking(true).expect("valid");
    let nothing = elsewhere.recv(&mut [0; 1]).expect_err("another host is nobody's new address");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_client_may_change_its_address_any_number_of_times() {
    let port = port();
    let joined = join(&port, "actpass", "");
    for _ in 0..30 {
        let client = socket();
        joined.nominate(&client);
        joined.wait(&client, Kind::Check);
    }
}

#[test]
fn a_good_address_behind_twenty_five_dead_ones_connects() {
    let port = port();
    let dead: Vec<_> = (0..25).map(|_| socket()).collect();
    let lines = dead.iter().enumerate().map(|(n, socket)| {
        let port = socket.local_addr().expect("bound").port();
        format!("a=candidate:{n} 1 udp {} 127.0.0.1 {port} typ host\r\n", 2_130_706_431 - n)
    });
    let (joined, client) = (join(&port, "actpass", &lines.collect::<String>()), socket());
    joined.nominate(&client);
    joined.wait(&client, Kind::Dtls);
}

/// Where a handshake stands still, the check that asks for consent after 4 to 6 s (RFC 7675 §5.1) is the clock: four flights
/// begin before it with a timer of 150 ms, and three with one of a second.
#[test]
fn a_lost_flight_of_dtls_is_repeated_soon_in_both_roles() {
    let port = port();
    let (active, active_client) = (join(&port, "passive", ""), socket());
    active.nominate(&active_client);
    active.wait(&active_client, Kind::Check);
    let hello = active.wait(&active_client, Kind::Dtls);
    let passive_client = socket();
    let passive = expect_hello(&port, &passive_client);
    passive_client.send_to(&hello, passive.server).expect("sent");

    for (client, begins) in [(active_client, CLIENT_HELLO), (passive_client, SERVER_HELLO)] {
        let datagrams = std::iter::from_fn(|| Some(receive(&client)));
        let until_consent = datagrams.take_while(|datagram| kind(datagram) != Kind::Check);
        let flights = until_consent.filter(|datagram| datagram.get(HANDSHAKE_TYPE) == Some(&begins)).count();
        assert!(flights >= 3, "{flights} flights of {begins} after the first");
    }
}

#[test]
fn dtls_offers_the_groups_of_browsers() {
    let port = port();
    let (joined, client) = (join(&port, "passive", ""), socket());
    joined.nominate(&client);
    let hello = joined.wait(&client, Kind::Dtls);
    // supported_groups (RFC 8422 §5.1.1): secp256r1, x25519, secp384r1.
    let groups = [0, 10, 0, 8, 0, 6, 0, 23, 0, 29, 0, 24];
    assert!(hello.windows(groups.len()).any(|window| window == groups), "{hello:02x?}");
}

#[test]
fn an_address_belongs_to_who_knows_the_password() {
    let port = port();
    let (other, joined, client) = (join(&port, "actpass", ""), join(&port, "actpass", ""), socket());
    client.send_to(&other.check(7, "guessed+guessed+guessed"), other.server).expect("sent");
    joined.nominate(&client);
    joined.wait(&client, Kind::Success);
}

/// As a NAT gives the port of one client to the next.
#[test]
fn an_address_goes_to_another_peer_whose_check_is_answered_there() {
    let port = port();
    let hello = client_hello(&port);
    let (before, client) = (join(&port, "passive", ""), socket());
    before.nominate(&client);
    before.wait(&client, Kind::Dtls);

    let next = expect_hello(&port, &client);
    client.send_to(&hello, next.server).expect("sent");
    while next.wait(&client, Kind::Dtls).get(HANDSHAKE_TYPE) != Some(&SERVER_HELLO) {}
}

/// Who has a session of his own can send what he likes from the address of another.
#[test]
fn an_address_stays_with_its_peer_whatever_is_sent_from_there() {
    let port = port();
    let hello = client_hello(&port);
    let (client, own) = (socket(), socket());
    let victim = expect_hello(&port, &client);

    let attacker = join(&port, "active", "");
    attacker.nominate(&own);
    // What the attacker answers for himself, he may answer from elsewhere as well.
    let check = attacker.wait(&own, Kind::Check);
    for datagram in [attacker.check(7, &attacker.password), attacker.success(&check)] {
        client.send_to(&datagram, attacker.server).expect("sent");
    }
    victim.wait(&client, Kind::Success);
    client.send_to(&hello, victim.server).expect("sent");
    victim.wait(&client, Kind::Dtls);
}

#[test]
fn a_fragment_is_not_drawn_twice() {
    let port = port();
    assert!(join(&port, "actpass", "").ufrag.len() >= 8, "48 bits: 128 agents share a port");
}

#[test]
fn a_check_that_a_request_triggers_waits_for_nothing() {
    let port = port();
    let (joined, client) = (join(&port, "active", ""), socket());
    joined.nominate(&client);
    assert_eq!(kind(&receive(&client)), Kind::Success);
    // A check that waits for nothing either comes later, and before the pace of checks is over, unless the machine is too busy
    // to tell. The library looks at its agents in the order in which they came.
    let later = socket();
    let address = later.local_addr().expect("bound");
    let candidate = format!("candidate:1 1 udp 1 {} {} typ host", address.ip(), address.port());
    let other = join(&port, "active", "");
    assert!(other.peer.add_candidate("0", &candidate));
    assert_eq!(kind(&receive(&later)), Kind::Check);
    client.set_nonblocking(true).expect("valid");
    let mut buffer = [0; 2048];
    let length = client.recv(&mut buffer).expect("the check has come");
    assert_eq!(kind(&buffer[..length]), Kind::Check);
}
