//! NAL units in RTP, as H264 (RFC 6184) and H265 (RFC 7798) both have them: alone, aggregated or in fragments.

pub mod access_unit;
pub mod joined;
pub mod sets;
pub mod usability;

use super::{PayloadError, Place};

/// What the two do not share. A header is the number that its bytes make.
pub trait NalFormat {
    /// Bytes of a NAL unit's header: 1 or 2.
    const HEADER: usize;
    /// Type of an aggregation packet.
    const AGGREGATE: u8;
    /// Type of a fragmentation unit.
    const FRAGMENT: u8;

    /// The type that a header names.
    fn kind(header: u16) -> u8;

    /// A header with another type; bits of `kind` that are of no type do not count.
    fn with_kind(header: u16, kind: u8) -> u16;

    /// The header is of a NAL unit that may travel in a packet, and not of a packet.
    fn is_unit(header: u16) -> bool;

    /// The header, but for its type, of an aggregation packet that holds units with these two.
    fn aggregate(header: u16, other: u16) -> u16;

    /// Where in an access unit a unit can stand. `data`: its first bytes behind the header.
    fn place(header: u16, data: &[u8]) -> Place;

    /// The parameter sets of a decoder configuration record (ISO/IEC 14496-15); `None` when it is none.
    fn record(data: &[u8]) -> Option<Vec<&[u8]>>;
}

/// What one RTP payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit<'a> {
    /// A whole NAL unit, of at least its header.
    Whole(&'a [u8]),
    /// A piece of one.
    Fragment {
        /// The NAL unit's own header.
        header: u16,
        /// The first piece.
        start: bool,
        /// The last piece.
        end: bool,
        /// The piece, without header and FU bytes.
        data: &'a [u8],
    },
}

/// The header of a NAL unit or payload; `None` when there are too few bytes.
pub fn header<F: NalFormat>(unit: &[u8]) -> Option<u16> {
    Some(unit.get(..F::HEADER)?.iter().fold(0, |header, &byte| header << 8 | u16::from(byte)))
}

/// The type of a NAL unit that is as long as its header at least.
pub fn kind<F: NalFormat>(unit: &[u8]) -> u8 {
    header::<F>(unit).map_or(0, F::kind)
}

/// Appends a header.
pub fn write_header<F: NalFormat>(header: u16, into: &mut Vec<u8>) {
    into.extend_from_slice(&header.to_be_bytes()[2 - F::HEADER..]);
}

/// Calls `each` for the units of a payload.
pub fn units<'a, F: NalFormat>(payload: &'a [u8], mut each: impl FnMut(Unit<'a>)) -> Result<(), PayloadError> {
    let header = header::<F>(payload).ok_or(PayloadError::Truncated)?;
    let rest = &payload[F::HEADER..];
    match F::kind(header) {
        kind if kind == F::AGGREGATE => aggregated::<F>(rest, |unit| each(Unit::Whole(unit))),
        kind if kind == F::FRAGMENT => {
            let (&fu, data) = rest.split_first().ok_or(PayloadError::Truncated)?;
            let header = unit_header::<F>(F::with_kind(header, fu))?;
            each(Unit::Fragment { header, start: fu & 0x80 != 0, end: fu & 0x40 != 0, data });
            Ok(())
        }
        _ if F::is_unit(header) => {
            each(Unit::Whole(payload));
            Ok(())
        }
        _ if payload.starts_with(&[0, 0, 1]) || payload.starts_with(&[0, 0, 0, 1]) => Err(PayloadError::AnnexB),
        _ => Err(PayloadError::Unsupported),
    }
}

/// Units after their lengths in two bytes.
fn aggregated<'a, F: NalFormat>(mut rest: &'a [u8], mut each: impl FnMut(&'a [u8])) -> Result<(), PayloadError> {
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let unit = after.get(..length).ok_or(PayloadError::Truncated)?;
        unit_header::<F>(header::<F>(unit).ok_or(PayloadError::Truncated)?)?;
        each(unit);
        rest = &after[length..];
    }
    if rest.is_empty() { Ok(()) } else { Err(PayloadError::Truncated) }
}

/// Neither aggregates nor fragments hold other packet types (RFC 6184 §5.7.1, §5.8; RFC 7798 §4.4.2, §4.4.3).
fn unit_header<F: NalFormat>(header: u16) -> Result<u16, PayloadError> {
    if F::is_unit(header) { Ok(header) } else { Err(PayloadError::Unsupported) }
}

/// A payload without what some cameras write behind the units of an aggregate: zeros, or a byte too few for a length.
pub fn without_stray_bytes<F: NalFormat>(payload: &[u8]) -> &[u8] {
    if header::<F>(payload).is_none_or(|header| F::kind(header) != F::AGGREGATE) {
        return payload;
    }
    let mut end = F::HEADER;
    while let Some(length) = payload[end..].first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        match payload.len().checked_sub(end + 2 + length) {
            Some(_) if length > 0 => end += 2 + length,
            Some(_) => break,
            None => return payload,
        }
    }
    if end == F::HEADER { payload } else { &payload[..end] }
}

/// Where in an access unit the first unit of a payload can stand.
pub fn place<F: NalFormat>(payload: &[u8]) -> Place {
    let mut first = None;
    // One that makes no sense is refused with its access unit.
    let _ = units::<F>(payload, |unit| _ = first.get_or_insert(unit));
    match first {
        Some(Unit::Whole(unit)) => header::<F>(unit).map_or(Place::Unknown, |head| F::place(head, &unit[F::HEADER..])),
        Some(Unit::Fragment { header, start: true, data, .. }) => F::place(header, data),
        Some(Unit::Fragment { start: false, .. }) => Place::Within,
        None => Place::Unknown,
    }
}
