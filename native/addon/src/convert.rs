//! Between the engine's types and plain JavaScript objects, shaped as the engine port says.

mod facts;
mod machine;
mod sessions;
mod snapshot;
mod streams;
mod viewers;

use core_media::codec::Codec;
use core_media::frame::Kind;
use engine::EngineError;

pub use facts::FactsObject;
pub use machine::{EventObject, MachineObject};
pub use sessions::{AnsweredObject, PullSpec, SessionSpec};
pub use snapshot::SnapshotObject;
pub use streams::{EngineOptions, PortsObject, StreamObject};
pub use viewers::{TotalsObject, ViewerObject};

/// `video` or `audio`.
pub fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// As options name it.
pub fn codec(name: &str) -> Result<Codec, EngineError> {
    Codec::of(name).ok_or_else(|| invalid("codec"))
}

fn invalid(what: &str) -> EngineError {
    EngineError::Failed(format!("{what} is not what the engine port says"))
}
