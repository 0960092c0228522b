//! How the frames of each codec begin: as encoders hand them over, and in the packets of any sender.

use core_media::codec::nal::{NalFormat, Unit, kind, units};
use core_media::codec::{Codec, Place, av1, h264, h265, vp8, vp9};

/// H264: SPS of Constrained Baseline, level 3.1, 1280x720; PPS; a start code.
const H264_SETS: &[u8] =
    b"\0\0\0\x01\x67\x42\xc0\x1f\xd9\x00\x50\x05\xbb\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\xc0\
    \xf1\x83\x24\x80\0\0\0\x01\x68\xcb\x83\xcb\x20\0\0\0\x01";
/// H265: VPS, SPS and PPS of Main, level 3.1, 1280x720, as x265 writes them; a start code.
const H265_SETS: &[u8] = b"\0\0\0\x01\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x5d\
    \xba\x02\x40\0\0\0\x01\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x5d\xa0\x02\x80\x80\x2d\x16\
    \x5b\xa4\xa4\xc2\xf0\x16\x80\x80\x00\x00\x03\x00\x80\x00\x00\x0f\x04\0\0\0\x01\x44\x01\xc0\x71\x83\x12\0\0\0\x01";
const START_CODE: &[u8] = b"\0\0\0\x01";
/// AV1: a sequence header of profile 0, 1280x720, as libaom writes it.
const AV1_SEQUENCE: &[u8] = b"\x0a\x0b\x00\x00\x00\x2d\x4c\xff\xb3\xcd\xaf\x90\x04";

/// The beginning of a frame: what stands before it, such as parameter sets, and its own first bytes. The rest is anything
/// without start codes.
pub(crate) fn beginning(codec: Codec, key: bool) -> (&'static [u8], &'static [u8]) {
    match (codec, key) {
        // NAL unit header and the start of the slice header: first macroblock 0, all slices I or P, parameter set 0.
        (Codec::H264, true) => (H264_SETS, b"\x65\x88\x84"),
        (Codec::H264, false) => (START_CODE, b"\x41\x9a"),
        // IDR_W_RADL and TRAIL_R; first_slice_segment_in_pic_flag.
        (Codec::H265, true) => (H265_SETS, b"\x26\x01\xac"),
        (Codec::H265, false) => (START_CODE, b"\x02\x01\xd0"),
        // Shown, with a first partition of 512 bytes (RFC 6386 §9.1); 1280x720.
        (Codec::Vp8, true) => (b"", b"\x10\x40\x00\x9d\x01\x2a\x00\x05\xd0\x02"),
        (Codec::Vp8, false) => (b"", b"\x11\x40\x00"),
        // Profile 0, shown (VP9 bitstream specification §6.2); 1280x720.
        (Codec::Vp9, true) => (b"", b"\x82\x49\x83\x42\x00\x4f\xf0\x2c\xf0"),
        (Codec::Vp9, false) => (b"", b"\x86"),
        // Frame OBUs, shown: KEY_FRAME and INTER_FRAME (AV1 §5.9.2).
        (Codec::Av1, true) => (AV1_SEQUENCE, b"\x30\x10"),
        (Codec::Av1, false) => (b"", b"\x30\x30"),
        // CELT, 20 ms, stereo, one frame (RFC 6716 §3.1).
        _ => (b"", b"\xfc"),
    }
}

/// Bytes of a frame that its fragments do not carry: the NAL unit header.
pub(crate) fn header(codec: Codec) -> usize {
    match codec {
        Codec::H264 => h264::payload::Format::HEADER,
        Codec::H265 => h265::payload::Format::HEADER,
        _ => 0,
    }
}

/// Whether a payload of video begins a keyframe, or the parameter sets before one.
pub(crate) fn begins_keyframe(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::H264 => {
            use h264::payload::{Format, nal};
            holds::<Format>(payload, |kind| matches!(kind, nal::SPS | nal::IDR))
        }
        Codec::H265 => {
            use h265::payload::{Format, nal};
            holds::<Format>(payload, |kind| matches!(kind, nal::BLA_W_LP..=nal::CRA | nal::VPS | nal::SPS))
        }
        Codec::Vp8 => vp8::descriptor::Descriptor::parse(payload)
            // The inverse key frame flag.
            .is_ok_and(|(descriptor, frame)| descriptor.begins && frame[0] & 1 == 0),
        Codec::Vp9 => vp9::descriptor::Descriptor::parse(payload).is_ok_and(|(descriptor, frame)| {
            descriptor.begins_picture() && vp9::header::keyframe(frame).is_ok_and(|found| found.is_some())
        }),
        Codec::Av1 => av1::aggregation::place(payload) == Place::Beginning,
        _ => false,
    }
}

/// Whether one of these NAL units begins in a payload.
fn holds<F: NalFormat>(payload: &[u8], wanted: impl Fn(u8) -> bool) -> bool {
    let mut found = false;
    let read = units::<F>(payload, |unit| {
        found |= match unit {
            Unit::Whole(unit) => wanted(kind::<F>(unit)),
            Unit::Fragment { header, start, .. } => start && wanted(F::kind(header)),
        }
    });
    read.is_ok() && found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyframes_in_every_packetization() {
        let keyframes: [(Codec, &[&[u8]]); 5] = [
            (Codec::H264, &[&[0x65, 1], &[0x67, 1], &[0x78, 0, 2, 0x67, 1], &[0x7c, 0x85, 1]]),
            (Codec::H265, &[&[0x2a, 1, 0x80], &[0x40, 1, 9], &[0x60, 1, 0, 3, 0x40, 1, 9], &[0x62, 1, 0x93, 1]]),
            (Codec::Vp8, &[&[0x10, 0x10], &[0x90, 0x80, 0x81, 2, 0x10]]),
            (Codec::Vp9, &[&[0x08, 0x82, 0x49, 0x83, 0x42, 0, 0x4f, 0xf0, 0x2c, 0xf0]]),
            (Codec::Av1, &[&[0x18, 0x30, 0x10], &[0x60, 2, 0x08, 1, 0x30]]),
        ];
        for (codec, payloads) in keyframes {
            for payload in payloads {
                assert!(begins_keyframe(codec, payload), "{codec:?} {payload:x?}");
            }
        }
        let others: [(Codec, &[&[u8]]); 5] = [
            (Codec::H264, &[&[], &[0x41, 1], &[0x7c, 0x05, 1], &[0x7c, 0x81, 1], &[0x78, 0, 2, 0x41, 1]]),
            (Codec::H265, &[&[], &[0x02, 1, 0xd0], &[0x62, 1, 0x13, 1], &[0x60, 1, 0, 3, 0x02, 1, 0xd0]]),
            (Codec::Vp8, &[&[], &[0x10, 0x11], &[0x00, 0x10], &[0x11, 0x10]]),
            (Codec::Vp9, &[&[], &[0x08, 0x86], &[0x04, 0x82, 0x49, 0x83, 0x42, 0, 0x4f, 0xf0, 0x2c, 0xf0]]),
            (Codec::Av1, &[&[], &[0x10, 0x30, 0x30], &[0xd0, 0x08, 1]]),
        ];
        for (codec, payloads) in others {
            for payload in payloads {
                assert!(!begins_keyframe(codec, payload), "{codec:?} {payload:x?}");
            }
        }
    }
}
