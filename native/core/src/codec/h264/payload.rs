//! H264 in RTP (RFC 6184) and the little of H264 itself (ITU-T H.264 §7.3) that a server has to know.

use crate::bits::Bits;
use crate::codec::Place;
use crate::codec::nal::NalFormat;
use crate::codec::nal::access_unit::counted;

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

/// How its NAL units travel.
#[derive(Clone, Copy, Debug)]
pub struct Format;

impl NalFormat for Format {
    const HEADER: usize = 1;
    const AGGREGATE: u8 = nal::STAP_A;
    const FRAGMENT: u8 = nal::FU_A;

    fn kind(header: u16) -> u8 {
        header as u8 & 0x1f
    }

    fn with_kind(header: u16, kind: u8) -> u16 {
        header & 0xe0 | u16::from(kind & 0x1f)
    }

    fn is_unit(header: u16) -> bool {
        matches!(Self::kind(header), 1..=23)
    }

    /// As faulty and as important as any of its units is (RFC 6184 §5.3, §5.7).
    fn aggregate(header: u16, other: u16) -> u16 {
        (header | other) & 0x80 | (header & 0x60).max(other & 0x60)
    }

    fn place(header: u16, data: &[u8]) -> Place {
        match (Self::kind(header), Slice::parse(data)) {
            (nal::SLICE | nal::IDR | 2, Some(slice)) if slice.first_macroblock > 0 => Place::Within,
            (nal::SLICE | nal::IDR | 2, Some(_)) | (6..=9, _) => Place::Beginning,
            _ => Place::Unknown,
        }
    }

    /// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.2.4.1).
    fn record(data: &[u8]) -> Option<Vec<&[u8]>> {
        // Version 1, profile, compatibility, level, six ones and the length size, three ones and the count.
        let (&[1, _, _, _, _, sequence_sets], rest) = data.split_first_chunk::<6>()? else { return None };
        let mut units = Vec::new();
        let rest = counted(rest, (sequence_sets & 0x1f).into(), &mut units)?;
        let (&picture_sets, rest) = rest.split_first()?;
        counted(rest, picture_sets.into(), &mut units)?;
        Some(units)
    }
}

/// Parameter sets of H265, alone or aggregated (RFC 7798 §4.4): their two bytes of header are of no H264 that travels.
pub fn is_hevc(payload: &[u8]) -> bool {
    // Types 32 to 34 in the base layer's lowest sub-layer (ITU-T H.265 table 7-1).
    let set = |unit: &[u8]| matches!(unit, [0x40 | 0x42 | 0x44, 1, ..]);
    set(payload) || payload.starts_with(&[0x60, 1]) && payload.get(4..).is_some_and(set)
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
    use crate::codec::PayloadError;
    use crate::codec::nal::{Unit, units};

    fn collect(payload: &[u8]) -> Result<Vec<Unit<'_>>, PayloadError> {
        let mut found = Vec::new();
        units::<Format>(payload, |unit| found.push(unit))?;
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
