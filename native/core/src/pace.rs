//! Whether a source's time stamps run as fast as time does.

use std::time::Duration;

use crate::time::{Time, ticks};

/// Long enough that jitter does not count.
const WINDOW: Duration = Duration::from_secs(5);

/// A jump of the source's clock spoils one window, a wrong rate every one.
const WINDOWS: u32 = 2;

/// Media time against time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    since: Option<(u32, Time)>,
    wrong: u32,
}

impl Pace {
    /// Takes note of a packet's time stamp, of `rate` ticks a second; true when they run wrong by a quarter or more.
    pub fn observe(&mut self, timestamp: u32, rate: u32, now: Time) -> bool {
        let &mut (first, at) = self.since.get_or_insert((timestamp, now));
        let passed = now.since(at);
        if passed >= WINDOW {
            self.since = Some((timestamp, now));
            let (expected, step) = (ticks(passed, rate) as i64, i64::from(timestamp.wrapping_sub(first) as i32));
            let wrong = (step - expected).abs() * 4 >= expected;
            // Who has paused may have stopped the clock.
            self.wrong = if wrong && passed < 2 * WINDOW { self.wrong + 1 } else { 0 };
        }
        self.wrong >= WINDOWS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_pauses_may_stop_the_clock() {
        let mut pace = Pace::default();
        let (mut timestamp, mut millis) = (0, 0);
        for _ in 0..4 {
            for _ in 0..30 {
                (timestamp, millis) = (timestamp + 3_000, millis + 33);
                assert!(!pace.observe(timestamp, 90_000, Time::from_millis(millis)));
            }
            millis += 20_000;
        }
    }
}
