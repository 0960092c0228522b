//! The engine's face: streams and sessions by name. Every method may be called from any thread; those that block say so.

use std::collections::HashMap;
use std::hash::RandomState;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak, mpsc};
use std::time::Duration;

use core_media::clip::{Clip, Player};
use core_media::frame::Kind;
use core_media::gate::Limits;
use core_media::media::Format;
use core_media::source::{Input, Source};
use rtc::Level;

mod pull;
mod sessions;

use self::sessions::{Server, Session};
use crate::clock::Clock;
use crate::config::{EngineConfig, Ingress, RtpLeg, SessionConfig, StreamConfig, StreamPorts};
use crate::error::EngineError;
use crate::event::{Event, Events};
use crate::gate::Refused;
use crate::ingest::{Ingest, Sockets, player_start};
use crate::ports::{NextPort, Opener, Ports};
use crate::shard::{Control, Shard};
use crate::snapshot::{Histograms, SessionTotals, Snapshot, StreamSnapshot, ViewerSnapshot};
use crate::stream::{Legs, Stream, StreamFacts};

/// Events handed out at once.
const MAX_EVENTS: usize = 1_024;
/// Sessions, of some 100 KB each.
const ENDED: usize = 16;

/// Moves media from streams to viewers.
pub struct Engine {
    clock: Clock,
    /// For the ports of publishers and pulled sessions.
    opener: Opener,
    events: Arc<Events>,
    histograms: Arc<Histograms>,
    ingest: Ingest,
    shards: Vec<Shard>,
    /// Of each shard, in the same order.
    ports: Vec<Ports>,
    publisher_ports: Ports,
    next_port: NextPort,
    keys: AtomicU64,
    random: RandomState,
    /// Sessions, since memory was last given back.
    ended: AtomicUsize,
    closing: AtomicBool,
    /// Read by what adds, changes or removes something, written by `close`: each waits for the other. True at the end.
    closed: RwLock<bool>,
    streams: Mutex<HashMap<String, Arc<Stream>>>,
    /// `None` while the session is being set up. Held for moments, never during a call into the library: whoever looks at
    /// the statistics wants it.
    sessions: Mutex<HashMap<String, Option<Arc<Session>>>>,
}

impl Engine {
    /// Starts the threads and opens one UDP port per shard. Blocks for some milliseconds.
    pub fn start(config: &EngineConfig) -> Result<Self, EngineError> {
        let events = Arc::new(Events::default());
        log_to(&events);
        let clock = Clock::start();
        let histograms = Arc::new(Histograms::default());
        let failed = |error: io::Error| EngineError::Failed(format!("cannot start a thread: {error}"));
        let next_port = NextPort::new(config.media_port);
        let refused = Arc::new(Refused::default());
        let opener = |limits| Opener {
            host: config.media_host,
            limits,
            clock,
            events: events.clone(),
            refused: refused.clone(),
        };
        let mut shards = Vec::new();
        let mut ports = Vec::new();
        for index in 0..config.shards.max(1) {
            ports.push(Ports::open(opener(Limits::VIEWER), next_port.exact()?)?);
            shards.push(Shard::start(index, clock, events.clone(), histograms.clone()).map_err(failed)?);
        }
        let mailboxes = shards.iter().map(|shard| shard.mailbox.clone()).collect();
        let ingest = Ingest::start(clock, mailboxes, events.clone()).map_err(failed)?;
        Ok(Self {
            clock,
            publisher_ports: Ports::none(opener(Limits::PUBLISHER)),
            opener: opener(Limits::PUBLISHER),
            events: events.clone(),
            histograms,
            ingest,
            shards,
            ports,
            next_port,
            keys: AtomicU64::new(0),
            random: RandomState::new(),
            ended: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            closed: RwLock::new(false),
            streams: Mutex::default(),
            sessions: Mutex::default(),
        })
    }

    /// Opens a stream's input.
    pub fn add_stream(&self, config: StreamConfig) -> Result<StreamPorts, EngineError> {
        let _work = self.work()?;
        // Not held while sockets are opened and clips are read: whoever looks at the statistics wants it.
        let exists = |streams: &HashMap<_, _>| streams.contains_key(&config.id);
        if exists(&lock(&self.streams)) {
            return Err(EngineError::Exists);
        }
        let published = matches!(config.ingress, Ingress::Publisher { .. });
        let (legs, ports, sockets, player) = self.open_ingress(config.ingress)?;
        let key = self.keys.fetch_add(1, Relaxed);
        let publisher = published.then(|| self.ingest.handle());
        let shards = self.shards.len();
        let stream =
            Arc::new(Stream::new(key, config.id.clone(), &legs, config.limits, config.burst, publisher, shards));
        let input = |kind, format: Option<Format>| {
            stream.leg(kind).zip(format).map(|(leg, format)| Input { format, counters: leg.input.clone() })
        };
        let make = if published { Source::published } else { Source::new };
        let source = make(input(Kind::Video, legs.video), input(Kind::Audio, legs.audio), config.silence);
        let mut streams = lock(&self.streams);
        if exists(&streams) {
            return Err(EngineError::Exists);
        }
        self.ingest.add(stream.clone(), source, sockets, player)?;
        streams.insert(config.id, stream);
        Ok(ports)
    }

    /// Closes a stream's input; unknown names are ignored. Its viewers stay, without media. Blocks until the ports
    /// are free.
    pub fn remove_stream(&self, id: &str) {
        // Closing removes it as well.
        let Ok(_work) = self.work() else { return };
        let removed = lock(&self.streams).remove(id);
        if let Some(stream) = removed {
            self.ingest.remove(stream.key);
        }
    }

    /// What is known of a stream's media.
    pub fn facts(&self, id: &str) -> Option<StreamFacts> {
        let stream = lock(&self.streams).get(id).cloned();
        stream.map(|stream| stream.facts(self.clock.now()))
    }

    /// Takes a frame for a `Push` stream; false when too much waits, there is no such stream or ingest has failed.
    /// `capture`: when the frame was made, on any clock that both legs share.
    pub fn push(&self, id: &str, kind: Kind, data: Vec<u8>, capture: Duration) -> bool {
        let key = lock(&self.streams).get(id).filter(|stream| stream.leg(kind).is_some()).map(|stream| stream.key);
        key.is_some_and(|key| self.ingest.push(key, kind, data, capture))
    }

    /// Answers a viewer; gives the local description. Blocks, about a millisecond, until it is whole.
    pub fn add_viewer(&self, config: &SessionConfig) -> Result<String, EngineError> {
        self.add_session(&config.id, &config.stream, |stream| self.answer_viewer(config, stream))
    }

    /// Answers a publisher of a `Publisher` stream, which the newest that sends feeds. Gives the local description. Blocks
    /// as `add_viewer` does.
    pub fn add_publisher(&self, config: &SessionConfig) -> Result<String, EngineError> {
        self.add_session(&config.id, &config.stream, |stream| self.answer_publisher(config, stream))
    }

    /// Tells a session of one more address of its peer; false when it could not be used. Blocks while the session's port
    /// is busy.
    pub fn add_candidate(&self, id: &str, mid: &str, candidate: &str) -> bool {
        let Ok(_work) = self.work() else { return false };
        self.session(id).is_some_and(|session| session.peer.add_candidate(mid, candidate))
    }

    /// Ends a session and tells what it carried; nothing for an unknown name, nor when the engine closes. Blocks until
    /// its media has stopped.
    pub fn remove_session(&self, id: &str) -> Option<SessionTotals> {
        let _work = self.work().ok()?;
        let removed = lock(&self.sessions).remove(id);
        let session = removed.flatten()?;
        self.close_session(&session);
        let totals = session.state.totals();
        drop(session);
        self.give_back();
        Some(totals)
    }

    /// What ended sessions had, now and then: often enough that little is kept, seldom enough that many sessions make it
    /// no work.
    fn give_back(&self) {
        let ended = self.ended.fetch_add(1, Relaxed) + 1;
        if ended >= ENDED.max(lock(&self.sessions).len() / 4) {
            self.ended.store(0, Relaxed);
            rtc::give_back();
        }
    }

    /// All counters.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let histograms = &self.histograms;
        let shards =
            self.shards.iter().zip(&self.ports).map(|(shard, ports)| (ports.sessions(), shard.mailbox.depth()));
        let shared_ports = self.ports.iter().chain([&self.publisher_ports]).map(Ports::count).sum::<usize>();
        Snapshot {
            sends: rtc::send_counters(),
            refused: self.refused(),
            udp_ports: self.ingest.sockets() + shared_ports + self.own_ports(),
            streams: lock(&self.streams).values().map(|stream| StreamSnapshot::of(stream, now)).collect(),
            shards: shards.collect(),
            ice: histograms.ice.snapshot(),
            dtls: histograms.dtls.snapshot(),
            first_keyframe: histograms.first_keyframe.snapshot(),
            fanout: histograms.fanout.snapshot(),
            send_batch: histograms.send_batch.snapshot(),
            frame_messages: histograms.frame_messages.snapshot(),
            rtt: histograms.rtt.snapshot(),
            loss: histograms.loss.snapshot(),
        }
    }

    /// Every viewer that has been answered.
    pub fn viewers(&self) -> Vec<ViewerSnapshot> {
        let now = self.clock.now();
        let sessions = lock(&self.sessions);
        let viewers = sessions.values().flatten().filter(|session| matches!(session.server, Server::Shard(..)));
        viewers.map(|session| session.snapshot(now)).collect()
    }

    /// What happened since the last call, oldest first; the rest comes with the next call.
    pub fn drain_events(&self) -> Vec<Event> {
        self.events.drain(MAX_EVENTS)
    }

    /// Lets a shard stand still until the result is dropped, as a machine without a free core would. For tests.
    #[doc(hidden)]
    pub fn hold_shard(&self, shard: usize) -> impl Send + use<> {
        let (held, is_held) = mpsc::channel();
        let (hold, released) = mpsc::channel::<()>();
        self.shards[shard].mailbox.control(Control::Hold(held, released));
        // An error means that the shard has ended and stands still anyway.
        let _ = is_held.recv();
        hold
    }

    /// Has ingest fail as if the system did. For tests.
    #[doc(hidden)]
    pub fn fail_ingest(&self) {
        self.ingest.fail();
    }

    /// Ends everything; a second call waits for the first. Blocks until what is under way is done, and all threads and
    /// ports are gone.
    pub fn close(&self) {
        self.closing.store(true, Relaxed);
        let mut closed = self.closed.write().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return;
        }
        let sessions: Vec<Arc<Session>> = lock(&self.sessions).drain().filter_map(|(_, session)| session).collect();
        sessions.into_iter().for_each(|session| self.close_session(&session));
        lock(&self.streams).clear();
        self.ingest.stop();
        self.shards.iter().for_each(Shard::stop);
        self.ports.iter().chain([&self.publisher_ports]).for_each(Ports::close);
        *closed = true;
    }

    /// What peers sent in vain, by reason.
    fn refused(&self) -> Vec<(&'static str, u64)> {
        self.opener.refused.counts().chain([("senders", rtc::refused_senders())]).collect()
    }

    /// What `close` waits for, while the result lives. One at a time in each thread.
    fn work(&self) -> Result<RwLockReadGuard<'_, bool>, EngineError> {
        let work = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        // It may still be waiting for others' work.
        if self.closing.load(Relaxed) { Err(EngineError::Closing) } else { Ok(work) }
    }

    fn session(&self, id: &str) -> Option<Arc<Session>> {
        lock(&self.sessions).get(id).cloned().flatten()
    }

    fn open_ingress(&self, ingress: Ingress) -> Result<OpenIngress, EngineError> {
        let mut sockets = Sockets::default();
        match ingress {
            Ingress::Rtp { host, video, audio } => {
                let mut open = |kind, leg: Option<&RtpLeg>| {
                    leg.map(|leg| sockets.open(kind, host, leg)).transpose().map_err(|(port, error)| {
                        match error.kind() {
                            io::ErrorKind::AddrInUse => EngineError::AddressInUse(port),
                            _ => EngineError::Failed(format!("cannot open UDP port {port}: {error}")),
                        }
                    })
                };
                let ports = StreamPorts {
                    video: open(Kind::Video, video.as_ref())?,
                    audio: open(Kind::Audio, audio.as_ref())?,
                };
                let legs = Legs { video: video.map(|leg| leg.format), audio: audio.map(|leg| leg.format) };
                Ok((legs, ports, sockets, None))
            }
            Ingress::Clip { video, audio, frames_per_second } => {
                let clip = Clip::parse(video, &audio, frames_per_second).map_err(|_| EngineError::InvalidClip)?;
                let player = Player::new(clip, player_start(self.clock.now()));
                Ok((Legs::usual(true, true), StreamPorts::default(), sockets, Some(player)))
            }
            // Until one comes.
            Ingress::Publisher { video, audio } => {
                Ok((Legs::usual(video, audio), StreamPorts::default(), sockets, None))
            }
            Ingress::Push { video, audio } => Ok((Legs { video, audio }, StreamPorts::default(), sockets, None)),
        }
    }
}

/// Which legs there are, their ports, their sockets, and what plays.
type OpenIngress = (Legs, StreamPorts, Sockets, Option<Player>);

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves maps of names whole: each change to them is one call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Engines that want the library's log; it has one for the whole process.
static LISTENERS: Mutex<Vec<Weak<Events>>> = Mutex::new(Vec::new());

fn log_to(events: &Arc<Events>) {
    let mut listeners = lock(&LISTENERS);
    listeners.retain(|listener| listener.strong_count() > 0);
    listeners.push(Arc::downgrade(events));
    drop(listeners);
    rtc::init(|level: Level, text: &str| {
        for events in lock(&LISTENERS).iter().filter_map(Weak::upgrade) {
            events.push(Event::Log { level, text: text.to_owned() });
        }
    });
}
