//! AV1 (RTP Payload Format for AV1, version 1.0): temporal units come in as RTP payloads or whole, and leave packed anew.

use super::parameters::Parameters;
use super::{Examined, PayloadError, Place, VideoCodec};
use crate::counters::DropReason;
use crate::payloads::Payloads;

pub mod aggregation;
pub mod chain;
pub mod obu;
pub mod sequence;
pub mod temporal_unit;

use sequence::Sequence;
use temporal_unit::TemporalUnit;

/// A leg's temporal units, one at a time.
#[derive(Debug, Default)]
pub struct Av1 {
    unit: TemporalUnit,
    /// What came first in the unit is what a temporal unit begins with; absent before its first payload.
    begins: Option<bool>,
    /// What `examine` has found is a keyframe.
    keyframe: bool,
    sequence: Option<Sequence>,
}

impl VideoCodec for Av1 {
    fn place(&self, payload: &[u8]) -> Place {
        aggregation::place(payload)
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        self.begins.get_or_insert_with(|| aggregation::place(payload) == Place::Beginning);
        self.unit.push(payload)
    }

    fn push_whole(&mut self, frame: &[u8]) -> Result<(), PayloadError> {
        self.begins = Some(true);
        self.unit.push_whole(frame).inspect_err(|_| self.clear())
    }

    fn interrupt(&mut self) {
        self.unit.interrupt();
    }

    fn size(&self) -> usize {
        self.unit.size()
    }

    fn examine(&mut self) -> Result<Option<Examined>, DropReason> {
        let (mut sound, mut keyframe) = (self.unit.is_whole(), None);
        for obu in self.unit.iter() {
            let payload = obu::payload(obu);
            match obu::kind(obu) {
                obu::SEQUENCE_HEADER => sound &= keep(&mut self.sequence, obu),
                obu::FRAME | obu::FRAME_HEADER if keyframe.is_none() => {
                    let still = self.sequence.as_ref().is_some_and(|sequence| sequence.reduced_still);
                    keyframe = obu::is_shown_keyframe(payload).map(|shown| shown || still);
                    sound &= keyframe.is_some();
                }
                // Of a frame whose header is not here.
                obu::TILE_GROUP => sound &= keyframe.is_some(),
                _ => {}
            }
        }
        if !sound {
            return Err(DropReason::Damaged);
        }
        self.keyframe = keyframe == Some(true);
        let begins = self.begins == Some(true);
        Ok(keyframe.map(|keyframe| Examined { keyframe, begins, ..Examined::default() }))
    }

    fn pack(&mut self) -> Result<Payloads, DropReason> {
        let mut obus: Vec<&[u8]> = self.unit.iter().collect();
        if self.keyframe && obus.first().is_none_or(|first| obu::kind(first) != obu::SEQUENCE_HEADER) {
            let sequence = self.sequence.as_ref().ok_or(DropReason::NoParameterSets)?;
            obus.insert(0, &sequence.obu);
        }
        chain::pack(&obus, self.keyframe).ok_or(DropReason::Damaged)
    }

    fn clear(&mut self) {
        self.unit.clear();
        self.begins = None;
    }

    fn parameters(&self) -> Option<Parameters> {
        self.sequence.as_ref().map(|sequence| sequence.parameters)
    }
}

/// Keeps a sequence header in the place of the one before; false when it makes no sense.
fn keep(newest: &mut Option<Sequence>, obu: &[u8]) -> bool {
    if newest.as_ref().is_some_and(|known| known.obu == obu) {
        return true;
    }
    let sequence = Sequence::parse(obu);
    let sound = sequence.is_some();
    *newest = sequence.or(newest.take());
    sound
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SVT-AV1, 320x180.
    const SEQUENCE: &[u8] = &[0x08, 0x02, 0x00, 0x00, 0x05, 0x21, 0xe7, 0xf6, 0x62, 0x57, 0xc8, 0x02];
    /// A reduced still picture, 64x32.
    const STILL: &[u8] = &[0x08, 0x19, 0x15, 0x3f, 0xf8, 0x00, 0x00];
    const KEYFRAME: &[u8] = &[0x30, 0x10, 1, 2];
    const DELTA: &[u8] = &[0x30, 0x30, 3];
    const METADATA: &[u8] = &[0x28, 1];

    /// Each OBU in a payload of its own.
    fn unit(av1: &mut Av1, obus: &[&[u8]]) -> Result<Option<Examined>, DropReason> {
        av1.clear();
        obus.iter().for_each(|obu| av1.push(&[&[0x10], *obu].concat()).expect("valid"));
        av1.examine()
    }

    fn examined(keyframe: bool, begins: bool) -> Result<Option<Examined>, DropReason> {
        Ok(Some(Examined { keyframe, begins, ..Examined::default() }))
    }

    #[test]
    fn a_keyframe_is_shown_and_first() {
        let mut av1 = Av1::default();
        assert_eq!(unit(&mut av1, &[SEQUENCE, KEYFRAME]), examined(true, true));
        assert_eq!(unit(&mut av1, &[SEQUENCE, &[0x18, 0x10], &[0x20, 5]]), examined(true, true));
        assert_eq!(unit(&mut av1, &[SEQUENCE, &[0x30, 0x00], DELTA]), examined(false, true), "hidden");
        assert_eq!(unit(&mut av1, &[SEQUENCE, &[0x18, 0x90]]), examined(false, true), "decoded before");
        assert_eq!(unit(&mut av1, &[DELTA, KEYFRAME]), examined(false, false), "not the first");
        assert_eq!(unit(&mut av1, &[&[0x34, 0x20, 0x10]]), examined(true, false), "behind an extension");
        assert_eq!(unit(&mut av1, &[STILL, DELTA]), examined(true, true), "stills are nothing else");
    }

    #[test]
    fn a_frame_begins_where_it_is_told() {
        let mut av1 = Av1::default();
        assert_eq!(unit(&mut av1, &[&[0x10], DELTA]), examined(false, true), "temporal delimiter");
        assert_eq!(unit(&mut av1, &[METADATA, DELTA]), examined(false, false));
        av1.clear();
        av1.push(&[0x18, 0x30, 0x10]).expect("valid");
        assert_eq!(av1.examine(), examined(true, true), "N");
        av1.clear();
        av1.push_whole(&[0x32, 1, 0x30]).expect("valid");
        assert_eq!(av1.examine(), examined(false, true), "whole");
    }

    #[test]
    fn without_a_frame_there_is_nothing_to_show() {
        let mut av1 = Av1::default();
        assert_eq!(unit(&mut av1, &[]), Ok(None));
        assert_eq!(unit(&mut av1, &[SEQUENCE, METADATA, &[0x78, 0]]), Ok(None));
        assert_eq!(unit(&mut av1, &[&[0x20, 5]]), Err(DropReason::Damaged), "tiles of no frame");
        assert_eq!(unit(&mut av1, &[&[0x30]]), Err(DropReason::Damaged), "a frame without a header");
        assert_eq!(unit(&mut av1, &[&SEQUENCE[..5], KEYFRAME]), Err(DropReason::Damaged), "a sequence header cut off");
        assert_eq!(av1.parameters().map(|known| known.width), Some(320), "the one before");
    }

    #[test]
    fn the_newest_sequence_header_comes_first_in_a_keyframe() {
        let mut av1 = Av1::default();
        assert_eq!(unit(&mut av1, &[KEYFRAME]), examined(true, false));
        assert_eq!(av1.pack(), Err(DropReason::NoParameterSets));
        assert_eq!((unit(&mut av1, &[SEQUENCE]), av1.parameters().map(|known| known.width)), (Ok(None), Some(320)));
        assert_eq!(unit(&mut av1, &[KEYFRAME]), examined(true, false));
        let with = [&[0x28, 12], SEQUENCE, KEYFRAME].concat();
        assert_eq!(av1.pack().expect("packed").payload(0), with);
        assert_eq!(unit(&mut av1, &[SEQUENCE, KEYFRAME]), examined(true, true));
        assert_eq!(av1.pack().expect("packed").payload(0), with, "once");
        assert_eq!(unit(&mut av1, &[DELTA]), examined(false, false));
        assert_eq!(av1.pack().expect("packed").payload(0), [&[0x10], DELTA].concat());
    }

    #[test]
    fn a_damaged_unit_leaves_its_sequence_header() {
        let mut av1 = Av1::default();
        av1.push(&[&[0x18], SEQUENCE].concat()).expect("valid");
        av1.interrupt();
        assert_eq!(av1.examine(), Err(DropReason::Damaged));
        assert_eq!(unit(&mut av1, &[KEYFRAME]), examined(true, false));
        assert!(av1.pack().is_ok());
    }

    #[test]
    fn nothing_is_kept_of_what_is_no_temporal_unit() {
        let mut av1 = Av1::default();
        for (data, error) in [
            (&[][..], PayloadError::Truncated),
            (&[0x32, 1, 0x10, 0x32, 9, 0x10], PayloadError::Truncated),
            (&[0x32, 1, 0x10, 0xff], PayloadError::Unsupported),
            (&[0, 0, 0, 1, 0x67, 0x42], PayloadError::Unsupported),
        ] {
            assert_eq!(av1.push_whole(data), Err(error), "{data:?}");
            assert_eq!((av1.size(), av1.examine()), (0, Ok(None)));
        }
    }
}
