//! Which packet went out under which sequence number, for the newest of them, in runs rather than one by one.

use std::collections::VecDeque;

/// Runs kept: a catch-up makes one for each frame, live playing one for all.
const MAX_RUNS: usize = 512;

/// Packets with a header extension are known this far back.
const EXTENDED_REACH: u64 = 1_024;

/// What one viewer was sent on one track.
#[derive(Debug)]
pub struct Sent {
    /// Extended sequence number of the next packet; SRTP's rollover counter is what is above 16 bits.
    next: u64,
    /// Packets that can be found, counted back from the newest.
    reach: u16,
    runs: VecDeque<Run>,
    /// Extended sequence numbers of packets with a header extension, ascending.
    extended: VecDeque<u64>,
}

/// Consecutive packets under consecutive sequence numbers, with one shift of their time stamps.
#[derive(Clone, Copy, Debug)]
struct Run {
    sequence: u64,
    packet: u64,
    shift: i64,
}

/// A packet as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentPacket {
    /// Extended: the lower 16 bits were in its header.
    pub sequence: u64,
    /// The leg's number of it.
    pub packet: u64,
    /// Of its time stamp against the frame's.
    pub shift: i64,
    /// It had a header extension.
    pub extended: bool,
}

impl Sent {
    /// Numbers begin at `first`. Of the newest packets `reach` can be found, at most 32,768.
    pub fn new(first: u16, reach: u16) -> Self {
        Self { next: first.into(), reach, runs: VecDeque::new(), extended: VecDeque::new() }
    }

    /// The extended sequence number for the next packet, noted together with what it carries.
    pub fn assign(&mut self, packet: u64, shift: i64) -> u64 {
        let sequence = self.next;
        self.next += 1;
        let continues =
            self.runs.back().is_some_and(|run| run.shift == shift && run.packet + (sequence - run.sequence) == packet);
        if !continues {
            if self.runs.len() == MAX_RUNS {
                self.runs.pop_front();
            }
            self.runs.push_back(Run { sequence, packet, shift });
        }
        sequence
    }

    /// The newest packet has a header extension.
    pub fn extend(&mut self) {
        let sequence = self.next - 1;
        while self.extended.front().is_some_and(|oldest| oldest + EXTENDED_REACH <= sequence) {
            self.extended.pop_front();
        }
        self.extended.push_back(sequence);
    }

    /// The extended number of the next packet.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The packet that went out under a number, where it is within reach.
    pub fn find(&self, sequence: u16) -> Option<SentPacket> {
        let back = (self.next as u16).wrapping_sub(sequence);
        let sequence = self.next.checked_sub(back.into())?;
        if back == 0 || !self.reaches(sequence) {
            return None;
        }
        let after = self.runs.partition_point(|run| run.sequence <= sequence);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let extended = self.extended.binary_search(&sequence).is_ok();
        Some(SentPacket { sequence, packet: run.packet + (sequence - run.sequence), shift: run.shift, extended })
    }

    /// What was found is still within reach.
    pub fn reaches(&self, sequence: u64) -> bool {
        self.next - sequence <= u64::from(self.reach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sent: &Sent, sequence: u16) -> Option<(u64, i64)> {
        sent.find(sequence).map(|found| (found.packet, found.shift))
    }

    #[test]
    fn finds_what_was_sent_across_wraps_and_breaks() {
        let mut sent = Sent::new(65_530, 1 << 15);
        let numbers: Vec<u64> = (100..110).map(|packet| sent.assign(packet, 0)).collect();
        assert_eq!((numbers[0], numbers[9]), (65_530, (1 << 16) + 3));
        let jump = sent.assign(500, -7) as u16;
        assert_eq!(found(&sent, 65_530), Some((100, 0)));
        assert_eq!(found(&sent, 3), Some((109, 0)));
        assert_eq!(found(&sent, jump), Some((500, -7)));
        assert_eq!(found(&sent, jump.wrapping_add(1)), None, "not sent yet");
        assert_eq!(found(&sent, 65_529), None, "before the first");
    }

    #[test]
    fn finds_no_more_than_is_within_reach() {
        let mut sent = Sent::new(0, 1_000);
        (0..1_000).for_each(|packet| _ = sent.assign(packet, 0));
        let oldest = sent.find(0).expect("the thousandth from the end");
        assert!(sent.reaches(oldest.sequence));
        sent.assign(1_000, 0);
        assert!(!sent.reaches(oldest.sequence));
        assert_eq!((found(&sent, 0), found(&sent, 1)), (None, Some((1, 0))));
    }

    #[test]
    fn memory_is_bounded() {
        let mut sent = Sent::new(0, 1 << 15);
        (0..10_000).for_each(|packet| {
            sent.assign(packet * 2, 0);
            sent.extend();
        });
        assert_eq!((sent.runs.len(), sent.extended.len()), (MAX_RUNS, EXTENDED_REACH as usize));
        assert_eq!(found(&sent, 9_999), Some((19_998, 0)));
        assert_eq!(found(&sent, 9_000), None);
    }

    #[test]
    fn knows_which_packets_had_an_extension() {
        let mut sent = Sent::new(0, 1_000);
        for packet in 0..3_000 {
            sent.assign(packet, 0);
            if packet % 7 == 0 {
                sent.extend();
            }
        }
        for sequence in 2_000..3_000 {
            assert_eq!(sent.find(sequence).map(|found| found.extended), Some(sequence % 7 == 0), "{sequence}");
        }
    }
}
