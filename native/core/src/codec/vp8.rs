//! VP8 (RFC 6386) in RTP (RFC 7741).

use super::parameters::Parameters;
use super::{Examined, PayloadError, Place, VideoCodec, joined::Joined};
use crate::counters::DropReason;
use crate::payloads::Payloads;

pub mod descriptor;
pub mod header;

use descriptor::Descriptor;

/// The frames of a stream. They leave without picture numbers, so receivers go by the numbers of packets alone.
#[derive(Debug, Default)]
pub struct Vp8 {
    frame: Joined,
    /// Its first packet has come.
    begun: bool,
    /// All its packets say so.
    non_reference: bool,
    parameters: Option<Parameters>,
}

impl VideoCodec for Vp8 {
    fn place(&self, payload: &[u8]) -> Place {
        if descriptor::begins(payload[0]) { Place::Beginning } else { Place::Within }
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        let (descriptor, data) = Descriptor::parse(payload).inspect_err(|_| self.frame.interrupt())?;
        // A frame has one beginning, and nothing before it.
        if descriptor.begins == self.begun {
            self.frame.interrupt();
        }
        self.non_reference = descriptor.non_reference && (descriptor.begins || self.non_reference);
        self.begun = true;
        self.frame.push(data);
        Ok(())
    }

    fn push_whole(&mut self, frame: &[u8]) -> Result<(), PayloadError> {
        self.clear();
        header::keyframe(frame)?;
        self.frame.push(frame);
        Ok(())
    }

    fn interrupt(&mut self) {
        self.frame.interrupt();
    }

    fn size(&self) -> usize {
        self.frame.size()
    }

    fn examine(&mut self) -> Result<Option<Examined>, DropReason> {
        let keyframe = header::keyframe(self.frame.whole()?).map_err(|_| DropReason::Damaged)?;
        self.parameters = keyframe.or(self.parameters);
        Ok(Some(Examined { keyframe: keyframe.is_some(), begins: true, ..Examined::default() }))
    }

    fn pack(&mut self) -> Result<Payloads, DropReason> {
        let frame = self.frame.whole()?;
        let mut payloads = Payloads::with_capacity(frame.len() + frame.len() / 1024 + 1);
        payloads.push_pieces(frame, 1, |first, _, out| out.push(descriptor::minimal(first, self.non_reference)));
        Ok(payloads)
    }

    fn clear(&mut self) {
        self.frame.clear();
        self.begun = false;
        self.non_reference = false;
    }

    fn parameters(&self) -> Option<Parameters> {
        self.parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A delta frame whose first partition is empty.
    const DELTA: [u8; 4] = [0x11, 0, 0, 9];

    fn pushed(payloads: &[&[u8]]) -> Vp8 {
        let mut codec = Vp8::default();
        payloads.iter().for_each(|payload| _ = codec.push(payload));
        codec
    }

    fn packed(payloads: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut codec = pushed(payloads);
        codec.examine().expect("whole").expect("a frame");
        codec.pack().expect("whole").iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn frames_leave_without_numbers() {
        assert_eq!(packed(&[&[0x90, 0x80, 0x81, 2, 0x11, 0], &[0x80, 0x80, 0x81, 2, 0, 9]]), [[0x10, 0x11, 0, 0, 9]]);
        let large = [&[0x10][..], &DELTA, &[7; 3_000]].concat();
        let sizes: Vec<(u8, usize)> = packed(&[&large]).iter().map(|payload| (payload[0], payload.len())).collect();
        assert_eq!(sizes, [(0x10, 1_003), (0, 1_003), (0, 1_001)]);
    }

    #[test]
    fn a_frame_that_no_other_refers_to_says_so_if_all_its_packets_do() {
        assert_eq!(packed(&[&[0x30, 0x11, 0], &[0x20, 0, 9]]), [[0x30, 0x11, 0, 0, 9]]);
        assert_eq!(packed(&[&[0x30, 0x11, 0], &[0, 0, 9]]), [[0x10, 0x11, 0, 0, 9]]);
        assert_eq!(packed(&[&[0x10, 0x11, 0], &[0x20, 0, 9]]), [[0x10, 0x11, 0, 0, 9]]);
    }

    #[test]
    fn what_does_not_fit_together_is_damaged() {
        let cases: [(&str, &[&[u8]]); 7] = [
            ("nothing", &[]),
            ("no beginning", &[&[0, 0x11, 0, 0, 9]]),
            ("a beginning behind it", &[&[0, 0x11, 0], &[0x10, 0x11, 0, 0, 9]]),
            ("two beginnings", &[&[0x10, 0x11, 0, 0, 9], &[0x10, 0x11, 0, 0, 9]]),
            ("a malformed payload", &[&[0x10, 0x11, 0, 0, 9], &[0x80]]),
            ("no header", &[&[0x10, 0x11, 0]]),
            ("an end that is missing", &[&[0x10, 0x31, 0, 0]]),
        ];
        for (name, payloads) in cases {
            assert_eq!(pushed(payloads).examine(), Err(DropReason::Damaged), "{name}");
        }
        let mut codec = pushed(&[&[0x10, 0x11, 0, 0]]);
        codec.interrupt();
        codec.push(&[0, 9]).expect("a valid payload");
        assert_eq!((codec.examine(), codec.size()), (Err(DropReason::Damaged), 0));
        assert_eq!(codec.pack(), Err(DropReason::Damaged));
        codec.clear();
        codec.push(&[&[0x10][..], &DELTA].concat()).expect("a valid payload");
        assert!(codec.examine().is_ok(), "the next frame is another");
    }

    /// GStreamer counts the ninth partition into the bit beside PID.
    #[test]
    fn other_partitions_do_not_begin_a_frame() {
        let place = |first| Vp8::default().place(&[first]);
        assert_eq!([0x10, 0x90, 0x30].map(place), [Place::Beginning; 3]);
        assert_eq!([0x00, 0x80, 0x11, 0x17, 0x18].map(place), [Place::Within; 5]);
        assert_eq!(packed(&[&[0x10, 0x11, 0, 0], &[0x11, 1], &[0x18, 9]]), [[0x10, 0x11, 0, 0, 1, 9]]);
    }

    #[test]
    fn whole_frames_are_taken_or_refused() {
        let mut codec = Vp8::default();
        assert_eq!(codec.push_whole(&DELTA), Ok(()));
        assert_eq!(codec.pack().expect("whole").payload(0), [0x10, 0x11, 0, 0, 9]);
        assert_eq!(codec.push_whole(&[0x31, 0, 0]), Err(PayloadError::Truncated));
        assert_eq!((codec.size(), codec.examine()), (0, Err(DropReason::Damaged)));
        assert_eq!(codec.pack(), Err(DropReason::Damaged), "nothing is there");
    }
}
