//! Lets libjuice's threads stand still under the locks of their ports, as under a flood. For tests.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A test whose one thread waits for such a lock itself would stand still for ever.
const LONGEST: Duration = Duration::from_secs(10);

/// Whether to look at the state at all: once for each datagram that libjuice reads.
static HELD: AtomicBool = AtomicBool::new(false);
static STATE: Mutex<State> = Mutex::new(State { held: false, waiting: 0 });
static CHANGED: Condvar = Condvar::new();

struct State {
    held: bool,
    waiting: usize,
}

/// From now on the thread of a port that gets a datagram waits under its port's lock, until the result is dropped or ten
/// seconds have passed.
pub fn hold_receives() -> Hold {
    HELD.store(true, Relaxed);
    state().held = true;
    Hold(())
}

/// See [`hold_receives`].
#[derive(Debug)]
pub struct Hold(());

impl Hold {
    /// Ports whose threads wait.
    pub fn ports(&self) -> usize {
        state().waiting
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        HELD.store(false, Relaxed);
        state().held = false;
        CHANGED.notify_all();
    }
}

/// Called where libjuice is about to read, under its port's lock.
pub(crate) fn wait() {
    if !HELD.load(Relaxed) {
        return;
    }
    let mut state = state();
    state.waiting += 1;
    let waited = CHANGED.wait_timeout_while(state, LONGEST, |state| state.held);
    waited.unwrap_or_else(PoisonError::into_inner).0.waiting -= 1;
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}
