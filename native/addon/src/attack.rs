//! The attacker as a Node-API function, for `scripts/bench attack` and its tests: converts, delegates, nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ::load::attack::{Attack, Bounds, Door, Report, Target, attack};
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Error, Result, Task};
use napi_derive::napi;

/// Attacks a server on loopback; resolves when it is over. Rejects when it could not begin.
#[napi]
pub fn attack_server(config: AttackObject) -> AsyncTask<AttackServer> {
    AsyncTask::new(AttackServer(config))
}

/// Who is attacked, how and for how long.
#[napi(object, object_to_js = false)]
pub struct AttackObject {
    /// As the load generator names it.
    pub name: String,
    /// The WHEP endpoint.
    pub url: String,
    /// The RTP port of a leg, on loopback; for the attacks that go there.
    pub leg: Option<u16>,
    /// How long it lasts.
    pub milliseconds: f64,
    /// Datagrams after which it ends.
    pub most: f64,
}

/// What was done.
#[napi(object, object_from_js = false)]
pub struct AttackResult {
    /// Datagrams.
    pub sent: f64,
    /// Sessions that the attacker had.
    pub sessions: f64,
    /// Those of them that the server ended.
    pub ended: f64,
}

/// Attacks a server.
pub struct AttackServer(AttackObject);

impl Task for AttackServer {
    type Output = Report;
    type JsValue = AttackResult;

    fn compute(&mut self) -> Result<Report> {
        let AttackObject { name, url, leg, milliseconds, most } = &self.0;
        let kind = Attack::named(name).ok_or_else(|| Error::from_reason(format!("there is no attack {name}")))?;
        let bounds = Bounds { lasts: Duration::from_secs_f64(milliseconds.max(0.0) / 1e3), most: most.max(0.0) as u64 };
        let leg = leg.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let door = Door::new(url);
        let target = Target { join: &|offer| door.join(offer), leg };
        attack(kind, &target, bounds).map_err(Error::from_reason)
    }

    fn resolve(&mut self, _env: Env, report: Report) -> Result<AttackResult> {
        let Report { sent, sessions, ended } = report;
        Ok(AttackResult { sent: sent as f64, sessions: sessions as f64, ended: ended as f64 })
    }
}
