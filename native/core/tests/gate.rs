//! Who passes a port's gate, in virtual time.

#[path = "support/stun.rs"]
mod stun;
mod support;

use std::net::{Ipv4Addr, SocketAddr};

use core_media::gate::{Decision, Gate, Limits, Refusal};
use core_media::time::Time;
use stun::{Message, response};
use support::Random;

const PASSWORD: &str = "the password of the session";
const DTLS: &[u8] = &[22, 0xfe, 0xfd, 0, 0];
const RTP: &[u8] = &[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
const RTCP: &[u8] = &[0x81, 201, 0, 1, 0, 0, 0, 1];

fn address(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x7f00_0000 + (number >> 8)), 1_024 + (number & 0xff) as u16).into()
}

fn check(user: &str, password: &str) -> Vec<u8> {
    Message { transaction: [7; 12], user, password }.request()
}

/// A gate that knows the session "ours".
fn gate(limits: Limits) -> Gate<&'static str> {
    let mut gate = Gate::new(limits);
    gate.add(1, "ours", PASSWORD, "ours");
    gate
}

fn seconds(seconds: u64) -> Time {
    Time::from_millis(1_000 * seconds)
}

#[test]
fn strangers_are_refused_and_leave_nothing_behind() {
    let (mut gate, mut random) = (gate(Limits::VIEWER), Random::new(1));
    for number in 0..50_000 {
        let size = 1 + random.below(200) as usize;
        let datagram = random.bytes(size);
        let decision = gate.decide(address(number), &datagram, seconds(1));
        assert_eq!(decision, Decision::Refuse(Refusal::Stranger));
    }
    for datagram in [DTLS, RTP, RTCP, &response([7; 12]), &check("other:theirs", PASSWORD)] {
        assert_eq!(gate.decide(address(0), datagram, seconds(1)), Decision::Refuse(Refusal::Stranger));
    }
    assert_eq!(gate.addresses(), 0);
}

#[test]
fn a_fragment_without_its_password_admits_nobody_and_keeps_nobody_out() {
    let mut gate = gate(Limits::VIEWER);
    let guess = check("ours:theirs", "a guess");
    let mut reasons = [0; 2];
    for number in 0..50_000 {
        match gate.decide(address(number), &guess, seconds(1)) {
            Decision::Refuse(Refusal::WrongPassword) => reasons[0] += 1,
            Decision::Refuse(Refusal::NewAddresses) => reasons[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(reasons[0] <= 500, "so many passwords are tried at once: {reasons:?}");
    assert_eq!(gate.addresses(), 0);
    let decision = gate.decide(address(60_000), &check("ours:theirs", PASSWORD), seconds(2));
    assert_eq!(decision, Decision::Pass);
}

#[test]
fn who_knows_the_password_may_speak_but_a_viewer_sends_no_media() {
    for (limits, media) in [(Limits::VIEWER, Decision::Refuse(Refusal::Media)), (Limits::PUBLISHER, Decision::Pass)] {
        let mut gate = gate(limits);
        let client = address(1);
        assert_eq!(gate.decide(client, DTLS, seconds(1)), Decision::Refuse(Refusal::Stranger));
        for datagram in [&check("ours:theirs", PASSWORD), DTLS, RTCP] {
            assert_eq!(gate.decide(client, datagram, seconds(1)), Decision::Pass);
        }
        assert_eq!(gate.decide(client, RTP, seconds(1)), media);
        assert_eq!(gate.decide(client, &[0xff; 40], seconds(1)), Decision::Refuse(Refusal::Protocol));
        assert_eq!(gate.decide(address(2), DTLS, seconds(1)), Decision::Refuse(Refusal::Stranger));
    }
}

#[test]
fn who_answers_a_check_of_ours_is_let_in() {
    let mut gate = gate(Limits::VIEWER);
    let lite = address(1);
    gate.sent(lite, &Message { transaction: [9; 12], user: "theirs:ours", password: "theirs" }.request(), seconds(1));
    assert_eq!(gate.decide(lite, DTLS, seconds(1)), Decision::Refuse(Refusal::Stranger));
    assert_eq!(gate.decide(lite, &response([8; 12]), seconds(1)), Decision::Refuse(Refusal::Stranger));
    assert_eq!(gate.decide(address(2), &response([9; 12]), seconds(1)), Decision::Refuse(Refusal::Stranger));
    assert_eq!(gate.decide(lite, &response([9; 12]), seconds(1)), Decision::Pass);
    assert_eq!(gate.decide(lite, DTLS, seconds(1)), Decision::Pass);
}

#[test]
fn a_session_that_floods_is_held_to_its_budget_then_ended_and_others_are_not() {
    let mut gate = gate(Limits::VIEWER);
    gate.add(2, "calm", PASSWORD, "calm");
    let (flooder, calm) = (address(1), address(2));
    assert_eq!(gate.decide(flooder, &check("ours:theirs", PASSWORD), seconds(1)), Decision::Pass);
    assert_eq!(gate.decide(calm, &check("calm:theirs", PASSWORD), seconds(1)), Decision::Pass);
    let (mut passed, mut ended) = (0, Vec::new());
    for millisecond in 0..12_000 {
        let now = Time::from_millis(1_000 + millisecond);
        for _ in 0..5 {
            match gate.decide(flooder, RTCP, now) {
                Decision::Pass => passed += 1,
                Decision::Refuse(reason) if ended.is_empty() => assert_eq!(reason, Refusal::OverBudget),
                Decision::Refuse(reason) => assert_eq!(reason, Refusal::Ended),
                Decision::End(owner) => ended.push((*owner, millisecond)),
            }
        }
        if millisecond % 10 == 0 {
            assert_eq!(gate.decide(calm, RTCP, now), Decision::Pass);
        }
    }
    assert!((7_400..=7_900).contains(&passed), "600 a second and 1,500 at once: {passed}");
    assert!(matches!(ended[..], [("ours", 10_000..10_500)]), "{ended:?}");
    let again = gate.decide(address(3), &check("ours:theirs", PASSWORD), seconds(20));
    assert_eq!(again, Decision::Refuse(Refusal::Ended), "not from another address either");
}

#[test]
fn an_address_belongs_to_who_has_shown_a_password_there_last() {
    for proven in [false, true] {
        let mut gate = gate(Limits::VIEWER);
        gate.add(2, "next", "another password", "next");
        if proven {
            assert_eq!(gate.decide(address(1), &check("ours:theirs", PASSWORD), seconds(1)), Decision::Pass);
        } else {
            // Anybody may offer anybody's address, and we send checks there.
            let user = "theirs:ours";
            gate.sent(address(1), &Message { transaction: [1; 12], user, password: "theirs" }.request(), seconds(1));
        }
        let guess = gate.decide(address(1), &check("next:theirs", PASSWORD), seconds(2));
        assert_eq!(guess, Decision::Refuse(Refusal::WrongPassword));
        assert_eq!(gate.decide(address(1), &check("next:theirs", "another password"), seconds(2)), Decision::Pass);
        assert_eq!(gate.addresses(), 1);
        gate.remove(1);
        assert_eq!(gate.decide(address(1), DTLS, seconds(3)), Decision::Pass);
    }
}

#[test]
fn a_check_of_ours_is_answered_to_the_session_that_sent_it() {
    let mut gate = gate(Limits::VIEWER);
    gate.add(2, "lite", "another password", "lite");
    for (user, transaction) in [("theirs:ours", [1; 12]), ("theirs:lite", [2; 12])] {
        gate.sent(address(1), &Message { transaction, user, password: "theirs" }.request(), seconds(1));
    }
    assert_eq!(gate.decide(address(1), &response([2; 12]), seconds(1)), Decision::Pass);
    gate.remove(1);
    assert_eq!(gate.decide(address(1), DTLS, seconds(1)), Decision::Pass);
}

#[test]
fn addresses_of_a_session_are_bounded_also_when_it_knows_the_password() {
    let mut gate = gate(Limits::VIEWER);
    let check = check("ours:theirs", PASSWORD);
    let admitted = (0..10_000).filter(|&number| gate.decide(address(number), &check, seconds(1)) == Decision::Pass);
    assert_eq!(admitted.count(), 64);
    assert_eq!(gate.addresses(), 32);
    assert_eq!(gate.decide(address(63), DTLS, seconds(1)), Decision::Pass, "the newest are known");
    for number in 0..1_000 {
        let user = "theirs:ours";
        gate.sent(address(number), &Message { transaction: [1; 12], user, password: "theirs" }.request(), seconds(1));
    }
    assert_eq!(gate.addresses(), 32, "checks of ours count as well");
}

#[test]
fn a_silent_address_is_forgotten_and_one_that_speaks_is_not() {
    let mut gate = gate(Limits::VIEWER);
    let check = check("ours:theirs", PASSWORD);
    for client in [address(1), address(2)] {
        assert_eq!(gate.decide(client, &check, seconds(0)), Decision::Pass);
    }
    for second in 1..=70 {
        assert_eq!(gate.decide(address(2), RTCP, seconds(second)), Decision::Pass);
    }
    assert_eq!(gate.addresses(), 1);
    assert_eq!(gate.decide(address(1), DTLS, seconds(71)), Decision::Refuse(Refusal::Stranger));
    assert_eq!(gate.decide(address(1), &check, seconds(71)), Decision::Pass);
}

#[test]
fn media_from_another_port_of_a_known_host_is_a_hint_of_which_some_pass() {
    for (limits, media) in [(Limits::VIEWER, RTCP), (Limits::PUBLISHER, RTP)] {
        let mut gate = gate(limits);
        let other_host = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 5000));
        assert_eq!(gate.decide(address(1), media, seconds(1)), Decision::Refuse(Refusal::Stranger));
        assert_eq!(gate.decide(address(1), &check("ours:theirs", PASSWORD), seconds(1)), Decision::Pass);
        for datagram in [media, DTLS, &response([7; 12])] {
            assert_eq!(gate.decide(other_host, datagram, seconds(1)), Decision::Refuse(Refusal::Stranger));
        }
        assert_eq!(gate.decide(address(2), DTLS, seconds(1)), Decision::Refuse(Refusal::Stranger));
        let passed = (0..1_000).filter(|_| gate.decide(address(2), media, seconds(1)) == Decision::Pass).count();
        assert_eq!(passed, 20);
        assert_eq!(gate.addresses(), 1, "a hint admits nobody");
        // Nobody is known any more.
        assert_eq!(gate.decide(address(2), media, seconds(100)), Decision::Refuse(Refusal::Stranger));
    }
}

#[test]
fn nothing_stays_of_a_session_that_left() {
    let mut gate = gate(Limits::VIEWER);
    let check = check("ours:theirs", PASSWORD);
    assert_eq!(gate.decide(address(1), &check, seconds(1)), Decision::Pass);
    gate.remove(1);
    assert_eq!(gate.addresses(), 0);
    assert_eq!(gate.decide(address(1), &check, seconds(1)), Decision::Refuse(Refusal::Stranger));
    // A fragment drawn twice belongs to the newer session.
    gate.add(2, "ours", PASSWORD, "old");
    gate.add(3, "ours", "another", "new");
    gate.remove(2);
    let new = Message { transaction: [1; 12], user: "ours:theirs", password: "another" }.request();
    assert_eq!(gate.decide(address(1), &new, seconds(1)), Decision::Pass);
}
