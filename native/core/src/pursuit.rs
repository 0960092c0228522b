//! How fast a viewer behind is brought to the live edge: the slower, the worse its link.

use std::time::Duration;

use crate::time::{Time, nanos};

/// A viewer behind gets this many frames in the time of one.
const FASTEST: u32 = 20;

/// On a link that loses or delays, the speed is halved down to this.
const SLOWEST: u32 = 2;

/// Between two frames at the highest speed, however rare they are.
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// A report of less loss, in 1/256, is no sign of a full queue.
const BEARABLE_LOSS: u8 = 5;

/// Loss that was reported within so many round trips goes on.
const RECENT: u32 = 4;

/// A round trip is not taken for shorter.
const MIN_ROUND_TRIP: Duration = Duration::from_millis(25);

/// Round trips may differ by this without a queue.
const ROUND_TRIP_NOISE: Duration = Duration::from_millis(20);

/// What is known of one viewer's link. It is remembered from one catch-up to the next.
#[derive(Clone, Copy, Debug)]
pub struct Pursuit {
    speed: u32,
    slowed: Option<Time>,
    /// Until then, what was last said of loss counts as news.
    losing_until: Time,
    shortest_round_trip: Option<Duration>,
}

impl Default for Pursuit {
    fn default() -> Self {
        Self { speed: FASTEST, slowed: None, losing_until: Time::default(), shortest_round_trip: None }
    }
}

impl Pursuit {
    /// The pause after a frame that lasts `ticks`.
    pub fn pause(&self, ticks: u64, rate: u32) -> Duration {
        let frame = Duration::from_nanos(nanos(ticks, rate));
        (frame / self.speed).min(LONGEST_PAUSE * (FASTEST / self.speed))
    }

    /// Packets got lost. All that is said within a round trip is one event.
    pub fn loss(&mut self, round_trip: Duration, now: Time) {
        self.losing_until = self.losing_until.max(now + round_trip.max(MIN_ROUND_TRIP) * RECENT);
        if self.slowed.is_none_or(|last| now.since(last) >= round_trip) {
            self.slowed = Some(now);
            self.speed = (self.speed / 2).max(SLOWEST);
        }
    }

    /// Packets have just got lost.
    pub fn is_losing(&self, now: Time) -> bool {
        now < self.losing_until
    }

    /// A receiver's report: loss in 1/256 (RFC 3550 §6.4.1), and the round trip, where it can be told.
    pub fn reception(&mut self, fraction_lost: u8, round_trip: Option<Duration>, now: Time) {
        let shortest = self.shortest_round_trip.into_iter().chain(round_trip).min();
        self.shortest_round_trip = shortest;
        let queued = match (round_trip, shortest) {
            (Some(round_trip), Some(shortest)) => round_trip > shortest * 2 + ROUND_TRIP_NOISE,
            _ => false,
        };
        if queued || fraction_lost > BEARABLE_LOSS {
            self.loss(round_trip.unwrap_or_default(), now);
        } else {
            self.speed = (self.speed * 2).min(FASTEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(pursuit: &Pursuit) -> u64 {
        pursuit.pause(3_000, 90_000).as_micros() as u64
    }

    #[test]
    fn losses_within_a_round_trip_are_one() {
        let mut pursuit = Pursuit::default();
        assert_eq!(pause(&pursuit), 1_666);
        let trip = Duration::from_millis(40);
        (100..140).for_each(|millis| pursuit.loss(trip, Time::from_millis(millis)));
        assert_eq!(pause(&pursuit), 3_333);
        (140..1_000).for_each(|millis| pursuit.loss(trip, Time::from_millis(millis)));
        assert_eq!(pause(&pursuit), 16_666, "never slower than twice the stream");
    }

    #[test]
    fn a_growing_round_trip_slows_and_good_reports_restore() {
        let mut pursuit = Pursuit::default();
        let trip = |millis| Some(Duration::from_millis(millis));
        pursuit.reception(0, trip(30), Time::from_millis(0));
        pursuit.reception(0, trip(79), Time::from_millis(1_000));
        assert_eq!(pause(&pursuit), 1_666);
        pursuit.reception(0, trip(200), Time::from_millis(2_000));
        assert_eq!(pause(&pursuit), 3_333);
        pursuit.reception(30, trip(30), Time::from_millis(3_000));
        assert_eq!(pause(&pursuit), 6_666);
        (4..6).for_each(|second| pursuit.reception(2, trip(31), Time::from_millis(second * 1_000)));
        assert_eq!(pause(&pursuit), 1_666);
    }

    #[test]
    fn loss_is_news_for_some_round_trips() {
        let mut pursuit = Pursuit::default();
        assert!(!pursuit.is_losing(Time::default()));
        pursuit.loss(Duration::from_millis(50), Time::from_millis(1_000));
        assert!(pursuit.is_losing(Time::from_millis(1_199)) && !pursuit.is_losing(Time::from_millis(1_200)));
        pursuit.reception(30, None, Time::from_millis(2_000));
        assert!(pursuit.is_losing(Time::from_millis(2_099)) && !pursuit.is_losing(Time::from_millis(2_100)));
    }

    #[test]
    fn rare_frames_do_not_make_it_slow() {
        let mut pursuit = Pursuit::default();
        let pause = |pursuit: &Pursuit| pursuit.pause(90_000, 90_000).as_millis();
        assert_eq!(pause(&pursuit), 16);
        pursuit.loss(Duration::ZERO, Time::default());
        assert_eq!(pause(&pursuit), 32);
    }
}
