//! The parameter sets of a leg, which may come once for many pictures.

use crate::codec::h264::sps::{Sps, picture_parameter_set_id};

/// Parameter sets remembered, of each kind (ITU-T H.264 allows 32 and 256; encoders use one or two).
const MAX_PARAMETER_SETS: usize = 8;

/// The newest parameter sets by id, in the order they came.
#[derive(Debug, Default)]
pub struct ParameterSets {
    sps: Vec<(u32, Vec<u8>)>,
    pps: Vec<(u32, Vec<u8>)>,
    newest: Option<Sps>,
}

impl ParameterSets {
    /// False for one that makes no sense.
    pub fn keep_sps(&mut self, unit: &[u8]) -> bool {
        let (Some(id), Some(sps)) = (Sps::id(unit), Sps::parse(unit)) else { return false };
        self.newest = Some(sps);
        keep(&mut self.sps, id, unit)
    }

    /// The same.
    pub fn keep_pps(&mut self, unit: &[u8]) -> bool {
        match picture_parameter_set_id(unit) {
            Some(id) => keep(&mut self.pps, id, unit),
            None => false,
        }
    }

    /// The sequence parameter set in force.
    pub fn newest(&self) -> Option<Sps> {
        self.newest
    }

    /// Pictures can be decoded with them.
    pub fn complete(&self) -> bool {
        !self.sps.is_empty() && !self.pps.is_empty()
    }

    /// All of them, sequence parameter sets first.
    pub fn units(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.sps.iter().chain(&self.pps).map(|(_, unit)| unit.as_slice())
    }
}

fn keep(sets: &mut Vec<(u32, Vec<u8>)>, id: u32, unit: &[u8]) -> bool {
    if sets.last().is_some_and(|(last, kept)| *last == id && kept == unit) {
        return true;
    }
    sets.retain(|(other, _)| *other != id);
    if sets.len() == MAX_PARAMETER_SETS {
        sets.remove(0);
    }
    sets.push((id, unit.to_vec()));
    true
}
