//! UDP ports for peers: some viewers each, because libjuice's thread looks at every agent of a port when it wakes.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rtc::MuxPort;

use crate::error::EngineError;

/// Viewers on one port before the next is opened.
const VIEWERS_PER_PORT: usize = 128;

/// How many busy ports in a row are passed over when a further one is needed.
const MAX_BUSY: u16 = 100;

/// One shard's ports.
#[derive(Debug)]
pub struct Ports {
    host: Option<IpAddr>,
    /// Held for moments: whoever looks at the statistics wants it.
    open: Mutex<Vec<Arc<Port>>>,
    /// Held while a port is opened, which waits for locks of the library.
    opening: Mutex<()>,
}

#[derive(Debug)]
pub struct Port {
    pub mux: MuxPort,
    viewers: AtomicUsize,
}

/// A viewer's place on a port, given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<Port>);

impl Ports {
    /// Opens the first port, so that a busy one is found at the start. `port` 0: the system chooses.
    pub fn open(host: Option<IpAddr>, port: u16) -> Result<Self, EngineError> {
        let first = Arc::new(Port { mux: MuxPort::open(host, port)?, viewers: AtomicUsize::new(0) });
        Ok(Self { host, open: Mutex::new(vec![first]), opening: Mutex::default() })
    }

    /// Frees the ports whose viewers are gone. Blocks.
    pub fn close(&self) {
        let ports = std::mem::take(&mut *lock(&self.open));
        drop(ports);
    }

    pub fn count(&self) -> usize {
        lock(&self.open).len()
    }

    pub fn viewers(&self) -> usize {
        lock(&self.open).iter().map(|port| port.viewers.load(Relaxed)).sum()
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
        let port = Arc::new(Port { mux: next.open(self.host)?, viewers: AtomicUsize::new(1) });
        lock(&self.open).push(port.clone());
        Ok(Place(port))
    }

    fn vacancy(&self) -> Option<Place> {
        let ports = lock(&self.open);
        let port = ports.iter().find(|port| port.viewers.load(Relaxed) < VIEWERS_PER_PORT)?;
        port.viewers.fetch_add(1, Relaxed);
        Some(Place(port.clone()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these whole: each change to them is one call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    pub fn mux(&self) -> &MuxPort {
        &self.0.mux
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Relaxed);
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

    fn open(&self, host: Option<IpAddr>) -> Result<MuxPort, EngineError> {
        let mut busy = EngineError::AddressInUse(0);
        for _ in 0..MAX_BUSY {
            match MuxPort::open(host, self.exact()?) {
                Err(rtc::Error::AddressInUse(port)) => busy = EngineError::AddressInUse(port),
                result => return Ok(result?),
            }
        }
        Err(busy)
    }
}
