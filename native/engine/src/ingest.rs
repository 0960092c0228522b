//! The thread that reads what comes in: sockets in batches, clips by the clock, frames handed over by programs.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use core_media::clip::Player;
use core_media::demux::Line;
use core_media::frame::{Frame, Kind};
use core_media::source::{Notice, Output, Source};
use core_media::time::Time;
use mio::{Events as Readiness, Interest, Poll, Token, Waker};
use rtc::{RecvBatch, TrackId, UdpSocket};

use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::inbox::{Command, Ended, Inbox, Published, PublisherKey, SourceHandle};
use crate::mailbox::Mailbox;
use crate::stream::{Stream, StreamKey};

/// The largest UDP datagram.
const MAX_DATAGRAM: usize = 65_535;

const WAKE: Token = Token(usize::MAX);

/// The sockets of a stream's legs; RTCP comes to the port after RTP (RFC 3550 §11), where that is free.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(Kind, UdpSocket)>);

impl Sockets {
    /// Opens a leg's sockets; gives the RTP port.
    pub fn open(&mut self, kind: Kind, host: IpAddr, port: u16) -> Result<u16, (u16, io::Error)> {
        let rtp = UdpSocket::bind(SocketAddr::new(host, port)).map_err(|error| (port, error))?;
        let port = rtp.local_addr().map_err(|error| (port, error))?.port();
        self.0.push((kind, rtp));
        // Taken when the legs' ports follow each other; reports then come to the other leg's socket and are told
        // apart by SSRC.
        if let Some(Ok(rtcp)) = port.checked_add(1).map(|next| UdpSocket::bind(SocketAddr::new(host, next))) {
            self.0.push((kind, rtcp));
        }
        Ok(port)
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Ingest {
    handle: SourceHandle,
    thread: Mutex<Option<JoinHandle<()>>>,
    sockets: Arc<AtomicUsize>,
}

impl Ingest {
    /// Who may feed streams from elsewhere.
    pub fn handle(&self) -> SourceHandle {
        self.handle.clone()
    }

    pub fn start(clock: Clock, shards: Vec<Arc<Mailbox>>, events: Arc<Events>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let inbox = Arc::new(Inbox::default());
        let sockets = Arc::new(AtomicUsize::new(0));
        let worker = Worker {
            clock,
            shards,
            events,
            poll,
            inbox: inbox.clone(),
            open: sockets.clone(),
            streams: HashMap::new(),
            sockets: HashMap::new(),
            next_token: 0,
            ready: Vec::new(),
            output: Output::default(),
        };
        let thread = std::thread::Builder::new().name("whep-ingest".into()).spawn(move || {
            rtc::take_precedence();
            worker.run();
        })?;
        Ok(Self { handle: SourceHandle::new(inbox, waker), thread: Mutex::new(Some(thread)), sockets })
    }

    pub fn add(
        &self,
        stream: Arc<Stream>,
        source: Source,
        sockets: Sockets,
        player: Option<Player>,
    ) -> Result<(), Ended> {
        let (source, player) = (Box::new(source), player.map(Box::new));
        self.handle.command(Command::Add { stream, source, sockets, player })
    }

    /// Blocks until the stream's sockets are closed.
    pub fn remove(&self, key: StreamKey) {
        self.wait_for(|done| Command::Remove { key, done });
    }

    /// Says where a stream's publisher is told what it has to know, and how its packets are told apart.
    pub fn publish(
        &self,
        key: StreamKey,
        publisher: PublisherKey,
        tracks: Vec<(Kind, TrackId)>,
        lines: Vec<Line>,
    ) -> Result<(), Ended> {
        self.handle.command(Command::Publish { key, publisher, tracks, lines })
    }

    /// A publisher has left; the stream may have another already. Blocks until nothing is sent to it any more.
    pub fn depart(&self, key: StreamKey, publisher: PublisherKey) {
        self.wait_for(|done| Command::Depart { key, publisher, done });
    }

    /// Has the thread fail as if the system did. For tests.
    pub fn fail(&self) {
        // One that has ended cannot fail.
        let _ = self.handle.command(Command::Fail);
    }

    fn wait_for(&self, command: impl FnOnce(mpsc::Sender<()>) -> Command) {
        let (done, is_done) = mpsc::channel();
        // An error, here or there, means that the thread has ended: its sockets are closed, and it sends nothing any more.
        if self.handle.command(command(done)).is_ok() {
            let _ = is_done.recv();
        }
    }

    /// False when too much waits, or the thread has ended.
    pub fn push(&self, key: StreamKey, kind: Kind, data: Vec<u8>, capture: Duration) -> bool {
        self.handle.push(key, kind, data, capture)
    }

    /// UDP sockets that are open.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Relaxed)
    }

    /// Ends the thread and waits for it.
    pub fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // An error means that it has ended by itself.
            let _ = self.handle.command(Command::Stop);
            // The worker catches its panics, so joining cannot fail.
            let _ = thread.join();
        }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker {
    clock: Clock,
    shards: Vec<Arc<Mailbox>>,
    events: Arc<Events>,
    poll: Poll,
    inbox: Arc<Inbox>,
    open: Arc<AtomicUsize>,
    streams: HashMap<StreamKey, Input>,
    sockets: HashMap<Token, Socket>,
    next_token: usize,
    /// Sockets that may hold more: readiness is told once, at the edge.
    ready: Vec<Token>,
    output: Output,
}

struct Input {
    stream: Arc<Stream>,
    source: Source,
    player: Option<Box<Player>>,
    /// The newest.
    publisher: Option<PublisherKey>,
    /// The publisher's, while there is one.
    tracks: Vec<(Kind, TrackId)>,
}

struct Socket {
    stream: StreamKey,
    kind: Kind,
    socket: UdpSocket,
}

impl Worker {
    fn run(mut self) {
        let end = self.work();
        // First: whoever is told of the end may count on free ports.
        self.sockets.clear();
        self.open.store(0, Relaxed);
        let waiting = self.inbox.close();
        if let Err(error) = end {
            self.fail(&error, &waiting);
        }
    }

    /// Goes on until told to stop.
    fn work(&mut self) -> io::Result<()> {
        let mut readiness = Readiness::with_capacity(256);
        let mut batch = RecvBatch::new(RecvBatch::MAX_COUNT, MAX_DATAGRAM);
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut readiness, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.ready.extend(readiness.iter().map(|event| event.token()).filter(|token| *token != WAKE));
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(&mut batch)));
            match turn {
                Ok(ControlFlow::Break(end)) => return end,
                Ok(ControlFlow::Continue(())) => {}
                Err(_) => {
                    self.output = Output::default();
                    let text = "ingest dropped what made it fail".into();
                    self.events.push(Event::Log { level: rtc::Level::Error, text });
                }
            }
        }
    }

    /// Says of every stream that nothing will come of it any more, also of those that were still to be added.
    fn fail(&self, error: &io::Error, waiting: &[Command]) {
        let text = format!("ingest cannot wait for datagrams any more: {error}");
        self.events.push(Event::Log { level: rtc::Level::Error, text: text.clone() });
        let added = waiting.iter().filter_map(|command| match command {
            Command::Add { stream, .. } => Some(stream),
            _ => None,
        });
        for stream in self.streams.values().map(|input| &input.stream).chain(added) {
            stream.fall_silent();
            self.events.push(Event::StreamFailed { stream: stream.id.clone(), error: text.clone() });
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.clock.now();
        let due = self.streams.values().flat_map(|input| {
            let player = input.player.as_ref().map(|player| player.deadline());
            [player, input.source.deadline(now)]
        });
        due.flatten().min().map(|due| due.since(now))
    }

    /// Breaks off when the thread is to end.
    fn turn(&mut self, batch: &mut RecvBatch) -> ControlFlow<io::Result<()>> {
        for command in self.inbox.take_commands() {
            match command {
                Command::Add { stream, source, sockets, player } => self.add(stream, *source, sockets, player),
                Command::Remove { key, done } => {
                    self.remove(key);
                    // Nobody waits any more: the one who asked has gone.
                    let _ = done.send(());
                }
                Command::Push { key, kind, data, capture } => {
                    let now = self.clock.now();
                    if let Some(input) = self.streams.get_mut(&key) {
                        input.source.push(kind, &data, capture, now, &mut self.output);
                        deliver(input, &mut self.output, &self.shards, &self.events);
                    }
                }
                Command::Publish { key, publisher, tracks, lines } => {
                    if let Some(input) = self.streams.get_mut(&key) {
                        (input.publisher, input.tracks) = (Some(publisher), tracks);
                        input.source.arrive(lines);
                    }
                }
                Command::Depart { key, publisher, done } => {
                    let input = self.streams.get_mut(&key);
                    if let Some(input) = input.filter(|input| input.publisher == Some(publisher)) {
                        input.tracks.clear();
                        input.source.depart(self.clock.now(), &mut self.output);
                        deliver(input, &mut self.output, &self.shards, &self.events);
                    }
                    // Nobody waits any more: the one who asked has gone.
                    let _ = done.send(());
                }
                Command::RequestKeyframe { key } => {
                    if let Some(input) = self.streams.get_mut(&key) {
                        input.stream.keyframe_wanted.store(false, Relaxed);
                        input.source.request_keyframe();
                    }
                }
                Command::Fail => return ControlFlow::Break(Err(io::ErrorKind::Other.into())),
                Command::Stop => return ControlFlow::Break(Ok(())),
            }
        }
        self.take_published();
        // One batch from each socket in turn, so that a flood on one leg does not starve the others.
        for token in std::mem::take(&mut self.ready) {
            if self.read(token, batch) && !self.ready.contains(&token) {
                self.ready.push(token);
            }
        }
        let now = self.clock.now();
        for input in self.streams.values_mut() {
            if input.source.deadline(now).is_some_and(|due| due <= now) {
                input.source.poll(now, &mut self.output);
            }
            if let Some(player) = &mut input.player {
                let (source, output) = (&mut input.source, &mut self.output);
                player.poll(now, |kind, data, capture| source.push(kind, data, capture, now, output));
            }
            deliver(input, &mut self.output, &self.shards, &self.events);
        }
        ControlFlow::Continue(())
    }

    fn take_published(&mut self) {
        let published = self.inbox.take_published();
        if published.is_empty() {
            return;
        }
        let now = self.clock.now();
        for Published { key, packet } in published {
            if let Some(input) = self.streams.get_mut(&key) {
                input.source.handle_published(&packet, now, &mut self.output);
                deliver(input, &mut self.output, &self.shards, &self.events);
            }
        }
    }

    fn add(&mut self, stream: Arc<Stream>, source: Source, sockets: Sockets, player: Option<Box<Player>>) {
        let key = stream.key;
        for (kind, mut socket) in sockets.0 {
            let token = Token(self.next_token);
            self.next_token += 1;
            if let Err(error) = self.poll.registry().register(&mut socket, token, Interest::READABLE) {
                let text = format!("stream {}: cannot watch its {} port: {error}", stream.id, kind.name());
                self.events.push(Event::Log { level: rtc::Level::Error, text });
            }
            self.open.fetch_add(1, Relaxed);
            self.sockets.insert(token, Socket { stream: key, kind, socket });
            // Datagrams may have come before the socket was watched.
            self.ready.push(token);
        }
        self.streams.insert(key, Input { stream, source, player, publisher: None, tracks: Vec::new() });
    }

    fn remove(&mut self, key: StreamKey) {
        self.streams.remove(&key);
        self.sockets.retain(|_, socket| {
            if socket.stream == key {
                // Closing takes it out of the poll as well.
                let _ = self.poll.registry().deregister(&mut socket.socket);
                self.open.fetch_sub(1, Relaxed);
            }
            socket.stream != key
        });
    }

    /// Reads one batch; true when there may be more.
    fn read(&mut self, token: Token, batch: &mut RecvBatch) -> bool {
        let Some(Socket { stream, kind, socket }) = self.sockets.get(&token) else { return false };
        let Some(input) = self.streams.get_mut(stream) else { return false };
        // An error is an ICMP message for something once sent from this port; the next read goes on.
        let Ok(count) = socket.recv(batch) else { return true };
        let now = self.clock.now();
        for (datagram, from) in batch.iter() {
            input.source.handle_datagram(*kind, datagram, from, now, &mut self.output);
        }
        deliver(input, &mut self.output, &self.shards, &self.events);
        count > 0
    }
}

/// Hands out what a source gave: frames to the shards that have viewers of it, notices to whoever drains events.
fn deliver(input: &Input, output: &mut Output, shards: &[Arc<Mailbox>], events: &Events) {
    let stream = &input.stream;
    if !output.feedback.is_empty() {
        rtc::burst(|burst| {
            for (kind, packet) in output.feedback.drain(..) {
                if let Some((_, track)) = input.tracks.iter().find(|(leg, _)| *leg == kind) {
                    burst.send(*track, &packet);
                }
            }
        });
    }
    if output.frames.is_empty() && output.notices.is_empty() {
        return;
    }
    stream.learn(&input.source);
    fan_out(stream, &output.frames, shards);
    output.frames.clear();
    for notice in output.notices.drain(..) {
        let id = stream.id.clone();
        events.push(match notice {
            Notice::Active(leg) => Event::LegActive { stream: id, leg },
            Notice::Inactive(leg, reason) => Event::LegInactive { stream: id, leg, reason },
            Notice::Warning(warning) => {
                stream.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
                Event::Warning { stream: id, warning }
            }
        });
    }
}

fn fan_out(stream: &Arc<Stream>, frames: &[Arc<Frame>], shards: &[Arc<Mailbox>]) {
    for frame in frames {
        if let Some(leg) = stream.leg(frame.kind) {
            leg.remember(frame.clone());
        }
    }
    for (mailbox, audience) in shards.iter().zip(&stream.audience) {
        let viewers = audience.load(Relaxed) as u64;
        if viewers == 0 || frames.is_empty() {
            continue;
        }
        for (kind, refused) in mailbox.deliver(stream, frames) {
            if let Some(leg) = stream.leg(kind).filter(|_| refused > 0) {
                leg.output.overloaded.fetch_add(refused as u64 * viewers, Relaxed);
            }
        }
    }
}

/// A player begins a moment from now, so that nothing of it is late.
pub fn player_start(now: Time) -> Time {
    now + Duration::from_millis(50)
}
