//! The way of libdatachannel's callbacks to a peer's events.
//!
//! C++ holds a number, never a pointer into our memory: a callback that comes late finds no entry.
//! Each entry has a gate. Once the gate is closed no callback runs and none will, whatever
//! libdatachannel still has under way on its threads.

use crate::log::{self, Level};
use crate::peer::PeerEvents;
use std::collections::HashMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

/// Tracks that a peer may have: their number shares a pointer's bits with the peer's.
pub(crate) const MAX_TRACKS: usize = TRACK_MASK - 1;
const TRACK_BITS: u32 = 8;
const TRACK_MASK: usize = (1 << TRACK_BITS) - 1;

static ENTRIES: LazyLock<RwLock<HashMap<usize, Arc<Entry>>>> = LazyLock::new(RwLock::default);
static LAST_ID: AtomicUsize = AtomicUsize::new(0);

/// What a callback finds.
pub(crate) struct Entry {
    pub events: Arc<dyn PeerEvents>,
    pub gathered: Gathered,
    pair: OnceLock<String>,
    gate: Gate,
}

impl Entry {
    /// The peer has connected, over `pair`.
    pub fn connect(&self, pair: Option<String>) {
        if let Some(pair) = pair {
            // A peer connects once.
            let _ = self.pair.set(pair);
        }
    }
}

/// A peer's place in the registry. Dropping it waits for the callbacks that run and bars all others.
pub(crate) struct Registration {
    id: usize,
    entry: Arc<Entry>,
}

impl Registration {
    pub fn new(events: Arc<dyn PeerEvents>) -> Self {
        let id = LAST_ID.fetch_add(1, Relaxed) + 1;
        let (gathered, pair, gate) = (Gathered::default(), OnceLock::new(), Gate::default());
        let entry = Arc::new(Entry { events, gathered, pair, gate });
        ENTRIES.write().unwrap_or_else(PoisonError::into_inner).insert(id, entry.clone());
        Self { id, entry }
    }

    pub fn gathered(&self) -> &Gathered {
        &self.entry.gathered
    }

    /// The candidate pair over which the peer has connected.
    pub fn pair(&self) -> Option<String> {
        self.entry.pair.get().cloned()
    }

    /// The user pointer of the peer's own callbacks.
    pub fn peer_pointer(&self) -> *mut c_void {
        ptr::without_provenance_mut(self.id << TRACK_BITS)
    }

    /// The user pointer of a track's callbacks.
    pub fn track_pointer(&self, index: usize) -> *mut c_void {
        ptr::without_provenance_mut(self.id << TRACK_BITS | (index + 1))
    }

    /// Waits for the callbacks that run and bars all others. Never from a callback of the same peer.
    pub fn close(&self) {
        self.entry.gate.close();
        ENTRIES.write().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs `callback` with the entry behind a user pointer and the track's index (0 for the peer itself),
/// unless the gate is closed. A panic ends here: it is logged, C++ never sees it.
pub(crate) fn dispatch(pointer: *mut c_void, callback: impl FnOnce(&Entry, usize)) {
    let token = pointer.addr();
    let entry = ENTRIES.read().unwrap_or_else(PoisonError::into_inner).get(&(token >> TRACK_BITS)).cloned();
    let Some(entry) = entry else { return };
    let Some(_pass) = entry.gate.enter() else { return };
    let track = (token & TRACK_MASK).saturating_sub(1);
    if catch_unwind(AssertUnwindSafe(|| callback(&entry, track))).is_err() {
        log::report(Level::Error, "a peer's event handler panicked");
    }
}

/// Set once all local candidates are known.
#[derive(Default)]
pub(crate) struct Gathered {
    done: Mutex<bool>,
    changed: Condvar,
}

impl Gathered {
    pub fn set(&self) {
        *lock(&self.done) = true;
        self.changed.notify_all();
    }

    /// Whether it was set within the time.
    pub fn wait(&self, timeout: Duration) -> bool {
        let result = self.changed.wait_timeout_while(lock(&self.done), timeout, |done| !*done);
        *result.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    idle: Condvar,
}

#[derive(Default)]
struct GateState {
    closed: bool,
    running: u32,
}

impl Gate {
    fn enter(&self) -> Option<Pass<'_>> {
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        state.running += 1;
        Some(Pass(self))
    }

    fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        while state.running > 0 {
            state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Pass<'a>(&'a Gate);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.running -= 1;
        if state.running == 0 {
            self.0.idle.notify_all();
        }
    }
}

/// Nothing under these locks can panic half-way, so a poisoned one is as good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
