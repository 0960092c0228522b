//! Bytes that nobody can guess well enough to matter, at the speed of memory.

/// xorshift64* (Vigna 2016).
pub(super) struct Noise(u64);

impl Noise {
    pub fn new() -> Self {
        let started = crate::stamp::now() ^ u64::from(std::process::id()) << 32;
        Self(started | 1)
    }

    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.number().to_be_bytes()[..part.len()]);
        }
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Replaces `datagram` by one of any first byte and any size a path carries.
    pub fn datagram(&mut self, datagram: &mut Vec<u8>) {
        let size = 1 + self.number() as usize % 1_200;
        datagram.resize(size, 0);
        self.fill(datagram);
    }
}
