//! Sessions that this engine asks of another server: it offers, and what comes feeds a stream as a publisher does.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use core_media::demux::Line;
use core_media::frame::Kind;
use rtc::Role;

use super::sessions::{Carrier, Making, Server, Session, tracks};
use super::{Engine, lock};
use crate::config::{AnsweredLeg, PullConfig};
use crate::error::EngineError;
use crate::ports::Opener;
use crate::publishers::Publisher;
use crate::session::Media;
use crate::stream::Stream;

impl Engine {
    /// Makes a session that is to feed a `Publisher` stream, as a publisher does; gives the local
    /// description, an offer. Blocks, some milliseconds, until it is whole.
    pub fn offer_pull(&self, config: &PullConfig) -> Result<String, EngineError> {
        self.add_session(&config.id, &config.stream, |stream| self.make_pull(config, stream))
    }

    /// Gives such a session its answer, in which the other server accepts `legs`. Blocks for some microseconds.
    pub fn accept_answer(&self, id: &str, answer: &str, legs: &[AnsweredLeg]) -> Result<(), EngineError> {
        let _work = self.work()?;
        let session = self.session(id).ok_or_else(|| EngineError::Failed("there is no such session".into()))?;
        if let Server::Ingest(stream, publisher) = session.server {
            // First: what comes is read by it.
            self.ingest.accept(stream, publisher, legs.to_vec())?;
        }
        session.peer.set_answer(answer).map_err(|_| EngineError::InvalidAnswer)?;
        if let Some(stream) = lock(&self.streams).get(&session.stream) {
            stream.carry(&legs.iter().map(|leg| leg.kind).collect::<Vec<_>>());
        }
        Ok(())
    }

    /// Ports that carry one session each.
    pub(super) fn own_ports(&self) -> usize {
        let own = |session: &&Arc<Session>| matches!(session.carrier, Carrier::Own(_));
        lock(&self.sessions).values().flatten().filter(own).count()
    }

    /// On a port of its own: libjuice tells a port's peers apart by the address that they send from, and another server
    /// sends all its streams from one. The port is on every interface unless the engine has an address in a network: the
    /// other server may be anywhere.
    fn make_pull(&self, config: &PullConfig, stream: &Arc<Stream>) -> Result<(Session, String), EngineError> {
        let host = self.opener.host.filter(|host| !host.is_loopback());
        let opener = Opener { host, ..self.opener.clone() };
        let key = self.keys.fetch_add(1, Relaxed);
        let legs: Vec<Kind> = config.media.iter().map(|(kind, _)| *kind).collect();
        let (session, description) = self.make(Making {
            id: &config.id,
            stream: &config.stream,
            server: Server::Ingest(stream.key, key),
            media: Media::Publisher { stream: stream.key, publisher: key, source: self.ingest.handle() },
            carrier: Carrier::Own(opener.open(0)?),
            role: Role::Offer,
            tracks: config.media.iter().map(|(_, section)| section.as_str()).collect(),
            timeout: config.timeout,
        })?;
        let lines = config.media.iter().map(|(kind, section)| Line::new(*kind, None, section, None)).collect();
        let publisher = Publisher { key, tracks: tracks(&legs, &session.peer), lines, carries: None };
        self.ingest.publish(stream.key, publisher)?;
        Ok((session, description))
    }
}
