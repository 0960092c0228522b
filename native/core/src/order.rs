//! Puts a leg's packets back into order: a small window, bounded in packets and time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::time::Time;

/// How long a gap may wait for its packet, unless said otherwise. On a loopback leg nothing comes late; a leg from
/// another machine is jittery.
const PATIENCE: Duration = Duration::from_millis(40);

/// Datagrams held behind a gap, at most.
const WINDOW: usize = 256;

/// Sequence numbers further than this from the next one are not late or early but a jump (RFC 3550 §A.1).
const MAX_JUMP: u64 = 3_000;

/// So many packets behind the next one, in order and over such a time, or nothing else for so long: the sender began anew.
const LATE_IN_ORDER: u32 = 16;
const LATE_FOR: Duration = Duration::from_millis(200);
const LATE_ONLY: Duration = Duration::from_secs(2);

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
    /// Numbers not yet reached that carry nothing.
    empty: BTreeSet<u64>,
    late: Option<LateRun>,
    resumed: bool,
}

/// Packets behind the next one, with none between them that was not.
#[derive(Clone, Copy, Debug)]
struct LateRun {
    since: Time,
    next: u16,
    in_order: u32,
}

impl Default for Reorder {
    fn default() -> Self {
        Self::new(PATIENCE)
    }
}

impl Reorder {
    /// A gap may wait this long for its packet.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            next: None,
            held: BTreeMap::new(),
            waiting_since: None,
            after_stray: None,
            empty: BTreeSet::new(),
            late: None,
            resumed: false,
        }
    }

    /// Forgets everything: the next packet is the first.
    pub fn reset(&mut self) {
        *self = Self::new(self.patience);
    }

    /// The numbers that are waited for, ascending.
    pub fn missing(&self) -> impl Iterator<Item = u16> {
        let next = self.next.unwrap_or_default();
        let end = self.held.last_key_value().map_or(next, |(last, _)| *last);
        let here = |number: &u64| self.held.contains_key(number) || self.empty.contains(number);
        (next..end).filter(move |number| !here(number)).map(|number| number as u16)
    }

    /// A long silence ends with the next datagram: if its number is not ahead by little, the numbering starts anew.
    pub fn resume(&mut self) {
        self.resumed = true;
    }

    /// The packet of this number is not for this leg, and not missing either; `out` gets what has waited for it.
    pub fn pass_over(&mut self, sequence: u16, now: Time, mut out: impl FnMut(Ordered<'_>)) {
        let Some(next) = self.next else { return };
        let distance = sequence.wrapping_sub(next as u16) as i16;
        if (0..WINDOW as i16).contains(&distance) {
            self.empty.insert(next + distance as u64);
        }
        if distance == 0 && !self.held.is_empty() {
            self.release(now, &mut out);
        }
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
        let resumed = std::mem::take(&mut self.resumed);
        let jump = u64::from(distance.unsigned_abs()) > MAX_JUMP;
        if jump || distance < 0 {
            let anew = if jump { self.is_confirmed(sequence) } else { self.is_beginning(sequence, now) };
            if !anew && !resumed {
                return Err(if jump { Refused::Stray } else { Refused::Late });
            }
            self.reset();
            out(Ordered::Restart);
            return self.push(sequence, datagram, now, out);
        }
        (self.after_stray, self.late) = (None, None);
        let number = next + distance as u64;
        let next = self.pass_empty(next, number);
        if number == next {
            out(Ordered::Datagram(datagram));
            self.next = Some(next + 1);
            self.release(now, &mut out);
            return Ok(());
        }
        if self.held.insert(number, datagram.to_vec()).is_some() {
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

    /// Of two packets far away in a row the second shows that the numbers have jumped.
    fn is_confirmed(&mut self, sequence: u16) -> bool {
        self.after_stray.replace(sequence.wrapping_add(1)) == Some(sequence)
    }

    /// Late packets are overtaken ones or repetitions, and others come between them.
    fn is_beginning(&mut self, sequence: u16, now: Time) -> bool {
        self.after_stray = None;
        let run = self.late.get_or_insert(LateRun { since: now, next: sequence, in_order: 0 });
        run.in_order = if sequence == run.next { run.in_order + 1 } else { 1 };
        run.next = sequence.wrapping_add(1);
        let lasted = now.since(run.since);
        lasted >= LATE_ONLY || lasted >= LATE_FOR && run.in_order >= LATE_IN_ORDER
    }

    /// Passes over what carries nothing before `end`; gives the number that comes next.
    fn pass_empty(&mut self, mut next: u64, end: u64) -> u64 {
        while next < end && self.empty.remove(&next) {
            next += 1;
        }
        self.next = Some(next);
        next
    }

    fn skip_gap(&mut self, now: Time, out: &mut impl FnMut(Ordered<'_>)) {
        if let (Some(next), Some((&first, _))) = (self.next, self.held.first_key_value()) {
            let empty = self.empty.range(next..first).count() as u64;
            out(Ordered::Lost(first - next - empty));
            self.next = Some(first);
        }
        self.release(now, out);
    }

    /// Hands out what directly follows, then restarts the wait for the next gap, if any.
    fn release(&mut self, now: Time, out: &mut impl FnMut(Ordered<'_>)) {
        while let (Some(next), Some((&first, _))) = (self.next, self.held.first_key_value()) {
            if self.pass_empty(next, first) != first {
                break;
            }
            if let Some((_, datagram)) = self.held.pop_first() {
                out(Ordered::Datagram(&datagram));
            }
            self.next = Some(first + 1);
        }
        self.waiting_since = (!self.held.is_empty()).then_some(now);
        if let Some(next) = self.next.filter(|_| !self.empty.is_empty()) {
            self.empty = self.empty.split_off(&next);
        }
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
    fn numbers_that_carry_nothing_are_not_waited_for() {
        let mut order = Reorder::default();
        let mut seen = Vec::new();
        let mut push = |order: &mut Reorder, sequence: u16| {
            let _ = order.push(sequence, &sequence.to_be_bytes(), Time::default(), |item| note(&mut seen, item));
            std::mem::take(&mut seen)
        };
        let pass_over = |order: &mut Reorder, sequence: u16| {
            let mut seen = Vec::new();
            order.pass_over(sequence, Time::default(), |item| note(&mut seen, item));
            seen
        };
        assert_eq!(push(&mut order, 65_533), [65_533]);
        pass_over(&mut order, 65_534);
        pass_over(&mut order, 65_535);
        assert_eq!(push(&mut order, 0), [0]);
        pass_over(&mut order, 3);
        assert_eq!(push(&mut order, 4), [0; 0]);
        assert_eq!(order.missing().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(push(&mut order, 2), [0; 0]);
        assert_eq!(push(&mut order, 1), [1, 2, 4]);
        // One of them comes after all, in its turn.
        pass_over(&mut order, 5);
        assert_eq!(push(&mut order, 5), [5]);
        assert_eq!(push(&mut order, 6), [6]);
        // Overtaken by what follows.
        assert_eq!(push(&mut order, 9), [0; 0]);
        assert_eq!(push(&mut order, 7), [7]);
        assert_eq!(pass_over(&mut order, 8), [9]);
        assert_eq!(order.deadline(), None);
        pass_over(&mut order, 11);
        assert_eq!(push(&mut order, 13), [0; 0]);
        let mut late = Vec::new();
        order.poll(Time::from_millis(40), |item| note(&mut late, item));
        assert_eq!(late, [-2, 13], "10 and 12");
    }

    #[test]
    fn a_run_of_lower_numbers_is_a_beginning_and_repetitions_are_none() {
        let feed = |order: &mut Reorder, sequences: &[u16], from: u64| {
            let mut seen = Vec::new();
            for (index, sequence) in sequences.iter().enumerate() {
                let now = Time::from_millis(from + index as u64 * 20);
                let _ = order.push(*sequence, &sequence.to_be_bytes(), now, |item| note(&mut seen, item));
            }
            seen
        };
        let started = || {
            let mut order = Reorder::default();
            feed(&mut order, &[1_000, 1_001], 0);
            order
        };
        let lower: Vec<u16> = (100..200).collect();
        let seen = feed(&mut started(), &lower, 0);
        assert_eq!(seen[..2], [i32::MAX, 115], "after sixteen of them");
        assert_eq!(seen.last(), Some(&199));
        // Everything twice, in bursts of many, or the second time much later: others come between.
        let burst: Vec<u16> = (1_002..1_200).collect();
        let mut order = started();
        for _ in 0..2 {
            let mut seen = Vec::new();
            for sequence in &burst {
                let _ = order.push(*sequence, &sequence.to_be_bytes(), Time::default(), |item| note(&mut seen, item));
            }
            assert!(!seen.contains(&i32::MAX));
        }
        let delayed: Vec<u16> = (1_002..1_300).flat_map(|number| [number, number - 500]).collect();
        assert!(!feed(&mut started(), &delayed, 0).contains(&i32::MAX));
        // Nothing else for two seconds, in whatever order.
        let backwards: Vec<u16> = lower.iter().rev().copied().chain(50..60).collect();
        assert_eq!(feed(&mut started(), &backwards, 0)[0], i32::MAX);
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
