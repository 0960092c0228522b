//! What we say: sender reports to viewers, receiver reports and feedback to publishers.

use super::Reception;
use crate::time::Ntp;

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
    use crate::rtcp::Rtcp;
    use crate::rtcp::tests::all;

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
}
