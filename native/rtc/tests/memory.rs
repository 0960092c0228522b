//! What a connected peer takes of the heap. Alone in its file: it measures the whole process.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod support;

use rtc::MuxPort;
use support::*;

const PAIRS: usize = 25;

/// Bytes of the heap in use.
fn heap() -> usize {
    // SAFETY: a plain call.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

/// Connected; the viewer's offer says that it is the DTLS client (`active`) or server (`passive`).
fn connect_as(setup: &str, server_port: &MuxPort) -> Pair {
    let viewer_port = port();
    let (recorder, viewer_events) = Recorder::new();
    let wanted = [section("video", "0", "recvonly", 0x2000_0001), section("audio", "1", "recvonly", 0x2000_0002)];
    let (viewer, offered) = offer(&viewer_port, &wanted.each_ref().map(|it| &**it), recorder);
    let offered = offered.replace("a=setup:actpass", &format!("a=setup:{setup}"));
    let given = [section("video", "0", "sendonly", VIDEO_SSRC), section("audio", "1", "sendonly", AUDIO_SSRC)];
    let (recorder, server_events) = Recorder::new();
    let (server, answered) = answer(server_port, &offered, &given.each_ref().map(|it| &**it), recorder);
    let role = if setup == "active" { "a=setup:passive" } else { "a=setup:active" };
    assert!(answered.contains(role), "{answered}");
    accept(&viewer, &answered);
    let pair = Pair { viewer, viewer_events, server, server_events, viewer_port };
    pair.wait_until_open();
    pair
}

#[test]
fn a_connected_peer_takes_less_than_ninety_kilobytes_in_either_role() {
    let server_port = port();
    for setup in ["active", "passive"] {
        // What is made once, and what threads keep.
        let first = connect_as(setup, &server_port);
        let before = heap();
        let pairs: Vec<Pair> = (0..PAIRS).map(|_| connect_as(setup, &server_port)).collect();
        let each = || heap().saturating_sub(before) / (2 * PAIRS);
        // Buffers of the last handshake are freed after it has been told of.
        eventually("handshakes give back what they took", || each() < 90_000);
        println!("{setup}: {} bytes", each());
        drop((pairs, first));
    }
}
