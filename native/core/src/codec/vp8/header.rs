//! What a frame begins with (RFC 6386 §9.1).

use crate::codec::PayloadError;
use crate::codec::parameters::{Parameters, Profile};

const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// What a keyframe says of the stream; `None`: another frame. A frame that ends within its first partition is none.
pub fn keyframe(frame: &[u8]) -> Result<Option<Parameters>, PayloadError> {
    let (tag, rest) = frame.split_first_chunk::<3>().ok_or(PayloadError::Truncated)?;
    let tag = u32::from_le_bytes([tag[0], tag[1], tag[2], 0]);
    let (parameters, partitions) = if tag & 1 == 0 {
        let (start, partitions) = rest.split_first_chunk::<7>().ok_or(PayloadError::Truncated)?;
        (Some(parameters(*start)?), partitions)
    } else {
        (None, rest)
    };
    if partitions.len() < (tag >> 5) as usize {
        return Err(PayloadError::Truncated);
    }
    Ok(parameters)
}

fn parameters([a, b, c, size @ ..]: [u8; 7]) -> Result<Parameters, PayloadError> {
    // The upper two bits are a wish that it be scaled.
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let (width, height) = (side(size[0], size[1]), side(size[2], size[3]));
    if [a, b, c] != START_CODE || width == 0 || height == 0 {
        return Err(PayloadError::Unsupported);
    }
    Ok(Parameters {
        profile: Profile::Vp8,
        width,
        height,
        bit_depth: 8,
        other_chroma: false,
        interlaced: false,
        reorder_frames: Some(0),
        frame_rate: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shown, 320x180, with a first partition of 2 bytes.
    const KEYFRAME: [u8; 12] = [0x50, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00, 1, 2];

    fn size(frame: &[u8]) -> Result<Option<(u32, u32)>, PayloadError> {
        keyframe(frame).map(|found| found.map(|parameters| (parameters.width, parameters.height)))
    }

    #[test]
    fn keyframes_tell_the_size() {
        assert_eq!(size(&KEYFRAME), Ok(Some((320, 180))));
        let mut scaled = KEYFRAME;
        scaled[7] |= 0x40;
        scaled[9] |= 0xc0;
        assert_eq!(size(&scaled), Ok(Some((320, 180))));
        assert_eq!(size(&[0x51, 0, 0, 1, 2]), Ok(None), "a delta frame");
        assert_eq!(size(&[0x41, 0, 0, 1, 2]), Ok(None), "one that is not shown");
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for length in 0..KEYFRAME.len() {
            assert_eq!(size(&KEYFRAME[..length]), Err(PayloadError::Truncated));
        }
        assert_eq!(size(&[0x51, 0, 0, 1]), Err(PayloadError::Truncated), "half of the first partition");
        for (at, value) in [(3, 0x9c), (4, 0), (5, 0)] {
            let mut frame = KEYFRAME;
            frame[at] = value;
            assert_eq!(size(&frame), Err(PayloadError::Unsupported), "another start code");
        }
        let mut flat = KEYFRAME;
        flat[8] = 0;
        assert_eq!(size(&flat), Err(PayloadError::Unsupported), "no height");
    }
}
