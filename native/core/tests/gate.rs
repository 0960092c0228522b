//! Who passes a port's gate, in virtual time.

mod support;

use std::net::{Ipv4Addr, SocketAddr};

use core_media::gate::{Decision, Gate, Limits, Refusal};
use core_media::stun::{TransactionId, key, request, success};
use core_media::time::Time;
use support::Random;

const PASSWORD: &str = "the password of the session";
const DTLS: &[u8] = &[22, 0xfe, 0xfd, 0, 0];
const RTP: &[u8] = &[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
const RTCP: &[u8] = &[0x81, 201, 0, 1, 0, 0, 0, 1];

fn address(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x7f00_0000 + (number >> 8)), 1_024 + (number & 0xff) as u16).into()
}

fn check(user: &str, password: &str) -> Vec<u8> {
    request([7; 12], user, 1, &key(password))
}

/// A check of ours.
fn own_check(transaction: u8, session: &str) -> Vec<u8> {
    request([transaction; 12], &format!("theirs:{session}"), 1, &key("theirs"))
}

/// An answer to such a check.
fn answer(transaction: u8) -> Vec<u8> {
    success([transaction; 12], address(0), &key("theirs"))
}

/// Another, that the check was not understood.
fn error(transaction: u8) -> Vec<u8> {
    let transaction: TransactionId = [transaction; 12];
    [&[0x01, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &transaction].concat()
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
    for datagram in [DTLS, RTP, RTCP, &answer(7), &check("other:theirs", PASSWORD)] {
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
    gate.sent(lite, &own_check(9, "ours"));
    assert_eq!(gate.decide(lite, DTLS, seconds(1)), Decision::Refuse(Refusal::Stranger));
    assert_eq!(gate.decide(lite, &answer(8), seconds(1)), Decision::Refuse(Refusal::Stranger));
    assert_eq!(gate.decide(address(2), &answer(9), seconds(1)), Decision::Refuse(Refusal::Stranger));
    assert_eq!(gate.decide(lite, &error(9), seconds(1)), Decision::Pass, "libjuice has to hear of an error");
    assert_eq!(gate.decide(lite, DTLS, seconds(1)), Decision::Refuse(Refusal::Stranger));
    assert_eq!(gate.decide(lite, &answer(9), seconds(1)), Decision::Pass);
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

/// A gate that also knows the session "next", and an address of "ours".
fn contested() -> (Gate<&'static str>, SocketAddr) {
    let mut gate = gate(Limits::VIEWER);
    gate.add(2, "next", "another password", "next");
    assert_eq!(gate.decide(address(1), &check("ours:theirs", PASSWORD), seconds(1)), Decision::Pass);
    (gate, address(1))
}

/// Whose address it is: that of a session that leaves is nobody's.
fn belongs_to(mut gate: Gate<&'static str>, address: SocketAddr, session: u64) -> bool {
    gate.remove(session);
    gate.addresses() == 0 && gate.decide(address, DTLS, seconds(3)) == Decision::Refuse(Refusal::Stranger)
}

#[test]
fn an_address_goes_to_another_session_when_a_check_of_ours_is_answered_there() {
    let (mut gate, client) = contested();
    let guess = gate.decide(client, &check("next:theirs", PASSWORD), seconds(2));
    assert_eq!(guess, Decision::Refuse(Refusal::WrongPassword));
    assert_eq!(gate.decide(client, &check("next:theirs", "another password"), seconds(2)), Decision::Pass);
    gate.sent(client, &own_check(3, "next"));
    assert_eq!(gate.decide(client, &answer(3), seconds(2)), Decision::Pass);
    assert_eq!(gate.addresses(), 1);
    assert!(belongs_to(gate, client, 2));
}

/// Who has a session of his own can send what he likes from the address of another.
#[test]
fn an_address_stays_with_its_session_whatever_is_sent_from_there() {
    let (mut gate, client) = contested();
    let own = address(2);
    for _ in 0..10 {
        assert_eq!(gate.decide(client, &check("next:theirs", "another password"), seconds(2)), Decision::Pass);
        gate.sent(client, &own_check(3, "next"));
        // A client that does not know the session says so.
        assert_eq!(gate.decide(client, &error(3), seconds(2)), Decision::Pass);
        // The attacker knows the checks that came to himself alone.
        gate.sent(own, &own_check(4, "next"));
        assert_eq!(gate.decide(client, &answer(4), seconds(2)), Decision::Pass);
    }
    assert!(belongs_to(gate, client, 1));
}

#[test]
fn an_answer_counts_once() {
    let (mut gate, client) = contested();
    gate.sent(client, &own_check(3, "next"));
    assert_eq!(gate.decide(client, &answer(3), seconds(2)), Decision::Pass);
    gate.sent(client, &own_check(4, "ours"));
    assert_eq!(gate.decide(client, &answer(4), seconds(2)), Decision::Pass);
    assert_eq!(gate.decide(client, &answer(3), seconds(2)), Decision::Pass);
    assert!(belongs_to(gate, client, 1));
}

#[test]
fn an_address_that_is_silent_or_whose_session_left_is_free() {
    for leaves in [false, true] {
        let (mut gate, client) = contested();
        if leaves {
            gate.remove(1);
        }
        let now = seconds(if leaves { 2 } else { 62 });
        assert_eq!(gate.decide(client, &check("next:theirs", "another password"), now), Decision::Pass);
        assert!(belongs_to(gate, client, 2));
    }
}

#[test]
fn a_check_of_ours_is_answered_to_the_session_that_sent_it() {
    for (first, second) in [(1, 2), (2, 1)] {
        let mut gate = gate(Limits::VIEWER);
        gate.add(2, "lite", "another password", "lite");
        // Anybody may offer anybody's address, and we send checks there.
        for (session, transaction) in [("ours", 1), ("lite", 2)] {
            gate.sent(address(1), &own_check(transaction, session));
        }
        gate.remove(first);
        let gone = gate.decide(address(1), &answer(first as u8), seconds(1));
        assert_eq!(gone, Decision::Refuse(Refusal::Stranger));
        assert_eq!(gate.decide(address(1), &answer(second as u8), seconds(1)), Decision::Pass);
        assert!(belongs_to(gate, address(1), second));
    }
}

#[test]
fn addresses_of_a_session_are_bounded_also_when_it_knows_the_password() {
    let mut gate = gate(Limits::VIEWER);
    let check = check("ours:theirs", PASSWORD);
    let admitted = (0..10_000).filter(|&number| gate.decide(address(number), &check, seconds(1)) == Decision::Pass);
    assert_eq!(admitted.count(), 64);
    assert_eq!(gate.addresses(), 32);
    assert_eq!(gate.decide(address(63), DTLS, seconds(1)), Decision::Pass, "the newest are known");
    for number in 0..1_000_u32 {
        let mut transaction = [0; 12];
        transaction[..4].copy_from_slice(&number.to_be_bytes());
        gate.sent(address(number), &request(transaction, "theirs:ours", 1, &key("theirs")));
        let _ = gate.decide(address(number), &success(transaction, address(0), &key("theirs")), seconds(1));
    }
    assert_eq!(gate.addresses(), 32, "those that answer checks of ours count as well");
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
        for datagram in [media, DTLS, &answer(7)] {
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
    let shown = check("ours:theirs", PASSWORD);
    assert_eq!(gate.decide(address(1), &shown, seconds(1)), Decision::Pass);
    gate.remove(1);
    assert_eq!(gate.addresses(), 0);
    assert_eq!(gate.decide(address(1), &shown, seconds(1)), Decision::Refuse(Refusal::Stranger));
    // A fragment drawn twice belongs to the newer session.
    gate.add(2, "ours", PASSWORD, "old");
    gate.add(3, "ours", "another", "new");
    gate.remove(2);
    assert_eq!(gate.decide(address(1), &check("ours:theirs", "another"), seconds(1)), Decision::Pass);
}
