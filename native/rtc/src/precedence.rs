//! Threads that go before others.

/// Steps of nice(2): about six times the share of a thread that has asked for none, when all are busy.
#[cfg(target_os = "linux")]
const STEPS: i32 = 8;

/// Asks the system to run this thread before the others of the process. For threads that carry media: handshakes, which
/// take milliseconds each, can wait for them.
///
/// Linux grants it to root, to CAP_SYS_NICE and within RLIMIT_NICE (setpriority(2)); elsewhere nothing changes.
pub fn take_precedence() {
    #[cfg(target_os = "linux")]
    // SAFETY: plain calls, for this thread alone.
    unsafe {
        let now = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, now - STEPS);
    }
}
