//! NAL units of H265 (ITU-T H.265 §7.3.1) and how they travel (RFC 7798 §4.4).

use crate::codec::Place;
use crate::codec::nal::NalFormat;
use crate::codec::nal::access_unit::counted;

/// NAL unit types that matter here (ITU-T H.265 table 7-1, RFC 7798 §4.4).
pub mod nal {
    /// The first type of a leading picture, which is shown before the IRAP picture that it belongs to.
    pub const RADL_N: u8 = 6;
    /// The first type of a leading picture that refers to pictures before the IRAP picture.
    pub const RASL_N: u8 = 8;
    /// The last type of such a picture, and of any that is no IRAP picture.
    pub const RASL_R: u8 = 9;
    /// The first IRAP picture (BLA_W_LP).
    pub const BLA_W_LP: u8 = 16;
    /// The last IRAP picture (CRA_NUT).
    pub const CRA: u8 = 21;
    /// Video parameter set.
    pub const VPS: u8 = 32;
    /// Sequence parameter set.
    pub const SPS: u8 = 33;
    /// Picture parameter set.
    pub const PPS: u8 = 34;
    /// Access unit delimiter.
    pub const DELIMITER: u8 = 35;
    /// Filler data.
    pub const FILLER: u8 = 38;
    /// Prefix SEI.
    pub const PREFIX_SEI: u8 = 39;
    /// Aggregation packet.
    pub const AP: u8 = 48;
    /// Fragmentation unit.
    pub const FU: u8 = 49;
}

/// How its NAL units travel.
#[derive(Clone, Copy, Debug)]
pub struct Format;

impl NalFormat for Format {
    const HEADER: usize = 2;
    const AGGREGATE: u8 = nal::AP;
    const FRAGMENT: u8 = nal::FU;

    fn kind(header: u16) -> u8 {
        (header >> 9) as u8 & 0x3f
    }

    fn with_kind(header: u16, kind: u8) -> u16 {
        header & 0x81ff | u16::from(kind & 0x3f) << 9
    }

    /// Types from 48 on are packets or nothing, and nuh_temporal_id_plus1 is never 0 (RFC 7798 §1.1.4).
    fn is_unit(header: u16) -> bool {
        Self::kind(header) < nal::AP && header & 7 != 0
    }

    /// F where any has it, the lowest layer and the lowest TID (RFC 7798 §4.4.2).
    fn aggregate(header: u16, other: u16) -> u16 {
        (header | other) & 0x8000 | (header & 0x1f8).min(other & 0x1f8) | (header & 7).min(other & 7)
    }

    /// What begins an access unit: ITU-T H.265 §7.4.2.4.4. A picture of a higher layer stands behind that of the base layer.
    fn place(header: u16, data: &[u8]) -> Place {
        match (Self::kind(header), data.first()) {
            _ if layer(header) > 0 => Place::Within,
            // first_slice_segment_in_pic_flag
            (0..=31, Some(first)) if first & 0x80 == 0 => Place::Within,
            (0..=31, Some(_)) | (nal::VPS..=nal::DELIMITER | nal::PREFIX_SEI, _) => Place::Beginning,
            _ => Place::Unknown,
        }
    }

    /// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1).
    fn record(data: &[u8]) -> Option<Vec<&[u8]>> {
        let (&[1, .., arrays], mut rest) = data.split_first_chunk::<23>()? else { return None };
        let mut units = Vec::new();
        for _ in 0..arrays {
            // The type of the units in the array, which say it themselves, and their number.
            let (&[_, high, low], after) = rest.split_first_chunk::<3>()?;
            rest = counted(after, u16::from_be_bytes([high, low]), &mut units)?;
        }
        Some(units)
    }
}

/// nuh_layer_id.
pub fn layer(header: u16) -> u8 {
    (header >> 3) as u8 & 0x3f
}

/// Delimiters, ends of sequence and of bitstream, and filler are for byte streams.
pub fn travels(kind: u8) -> bool {
    !(nal::DELIMITER..=nal::FILLER).contains(&kind)
}

/// A sequence parameter set of H264, alone or first in an aggregate (RFC 6184 §5.6, §5.7.1). Read as H265 the two bytes
/// are of type 51, which is of nothing, or of an IDR picture in a sub-layer where none may be.
pub fn is_h264(payload: &[u8]) -> bool {
    // profile_idc (ITU-T H.264 annex A).
    let set = |unit: &[u8]| matches!(unit, [0x67 | 0x27, 66 | 77 | 88 | 100 | 110 | 122 | 244 | 44, ..]);
    set(payload) || matches!(payload, [0x78 | 0x38, _, _, unit @ ..] if set(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::PayloadError;
    use crate::codec::nal::access_unit::nal_units;
    use crate::codec::nal::joined::NalUnits;
    use crate::codec::nal::{Unit, place, units, without_stray_bytes};
    use crate::payloads::Payloads;
    use crate::rtp::MAX_PAYLOAD;

    fn collect(payload: &[u8]) -> Result<Vec<Unit<'_>>, PayloadError> {
        let mut found = Vec::new();
        units::<Format>(payload, |unit| found.push(unit))?;
        Ok(found)
    }

    fn packed(units: &[Vec<u8>]) -> Payloads {
        let mut payloads = Payloads::default();
        payloads.push_units::<Format>(units.iter().map(Vec::as_slice));
        payloads
    }

    fn unit(header: u16, size: usize) -> Vec<u8> {
        [&header.to_be_bytes()[..], &vec![0xab; size - 2]].concat()
    }

    #[test]
    fn units_travel_alone_aggregated_and_in_fragments() {
        assert_eq!(collect(&[0x26, 1]), Ok(vec![Unit::Whole(&[0x26, 1])]));
        let aggregate = [0x60, 1, 0, 3, 0x40, 1, 9, 0, 2, 0x42, 1];
        assert_eq!(collect(&aggregate), Ok(vec![Unit::Whole(&[0x40, 1, 9]), Unit::Whole(&[0x42, 1])]));
        let fragment = |start, end| Unit::Fragment { header: 0x2601, start, end, data: &[7] };
        assert_eq!(collect(&[0x62, 1, 0x93, 7]), Ok(vec![fragment(true, false)]));
        assert_eq!(collect(&[0x62, 1, 0x53, 7]), Ok(vec![fragment(false, true)]));
    }

    #[test]
    fn malformed_payloads_have_names() {
        let cases: [(&[u8], PayloadError); 12] = [
            (&[0x26], PayloadError::Truncated),
            (&[0x62, 1], PayloadError::Truncated),
            (&[0x60, 1, 0, 3, 0x40, 1], PayloadError::Truncated),
            (&[0x60, 1, 0, 1, 0x40], PayloadError::Truncated),
            (&[0x60, 1, 0, 2, 0x40, 1, 0], PayloadError::Truncated),
            (&[0, 0, 1, 0x40, 1], PayloadError::AnnexB),
            (&[0, 0, 0, 1, 0x40, 1], PayloadError::AnnexB),
            // PACI, a reserved type, no TID, packets within packets.
            (&[0x64, 1, 0, 0, 0, 0], PayloadError::Unsupported),
            (&[0x66, 1, 0], PayloadError::Unsupported),
            (&[0x26, 0, 0xaf], PayloadError::Unsupported),
            (&[0x60, 1, 0, 2, 0x60, 1], PayloadError::Unsupported),
            (&[0x62, 1, 0xb1, 1], PayloadError::Unsupported),
        ];
        for (payload, error) in cases {
            assert_eq!(collect(payload), Err(error), "{payload:x?}");
        }
        assert_eq!(without_stray_bytes::<Format>(&[0x60, 1, 0, 2, 0x40, 1, 0, 0, 0]), [0x60, 1, 0, 2, 0x40, 1]);
    }

    #[test]
    fn units_of_every_size_survive_and_keep_both_bytes_of_their_header() {
        for size in (2..4_000).chain([100_000]) {
            let whole = [unit(0x2603, size), unit(0x0201, 30)];
            let payloads = packed(&whole);
            let mut joined = NalUnits::default();
            for payload in payloads.iter() {
                assert!(payload.len() <= MAX_PAYLOAD);
                joined.push::<Format>(payload).expect("own payloads are valid");
                let flags = (payload[0] == 0x62).then(|| payload[2] & 0xc0);
                assert_ne!(flags, Some(0xc0), "a fragment of {size} bytes is no whole unit");
            }
            assert!(joined.is_whole() && joined.iter().eq(&whole), "{size}");
        }
    }

    #[test]
    fn an_aggregate_has_the_lowest_layer_and_tid_and_any_fault() {
        let head = |headers: [u16; 2]| packed(&headers.map(|header| unit(header, 9))).payload(0)[..2].to_vec();
        assert_eq!(head([0x4001, 0x4201]), [0x60, 0x01]);
        assert_eq!(head([0x0213, 0x020a]), [0x60, 0x0a]);
        assert_eq!(head([0x8203, 0x0202]), [0xe0, 0x02]);
    }

    #[test]
    fn a_frame_begins_with_sets_or_the_first_slice_segment() {
        let cases: [(&[u8], Place); 12] = [
            (&[0x26, 1, 0xaf], Place::Beginning),
            (&[0x26, 1, 0x2f], Place::Within),
            (&[0x26, 1], Place::Unknown),
            (&[0x40, 1, 0x0c], Place::Beginning),
            (&[0x46, 1, 0x50], Place::Beginning),
            (&[0x4e, 1, 5], Place::Beginning),
            // Suffix SEI; a slice of layer 1.
            (&[0x50, 1, 5], Place::Unknown),
            (&[0x02, 0x09, 0x80], Place::Within),
            (&[0x60, 1, 0, 3, 0x02, 1, 0xd0, 0, 3, 0x02, 1, 0x20], Place::Beginning),
            (&[0x62, 1, 0x81, 0x80], Place::Beginning),
            (&[0x62, 1, 0x81, 0x00], Place::Within),
            (&[0x62, 1, 0x01, 0x80], Place::Within),
        ];
        for (payload, expected) in cases {
            assert_eq!(place::<Format>(payload), expected, "{payload:x?}");
        }
    }

    #[test]
    fn a_configuration_record_holds_parameter_sets() {
        let mut record = vec![1; 22];
        record.extend([2, 0xa0, 0, 1, 0, 3, 0x40, 1, 7, 0xa2, 0, 2, 0, 2, 0x44, 1, 0, 3, 0x44, 1, 8]);
        let expected = vec![&[0x40, 1, 7][..], &[0x44, 1], &[0x44, 1, 8]];
        assert_eq!(nal_units::<Format>(&record), Some(expected));
        for length in 0..record.len() {
            assert_eq!(nal_units::<Format>(&record[..length]), None, "{length}");
        }
    }

    #[test]
    fn parameter_sets_of_h264_are_told_from_h265() {
        for payload in [&[0x67, 0x42, 0xc0, 0x1f][..], &[0x27, 0x64, 0, 0x28], &[0x78, 0, 4, 0x67, 0x4d, 0, 0x1f]] {
            assert!(is_h264(payload), "{payload:x?}");
        }
        for payload in [&[0x26, 0x01, 0xaf][..], &[0x42, 0x01, 0x01], &[0x60, 1, 0, 2, 0x40, 1], &[0x78], &[]] {
            assert!(!is_h264(payload), "{payload:x?}");
        }
    }
}
