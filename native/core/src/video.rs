//! From RTP payloads to access units that a decoder can take: whole, in an unbroken chain from an IDR picture, and
//! with parameter sets before each IDR picture.

use crate::access_unit::nal_units;
use crate::codec::nal::{place, without_stray_bytes};
use crate::codec::{PayloadError, Place};
use crate::counters::{DropReason, LegCounters};
use crate::h264::{Format, Slice, is_hevc, nal};
use crate::nal_units::NalUnits;
use crate::parameter_sets::ParameterSets;
use crate::payloads::Payloads;
use crate::sps::Sps;

/// An access unit larger than this is not a picture but an attack.
const MAX_ACCESS_UNIT: usize = 4 << 20;

/// A decodable picture.
#[derive(Debug)]
pub struct AccessUnit {
    /// The source's time stamp.
    pub timestamp: u32,
    /// An IDR picture, with parameter sets before it.
    pub keyframe: bool,
    /// Holds B slices.
    pub bidirectional: bool,
    /// The parameter set in force.
    pub sps: Option<Sps>,
    /// Ready to send.
    pub payloads: Payloads,
}

/// Assembles one leg's access units.
#[derive(Debug, Default)]
pub struct Assembler {
    current: Option<Assembly>,
    /// Packets are missing between the last access unit and the next.
    gap: bool,
    /// An IDR picture has come, and every access unit since.
    chain: bool,
    sets: ParameterSets,
    annex_b: bool,
    hevc: bool,
    /// The time stamp of the picture that a marker has just ended.
    ended: Option<u32>,
    /// The sender marks what is no end of a picture, such as each slice.
    marks_parts: bool,
    size_hint: usize,
}

/// The access unit that is coming in.
#[derive(Debug)]
struct Assembly {
    timestamp: u32,
    units: NalUnits,
    /// Why it has to go, but for what its units show.
    damage: Option<DropReason>,
    after_gap: bool,
    /// Its newest payload has the marker.
    marked: bool,
}

impl Assembler {
    /// Takes the next payload in order. Whole access units go to `out`; what is dropped is counted.
    pub fn push(
        &mut self,
        payload: &[u8],
        timestamp: u32,
        marker: bool,
        counters: &LegCounters,
        out: &mut impl FnMut(AccessUnit),
    ) {
        // Nothing but padding, to probe for bandwidth (RFC 3550 §5.1): no part of a picture, though it may end one.
        if payload.is_empty() {
            if marker && self.current.as_ref().is_some_and(|current| current.timestamp == timestamp) {
                self.mark(counters, out);
            }
            return;
        }
        let payload = without_stray_bytes::<Format>(payload);
        self.hevc |= is_hevc(payload);
        // A new time stamp begins a new access unit even where the marker is missing (RFC 6184 §5.1).
        let ends = |current: &Assembly| {
            current.timestamp != timestamp || current.marked && place::<Format>(payload) == Place::Beginning
        };
        if self.current.as_ref().is_some_and(ends) {
            self.finish(counters, out);
        }
        let cut = self.ended.take() == Some(timestamp) && !self.gap && place::<Format>(payload) == Place::Within;
        self.marks_parts |= cut;
        let gap = std::mem::take(&mut self.gap);
        let hint = self.size_hint;
        let current = self.current.get_or_insert_with(|| Assembly {
            timestamp,
            units: NalUnits::with_capacity(hint),
            // The beginning of the picture is on its way already.
            damage: cut.then_some(DropReason::Damaged),
            after_gap: gap,
            marked: false,
        });
        if current.units.size() + payload.len() > MAX_ACCESS_UNIT {
            current.damage = Some(DropReason::Oversized);
            current.units.interrupt();
        } else if let Err(error) = current.units.push::<Format>(payload) {
            counters.dropped(DropReason::Malformed, 1);
            self.annex_b |= error == PayloadError::AnnexB;
        }
        current.marked = false;
        if marker {
            self.mark(counters, out);
        }
    }

    /// The marker: the end of a picture, unless the sender is known to mark its parts.
    fn mark(&mut self, counters: &LegCounters, out: &mut impl FnMut(AccessUnit)) {
        if self.marks_parts {
            self.current.iter_mut().for_each(|current| current.marked = true);
        } else {
            self.ended = self.current.as_ref().map(|current| current.timestamp);
            self.finish(counters, out);
        }
    }

    /// Packets are missing here.
    pub fn lost(&mut self) {
        match &mut self.current {
            Some(current) => current.units.interrupt(),
            None => self.gap = true,
        }
        self.chain = false;
    }

    /// The source began anew: nothing refers to what came before. Parameter sets are kept until replaced.
    pub fn restart(&mut self) {
        self.current = None;
        self.gap = false;
        self.chain = false;
        self.ended = None;
        self.marks_parts = false;
    }

    /// A whole access unit from a program rather than from packets; false when it is none.
    pub fn push_access_unit(
        &mut self,
        data: &[u8],
        timestamp: u32,
        counters: &LegCounters,
        out: &mut impl FnMut(AccessUnit),
    ) -> bool {
        self.finish(counters, out);
        let nals = nal_units::<Format>(data);
        let mut units = NalUnits::with_capacity(data.len());
        nals.iter().flatten().for_each(|unit| units.push_unit(unit));
        let damage = match nals {
            None => Some(DropReason::Malformed),
            Some(_) => (units.size() > MAX_ACCESS_UNIT).then_some(DropReason::Oversized),
        };
        self.current = Some(Assembly { timestamp, units, damage, after_gap: false, marked: false });
        self.finish(counters, out);
        damage != Some(DropReason::Malformed)
    }

    /// What came last could be decoded, and what comes next can.
    pub fn unbroken(&self) -> bool {
        self.chain
    }

    /// Payloads with start codes came: the sender does not speak RFC 6184.
    pub fn saw_annex_b(&self) -> bool {
        self.annex_b
    }

    /// Payloads of H265 came (RFC 7798), and no H264 picture since.
    pub fn saw_hevc(&self) -> bool {
        self.hevc
    }

    fn finish(&mut self, counters: &LegCounters, out: &mut impl FnMut(AccessUnit)) {
        let Some(current) = self.current.take() else { return };
        self.size_hint = current.units.size() + current.units.size() / 4;
        match self.examine(&current) {
            Ok(Some(unit)) => {
                self.chain = true;
                self.hevc = false;
                out(unit);
            }
            Ok(None) => {}
            Err(reason) => {
                counters.dropped(reason, 1);
                self.chain = false;
            }
        }
    }

    /// `Ok(None)`: no picture in it, only parameter sets or such.
    fn examine(&mut self, current: &Assembly) -> Result<Option<AccessUnit>, DropReason> {
        let mut scan = Scan::default();
        current.units.iter().for_each(|unit| scan.unit(unit, &mut self.sets));
        if let Some(damage) = current.damage {
            return Err(damage);
        }
        let begins_picture =
            || current.units.iter().next().is_some_and(|unit| place::<Format>(unit) == Place::Beginning);
        if !current.units.is_whole() || current.after_gap && !begins_picture() {
            return Err(DropReason::Damaged);
        }
        if !scan.picture {
            return Ok(None);
        }
        if !scan.idr && !self.chain {
            return Err(DropReason::AwaitingKeyframe);
        }
        let inject = scan.idr && !(scan.sps && scan.pps);
        if inject && !self.sets.complete() {
            return Err(DropReason::NoParameterSets);
        }
        let sets = inject.then(|| self.sets.units()).into_iter().flatten();
        let units = current.units.iter().filter(|unit| travels(unit[0] & 0x1f));
        let mut payloads = Payloads::with_capacity(current.units.size() + current.units.size() / 64 + 128);
        payloads.push_units::<Format>(sets.chain(units));
        Ok(Some(AccessUnit {
            timestamp: current.timestamp,
            keyframe: scan.idr,
            bidirectional: scan.bidirectional,
            sps: self.sets.newest(),
            payloads,
        }))
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
