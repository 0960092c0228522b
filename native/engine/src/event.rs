//! What the engine reports by itself: a bounded queue that somebody drains from time to time.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use core_media::frame::Kind;
use core_media::source::Ending;
use core_media::warning::Warning;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Media can flow.
    SessionConnected {
        /// Its name.
        session: String,
        /// How it is protected.
        security: Option<rtc::Security>,
    },
    /// It is over; whoever embeds the engine removes it.
    SessionEnded {
        /// Its name.
        session: String,
        /// Why.
        reason: EndReason,
    },
    /// A leg delivers.
    LegActive {
        /// The stream's name.
        stream: String,
        /// Which leg.
        leg: Kind,
    },
    /// A leg delivers no longer.
    LegInactive {
        /// The stream's name.
        stream: String,
        /// Which leg.
        leg: Kind,
        /// Why.
        reason: Ending,
    },
    /// Nothing will come of it any more, whatever its source does.
    StreamFailed {
        /// The stream's name.
        stream: String,
        /// Why.
        error: String,
    },
    /// Something hurts viewers.
    Warning {
        /// The stream's name.
        stream: String,
        /// What.
        warning: Warning,
    },
    /// For the log.
    Log {
        /// How bad.
        level: rtc::Level,
        /// What.
        text: String,
    },
}

/// Why a session ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The stream carries another codec than the viewer was promised.
    CodecChanged,
    /// No candidate pair worked.
    IceFailed,
    /// The handshake failed.
    DtlsFailed,
    /// The peer no longer answers (RFC 7675).
    ConsentLost,
    /// The peer said goodbye (DTLS close_notify).
    ClosedByPeer,
    /// Its shard failed.
    EngineError,
    /// It sent far more than it may, for ten seconds.
    Flooding,
}

impl EndReason {
    /// A word for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::IceFailed => "ice-failed",
            Self::DtlsFailed => "dtls-failed",
            Self::ConsentLost => "consent-lost",
            Self::ClosedByPeer => "closed-by-peer",
            Self::EngineError => "engine-error",
            Self::Flooding => "flooding",
            Self::CodecChanged => "codec-changed",
        }
    }
}

/// Log lines kept for a reader that is slow; further ones are dropped. Other events are bounded by what they report on.
const MAX_LOG_LINES: usize = 256;

/// The queue.
#[derive(Debug, Default)]
pub struct Events {
    queue: Mutex<VecDeque<Event>>,
}

impl Events {
    pub fn push(&self, event: Event) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(event, Event::Log { .. }) || queue.len() < MAX_LOG_LINES {
            queue.push_back(event);
        }
    }

    pub fn drain(&self, most: usize) -> Vec<Event> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.len().min(most);
        queue.drain(..count).collect()
    }
}
