//! A continuous outgoing media clock, whatever the source's time stamps do (RFC 3550 §5.1: they start at random).

use std::time::Duration;

use crate::time::{Time, ticks};

/// A step that falls short of the time that passed by more than this is a restart of the source's clock: the network may
/// have held packets back.
const MAX_SHORT: Duration = Duration::from_secs(3);

/// One that is ahead of it by more than this as well: nothing comes before its time. Browsers would wait for so long.
const MAX_AHEAD: Duration = Duration::from_secs(1);

/// The first outgoing time stamp: far from zero, so that earlier moments have time stamps too.
const ORIGIN: u64 = 1 << 40;

/// Maps a leg's 32-bit time stamps to unwrapped ones that go on over wraps, jumps and restarts.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    rate: u32,
    anchor: Option<Anchor>,
    restarted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    source: u32,
    out: u64,
    arrival: Time,
}

impl Timeline {
    /// `rate`: ticks per second.
    pub fn new(rate: u32) -> Self {
        Self { rate, anchor: None, restarted: false }
    }

    /// Ticks per second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The source begins anew: its next time stamp continues where the clock stands by then.
    pub fn restart(&mut self) {
        self.restarted = true;
    }

    /// The outgoing time stamp of a packet that arrives now; true when the source's clock had jumped.
    pub fn map(&mut self, source: u32, now: Time) -> (u64, bool) {
        let Some(anchor) = self.anchor else {
            self.anchor = Some(Anchor { source, out: ORIGIN, arrival: now });
            self.restarted = false;
            return (ORIGIN, false);
        };
        let step = i64::from(source.wrapping_sub(anchor.source) as i32);
        let passed = ticks(now.since(anchor.arrival), self.rate) as i64;
        let limit = |limit| ticks(limit, self.rate) as i64;
        let jumped = self.restarted || step - passed > limit(MAX_AHEAD) || passed - step > limit(MAX_SHORT);
        let out = if jumped { anchor.out + passed.max(1) as u64 } else { anchor.out.saturating_add_signed(step) };
        // Packets of one frame, and B-frames, must not move the anchor back.
        if jumped || step > 0 {
            self.anchor = Some(Anchor { source, out, arrival: now });
        }
        self.restarted = false;
        (out, jumped)
    }

    /// The outgoing time stamp of a moment near the newest packet; `None` before the first or during a restart.
    pub fn project(&self, source: u32) -> Option<u64> {
        let anchor = self.anchor.filter(|_| !self.restarted)?;
        Some(anchor.out.saturating_add_signed(i64::from(source.wrapping_sub(anchor.source) as i32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_are_steps() {
        let mut line = Timeline::new(90_000);
        let (first, _) = line.map(u32::MAX - 1_000, Time::default());
        let (second, jumped) = line.map(1_999, Time::from_millis(33));
        assert_eq!((second - first, jumped), (3_000, false));
    }

    #[test]
    fn a_jump_continues_by_the_time_that_passed() {
        let mut line = Timeline::new(90_000);
        let (first, _) = line.map(5, Time::default());
        let (second, jumped) = line.map(2_000_000_000, Time::from_millis(100));
        assert_eq!((second - first, jumped), (9_000, true));
        let (third, jumped) = line.map(2_000_003_000, Time::from_millis(133));
        assert_eq!((third - second, jumped), (3_000, false));
    }

    #[test]
    fn a_jump_ahead_is_closed_up_and_what_was_held_back_is_none() {
        let mut line = Timeline::new(90_000);
        let (first, _) = line.map(0, Time::default());
        let (second, jumped) = line.map(183_000, Time::from_millis(33));
        assert_eq!((second - first, jumped), (2_970, true), "two seconds ahead");
        // Two seconds of packets come at once, two seconds late.
        for number in 1..=60 {
            let (stamp, jumped) = line.map(183_000 + number * 3_000, Time::from_millis(2_066));
            assert_eq!((stamp - second, jumped), (u64::from(number) * 3_000, false));
        }
    }

    #[test]
    fn an_announced_restart_continues_even_when_the_numbers_fit() {
        let mut line = Timeline::new(48_000);
        let (first, _) = line.map(960, Time::default());
        line.restart();
        assert_eq!(line.project(960), None);
        let (second, jumped) = line.map(960, Time::from_millis(20));
        assert_eq!((second - first, jumped), (960, true));
    }

    #[test]
    fn earlier_stamps_stay_earlier() {
        let mut line = Timeline::new(90_000);
        let (first, _) = line.map(9_000, Time::default());
        let (earlier, _) = line.map(6_000, Time::from_millis(1));
        assert_eq!(first - earlier, 3_000);
        assert_eq!(line.project(9_000), Some(first));
    }
}
