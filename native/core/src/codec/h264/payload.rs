//! H264 in RTP (RFC 6184) and the little of H264 itself (ITU-T H.264 §7.3) that a server has to know.

use crate::bits::Bits;
use crate::codec::{PayloadError, Place};

/// NAL unit types that matter here (ITU-T H.264 table 7-1, RFC 6184 §5.2).
pub mod nal {
    /// Slice of a picture that is no IDR.
    pub const SLICE: u8 = 1;
    /// Slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Single-time aggregation packet.
    pub const STAP_A: u8 = 24;
    /// Fragmentation unit.
    pub const FU_A: u8 = 28;
}

/// What one RTP payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit<'a> {
    /// A whole NAL unit, never empty.
    Whole(&'a [u8]),
    /// A piece of one.
    Fragment {
        /// The NAL unit's own first byte.
        header: u8,
        /// The first piece.
        start: bool,
        /// The last piece.
        end: bool,
        /// The piece, without FU bytes.
        data: &'a [u8],
    },
}

/// Calls `each` for the units of a payload.
pub fn units<'a>(payload: &'a [u8], mut each: impl FnMut(Unit<'a>)) -> Result<(), PayloadError> {
    let (&first, rest) = payload.split_first().ok_or(PayloadError::Truncated)?;
    match first & 0x1f {
        1..=23 => each(Unit::Whole(payload)),
        nal::STAP_A => {
            let mut rest = rest;
            while let Some((length, after)) = rest.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*length));
                let unit = after.get(..length).filter(|unit| !unit.is_empty()).ok_or(PayloadError::Truncated)?;
                nal_only(unit[0])?;
                each(Unit::Whole(unit));
                rest = &after[length..];
            }
            if !rest.is_empty() {
                return Err(PayloadError::Truncated);
            }
        }
        nal::FU_A => {
            let (&fu, data) = rest.split_first().ok_or(PayloadError::Truncated)?;
            nal_only(fu)?;
            let header = first & 0xe0 | fu & 0x1f;
            each(Unit::Fragment { header, start: fu & 0x80 != 0, end: fu & 0x40 != 0, data });
        }
        0 if payload.starts_with(&[0, 0, 1]) || payload.starts_with(&[0, 0, 0, 1]) => {
            return Err(PayloadError::AnnexB);
        }
        _ => return Err(PayloadError::Unsupported),
    }
    Ok(())
}

/// A payload without what some cameras write behind the units of an aggregate: zeros, or a byte too few for a length.
pub fn without_stray_bytes(payload: &[u8]) -> &[u8] {
    if payload.first().is_none_or(|first| first & 0x1f != nal::STAP_A) {
        return payload;
    }
    let mut end = 1;
    while let Some(length) = payload[end..].first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        match payload.len().checked_sub(end + 2 + length) {
            Some(_) if length > 0 => end += 2 + length,
            Some(_) => break,
            None => return payload,
        }
    }
    if end == 1 { payload } else { &payload[..end] }
}

/// Where the first unit of a payload can stand.
pub fn place(payload: &[u8]) -> Place {
    let mut first = None;
    // One that makes no sense is refused with its access unit.
    let _ = units(payload, |unit| _ = first.get_or_insert(unit));
    let (header, data) = match first {
        Some(Unit::Whole(unit)) => (unit[0], &unit[1..]),
        Some(Unit::Fragment { header, start: true, data, .. }) => (header, data),
        Some(Unit::Fragment { start: false, .. }) => return Place::Within,
        None => return Place::Unknown,
    };
    match (header & 0x1f, Slice::parse(data)) {
        (nal::SLICE | nal::IDR | 2, Some(slice)) if slice.first_macroblock > 0 => Place::Within,
        (nal::SLICE | nal::IDR | 2, Some(_)) | (6..=9, _) => Place::Beginning,
        _ => Place::Unknown,
    }
}

/// Parameter sets of H265, alone or aggregated (RFC 7798 §4.4): their two bytes of header are of no H264 that travels.
pub fn is_hevc(payload: &[u8]) -> bool {
    // Types 32 to 34 in the base layer's lowest sub-layer (ITU-T H.265 table 7-1).
    let set = |unit: &[u8]| matches!(unit, [0x40 | 0x42 | 0x44, 1, ..]);
    set(payload) || payload.starts_with(&[0x60, 1]) && payload.get(4..).is_some_and(set)
}

/// Neither aggregates nor fragments hold other packet types (RFC 6184 §5.7.1 and §5.8).
fn nal_only(first: u8) -> Result<(), PayloadError> {
    if matches!(first & 0x1f, 1..=23) { Ok(()) } else { Err(PayloadError::Unsupported) }
}

/// The start of a slice header (ITU-T H.264 §7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Address of the first macroblock: zero begins a picture.
    pub first_macroblock: u32,
    /// May refer to later pictures (slice_type B).
    pub bidirectional: bool,
    /// Names a parameter set.
    pub picture_parameter_set: u32,
}

impl Slice {
    /// Reads the first bytes of a slice's NAL unit, header byte excluded; `None` when there are too few.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let mut bits = Bits::of_unit(data);
        let first_macroblock = bits.unsigned()?;
        let kind = bits.unsigned()?;
        let picture_parameter_set = bits.unsigned()?;
        Some(Self { first_macroblock, bidirectional: kind % 5 == 1, picture_parameter_set })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(payload: &[u8]) -> Result<Vec<Unit<'_>>, PayloadError> {
        let mut found = Vec::new();
        units(payload, |unit| found.push(unit))?;
        Ok(found)
    }

    #[test]
    fn malformed_payloads_have_names() {
        assert_eq!(collect(&[]), Err(PayloadError::Truncated));
        assert_eq!(collect(&[0x7c]), Err(PayloadError::Truncated));
        assert_eq!(collect(&[0x78, 0, 5, 1]), Err(PayloadError::Truncated));
        assert_eq!(collect(&[0x78, 0, 0]), Err(PayloadError::Truncated));
        assert_eq!(collect(&[0x78, 0]), Err(PayloadError::Truncated));
        assert_eq!(collect(&[0, 0, 0, 1, 0x65]), Err(PayloadError::AnnexB));
        assert_eq!(collect(&[0x1d, 1, 2]), Err(PayloadError::Unsupported));
        // A packet type within an aggregate, and within a fragment.
        assert_eq!(collect(&[0x78, 0, 2, 0x7c, 0x85]), Err(PayloadError::Unsupported));
        assert_eq!(collect(&[0x7c, 0x98, 1]), Err(PayloadError::Unsupported));
    }

    #[test]
    fn slice_types() {
        // first_mb 0, slice_type 5 (P, all) = 00110, pps 0
        let p = Slice::parse(&[0b1001_1010]).expect("whole");
        assert_eq!((p.first_macroblock, p.bidirectional), (0, false));
        // first_mb 0, slice_type 1 (B) = 010, pps 0
        assert!(Slice::parse(&[0b1010_1000]).expect("whole").bidirectional);
        assert_eq!(Slice::parse(&[]), None);
    }
}
