//! How much a viewer may be sent a second time, repairs and replays together: a share of what it is sent the first time.

use std::time::Duration;

use crate::time::Time;

/// Of all bytes sent once, one in so many may be sent again.
const SHARE: usize = 2;

/// What counts: the newest ten seconds.
const SPAN: usize = 40;
const SLOT: Duration = Duration::from_millis(250);

/// A pause of the stream counts as so many slots: one of few frames a second has its share as well.
const LONGEST_PAUSE: u64 = 4;

/// What repairs may take at once, in bytes: half a second of a stream of 2 Mbit/s. A line that loses more is not helped by
/// more.
const MAX_REPAIRS: usize = 128_000;

/// A viewer that has just joined has been sent little, and loses most of that easily.
const FIRST_REPAIRS: usize = MAX_REPAIRS / 2;

/// The account of one track.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// A ring. One slot more counts for what was sent again: the moment at which a slot ends must not matter.
    slots: [Slot; SPAN + 1],
    current: usize,
    ends: Time,
    /// Of the slots that count.
    sum: Slot,
    /// Promised to a replay that is under way.
    reserved: usize,
    repairs: usize,
}

/// Bytes of payload.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    once: usize,
    again: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        let start = Slot { once: FIRST_REPAIRS * SHARE, again: 0 };
        let mut slots = [Slot::default(); SPAN + 1];
        slots[0] = start;
        Self { slots, current: 0, ends: Time::default(), sum: start, reserved: 0, repairs: FIRST_REPAIRS }
    }
}

impl Allowance {
    /// Bytes are sent for the first time.
    pub fn earn(&mut self, bytes: usize, now: Time) {
        if now >= self.ends {
            self.turn(now);
        }
        self.start(bytes);
        self.repairs = (self.repairs + bytes / SHARE).min(MAX_REPAIRS);
    }

    /// What a viewer begins with counts twice, so that it may be sent again as a whole.
    pub fn start(&mut self, bytes: usize) {
        self.slots[self.current].once += bytes;
        self.sum.once += bytes;
    }

    /// A packet is to be repaired; false when that is too much.
    pub fn repair(&mut self, bytes: usize) -> bool {
        let enough = bytes <= self.left().min(self.repairs);
        if enough {
            self.repairs -= bytes;
            self.spend(bytes);
        }
        enough
    }

    /// A replay of so many bytes is to begin; false when that is too much.
    pub fn reserve(&mut self, bytes: usize) -> bool {
        let enough = bytes <= self.left();
        if enough {
            self.reserved = bytes;
        }
        enough
    }

    /// Bytes of the replay are sent.
    pub fn replay(&mut self, bytes: usize) {
        self.reserved = self.reserved.saturating_sub(bytes);
        self.spend(bytes);
    }

    /// The replay is over.
    pub fn release(&mut self) {
        self.reserved = 0;
    }

    fn spend(&mut self, bytes: usize) {
        self.slots[self.current].again += bytes;
        self.sum.again += bytes;
    }

    fn left(&self) -> usize {
        (self.sum.once / SHARE).saturating_sub(self.sum.again + self.reserved)
    }

    fn turn(&mut self, now: Time) {
        let passed = (now.since(self.ends).as_nanos() / SLOT.as_nanos()) as u64 + 1;
        let paused = passed > LONGEST_PAUSE;
        self.ends = if paused { now + SLOT } else { self.ends + SLOT * passed as u32 };
        for _ in 0..passed.min(LONGEST_PAUSE) {
            self.current = self.after(self.current);
            self.sum.again -= self.slots[self.current].again;
            self.sum.once -= self.slots[self.after(self.current)].once;
            self.slots[self.current] = Slot::default();
            let oldest = self.after(self.current);
            self.slots[oldest].once = 0;
        }
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) % self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: u64) -> Time {
        Time::from_millis(number * 1_000)
    }

    /// Ten seconds of 100 kB each; the start is forgotten.
    fn steady() -> Allowance {
        let mut allowance = Allowance::default();
        (1..=11).for_each(|number| allowance.earn(100_000, second(number)));
        allowance
    }

    #[test]
    fn half_of_ten_seconds_may_be_sent_again_within_ten_seconds() {
        let mut allowance = steady();
        let all = |allowance: &mut Allowance| allowance.reserve(500_000) && !allowance.reserve(500_001);
        assert!(all(&mut allowance));
        allowance.replay(500_000);
        for number in 12..=21 {
            allowance.earn(100_000, second(number));
            assert!(!allowance.reserve(1), "second {number}");
        }
        allowance.earn(100_000, second(22));
        assert!(all(&mut allowance));
    }

    #[test]
    fn a_replay_is_promised_as_a_whole_and_paid_as_it_leaves() {
        let mut allowance = steady();
        assert!(allowance.reserve(400_000));
        assert!(allowance.repair(100_000) && !allowance.repair(1));
        allowance.replay(300_000);
        assert!(!allowance.repair(1));
        allowance.release();
        assert!(allowance.reserve(100_000) && !allowance.reserve(1));
    }

    #[test]
    fn repairs_are_also_bounded_at_once() {
        let mut allowance = steady();
        assert!(allowance.repair(128_000) && !allowance.repair(1));
        allowance.earn(2_000, second(11));
        assert!(allowance.repair(1_000) && !allowance.repair(1));
    }

    #[test]
    fn a_pause_counts_as_a_second() {
        let mut allowance = steady();
        assert!(allowance.reserve(400_000));
        allowance.replay(400_000);
        allowance.release();
        allowance.earn(100_000, second(3_600));
        assert!(allowance.reserve(100_000) && !allowance.reserve(100_001));
    }
}
