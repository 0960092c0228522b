//! What comes on an audio leg instead of what is due.

/// A codec, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// ISO 14496-3.
    Aac,
    /// PCMA or PCMU.
    G711,
    /// ITU-T G.722.
    G722,
    /// Uncompressed.
    L16,
    /// MPEG audio, such as MP3.
    Mpeg,
    /// Something else.
    Unknown,
}

impl Other {
    /// What a static payload type says (RFC 3551 table 4).
    pub fn of(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 | 8 => Some(Self::G711),
            9 => Some(Self::G722),
            10 | 11 => Some(Self::L16),
            14 => Some(Self::Mpeg),
            1..=18 => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// An AAC frame lasts 1024 samples (ISO 14496-3 §4.5.1.1), and a packet may hold several.
pub const AAC_STEP: u32 = 1_024;

/// So many in a row are no accident.
pub const STEPS: u32 = 10;
