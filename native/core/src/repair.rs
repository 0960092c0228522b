//! Packets sent again: never twice within a round trip, never more than a share of what is sent, on their own stream
//! where the viewer understands that (RFC 4588).

use std::collections::VecDeque;
use std::time::Duration;

use crate::frame::Frame;
use crate::rtp::HEADER;
use crate::time::Time;
use crate::track::{Outgoing, Retransmission};

/// Of every byte sent, this much may be spent on repair.
const SHARE: f64 = 0.5;

/// What may be spent at once: half a second of a stream of 2 Mbit/s.
const MAX_CREDIT: f64 = 128_000.0;

/// Sequence numbers remembered as just repaired, and packets that may wait.
const REMEMBERED: usize = 256;

/// A repair is on its way for at least this long.
const MIN_ROUND_TRIP: Duration = Duration::from_millis(10);

/// A packet that is to be sent again.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// As it was sent.
    pub sequence: u16,
    /// The leg's number of it.
    pub packet: u64,
    /// Of its time stamp, as it was sent.
    pub shift: i64,
}

/// Repairs of one track.
#[derive(Debug)]
pub struct Repair {
    stream: Option<Retransmission>,
    next_sequence: u16,
    credit: f64,
    recent: VecDeque<(u16, Time)>,
    waiting: VecDeque<Wanted>,
}

impl Repair {
    /// `stream`: where repaired packets go, when not among the others.
    pub fn new(stream: Option<Retransmission>) -> Self {
        let next_sequence = stream.map_or(0, |stream| stream.first_sequence);
        Self { stream, next_sequence, credit: MAX_CREDIT / 2.0, recent: VecDeque::new(), waiting: VecDeque::new() }
    }

    /// Bytes were sent.
    pub fn earn(&mut self, bytes: usize) {
        self.credit = (self.credit + bytes as f64 * SHARE).min(MAX_CREDIT);
    }

    /// Bytes are to be sent again; false when that is too much.
    pub fn spend(&mut self, bytes: usize) -> bool {
        let enough = self.credit >= bytes as f64;
        if enough {
            self.credit -= bytes as f64;
        }
        enough
    }

    /// Takes a packet into the queue, unless it was asked for less than a round trip ago.
    pub fn request(&mut self, wanted: Wanted, round_trip: Duration, now: Time) {
        let wait = round_trip.max(MIN_ROUND_TRIP);
        while self.recent.front().is_some_and(|(_, at)| now.since(*at) >= wait) {
            self.recent.pop_front();
        }
        let known = self.recent.iter().any(|(other, _)| *other == wanted.sequence);
        // A full memory could not tell what was repaired just now: the rest is asked for again.
        if known || self.recent.len() == REMEMBERED || self.waiting.len() == REMEMBERED {
            return;
        }
        self.recent.push_back((wanted.sequence, now));
        self.waiting.push_back(wanted);
    }

    /// The oldest packet that waits.
    pub fn take(&mut self) -> Option<Wanted> {
        self.waiting.pop_front()
    }

    /// Packets wait.
    pub fn is_pending(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Nothing that waits is of use any more.
    pub fn give_up(&mut self) {
        self.waiting.clear();
    }

    /// The packet as it goes out again; `header` is that of its first time.
    pub fn wrap<'a>(
        &mut self,
        frame: &'a Frame,
        index: usize,
        mut header: [u8; HEADER],
        sequence: u16,
    ) -> Outgoing<'a> {
        let mut original = None;
        if let Some(stream) = self.stream {
            header[1] = header[1] & 0x80 | stream.payload_type;
            header[2..4].copy_from_slice(&self.next_sequence.to_be_bytes());
            header[8..12].copy_from_slice(&stream.ssrc.to_be_bytes());
            self.next_sequence = self.next_sequence.wrapping_add(1);
            original = Some(sequence);
        }
        Outgoing { frame, index, header, extension: None, original, again: true }
    }
}
