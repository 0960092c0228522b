//! The sequence parameter set (ITU-T H.265 §7.3.2.2, §7.3.3), as far as it tells viewers something.

use super::usability::{Usability, usability};
use crate::bits::Bits;
use crate::codec::parameters::{Parameters, Profile};

/// The id of a sequence parameter set and what it says. `unit`: the NAL unit with its header. `None` when it ends early
/// or makes no sense.
pub fn parse(unit: &[u8]) -> Option<(u32, Parameters)> {
    let mut bits = Bits::of_unit(unit.get(2..)?);
    bits.bits(4)?; // sps_video_parameter_set_id
    let sub_layers = bits.bits(3).filter(|&sub_layers| sub_layers < 7)?; // sps_max_sub_layers_minus1
    bits.flag()?; // sps_temporal_id_nesting_flag
    let (profile, fields) = profile_tier_level(&mut bits, sub_layers)?;
    let id = bits.unsigned().filter(|&id| id < 16)?;
    let chroma = bits.unsigned().filter(|&chroma| chroma < 4)?;
    let separate_planes = chroma == 3 && bits.flag()?;
    let coded = [bits.unsigned()?, bits.unsigned()?];
    let window =
        if bits.flag()? { [bits.unsigned()?, bits.unsigned()?, bits.unsigned()?, bits.unsigned()?] } else { [0; 4] };
    // bit_depth_luma_minus8 and bit_depth_chroma_minus8
    let deeper = bits.unsigned()?.max(bits.unsigned()?);
    let bit_depth = 8 + u8::try_from(deeper).ok().filter(|&bits| bits <= 8)?;
    let count_bits = 4 + bits.unsigned().filter(|&bits| bits <= 12)?; // log2_max_pic_order_cnt_lsb_minus4
    let reorder_frames = highest_reorder(&mut bits, sub_layers)?;
    // What follows is for decoders; what a truncated set does not say stays absent.
    let Usability { fields: coded_fields, frame_rate } = usability(&mut bits, count_bits).unwrap_or_default();
    let (unit_x, unit_y) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let size = |coded: u32, unit: u32, from: u32, to: u32| {
        let cropped = from.checked_add(to)?.checked_mul(unit)?;
        coded.checked_sub(cropped).filter(|&pixels| pixels > 0 && pixels <= 16_384)
    };
    let parameters = Parameters {
        profile,
        width: size(coded[0], unit_x, window[0], window[1])?,
        height: size(coded[1], unit_y, window[2], window[3])?,
        bit_depth,
        other_chroma: chroma != 1 || separate_planes,
        interlaced: fields || coded_fields,
        reorder_frames: Some(reorder_frames),
        frame_rate,
    };
    Some((id, parameters))
}

/// §7.3.3; the profile, and whether pictures are fields by general_interlaced_source_flag.
fn profile_tier_level(bits: &mut Bits<'_>, sub_layers: u32) -> Option<(Profile, bool)> {
    let space = bits.bits(2)? as u8;
    let high_tier = bits.flag()?;
    let profile = bits.bits(5)? as u8;
    bits.bits(32)?; // compatibility
    let (progressive, interlaced) = (bits.flag()?, bits.flag()?);
    skip(bits, 46)?;
    let level = bits.bits(8)? as u8;
    let mut present = [(false, false); 6];
    for sub_layer in present.iter_mut().take(sub_layers as usize) {
        *sub_layer = (bits.flag()?, bits.flag()?);
    }
    if sub_layers > 0 {
        skip(bits, 2 * (8 - sub_layers))?;
    }
    for (has_profile, has_level) in present {
        skip(bits, if has_profile { 88 } else { 0 } + if has_level { 8 } else { 0 })?;
    }
    Some((Profile::H265 { space, profile, high_tier, level }, interlaced && !progressive))
}

/// sps_max_num_reorder_pics of the highest sub-layer, which is the last.
fn highest_reorder(bits: &mut Bits<'_>, sub_layers: u32) -> Option<u32> {
    let first = if bits.flag()? { 0 } else { sub_layers };
    let mut reorder = 0;
    for _ in first..=sub_layers {
        bits.unsigned()?; // sps_max_dec_pic_buffering_minus1
        reorder = bits.unsigned().filter(|&pictures| pictures <= 16)?;
        bits.unsigned()?; // sps_max_latency_increase_plus1
    }
    Some(reorder)
}

fn skip(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    (0..count).try_for_each(|_| bits.flag().map(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // x265; ffprobe says the same of their streams.
    const MAIN: &str = "42010101600000030090000003000003003ca00a080c1f3e5ba4a4c2f0168080000003008000000784";
    const HIGH_TIER: &str = "420101216000000300900000030000030099a003c08010e596566924caf01680800001f480003a9804";
    const TEMPORAL_LAYERS: &str =
        "42010201600000030090000003000003003c0000a00a080b9f7965652b2c9265780b40400000fa40001d4c02";
    const FIELDS: &str = "42010101600000030040000003000003003ca00a080b9f796566924caf10686800001f480003a98040";
    const DEEP_422: &str = "4201010408000003009d0800000300003cb00a080b9f2b65959a4932bc05a02000007d20000ea601";
    const ALL_444: &str = "4201010408000003009e0800000300003c90014901739ef2c9524995e02d0100000303e90000753008";
    const SCALING_LISTS: &str = "42010101600000030090000003000003003ca00a080b9f796566924f863fffc35fffca0b3fffc177fff3863f\
        ffffffffffffffc35fffffffffffffffca0b3fffffffffffffffc177fffffffffffffff3863fffffffffffffffe1affffffffffffffff282cff\
        ffffffffffffff82effffffffffffffff3863fffffffffffffffe0b3fffffffffffffffd5e02d0100000303e90000753008";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).expect("a digit")).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }

    fn read(hex: &str) -> Parameters {
        parse(&bytes(hex)).expect("valid").1
    }

    #[test]
    fn reads_profile_size_depth_reordering_and_frame_rate() {
        let main = Parameters {
            profile: Profile::H265 { space: 0, profile: 1, high_tier: false, level: 60 },
            width: 320,
            height: 180,
            bit_depth: 8,
            other_chroma: false,
            interlaced: false,
            reorder_frames: Some(0),
            frame_rate: Some((15, 1)),
        };
        assert_eq!(read(MAIN), main);
        let broadcast = Parameters { reorder_frames: Some(2), frame_rate: Some((30_000, 1_001)), ..main };
        let profile = Profile::H265 { space: 0, profile: 1, high_tier: true, level: 153 };
        assert_eq!(read(HIGH_TIER), Parameters { profile, width: 1_920, height: 1_080, ..broadcast });
        assert_eq!(read(TEMPORAL_LAYERS), broadcast);
        assert_eq!(read(SCALING_LISTS), broadcast);
        assert_eq!(read(FIELDS), Parameters { interlaced: true, ..broadcast });
        let profile = Profile::H265 { space: 0, profile: 4, high_tier: false, level: 60 };
        let extended = Parameters { profile, other_chroma: true, ..broadcast };
        assert_eq!(read(DEEP_422), Parameters { bit_depth: 10, ..extended });
        assert_eq!(read(ALL_444), Parameters { width: 322, height: 182, reorder_frames: Some(0), ..extended });
    }

    #[test]
    fn a_set_that_ends_early_is_none_or_says_less() {
        for whole in [MAIN, HIGH_TIER, TEMPORAL_LAYERS, FIELDS, DEEP_422, ALL_444, SCALING_LISTS].map(bytes) {
            let (_, expected) = parse(&whole).expect("valid");
            let less = Parameters { interlaced: false, frame_rate: None, ..expected };
            for length in 0..whole.len() {
                if let Some((_, parameters)) = parse(&whole[..length]) {
                    let same = Parameters { interlaced: false, frame_rate: None, ..parameters };
                    assert_eq!(same, less, "{length}");
                }
            }
        }
        assert_eq!(parse(&bytes(MAIN)[..25]), None);
    }
}
