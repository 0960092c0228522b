//! What a frame begins with: the uncompressed header (VP9 bitstream specification §6.2).

use crate::bits::Bits;
use crate::codec::PayloadError;
use crate::codec::parameters::{Parameters, Profile};

const FRAME_MARKER: u32 = 2;
const SYNC_CODE: u32 = 0x49_83_42;

/// color_space: RGB.
const RGB: u32 = 7;

/// subsampling_x and subsampling_y.
const CHROMA_420: u32 = 0b11;

/// What a keyframe says of the stream; `None`: another frame, also one that is intra-only or shown again.
pub fn keyframe(frame: &[u8]) -> Result<Option<Parameters>, PayloadError> {
    let mut bits = Bits::plain(frame);
    let mut read = |count| bits.bits(count).ok_or(PayloadError::Truncated);
    expect(read(2)? == FRAME_MARKER)?;
    let profile = read(1)? | read(1)? << 1;
    expect(profile < 3 || read(1)? == 0)?;
    let show_existing_frame = read(1)? == 1;
    // frame_type, show_frame and error_resilient_mode, or the frame that is shown again.
    let kind = read(3)?;
    if show_existing_frame || kind & 4 != 0 {
        return Ok(None);
    }
    expect(read(24)? == SYNC_CODE)?;
    let (bit_depth, chroma) = color(profile, &mut read)?;
    Ok(Some(Parameters {
        profile: Profile::Vp9 { profile: profile as u8 },
        width: read(16)? + 1,
        height: read(16)? + 1,
        bit_depth,
        other_chroma: chroma != CHROMA_420,
        interlaced: false,
        reorder_frames: Some(0),
        frame_rate: None,
    }))
}

/// color_config (§6.2.2): bits of a sample, and how colour is sampled.
fn color(profile: u32, mut read: impl FnMut(u8) -> Result<u32, PayloadError>) -> Result<(u8, u32), PayloadError> {
    let bit_depth = match profile {
        0 | 1 => 8,
        _ if read(1)? == 0 => 10,
        _ => 12,
    };
    // Profiles 1 and 3 are for what is not 4:2:0.
    let other_chroma = profile & 1 == 1;
    if read(3)? == RGB {
        expect(other_chroma && read(1)? == 0)?;
        return Ok((bit_depth, 0));
    }
    // color_range.
    read(1)?;
    if !other_chroma {
        return Ok((bit_depth, CHROMA_420));
    }
    let chroma = read(2)?;
    expect(chroma != CHROMA_420 && read(1)? == 0)?;
    Ok((bit_depth, chroma))
}

fn expect(condition: bool) -> Result<(), PayloadError> {
    if condition { Ok(()) } else { Err(PayloadError::Unsupported) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of digits, whatever stands between them.
    fn bits(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| matches!(byte, b'0' | b'1')).map(|byte| byte - b'0').collect();
        digits.chunks(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit) << (8 - byte.len())).collect()
    }

    const SYNC: &str = "01001001 10000011 01000010";
    /// 320x180.
    const SIZE: &str = "0000000100111111 0000000010110011";

    /// A keyframe of these first bits and this color_config.
    fn key(first: &str, color: &str) -> Vec<u8> {
        bits(&format!("{first} 0 0 1 0 {SYNC} {color} {SIZE} 0"))
    }

    /// Profile, bits of a sample, whether colour is not 4:2:0.
    fn told(frame: &[u8]) -> Result<Option<(u8, u8, bool)>, PayloadError> {
        Ok(keyframe(frame)?.map(|parameters| {
            let Profile::Vp9 { profile } = parameters.profile else { panic!("{parameters:?}") };
            assert_eq!((parameters.width, parameters.height), (320, 180));
            (profile, parameters.bit_depth, parameters.other_chroma)
        }))
    }

    #[test]
    fn keyframes_of_every_profile_tell_size_depth_and_chroma() {
        let cases = [
            ("10 00", "010 0", (0, 8, false)),
            ("10 10", "010 0 00 0", (1, 8, true)),
            ("10 10", "111 0", (1, 8, true)),
            ("10 01", "0 010 0", (2, 10, false)),
            ("10 01", "1 010 0", (2, 12, false)),
            ("10 11 0", "0 010 0 10 0", (3, 10, true)),
            ("10 11 0", "1 111 0", (3, 12, true)),
        ];
        for (first, color, expected) in cases {
            assert_eq!(told(&key(first, color)), Ok(Some(expected)), "{first} {color}");
        }
    }

    #[test]
    fn other_frames_are_no_keyframes() {
        assert_eq!(told(&bits("10 00 0 1 1 0")), Ok(None), "a delta or intra-only frame");
        assert_eq!(told(&bits("10 00 1 000")), Ok(None), "a frame that is shown again");
        assert_eq!(told(&bits("10 11 0 1 010")), Ok(None), "the same in profile 3");
        assert_eq!(told(&bits("10 11 0 0 1 1 0")), Ok(None), "a delta frame of profile 3");
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let cases = [
            ("another marker", bits("01 00 0 1 1 0")),
            ("profile 4", bits("10 11 1 0 1 1 0")),
            ("another sync code", key("10 00", "010 0").iter().map(|byte| byte & 0xfe).collect()),
            ("RGB in profile 0", key("10 00", "111 0")),
            ("4:2:0 in profile 1", key("10 10", "010 0 11 0")),
            ("a reserved bit", key("10 10", "010 0 00 1")),
            ("a reserved bit of RGB", key("10 10", "111 1")),
        ];
        for (name, frame) in cases {
            assert_eq!(told(&frame), Err(PayloadError::Unsupported), "{name}");
        }
        let whole = key("10 11 0", "0 010 0 10 0");
        for length in 0..whole.len() - 1 {
            assert_eq!(told(&whole[..length]), Err(PayloadError::Truncated), "{length}");
        }
    }
}
