//! VP9 in RTP (RFC 9628).

use super::parameters::Parameters;
use super::{Examined, PayloadError, Place, VideoCodec, joined::Joined};
use crate::counters::DropReason;
use crate::payloads::Payloads;

pub mod descriptor;
pub mod header;

use descriptor::{Descriptor, Sizes};

/// The pictures of a stream: each has the frames of all its spatial layers. They leave without picture numbers and layers,
/// so receivers go by the numbers of packets alone.
#[derive(Debug, Default)]
pub struct Vp9 {
    picture: Joined,
    /// Its first packet is that of a picture.
    begins: bool,
    /// Its newest packet.
    newest: Option<Descriptor>,
    /// Those that came last.
    sizes: Option<Sizes>,
    parameters: Option<Parameters>,
}

impl Vp9 {
    /// A keyframe's header has the size of the lowest layer, but the highest is shown.
    fn as_shown(&self, lowest: Parameters) -> Parameters {
        let layer = self.newest.map_or(0, |packet| packet.spatial_layer.unwrap_or(0));
        match self.sizes.and_then(|sizes| sizes[usize::from(layer)]) {
            Some((width, height)) if layer > 0 => Parameters { width, height, ..lowest },
            _ => lowest,
        }
    }
}

impl VideoCodec for Vp9 {
    fn place(&self, payload: &[u8]) -> Place {
        match Descriptor::parse(payload) {
            Ok((descriptor, _)) if descriptor.begins_picture() => Place::Beginning,
            Ok(_) => Place::Within,
            Err(_) => Place::Unknown,
        }
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        let (descriptor, data) = Descriptor::parse(payload).inspect_err(|_| self.picture.interrupt())?;
        if !descriptor.follows(self.newest) {
            self.picture.interrupt();
        }
        self.begins = if self.newest.is_none() { descriptor.begins_picture() } else { self.begins };
        self.newest = Some(descriptor);
        self.sizes = descriptor.sizes.or(self.sizes);
        self.picture.push(data);
        Ok(())
    }

    fn push_whole(&mut self, frame: &[u8]) -> Result<(), PayloadError> {
        self.clear();
        header::keyframe(frame)?;
        self.picture.push(frame);
        self.begins = true;
        Ok(())
    }

    fn interrupt(&mut self) {
        self.picture.interrupt();
    }

    fn size(&self) -> usize {
        self.picture.size()
    }

    fn examine(&mut self) -> Result<Option<Examined>, DropReason> {
        let keyframe = header::keyframe(self.picture.whole()?).map_err(|_| DropReason::Damaged)?;
        if self.newest.is_some_and(|packet| !packet.ends) {
            return Err(DropReason::Damaged);
        }
        self.parameters = keyframe.map(|lowest| self.as_shown(lowest)).or(self.parameters);
        Ok(Some(Examined { keyframe: keyframe.is_some(), begins: self.begins, ..Examined::default() }))
    }

    fn pack(&mut self) -> Result<Payloads, DropReason> {
        let picture = self.picture.whole()?;
        let keyframe = header::keyframe(picture).map_err(|_| DropReason::Damaged)?.is_some();
        let mut payloads = Payloads::with_capacity(picture.len() + picture.len() / 1024 + 1);
        payloads.push_pieces(picture, 1, |first, last, out| out.push(descriptor::minimal(first, last, keyframe)));
        Ok(payloads)
    }

    fn clear(&mut self) {
        self.picture.clear();
        self.begins = false;
        self.newest = None;
    }

    fn parameters(&self) -> Option<Parameters> {
        self.parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Profile 0, a delta frame that is shown.
    const DELTA: u8 = 0b1000_0110;
    /// Frame 1 is shown again.
    const AGAIN: u8 = 0b1000_1001;
    /// Profile 0, 8 bit, 320x180.
    const KEYFRAME: [u8; 9] = [0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x30];

    fn pushed(payloads: &[&[u8]]) -> Vp9 {
        let mut codec = Vp9::default();
        payloads.iter().for_each(|payload| _ = codec.push(payload));
        codec
    }

    fn packed(codec: &mut Vp9) -> Vec<Vec<u8>> {
        codec.examine().expect("whole").expect("a frame");
        codec.pack().expect("whole").iter().map(<[u8]>::to_vec).collect()
    }

    fn keyframe_of(payloads: &[&[u8]]) -> bool {
        pushed(payloads).examine().expect("whole").expect("a frame").keyframe
    }

    #[test]
    fn pictures_leave_without_numbers_and_layers() {
        let mut layers = pushed(&[&[0xa8, 1, 0x00, 5, DELTA], &[0xa4, 1, 0x00, 5, 1], &[0xac, 1, 0x03, 5, DELTA]]);
        assert_eq!(packed(&mut layers), [[0x4c, DELTA, 1, DELTA]]);
        let part = |head: u8| [&[head][..], &[DELTA; 1_500]].concat();
        let mut large = pushed(&[&part(0x08), &part(0x04)]);
        let sizes: Vec<(u8, usize)> = packed(&mut large).iter().map(|payload| (payload[0], payload.len())).collect();
        assert_eq!(sizes, [(0x48, 1_001), (0x40, 1_001), (0x44, 1_001)]);
        let mut keyframe = pushed(&[&[&[0x0c][..], &KEYFRAME, &[7; 2_000]].concat()]);
        let heads: Vec<u8> = packed(&mut keyframe).iter().map(|payload| payload[0]).collect();
        assert_eq!(heads, [0x08, 0x04]);
    }

    #[test]
    fn only_the_bitstream_makes_a_keyframe() {
        let keyframe = [&[0x4c][..], &KEYFRAME].concat();
        assert!(keyframe_of(&[&keyframe]), "whatever P says");
        assert!(!keyframe_of(&[&[0x0c, DELTA]]), "whatever P says");
        assert!(!keyframe_of(&[&[0x0c, AGAIN]]), "a frame that is shown again");
        let upper = [&[0xac, 1, 0x03, 5][..], &KEYFRAME].concat();
        assert!(!keyframe_of(&[&[0xac, 1, 0x00, 5, DELTA], &upper]), "a keyframe of the upper layer");
    }

    #[test]
    fn what_does_not_fit_together_is_damaged() {
        let cases: [(&str, &[&[u8]]); 12] = [
            ("nothing", &[]),
            ("no beginning", &[&[0x04, DELTA]]),
            ("no end", &[&[0x08, DELTA]]),
            ("no end of the lower layer", &[&[0xa8, 1, 0x00, 5, DELTA], &[0xac, 1, 0x03, 5, DELTA]]),
            ("no beginning of the upper layer", &[&[0xac, 1, 0x00, 5, DELTA], &[0xa4, 1, 0x03, 5, DELTA]]),
            ("two beginnings", &[&[0x08, DELTA], &[0x08, DELTA], &[0x04, 1]]),
            ("another layer in between", &[&[0xa8, 1, 0x00, 5, DELTA], &[0xa4, 1, 0x02, 5, 1]]),
            ("a layer twice", &[&[0xac, 1, 0x00, 5, DELTA], &[0xac, 1, 0x00, 5, DELTA]]),
            ("layers in disorder", &[&[0xac, 1, 0x03, 5, DELTA], &[0xac, 1, 0x00, 5, DELTA]]),
            ("more behind the end", &[&[0x0c, DELTA], &[0x04, 1]]),
            ("a malformed payload", &[&[0x0c, DELTA], &[0x80]]),
            ("no header", &[&[0x0c, 0x42]]),
        ];
        for (name, payloads) in cases {
            assert_eq!(pushed(payloads).examine(), Err(DropReason::Damaged), "{name}");
        }
        let mut codec = pushed(&[&[0x08, DELTA]]);
        codec.interrupt();
        codec.push(&[0x04, 1]).expect("a valid payload");
        assert_eq!((codec.examine(), codec.size()), (Err(DropReason::Damaged), 0));
        assert_eq!(codec.pack(), Err(DropReason::Damaged));
        codec.clear();
        codec.push(&[0x0c, DELTA]).expect("a valid payload");
        assert!(codec.examine().is_ok(), "the next picture is another");
    }

    #[test]
    fn an_upper_layer_does_not_begin_a_picture() {
        let place = |payload: &[u8]| Vp9::default().place(payload);
        assert_eq!(place(&[0x08, DELTA]), Place::Beginning);
        assert_eq!(place(&[0xa8, 1, 0x00, 5, DELTA]), Place::Beginning);
        assert_eq!(place(&[0x00, DELTA]), Place::Within);
        assert_eq!(place(&[0xa8, 1, 0x02, 5, DELTA]), Place::Within);
        assert_eq!(place(&[0xa8, 1]), Place::Unknown);
        let begins = |payload| pushed(&[payload]).examine().expect("whole").expect("a frame").begins;
        assert!(begins(&[0xac, 1, 0x00, 5, DELTA]));
        assert!(!begins(&[0xac, 1, 0x02, 5, DELTA]), "one that lacks the lower layer, or has none");
    }

    #[test]
    fn the_size_is_that_of_the_highest_layer_that_came() {
        // It is wrong about the lower layer.
        let structure = [0x30, 0, 16, 0, 16, 2, 0x80, 1, 0x68];
        let lower = [&[0xae, 1, 0x00, 5][..], &structure, &KEYFRAME].concat();
        let size = |codec: &mut Vp9| {
            codec.examine().expect("whole");
            codec.parameters().map(|parameters| (parameters.width, parameters.height))
        };
        let mut codec = pushed(&[&lower, &[0xac, 1, 0x02, 5, DELTA]]);
        assert_eq!(size(&mut codec), Some((640, 360)));
        codec.clear();
        let bare = [&[0xac, 1, 0x00, 5][..], &KEYFRAME].concat();
        [&bare[..], &[0xac, 1, 0x02, 5, DELTA]].into_iter().for_each(|payload| codec.push(payload).expect("valid"));
        assert_eq!(size(&mut codec), Some((640, 360)), "the structure holds until there is another");
        codec.clear();
        codec.push(&lower).expect("valid");
        assert_eq!(size(&mut codec), Some((320, 180)), "the lower layer alone, by its header");
    }

    #[test]
    fn whole_frames_are_taken_or_refused() {
        let mut codec = Vp9::default();
        assert_eq!(codec.push_whole(&KEYFRAME), Ok(()));
        assert_eq!(packed(&mut codec), [[&[0x0c][..], &KEYFRAME].concat()]);
        assert_eq!(codec.push_whole(&[AGAIN]), Ok(()));
        assert_eq!(packed(&mut codec), [[0x4c, AGAIN]]);
        assert_eq!(codec.push_whole(&KEYFRAME[..8]), Err(PayloadError::Truncated));
        assert_eq!((codec.size(), codec.examine()), (0, Err(DropReason::Damaged)));
    }
}
