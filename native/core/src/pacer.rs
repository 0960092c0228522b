//! How much leaves at once for one viewer: a bucket of bytes that fills by the clock.

use std::time::Duration;

use crate::time::Time;

/// What the queue of a home router takes at once.
pub const DEFAULT_BURST: usize = 64_000;

/// An empty bucket is full again after this: with the default burst, 64 Mbit/s.
const REFILL: Duration = Duration::from_millis(8);

/// Sending goes on once this share of the bucket is filled, so that packets leave in groups.
const SHARE: i64 = 4;

/// The bucket. A packet may overdraw it: it is never larger than a packet below zero, but for live frames, which leave
/// whole.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    burst: i64,
    level: i64,
    at: Time,
}

impl Pacer {
    /// `burst`: bytes; `usize::MAX` for no limit at all.
    pub fn new(burst: usize) -> Self {
        let burst = i64::try_from(burst).unwrap_or(i64::MAX).max(1);
        Self { burst, level: burst, at: Time::default() }
    }

    /// So many bytes fit into what may leave at once.
    pub fn takes(&mut self, bytes: usize, now: Time) -> bool {
        self.fill(now);
        self.unlimited() || self.level >= i64::try_from(bytes).unwrap_or(i64::MAX)
    }

    /// Another packet may leave.
    pub fn is_open(&mut self, now: Time) -> bool {
        self.fill(now);
        self.level > 0
    }

    /// Bytes have left.
    pub fn spend(&mut self, bytes: usize) {
        if !self.unlimited() {
            self.level = self.level.saturating_sub(bytes as i64).max(-self.burst);
        }
    }

    /// When sending goes on after `is_open` has said no.
    pub fn opens(&self) -> Time {
        let missing = (self.burst / SHARE).max(1).saturating_sub(self.level).max(0);
        let nanos = i128::from(missing) * REFILL.as_nanos() as i128 / i128::from(self.burst) + 1;
        let at = self.at + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        at.next_millisecond()
    }

    fn fill(&mut self, now: Time) {
        if self.unlimited() {
            return;
        }
        let passed = i128::try_from(now.since(self.at).as_nanos()).unwrap_or(i128::MAX);
        let gained = i128::from(self.burst).saturating_mul(passed) / REFILL.as_nanos() as i128;
        // What has not made a whole byte yet goes on counting.
        if gained > 0 {
            self.level = i64::try_from(gained).unwrap_or(i64::MAX).saturating_add(self.level).min(self.burst);
            self.at = now;
        }
    }

    fn unlimited(&self) -> bool {
        self.burst == i64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_by_the_clock() {
        let mut pacer = Pacer::new(64_000);
        let (mut now, mut sent) = (Time::from_millis(5), 0);
        let mut each = Vec::new();
        while sent < 640_000 {
            let mut group = 0;
            while pacer.is_open(now) {
                pacer.spend(1_000);
                group += 1_000;
            }
            sent += group;
            each.push(group);
            assert!(pacer.opens() > now);
            now = pacer.opens();
        }
        assert_eq!(each[0], 64_000);
        assert!(each[1..].iter().all(|group| (16_000..26_000).contains(group)), "{each:?}");
        let millis = now.since(Time::from_millis(5)).as_millis();
        assert!((70..=76).contains(&millis), "576 kB at 8 kB/ms take {millis} ms");
    }

    #[test]
    fn a_frame_leaves_whole_or_waits() {
        let mut pacer = Pacer::new(64_000);
        let now = Time::from_millis(1_000);
        assert!(pacer.takes(64_000, now) && !pacer.takes(64_001, now));
        pacer.spend(40_000);
        assert!(pacer.takes(24_000, now) && !pacer.takes(24_001, now));
        assert!(pacer.takes(40_000, Time::from_millis(1_002)));
    }

    #[test]
    fn without_a_limit_everything_leaves() {
        let mut pacer = Pacer::new(usize::MAX);
        pacer.spend(usize::MAX);
        assert!(pacer.is_open(Time::default()) && pacer.takes(usize::MAX, Time::default()));
    }
}
