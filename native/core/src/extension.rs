//! RTP header extensions that are written (RFC 8285, one-byte form), each only where it tells something new.

/// Ids from the answer; absent: not negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// When a frame was captured (webrtc.org/experiments/rtp-hdrext/abs-capture-time).
    pub absolute_capture_time: Option<u8>,
    /// How long a receiver may hold frames back (webrtc.org/experiments/rtp-hdrext/playout-delay).
    pub playout_delay: Option<u8>,
}

/// Extension elements of one packet, with the profile and length in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

/// The first bit of an RTP header's first byte that says: an extension follows (RFC 3550 §5.1).
pub const PRESENT: u8 = 0x10;

impl Extension {
    /// The most bytes: profile and length, a capture time and a playout delay with their ids, padding.
    pub const CAPACITY: usize = 4 + 9 + 4 + 3;

    /// What goes between the header and the payload; `None` when there is nothing to say. `capture`: NTP time.
    pub fn new(capture: Option<(u8, u64)>, playout_delay: Option<u8>) -> Option<Self> {
        let mut extension = Self { bytes: [0; Self::CAPACITY], length: 4 };
        if let Some((id, capture)) = capture {
            extension.element(id, &capture.to_be_bytes());
        }
        if let Some(id) = playout_delay {
            // 12 bits each for the least and the most delay, in 10 ms: show frames as soon as they are decoded.
            extension.element(id, &[0, 0, 0]);
        }
        if extension.length == 4 {
            return None;
        }
        extension.length = extension.length.next_multiple_of(4);
        let words = extension.length / 4 - 1;
        extension.bytes[..4].copy_from_slice(&[0xbe, 0xde, 0, words as u8]);
        Some(extension)
    }

    /// Ready to follow the header.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn element(&mut self, id: u8, data: &[u8]) {
        self.bytes[self.length] = id << 4 | (data.len() - 1) as u8;
        self.bytes[self.length + 1..][..data.len()].copy_from_slice(data);
        self.length += 1 + data.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_padded_to_words() {
        assert_eq!(Extension::new(None, None), None);
        let delay = Extension::new(None, Some(5)).expect("an element");
        assert_eq!(delay.as_bytes(), [0xbe, 0xde, 0, 1, 0x52, 0, 0, 0]);
        let both = Extension::new(Some((3, 0x0102_0304_0506_0708)), Some(14)).expect("elements");
        let expected = [0xbe, 0xde, 0, 4, 0x37, 1, 2, 3, 4, 5, 6, 7, 8, 0xe2, 0, 0, 0, 0, 0, 0];
        assert_eq!(both.as_bytes(), expected);
    }
}
