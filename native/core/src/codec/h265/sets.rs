//! The parameter sets of a leg, which may come once for many pictures.

use super::payload::{Format, layer, nal};
use super::sps;
use crate::bits::Bits;
use crate::codec::nal::sets::SetsById;
use crate::codec::nal::{NalFormat, header};
use crate::codec::parameters::Parameters;

/// The newest parameter sets of the base layer by id.
#[derive(Debug, Default)]
pub struct ParameterSets {
    video: SetsById,
    sequence: SetsById,
    picture: SetsById,
    newest: Option<Parameters>,
}

impl ParameterSets {
    /// Takes a NAL unit; false for what is no parameter set or one that makes no sense.
    pub fn keep(&mut self, unit: &[u8]) -> bool {
        self.find(unit).is_some_and(|(sets, id)| sets.keep(id, unit))
    }

    /// The set of its kind and its id.
    fn find(&mut self, unit: &[u8]) -> Option<(&mut SetsById, u32)> {
        let header = header::<Format>(unit).filter(|&header| layer(header) == 0)?;
        let mut bits = Bits::of_unit(&unit[2..]);
        match Format::kind(header) {
            nal::VPS => Some((&mut self.video, bits.bits(4)?)),
            nal::SPS => {
                let (id, parameters) = sps::parse(unit)?;
                self.newest = Some(parameters);
                Some((&mut self.sequence, id))
            }
            nal::PPS => Some((&mut self.picture, bits.unsigned().filter(|&id| id < 64)?)),
            _ => None,
        }
    }

    /// What the sequence parameter set in force says.
    pub fn newest(&self) -> Option<Parameters> {
        self.newest
    }

    /// Pictures can be decoded with them.
    pub fn complete(&self) -> bool {
        [&self.video, &self.sequence, &self.picture].iter().all(|sets| !sets.is_empty())
    }

    /// All of them: those of the video, of sequences, of pictures.
    pub fn units(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.video.units().chain(self.sequence.units()).chain(self.picture.units())
    }
}
