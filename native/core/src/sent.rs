//! Which packet went out under which sequence number, for the newest of them, in runs rather than one by one.

use std::collections::VecDeque;

/// Runs kept: a catch-up makes one for each frame, live playing one for all.
const MAX_RUNS: usize = 512;

/// What one viewer was sent on one track.
#[derive(Debug)]
pub struct Sent {
    /// Extended sequence number of the next packet.
    next: u64,
    runs: VecDeque<Run>,
}

/// Consecutive packets under consecutive sequence numbers, with one shift of their time stamps.
#[derive(Clone, Copy, Debug)]
struct Run {
    sequence: u64,
    packet: u64,
    shift: i64,
}

impl Sent {
    /// Numbers begin at `first`.
    pub fn new(first: u16) -> Self {
        // Past the first wrap, so that earlier numbers exist.
        Self { next: (1 << 16) + u64::from(first), runs: VecDeque::new() }
    }

    /// The sequence number for the next packet, noted together with what it carries.
    pub fn assign(&mut self, packet: u64, shift: i64) -> u16 {
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
        sequence as u16
    }

    /// The packet that went out under a number of the last 32,768, and the shift of its time stamp.
    pub fn find(&self, sequence: u16) -> Option<(u64, i64)> {
        let back = (self.next as u16).wrapping_sub(sequence);
        if back == 0 || back > 1 << 15 {
            return None;
        }
        let sequence = self.next - u64::from(back);
        let after = self.runs.partition_point(|run| run.sequence <= sequence);
        let run = self.runs.get(after.checked_sub(1)?)?;
        Some((run.packet + (sequence - run.sequence), run.shift))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_sent_across_wraps_and_breaks() {
        let mut sent = Sent::new(65_530);
        let numbers: Vec<u16> = (100..110).map(|packet| sent.assign(packet, 0)).collect();
        assert_eq!((numbers[0], numbers[9]), (65_530, 3));
        let jump = sent.assign(500, -7);
        assert_eq!(sent.find(65_530), Some((100, 0)));
        assert_eq!(sent.find(3), Some((109, 0)));
        assert_eq!(sent.find(jump), Some((500, -7)));
        assert_eq!(sent.find(jump.wrapping_add(1)), None, "not sent yet");
        assert_eq!(sent.find(65_529), None, "before the first");
    }

    #[test]
    fn memory_is_bounded() {
        let mut sent = Sent::new(0);
        (0..10_000).for_each(|packet| {
            sent.assign(packet * 2, 0);
        });
        assert_eq!(sent.runs.len(), MAX_RUNS);
        assert_eq!(sent.find(9_999), Some((19_998, 0)));
        assert_eq!(sent.find(9_000), None);
    }
}
