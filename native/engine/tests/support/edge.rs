//! An engine that pulls from another.

use core_media::frame::Kind;
use core_media::history::Limits;
use core_media::pacer::DEFAULT_BURST;
use engine::{Engine, Event, Ingress, StreamConfig};

use super::{DEADLINE, answered, eventually, next_number, offer_pull, watch};

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

    /// Another session for the same stream, beside the one that is there.
    pub fn successor(&self) -> Self {
        Self { engine: self.engine, stream: self.stream, session: None }
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
        self.pull_legs(origin, from, &Kind::ALL, str::to_owned);
    }

    /// The same, where the answer is said to accept `legs` and comes as `change` makes it.
    pub fn pull_legs(&mut self, origin: &Engine, from: &str, legs: &[Kind], change: fn(&str) -> String) {
        loop {
            let (id, offer) = self.offer();
            let watching = format!("watching-{id}");
            let answer = watch(origin, from, &watching, next_number(), &offer).expect("an answer");
            // An error: overtaken so early that the library refuses the answer.
            let mut ended = self.engine.accept_answer(&id, &change(&answer), &answered(legs)).is_err();
            let mut connected = false;
            eventually("a connection", || {
                for event in self.engine.drain_events() {
                    connected |= matches!(&event, Event::SessionConnected { session, .. } if *session == id);
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

/// A pull's port is on every interface; an origin that is bound to loopback reaches it there.
fn with_loopback(offer: &str) -> String {
    let candidate = offer.lines().find(|line| line.starts_with("a=candidate:"));
    let port = candidate.and_then(|line| line.split_ascii_whitespace().nth(5));
    let also = port.map(|port| format!("a=candidate:99 1 UDP 1 127.0.0.1 {port} typ host\r\na=candidate:"));
    also.map_or(offer.into(), |also| offer.replacen("a=candidate:", &also, 1))
}
