//! Which threads of the library run, and which of them does what. Alone in its file: it looks at the whole process.
#![cfg(target_os = "linux")]

mod support;

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use rtc::{PeerEvents, PeerState, burst};
use support::*;

/// Their names, of at most 15 bytes.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(|task| name(task.ok()?)).map(|name| name.trim_end().to_owned()).collect()
}

#[test]
fn nothing_runs_for_data_channels() {
    let server_port = port();
    let _pair = connect(&server_port);
    let threads = threads();
    assert!(threads.iter().any(|name| name == "juice mux"), "{threads:?}");
    assert!(!threads.iter().any(|name| name.starts_with("SCTP")), "{threads:?}");
}

/// Tells the name of the thread that brings a packet.
struct Bringer(Sender<String>);

impl PeerEvents for Bringer {
    fn state(&self, _state: PeerState) {}
    fn open(&self, _track: usize) {}
    fn message(&self, _track: usize, _packet: &[u8]) {
        let name = std::fs::read_to_string("/proc/thread-self/comm").expect("Linux has it");
        self.0.send(name.trim_end().to_owned()).expect("the test waits for it");
    }
}

#[test]
fn what_viewers_report_wakes_no_other_thread() {
    let server_port = port();
    let (bringer, names) = channel();
    let (_, nothing) = Recorder::new();
    let pair = join_with(LOOPBACK, &server_port, Arc::new(Bringer(bringer)), nothing);
    (0..2).for_each(|track| pair.viewer_events.wait_for(&Event::Open(track)));
    // The first may meet the end of the handshake, which is another thread's work.
    let names: Vec<String> = (0..50)
        .map(|highest| {
            let report = receiver_report(0x2000_0001, VIDEO_SSRC, highest);
            burst(|burst| assert!(burst.send(pair.viewer.track(0), &report)));
            names.recv_timeout(DEADLINE).expect("it arrives")
        })
        .collect();
    assert_eq!(names[30..], ["juice mux"; 20], "{names:?}");
}
