//! Reads headers bit by bit.

/// The most significant bit first. A reader of NAL units passes over their emulation prevention bytes (ITU-T H.264 §7.3.1).
#[derive(Clone, Debug)]
pub struct Bits<'a> {
    data: &'a [u8],
    byte: usize,
    bit: u8,
    zeros: u8,
    escaped: bool,
}

impl<'a> Bits<'a> {
    /// Of a NAL unit without its header.
    pub fn of_unit(data: &'a [u8]) -> Self {
        Self { data, byte: 0, bit: 0, zeros: 0, escaped: true }
    }

    /// Of bytes that mean what they are.
    pub fn plain(data: &'a [u8]) -> Self {
        Self { escaped: false, ..Self::of_unit(data) }
    }

    /// The next bit; `None` past the end.
    pub fn flag(&mut self) -> Option<bool> {
        if self.escaped && self.bit == 0 && self.zeros >= 2 && self.data.get(self.byte) == Some(&3) {
            self.byte += 1;
            self.zeros = 0;
        }
        let byte = *self.data.get(self.byte)?;
        let value = byte >> (7 - self.bit) & 1 == 1;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.byte += 1;
            self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        }
        Some(value)
    }

    /// The next `count` bits, at most 32.
    pub fn bits(&mut self, count: u8) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.flag()?)))
    }

    /// ue(v), ITU-T H.264 §9.1, and uvlc(), AV1 §4.10.3; `None` past the end or beyond 32 bits.
    pub fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.bits(zeros)?)
    }

    /// se(v), ITU-T H.264 §9.1.1.
    pub fn signed(&mut self) -> Option<i32> {
        let code = i64::from(self.unsigned()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 1 { magnitude } else { -magnitude }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_golomb() {
        // 1, 010, 011, 00100: ue 0, 1, 2, 3
        let mut bits = Bits::of_unit(&[0b1010_0110, 0b0100_0000]);
        assert_eq!([(); 4].map(|()| bits.unsigned()), [Some(0), Some(1), Some(2), Some(3)]);
        let mut bits = Bits::of_unit(&[0b0100_1100, 0b1000_0101]);
        assert_eq!([(); 3].map(|()| bits.signed()), [Some(1), Some(-1), Some(2)]);
        assert_eq!(Bits::of_unit(&[0; 8]).unsigned(), None);
    }

    #[test]
    fn only_units_have_emulation_prevention() {
        assert_eq!(Bits::of_unit(&[0, 0, 3, 1]).bits(24), Some(1));
        assert_eq!(Bits::plain(&[0, 0, 3, 1]).bits(24), Some(3));
    }
}
