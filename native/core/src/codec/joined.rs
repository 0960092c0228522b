//! A frame that its packets cut anywhere.

use crate::counters::DropReason;

/// The bytes of its payloads, back to back.
#[derive(Debug, Default)]
pub struct Joined {
    bytes: Vec<u8>,
    damaged: bool,
}

impl Joined {
    /// Appends what comes next.
    pub fn push(&mut self, data: &[u8]) {
        if !self.damaged {
            self.bytes.extend_from_slice(data);
        }
    }

    /// Something is missing or makes no sense here: nothing of the frame is of use any more.
    pub fn interrupt(&mut self) {
        self.damaged = true;
        self.bytes.clear();
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// All of it, which is not empty.
    pub fn whole(&self) -> Result<&[u8], DropReason> {
        if self.damaged || self.bytes.is_empty() { Err(DropReason::Damaged) } else { Ok(&self.bytes) }
    }

    /// Makes room for the next frame.
    pub fn clear(&mut self) {
        self.damaged = false;
        self.bytes.clear();
    }
}
