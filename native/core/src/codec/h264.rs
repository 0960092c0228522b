//! H264: ITU-T H.264 in the payload format of RFC 6184.

pub mod payload;
pub mod sets;
pub mod sps;

use self::payload::{Format, Slice, is_hevc, nal};
use self::sets::ParameterSets;
use super::nal::{place, without_stray_bytes};
use super::parameters::{Parameters, Profile};
use super::{Codec, Examined, Misfit, PayloadError, Place, VideoCodec};
use crate::codec::nal::access_unit::nal_units;
use crate::codec::nal::joined::NalUnits;
use crate::counters::DropReason;
use crate::payloads::Payloads;

/// An access unit that is coming in, and the parameter sets of those before it.
#[derive(Debug, Default)]
pub struct H264 {
    units: NalUnits,
    sets: ParameterSets,
    /// What the access unit is made of, once it has been examined.
    scan: Scan,
    misfit: Misfit,
}

impl VideoCodec for H264 {
    fn place(&self, payload: &[u8]) -> Place {
        place::<Format>(payload)
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        let payload = without_stray_bytes::<Format>(payload);
        if is_hevc(payload) {
            self.misfit.other = Some(Codec::H265);
        }
        let result = self.units.push::<Format>(payload);
        self.misfit.annex_b |= result == Err(PayloadError::AnnexB);
        result
    }

    fn push_whole(&mut self, frame: &[u8]) -> Result<(), PayloadError> {
        let units = nal_units::<Format>(frame).ok_or(PayloadError::Unsupported)?;
        units.iter().for_each(|unit| self.units.push_unit(unit));
        Ok(())
    }

    fn interrupt(&mut self) {
        self.units.interrupt();
    }

    fn size(&self) -> usize {
        self.units.size()
    }

    fn examine(&mut self) -> Result<Option<Examined>, DropReason> {
        self.scan = Scan::default();
        let Self { units, sets, scan, .. } = self;
        units.iter().for_each(|unit| scan.unit(unit, sets));
        if !units.is_whole() {
            return Err(DropReason::Damaged);
        }
        let begins = || units.iter().next().is_some_and(|unit| place::<Format>(unit) == Place::Beginning);
        Ok(scan.picture.then(|| Examined {
            keyframe: scan.idr,
            begins: begins(),
            leading: false,
            reordered: scan.bidirectional,
        }))
    }

    fn pack(&mut self) -> Result<Payloads, DropReason> {
        let Self { units, sets, scan, misfit } = self;
        let inject = scan.idr && !(scan.sps && scan.pps);
        if inject && !sets.complete() {
            return Err(DropReason::NoParameterSets);
        }
        let sets = inject.then(|| sets.units()).into_iter().flatten();
        misfit.other = None;
        Ok(units.pack::<Format>(sets, travels))
    }

    fn clear(&mut self) {
        self.units.clear();
    }

    fn adopt(&mut self, set: &[u8]) -> bool {
        match set.first().map(|header| header & 0x1f) {
            Some(nal::SPS) => self.sets.keep_sps(set),
            Some(nal::PPS) => self.sets.keep_pps(set),
            _ => false,
        }
    }

    fn parameters(&self) -> Option<Parameters> {
        let sps = self.sets.newest()?;
        Some(Parameters {
            profile: Profile::H264 { profile_level_id: sps.profile_level_id },
            width: sps.width,
            height: sps.height,
            bit_depth: sps.bit_depth,
            other_chroma: sps.other_chroma,
            interlaced: sps.interlaced,
            reorder_frames: sps.reorder_frames,
            frame_rate: sps.frame_rate(),
        })
    }

    fn misfit(&self) -> Misfit {
        self.misfit
    }
}

/// Delimiters and filler are for byte streams; types past 23 mean something else in RTP (RFC 6184 §5.2).
fn travels(kind: u8) -> bool {
    matches!(kind, 1..=8 | 10 | 11 | 13..=23)
}

/// What an access unit is made of.
#[derive(Debug, Default)]
struct Scan {
    picture: bool,
    idr: bool,
    sps: bool,
    pps: bool,
    bidirectional: bool,
}

impl Scan {
    fn unit(&mut self, unit: &[u8], sets: &mut ParameterSets) {
        let kind = unit[0] & 0x1f;
        let slice = matches!(kind, nal::SLICE | nal::IDR | 2).then(|| Slice::parse(&unit[1..])).flatten();
        match kind {
            nal::SPS => self.sps |= sets.keep_sps(unit),
            nal::PPS => self.pps |= sets.keep_pps(unit),
            _ => {}
        }
        // Types 1 to 5 carry the picture (ITU-T H.264 table 7-1).
        self.picture |= (1..=5).contains(&kind);
        self.idr |= kind == nal::IDR;
        self.bidirectional |= slice.is_some_and(|slice| slice.bidirectional);
    }
}
