//! The rest of a sequence parameter set up to the frame rate in its video usability information (ITU-T H.265 §7.3.2.2.1,
//! annex E.2.1).

use crate::bits::Bits;
use crate::codec::nal::usability::skip_display;

/// What it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usability {
    /// Each picture is a field.
    pub fields: bool,
    /// Frames per second as a ratio; absent when not said.
    pub frame_rate: Option<(u32, u32)>,
}

/// Reads on behind the sub-layers' ordering info. `count_bits`: of a picture's order count.
/// `None` when the set ends early or makes no sense.
pub fn usability(bits: &mut Bits<'_>, count_bits: u32) -> Option<Usability> {
    for _ in 0..6 {
        bits.unsigned()?; // sizes of blocks, depths of the transform hierarchy
    }
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.bits(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag()? {
        bits.bits(8)?; // pcm
        bits.unsigned()?;
        bits.unsigned()?;
        bits.flag()?;
    }
    skip_reference_sets(bits)?;
    if bits.flag()? {
        for _ in 0..bits.unsigned().filter(|&count| count <= 32)? {
            bits.bits(count_bits as u8 + 1)?;
        }
    }
    bits.bits(2)?; // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
    if bits.flag()? { information(bits) } else { Some(Usability::default()) }
}

/// vui_parameters() up to its timing.
fn information(bits: &mut Bits<'_>) -> Option<Usability> {
    skip_display(bits)?;
    bits.flag()?; // neutral_chroma_indication_flag
    let fields = bits.flag()?;
    bits.flag()?; // frame_field_info_present_flag
    if bits.flag()? {
        for _ in 0..4 {
            bits.unsigned()?; // default display window
        }
    }
    let frame_rate = if bits.flag()? {
        let (units, scale) = (bits.bits(32)?, bits.bits(32)?);
        (units > 0 && scale > 0).then_some((scale, units))
    } else {
        None
    };
    Some(Usability { fields, frame_rate })
}

/// §7.3.4.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.unsigned()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            let values = (1 << (4 + 2 * size)).min(64) + if size > 1 { 1 } else { 0 };
            for _ in 0..values {
                bits.signed()?;
            }
        }
    }
    Some(())
}

/// §7.3.7 for all sets of the sequence: each may be told by the one before it.
fn skip_reference_sets(bits: &mut Bits<'_>) -> Option<()> {
    let count = bits.unsigned().filter(|&count| count <= 64)?;
    let mut pictures = 0;
    for index in 0..count {
        pictures = if index > 0 && bits.flag()? {
            bits.flag()?; // delta_rps_sign
            bits.unsigned()?;
            let mut kept = 0;
            for _ in 0..=pictures {
                // used_by_curr_pic_flag, or else use_delta_flag
                kept += u32::from(bits.flag()? || bits.flag()?);
            }
            kept
        } else {
            let pair = [bits.unsigned()?, bits.unsigned()?];
            let pictures = pair[0].checked_add(pair[1]).filter(|&pictures| pictures <= 16)?;
            for _ in 0..pictures {
                bits.unsigned()?;
                bits.flag()?;
            }
            pictures
        };
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits as digits, and ones without end.
    fn data(parts: &[&str]) -> Vec<u8> {
        let bits: Vec<u32> = parts.concat().chars().filter_map(|bit| bit.to_digit(2)).collect();
        let byte = |bits: &[u32]| (0..8).fold(0, |byte, at| byte << 1 | *bits.get(at).unwrap_or(&1) as u8);
        bits.chunks(8).map(byte).chain([0xff; 1_000]).collect()
    }

    #[test]
    fn reference_sets_may_be_told_by_the_one_before() {
        let data = data(&[
            "00100",         // three sets
            "010 1 1 1",     // one picture before, none after: 1 back, used
            "1 1 1 1 01",    // from the one before: sign, 1 back; its picture is used, the other kept for later
            "1 1 1 1 00 01", // again, of two pictures now: used, left out, kept for later
            "0001011",
        ]);
        let mut bits = Bits::plain(&data);
        assert_eq!(skip_reference_sets(&mut bits), Some(()));
        assert_eq!(bits.bits(7), Some(0b0001011), "what follows");
    }

    #[test]
    fn counts_that_no_stream_has_are_refused() {
        for (name, parts) in [("65 sets", ["0000001000010", ""]), ("17 pictures", ["010", "000010010 1"])] {
            assert_eq!(skip_reference_sets(&mut Bits::plain(&data(&parts))), None, "{name}");
        }
    }
}
