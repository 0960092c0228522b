//! The engine as a Node-API module: converts, delegates, nothing else.
//!
//! Whatever blocks runs on the runtime's worker pool. No callback, no thread and no memory of JavaScript is kept.

#![deny(unsafe_code)]

#[cfg(feature = "development")]
pub mod attack;
mod convert;
#[cfg(all(feature = "development", target_os = "linux"))]
pub mod hold;
pub mod load;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use napi::bindgen_prelude::{AsyncTask, Uint8Array};
use napi::{Error, Result};
use napi_derive::napi;

use convert::{
    AnsweredObject, EngineOptions, EventObject, FactsObject, MachineObject, PullSpec, SessionSpec, SnapshotObject,
    StreamObject, ViewerObject,
};
use tasks::{
    AcceptAnswer, AddCandidate, AddPublisher, AddStream, AddViewer, Close, OfferPull, RemoveSession, RemoveStream,
    Start,
};

/// Starts an engine. Rejects with `address-in-use` when a UDP port is taken.
#[napi]
pub fn start_engine(options: EngineOptions) -> AsyncTask<Start> {
    AsyncTask::new(Start(options))
}

/// What this machine grants to media sockets.
#[napi]
pub fn machine() -> Result<MachineObject> {
    rtc::machine().map(MachineObject::from).map_err(|error| Error::from_reason(error.to_string()))
}

/// A running engine. Errors are `code: text`.
#[napi]
pub struct NativeEngine {
    engine: Arc<Engine>,
}

#[napi]
impl NativeEngine {
    /// Opens a stream's input.
    #[napi]
    pub fn add_stream(&self, spec: StreamObject) -> AsyncTask<AddStream> {
        AsyncTask::new(AddStream(self.engine.clone(), Some(spec.into())))
    }

    /// Closes a stream's input.
    #[napi]
    pub fn remove_stream(&self, id: String) -> AsyncTask<RemoveStream> {
        AsyncTask::new(RemoveStream(self.engine.clone(), id))
    }

    /// What is known of a stream's media; null when there is no such stream.
    #[napi]
    pub fn facts(&self, stream: String) -> Option<FactsObject> {
        self.engine.facts(&stream).map(FactsObject::from)
    }

    /// Takes a frame for a push stream; `timestamp` in microseconds.
    #[napi]
    pub fn push(&self, stream: String, leg: String, data: Uint8Array, timestamp: f64) -> bool {
        let capture = Duration::from_nanos((timestamp.max(0.0) * 1_000.0) as u64);
        convert::kind(&leg).is_some_and(|kind| self.engine.push(&stream, kind, data.to_vec(), capture))
    }

    /// Answers a viewer; gives the local description.
    #[napi]
    pub fn add_viewer(&self, spec: SessionSpec) -> AsyncTask<AddViewer> {
        AsyncTask::new(AddViewer(self.engine.clone(), spec.into()))
    }

    /// Answers a publisher; gives the local description.
    #[napi]
    pub fn add_publisher(&self, spec: SessionSpec) -> AsyncTask<AddPublisher> {
        AsyncTask::new(AddPublisher(self.engine.clone(), spec.into()))
    }

    /// Makes a session of another server's; gives the local description, an offer.
    #[napi]
    pub fn offer_pull(&self, spec: PullSpec) -> AsyncTask<OfferPull> {
        AsyncTask::new(OfferPull(self.engine.clone(), spec.into()))
    }

    /// Gives it the answer.
    #[napi]
    pub fn accept_answer(&self, session: String, answer: String, legs: Vec<AnsweredObject>) -> AsyncTask<AcceptAnswer> {
        let legs = legs.into_iter().map(Into::into).collect();
        AsyncTask::new(AcceptAnswer { engine: self.engine.clone(), session, answer, legs })
    }

    /// Tells a session of one more address of its peer; gives whether it could be used.
    #[napi]
    pub fn add_candidate(&self, session: String, mid: String, candidate: String) -> AsyncTask<AddCandidate> {
        AsyncTask::new(AddCandidate { engine: self.engine.clone(), session, mid, candidate })
    }

    /// Ends a session; gives what it carried, null for an unknown one.
    #[napi]
    pub fn remove_session(&self, session: String) -> AsyncTask<RemoveSession> {
        AsyncTask::new(RemoveSession(self.engine.clone(), session))
    }

    /// All counters.
    #[napi]
    pub fn snapshot(&self) -> SnapshotObject {
        self.engine.snapshot().into()
    }

    /// Every viewer.
    #[napi]
    pub fn viewers(&self) -> Vec<ViewerObject> {
        self.engine.viewers().into_iter().map(ViewerObject::from).collect()
    }

    /// What happened since the last call.
    #[napi]
    pub fn drain_events(&self) -> Vec<EventObject> {
        self.engine.drain_events().into_iter().map(EventObject::from).collect()
    }

    /// Ends everything.
    #[napi]
    pub fn close(&self) -> AsyncTask<Close> {
        AsyncTask::new(Close(self.engine.clone()))
    }
}
