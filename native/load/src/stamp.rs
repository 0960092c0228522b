//! The time of sending, as the last bytes of a picture or sound.
//!
//! Any server has to keep those bytes, however it cuts the media into packets. No byte is below 0x40, so no start code
//! and no emulation prevention byte (ITU-T H.264 §7.4.1.1) can come of it.

use std::sync::LazyLock;
use std::time::Instant;

/// Bytes of a stamp.
pub(crate) const LENGTH: usize = MARK.len() + DIGITS;

const MARK: [u8; 4] = *b"STMP";
/// Hexadecimal digits of a `u64`.
const DIGITS: usize = 16;
const DIGIT: u8 = 0x40;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since this process first asked.
pub(crate) fn now() -> u64 {
    START.elapsed().as_nanos() as u64
}

/// Overwrites the last bytes of `media`, which must be longer than a stamp.
pub(crate) fn write(nanos: u64, media: &mut [u8]) {
    let start = media.len() - LENGTH;
    let (mark, digits) = media[start..].split_at_mut(MARK.len());
    mark.copy_from_slice(&MARK);
    for (index, digit) in digits.iter_mut().enumerate() {
        *digit = DIGIT | (nanos >> (60 - 4 * index) & 0xf) as u8;
    }
}

/// The stamp at the end of a payload, when there is one.
pub(crate) fn read(payload: &[u8]) -> Option<u64> {
    let (_, stamp) = payload.split_last_chunk::<LENGTH>()?;
    let digits = stamp.strip_prefix(&MARK)?;
    digits.iter().try_fold(0, |nanos, &digit| (digit & 0xf0 == DIGIT).then_some(nanos << 4 | u64::from(digit & 0xf)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for nanos in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let mut media = [0x55; 100];
            write(nanos, &mut media);
            assert_eq!(read(&media), Some(nanos));
            assert!(media.iter().all(|&byte| byte >= 0x40));
        }
    }

    #[test]
    fn other_bytes_are_no_stamp() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0x41; 100]), None);
        let mut media = [0x55; 100];
        write(7, &mut media);
        media[99] = 7;
        assert_eq!(read(&media), None);
    }
}
