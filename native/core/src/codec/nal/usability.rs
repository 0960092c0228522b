//! The video usability information, as far as it is the same in H264 (ITU-T H.264 §E.1.1) and H265 (ITU-T H.265 §E.2.1).

use crate::bits::Bits;

/// Passes over what it begins with: how the picture is to be shown. `None` when it ends there.
pub fn skip_display(bits: &mut Bits<'_>) -> Option<()> {
    if bits.flag()? && bits.bits(8)? == 255 {
        bits.bits(32)?; // sample aspect ratio
    }
    if bits.flag()? {
        bits.flag()?; // overscan
    }
    if bits.flag()? {
        bits.bits(4)?; // video format, full range
        if bits.flag()? {
            bits.bits(24)?; // colour description
        }
    }
    if bits.flag()? {
        bits.unsigned()?; // chroma sample location
        bits.unsigned()?;
    }
    Some(())
}
