//! RTP packets (RFC 3550 §5.1, §5.3.1) as views of attacker-controlled bytes.

use crate::extension::Extension;

/// Bytes of a header without CSRCs and extensions.
pub const HEADER: usize = 12;

/// What every IPv6 line takes (RFC 8200 §5).
const MAX_DATAGRAM: usize = 1280;

/// What Ethernet takes.
const MAX_ETHERNET: usize = 1500;

/// IPv6, UDP and the longest tag of an SRTP profile (RFC 7714 §13.2).
const AROUND: usize = 40 + 8 + 16;

/// The original sequence number in a repeated packet (RFC 4588 §4).
const ORIGINAL: usize = 2;

/// The largest payload of an outgoing packet: the datagram fits every line, sent again as well.
pub const MAX_PAYLOAD: usize = MAX_DATAGRAM - AROUND - HEADER - ORIGINAL;

/// The largest that may have an extension, which is seldom: none has to be smaller for its sake.
pub const MAX_EXTENDED: usize = MAX_PAYLOAD - Extension::CAPACITY;

/// The largest packet of sound, which cannot be split: most lines take what Ethernet takes, an extension included.
pub const MAX_SOUND: usize = MAX_EXTENDED + MAX_ETHERNET - MAX_DATAGRAM;

/// A parsed packet; `payload` excludes CSRCs, the header extension and padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// The end of a video frame (RFC 6184 §5.1).
    pub marker: bool,
    /// 7 bits.
    pub payload_type: u8,
    /// Wraps.
    pub sequence: u16,
    /// Media clock, wraps.
    pub timestamp: u32,
    /// The sender's stream.
    pub ssrc: u32,
    /// What is left for the codec.
    pub payload: &'a [u8],
    /// Header extension elements in the one-byte form (RFC 8285 §4.2).
    pub elements: &'a [u8],
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtpError {
    /// Ends within the header, a CSRC list or the extension.
    Truncated,
    /// Not version 2.
    Version,
    /// The padding count exceeds what there is, or is zero.
    Padding,
    /// Payload types 64-95 with RTCP on the same port are RTCP (RFC 5761 §4).
    Rtcp,
}

impl<'a> RtpPacket<'a> {
    /// Reads one datagram.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let (head, mut rest) = datagram.split_first_chunk::<HEADER>().ok_or(RtpError::Truncated)?;
        if head[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        if is_rtcp(datagram) {
            return Err(RtpError::Rtcp);
        }
        let csrcs = usize::from(head[0] & 0x0f) * 4;
        rest = rest.get(csrcs..).ok_or(RtpError::Truncated)?;
        let mut elements = &[][..];
        if head[0] & 0x10 != 0 {
            let (extension, after) = rest.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
            let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
            let (inside, after) = after.split_at_checked(words * 4).ok_or(RtpError::Truncated)?;
            rest = after;
            if extension[..2] == [0xbe, 0xde] {
                elements = inside;
            }
        }
        if head[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or(RtpError::Padding)?);
            if padding == 0 || padding > rest.len() {
                return Err(RtpError::Padding);
            }
            rest = &rest[..rest.len() - padding];
        }
        Ok(Self {
            marker: head[1] & 0x80 != 0,
            payload_type: head[1] & 0x7f,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            payload: rest,
            elements,
        })
    }

    /// The header extension element with this id.
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        let mut rest = self.elements;
        while let Some((&head, after)) = rest.split_first() {
            // Padding, and the id that ends the list.
            match head >> 4 {
                0 => rest = after,
                15 => return None,
                found => {
                    let (data, after) = after.split_at_checked(usize::from(head & 0xf) + 1)?;
                    if found == id {
                        return Some(data);
                    }
                    rest = after;
                }
            }
        }
        None
    }
}

/// Tells RTCP from RTP on a shared port (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.len() >= 2 && (192..=223).contains(&datagram[1])
}

/// A plain header: version 2, no padding, extension or CSRC.
pub fn write_header(marker: bool, payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32) -> [u8; HEADER] {
    let mut head = [0; HEADER];
    head[0] = 0x80;
    head[1] = (u8::from(marker) << 7) | (payload_type & 0x7f);
    head[2..4].copy_from_slice(&sequence.to_be_bytes());
    head[4..8].copy_from_slice(&timestamp.to_be_bytes());
    head[8..12].copy_from_slice(&ssrc.to_be_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let mut bytes = write_header(true, 96, 65_535, 7, 9).to_vec();
        bytes.extend_from_slice(&[1, 2, 3]);
        let packet = RtpPacket::parse(&bytes).expect("a whole packet");
        assert!(packet.marker);
        assert_eq!((packet.payload_type, packet.sequence), (96, 65_535));
        assert_eq!((packet.timestamp, packet.ssrc), (7, 9));
        assert_eq!(packet.payload, [1, 2, 3]);
    }

    #[test]
    fn csrcs_extension_and_padding_are_not_payload() {
        let mut bytes = write_header(false, 96, 1, 2, 3).to_vec();
        bytes[0] |= 0x20 | 0x10 | 2;
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0, 0, 0]);
        bytes.extend_from_slice(&[42, 0, 0, 3]);
        assert_eq!(RtpPacket::parse(&bytes).expect("a whole packet").payload, [42]);
    }

    #[test]
    fn extension_elements_are_found_by_id() {
        let with = |profile: [u8; 2], elements: &[u8]| {
            let mut bytes = write_header(false, 96, 1, 2, 3).to_vec();
            bytes[0] |= 0x10;
            bytes.extend_from_slice(&profile);
            bytes.extend_from_slice(&[0, (elements.len() / 4) as u8]);
            bytes.extend_from_slice(elements);
            bytes
        };
        let find =
            |bytes: &[u8], id| RtpPacket::parse(bytes).expect("a whole packet").extension(id).map(<[u8]>::to_vec);
        let two = with([0xbe, 0xde], &[0x30, 7, 0, 0x52, 1, 2, 3, 0]);
        assert_eq!((find(&two, 3), find(&two, 5), find(&two, 4)), (Some(vec![7]), Some(vec![1, 2, 3]), None));
        assert_eq!(find(&with([0xbe, 0xde], &[0xf0, 0, 0x30, 7]), 3), None, "the list has ended");
        assert_eq!(find(&with([0xbe, 0xde], &[0x3f, 7, 7, 7]), 3), None, "longer than what there is");
        assert_eq!(find(&with([0x10, 0], &[3, 1, 7, 0]), 3), None, "the two-byte form");
    }

    #[test]
    fn every_truncation_is_an_error_or_a_shorter_payload() {
        let mut bytes = write_header(false, 96, 1, 2, 3).to_vec();
        bytes[0] |= 0x10 | 1;
        bytes.extend_from_slice(&[0, 0, 0, 0, 0xbe, 0xde, 0, 1, 0x10, 0, 0, 0, 5]);
        for length in 0..bytes.len() - 1 {
            assert!(matches!(
                RtpPacket::parse(&bytes[..length]),
                Err(RtpError::Truncated) | Ok(RtpPacket { payload: [], .. })
            ));
        }
    }

    #[test]
    fn impossible_padding_and_foreign_versions() {
        let mut bytes = write_header(false, 96, 1, 2, 3).to_vec();
        bytes[0] |= 0x20;
        assert_eq!(RtpPacket::parse(&bytes), Err(RtpError::Padding));
        bytes.push(0);
        assert_eq!(RtpPacket::parse(&bytes), Err(RtpError::Padding));
        bytes.push(9);
        assert_eq!(RtpPacket::parse(&bytes), Err(RtpError::Padding));
        bytes[0] = 0x40;
        assert_eq!(RtpPacket::parse(&bytes), Err(RtpError::Version));
    }
}
