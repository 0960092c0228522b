//! The little of Opus (RFC 6716) that a server has to know.

/// The first byte of an Opus packet, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toc {
    /// 1 or 2.
    pub channels: u8,
    /// Samples at 48 kHz in the whole packet.
    pub duration: u32,
}

impl Toc {
    /// Reads a packet (RFC 6716 §3.1, §3.2). `None` when empty, or longer than the 120 ms that a packet may last.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let &first = packet.first()?;
        let frame = match first >> 3 {
            // SILK: 10, 20, 40, 60 ms; hybrid: 10, 20 ms; CELT: 2.5, 5, 10, 20 ms (table 2).
            config @ 0..=11 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
            config @ 12..=15 => [480, 960][usize::from(config & 1)],
            config => [120, 240, 480, 960][usize::from(config & 3)],
        };
        let frames = match first & 3 {
            0 => 1,
            1 | 2 => 2,
            _ => u32::from(packet.get(1)? & 0x3f),
        };
        let duration = frame * frames;
        (1..=5_760).contains(&duration).then_some(Self { channels: 1 + (first >> 2 & 1), duration })
    }
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
}
