//! The one place that reads the system's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use core_media::time::{Time, WallClock};

/// Time since the engine started, and what wall time that is.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall: WallClock,
}

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), wall: WallClock::new(since_epoch) }
    }

    /// The moment.
    pub fn now(&self) -> Time {
        Time::default() + self.start.elapsed()
    }

    /// For sender reports.
    pub fn wall(&self) -> WallClock {
        self.wall
    }
}
