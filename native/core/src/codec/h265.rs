//! H265 (ITU-T H.265) in RTP (RFC 7798, without decoding order numbers).

use super::nal::{NalFormat, header, kind, place, without_stray_bytes};
use super::parameters::Parameters;
use super::{Codec, Examined, Misfit, PayloadError, Place, VideoCodec};
use crate::codec::nal::access_unit::nal_units;
use crate::codec::nal::joined::NalUnits;
use crate::counters::DropReason;
use crate::payloads::Payloads;

pub mod payload;
pub mod sets;
pub mod sps;
pub mod usability;

use payload::{Format, is_h264, layer, nal, travels};
use sets::ParameterSets;

/// The frames of an H265 leg.
#[derive(Debug, Default)]
pub struct H265 {
    units: NalUnits,
    sets: ParameterSets,
    /// The frame is an IRAP picture without parameter sets of each kind.
    lacks_sets: bool,
    misfit: Misfit,
}

impl VideoCodec for H265 {
    fn place(&self, payload: &[u8]) -> Place {
        place::<Format>(payload)
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        if is_h264(payload) {
            self.misfit.other = Some(Codec::H264);
        }
        let result = self.units.push::<Format>(without_stray_bytes::<Format>(payload));
        self.misfit.annex_b |= result == Err(PayloadError::AnnexB);
        result
    }

    fn push_whole(&mut self, frame: &[u8]) -> Result<(), PayloadError> {
        let units = nal_units::<Format>(frame).ok_or(PayloadError::Unsupported)?;
        // What is of no type yet or of this program alone means something else in RTP.
        let mut known = units.into_iter().filter(|unit| header::<Format>(unit).is_some_and(Format::is_unit)).peekable();
        known.peek().ok_or(PayloadError::Unsupported)?;
        known.for_each(|unit| self.units.push_unit(unit));
        Ok(())
    }

    fn interrupt(&mut self) {
        self.units.interrupt();
    }

    fn size(&self) -> usize {
        self.units.size()
    }

    fn examine(&mut self) -> Result<Option<Examined>, DropReason> {
        let mut scan = Scan::default();
        self.units.iter().for_each(|unit| scan.unit(unit, &mut self.sets));
        if !self.units.is_whole() {
            return Err(DropReason::Damaged);
        }
        self.lacks_sets = scan.irap && !scan.sets.iter().all(|&came| came);
        let begins = self.units.iter().next().is_some_and(|unit| self.place(unit) == Place::Beginning);
        let reordering = self.sets.newest().and_then(|parameters| parameters.reorder_frames) > Some(0);
        Ok(scan.picture.then_some(Examined {
            keyframe: scan.irap,
            begins,
            leading: scan.skipped,
            reordered: scan.leading || reordering,
        }))
    }

    fn pack(&mut self) -> Result<Payloads, DropReason> {
        if self.lacks_sets && !self.sets.complete() {
            return Err(DropReason::NoParameterSets);
        }
        self.misfit.other = None;
        let sets = self.lacks_sets.then(|| self.sets.units()).into_iter().flatten();
        Ok(self.units.pack::<Format>(sets, travels))
    }

    fn clear(&mut self) {
        self.units.clear();
    }

    fn adopt(&mut self, set: &[u8]) -> bool {
        self.sets.keep(set)
    }

    fn parameters(&self) -> Option<Parameters> {
        self.sets.newest()
    }

    fn misfit(&self) -> Misfit {
        self.misfit
    }
}

/// What a frame is made of, in the base layer.
#[derive(Debug, Default)]
struct Scan {
    picture: bool,
    irap: bool,
    /// RASL or RADL: shown before the IRAP picture that it belongs to.
    leading: bool,
    /// RASL: skipped by who begins at that picture (§8.1.3).
    skipped: bool,
    /// VPS, SPS, PPS.
    sets: [bool; 3],
}

impl Scan {
    fn unit(&mut self, unit: &[u8], sets: &mut ParameterSets) {
        if header::<Format>(unit).is_none_or(|header| layer(header) > 0) {
            return;
        }
        let kind = kind::<Format>(unit);
        let irap = (nal::BLA_W_LP..=nal::CRA).contains(&kind);
        match kind {
            nal::VPS..=nal::PPS => self.sets[usize::from(kind - nal::VPS)] |= sets.keep(unit),
            // Between them and from 22 on are types that are of nothing yet (table 7-1).
            0..=nal::RASL_R => self.picture = true,
            _ => self.picture |= irap,
        }
        self.irap |= irap;
        self.leading |= (nal::RADL_N..=nal::RASL_R).contains(&kind);
        self.skipped |= (nal::RASL_N..=nal::RASL_R).contains(&kind);
    }
}
