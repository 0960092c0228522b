//! When a thread's bursts may hold super-packets: not after many refusals, and again after a while.
//!
//! Each thread decides by what it has seen itself, so that viewers behind tunnels cost those of their own shard at most.

use std::time::{Duration, Instant};

/// Super-packets refused in a row, with none accepted in between, after which GSO rests. A refusal can be one viewer's
/// (a small path MTU, a tunnel), so a single one only splits that message.
pub(crate) const REFUSALS_IN_A_ROW: u32 = 32;
/// The same after a rest, when little speaks for GSO until a super-packet is accepted.
const REFUSALS_ON_TRIAL: u32 = 4;
/// How long GSO rests.
const REST: Duration = Duration::from_secs(60);

/// Whether super-packets may be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gso {
    available: bool,
    /// In a row.
    refusals: u32,
    /// Begin of the rest.
    resting: Option<Instant>,
}

impl Gso {
    /// `available`: the system has it.
    pub const fn new(available: bool) -> Self {
        Self { available, refusals: 0, resting: None }
    }

    pub fn enabled(&self) -> bool {
        self.available && self.refusals < REFUSALS_IN_A_ROW
    }

    /// A burst is about to be sent. `now` is asked for while GSO rests.
    pub fn begin(&mut self, now: impl FnOnce() -> Instant) {
        if self.refusals < REFUSALS_IN_A_ROW {
            return;
        }
        let now = now();
        let since = *self.resting.get_or_insert(now);
        if now.saturating_duration_since(since) >= REST {
            self.resting = None;
            self.refusals = REFUSALS_IN_A_ROW - REFUSALS_ON_TRIAL;
        }
    }

    pub fn accepted(&mut self) {
        self.refusals = 0;
    }

    pub fn refused(&mut self) {
        self.refusals += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Super-packets tried in a second of 30 bursts, all refused.
    fn refused_in_a_second(gso: &mut Gso, start: Instant) -> u32 {
        let mut tried = 0;
        for burst in 0..30 {
            gso.begin(|| start + Duration::from_millis(33) * burst);
            if gso.enabled() {
                gso.refused();
                tried += 1;
            }
        }
        tried
    }

    #[test]
    fn where_all_is_refused_a_minute_costs_a_handful_of_tries() {
        let (mut gso, start) = (Gso::new(true), Instant::now());
        let tried: Vec<_> =
            (0..200).map(|second| refused_in_a_second(&mut gso, start + Duration::from_secs(second))).collect();
        assert_eq!(tried[..2], [30, 2]);
        let trials: Vec<_> = tried[2..].iter().copied().filter(|&tried| tried > 0).collect();
        assert_eq!(trials, [4, 4, 4]);
    }

    #[test]
    fn after_a_minute_it_is_in_use_again_and_as_patient_as_before() {
        let (mut gso, start) = (Gso::new(true), Instant::now());
        refused_in_a_second(&mut gso, start);
        refused_in_a_second(&mut gso, start + Duration::from_secs(1));
        assert!(!gso.enabled());
        gso.begin(|| start + Duration::from_secs(60));
        assert!(!gso.enabled(), "the rest began within the second second");
        gso.begin(|| start + Duration::from_secs(62));
        assert!(gso.enabled());
        gso.accepted();
        assert_eq!(gso, Gso::new(true));
    }

    #[test]
    fn a_system_without_it_is_never_asked() {
        let (mut gso, start) = (Gso::new(false), Instant::now());
        gso.begin(|| start);
        gso.begin(|| start + REST * 2);
        assert!(!gso.enabled());
    }
}
