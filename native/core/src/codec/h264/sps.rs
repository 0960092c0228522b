//! The sequence parameter set (ITU-T H.264 §7.3.2.1.1, VUI: annex E), as far as it tells viewers something.

use crate::bits::Bits;
use crate::codec::nal::usability::skip_display;

/// What a sequence parameter set says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// profile_idc, constraint flags, level_idc: the three bytes of `profile-level-id` (RFC 6184 §8.1).
    pub profile_level_id: [u8; 3],
    /// Pixels, after cropping.
    pub width: u32,
    /// Pixels, after cropping.
    pub height: u32,
    /// Bits of a sample: of luma or chroma, whichever has more.
    pub bit_depth: u8,
    /// Colour that is not sampled 4:2:0 (chroma_format_idc).
    pub other_chroma: bool,
    /// Pictures may be fields or hold some: frame_mbs_only_flag is 0.
    pub interlaced: bool,
    /// Frames that may be shown later than they are decoded; absent when not said.
    pub reorder_frames: Option<u32>,
    /// num_units_in_tick and time_scale. Absent when not said.
    pub timing: Option<(u32, u32)>,
}

/// Profiles whose parameter sets have the chroma fields (§7.3.2.1.1).
const WITH_CHROMA: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

impl Sps {
    /// `unit`: the NAL unit with its header byte. `None` when it ends early or makes no sense.
    pub fn parse(unit: &[u8]) -> Option<Self> {
        let profile_level_id = *unit.get(1..4)?.first_chunk::<3>()?;
        let mut bits = Bits::of_unit(&unit[4..]);
        bits.unsigned()?; // seq_parameter_set_id
        let mut chroma = 1;
        let (mut separate_planes, mut bit_depth) = (false, 8);
        if WITH_CHROMA.contains(&profile_level_id[0]) {
            chroma = bits.unsigned()?;
            separate_planes = chroma == 3 && bits.flag()?;
            // bit_depth_luma_minus8 and bit_depth_chroma_minus8
            let deeper = bits.unsigned()?.max(bits.unsigned()?);
            bit_depth = 8 + u8::try_from(deeper).ok().filter(|&bits| bits <= 6)?;
            bits.flag()?; // transform bypass
            if bits.flag()? {
                skip_scaling_matrix(&mut bits, if chroma == 3 { 12 } else { 8 })?;
            }
        }
        bits.unsigned()?; // log2_max_frame_num
        match bits.unsigned()? {
            0 => {
                bits.unsigned()?;
            }
            1 => {
                bits.flag()?;
                bits.signed()?;
                bits.signed()?;
                let cycle = bits.unsigned().filter(|&count| count <= 255)?;
                for _ in 0..cycle {
                    bits.signed()?;
                }
            }
            _ => {}
        }
        bits.unsigned()?; // max_num_ref_frames
        bits.flag()?;
        let width_in_blocks = bits.unsigned()?.checked_add(1)?;
        let height_in_units = bits.unsigned()?.checked_add(1)?;
        let frames_only = bits.flag()?;
        if !frames_only {
            bits.flag()?;
        }
        bits.flag()?; // direct_8x8_inference
        let crop = if bits.flag()? {
            [bits.unsigned()?, bits.unsigned()?, bits.unsigned()?, bits.unsigned()?]
        } else {
            [0; 4]
        };
        let (timing, reorder_frames) = if bits.flag()? { usability(&mut bits) } else { (None, None) };
        let fields = if frames_only { 1 } else { 2 };
        let (unit_x, unit_y) = match chroma {
            1 if !separate_planes => (2, 2 * fields),
            2 if !separate_planes => (2, fields),
            _ => (1, fields),
        };
        let size = |blocks: u32, unit: u32, from: u32, to: u32| {
            let cropped = from.checked_add(to)?.checked_mul(unit)?;
            blocks.checked_mul(16)?.checked_sub(cropped).filter(|&pixels| pixels > 0 && pixels <= 16_384)
        };
        Some(Self {
            profile_level_id,
            width: size(width_in_blocks, unit_x, crop[0], crop[1])?,
            height: size(height_in_units.checked_mul(fields)?, unit_y, crop[2], crop[3])?,
            bit_depth,
            other_chroma: chroma != 1,
            interlaced: !frames_only,
            reorder_frames,
            timing,
        })
    }

    /// Pictures per second, where the set says so: a frame lasts two ticks (§E.2.1, num_units_in_tick).
    pub fn frame_rate(&self) -> Option<(u32, u32)> {
        self.timing.and_then(|(units, scale)| Some((scale, units.checked_mul(2)?)))
    }

    /// The id that picture parameter sets refer to.
    pub fn id(unit: &[u8]) -> Option<u32> {
        Bits::of_unit(unit.get(4..)?).unsigned()
    }
}

/// The id of a picture parameter set (§7.3.2.2).
pub fn picture_parameter_set_id(unit: &[u8]) -> Option<u32> {
    Bits::of_unit(unit.get(1..)?).unsigned()
}

fn skip_scaling_matrix(bits: &mut Bits<'_>, lists: u8) -> Option<()> {
    for list in 0..lists {
        if !bits.flag()? {
            continue;
        }
        let (mut last, mut next) = (8i32, 8i32);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last + bits.signed()?.rem_euclid(256) + 256) % 256;
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

/// Annex E.1.1: timing and reorder depth; what a truncated VUI does not say stays absent.
fn usability(bits: &mut Bits<'_>) -> (Option<(u32, u32)>, Option<u32>) {
    let mut timing = None;
    let reorder = (|| {
        skip_display(bits)?;
        if bits.flag()? {
            timing = Some((bits.bits(32)?, bits.bits(32)?)).filter(|&(units, scale)| units > 0 && scale > 0);
            bits.flag()?;
        }
        let mut hypothetical_decoder = false;
        for _ in 0..2 {
            if bits.flag()? {
                hypothetical_decoder = true;
                skip_hypothetical_decoder(bits)?;
            }
        }
        if hypothetical_decoder {
            bits.flag()?;
        }
        bits.flag()?; // pic_struct
        if !bits.flag()? {
            return None;
        }
        bits.flag()?;
        for _ in 0..4 {
            bits.unsigned()?;
        }
        bits.unsigned()
    })();
    (timing, reorder)
}

fn skip_hypothetical_decoder(bits: &mut Bits<'_>) -> Option<()> {
    let count = bits.unsigned().filter(|&count| count < 32)?;
    bits.bits(8)?;
    for _ in 0..=count {
        bits.unsigned()?;
        bits.unsigned()?;
        bits.flag()?;
    }
    bits.bits(20)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x264, 1280x720, constrained baseline, level 3.1, 30 fps.
    const BASELINE_720P: &[u8] = &[
        0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03,
        0x00, 0x80, 0x00, 0x00, 0x1e, 0x47, 0x8c, 0x19, 0x24,
    ];

    #[test]
    fn reads_size_profile_timing_and_reorder_depth() {
        let sps = Sps::parse(BASELINE_720P).expect("valid");
        assert_eq!(sps.profile_level_id, [0x42, 0xc0, 0x1f]);
        assert_eq!((sps.width, sps.height), (1280, 720));
        assert_eq!((sps.timing, sps.frame_rate()), (Some((1, 60)), Some((60, 2))));
        assert_eq!(sps.reorder_frames, Some(0));
    }

    #[test]
    fn tells_what_few_decoders_take() {
        // x264, 320x180: High 10, High 4:2:2, High 4:4:4 Predictive, High with interlaced macroblocks.
        let high_10 = &[
            0x67, 0x6e, 0x00, 0x0c, 0xa6, 0xcd, 0x94, 0x14, 0x19, 0xf9, 0xf0, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00,
            0x00, 0x03, 0x00, 0x32, 0x0f, 0x14, 0x29, 0x96,
        ];
        let high_422 = &[
            0x67, 0x7a, 0x00, 0x0c, 0xbc, 0xd9, 0x41, 0x41, 0x9f, 0x8d, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00,
            0x00, 0x03, 0x00, 0xc8, 0x3c, 0x50, 0xa6, 0x58,
        ];
        let high_444 = &[
            0x67, 0xf4, 0x00, 0x0c, 0x91, 0x9b, 0x28, 0x28, 0x33, 0xf1, 0xb8, 0x08, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80,
            0x00, 0x00, 0x19, 0x07, 0x8a, 0x14, 0xcb,
        ];
        let interlaced = &[
            0x67, 0x64, 0x00, 0x15, 0xac, 0xd9, 0x41, 0x43, 0x3f, 0x26, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00, 0x20, 0x00,
            0x00, 0x06, 0x43, 0xe2, 0x85, 0x32, 0xc0,
        ];
        let read = |unit: &[u8]| {
            let sps = Sps::parse(unit).expect("valid");
            assert_eq!((sps.width, sps.height), (320, 180));
            (sps.bit_depth, sps.other_chroma, sps.interlaced)
        };
        assert_eq!(read(high_10), (10, false, false));
        assert_eq!(read(high_422), (8, true, false));
        assert_eq!(read(high_444), (8, true, false));
        assert_eq!(read(interlaced), (8, false, true));
        let plain = Sps::parse(BASELINE_720P).expect("valid");
        assert_eq!((plain.bit_depth, plain.other_chroma, plain.interlaced), (8, false, false));
    }

    #[test]
    fn truncations_never_panic() {
        for length in 0..BASELINE_720P.len() {
            let _ = Sps::parse(&BASELINE_720P[..length]);
        }
    }
}
