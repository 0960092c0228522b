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

/// Sequence numbers remembered as just repaired.
const REMEMBERED: usize = 256;

/// A repair is on its way for at least this long.
const MIN_ROUND_TRIP: Duration = Duration::from_millis(10);

/// Repairs of one track.
#[derive(Debug)]
pub struct Repair {
    stream: Option<Retransmission>,
    next_sequence: u16,
    credit: f64,
    recent: VecDeque<(u16, Time)>,
}

impl Repair {
    /// `stream`: where repaired packets go, when not among the others.
    pub fn new(stream: Option<Retransmission>) -> Self {
        let next_sequence = stream.map_or(0, |stream| stream.first_sequence);
        Self { stream, next_sequence, credit: MAX_CREDIT / 2.0, recent: VecDeque::new() }
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

    /// False when the number was repaired less than a round trip ago.
    pub fn due(&mut self, sequence: u16, round_trip: Duration, now: Time) -> bool {
        let wait = round_trip.max(MIN_ROUND_TRIP);
        while self.recent.front().is_some_and(|(_, at)| now.since(*at) >= wait) {
            self.recent.pop_front();
        }
        if self.recent.iter().any(|(other, _)| *other == sequence) {
            return false;
        }
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((sequence, now));
        true
    }

    /// The packet as it goes out again; `header` is that of its first time.
    pub fn wrap<'a>(
        &mut self,
        frame: &'a Frame,
        index: usize,
        mut header: [u8; HEADER],
        sequence: u16,
    ) -> Outgoing<'a> {
        let Some(stream) = self.stream else {
            return Outgoing { frame, index, header, extension: None, original: None };
        };
        header[1] = header[1] & 0x80 | stream.payload_type;
        header[2..4].copy_from_slice(&self.next_sequence.to_be_bytes());
        header[8..12].copy_from_slice(&stream.ssrc.to_be_bytes());
        self.next_sequence = self.next_sequence.wrapping_add(1);
        Outgoing { frame, index, header, extension: None, original: Some(sequence) }
    }
}
