//! A port's gate: the decision of `core`, with the engine's clock, its sessions, and a count of what was refused.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core_media::gate::{Decision, Gate, Key, Limits, Refusal};
use rtc::Admission;

use crate::clock::Clock;
use crate::event::{EndReason, Events};
use crate::session::SessionState;

/// What peers sent in vain, by reason: datagrams on all ports, and RTCP that was decrypted.
#[derive(Debug, Default)]
pub struct Refused {
    datagrams: [AtomicU64; Refusal::ALL.len()],
    feedback: AtomicU64,
}

impl Refused {
    /// Every reason with its count.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let datagrams = Refusal::ALL.into_iter().map(|reason| (reason.name(), &self.datagrams[reason as usize]));
        datagrams.chain([("feedback", &self.feedback)]).map(|(name, count)| (name, count.load(Relaxed)))
    }

    /// A compound packet above its viewer's budget.
    pub fn count_feedback(&self) {
        self.feedback.fetch_add(1, Relaxed);
    }

    fn count(&self, reason: Refusal) {
        self.datagrams[reason as usize].fetch_add(1, Relaxed);
    }
}

/// One port's gate.
#[derive(Debug)]
pub struct PortGate {
    clock: Clock,
    events: Arc<Events>,
    refused: Arc<Refused>,
    gate: Mutex<Gate<Arc<SessionState>>>,
}

impl PortGate {
    pub fn new(limits: Limits, clock: Clock, events: Arc<Events>, refused: Arc<Refused>) -> Self {
        Self { clock, events, refused, gate: Mutex::new(Gate::new(limits)) }
    }

    /// Lets a session in, as long as the result lives; `description` is the engine's own.
    pub fn admit(self: &Arc<Self>, key: Key, description: &str, session: Arc<SessionState>) -> Admitted {
        let value = |name: &str| description.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        self.lock().add(key, value("a=ice-ufrag:"), value("a=ice-pwd:"), session);
        Admitted { gate: self.clone(), key }
    }

    /// Nothing under this lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, Gate<Arc<SessionState>>> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission for PortGate {
    fn admits(&self, from: SocketAddr, datagram: &[u8]) -> bool {
        match self.lock().decide(from, datagram, self.clock.now()) {
            Decision::Pass => return true,
            Decision::Refuse(reason) => self.refused.count(reason),
            Decision::End(session) => {
                self.refused.count(Refusal::OverBudget);
                session.end(EndReason::Flooding, &self.events);
            }
        }
        false
    }

    fn sent(&self, to: SocketAddr, message: &[u8]) {
        self.lock().sent(to, message);
    }
}

/// A session's right to pass, given back when dropped.
#[derive(Debug)]
pub struct Admitted {
    gate: Arc<PortGate>,
    key: Key,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.gate.lock().remove(self.key);
    }
}
