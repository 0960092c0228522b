//! What one track of a viewer got: sequence numbers followed, stamps read. Pure.

use std::collections::VecDeque;

use core_media::rtp::RtpPacket;

use crate::stamp;

/// Totals of one track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Different packets.
    pub packets: u64,
    /// Gaps in the sequence numbers that nothing has filled.
    pub lost: u64,
    /// Came after a packet with a higher number.
    pub reordered: u64,
    /// Came again.
    pub duplicates: u64,
}

impl Totals {
    pub fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.reordered += other.reordered;
        self.duplicates += other.duplicates;
    }
}

/// Follows one track.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    totals: Totals,
    /// First and highest sequence number, wraps counted in.
    range: Option<(u64, u64)>,
    /// Which of the 64 numbers up to the highest have come; bit 0 is the highest.
    recent: u64,
    ssrc: u32,
    /// Packets and losses when the last report was made.
    reported: (u64, u64),
    ends: u64,
    /// Sequence number and arrival of packets whose stamps are to be read when they have been decrypted.
    awaited: VecDeque<(u16, u64)>,
}

/// One of so many pictures or sounds has its stamp read.
const SAMPLED: u64 = 4;
/// That are decrypted at a time, many seconds of a stream; one that cannot be decrypted is forgotten.
const AWAITED: usize = 64;

impl Reception {
    /// False when the packet has come before.
    pub fn note(&mut self, packet: &RtpPacket<'_>) -> bool {
        let (first, highest) = *self.range.get_or_insert_with(|| {
            let number = 1 << 32 | u64::from(packet.sequence);
            (number, number - 1)
        });
        self.ssrc = packet.ssrc;
        // The distance is modulo 2^16: up to half of it ahead, the other half behind.
        let step = i64::from(packet.sequence.wrapping_sub(highest as u16) as i16);
        if step > 0 {
            self.recent = self.recent.checked_shl(step as u32).unwrap_or(0) | 1;
            self.range = Some((first, highest + step as u64));
        } else {
            let bit = 1_u64.checked_shl(-step as u32).unwrap_or(0);
            if self.recent & bit != 0 {
                self.totals.duplicates += 1;
                return false;
            }
            self.recent |= bit;
            self.totals.reordered += 1;
            self.range = Some((first.min(highest.saturating_add_signed(step)), highest));
        }
        self.totals.packets += 1;
        true
    }

    /// Whether to read the stamp of the picture or sound that ends with this packet, which has come at `now`.
    pub fn sampled(&mut self, packet: &RtpPacket<'_>, now: impl Fn() -> u64) -> bool {
        self.ends += 1;
        let sampled = self.ends.is_multiple_of(SAMPLED);
        if sampled {
            self.awaited.truncate(AWAITED - 1);
            self.awaited.push_front((packet.sequence, now()));
        }
        sampled
    }

    /// When a sampled packet came, once.
    pub fn arrived(&mut self, packet: &RtpPacket<'_>) -> Option<u64> {
        let index = self.awaited.iter().position(|(sequence, _)| *sequence == packet.sequence)?;
        self.awaited.remove(index).map(|(_, at)| at)
    }

    pub fn totals(&self) -> Totals {
        let span = self.range.map_or(0, |(first, highest)| highest + 1 - first);
        Totals { lost: span.saturating_sub(self.totals.packets), ..self.totals }
    }

    /// A receiver report (RFC 3550 §6.4.2) on what came since the last one; nothing before the first packet.
    pub fn report(&mut self, sender: u32) -> Option<[u8; 32]> {
        let (_, highest) = self.range?;
        let Totals { packets, lost, .. } = self.totals();
        let (packets_before, lost_before) = std::mem::replace(&mut self.reported, (packets, lost));
        let (fresh, missing) = (packets - packets_before, lost.saturating_sub(lost_before));
        let fraction = (missing * 256 / (fresh + missing).max(1)).min(255) as u8;
        let mut report = [0; 32];
        report[..4].copy_from_slice(&[0x81, 201, 0, 7]);
        report[4..8].copy_from_slice(&sender.to_be_bytes());
        report[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        report[12..16].copy_from_slice(&(lost as u32 & 0x00ff_ffff | u32::from(fraction) << 24).to_be_bytes());
        report[16..20].copy_from_slice(&(highest as u32).to_be_bytes());
        // Jitter, and the echo of a sender report, stay zero: not measured.
        Some(report)
    }
}

/// Nanoseconds from sending to arrival, when the packet ends a picture or sound of ours.
pub(crate) fn latency(packet: &RtpPacket<'_>, arrived: u64) -> Option<u64> {
    stamp::read(packet.payload).map(|sent| arrived.saturating_sub(sent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core_media::rtcp::{Rtcp, parse};

    fn packet(sequence: u16) -> RtpPacket<'static> {
        RtpPacket { marker: false, payload_type: 96, sequence, timestamp: 0, ssrc: 7, payload: &[], elements: &[] }
    }

    fn follow(sequences: &[u16]) -> Totals {
        let mut reception = Reception::default();
        for &sequence in sequences {
            reception.note(&packet(sequence));
        }
        reception.totals()
    }

    #[test]
    fn in_order_over_the_wrap() {
        let all = Totals { packets: 4, ..Totals::default() };
        assert_eq!(follow(&[65_534, 65_535, 0, 1]), all);
        assert_eq!(follow(&[0, 1, 2, 3]), all);
    }

    #[test]
    fn gaps_are_lost_until_they_are_filled() {
        assert_eq!(follow(&[10, 14]), Totals { packets: 2, lost: 3, ..Totals::default() });
        let filled = Totals { packets: 4, lost: 1, reordered: 2, duplicates: 0 };
        assert_eq!(follow(&[10, 14, 12, 11]), filled);
    }

    #[test]
    fn duplicates_are_no_packets() {
        assert_eq!(follow(&[10, 10, 11, 10]), Totals { packets: 2, duplicates: 2, ..Totals::default() });
    }

    #[test]
    fn a_late_start_is_no_loss() {
        assert_eq!(follow(&[0, 65_535, 1]), Totals { packets: 3, reordered: 1, ..Totals::default() });
    }

    #[test]
    fn sampled_packets_are_awaited_with_their_arrival_and_not_for_ever() {
        let mut reception = Reception::default();
        let sampled: Vec<u16> = (0..1_000).filter(|&it| reception.sampled(&packet(it), || u64::from(it) + 7)).collect();
        assert_eq!(sampled.len() as u64, 1_000 / SAMPLED);
        let (recent, newest) = (sampled[sampled.len() - AWAITED], sampled[sampled.len() - 1]);
        assert_eq!(reception.arrived(&packet(newest)), Some(u64::from(newest) + 7));
        assert_eq!(reception.arrived(&packet(newest)), None);
        assert_eq!(reception.arrived(&packet(recent)), Some(u64::from(recent) + 7));
        assert_eq!(reception.arrived(&packet(sampled[0])), None);
    }

    #[test]
    fn reports_tell_what_came_since_the_last() {
        let mut reception = Reception::default();
        assert_eq!(reception.report(1), None);
        let mut note = |sequence| {
            reception.note(&packet(sequence));
            let mut found = None;
            parse(&reception.report(1).expect("a packet came"), |report| found = Some(report));
            match found {
                Some(Rtcp::Reception(found)) => (found.ssrc, found.fraction_lost, found.highest as u16),
                other => panic!("unexpected {other:?}"),
            }
        };
        assert_eq!(note(10), (7, 0, 10));
        assert_eq!(note(14), (7, 192, 14));
        assert_eq!(note(15), (7, 0, 15));
    }
}
