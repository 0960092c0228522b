//! Packets sent again: never twice within a round trip, and on their own stream where the viewer understands that
//! (RFC 4588).

use std::collections::VecDeque;
use std::time::Duration;

use crate::sent::SentPacket;
use crate::time::Time;
use crate::track::{Outgoing, Retransmission};

/// Packets remembered as just repaired, and packets that may wait.
const REMEMBERED: usize = 256;

/// One bit for each of the newest sequence numbers says whether it is remembered.
const NUMBERS: usize = 1_024;

/// A repair is on its way for at least this long.
const MIN_ROUND_TRIP: Duration = Duration::from_millis(10);

/// Repairs of one track.
#[derive(Debug)]
pub struct Repair {
    stream: Option<Retransmission>,
    /// Extended.
    next_sequence: u64,
    recent: VecDeque<(u64, Time)>,
    /// By the number modulo `NUMBERS`: one that shares its bit with a remembered one has to be asked for again.
    remembered: [u64; NUMBERS / 64],
    waiting: VecDeque<SentPacket>,
}

impl Repair {
    /// `stream`: where repaired packets go, when not among the others.
    pub fn new(stream: Option<Retransmission>) -> Self {
        Self {
            stream,
            next_sequence: stream.map_or(0, |stream| stream.first_sequence.into()),
            recent: VecDeque::new(),
            remembered: [0; NUMBERS / 64],
            waiting: VecDeque::new(),
        }
    }

    /// Takes a packet into the queue, unless it was asked for less than a round trip ago.
    pub fn request(&mut self, wanted: SentPacket, round_trip: Duration, now: Time) {
        let wait = round_trip.max(MIN_ROUND_TRIP);
        while let Some((sequence, _)) = self.recent.pop_front_if(|(_, at)| now.since(*at) >= wait) {
            let (word, bit) = place(sequence);
            self.remembered[word] &= !bit;
        }
        let (word, bit) = place(wanted.sequence);
        let known = self.remembered[word] & bit != 0;
        // A full memory could not tell what was repaired just now: the rest is asked for again.
        if known || self.recent.len() == REMEMBERED || self.waiting.len() == REMEMBERED {
            return;
        }
        self.remembered[word] |= bit;
        self.recent.push_back((wanted.sequence, now));
        self.waiting.push_back(wanted);
    }

    /// The oldest packet that waits.
    pub fn take(&mut self) -> Option<SentPacket> {
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

    /// Turns a packet as it was first sent into one of the stream for repairs, where there is one.
    pub fn readdress(&mut self, packet: &mut Outgoing<'_>) {
        let Some(stream) = self.stream else { return };
        let header = &mut packet.header;
        packet.original = Some(u16::from_be_bytes([header[2], header[3]]));
        header[1] = header[1] & 0x80 | stream.payload_type;
        header[2..4].copy_from_slice(&(self.next_sequence as u16).to_be_bytes());
        header[8..12].copy_from_slice(&stream.ssrc.to_be_bytes());
        packet.sequence = self.next_sequence;
        self.next_sequence += 1;
    }
}

fn place(sequence: u64) -> (usize, u64) {
    let number = sequence as usize % NUMBERS;
    (number / 64, 1 << (number % 64))
}
