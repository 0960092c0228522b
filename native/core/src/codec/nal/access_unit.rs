//! Access units as programs have them: Annex B, units after their lengths or a configuration record, told apart by what
//! they are.

use crate::codec::nal::NalFormat;

/// The NAL units of an access unit, empty ones left out; `None` when it is none.
///
/// Lengths (AVCC, ISO/IEC 14496-15 §5.3.2): each unit after its length in four bytes, which have to add up. Annex B (ITU-T
/// H.264, H.265): each unit after a start code. A decoder configuration record, as encoders give it beside lengths: its
/// parameter sets.
pub fn nal_units<F: NalFormat>(data: &[u8]) -> Option<Vec<&[u8]>> {
    // A length of 256 to 511 begins as a start code does. No unit holds a start code, so only one of the two can fit.
    length_prefixed(data)
        .or_else(|| starts_with_code(data).then(|| annex_b(data).collect()))
        .or_else(|| F::record(data).filter(|units| !units.is_empty()))
}

/// The NAL units of an Annex B byte stream (ITU-T H.264 annex B), empty ones left out.
pub fn annex_b(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = start_code(unit).unwrap_or(unit.len());
        rest = after_start_code(&unit[end..]);
        let trailing = unit[..end].iter().rev().take_while(|&&byte| byte == 0).count();
        Some(&unit[..end - trailing])
    })
    .filter(|unit| !unit.is_empty())
}

fn length_prefixed(data: &[u8]) -> Option<Vec<&[u8]>> {
    let mut units = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (unit, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        // The highest bit of a unit is zero (ITU-T H.264 §7.4.1, H.265 §7.4.2.2).
        if unit.first()? & 0x80 != 0 || start_code(unit).is_some() {
            return None;
        }
        units.push(unit);
        rest = after;
    }
    (!units.is_empty()).then_some(units)
}

/// Takes units after their lengths in two bytes; gives what follows them.
pub fn counted<'a>(mut rest: &'a [u8], count: u16, units: &mut Vec<&'a [u8]>) -> Option<&'a [u8]> {
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        units.extend((!unit.is_empty()).then_some(unit));
        rest = after;
    }
    Some(rest)
}

/// Zeros may stand before the first start code.
fn starts_with_code(data: &[u8]) -> bool {
    let zeros = data.iter().take_while(|&&byte| byte == 0).count();
    zeros >= 2 && data.get(zeros) == Some(&1)
}

fn start_code(data: &[u8]) -> Option<usize> {
    data.windows(3).position(|window| window == [0, 0, 1])
}

fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    start_code(stream).map(|at| &stream[at + 3..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::h264::payload::Format;

    fn nal_units(data: &[u8]) -> Option<Vec<&[u8]>> {
        super::nal_units::<Format>(data)
    }

    fn prefixed(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
    }

    #[test]
    fn annex_b_has_three_and_four_byte_start_codes() {
        let stream = [0, 0, 0, 1, 9, 0x10, 0, 0, 1, 0x67, 5, 0, 0, 0, 1, 0x65, 7, 7, 0, 0, 1];
        assert_eq!(nal_units(&stream), Some(vec![&[9, 0x10][..], &[0x67, 5], &[0x65, 7, 7]]));
        assert_eq!(annex_b(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn zeros_around_units_are_no_part_of_them() {
        let stream = [0, 0, 0, 0, 0, 1, 0x67, 5, 0, 0, 0, 0, 0, 0, 1, 0x65, 7, 0, 0, 0];
        assert_eq!(nal_units(&stream), Some(vec![&[0x67, 5][..], &[0x65, 7]]));
    }

    #[test]
    fn lengths_of_every_size_are_told_from_start_codes() {
        for size in 1..1_000 {
            // No start code in it, as emulation prevention sees to.
            let mut unit: Vec<u8> = (0..size).map(|at| at as u8 | 2).collect();
            unit[0] = 0x65;
            assert_eq!(nal_units(&prefixed(&[&[0x67, 1], &unit])), Some(vec![&[0x67, 1][..], &unit]), "AVCC, {size}");
            assert_eq!(nal_units(&prefixed(&[&unit])), Some(vec![&unit[..]]), "AVCC, {size}");
            for code in [&[0, 0, 1][..], &[0, 0, 0, 1]] {
                // An IDR slice: its first macroblock is 0, so a one follows its header.
                unit[1..].iter_mut().take(1).for_each(|byte| *byte |= 0x80);
                assert_eq!(nal_units(&[code, &unit].concat()), Some(vec![&unit[..]]), "Annex B, {size}");
            }
        }
    }

    #[test]
    fn a_configuration_record_holds_parameter_sets() {
        let record = [1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 2, 0x67, 5, 1, 0, 3, 0x68, 6, 7];
        assert_eq!(nal_units(&record), Some(vec![&[0x67, 5][..], &[0x68, 6, 7]]));
        for length in 0..record.len() {
            assert_eq!(nal_units(&record[..length]), None, "{length}");
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let right = prefixed(&[&[0x67, 5], &[0x65, 7, 7]]);
        assert!(nal_units(&right).is_some());
        for at in [3, 9] {
            for wrong in [0, 4, 200] {
                let mut data = right.clone();
                data[at] = wrong;
                assert_eq!(nal_units(&data), None, "byte {at} is {wrong}");
            }
        }
        assert_eq!(nal_units(&right[..right.len() - 1]), None);
        assert_eq!(nal_units(&[&right[..], &[0]].concat()), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for data in [&[][..], &[0], &[0, 0, 1], &[0x65, 0x88], &[1; 40], &[0; 8], b"OggS\0\0\0\0"] {
            assert!(nal_units(data).is_none_or(|units| units.is_empty()), "{data:?}");
        }
    }
}
