//! What the library logs at its most talkative. Alone in its file: the log's level is the process's.

mod support;

use datachannel_sys as dc;
use std::ffi::{CStr, c_char};
use std::sync::Mutex;
use support::stun::{Kind, join, socket};
use support::{connect, port};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

unsafe extern "C" fn keep(_: dc::rtcLogLevel, line: *const c_char) {
    // SAFETY: the library passes a string that ends with NUL and outlives the call.
    let line = unsafe { CStr::from_ptr(line) };
    LINES.lock().expect("no test panics under this lock").push(line.to_string_lossy().into_owned());
}

#[test]
fn no_password_is_logged_at_any_level() {
    let port = port();
    // SAFETY: a plain call; the callback is a function of this test and lives as long.
    unsafe { dc::rtcInitLogger(dc::rtcLogLevel_RTC_LOG_VERBOSE, Some(keep)) };
    connect(&port);
    let (joined, client) = (join(&port, "actpass", ""), socket());
    joined.nominate(&client);
    joined.wait(&client, Kind::Success);
    // Of an address that is known: the agent itself looks at the password.
    client.send_to(&joined.check(7, "guessed+guessed+guessed"), joined.server).expect("sent");
    joined.nominate(&client);
    joined.wait(&client, Kind::Success);

    let lines = LINES.lock().expect("no test panics under this lock").join("\n");
    assert!(lines.contains("STUN integrity check failed"), "libjuice logs as well: {lines}");
    assert!(lines.contains(&joined.ufrag), "all levels are there: {lines}");
    for secret in [joined.password.as_str(), "guessed+guessed", support::stun::PASSWORD, "ice-pwd", "pwd=", "password="]
    {
        assert!(!lines.contains(secret), "{secret} in {lines}");
    }
}
