//! An engine, a stream pushed by the test, and viewers that keep what they get, all in this process on loopback.
#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

mod edge;
mod log;
mod programme;
mod relay;
mod rtcp;
mod session;
mod viewer;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use engine::{Engine, EngineConfig};

pub use edge::Edge;
pub use log::{Log, Packet, State};
pub use programme::{Picture, Programme, annex_b, picture};
pub use relay::Relay;
pub use rtcp::{nack, pli};
pub use session::{answered, next_number, offer_pull, publish, publish_as, watch};
pub use viewer::{Viewer, leave};

/// Longer than anything here takes; a test that waits this long has failed.
pub const DEADLINE: Duration = Duration::from_secs(30);
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub fn start(shards: usize) -> Engine {
    let config = EngineConfig { media_host: Some(LOOPBACK), media_port: 0, shards };
    Engine::start(&config).expect("loopback has free ports")
}

/// Asks until `done` or the deadline.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "{what} before the deadline");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Descriptors and threads of this process.
pub fn footprint() -> (usize, usize) {
    let count = |path: &str| std::fs::read_dir(path).expect("Linux has it").count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// Resident memory, KiB.
pub fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_ascii_whitespace().nth(1).expect("a number").parse().expect("a number")
}
