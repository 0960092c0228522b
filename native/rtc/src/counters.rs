//! What sending did, and what was refused, for the whole process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the bursts of all threads did since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendCounters {
    /// Datagrams given to the system.
    pub datagrams: u64,
    /// Of them, those that went past the library ([`Burst::put`](crate::Burst::put)).
    pub direct: u64,
    /// System calls that sent them or tried to.
    pub calls: u64,
    /// Datagrams lost here: the socket stayed full, or the system refused their destination.
    pub dropped: u64,
    /// Times a full socket was waited for.
    pub waits: u64,
    /// Super-packets that the system refused and that were sent again one datagram at a time.
    pub gso_refused: u64,
    /// Whether the system has UDP segmentation offload (GSO) and it is not switched off.
    pub gso: bool,
    /// Whether several messages leave with one system call (`sendmmsg`).
    pub sendmmsg: bool,
}

/// The counters of this moment.
pub fn send_counters() -> SendCounters {
    #[cfg(target_os = "linux")]
    let (gso, sendmmsg) = (crate::kernel::gso(), crate::kernel::sendmmsg());
    #[cfg(not(target_os = "linux"))]
    let (gso, sendmmsg) = (false, false);
    SendCounters {
        datagrams: DATAGRAMS.load(Relaxed),
        direct: DIRECT.load(Relaxed),
        calls: CALLS.load(Relaxed),
        dropped: DROPPED.load(Relaxed),
        waits: WAITS.load(Relaxed),
        gso_refused: GSO_REFUSED.load(Relaxed),
        gso,
        sendmmsg,
    }
}

/// Packets refused because their peer had shown too many SSRCs already, of all peers of the process.
pub fn refused_senders() -> u64 {
    REFUSED_SENDERS.load(Relaxed)
}

#[cfg(target_os = "linux")]
pub(crate) fn refuse_sender() {
    REFUSED_SENDERS.fetch_add(1, Relaxed);
}

static REFUSED_SENDERS: AtomicU64 = AtomicU64::new(0);
static DATAGRAMS: AtomicU64 = AtomicU64::new(0);
static DIRECT: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static WAITS: AtomicU64 = AtomicU64::new(0);
static GSO_REFUSED: AtomicU64 = AtomicU64::new(0);

/// What one flush did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub datagrams: u64,
    pub direct: u64,
    pub calls: u64,
    pub dropped: u64,
    pub waits: u64,
    pub gso_refused: u64,
}

impl Tally {
    pub fn publish(self) {
        DATAGRAMS.fetch_add(self.datagrams, Relaxed);
        CALLS.fetch_add(self.calls, Relaxed);
        DIRECT.fetch_add(self.direct, Relaxed);
        for (counter, value) in [(&DROPPED, self.dropped), (&WAITS, self.waits), (&GSO_REFUSED, self.gso_refused)] {
            if value > 0 {
                counter.fetch_add(value, Relaxed);
            }
        }
    }
}
