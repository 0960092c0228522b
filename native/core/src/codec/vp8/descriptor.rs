//! The payload descriptor (RFC 7741 §4.2).

use crate::codec::PayloadError;

const EXTENDED: u8 = 0x80;
const NON_REFERENCE: u8 = 0x20;
const START: u8 = 0x10;

/// PID, and the reserved bit beside it, which drafts had as part of PID and GStreamer sets for the ninth partition.
const PARTITION: u8 = 0x0f;

/// What is of use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The first packet of a frame.
    pub begins: bool,
    /// The frame can be left out without harm to others.
    pub non_reference: bool,
}

impl Descriptor {
    /// Splits a payload into the descriptor and a part of the frame, which is not empty.
    pub fn parse(payload: &[u8]) -> Result<(Self, &[u8]), PayloadError> {
        let mut bytes = payload.iter();
        let mut next = || bytes.next().copied().ok_or(PayloadError::Truncated);
        let first = next()?;
        if first & EXTENDED != 0 {
            let present = next()?;
            // PictureID, of 15 bits if its first is set.
            if present & 0x80 != 0 && next()? & 0x80 != 0 {
                next()?;
            }
            // TL0PICIDX.
            if present & 0x40 != 0 {
                next()?;
            }
            // TID, Y and KEYIDX share a byte.
            if present & 0x30 != 0 {
                next()?;
            }
        }
        match bytes.as_slice() {
            [] => Err(PayloadError::Truncated),
            data => Ok((Self { begins: begins(first), non_reference: first & NON_REFERENCE != 0 }, data)),
        }
    }
}

/// The first byte of a payload that begins a frame.
pub fn begins(first: u8) -> bool {
    first & (START | PARTITION) == START
}

/// The whole descriptor of a packet that is sent.
pub fn minimal(begins: bool, non_reference: bool) -> u8 {
    let bit = |set, bit| if set { bit } else { 0 };
    bit(begins, START) | bit(non_reference, NON_REFERENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_ends_where_the_frame_goes_on() {
        let forms: [&[u8]; 9] = [
            &[0x10],
            &[0x80, 0x00],
            &[0x90, 0x80, 0x11],
            &[0x90, 0x80, 0x81, 0x11],
            &[0x90, 0x40, 0x7f],
            &[0x90, 0x20, 0x80],
            &[0x90, 0x10, 0x0f],
            &[0x90, 0x30, 0xef],
            &[0xb0, 0xf0, 0xff, 0xff, 0x01, 0xff],
        ];
        for form in forms {
            let payload = [form, &[42, 43]].concat();
            let expected = Descriptor { begins: form[0] & 0x10 != 0, non_reference: form[0] & 0x20 != 0 };
            assert_eq!(Descriptor::parse(&payload), Ok((expected, &[42, 43][..])), "{form:02x?}");
            for length in 0..=form.len() {
                assert_eq!(Descriptor::parse(&payload[..length]), Err(PayloadError::Truncated), "{form:02x?}");
            }
        }
    }
}
