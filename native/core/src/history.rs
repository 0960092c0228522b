//! The newest frames of a leg, kept for viewers that join, fall behind or miss packets.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::frame::{ClockPoint, Frame};
use crate::time::{Time, ticks};

/// Where viewers read what was sent to others before. A lock may stand behind it, so each call is one look.
pub trait Cache {
    /// A frame by its number.
    fn frame(&self, number: u64) -> Option<Arc<Frame>>;
    /// The frame that holds a packet, and the packet's place in it.
    fn packet(&self, number: u64) -> Option<(Arc<Frame>, usize)>;
    /// The newest keyframe, when a viewer may begin there.
    fn keyframe(&self) -> Option<Keyframe>;
    /// The newest frame's clock.
    fn clock(&self) -> Option<ClockPoint>;
    /// The time stamp that a frame arriving now would have.
    fn live_timestamp(&self, now: Time) -> Option<u64>;
}

/// The newest keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyframe {
    /// Its number.
    pub number: u64,
    /// Payload of it and of all frames since.
    pub bytes: usize,
    /// When the next is due, if it comes as long after this one as this one came after the one before.
    pub next: Option<Time>,
    received: Time,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, of payload nearly all.
    pub bytes: usize,
    /// Age of the oldest frame.
    pub age: Duration,
    /// Viewers begin with the newest keyframe kept, rather than wait for the next.
    pub instant_start: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 << 20, age: Duration::from_secs(10), instant_start: true }
    }
}

/// What a frame takes besides its payload: many tiny ones are no way around the limit.
const FRAME_OVERHEAD: usize = 256;

/// A leg's newest frames; the last one is always kept.
#[derive(Debug)]
pub struct History {
    limits: Limits,
    rate: u32,
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    keyframe: Option<Keyframe>,
    /// Smoothed difference between time stamps and arrival, in ticks.
    offset: Option<f64>,
}

impl History {
    /// Nothing yet. `rate`: ticks per second of the leg's clock.
    pub fn new(rate: u32, limits: Limits) -> Self {
        Self { limits, rate, frames: VecDeque::new(), bytes: 0, keyframe: None, offset: None }
    }

    /// Forgets all: the leg begins anew, with a clock of `rate` ticks per second.
    pub fn clear(&mut self, rate: u32) {
        *self = Self::new(rate, self.limits);
    }

    /// Takes the next frame; forgets what is too much or too old.
    pub fn push(&mut self, frame: Arc<Frame>) {
        let offset = frame.timestamp as f64 - self.arrival(frame.received);
        let second = f64::from(self.rate);
        self.offset = Some(match self.offset {
            // Frames arrive a little late now and then; a large step is another clock.
            Some(known) if (known - offset).abs() < second => known + (offset - known) / 16.0,
            _ => offset,
        });
        if frame.keyframe {
            let interval = self.keyframe.map(|before| frame.received.since(before.received));
            let next = interval.map(|interval| frame.received + interval);
            self.keyframe = Some(Keyframe { number: frame.number, bytes: 0, next, received: frame.received });
        }
        if let Some(keyframe) = &mut self.keyframe {
            keyframe.bytes += frame.payloads.total();
        }
        self.bytes += size(&frame);
        let newest = frame.received;
        self.frames.push_back(frame);
        while self.frames.len() > 1 && self.bytes > self.limits.bytes
            || self.frames.front().is_some_and(|oldest| newest.since(oldest.received) > self.limits.age)
        {
            self.bytes -= self.frames.pop_front().map_or(0, |oldest| size(&oldest));
        }
    }

    /// What is kept, as the limit counts it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn oldest(&self) -> Option<u64> {
        self.frames.front().map(|frame| frame.number)
    }

    fn arrival(&self, time: Time) -> f64 {
        ticks(time.since(Time::default()), self.rate) as f64
    }
}

fn size(frame: &Frame) -> usize {
    frame.payloads.total() + FRAME_OVERHEAD
}

impl Cache for History {
    fn frame(&self, number: u64) -> Option<Arc<Frame>> {
        let index = number.checked_sub(self.oldest()?)?;
        self.frames.get(usize::try_from(index).ok()?).cloned()
    }

    fn packet(&self, number: u64) -> Option<(Arc<Frame>, usize)> {
        let after = self.frames.partition_point(|frame| frame.first_packet <= number);
        let frame = self.frames.get(after.checked_sub(1)?)?;
        let index = usize::try_from(number - frame.first_packet).ok()?;
        (index < frame.payloads.len()).then(|| (frame.clone(), index))
    }

    fn keyframe(&self) -> Option<Keyframe> {
        let kept = |number| self.oldest().is_some_and(|oldest| oldest <= number);
        self.keyframe.filter(|keyframe| self.limits.instant_start && kept(keyframe.number))
    }

    fn clock(&self) -> Option<ClockPoint> {
        self.frames.back().map(|frame| frame.clock)
    }

    fn live_timestamp(&self, now: Time) -> Option<u64> {
        self.offset.map(|offset| (offset + self.arrival(now)).max(0.0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::payloads::Payloads;

    fn frame(number: u64, packets: usize, keyframe: bool, millis: u64) -> Arc<Frame> {
        let mut payloads = Payloads::default();
        (0..packets).for_each(|_| payloads.push(&[0; 100]));
        let timestamp = (1 << 40) + number * 3_000;
        let received = Time::from_millis(millis);
        let clock = ClockPoint { time: received, timestamp };
        Arc::new(Frame {
            codec: Codec::H264,
            number,
            first_packet: number * 10,
            timestamp,
            keyframe,
            leading: false,
            received,
            clock,
            payloads,
        })
    }

    fn history(bytes: usize, millis: u64) -> History {
        History::new(90_000, Limits { bytes, age: Duration::from_millis(millis), instant_start: true })
    }

    #[test]
    fn finds_frames_and_packets() {
        let mut history = history(1 << 20, 10_000);
        (5..15).for_each(|number| history.push(frame(number, 10, number == 7, number * 33)));
        assert_eq!(history.frame(4).map(|frame| frame.number), None);
        assert_eq!(history.frame(5).map(|frame| frame.number), Some(5));
        assert_eq!(history.frame(14).map(|frame| frame.number), Some(14));
        assert_eq!(history.frame(15).map(|frame| frame.number), None);
        assert_eq!(history.packet(49).map(|_| ()), None);
        assert_eq!(history.packet(73).map(|(frame, index)| (frame.number, index)), Some((7, 3)));
        assert_eq!(history.packet(150).map(|_| ()), None);
        assert_eq!(history.keyframe().map(|keyframe| keyframe.number), Some(7));
    }

    #[test]
    fn knows_what_the_newest_keyframe_costs_and_when_the_next_is_due() {
        let mut history = history(1 << 20, 10_000);
        let known = |history: &History| history.keyframe().map(|keyframe| (keyframe.bytes, keyframe.next));
        (0..20).for_each(|number| history.push(frame(number, 10, number == 5, number * 33)));
        assert_eq!(known(&history), Some((15_000, None)));
        history.push(frame(20, 2, true, 20 * 33));
        assert_eq!(known(&history), Some((200, Some(Time::from_millis(35 * 33)))));
    }

    #[test]
    fn is_bounded_in_bytes_and_age_and_keeps_the_last_frame() {
        let mut history = history(3_000, 10_000);
        (0..10).for_each(|number| history.push(frame(number, 10, number == 0, number)));
        assert_eq!(history.frame(7).map(|_| ()), None);
        assert_eq!(history.frame(8).map(|frame| frame.number), Some(8));
        assert_eq!(history.keyframe(), None, "a keyframe that is gone is no place to begin");
        history.push(frame(10, 100, true, 10));
        assert_eq!(history.frame(9).map(|_| ()), None);
        assert_eq!(history.keyframe().map(|keyframe| keyframe.number), Some(10));
        history.push(frame(11, 1, false, 20_000));
        assert_eq!(history.frame(10).map(|_| ()), None);
        assert_eq!(history.frame(11).map(|frame| frame.number), Some(11));
    }

    #[test]
    fn tiny_frames_are_bounded_as_well() {
        let mut history = history(1 << 20, 10_000);
        (0..100_000).for_each(|number| history.push(frame(number, 0, number == 0, 0)));
        assert!(history.frames.len() <= 4_096, "{} frames", history.frames.len());
    }

    #[test]
    fn the_live_time_stamp_goes_on_between_frames() {
        let mut history = history(1 << 20, 10_000);
        assert_eq!(history.live_timestamp(Time::default()), None);
        for number in 0..200 {
            // One frame in four is 8 ms late.
            let late = if number % 4 == 0 { 8 } else { 0 };
            history.push(frame(number, 1, false, 1_000 + number * 100 / 3 + late));
        }
        let newest = (1 << 40) + 199 * 3_000;
        let at = |millis: u64| history.live_timestamp(Time::from_millis(1_000 + 6_633 + millis)).expect("frames came");
        let error = at(0) as i64 - newest;
        assert!((-720..=90).contains(&error), "within the lateness of single frames: {error}");
        assert_eq!(at(100) - at(0), 9_000);
    }

    #[test]
    fn without_instant_start_nobody_begins_in_the_past() {
        let limits = Limits { instant_start: false, ..Limits::default() };
        let mut history = History::new(90_000, limits);
        history.push(frame(0, 1, true, 0));
        assert_eq!(history.keyframe(), None);
        assert!(history.packet(0).is_some());
    }
}
