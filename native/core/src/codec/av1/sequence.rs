//! The sequence header (AV1 §5.5), as far as it tells viewers something.

use super::obu;
use crate::bits::Bits;
use crate::codec::parameters::{Parameters, Profile};

/// Bytes of the largest sequence header OBU that makes sense: 32 operating points take less than half of it.
const MAX_SEQUENCE: usize = 1_024;

/// A sequence header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Its OBU, without size field.
    pub obu: Vec<u8>,
    /// reduced_still_picture_header: all frames are key frames, and their headers do not say so.
    pub reduced_still: bool,
    /// Level and tier of operating point 0, which has all layers; the size of the largest frame.
    pub parameters: Parameters,
}

impl Sequence {
    /// `None` when it ends early or makes no sense.
    pub fn parse(obu: &[u8]) -> Option<Self> {
        if obu.len() > MAX_SEQUENCE {
            return None;
        }
        let mut bits = Bits::plain(obu::payload(obu));
        let profile = bits.bits(3).filter(|&profile| profile <= 2)? as u8;
        bits.flag()?; // still_picture
        let reduced_still = bits.flag()?;
        let ((level, high_tier), frame_rate) =
            if reduced_still { ((bits.bits(5)?, false), None) } else { operating_points(&mut bits)? };
        let width_bits = bits.bits(4)? as u8 + 1;
        let height_bits = bits.bits(4)? as u8 + 1;
        let (width, height) = (bits.bits(width_bits)? + 1, bits.bits(height_bits)? + 1);
        skip_tools(&mut bits, reduced_still)?;
        let (bit_depth, other_chroma) = colour(&mut bits, profile)?;
        let parameters = Parameters {
            profile: Profile::Av1 { profile, level: level as u8, high_tier },
            width,
            height,
            bit_depth,
            other_chroma,
            interlaced: false,
            // Each temporal unit shows its frame before the next one does (AV1 §7.5).
            reorder_frames: Some(0),
            frame_rate,
        };
        Some(Self { obu: obu.to_vec(), reduced_still, parameters })
    }
}

/// Level and tier of the first operating point; frames per second as a ratio, if they come in equal intervals.
type Points = ((u32, bool), Option<(u32, u32)>);

fn operating_points(bits: &mut Bits<'_>) -> Option<Points> {
    let (mut frame_rate, mut delay_length) = (None, None);
    if bits.flag()? {
        frame_rate = timing(bits)?;
        delay_length = if bits.flag()? { Some(decoder_model(bits)?) } else { None };
    }
    let initial_delay = bits.flag()?;
    let others = bits.bits(5)?;
    let first = operating_point(bits, delay_length, initial_delay)?;
    for _ in 0..others {
        operating_point(bits, delay_length, initial_delay)?;
    }
    Some((first, frame_rate))
}

/// timing_info() (§5.5.3). The outer `None`: it ends early.
fn timing(bits: &mut Bits<'_>) -> Option<Option<(u32, u32)>> {
    let (units, scale) = (bits.bits(32)?, bits.bits(32)?);
    if !bits.flag()? {
        return Some(None);
    }
    let frame = bits.unsigned()?.checked_add(1).and_then(|ticks| ticks.checked_mul(units));
    Some(frame.filter(|&frame| frame > 0 && scale > 0).map(|frame| (scale, frame)))
}

/// decoder_model_info() (§5.5.4): the bits of a delay.
fn decoder_model(bits: &mut Bits<'_>) -> Option<u8> {
    let length = bits.bits(5)? as u8 + 1;
    bits.bits(32)?; // num_units_in_decoding_tick
    bits.bits(10)?; // lengths of buffer_removal_time and frame_presentation_time
    Some(length)
}

/// One of the operating points: level and tier.
fn operating_point(bits: &mut Bits<'_>, delay_length: Option<u8>, initial_delay: bool) -> Option<(u32, bool)> {
    bits.bits(12)?; // operating_point_idc
    let level = bits.bits(5)?;
    let high_tier = level > 7 && bits.flag()?;
    if let Some(length) = delay_length
        && bits.flag()?
    {
        bits.bits(length)?; // decoder_buffer_delay
        bits.bits(length)?; // encoder_buffer_delay
        bits.flag()?; // low_delay_mode_flag
    }
    if initial_delay && bits.flag()? {
        bits.bits(4)?;
    }
    Some((level, high_tier))
}

/// From the frame's size to color_config().
fn skip_tools(bits: &mut Bits<'_>, reduced_still: bool) -> Option<()> {
    if !reduced_still && bits.flag()? {
        bits.bits(7)?; // lengths of frame ids
    }
    bits.bits(3)?; // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    if !reduced_still {
        bits.bits(4)?; // enable_interintra_compound, _masked_compound, _warped_motion, _dual_filter
        let order_hint = bits.flag()?;
        if order_hint {
            bits.bits(2)?; // enable_jnt_comp, enable_ref_frame_mvs
        }
        // Chosen for each frame, or as told here.
        let screen_content = bits.flag()? || bits.flag()?;
        if screen_content && !bits.flag()? {
            bits.flag()?; // seq_force_integer_mv
        }
        if order_hint {
            bits.bits(3)?;
        }
    }
    bits.bits(3)?; // enable_superres, enable_cdef, enable_restoration
    Some(())
}

/// color_config() (§5.5.2): bits of a sample, and whether colour is not sampled 4:2:0. Monochrome counts as if it were: every
/// decoder of profile 0 takes it.
fn colour(bits: &mut Bits<'_>, profile: u8) -> Option<(u8, bool)> {
    let high = bits.flag()?;
    let bit_depth = match (high, profile) {
        (true, 2) if bits.flag()? => 12,
        (true, _) => 10,
        (false, _) => 8,
    };
    let monochrome = profile != 1 && bits.flag()?;
    // BT.709 primaries, sRGB transfer, identity matrix: RGB.
    let rgb = bits.flag()? && bits.bits(24)? == 0x01_0d_00;
    if monochrome {
        return Some((bit_depth, false));
    }
    if rgb {
        return Some((bit_depth, true));
    }
    bits.flag()?; // color_range
    let other_chroma = match profile {
        0 => false,
        2 if bit_depth == 12 => !(bits.flag()? && bits.flag()?),
        _ => true,
    };
    Some((bit_depth, other_chroma))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// libaom by FFmpeg, 320x180.
    const LIBAOM: &[u8] = &[0x08, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0x00, 0x40];
    /// SVT-AV1, 320x180, 10 bits, level index 0.
    const TEN_BIT: &[u8] = &[0x08, 0x02, 0x00, 0x00, 0x05, 0x21, 0xe7, 0xf6, 0x62, 0x57, 0xca, 0x02];

    /// Bytes of a text of bits, in which blanks do not matter.
    fn bytes(text: &str) -> Vec<u8> {
        let bits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| byte - b'0').collect();
        bits.chunks(8).map(|chunk| (0..8).fold(0, |byte, at| byte << 1 | chunk.get(at).unwrap_or(&0))).collect()
    }

    fn parse(text: &str) -> Option<Sequence> {
        Sequence::parse(&[&[0x08], bytes(text).as_slice()].concat())
    }

    /// A reduced still picture of 64x32 and of this profile; what follows is color_config().
    fn reduced(profile: &str, colour: &str) -> Option<Sequence> {
        parse(&format!("{profile} 1 1 00100 0101 0100 111111 11111 000 000 {colour}"))
    }

    #[test]
    fn what_encoders_write() {
        for (obu, bit_depth) in [(LIBAOM, 8), (TEN_BIT, 10)] {
            let expected = Parameters {
                profile: Profile::Av1 { profile: 0, level: 0, high_tier: false },
                width: 320,
                height: 180,
                bit_depth,
                other_chroma: false,
                interlaced: false,
                reorder_frames: Some(0),
                frame_rate: None,
            };
            let sequence = Sequence { obu: obu.to_vec(), reduced_still: false, parameters: expected };
            assert_eq!(Sequence::parse(obu), Some(sequence));
        }
    }

    #[test]
    fn level_and_tier_are_those_of_the_first_of_several_operating_points() {
        let time = format!("1 {:032b} {:032b} 1 010", 1_001, 60_000);
        let model = format!("1 00111 {:032b} 00000 00000", 1);
        let first = "000000000011 01001 1 1 00000001 00000010 0 1 1001";
        let second = "000000000001 00101 0 0";
        let tools = "0 000 0000 1 00 0 0 111 000";
        let text =
            format!("000 0 0 {time} {model} 1 00001 {first} {second} 0110 0101 1111111 101011 {tools} 0 0 0 0 00");
        let told = parse(&text).expect("valid").parameters;
        assert_eq!(told.profile, Profile::Av1 { profile: 0, level: 9, high_tier: true });
        assert_eq!((told.width, told.height, told.frame_rate), (128, 44, Some((60_000, 2_002))));
        assert_eq!((told.bit_depth, told.other_chroma), (8, false));
    }

    #[test]
    fn what_few_decoders_take_is_told() {
        let rgb = "0 1 00000001 00001101 00000000 0 0";
        for (name, profile, colour, expected) in [
            ("4:2:0", "000", "0 0 0 0 00 0 0", Some((8, false))),
            ("monochrome", "000", "1 1 0 0 0", Some((10, false))),
            ("4:4:4", "001", "0 0 0 0 0", Some((8, true))),
            ("RGB", "001", rgb, Some((8, true))),
            ("4:2:2", "010", "1 0 0 0 0 0", Some((10, true))),
            ("12 bits, 4:2:0", "010", "1 1 0 0 0 1 1 00", Some((12, false))),
            ("12 bits, 4:2:2", "010", "1 1 0 0 0 1 0", Some((12, true))),
            ("12 bits, 4:4:4", "010", "1 1 0 0 0 0", Some((12, true))),
            ("a profile to come", "011", "0 0 0 0 00 0 0", None),
        ] {
            let told = reduced(profile, colour).map(|sequence| sequence.parameters);
            assert_eq!(told.map(|told| (told.bit_depth, told.other_chroma)), expected, "{name}");
        }
        let still = reduced("000", "0 0 0 0 00 0 0").expect("valid");
        assert_eq!((still.reduced_still, still.parameters.width, still.parameters.height), (true, 64, 32));
        assert_eq!(still.parameters.profile, Profile::Av1 { profile: 0, level: 4, high_tier: false });
    }

    #[test]
    fn what_ends_early_or_is_far_too_long_makes_no_sense() {
        for length in 1..LIBAOM.len() - 1 {
            assert_eq!(Sequence::parse(&LIBAOM[..length]), None, "{length}");
        }
        assert_eq!(Sequence::parse(&[LIBAOM, &[0; MAX_SEQUENCE]].concat()), None);
    }
}
