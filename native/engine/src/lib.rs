//! The engine: one ingest thread, some shards, and the sessions between them.
//!
//! ```text
//! datagrams -> ingest (core::Source) -> one bounded mailbox per shard -> shard (core::Track) -> rtc::burst
//! peers     -> rtc callbacks         -> the same mailbox (RTCP)       -> shard
//! strangers -> rtc::Admission        -> core::Gate, before libjuice sees them
//! sessions  <- Engine (any thread)   -> events, drained by whoever embeds it
//! ```

#![forbid(unsafe_code)]

mod clock;
mod config;
mod engine;
mod error;
mod event;
mod gate;
mod histogram;
mod inbox;
mod ingest;
mod mailbox;
mod path;
mod ports;
mod publishers;
mod session;
mod shard;
mod snapshot;
mod stream;
mod viewer;

pub use config::{
    AnsweredLeg, EngineConfig, Ingress, MediaLine, PullConfig, RtpLeg, SessionConfig, StreamConfig, StreamPorts,
};
pub use engine::Engine;
pub use error::EngineError;
pub use event::{EndReason, Event};
pub use histogram::HistogramSnapshot;
pub use snapshot::{LegSnapshot, SessionTotals, Snapshot, StreamSnapshot, ViewerSnapshot, ViewerState};
pub use stream::{AudioFacts, StreamFacts, VideoFacts};
