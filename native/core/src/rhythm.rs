//! How often a source sends: a slow camera is not silent between two pictures.

use std::time::Duration;

use crate::time::Time;

/// However slow it is, a source that says nothing for longer is silent.
const MAX_PATIENCE: Duration = Duration::from_secs(30);

/// The last two pauses between frames; one long one may be a hitch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rhythm {
    newest: Option<(u32, Time)>,
    pauses: [Option<Duration>; 2],
}

impl Rhythm {
    /// A packet of the frame with this time stamp came.
    pub fn observe(&mut self, timestamp: u32, now: Time) {
        match self.newest {
            Some((newest, _)) if newest == timestamp => return,
            Some((_, at)) => self.pauses = [self.pauses[1], Some(now.since(at))],
            None => {}
        }
        self.newest = Some((timestamp, now));
    }

    /// How long a pause is no silence, where none is shorter than `least`.
    pub fn patience(&self, least: Duration) -> Duration {
        let pause = self.pauses.into_iter().flatten().min().unwrap_or_default();
        least.max((pause * 5 / 2).min(MAX_PATIENCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_the_shorter_of_two_pauses_up_to_a_limit() {
        let patience = |moments: &[u64]| {
            let mut rhythm = Rhythm::default();
            for (number, &at) in moments.iter().enumerate() {
                // Two packets each.
                (0..2).for_each(|_| rhythm.observe(number as u32, Time::from_millis(at)));
            }
            rhythm.patience(Duration::from_secs(2)).as_millis()
        };
        assert_eq!([&[][..], &[5_000], &[0, 33, 66]].map(patience), [2_000; 3]);
        assert_eq!(patience(&[0, 4_000]), 10_000);
        assert_eq!(patience(&[0, 4_000, 9_000]), 10_000);
        assert_eq!(patience(&[0, 33, 9_000]), 2_000);
        assert_eq!(patience(&[0, 60_000, 120_000]), 30_000);
    }
}
