//! Puts a leg's packets back into order: a small window, bounded in packets and time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Time;

/// How long a gap may wait for its packet, unless said otherwise. On a loopback leg nothing comes late; a leg from
/// another machine is jittery.
const PATIENCE: Duration = Duration::from_millis(40);

/// Datagrams held behind a gap, at most.
const WINDOW: usize = 256;

/// Sequence numbers further than this from the next one are not late or early but a jump (RFC 3550 §A.1).
const MAX_JUMP: u64 = 3_000;

/// What comes out, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Ordered<'a> {
    /// The next datagram.
    Datagram(&'a [u8]),
    /// This many never came.
    Lost(u64),
    /// The numbering starts anew: what was known of the sender's packets no longer holds.
    Restart,
}

/// Why a datagram went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its turn is over, or it is here already.
    Late,
    /// A single packet far away from all others.
    Stray,
}

/// The window of one leg.
#[derive(Debug)]
pub struct Reorder {
    patience: Duration,
    /// Extended sequence number that comes next; the lower 16 bits are the packet's.
    next: Option<u64>,
    held: BTreeMap<u64, Vec<u8>>,
    /// When the oldest gap was seen.
    waiting_since: Option<Time>,
    /// What would confirm a jump.
    after_stray: Option<u16>,
}

impl Default for Reorder {
    fn default() -> Self {
        Self::new(PATIENCE)
    }
}

impl Reorder {
    /// A gap may wait this long for its packet.
    pub fn new(patience: Duration) -> Self {
        Self { patience, next: None, held: BTreeMap::new(), waiting_since: None, after_stray: None }
    }

    /// Forgets everything: the next packet is the first.
    pub fn reset(&mut self) {
        *self = Self::new(self.patience);
    }

    /// The numbers that are waited for, ascending.
    pub fn missing(&self) -> impl Iterator<Item = u16> {
        let next = self.next.unwrap_or_default();
        let end = self.held.last_key_value().map_or(next, |(last, _)| *last);
        (next..end).filter(|number| !self.held.contains_key(number)).map(|number| number as u16)
    }

    /// Since when the oldest of them is waited for.
    pub fn waiting_since(&self) -> Option<Time> {
        self.waiting_since
    }

    /// Takes a datagram with the sequence number it carries; `out` gets what is now in order.
    pub fn push(
        &mut self,
        sequence: u16,
        datagram: &[u8],
        now: Time,
        mut out: impl FnMut(Ordered<'_>),
    ) -> Result<(), Refused> {
        let Some(next) = self.next else {
            // Far from zero, so that earlier packets have numbers too.
            self.next = Some((1 << 32) + u64::from(sequence) + 1);
            out(Ordered::Datagram(datagram));
            return Ok(());
        };
        let distance = sequence.wrapping_sub(next as u16) as i16;
        if u64::from(distance.unsigned_abs()) > MAX_JUMP {
            if self.after_stray.replace(sequence.wrapping_add(1)) != Some(sequence) {
                return Err(Refused::Stray);
            }
            self.reset();
            out(Ordered::Restart);
            return self.push(sequence, datagram, now, out);
        }
        self.after_stray = None;
        if distance < 0 {
            return Err(Refused::Late);
        }
        if distance == 0 {
            out(Ordered::Datagram(datagram));
            self.next = Some(next + 1);
            self.release(now, &mut out);
            return Ok(());
        }
        if self.held.insert(next + distance as u64, datagram.to_vec()).is_some() {
            return Err(Refused::Late);
        }
        self.waiting_since.get_or_insert(now);
        if self.held.len() > WINDOW {
            self.skip_gap(now, &mut out);
        }
        Ok(())
    }

    /// When `poll` has something to do.
    pub fn deadline(&self) -> Option<Time> {
        self.waiting_since.map(|since| since + self.patience)
    }

    /// Gives up gaps whose time is over.
    pub fn poll(&mut self, now: Time, mut out: impl FnMut(Ordered<'_>)) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.skip_gap(now, &mut out);
        }
    }

    fn skip_gap(&mut self, now: Time, out: &mut impl FnMut(Ordered<'_>)) {
        if let (Some(next), Some((&first, _))) = (self.next, self.held.first_key_value()) {
            out(Ordered::Lost(first - next));
            self.next = Some(first);
        }
        self.release(now, out);
    }

    /// Hands out what directly follows, then restarts the wait for the next gap, if any.
    fn release(&mut self, now: Time, out: &mut impl FnMut(Ordered<'_>)) {
        if self.held.is_empty() {
            self.waiting_since = None;
            return;
        }
        while let (Some(next), Some(entry)) = (self.next, self.held.first_entry()) {
            if *entry.key() != next {
                break;
            }
            out(Ordered::Datagram(&entry.remove()));
            self.next = Some(next + 1);
        }
        self.waiting_since = (!self.held.is_empty()).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds sequence numbers as one-word datagrams; gives what came out: numbers, and -n for n lost.
    fn run(sequences: impl IntoIterator<Item = u16>) -> Vec<i32> {
        let mut order = Reorder::default();
        let mut seen = Vec::new();
        for sequence in sequences {
            let _ = order.push(sequence, &sequence.to_be_bytes(), Time::default(), |item| note(&mut seen, item));
        }
        for second in 1..4 {
            order.poll(Time::from_millis(second * 1_000), |item| note(&mut seen, item));
        }
        seen
    }

    fn note(seen: &mut Vec<i32>, item: Ordered<'_>) {
        seen.push(match item {
            Ordered::Datagram(bytes) => i32::from(u16::from_be_bytes([bytes[0], bytes[1]])),
            Ordered::Lost(count) => -(count as i32),
            Ordered::Restart => i32::MAX,
        });
    }

    #[test]
    fn in_order_across_the_wrap() {
        assert_eq!(run([65_534, 65_535, 0, 1]), [65_534, 65_535, 0, 1]);
    }

    #[test]
    fn swapped_and_doubled() {
        assert_eq!(run([10, 12, 11, 11, 12, 13]), [10, 11, 12, 13]);
        assert_eq!(run([65_535, 1, 0, 2]), [65_535, 0, 1, 2]);
    }

    #[test]
    fn a_gap_is_given_up_once() {
        assert_eq!(run([10, 13, 14, 17]), [10, -2, 13, 14, -2, 17]);
    }

    #[test]
    fn a_full_window_does_not_wait() {
        let mut order = Reorder::default();
        let mut seen = Vec::new();
        for sequence in std::iter::once(0).chain(2..=300) {
            order.push(sequence, &sequence.to_be_bytes(), Time::default(), |item| note(&mut seen, item)).expect("new");
        }
        assert_eq!(seen[..3], [0, -1, 2]);
        assert_eq!(seen.last(), Some(&300));
        assert_eq!(order.deadline(), None);
    }

    #[test]
    fn a_jump_needs_two_in_a_row() {
        assert_eq!(run([10, 30_000, 11]), [10, 11]);
        assert_eq!(run([10, 30_000, 30_001, 30_002]), [10, i32::MAX, 30_001, 30_002]);
    }

    #[test]
    fn patience_is_bounded() {
        let mut order = Reorder::default();
        order.push(0, &[0, 0], Time::default(), |_| {}).expect("first");
        order.push(2, &[0, 2], Time::from_millis(5), |_| {}).expect("held");
        let mut seen = Vec::new();
        order.poll(Time::from_millis(44), |item| note(&mut seen, item));
        assert!(seen.is_empty());
        order.poll(Time::from_millis(45), |item| note(&mut seen, item));
        assert_eq!(seen, [-1, 2]);
    }
}
