//! RTCP (RFC 3550 §6, RFC 4585 §6, RFC 5104 §4.3.1): reading compound packets from strangers; `write` makes our own.

mod write;

use crate::time::Ntp;

pub use write::{Feedback, KeyframeRequest, SenderReport};

/// Sequence numbers, keyframe requests and report blocks in one compound packet; further ones are left out: nobody honest
/// says more at once.
const MAX_ENTRIES: usize = 256;

/// One report of a compound packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rtcp {
    /// The sender's mapping of wall time to its media clock (§6.4.1).
    SenderReport {
        /// Whose clock.
        ssrc: u32,
        /// Wall time.
        ntp: Ntp,
        /// The same moment on the media clock.
        timestamp: u32,
    },
    /// Reception of one of our streams; from a sender report's or a receiver report's blocks (§6.4.2).
    Reception(Reception),
    /// Generic NACK (RFC 4585 §6.2.1): the sequence numbers asked for.
    Nack {
        /// The stream that lacks them.
        ssrc: u32,
        /// In the order asked.
        sequences: Vec<u16>,
    },
    /// Picture loss indication (RFC 4585 §6.3.1).
    Pli {
        /// The stream that needs a keyframe.
        ssrc: u32,
    },
    /// Full intra request (RFC 5104 §4.3.1).
    Fir {
        /// The stream that needs a keyframe.
        ssrc: u32,
        /// A repeated request has the same number.
        sequence: u8,
    },
    /// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb §2.2).
    Bitrate {
        /// What the receiver can take.
        bits_per_second: u64,
    },
    /// The sender has left (§6.6).
    Bye {
        /// The streams that end.
        ssrcs: Vec<u32>,
    },
}

/// One reception report block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// The stream reported on.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning; 24 bits.
    pub lost: u32,
    /// Extended highest sequence number received.
    pub highest: u32,
    /// Inter-arrival jitter in media ticks.
    pub jitter: u32,
    /// Middle bits of the last sender report's NTP time; zero before the first.
    pub last_report: u32,
    /// Since that report arrived, in 1/65536 s.
    pub delay: u32,
}

/// The packets of a compound packet, up to where lengths do not add up: first byte, type and body.
fn packets(mut bytes: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    std::iter::from_fn(move || {
        let (head, _) = bytes.split_first_chunk::<4>()?;
        let length = (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1) * 4;
        let (packet, rest) = bytes.split_at_checked(length).filter(|_| head[0] >> 6 == 2)?;
        bytes = rest;
        Some((head[0] & 0x1f, head[1], &packet[4..]))
    })
}

/// Calls `each` for what is understood; stops silently where lengths do not add up.
pub fn parse(bytes: &[u8], mut each: impl FnMut(Rtcp)) {
    let mut entries = MAX_ENTRIES;
    for (count, kind, body) in packets(bytes) {
        match (kind, count) {
            (200 | 201, _) => {
                sender_report(kind, body, &mut each);
                blocks(count, kind, body, &mut entries, &mut |reception| each(Rtcp::Reception(reception)));
            }
            (203, _) => {
                let ssrcs: Vec<u32> = words(body).take(usize::from(count)).collect();
                each(Rtcp::Bye { ssrcs });
            }
            (205, 1) => nack(body, &mut entries, &mut each),
            (206, 1) => {
                if let Some(ssrc) = words(body).nth(1).filter(|_| entries > 0) {
                    entries -= 1;
                    each(Rtcp::Pli { ssrc });
                }
            }
            (206, 4) => {
                for entry in body.get(8..).unwrap_or_default().chunks_exact(8).take(entries) {
                    entries -= 1;
                    each(Rtcp::Fir { ssrc: word(entry, 0), sequence: entry[4] });
                }
            }
            (206, 15) if body.get(8..12) == Some(b"REMB") => {
                if let Some(&[_, high, middle, low]) = body.get(12..16) {
                    let mantissa = u64::from(u32::from_be_bytes([0, high & 3, middle, low]));
                    each(Rtcp::Bitrate { bits_per_second: mantissa.checked_shl(u32::from(high >> 2)).unwrap_or(0) });
                }
            }
            _ => {}
        }
    }
}

/// Calls `each` for the report blocks of a compound packet.
pub fn receptions(bytes: &[u8], mut each: impl FnMut(Reception)) {
    let mut entries = MAX_ENTRIES;
    for (count, kind, body) in packets(bytes) {
        blocks(count, kind, body, &mut entries, &mut each);
    }
}

/// Whether a compound packet asks for something: packets again, or a keyframe.
pub fn asks(bytes: &[u8]) -> bool {
    packets(bytes).any(|(count, kind, _)| matches!((kind, count), (205, 1) | (206, 1 | 4)))
}

/// Whether a compound packet has this stream as the sender of a report or of feedback, as what either is about, or as what
/// is described (RFC 3550 §6.4 and §6.5, RFC 4585 §6.1).
pub fn names(bytes: &[u8], ssrc: u32) -> bool {
    packets(bytes).any(|(count, kind, body)| match kind {
        200 | 201 => {
            words(body).next() == Some(ssrc) || report_blocks(count, kind, body).any(|block| word(block, 0) == ssrc)
        }
        202 => described(body, count).any(|named| named == ssrc),
        205 | 206 => words(body).take(2).any(|named| named == ssrc),
        _ => false,
    })
}

/// The streams of a source description, up to where its items do not add up.
fn described(mut chunks: &[u8], count: u8) -> impl Iterator<Item = u32> {
    (0..count).map_while(move |_| {
        let ssrc = words(chunks).next()?;
        let mut end = 4;
        // Type, length and text of each item; a zero ends the list, and the chunk at a word's end.
        while *chunks.get(end)? != 0 {
            end += 2 + usize::from(*chunks.get(end + 1)?);
        }
        chunks = chunks.get((end + 1).next_multiple_of(4)..).unwrap_or_default();
        Some(ssrc)
    })
}

fn sender_report(kind: u8, body: &[u8], each: &mut impl FnMut(Rtcp)) {
    if kind == 200 && body.len() >= 24 {
        each(Rtcp::SenderReport {
            ssrc: word(body, 0),
            ntp: Ntp((u64::from(word(body, 4)) << 32) | u64::from(word(body, 8))),
            timestamp: word(body, 12),
        });
    }
}

/// The bytes of each block of a sender report or a receiver report.
fn report_blocks(count: u8, kind: u8, body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let blocks = match kind {
        200 => body.get(24..),
        201 => body.get(4..),
        _ => None,
    };
    blocks.unwrap_or_default().chunks_exact(24).take(count.into())
}

/// What they say; `entries`: how many may still be taken.
fn blocks(count: u8, kind: u8, body: &[u8], entries: &mut usize, each: &mut impl FnMut(Reception)) {
    for block in report_blocks(count, kind, body).take(*entries) {
        *entries -= 1;
        each(Reception {
            ssrc: word(block, 0),
            fraction_lost: block[4],
            lost: word(block, 4) & 0xff_ffff,
            highest: word(block, 8),
            jitter: word(block, 12),
            last_report: word(block, 16),
            delay: word(block, 20),
        });
    }
}

/// `entries`: how many sequence numbers may still be taken.
fn nack(body: &[u8], entries: &mut usize, each: &mut impl FnMut(Rtcp)) {
    let Some(ssrc) = words(body).nth(1) else { return };
    let numbers = body[8..].chunks_exact(4).flat_map(|entry| {
        let first = u16::from_be_bytes([entry[0], entry[1]]);
        let following = u16::from_be_bytes([entry[2], entry[3]]);
        let followers =
            (0..16).filter(move |bit| following >> bit & 1 == 1).map(move |bit| first.wrapping_add(bit + 1));
        std::iter::once(first).chain(followers)
    });
    let sequences: Vec<u16> = numbers.take(*entries).collect();
    *entries -= sequences.len();
    if !sequences.is_empty() {
        each(Rtcp::Nack { ssrc, sequences });
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|chunk| word(chunk, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn all(bytes: &[u8]) -> Vec<Rtcp> {
        let mut found = Vec::new();
        parse(bytes, |report| found.push(report));
        found
    }

    #[test]
    fn nack_expands_the_bit_mask() {
        let bytes = [0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0x80, 0x01];
        assert_eq!(all(&bytes), [Rtcp::Nack { ssrc: 2, sequences: vec![65_535, 0, 15] }]);
    }

    #[test]
    fn a_compound_packet_asks_for_so_much_and_no_more() {
        // 18 messages, as many as fit into 1376 bytes; each entry asks for 17 numbers.
        let mut bytes = Vec::new();
        for message in 0..18u16 {
            bytes.extend_from_slice(&[0x81, 205, 0, 18, 0, 0, 0, 1, 0, 0, 0, 2]);
            (0..16).for_each(|entry| {
                bytes.extend_from_slice(&((message * 16 + entry) * 17).to_be_bytes());
                bytes.extend_from_slice(&[0xff, 0xff]);
            });
        }
        assert_eq!(bytes.len(), 1_368);
        let numbers = |report: &Rtcp| match report {
            Rtcp::Nack { sequences, .. } => sequences.clone(),
            other => panic!("{other:?}"),
        };
        let asked: Vec<u16> = all(&bytes).iter().flat_map(numbers).collect();
        assert_eq!(asked, (0..256).collect::<Vec<_>>());
    }

    #[test]
    fn compound_of_reception_pli_fir_and_bye() {
        let mut bytes = vec![0x81, 201, 0, 7, 0, 0, 0, 1];
        bytes.extend_from_slice(&[0, 0, 0, 9, 64, 0, 0, 5, 0, 1, 0, 2, 0, 0, 0, 90, 0, 0, 0, 4, 0, 0, 0, 6]);
        bytes.extend_from_slice(&[0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9]);
        bytes.extend_from_slice(&[0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 3, 0, 0, 0]);
        bytes.extend_from_slice(&[0x81, 203, 0, 1, 0, 0, 0, 1]);
        let reception =
            Reception { ssrc: 9, fraction_lost: 64, lost: 5, highest: 0x1_0002, jitter: 90, last_report: 4, delay: 6 };
        let expected = [
            Rtcp::Reception(reception),
            Rtcp::Pli { ssrc: 9 },
            Rtcp::Fir { ssrc: 9, sequence: 3 },
            Rtcp::Bye { ssrcs: vec![1] },
        ];
        assert_eq!(all(&bytes), expected);
    }

    #[test]
    fn tells_reports_from_what_asks_for_something() {
        let report = |ssrc: u8| [&[0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, ssrc][..], &[0; 20]].concat();
        let remb = [0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0, 0, 9, 0, 0, 0, 9];
        let told = [report(9), report(10), remb.to_vec()].concat();
        let mut ssrcs = Vec::new();
        receptions(&told, |reception| ssrcs.push(reception.ssrc));
        assert_eq!((ssrcs, asks(&told)), (vec![9, 10], false));
        let nack = [0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0, 0];
        let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9];
        let fir = [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 3, 0, 0, 0];
        for asking in [&nack[..], &pli, &fir] {
            assert!(asks(&[&told, asking].concat()));
        }
    }

    #[test]
    fn tells_which_streams_a_compound_packet_names() {
        let mut bytes = vec![0x82, 201, 0, 13, 0, 0, 0, 1];
        [9, 10].iter().for_each(|&ssrc| {
            bytes.extend_from_slice(&[0, 0, 0, ssrc]);
            bytes.extend_from_slice(&[0; 20]);
        });
        bytes.extend_from_slice(&[0x81, 206, 0, 2, 0, 0, 0, 2, 0, 0, 0, 11]);
        let named: Vec<u32> = (0..20).filter(|ssrc| names(&bytes, *ssrc)).collect();
        assert_eq!(named, [1, 2, 9, 10, 11]);
    }

    #[test]
    fn tells_which_streams_are_described() {
        // Two chunks: a name of three bytes, and none at all.
        let chunks = [0, 0, 0, 7, 1, 3, b'a', b'b', b'c', 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0];
        let description =
            |count: u8, chunks: &[u8]| [&[0x80 | count, 202, 0, (chunks.len() / 4) as u8], chunks].concat();
        let named = |bytes: &[u8]| (0..20).filter(|ssrc| names(bytes, *ssrc)).collect::<Vec<u32>>();
        assert_eq!(named(&description(2, &chunks)), [7, 8]);
        assert_eq!(named(&description(1, &chunks)), [7]);
        assert_eq!(named(&description(31, &chunks)), [7, 8], "no more than there are");
        let mut lying = chunks;
        lying[5] = 200;
        assert_eq!(named(&description(2, &lying)), []);
    }

    #[test]
    fn what_one_packet_says_is_bounded() {
        let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        let report = [&[0x81, 201, 0, 7, 0, 0, 0, 1][..], &[0; 24]].concat();
        assert_eq!((all(&pli.repeat(300)).len(), all(&report.repeat(300)).len()), (MAX_ENTRIES, MAX_ENTRIES));
    }

    #[test]
    fn short_and_lying_lengths_are_ignored() {
        for length in 0..16u8 {
            let full = [0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 5, 0, 0];
            assert!(all(&full[..usize::from(length)]).is_empty());
            for kind in 200..=207 {
                for count in 0..32u8 {
                    let mut bytes = vec![0x80 | count, kind, 0, length];
                    bytes.resize(4 + usize::from(length) * 4, 0xff);
                    parse(&bytes, |_| {});
                    names(&bytes, 1);
                }
            }
        }
    }
}
