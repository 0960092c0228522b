//! A viewer behind: it reads the cache at its own pace until it has caught up.

use std::sync::Arc;

use super::{Outgoing, State, Track};
use crate::frame::Frame;
use crate::history::Cache;
use crate::time::Time;

/// Where a viewer stands that is behind.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    frame: u64,
    /// Kept while its packets leave, whatever the cache forgets meanwhile.
    under_way: Option<Arc<Frame>>,
    packet: usize,
    pub(super) due: Time,
    /// Frames get the time at which they are sent, so that the viewer does not believe to be late for good.
    catching_up: bool,
    /// The time stamp of the frame under way.
    timestamp: u64,
    /// It was sent before.
    again: bool,
    /// Media time of the frame before, for the pace.
    before: Option<u64>,
}

impl Cursor {
    /// `frame` is the first to be sent.
    pub(super) fn new(frame: u64, due: Time, catching_up: bool) -> Self {
        Self { frame, under_way: None, packet: 0, due, catching_up, timestamp: 0, again: false, before: None }
    }
}

impl Track {
    /// Goes on from an earlier frame than the live one.
    pub(super) fn follow(&mut self, frame: u64, now: Time) {
        self.sender.go_back();
        self.state = State::Behind(Cursor::new(frame, now, true));
    }

    /// Sends what is due from the cache.
    pub(super) fn catch_up(&mut self, now: Time, cache: &impl Cache, out: &mut impl FnMut(Outgoing<'_>)) {
        while let State::Behind(cursor) = &self.state
            && cursor.due <= now
        {
            let cursor = cursor.clone();
            let frame = cursor.under_way.clone().or_else(|| cache.frame(cursor.frame));
            match frame {
                Some(frame) => self.state = State::Behind(self.advance(cursor, frame, now, cache, out)),
                None => self.leave(cursor.frame, now, cache),
            }
        }
    }

    /// The cache does not have the frame that is next.
    fn leave(&mut self, frame: u64, now: Time, cache: &impl Cache) {
        self.allowance.release();
        let caught_up = frame.checked_sub(1).is_some_and(|before| cache.frame(before).is_some());
        match cache.keyframe() {
            _ if caught_up => self.state = State::Live(frame),
            // Forgotten meanwhile: whatever depends on it is of no use.
            Some(keyframe) if keyframe.number > frame => self.follow(keyframe.number, now),
            _ => self.state = State::Waiting,
        }
    }

    /// Sends of a frame from the cache what may leave now; gives where that leaves the viewer.
    fn advance(
        &mut self,
        mut cursor: Cursor,
        frame: Arc<Frame>,
        now: Time,
        cache: &impl Cache,
        out: &mut impl FnMut(Outgoing<'_>),
    ) -> Cursor {
        if self.is_lost_on(&frame) {
            return Cursor { frame: frame.number + 1, ..cursor };
        }
        if cursor.packet == 0 && self.pacer.is_open(now) {
            let natural = frame.timestamp;
            let wanted = if cursor.catching_up { cache.live_timestamp(now).unwrap_or(natural) } else { natural };
            cursor.timestamp = self.sender.timestamp(wanted, cursor.catching_up);
            cursor.again = self.begin(&frame);
            self.sender.clock = cache.clock();
        }
        while cursor.packet < frame.payloads.len() {
            if !self.pacer.is_open(now) {
                let under_way = (cursor.packet > 0).then_some(frame);
                return Cursor { due: self.pacer.opens(), under_way, ..cursor };
            }
            let size = frame.payloads.payload(cursor.packet).len();
            if cursor.again {
                self.allowance.replay(size)
            } else {
                self.allowance.earn(size, now)
            }
            self.pacer.spend(size);
            out(self.sender.packet(&frame, cursor.packet, cursor.timestamp, now));
            cursor.packet += 1;
        }
        let ticks = cursor.before.map_or(0, |before| frame.timestamp.saturating_sub(before));
        // The last frame in the cache needs no pause: the next one will be live.
        let last = cache.frame(frame.number + 1).is_none();
        let due = if last { now } else { now + self.pursuit.pause(ticks, frame.codec.rate()) };
        Cursor { frame: frame.number + 1, under_way: None, packet: 0, due, before: Some(frame.timestamp), ..cursor }
    }
}
