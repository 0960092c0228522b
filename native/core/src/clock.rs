//! One clock for both legs of a stream, so that picture and sound stay in step.
//!
//! A source's sender reports (RFC 3550 §6.4.1) map media time to its wall clock. That wall clock is shifted to the
//! engine's by the smallest difference ever seen between arrival and capture: the packet that waited least tells most.
//! A leg without reports is mapped by its arrivals alone.

use crate::frame::{ClockPoint, Kind};
use crate::time::{Ntp, Time, nanos, ticks};
use std::time::Duration;

/// The minimum is taken over one to two of these, so that a slow drift of the source's clock is followed.
const WINDOW: Duration = Duration::from_secs(10);

/// Legs whose wall clocks differ by more than this do not share one.
const SAME_CLOCK: i128 = 2_000_000_000;

/// Both legs' mappings.
#[derive(Clone, Debug)]
pub struct StreamClock {
    video: LegClock,
    audio: LegClock,
}

#[derive(Clone, Debug)]
struct LegClock {
    /// Ticks per second.
    rate: u32,
    report: Option<Report>,
    /// Smallest arrival minus capture, by the report's wall clock.
    shift: Minimum,
    /// Smallest arrival minus media time, for a leg without reports.
    arrival: Minimum,
}

#[derive(Clone, Copy, Debug)]
struct Report {
    /// Nanoseconds of the source's wall clock.
    wall: i128,
    timestamp: u64,
}

impl Report {
    fn capture(&self, timestamp: u64, rate: u32) -> i128 {
        self.wall + span(timestamp, rate) - span(self.timestamp, rate)
    }
}

fn span(timestamp: u64, rate: u32) -> i128 {
    i128::from(nanos(timestamp, rate))
}

impl LegClock {
    fn new(rate: u32) -> Self {
        Self { rate, report: None, shift: Minimum::default(), arrival: Minimum::default() }
    }
}

impl StreamClock {
    /// Nothing known yet. The rates are the legs', in ticks per second; that of a leg which is not there does not matter.
    pub fn new(video: u32, audio: u32) -> Self {
        Self { video: LegClock::new(video), audio: LegClock::new(audio) }
    }

    /// Another codec comes: forgets the leg, whose clock has `rate` ticks per second from now on.
    pub fn begin(&mut self, kind: Kind, rate: u32) {
        *self.leg(kind) = LegClock::new(rate);
    }

    /// A source says when `timestamp` (already on the outgoing line) was captured. One that has no clock says zero (RFC 3550
    /// §6.4.1), or always the same.
    pub fn report(&mut self, kind: Kind, wall: Ntp, timestamp: u64) {
        let before = self.leg(kind).report.map(|report| report.wall);
        if wall == Ntp::default() || before == Some(wall.nanos()) {
            return;
        }
        self.capture(kind, wall.nanos(), timestamp);
    }

    /// The same in nanoseconds of any wall clock that both legs share.
    pub fn capture(&mut self, kind: Kind, wall: i128, timestamp: u64) {
        self.leg(kind).report = Some(Report { wall, timestamp });
    }

    /// The source began anew: reports and delays seen so far say nothing about it.
    pub fn restart(&mut self, kind: Kind) {
        let leg = self.leg(kind);
        *leg = LegClock::new(leg.rate);
    }

    /// A frame arrived.
    pub fn observe(&mut self, kind: Kind, timestamp: u64, now: Time) {
        let leg = self.leg(kind);
        let rate = leg.rate;
        let arrival = i128::from(now.nanos());
        leg.arrival.observe(arrival - span(timestamp, rate), now);
        if let Some(report) = leg.report {
            leg.shift.observe(arrival - report.capture(timestamp, rate), now);
        }
    }

    /// Which media time is captured at `now`; `None` before the leg's first frame.
    pub fn point(&self, kind: Kind, now: Time) -> Option<ClockPoint> {
        let (leg, other) = match kind {
            Kind::Video => (&self.video, &self.audio),
            Kind::Audio => (&self.audio, &self.video),
        };
        let rate = leg.rate;
        let elapsed = match (leg.report, leg.shift.value()) {
            (Some(report), Some(own)) => {
                let joint = other.shift.value().filter(|shift| (shift - own).abs() < SAME_CLOCK);
                let shift = joint.map_or(own, |shift| shift.min(own));
                i128::from(now.nanos()) - shift - report.wall + span(report.timestamp, rate)
            }
            _ => i128::from(now.nanos()) - leg.arrival.value()?,
        };
        let elapsed = Duration::from_nanos(u64::try_from(elapsed).unwrap_or(0));
        Some(ClockPoint { time: now, timestamp: ticks(elapsed, rate) })
    }

    fn leg(&mut self, kind: Kind) -> &mut LegClock {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }
}

/// The smallest value of the last one to two windows.
#[derive(Clone, Copy, Debug, Default)]
struct Minimum {
    current: Option<i128>,
    previous: Option<i128>,
    since: Time,
}

impl Minimum {
    fn observe(&mut self, value: i128, now: Time) {
        if self.current.is_some() && now.since(self.since) >= WINDOW {
            self.previous = self.current.take();
        }
        match &mut self.current {
            Some(least) => *least = value.min(*least),
            None => (self.current, self.since) = (Some(value), now),
        }
    }

    fn value(&self) -> Option<i128> {
        self.current.into_iter().chain(self.previous).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Media times of both legs that the clock says are captured at `now`, in nanoseconds since each began.
    fn captured(clock: &StreamClock, now: Time) -> (i128, i128) {
        let of = |kind, rate| span(clock.point(kind, now).expect("a frame came").timestamp, rate);
        (of(Kind::Video, 90_000), of(Kind::Audio, 48_000))
    }

    #[test]
    fn legs_with_reports_share_the_faster_legs_delay() {
        let mut clock = StreamClock::new(90_000, 48_000);
        let wall = |seconds: u64| Ntp((seconds + 100) << 32);
        clock.report(Kind::Video, wall(0), 1_000_000);
        clock.report(Kind::Audio, wall(0), 2_000_000);
        for second in 1..5 {
            // Video takes 80 ms longer to arrive than audio.
            clock.observe(Kind::Video, 1_000_000 + second * 90_000, Time::from_millis(second * 1_000 + 90));
            clock.observe(Kind::Audio, 2_000_000 + second * 48_000, Time::from_millis(second * 1_000 + 10));
        }
        let (video, audio) = captured(&clock, Time::from_nanos(5 * SECOND));
        let (video, audio) = (video - span(1_000_000, 90_000), audio - span(2_000_000, 48_000));
        assert!((video - audio).abs() < 30_000, "both legs say the same capture time: {video} {audio}");
        assert!((video - 4_990_000_000).abs() < 30_000, "by the delay of audio: {video}");
    }

    #[test]
    fn without_reports_arrival_decides() {
        let mut clock = StreamClock::new(90_000, 48_000);
        assert_eq!(clock.point(Kind::Video, Time::default()), None);
        clock.observe(Kind::Video, 900_000, Time::from_nanos(SECOND));
        clock.observe(Kind::Video, 990_000, Time::from_nanos(2 * SECOND + 500_000_000));
        let point = clock.point(Kind::Video, Time::from_nanos(3 * SECOND)).expect("frames came");
        assert_eq!(point.timestamp, 900_000 + 180_000);
    }

    #[test]
    fn a_drifting_source_is_followed() {
        let mut clock = StreamClock::new(90_000, 48_000);
        // The source runs 1 % slow: media time falls behind by 10 ms a second.
        for second in 0..100u64 {
            clock.observe(Kind::Audio, 480_000 + second * 47_520, Time::from_nanos(second * SECOND));
        }
        let point = clock.point(Kind::Audio, Time::from_nanos(99 * SECOND)).expect("frames came");
        let behind = point.timestamp as i64 - (480_000 + 99 * 47_520);
        assert!((0..=20 * 480).contains(&behind), "at most two windows of drift: {behind}");
    }

    #[test]
    fn a_restart_forgets_the_old_report() {
        let mut clock = StreamClock::new(90_000, 48_000);
        clock.report(Kind::Video, Ntp(1 << 32), 90_000);
        clock.observe(Kind::Video, 180_000, Time::from_nanos(SECOND));
        clock.restart(Kind::Video);
        assert_eq!(clock.point(Kind::Video, Time::from_nanos(SECOND)), None);
    }
}
