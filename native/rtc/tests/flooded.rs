//! A peer that is sent more than the library can take in. Alone in its file: it stops all threads that decrypt.
#![cfg(target_os = "linux")]

mod support;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rtc::{PeerEvents, PeerState};
use support::stun::{Kind, expect_hello, join, join_with, socket};
use support::{DEADLINE, Recorder, port};

/// Takes no further news once ICE is connected, before the other half of `released` is dropped.
struct Held {
    recorder: Arc<Recorder>,
    holds: Mutex<Sender<()>>,
    released: Arc<Mutex<Receiver<()>>>,
}

impl PeerEvents for Held {
    fn state(&self, state: PeerState) {
        self.recorder.state(state);
        if state == PeerState::IceConnected {
            self.holds.lock().expect("no test panics under this lock").send(()).expect("the test waits for it");
            let released = self.released.lock().expect("no test panics under this lock");
            assert!(released.recv().is_err(), "nothing is ever sent");
        }
    }
    fn open(&self, track: usize) {
        self.recorder.open(track);
    }
    fn message(&self, track: usize, packet: &[u8]) {
        self.recorder.message(track, packet);
    }
}

/// Threads of the library's pool.
fn workers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "RTC worker").count()
}

#[test]
fn a_peer_that_is_flooded_holds_up_nobody_else() {
    let port = port();
    let (flooding, client) = (socket(), socket());
    let flooded = expect_hello(&port, &flooding);
    let joined = join(&port, "actpass", "");
    let (holds, held) = channel();
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let clients: Vec<_> = (0..workers())
        .map(|_| {
            let (recorder, events) = Recorder::new();
            let holding = Held { recorder, holds: Mutex::new(holds.clone()), released: released.clone() };
            (join_with(&port, "active", "", Arc::new(holding), events), socket())
        })
        .collect();
    // Dropped first, so that a test that fails ends.
    let release = release;
    for (holding, client) in &clients {
        holding.nominate(client);
        holding.wait(client, Kind::Check);
        held.recv_timeout(DEADLINE).expect("a thread stands still");
    }
    // The answer to a check tells that all before it has been read. The queue of a peer has 1024 places.
    let record = [22; 100];
    for _ in 0..15 {
        (0..100).for_each(|_| _ = flooding.send_to(&record, flooded.server).expect("loopback takes it"));
        joined.nominate(&client);
        joined.wait(&client, Kind::Success);
    }
    drop(release);
}
