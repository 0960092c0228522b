//! One viewer, and what it has carried in the end.

use engine::{SessionTotals, ViewerSnapshot};
use napi_derive::napi;

/// One viewer.
#[napi(object, object_from_js = false)]
pub struct ViewerObject {
    /// Its session's name.
    pub id: String,
    /// What it watches.
    pub stream: String,
    /// How far it got.
    pub state: String,
    /// Seconds since its offer.
    pub age_seconds: f64,
    /// Sent.
    pub packets_out: f64,
    /// Sent.
    pub bytes_out: f64,
    /// Sent again.
    pub retransmissions: f64,
    /// As it reports.
    pub rtt_seconds: Option<f64>,
    /// As it reports.
    pub loss_ratio: Option<f64>,
    /// As it reports.
    pub jitter_seconds: Option<f64>,
    /// Once chosen.
    pub candidate_pair: Option<String>,
}

impl From<ViewerSnapshot> for ViewerObject {
    fn from(viewer: ViewerSnapshot) -> Self {
        Self {
            id: viewer.id,
            stream: viewer.stream,
            state: viewer.state.name().into(),
            age_seconds: viewer.age,
            packets_out: viewer.packets_out as f64,
            bytes_out: viewer.bytes_out as f64,
            retransmissions: viewer.retransmissions as f64,
            rtt_seconds: viewer.rtt,
            loss_ratio: viewer.loss,
            jitter_seconds: viewer.jitter,
            candidate_pair: viewer.candidate_pair,
        }
    }
}

/// What a session carried in all.
#[napi(object, object_from_js = false)]
pub struct TotalsObject {
    /// Sent or received.
    pub packets: f64,
    /// The same.
    pub bytes: f64,
    /// As the viewer says.
    pub loss_ratio: Option<f64>,
}

impl From<SessionTotals> for TotalsObject {
    fn from(totals: SessionTotals) -> Self {
        Self { packets: totals.packets as f64, bytes: totals.bytes as f64, loss_ratio: totals.loss }
    }
}
