//! Open bitstream units (AV1 §5.3) and the low-overhead bitstream format (§5.2).

use crate::codec::PayloadError;

/// OBU types (§6.2.2).
pub const SEQUENCE_HEADER: u8 = 1;
/// Begins a temporal unit in files; never in RTP.
pub const TEMPORAL_DELIMITER: u8 = 2;
/// The header of a frame, whose tiles follow in tile groups, or one that shows a frame decoded before.
pub const FRAME_HEADER: u8 = 3;
/// Tiles.
pub const TILE_GROUP: u8 = 4;
/// A frame header and tiles.
pub const FRAME: u8 = 6;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

const FORBIDDEN: u8 = 0x80;
const EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;

/// The type of an OBU, which is not empty.
pub fn kind(obu: &[u8]) -> u8 {
    obu[0] >> 3 & 0xf
}

/// What RTP carries (RTP Payload Format for AV1 §5).
pub fn travels(obu: &[u8]) -> bool {
    !matches!(kind(obu), TEMPORAL_DELIMITER | TILE_LIST | PADDING)
}

/// What follows the header of an OBU without size field.
pub fn payload(obu: &[u8]) -> &[u8] {
    obu.get(header_length(obu[0])..).unwrap_or_default()
}

fn header_length(first: u8) -> usize {
    if first & EXTENSION == 0 { 1 } else { 2 }
}

/// Whether the frame of a frame header is a key frame that is shown at once (§5.9.2); `None` when the header is empty.
///
/// One that shows a frame decoded before is none: what follows refers to other frames too (§7.21).
pub fn is_shown_keyframe(payload: &[u8]) -> Option<bool> {
    // show_existing_frame 0, frame_type 0 (KEY_FRAME), show_frame 1.
    payload.first().map(|first| first >> 4 == 0b0001)
}

/// An OBU as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// One byte, two with an extension.
    pub header: &'a [u8],
    /// What follows.
    pub payload: &'a [u8],
}

impl<'a> Obu<'a> {
    /// The first OBU in `data`, and what follows it: nothing, unless it has a size field.
    pub fn parse(data: &'a [u8]) -> Result<(Self, &'a [u8]), PayloadError> {
        let first = *data.first().ok_or(PayloadError::Truncated)?;
        // Type 0 is reserved; zeros are another format's start code.
        if first & FORBIDDEN != 0 || kind(data) == 0 {
            return Err(PayloadError::Unsupported);
        }
        let (header, rest) = data.split_at_checked(header_length(first)).ok_or(PayloadError::Truncated)?;
        let sized = first & HAS_SIZE != 0;
        let (payload, rest) = if sized { prefixed(rest).ok_or(PayloadError::Truncated)? } else { (rest, &[][..]) };
        Ok((Self { header, payload }, rest))
    }

    /// Appends it without size field.
    pub fn write(&self, into: &mut Vec<u8>) {
        let start = into.len();
        into.extend_from_slice(self.header);
        into[start] &= !HAS_SIZE;
        into.extend_from_slice(self.payload);
    }
}

/// What stands behind its length in leb128 (§4.10.5), and what follows; `None` when the length exceeds what there is.
pub fn prefixed(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut value, mut rest) = (0u64, data);
    for shift in (0..56).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        rest = after;
        if byte & 0x80 == 0 {
            return rest.split_at_checked(usize::try_from(value).ok()?);
        }
    }
    None
}

/// Bytes of a length in leb128.
pub fn length_size(length: usize) -> usize {
    (usize::BITS - length.leading_zeros()).div_ceil(7).max(1) as usize
}

/// Appends a length in leb128.
pub fn write_length(mut length: usize, into: &mut Vec<u8>) {
    while length >= 0x80 {
        into.push(length as u8 | 0x80);
        length >>= 7;
    }
    into.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_they_are_written() {
        for length in [0, 1, 127, 128, 129, 16_383, 16_384, 70_000] {
            let mut data = Vec::new();
            write_length(length, &mut data);
            assert_eq!(data.len(), length_size(length), "{length}");
            data.resize(data.len() + length + 3, 7);
            let (inside, after) = prefixed(&data).expect("all there");
            assert_eq!((inside.len(), after), (length, &[7; 3][..]));
            assert_eq!(prefixed(&data[..data.len() - 4]), None, "{length}");
        }
    }

    #[test]
    fn lengths_may_have_more_bytes_than_they_need_but_no_more_than_eight() {
        assert_eq!(prefixed(&[0x81, 0x80, 0x00, 5, 6]), Some((&[5][..], &[6][..])));
        assert_eq!(prefixed(&[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 5]), Some((&[5][..], &[][..])));
        assert_eq!(prefixed(&[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 5]), None);
        assert_eq!(prefixed(&[0xff; 8]), None);
        assert_eq!(prefixed(&[]), None);
    }

    #[test]
    fn an_obu_ends_where_its_size_says_or_with_the_data() {
        let read = |data: &'static [u8]| {
            Obu::parse(data).map(|(obu, rest)| {
                let mut bytes = Vec::new();
                obu.write(&mut bytes);
                (bytes, rest)
            })
        };
        assert_eq!(read(&[0x32, 2, 8, 9, 0x12, 0]), Ok((vec![0x30, 8, 9], &[0x12, 0][..])));
        assert_eq!(read(&[0x36, 0x48, 1, 8, 5]), Ok((vec![0x34, 0x48, 8], &[5][..])));
        assert_eq!(read(&[0x30, 2, 8, 9]), Ok((vec![0x30, 2, 8, 9], &[][..])));
        assert_eq!(read(&[0x12, 0]), Ok((vec![0x10], &[][..])));
        for cut in [&[][..], &[0x36], &[0x34], &[0x32], &[0x32, 3, 1, 2], &[0x32, 0x80]] {
            assert_eq!(Obu::parse(cut), Err(PayloadError::Truncated), "{cut:?}");
        }
        for other in [&[0xb2, 1, 5][..], &[0, 0, 0, 1, 0x67, 5], &[0x80]] {
            assert_eq!(Obu::parse(other), Err(PayloadError::Unsupported), "{other:?}");
        }
    }

    #[test]
    fn only_a_key_frame_that_is_shown_at_once_lets_viewers_in() {
        for (first, expected) in [(0x10, true), (0x00, false), (0x30, false), (0x50, false), (0x90, false)] {
            assert_eq!(is_shown_keyframe(&[first | 0x0f]), Some(expected), "{first:#x}");
        }
        assert_eq!(is_shown_keyframe(&[]), None);
    }
}
