//! What can go wrong, for whoever embeds the engine.

use std::fmt;

use crate::inbox::Ended;

/// A request that could not be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// A UDP port is taken.
    AddressInUse(u16),
    /// The offer is none that the library understands.
    InvalidOffer,
    /// The answer is none that the library understands, or fits no offer.
    InvalidAnswer,
    /// The description took too long.
    Timeout,
    /// No such stream.
    UnknownStream,
    /// There is such a stream, or such a session, already.
    Exists,
    /// A clip's files make no sense.
    InvalidClip,
    /// The engine is closing.
    Closing,
    /// Anything else; the text is for logs.
    Failed(String),
}

impl EngineError {
    /// A word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AddressInUse(_) => "address-in-use",
            Self::InvalidOffer => "invalid-offer",
            Self::InvalidAnswer => "invalid-answer",
            Self::Timeout => "engine-timeout",
            Self::UnknownStream => "stream-not-found",
            Self::Exists => "stream-exists",
            Self::Closing => "closing",
            Self::InvalidClip | Self::Failed(_) => "engine-failed",
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressInUse(port) => write!(f, "UDP port {port} is in use"),
            Self::InvalidOffer => f.write_str("the offer was refused"),
            Self::InvalidAnswer => f.write_str("the answer was refused"),
            Self::Timeout => f.write_str("the description took too long"),
            Self::UnknownStream => f.write_str("no such stream"),
            Self::Exists => f.write_str("the name is taken"),
            Self::InvalidClip => f.write_str("the clip is not Annex B H264 with Ogg Opus"),
            Self::Closing => f.write_str("closing"),
            Self::Failed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for EngineError {}

impl From<Ended> for EngineError {
    fn from(Ended: Ended) -> Self {
        Self::Failed("the engine takes in no media any more: start the server again".into())
    }
}

impl From<rtc::Error> for EngineError {
    fn from(error: rtc::Error) -> Self {
        match error {
            rtc::Error::AddressInUse(port) => Self::AddressInUse(port),
            rtc::Error::InvalidSdp(_) => Self::InvalidOffer,
            rtc::Error::Timeout => Self::Timeout,
            other => Self::Failed(other.to_string()),
        }
    }
}
