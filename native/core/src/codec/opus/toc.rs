//! The first byte of an Opus packet and what follows from it (RFC 6716 §3).

/// The longest frame in bytes (RFC 6716 §3.2.1).
const MAX_FRAME: usize = 1_275;

/// 120 ms at 48 kHz (§3.4).
const MAX_DURATION: u32 = 5_760;

/// The first byte of an Opus packet, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toc {
    /// 1 or 2.
    pub channels: u8,
    /// Samples at 48 kHz in the whole packet.
    pub duration: u32,
}

impl Toc {
    /// Reads a packet (RFC 6716 §3.1, §3.2). `None` when it is none: its frames do not add up, or last more than the 120 ms
    /// that a packet may (§3.4).
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let (&first, rest) = packet.split_first()?;
        let frame = frame_duration(first);
        let (frames, valid) = match first & 3 {
            0 => (1, rest.len() <= MAX_FRAME),
            1 => (2, rest.len().is_multiple_of(2) && rest.len() <= 2 * MAX_FRAME),
            2 => (2, after_lengths(rest, 1).is_some_and(|last| last <= MAX_FRAME)),
            _ => {
                let (&count, rest) = rest.split_first()?;
                (u32::from(count & 0x3f), is_counted(count, rest))
            }
        };
        let duration = frame * frames;
        (valid && (1..=MAX_DURATION).contains(&duration)).then_some(Self { channels: 1 + (first >> 2 & 1), duration })
    }
}

/// Samples at 48 kHz in a packet of several streams, whose first is packed as the second can be found (RFC 6716 appendix B):
/// behind the first two bytes all differs.
pub fn duration_of_first(packet: &[u8]) -> Option<u32> {
    let [first, second, ..] = *packet else { return None };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(second & 0x3f),
    };
    Some(frame_duration(first) * frames).filter(|duration| (1..=MAX_DURATION).contains(duration))
}

fn frame_duration(first: u8) -> u32 {
    match first >> 3 {
        // SILK: 10, 20, 40, 60 ms; hybrid: 10, 20 ms; CELT: 2.5, 5, 10, 20 ms (table 2).
        config @ 0..=11 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    }
}

/// Whether the frames behind a count (§3.2.5) add up.
fn is_counted(count: u8, mut rest: &[u8]) -> bool {
    let frames = usize::from(count & 0x3f);
    if count & 0x40 != 0 {
        let mut padding = 0;
        loop {
            let Some((&more, after)) = rest.split_first() else { return false };
            rest = after;
            padding += usize::from(more.min(254));
            if more < 255 {
                break;
            }
        }
        let Some(left) = rest.len().checked_sub(padding) else { return false };
        rest = &rest[..left];
    }
    if frames == 0 {
        return false;
    }
    if count & 0x80 == 0 {
        return rest.len().is_multiple_of(frames) && rest.len() / frames <= MAX_FRAME;
    }
    after_lengths(rest, frames - 1).is_some_and(|last| last <= MAX_FRAME)
}

/// What is left for the last frame behind the lengths (§3.2.1) of all others and those frames.
fn after_lengths(mut rest: &[u8], frames: usize) -> Option<usize> {
    let mut total = 0;
    for _ in 0..frames {
        let (&first, after) = rest.split_first()?;
        rest = after;
        total += usize::from(first);
        if first >= 252 {
            let (&second, after) = rest.split_first()?;
            rest = after;
            total += usize::from(second) * 4;
        }
    }
    rest.len().checked_sub(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_channels() {
        assert_eq!(Toc::parse(&[0b1111_1100]), Some(Toc { channels: 2, duration: 960 }));
        assert_eq!(Toc::parse(&[0b0000_0001]), Some(Toc { channels: 1, duration: 960 }));
        assert_eq!(Toc::parse(&[0b1000_0011, 4]), Some(Toc { channels: 1, duration: 480 }));
        assert_eq!(Toc::parse(&[0b0001_1000]), Some(Toc { channels: 1, duration: 2_880 }));
    }

    #[test]
    fn nonsense_has_no_duration() {
        assert_eq!(Toc::parse(&[]), None);
        assert_eq!(Toc::parse(&[3]), None);
        assert_eq!(Toc::parse(&[3, 0]), None);
        assert_eq!(Toc::parse(&[0b0001_1011, 63]), None);
    }

    #[test]
    fn frames_have_to_add_up() {
        let is_valid = |head: &[u8], rest: usize| Toc::parse(&[head, &vec![7; rest]].concat()).is_some();
        // One frame, two of a size, two of two sizes.
        assert!(is_valid(&[0xf8], 1_275) && !is_valid(&[0xf8], 1_276));
        assert!(is_valid(&[0xf9], 2_550) && !is_valid(&[0xf9], 2_551) && !is_valid(&[0xf9], 2_552));
        assert!(is_valid(&[0xfa, 9], 9) && !is_valid(&[0xfa, 9], 8) && !is_valid(&[0xfa], 0));
        assert!(is_valid(&[0xfa, 252, 2], 260) && !is_valid(&[0xfa, 252, 2], 259) && !is_valid(&[0xfa, 252], 0));
        assert!(!is_valid(&[0xfa, 0], 1_276));
        // Three of a size, of their own sizes, with padding of 300 bytes.
        assert!(is_valid(&[0xfb, 3], 9) && !is_valid(&[0xfb, 3], 10) && !is_valid(&[0xfb, 3], 3 * 1_275 + 3));
        assert!(
            is_valid(&[0xfb, 0x83, 1, 2], 3) && !is_valid(&[0xfb, 0x83, 1, 2], 2) && !is_valid(&[0xfb, 0x83, 1], 0)
        );
        assert!(is_valid(&[0xfb, 0x43, 255, 46], 303) && !is_valid(&[0xfb, 0x43, 255, 46], 301));
        assert!(is_valid(&[0xfb, 0x43, 255, 46], 300) && !is_valid(&[0xfb, 0x43, 255, 46], 299));
        assert!(!is_valid(&[0xfb, 0x43], 0) && !is_valid(&[0xfb, 0x43, 255], 0));
    }
}
