//! What is sent arrives, byte for byte, at everyone, however the packets leave.
#![cfg(target_os = "linux")]

mod support;

use std::process::Command;

use core_media::frame::Kind;
use rtc::SrtpProfile;
use support::*;

const VIEWERS: usize = 50;
const PICTURES: usize = 90;
/// Pictures that may be under way: sockets have room for some hundred packets.
const UNDER_WAY: usize = 10;

/// Say to a test that runs in a process of its own how packets leave.
const SWITCHES: [&str; 2] = ["FETCH_WHEP_NO_GSO", "FETCH_WHEP_NO_SENDMMSG"];

/// Tells it the name of the SRTP profile that viewers offer.
const PROFILE: &str = "FETCH_WHEP_TEST_PROFILE";

#[test]
fn fifty_viewers_get_every_byte() {
    let engine = start(2);
    let mut programme = Programme::new(&engine, "cam");
    let viewers: Vec<Viewer> = (0..VIEWERS).map(|_| Viewer::join_with(&engine, "cam", &[profile()])).collect();
    programme.picture(true, 9_000);
    programme.sound_for(&viewers);
    for viewer in &viewers {
        viewer.wait_for_last(&programme);
    }
    let heard = programme.sounds.len();
    let before = rtc::send_counters();
    for number in 1..PICTURES {
        programme.picture(number % 30 == 0, 2_000 + 300 * (number % 40));
        programme.sound();
        if number % UNDER_WAY == 0 {
            viewers.iter().for_each(|viewer| viewer.wait_for_last(&programme));
        }
    }
    for viewer in &viewers {
        viewer.wait_for_last(&programme);
        viewer.wait_for_last_sound(&programme);
        assert_eq!(programme.position(&viewer.received(Kind::Video)), 0..PICTURES, "{}", viewer.id);
        let sounds = viewer.received(Kind::Audio);
        assert!(sounds.len() > programme.sounds.len() - heard, "{}", viewer.id);
        assert!(programme.sounds.ends_with(&sounds), "{}", viewer.id);
    }
    let after = rtc::send_counters();
    let (datagrams, calls) = (after.datagrams - before.datagrams, after.calls - before.calls);
    let [no_gso, no_sendmmsg] = SWITCHES.map(|name| std::env::var_os(name).is_some());
    assert!(!(no_gso && after.gso) && no_sendmmsg != after.sendmmsg);
    assert_eq!(after.dropped, before.dropped);
    match (profile(), after.direct - before.direct) {
        (SrtpProfile::AesCmSha1, direct) => assert_eq!(direct, 0),
        (_, direct) => assert!(direct > datagrams * 9 / 10, "{direct} of {datagrams} went past the library"),
    }
    match (no_gso, no_sendmmsg) {
        (true, true) => assert!(calls >= datagrams, "{calls} calls for {datagrams} datagrams"),
        _ => assert!(calls < datagrams / 2, "{calls} calls for {datagrams} datagrams"),
    }
}

#[test]
fn the_same_without_sendmmsg() {
    again(SrtpProfile::AeadAes128Gcm, &SWITCHES[1..]);
}

#[test]
fn the_same_with_one_call_for_each_datagram() {
    again(SrtpProfile::AeadAes128Gcm, &SWITCHES);
}

#[test]
fn the_same_with_aes_128_gcm_without_gso() {
    again(SrtpProfile::AeadAes128Gcm, &SWITCHES[..1]);
}

#[test]
fn the_same_with_aes_256_gcm() {
    again(SrtpProfile::AeadAes256Gcm, &[]);
}

#[test]
fn the_same_with_aes_256_gcm_without_gso() {
    again(SrtpProfile::AeadAes256Gcm, &SWITCHES[..1]);
}

#[test]
fn the_same_with_aes_cm() {
    again(SrtpProfile::AesCmSha1, &[]);
}

#[test]
fn the_same_with_aes_cm_without_gso() {
    again(SrtpProfile::AesCmSha1, &SWITCHES[..1]);
}

fn profile() -> SrtpProfile {
    let named = std::env::var(PROFILE).ok();
    let known = |name: String| SrtpProfile::PREFERENCE.into_iter().find(|profile| profile.name() == name);
    named.map_or(SrtpProfile::AeadAes128Gcm, |name| known(name).expect("a profile"))
}

/// Runs the first test in a process of its own.
fn again(profile: SrtpProfile, switched_off: &[&str]) {
    let program = std::env::current_exe().expect("Linux knows it");
    let output = Command::new(program)
        .args(["--exact", "fifty_viewers_get_every_byte", "--nocapture"])
        .env(PROFILE, profile.name())
        .envs(switched_off.iter().map(|name| (name, "1")))
        .output()
        .expect("it has just been started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
