//! RTCP (RFC 3550 §6, RFC 4585 §6, RFC 5104 §4.3.1): reading compound packets from strangers, writing sender reports.

use crate::time::Ntp;

/// Sequence numbers and keyframe requests in one compound packet; further ones are left out: nobody honest asks for more
/// at once.
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
            (200, _) => sender_report(body, count, &mut each),
            (201, _) => receptions(body.get(4..).unwrap_or_default(), count, &mut each),
            (203, _) => {
                let ssrcs: Vec<u32> = words(body).take(usize::from(count)).collect();
                each(Rtcp::Bye { ssrcs });
            }
            (205, 1) => nack(body, &mut entries, &mut each),
            (206, 1) => {
                if let Some(ssrc) = words(body).nth(1) {
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

/// Whether a compound packet has this stream as the sender of a report or of feedback, or as what either is about
/// (RFC 3550 §6.4, RFC 4585 §6.1).
pub fn names(bytes: &[u8], ssrc: u32) -> bool {
    packets(bytes).any(|(count, kind, body)| {
        let blocks = match kind {
            200 => body.get(24..),
            201 => body.get(4..),
            205 | 206 => return words(body).take(2).any(|named| named == ssrc),
            _ => return false,
        };
        let blocks = blocks.unwrap_or_default().chunks_exact(24).take(usize::from(count));
        words(body).next() == Some(ssrc) || blocks.map(|block| word(block, 0)).any(|named| named == ssrc)
    })
}

fn sender_report(body: &[u8], count: u8, each: &mut impl FnMut(Rtcp)) {
    if body.len() < 24 {
        return;
    }
    each(Rtcp::SenderReport {
        ssrc: word(body, 0),
        ntp: Ntp((u64::from(word(body, 4)) << 32) | u64::from(word(body, 8))),
        timestamp: word(body, 12),
    });
    receptions(&body[24..], count, each);
}

fn receptions(blocks: &[u8], count: u8, each: &mut impl FnMut(Rtcp)) {
    for block in blocks.chunks_exact(24).take(usize::from(count)) {
        each(Rtcp::Reception(Reception {
            ssrc: word(block, 0),
            fraction_lost: block[4],
            lost: word(block, 4) & 0xff_ffff,
            highest: word(block, 8),
            jitter: word(block, 12),
            last_report: word(block, 16),
            delay: word(block, 20),
        }));
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

/// What a sender report tells of one outgoing stream.
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    /// The stream.
    pub ssrc: u32,
    /// Wall time.
    pub ntp: Ntp,
    /// The same moment on the stream's media clock.
    pub timestamp: u32,
    /// Packets sent so far; wraps.
    pub packets: u32,
    /// Payload bytes sent so far; wraps.
    pub octets: u32,
    /// The name that ties audio and video of one viewer together (§6.5.1); at most 255 bytes.
    pub cname: &'a str,
}

impl SenderReport<'_> {
    /// A compound packet: sender report, then the source description that each compound packet must have (§6.1).
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&[0x80, 200, 0, 6]);
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&self.ntp.0.to_be_bytes());
        for value in [self.timestamp, self.packets, self.octets] {
            out.extend_from_slice(&value.to_be_bytes());
        }
        describe(self.ssrc, self.cname, out);
    }
}

/// Appends the source description that each compound packet must have (RFC 3550 §6.5).
fn describe(ssrc: u32, cname: &str, out: &mut Vec<u8>) {
    let cname = &cname.as_bytes()[..cname.len().min(255)];
    // Chunk: SSRC, item type, length, text, then at least one zero up to a word's end.
    let words = (4 + 2 + cname.len()) / 4 + 1;
    let end = out.len() + 4 + words * 4;
    out.extend_from_slice(&[0x81, 202, 0, words as u8]);
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend_from_slice(&[1, cname.len() as u8]);
    out.extend_from_slice(cname);
    out.resize(end, 0);
}

/// What a receiver tells a sender, as one compound packet.
#[derive(Clone, Copy, Debug)]
pub struct Feedback<'a> {
    /// Who speaks.
    pub sender: u32,
    /// How the stream arrives.
    pub reception: Reception,
    /// What the receiver can take, in bits per second.
    pub bitrate: Option<u64>,
    /// Sequence numbers of missing packets, ascending.
    pub nacks: &'a [u16],
    /// A keyframe is needed.
    pub keyframe: Option<KeyframeRequest>,
}

/// How a sender is asked for a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyframeRequest {
    /// RFC 4585 §6.3.1.
    Pli,
    /// RFC 5104 §4.3.1, with the number of the request.
    Fir(u8),
}

impl Feedback<'_> {
    /// Receiver report and source description first, as RFC 3550 §6.1 demands.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Reception { ssrc, fraction_lost, lost, highest, jitter, last_report, delay } = self.reception;
        out.clear();
        out.extend_from_slice(&[0x81, 201, 0, 7]);
        out.extend_from_slice(&self.sender.to_be_bytes());
        let lost = u32::from(fraction_lost) << 24 | lost & 0xff_ffff;
        for value in [ssrc, lost, highest, jitter, last_report, delay] {
            out.extend_from_slice(&value.to_be_bytes());
        }
        describe(self.sender, "fetch-whep", out);
        if let Some(bitrate) = self.bitrate {
            // 18 bits of mantissa, 6 of exponent.
            let exponent = (64 - bitrate.leading_zeros()).saturating_sub(18);
            let value = u32::from(1u8) << 24 | exponent << 18 | (bitrate >> exponent) as u32;
            self.message(15, 206, 0, &[u32::from_be_bytes(*b"REMB"), value, ssrc], out);
        }
        if !self.nacks.is_empty() {
            self.message(1, 205, ssrc, &nack_entries(self.nacks), out);
        }
        match self.keyframe {
            Some(KeyframeRequest::Pli) => self.message(1, 206, ssrc, &[], out),
            Some(KeyframeRequest::Fir(number)) => self.message(4, 206, 0, &[ssrc, u32::from(number) << 24], out),
            None => {}
        }
    }

    /// RFC 4585 §6.1.
    fn message(&self, format: u8, kind: u8, media: u32, words: &[u32], out: &mut Vec<u8>) {
        out.extend_from_slice(&[0x80 | format, kind, 0, 2 + words.len() as u8]);
        for value in [self.sender, media].iter().chain(words) {
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// First number and a mask of the 16 that follow (RFC 4585 §6.2.1).
fn nack_entries(sequences: &[u16]) -> Vec<u32> {
    let mut entries: Vec<(u16, u16)> = Vec::new();
    for &sequence in sequences {
        match entries.last_mut() {
            Some((first, mask)) if (1..=16).contains(&sequence.wrapping_sub(*first)) => {
                *mask |= 1 << (sequence.wrapping_sub(*first) - 1);
            }
            _ => entries.push((sequence, 0)),
        }
    }
    entries.into_iter().map(|(first, mask)| u32::from(first) << 16 | u32::from(mask)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Rtcp> {
        let mut found = Vec::new();
        parse(bytes, |report| found.push(report));
        found
    }

    #[test]
    fn sender_reports_can_be_read_back() {
        for cname in ["", "a", "abc", "abcdef", "0123456789abcdef"] {
            let report = SenderReport {
                ssrc: 7,
                ntp: Ntp(0x0102_0304_0506_0708),
                timestamp: 99,
                packets: 3,
                octets: 300,
                cname,
            };
            let mut bytes = Vec::new();
            report.write(&mut bytes);
            assert_eq!(bytes.len() % 4, 0);
            let expected = Rtcp::SenderReport { ssrc: 7, ntp: report.ntp, timestamp: 99 };
            assert_eq!(all(&bytes), [expected]);
            let description = usize::from(u16::from_be_bytes([bytes[30], bytes[31]]));
            assert_eq!(28 + (description + 1) * 4, bytes.len(), "the source description fills the rest");
            assert_eq!(bytes.last(), Some(&0), "the item list ends with a zero");
        }
    }

    #[test]
    fn feedback_can_be_read_back() {
        let reception =
            Reception { ssrc: 9, fraction_lost: 3, lost: 70_000, highest: 1, jitter: 2, last_report: 3, delay: 4 };
        let nacks = [65_530, 65_535, 10, 11, 300];
        let feedback = Feedback {
            sender: 1,
            reception,
            bitrate: Some(20_000_000),
            nacks: &nacks,
            keyframe: Some(KeyframeRequest::Pli),
        };
        let mut bytes = Vec::new();
        feedback.write(&mut bytes);
        assert_eq!(bytes.len() % 4, 0);
        let expected = [
            Rtcp::Reception(reception),
            Rtcp::Bitrate { bits_per_second: 19_999_744 },
            Rtcp::Nack { ssrc: 9, sequences: nacks.to_vec() },
            Rtcp::Pli { ssrc: 9 },
        ];
        let read = all(&bytes);
        assert_eq!((&read[0], &read[2..]), (&expected[0], &expected[2..]));
        let Rtcp::Bitrate { bits_per_second } = read[1] else { panic!("{:?}", read[1]) };
        assert!((19_999_000..=20_000_000).contains(&bits_per_second));
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
