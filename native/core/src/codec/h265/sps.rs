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
