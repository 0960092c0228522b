//! What a stranger may send: so many a second, and who stays above that is known after a while.

use std::time::Duration;

use crate::time::Time;

/// Whoever exceeds a budget for this long does so on purpose.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A pause of this length ends an excess.
const CALM: Duration = Duration::from_secs(1);

/// RTCP packets that a viewer may send, a second and at once. Browsers send a NACK for each gap that a packet shows, and
/// the library hands a compound packet out once for each of our SSRCs that it names.
const FEEDBACK: (f64, f64) = (400.0, 800.0);

/// A token bucket that remembers since when it has been exceeded.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Tokens a second.
    rate: f64,
    burst: f64,
    level: f64,
    at: Time,
    excess: Option<Excess>,
}

/// From the first refusal to the newest, without a calm moment in between.
#[derive(Clone, Copy, Debug)]
struct Excess {
    since: Time,
    newest: Time,
    refused: u64,
    /// Within the budget, since then.
    passed: u64,
}

/// What became of a request for one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// Within the budget.
    Within,
    /// Above it.
    Above,
    /// Above it for as long as [`PATIENCE`], by twice as much or more.
    Exhausted,
}

impl Budget {
    /// `rate` tokens a second, at most `burst` at once; full at first.
    pub fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst, level: burst, at: Time::default(), excess: None }
    }

    /// That of a viewer's RTCP.
    pub fn feedback() -> Self {
        Self::new(FEEDBACK.0, FEEDBACK.1)
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Time) -> Charge {
        self.level = (self.level + self.rate * now.since(self.at).as_secs_f64()).min(self.burst);
        self.at = self.at.max(now);
        self.excess = self.excess.filter(|excess| now.since(excess.newest) < CALM);
        if self.level >= 1.0 {
            self.level -= 1.0;
            if let Some(excess) = &mut self.excess {
                excess.passed += 1;
            }
            return Charge::Within;
        }
        let excess = self.excess.get_or_insert(Excess { since: now, newest: now, refused: 0, passed: 0 });
        excess.newest = now;
        excess.refused += 1;
        // Who is somewhat above it may be honest, and on a bad line.
        let long = now.since(excess.since) >= PATIENCE;
        if long && excess.refused >= excess.passed { Charge::Exhausted } else { Charge::Above }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests at an even pace; how many of each charge.
    fn ask(budget: &mut Budget, from: u64, seconds: u64, rate: u64) -> [u64; 3] {
        let mut counts = [0; 3];
        for number in 0..seconds * rate {
            let now = Time::from_nanos(from * 1_000_000_000 + number * 1_000_000_000 / rate);
            counts[budget.take(now) as usize] += 1;
        }
        counts
    }

    #[test]
    fn who_stays_within_the_rate_is_never_refused() {
        let mut budget = Budget::new(50.0, 100.0);
        assert_eq!(ask(&mut budget, 0, 60, 50), [3_000, 0, 0]);
    }

    #[test]
    fn a_burst_passes_and_the_rest_by_the_clock() {
        let mut budget = Budget::new(50.0, 100.0);
        let [within, above, exhausted] = ask(&mut budget, 0, 2, 1_000);
        assert!((195..=201).contains(&within), "{within}");
        assert_eq!((within + above, exhausted), (2_000, 0));
    }

    #[test]
    fn who_is_somewhat_above_the_rate_is_refused_the_rest_and_no_more() {
        let mut budget = Budget::new(50.0, 100.0);
        let [within, above, exhausted] = ask(&mut budget, 0, 60, 90);
        assert!((3_000..=3_101).contains(&within), "{within}");
        assert_eq!((within + above, exhausted), (5_400, 0));
    }

    #[test]
    fn ten_seconds_of_excess_are_told_and_a_calm_second_forgives() {
        let mut budget = Budget::new(50.0, 100.0);
        assert_eq!(ask(&mut budget, 0, 9, 1_000)[2], 0);
        // Two seconds within the rate.
        assert_eq!(ask(&mut budget, 9, 2, 10), [20, 0, 0]);
        assert_eq!(ask(&mut budget, 11, 9, 1_000)[2], 0);
        assert!(ask(&mut budget, 20, 2, 1_000)[2] > 0);
    }
}
