//! Between the engine's types and plain JavaScript objects, shaped as the engine port says.

mod facts;
mod machine;
mod sessions;
mod snapshot;
mod streams;
mod viewers;

use core_media::frame::Kind;
use engine::EngineError;

pub use facts::FactsObject;
pub use machine::{EventObject, MachineObject};
pub use sessions::{PullSpec, SessionSpec};
pub use snapshot::SnapshotObject;
pub use streams::{EngineOptions, PortsObject, StreamObject};
pub use viewers::{TotalsObject, ViewerObject};

/// `video` or `audio`.
pub fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

fn invalid(what: &str) -> EngineError {
    EngineError::Failed(format!("{what} is not what the engine port says"))
}
