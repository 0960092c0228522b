//! How many timers a handshake has that stands still. Alone in its file: the log's level is the process's.

mod support;

use datachannel_sys as dc;
use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use support::port;
use support::stun::{Kind, join, socket};

/// Enough that a timer for each would show.
const DATAGRAMS: usize = 300;
/// The handshake fails after nine flights, and each may set its timer anew.
const MOST: usize = 2 * 9;

static TIMERS: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn count(_: dc::rtcLogLevel, line: *const c_char) {
    // SAFETY: the library passes a string that ends with NUL and outlives the call.
    let line = unsafe { CStr::from_ptr(line) }.to_string_lossy();
    TIMERS.fetch_add(usize::from(line.contains("DTLS retransmit timeout is")), Relaxed);
}

#[test]
fn datagrams_of_a_handshake_that_stands_still_start_no_timers() {
    let port = port();
    // SAFETY: a plain call; the callback is a function of this test and lives as long.
    unsafe { dc::rtcInitLogger(dc::rtcLogLevel_RTC_LOG_VERBOSE, Some(count)) };
    let (joined, client) = (join(&port, "passive", ""), socket());
    joined.nominate(&client);
    joined.wait(&client, Kind::Dtls);
    for _ in 0..DATAGRAMS {
        // Too short for a record of DTLS.
        client.send_to(&[22, 0xfe, 0xfd, 0, 0], joined.server).expect("loopback takes it");
        // One by one: the answer to a check tells that what was sent before has been read.
        joined.nominate(&client);
        joined.wait(&client, Kind::Success);
    }
    joined.wait(&client, Kind::Dtls);
    let timers = TIMERS.load(Relaxed);
    assert!((1..=MOST).contains(&timers), "{timers} timers for {DATAGRAMS} datagrams");
}
