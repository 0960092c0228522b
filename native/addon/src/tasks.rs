//! What blocks, as tasks of the runtime's worker pool.

use std::sync::Arc;

use engine::{AnsweredLeg, Engine, EngineError, PullConfig, SessionConfig, SessionTotals, StreamConfig, StreamPorts};
use napi::{Env, Error, Result, Task};

use crate::NativeEngine;
use crate::convert::{EngineOptions, PortsObject, TotalsObject};

fn failed(error: EngineError) -> Error {
    Error::from_reason(format!("{}: {error}", error.code()))
}

/// Starts an engine.
pub struct Start(pub EngineOptions);

impl Task for Start {
    type Output = Engine;
    type JsValue = NativeEngine;

    fn compute(&mut self) -> Result<Engine> {
        let config = self.0.parse().map_err(failed)?;
        Engine::start(&config).map_err(failed)
    }

    fn resolve(&mut self, _env: Env, engine: Engine) -> Result<NativeEngine> {
        Ok(NativeEngine { engine: Arc::new(engine) })
    }
}

/// Opens a stream's input.
pub struct AddStream(pub Arc<Engine>, pub Option<std::result::Result<StreamConfig, EngineError>>);

impl Task for AddStream {
    type Output = StreamPorts;
    type JsValue = PortsObject;

    fn compute(&mut self) -> Result<StreamPorts> {
        let config = self.1.take().unwrap_or(Err(EngineError::Closing)).map_err(failed)?;
        self.0.add_stream(config).map_err(failed)
    }

    fn resolve(&mut self, _env: Env, ports: StreamPorts) -> Result<PortsObject> {
        Ok(ports.into())
    }
}

/// Answers a viewer.
pub struct AddViewer(pub Arc<Engine>, pub std::result::Result<SessionConfig, EngineError>);

impl Task for AddViewer {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        let config = self.1.as_ref().map_err(|error| failed(error.clone()))?;
        self.0.add_viewer(config).map_err(failed)
    }

    fn resolve(&mut self, _env: Env, description: String) -> Result<String> {
        Ok(description)
    }
}

/// Answers a publisher.
pub struct AddPublisher(pub Arc<Engine>, pub std::result::Result<SessionConfig, EngineError>);

impl Task for AddPublisher {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        let config = self.1.as_ref().map_err(|error| failed(error.clone()))?;
        self.0.add_publisher(config).map_err(failed)
    }

    fn resolve(&mut self, _env: Env, description: String) -> Result<String> {
        Ok(description)
    }
}

/// Makes an offer to another server.
pub struct OfferPull(pub Arc<Engine>, pub std::result::Result<PullConfig, EngineError>);

impl Task for OfferPull {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        let config = self.1.as_ref().map_err(|error| failed(error.clone()))?;
        self.0.offer_pull(config).map_err(failed)
    }

    fn resolve(&mut self, _env: Env, description: String) -> Result<String> {
        Ok(description)
    }
}

/// Takes in the other server's answer.
pub struct AcceptAnswer {
    pub engine: Arc<Engine>,
    pub session: String,
    pub answer: String,
    pub legs: std::result::Result<Vec<AnsweredLeg>, EngineError>,
}

impl Task for AcceptAnswer {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        let legs = self.legs.as_ref().map_err(|error| failed(error.clone()))?;
        self.engine.accept_answer(&self.session, &self.answer, legs).map_err(failed)
    }

    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

/// Tells a session of one more address of its peer.
pub struct AddCandidate {
    pub engine: Arc<Engine>,
    pub session: String,
    pub mid: String,
    pub candidate: String,
}

impl Task for AddCandidate {
    type Output = bool;
    type JsValue = bool;

    fn compute(&mut self) -> Result<bool> {
        Ok(self.engine.add_candidate(&self.session, &self.mid, &self.candidate))
    }

    fn resolve(&mut self, _env: Env, used: bool) -> Result<bool> {
        Ok(used)
    }
}

/// Closes a stream's input.
pub struct RemoveStream(pub Arc<Engine>, pub String);

impl Task for RemoveStream {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        self.0.remove_stream(&self.1);
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

/// Ends a session.
pub struct RemoveSession(pub Arc<Engine>, pub String);

impl Task for RemoveSession {
    type Output = Option<SessionTotals>;
    type JsValue = Option<TotalsObject>;

    fn compute(&mut self) -> Result<Option<SessionTotals>> {
        Ok(self.0.remove_session(&self.1))
    }

    fn resolve(&mut self, _env: Env, totals: Option<SessionTotals>) -> Result<Option<TotalsObject>> {
        Ok(totals.map(TotalsObject::from))
    }
}

/// Ends everything.
pub struct Close(pub Arc<Engine>);

impl Task for Close {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        self.0.close();
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}
