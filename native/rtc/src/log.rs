//! The way of libdatachannel's log lines out of this crate: without secrets, cut, rate limited, never blocking.

use crate::juice;
use crate::mask::masked;
use datachannel_sys as dc;
use std::ffi::{CStr, c_char};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, Once, OnceLock};
use std::time::Instant;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is wrong and was coped with.
    Warning,
    /// Life cycle of a peer.
    Info,
    /// Everything else.
    Debug,
}

/// Lines passed on in one second; the others are counted and the count reported in the next.
const LINES_PER_SECOND: u32 = 50;
/// Bytes of a line that are passed on.
const LINE_LENGTH: usize = 500;

static SINK: OnceLock<fn(Level, &str)> = OnceLock::new();
static LIMIT: Limit = Limit::new();
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Prepares libdatachannel, once per process: its threads are started and its log goes to `log`.
///
/// `log` is called on any thread, at most about 50 times a second, and must not block. Warnings and
/// errors are passed on; `FETCH_WHEP_RTC_LOG` (`none`, `fatal`, `error`, `warning`, `info`, `debug` or
/// `verbose`) chooses otherwise. Without this call nothing is logged; a second call changes nothing.
pub fn init(log: fn(Level, &str)) {
    if SINK.set(log).is_ok() {
        start();
    }
}

/// Silences libdatachannel's own output, starts its threads and asks the system for GSO, once.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let level = severity(std::env::var("FETCH_WHEP_RTC_LOG").as_deref().unwrap_or(""));
        // SAFETY: plain calls; the callback is a function of this library and lives as long.
        unsafe {
            // libjuice writes to stdout until the first peer has set libdatachannel's level.
            juice::juice_set_log_level(juice::LOG_LEVEL_NONE);
            dc::rtcInitLogger(level, Some(on_line));
            dc::rtcPreload();
        }
        #[cfg(target_os = "linux")]
        crate::kernel::gso();
    });
}

/// Passes a line on when there is somebody to read it and this second has room for it.
pub(crate) fn report(level: Level, line: &str) {
    let Some(sink) = SINK.get() else { return };
    let Some(omitted) = LIMIT.admit(EPOCH.elapsed().as_secs() + 1) else { return };
    if omitted > 0 {
        sink(Level::Warning, &format!("{omitted} log lines were left out"));
    }
    sink(level, cut(&masked(line)));
}

/// The line's begin.
fn cut(line: &str) -> &str {
    let end = (0..=line.len().min(LINE_LENGTH)).rev().find(|&end| line.is_char_boundary(end));
    &line[..end.unwrap_or(0)]
}

unsafe extern "C" fn on_line(level: dc::rtcLogLevel, line: *const c_char) {
    let level = match level {
        dc::rtcLogLevel_RTC_LOG_FATAL | dc::rtcLogLevel_RTC_LOG_ERROR => Level::Error,
        dc::rtcLogLevel_RTC_LOG_WARNING => Level::Warning,
        dc::rtcLogLevel_RTC_LOG_INFO => Level::Info,
        _ => Level::Debug,
    };
    if line.is_null() {
        return;
    }
    // SAFETY: libdatachannel passes a string that ends with NUL and outlives the call.
    let line = unsafe { CStr::from_ptr(line) };
    // A panic of the sink has no log to go to and must not unwind into C++.
    let _ = catch_unwind(|| report(level, &line.to_string_lossy()));
}

fn severity(name: &str) -> dc::rtcLogLevel {
    match name {
        "none" => dc::rtcLogLevel_RTC_LOG_NONE,
        "fatal" => dc::rtcLogLevel_RTC_LOG_FATAL,
        "error" => dc::rtcLogLevel_RTC_LOG_ERROR,
        "info" => dc::rtcLogLevel_RTC_LOG_INFO,
        "debug" => dc::rtcLogLevel_RTC_LOG_DEBUG,
        "verbose" => dc::rtcLogLevel_RTC_LOG_VERBOSE,
        _ => dc::rtcLogLevel_RTC_LOG_WARNING,
    }
}

/// Counts the lines of a second without a lock; threads that race may let a few more through.
struct Limit {
    second: AtomicU64,
    lines: AtomicU32,
    omitted: AtomicU32,
}

impl Limit {
    const fn new() -> Self {
        Self { second: AtomicU64::new(0), lines: AtomicU32::new(0), omitted: AtomicU32::new(0) }
    }

    /// Whether a line may pass in this second; if so, how many were left out since the last report.
    fn admit(&self, second: u64) -> Option<u32> {
        if self.second.swap(second, Relaxed) != second {
            self.lines.store(1, Relaxed);
            return Some(self.omitted.swap(0, Relaxed));
        }
        if self.lines.fetch_add(1, Relaxed) < LINES_PER_SECOND {
            return Some(0);
        }
        self.omitted.fetch_add(1, Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_secret_is_passed_on_wherever_the_line_is_cut() {
        for before in 0..=LINE_LENGTH {
            let line = format!("{}password=\"SECRET\" and more", "é".repeat(before / 2) + &"-".repeat(before % 2));
            let passed = cut(&masked(&line)).to_owned();
            assert!(passed.len() <= LINE_LENGTH && !passed.contains('S'), "{before}: {passed}");
        }
    }

    #[test]
    fn a_flood_is_cut_and_its_length_told_in_the_next_second() {
        let limit = Limit::new();
        let passed = (0..1000).filter(|_| limit.admit(7).is_some()).count();
        assert_eq!(passed, LINES_PER_SECOND as usize);
        assert_eq!(limit.admit(8), Some(1000 - LINES_PER_SECOND));
        assert_eq!(limit.admit(8), Some(0));
    }
}
