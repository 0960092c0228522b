//! Parameter sets, which may come once for many pictures.

/// Parameter sets remembered, of each kind (ITU-T H.264 allows 32 and 256; encoders use one or two).
const MAX_PARAMETER_SETS: usize = 8;

/// Bytes of one; with every scaling list in it a set takes about three thousand.
const MAX_PARAMETER_SET: usize = 8 << 10;

/// The newest parameter sets of one kind by id, in the order they came.
#[derive(Debug, Default)]
pub struct SetsById(Vec<(u32, Vec<u8>)>);

impl SetsById {
    /// False for one that is too large to be any.
    pub fn keep(&mut self, id: u32, unit: &[u8]) -> bool {
        if unit.len() > MAX_PARAMETER_SET {
            return false;
        }
        if self.0.last().is_some_and(|(last, kept)| *last == id && kept == unit) {
            return true;
        }
        self.0.retain(|(other, _)| *other != id);
        if self.0.len() == MAX_PARAMETER_SETS {
            self.0.remove(0);
        }
        self.0.push((id, unit.to_vec()));
        true
    }

    /// None has come.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn units(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.0.iter().map(|(_, unit)| unit.as_slice())
    }
}
