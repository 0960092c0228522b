//! Joins and leaves leave nothing behind. Alone in its file: it measures the whole process.
#![cfg(target_os = "linux")]

mod support;

use rtc::burst;
use std::fs;
use support::*;

/// Descriptors and threads of this process.
fn footprint() -> (usize, usize) {
    let count = |path: &str| fs::read_dir(path).expect("Linux has it").count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// Resident memory, KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_ascii_whitespace().nth(1).expect("a number").parse().expect("a number")
}

#[test]
fn two_hundred_joins_and_leaves_leave_nothing_behind() {
    let server_port = port();
    let join_and_leave = |round: u16| {
        let pair = connect(&server_port);
        let packet = rtp(96, VIDEO_SSRC, round, 1000);
        burst(|burst| assert!(burst.send(pair.server.track(0), &packet)));
        assert_eq!(pair.viewer_events.packet(), (0, packet));
        if round.is_multiple_of(2) { pair.viewer.close() } else { pair.server.close() }
    };
    (0..100).for_each(join_and_leave);
    let (before, memory_before) = (footprint(), memory());
    (0..200).for_each(join_and_leave);
    eventually("threads and descriptors are back", || footprint() == before);
    let growth = memory().saturating_sub(memory_before);
    println!("memory {memory_before} KiB, growth {growth} KiB, {before:?} descriptors and threads");
    // A peer needs about 150 KiB: 400 that stay would be 60 MiB.
    assert!(growth < 4096, "{growth} KiB more after 200 joins and leaves");

    server_port.close();
    assert_eq!(footprint(), (before.0 - 1, before.1 - 1), "the port's socket and thread");
}
