//! Engines that feed each other.

use core_media::frame::Kind;
use core_media::history::Limits;
use core_media::pacer::DEFAULT_BURST;
use engine::{Engine, EngineError, Event, Ingress, PullConfig, StreamConfig};

use super::{DEADLINE, LINES, eventually, next_number, section, watch};

/// Has the engine make an offer of `LINES` to another server.
pub fn offer_pull(engine: &Engine, stream: &str, id: &str, number: u32) -> Result<String, EngineError> {
    let wanted = |(kind, payload_type, codec): (Kind, u8, &str)| {
        (kind, section(kind, payload_type, codec, "recvonly", Some(number)))
    };
    let media = LINES.map(wanted).to_vec();
    engine.offer_pull(&PullConfig { id: id.into(), stream: stream.into(), media, timeout: DEADLINE })
}

/// A pull's port is on every interface; an origin that is bound to loopback reaches it there.
fn with_loopback(offer: &str) -> String {
    let candidate = offer.lines().find(|line| line.starts_with("a=candidate:"));
    let port = candidate.and_then(|line| line.split_ascii_whitespace().nth(5));
    let also = port.map(|port| format!("a=candidate:99 1 UDP 1 127.0.0.1 {port} typ host\r\na=candidate:"));
    also.map_or(offer.into(), |also| offer.replacen("a=candidate:", &also, 1))
}

/// An engine's stream that another engine feeds.
pub struct Edge<'a> {
    pub engine: &'a Engine,
    stream: &'static str,
    /// Of its session, and of the origin's.
    session: Option<(String, String)>,
}

impl<'a> Edge<'a> {
    pub fn new(engine: &'a Engine, stream: &'static str) -> Self {
        let ingress = Ingress::Publisher { video: true, audio: true };
        let limits = Limits::default();
        let config = StreamConfig { id: stream.into(), ingress, silence: DEADLINE, limits, burst: DEFAULT_BURST };
        engine.add_stream(config).expect("a new stream");
        Self { engine, stream, session: None }
    }

    /// Makes an offer; gives its session's name and the text.
    pub fn offer(&self) -> (String, String) {
        let number = next_number();
        let id = format!("pull-{number}");
        let offer = offer_pull(self.engine, self.stream, &id, number).expect("an offer");
        (id, with_loopback(&offer))
    }

    /// Pulls a stream of the origin; again and again, for the reason that `Viewer::join` gives.
    pub fn pull(&mut self, origin: &Engine, from: &str) {
        self.pull_legs(origin, from, &Kind::ALL);
    }

    /// The same, where the answer is said to accept `legs`.
    pub fn pull_legs(&mut self, origin: &Engine, from: &str, legs: &[Kind]) {
        loop {
            let (id, offer) = self.offer();
            let watching = format!("watching-{id}");
            let answer = watch(origin, from, &watching, next_number(), &offer).expect("an answer");
            // An error: overtaken so early that the library refuses the answer.
            let mut ended = self.engine.accept_answer(&id, &answer, legs).is_err();
            let mut connected = false;
            eventually("a connection", || {
                for event in self.engine.drain_events() {
                    connected |= event == Event::SessionConnected { session: id.clone() };
                    ended |= matches!(&event, Event::SessionEnded { session, .. } if *session == id);
                }
                connected || ended
            });
            self.session = Some((id, watching));
            if connected && !ended {
                return;
            }
            self.leave(origin);
        }
    }

    /// Ends the session on both sides.
    pub fn leave(&mut self, origin: &Engine) {
        let (id, watching) = self.session.take().expect("a session");
        self.engine.remove_session(&id);
        origin.remove_session(&watching);
    }
}
