//! The parameter sets of a leg, which may come once for many pictures.

use super::sps::{Sps, picture_parameter_set_id};
use crate::codec::nal::sets::SetsById;

/// The newest parameter sets by id, in the order they came.
#[derive(Debug, Default)]
pub struct ParameterSets {
    sps: SetsById,
    pps: SetsById,
    newest: Option<Sps>,
}

impl ParameterSets {
    /// False for one that makes no sense.
    pub fn keep_sps(&mut self, unit: &[u8]) -> bool {
        let (Some(id), Some(sps)) = (Sps::id(unit), Sps::parse(unit)) else { return false };
        self.newest = Some(sps);
        self.sps.keep(id, unit)
    }

    /// The same.
    pub fn keep_pps(&mut self, unit: &[u8]) -> bool {
        match picture_parameter_set_id(unit) {
            Some(id) => self.pps.keep(id, unit),
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
        self.sps.units().chain(self.pps.units())
    }
}
