//! Time as an argument: nothing in this crate reads a clock.

use std::ops::Add;
use std::time::Duration;

/// A moment on the engine's monotonic clock, in nanoseconds since the engine started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Time(u64);

impl Time {
    /// Nanoseconds since the engine started.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Milliseconds since the engine started.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Nanoseconds since the engine started.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The next whole millisecond, or this one: what is due for many comes due together.
    pub const fn next_millisecond(self) -> Self {
        Self(self.0.next_multiple_of(1_000_000))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Whole RTP ticks in a duration, rounded to the nearest.
pub fn ticks(duration: Duration, rate: u32) -> u64 {
    ((duration.as_nanos() * u128::from(rate) + 500_000_000) / 1_000_000_000) as u64
}

/// Nanoseconds in a count of RTP ticks.
pub fn nanos(ticks: u64, rate: u32) -> u64 {
    (u128::from(ticks) * 1_000_000_000 / u128::from(rate)) as u64
}

/// An NTP timestamp (RFC 3550 §4): seconds since 1900 in the upper 32 bits, the fraction in the lower.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Ntp(pub u64);

const SECONDS_1900_TO_1970: u64 = 2_208_988_800;

impl Ntp {
    /// From the time since the Unix epoch.
    pub fn from_unix(since_epoch: Duration) -> Self {
        let seconds = since_epoch.as_secs() + SECONDS_1900_TO_1970;
        let fraction = (u64::from(since_epoch.subsec_nanos()) << 32) / 1_000_000_000;
        Self((seconds << 32) | fraction)
    }

    /// Nanoseconds since 1900. NTP era 0 ends in 2036; only differences of these are used.
    pub fn nanos(self) -> i128 {
        let seconds = i128::from(self.0 >> 32);
        let fraction = i128::from(self.0 & 0xffff_ffff);
        seconds * 1_000_000_000 + ((fraction * 1_000_000_000) >> 32)
    }

    /// The middle 32 bits, as receiver reports echo them (RFC 3550 §6.4.1, LSR).
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// Ties the engine's clock to wall time, fixed at start so that reports never jump with the system's clock.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    at_zero: Duration,
}

impl WallClock {
    /// `since_epoch`: the Unix time at `Time::default()`.
    pub fn new(since_epoch: Duration) -> Self {
        Self { at_zero: since_epoch }
    }

    /// The wall time of a moment.
    pub fn ntp(&self, time: Time) -> Ntp {
        Ntp::from_unix(self.at_zero + Duration::from_nanos(time.nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_nanos_agree() {
        assert_eq!(ticks(Duration::from_millis(20), 48_000), 960);
        assert_eq!(ticks(Duration::from_secs(1), 90_000), 90_000);
        assert_eq!(nanos(960, 48_000), 20_000_000);
    }

    #[test]
    fn ntp_counts_from_1900() {
        let ntp = Ntp::from_unix(Duration::new(1, 500_000_000));
        assert_eq!(ntp.0 >> 32, SECONDS_1900_TO_1970 + 1);
        assert_eq!(ntp.0 & 0xffff_ffff, 1 << 31);
        assert_eq!(ntp.middle(), (((SECONDS_1900_TO_1970 + 1) as u32 & 0xffff) << 16) | 0x8000);
    }

    #[test]
    fn whole_milliseconds() {
        assert_eq!(Time::from_nanos(4_000_001).next_millisecond(), Time::from_millis(5));
        assert_eq!(Time::from_millis(5).next_millisecond(), Time::from_millis(5));
    }

    #[test]
    fn time_saturates() {
        assert_eq!(Time::from_millis(1).since(Time::from_millis(2)), Duration::ZERO);
        assert_eq!(Time::from_millis(1) + Duration::from_millis(2), Time::from_millis(3));
    }
}
