//! Sessions: made with a peer, handed to the thread that serves them, ended.

use std::hash::BuildHasher;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use core_media::budget::Budget;
use core_media::demux::Line;
use core_media::frame::Kind;
use core_media::media::Format;
use core_media::time::Time;
use core_media::track::{Retransmission, Track, TrackConfig};
use rtc::{Peer, PeerConfig, Role, SrtpProfile};

use super::{Engine, lock};
use crate::config::{MediaLine, SessionConfig};
use crate::error::EngineError;
use crate::gate::Admitted;
use crate::ports::{Place, Port};
use crate::publishers::{Publisher, PublisherKey, Tracks};
use crate::session::{Media, SessionEvents, SessionState};
use crate::shard::Control;
use crate::snapshot::{ViewerSnapshot, ViewerState};
use crate::stream::{Stream, StreamKey};
use crate::viewer::{ShardTrack, ShardViewer, ViewerKey};

/// A session's parts outside the thread that serves it. Dropped in this order, after `Engine::close_session`: the port is
/// still ours while the peer closes.
pub(super) struct Session {
    pub(super) stream: String,
    pub(super) server: Server,
    pub(super) state: Arc<SessionState>,
    pub(super) peer: Peer,
    _admitted: Admitted,
    pub(super) carrier: Carrier,
}

/// The port that carries a session.
pub(super) enum Carrier {
    /// Shared with others.
    Shared(Place),
    /// Its own.
    Own(Port),
}

/// What makes a session.
pub(super) struct Making<'a> {
    pub(super) id: &'a str,
    pub(super) stream: &'a str,
    pub(super) server: Server,
    pub(super) media: Media,
    pub(super) carrier: Carrier,
    pub(super) role: Role<'a>,
    /// Their media sections.
    pub(super) tracks: Vec<&'a str>,
    pub(super) timeout: Duration,
}

/// Who serves a session.
pub(super) enum Server {
    /// A viewer, by a shard.
    Shard(usize, ViewerKey),
    /// A publisher, by the ingest thread.
    Ingest(StreamKey, PublisherKey),
}

impl Server {
    /// Of the viewer or publisher: unique in this engine.
    fn key(&self) -> u64 {
        match self {
            Self::Shard(_, key) | Self::Ingest(_, key) => *key,
        }
    }
}

impl Engine {
    pub(super) fn add_session(
        &self,
        id: &str,
        stream: &str,
        make: impl FnOnce(&Arc<Stream>) -> Result<(Session, String), EngineError>,
    ) -> Result<String, EngineError> {
        let _work = self.work()?;
        let stream = lock(&self.streams).get(stream).cloned().ok_or(EngineError::UnknownStream)?;
        {
            let mut sessions = lock(&self.sessions);
            if sessions.contains_key(id) {
                return Err(EngineError::Exists);
            }
            sessions.insert(id.into(), None);
        }
        let made = make(&stream);
        let mut sessions = lock(&self.sessions);
        let removed_meanwhile = sessions.remove(id).is_none();
        match made {
            Ok((session, description)) if !removed_meanwhile => {
                sessions.insert(id.into(), Some(Arc::new(session)));
                Ok(description)
            }
            Ok((session, _)) => {
                drop(sessions);
                self.close_session(&session);
                Err(EngineError::Closing)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn answer_viewer(
        &self,
        config: &SessionConfig,
        stream: &Arc<Stream>,
    ) -> Result<(Session, String), EngineError> {
        if has_one_ssrc_twice(&config.media) {
            return Err(EngineError::Failed("two streams of a viewer have one SSRC".into()));
        }
        let shard = self.emptiest_shard();
        let carrier = Carrier::Shared(self.ports[shard].place(&self.next_port)?);
        let mailbox = &self.shards[shard].mailbox;
        let key = self.keys.fetch_add(1, Relaxed);
        let streams = config.media.iter().map(|line| (line.ssrc, line.codec)).collect();
        let media = Media::Viewer(key, mailbox.clone(), streams);
        let (session, description) = self.answer(config, carrier, Server::Shard(shard, key), media)?;
        let lines = config.media.iter().enumerate();
        let tracks = lines.map(|(index, line)| self.track(key, stream, &session.peer, index, line)).collect();
        let cname = config.media.first().map(|line| line.cname.clone()).unwrap_or_default();
        let viewer = ShardViewer::new(key, stream.clone(), session.state.clone(), cname, tracks);
        mailbox.control(Control::Add(Box::new(viewer)));
        Ok((session, description))
    }

    pub(super) fn answer_publisher(
        &self,
        config: &SessionConfig,
        stream: &Arc<Stream>,
    ) -> Result<(Session, String), EngineError> {
        let legs: Vec<Kind> = config.media.iter().map(|line| line.kind).collect();
        let key = self.keys.fetch_add(1, Relaxed);
        let media = Media::Publisher { stream: stream.key, publisher: key, source: self.ingest.handle() };
        let server = Server::Ingest(stream.key, key);
        let carrier = Carrier::Shared(self.publisher_ports.place(&self.next_port)?);
        let (session, description) = self.answer(config, carrier, server, media)?;
        let lines = config.media.iter().map(|line| {
            let announced = Some(line.ssrc).filter(|ssrc| *ssrc != 0);
            Line::new(line.kind, Some(Format::of(line.codec, line.channels)), &line.description, announced)
        });
        let (tracks, lines) = (tracks(&legs, &session.peer), lines.collect());
        self.ingest.publish(stream.key, Publisher { key, tracks, lines, carries: Some(legs) })?;
        Ok((session, description))
    }

    fn emptiest_shard(&self) -> usize {
        (0..self.shards.len()).min_by_key(|&shard| self.ports[shard].sessions()).unwrap_or(0)
    }

    fn answer(
        &self,
        config: &SessionConfig,
        carrier: Carrier,
        server: Server,
        media: Media,
    ) -> Result<(Session, String), EngineError> {
        self.make(Making {
            id: &config.id,
            stream: &config.stream,
            server,
            media,
            carrier,
            role: Role::Answer { offer: &config.offer },
            tracks: config.media.iter().map(|line| line.description.as_str()).collect(),
            timeout: config.timeout,
        })
    }

    pub(super) fn make(&self, making: Making<'_>) -> Result<(Session, String), EngineError> {
        let Making { id, stream, server, media, carrier, role, tracks, timeout } = making;
        let state = Arc::new(SessionState::new(id.into(), self.clock.now()));
        let events = Arc::new(SessionEvents {
            state: state.clone(),
            media,
            events: self.events.clone(),
            histograms: self.histograms.clone(),
            refused: self.opener.refused.clone(),
            feedback: Mutex::new(Budget::feedback()),
            clock: self.clock,
        });
        let config = PeerConfig {
            port: &carrier.port().mux,
            role,
            tracks: &tracks,
            profiles: &SrtpProfile::PREFERENCE,
            timeout,
        };
        let (peer, description) = Peer::new(config, events)?;
        let admitted = carrier.port().gate.admit(server.key(), &description, state.clone());
        // Now that the gate knows who may answer.
        if let Role::Answer { offer } = role {
            peer.check(offer);
        }
        Ok((Session { stream: stream.into(), server, state, peer, _admitted: admitted, carrier }, description))
    }

    fn track(&self, key: ViewerKey, stream: &Stream, peer: &Peer, index: usize, line: &MediaLine) -> ShardTrack {
        // Keyed by the system's randomness: not for secrets, but nobody can guess where numbers begin.
        let random = self.random.hash_one((key, index));
        let track = Track::new(TrackConfig {
            codec: line.codec,
            payload_type: line.payload_type,
            ssrc: line.ssrc,
            first_sequence: random as u16 >> 1,
            timestamp_offset: (random >> 32) as u32,
            nack: line.nack,
            retransmission: line.retransmission.map(|(payload_type, ssrc)| Retransmission {
                payload_type,
                ssrc,
                first_sequence: (random >> 16) as u16 >> 1,
            }),
            extensions: line.extensions,
            burst: stream.burst,
            wall: self.clock.wall(),
        });
        ShardTrack { id: peer.track(index), track, open: false }
    }

    /// Blocks until nothing more is sent. The peer closes with the last who holds the session: one of its candidates may
    /// just be on the way to it.
    pub(super) fn close_session(&self, session: &Session) {
        session.state.retire();
        match session.server {
            Server::Shard(shard, key) => {
                let (done, removed) = mpsc::channel();
                self.shards[shard].mailbox.control(Control::Remove(key, done));
                // An error means that the shard has ended: it dropped what waited for it.
                let _ = removed.recv();
            }
            Server::Ingest(stream, publisher) => self.ingest.depart(stream, publisher),
        }
    }
}

impl Session {
    pub(super) fn snapshot(&self, now: Time) -> ViewerSnapshot {
        let (rtt, loss, jitter) = self.state.reception();
        ViewerSnapshot {
            id: self.state.id.clone(),
            stream: self.stream.clone(),
            state: ViewerState::of(&self.state),
            age: now.since(self.state.created).as_secs_f64(),
            packets_out: self.state.packets.load(Relaxed),
            bytes_out: self.state.bytes.load(Relaxed),
            retransmissions: self.state.retransmissions.load(Relaxed),
            rtt,
            loss,
            jitter,
            candidate_pair: self.peer.candidate_pair(),
        }
    }
}

/// SRTP tells the packets of a viewer apart by SSRC and number alone (RFC 3711 §9.1).
fn has_one_ssrc_twice(lines: &[MediaLine]) -> bool {
    let media = lines.iter().map(|line| line.ssrc);
    let repairs = lines.iter().filter_map(|line| line.retransmission).map(|(_, ssrc)| ssrc);
    let mut ssrcs: Vec<u32> = media.chain(repairs).collect();
    ssrcs.sort_unstable();
    ssrcs.windows(2).any(|pair| pair[0] == pair[1])
}

/// Where each leg's publisher is told what it has to know; the legs are in the order of the peer's tracks.
pub(super) fn tracks(legs: &[Kind], peer: &Peer) -> Tracks {
    legs.iter().enumerate().map(|(index, leg)| (*leg, peer.track(index))).collect()
}

impl Carrier {
    fn port(&self) -> &Port {
        match self {
            Self::Shared(place) => place.port(),
            Self::Own(port) => port,
        }
    }
}
