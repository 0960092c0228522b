//! UDP ports for peers: some sessions each, because libjuice's thread looks at every agent of a port when it wakes.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use core_media::gate::Limits;
use rtc::MuxPort;

use crate::clock::Clock;
use crate::error::EngineError;
use crate::event::Events;
use crate::gate::{PortGate, Refused};

/// Sessions on one port before the next is opened.
const SESSIONS_PER_PORT: usize = 128;

/// How many busy ports in a row are passed over when a further one is needed.
const MAX_BUSY: u16 = 100;

/// Opens ports, each with its gate.
#[derive(Clone, Debug)]
pub struct Opener {
    /// `None`: every interface.
    pub host: Option<IpAddr>,
    /// What a session may send.
    pub limits: Limits,
    pub clock: Clock,
    pub events: Arc<Events>,
    pub refused: Arc<Refused>,
}

impl Opener {
    /// 0: the system chooses.
    pub fn open(&self, port: u16) -> Result<Port, rtc::Error> {
        let gate = Arc::new(PortGate::new(self.limits, self.clock, self.events.clone(), self.refused.clone()));
        Ok(Port { mux: MuxPort::open_for(self.host, port, Some(gate.clone()))?, gate, sessions: AtomicUsize::new(0) })
    }
}

/// The ports of a shard, or of publishers.
#[derive(Debug)]
pub struct Ports {
    opener: Opener,
    /// Held for moments: whoever looks at the statistics wants it.
    open: Mutex<Vec<Arc<Port>>>,
    /// Held while a port is opened, which waits for locks of the library.
    opening: Mutex<()>,
}

#[derive(Debug)]
pub struct Port {
    pub mux: MuxPort,
    pub gate: Arc<PortGate>,
    sessions: AtomicUsize,
}

/// A session's place on a port, given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<Port>);

impl Ports {
    /// Opens the first port, so that a busy one is found at the start. `port` 0: the system chooses.
    pub fn open(opener: Opener, port: u16) -> Result<Self, EngineError> {
        let first = Arc::new(opener.open(port)?);
        Ok(Self { opener, open: Mutex::new(vec![first]), opening: Mutex::default() })
    }

    /// Opens the first port when somebody needs it.
    pub fn none(opener: Opener) -> Self {
        Self { opener, open: Mutex::default(), opening: Mutex::default() }
    }

    /// Frees the ports whose sessions are gone. Blocks.
    pub fn close(&self) {
        let ports = std::mem::take(&mut *lock(&self.open));
        drop(ports);
    }

    pub fn count(&self) -> usize {
        lock(&self.open).len()
    }

    pub fn sessions(&self) -> usize {
        lock(&self.open).iter().map(|port| port.sessions.load(Relaxed)).sum()
    }

    /// A place on the first port with room; `next` gives the number of a further port, if one is needed. Blocks then.
    pub fn place(&self, next: &NextPort) -> Result<Place, EngineError> {
        if let Some(place) = self.vacancy() {
            return Ok(place);
        }
        let _opening = lock(&self.opening);
        // Whoever opened one meanwhile may have left room on it.
        if let Some(place) = self.vacancy() {
            return Ok(place);
        }
        let port = Arc::new(next.open(&self.opener)?);
        port.sessions.fetch_add(1, Relaxed);
        lock(&self.open).push(port.clone());
        Ok(Place(port))
    }

    fn vacancy(&self) -> Option<Place> {
        let ports = lock(&self.open);
        let port = ports.iter().find(|port| port.sessions.load(Relaxed) < SESSIONS_PER_PORT)?;
        port.sessions.fetch_add(1, Relaxed);
        Some(Place(port.clone()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these whole: each change to them is one call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    pub fn port(&self) -> &Port {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Relaxed);
    }
}

/// Counts up from the first port that was asked for; stays at 0 when the system chooses.
#[derive(Debug)]
pub struct NextPort(Mutex<u16>);

impl NextPort {
    pub fn new(first: u16) -> Self {
        Self(Mutex::new(first))
    }

    /// The exact next number, for the ports opened at the start.
    pub fn exact(&self) -> Result<u16, EngineError> {
        let mut next = lock(&self.0);
        let port = *next;
        if port > 0 {
            *next = port.checked_add(1).ok_or(EngineError::AddressInUse(port))?;
        }
        Ok(port)
    }

    fn open(&self, opener: &Opener) -> Result<Port, EngineError> {
        let mut busy = EngineError::AddressInUse(0);
        for _ in 0..MAX_BUSY {
            match opener.open(self.exact()?) {
                Err(rtc::Error::AddressInUse(port)) => busy = EngineError::AddressInUse(port),
                result => return Ok(result?),
            }
        }
        Err(busy)
    }
}
