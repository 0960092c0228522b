//! The thread itself: what has come of each socket, command and clip, to sources and from them to shards.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use core_media::clip::Player;
use core_media::frame::{Frame, Kind};
use core_media::source::{Notice, Output, Source};
use mio::{Events as Readiness, Interest, Poll, Token};
use rtc::{RecvBatch, UdpSocket};

use super::Sockets;
use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::inbox::{Command, Inbox, Published};
use crate::mailbox::Mailbox;
use crate::publishers::{Admission, Departure, Publishers};
use crate::shard::Control;
use crate::stream::{Stream, StreamKey};

/// The largest UDP datagram.
const MAX_DATAGRAM: usize = 65_535;

/// Errors in a row after which a socket is left alone.
const MAX_ERRORS: u32 = 16;

/// Wakes the thread: none of its sockets.
pub const WAKE: Token = Token(usize::MAX);

/// What the thread owns.
pub struct Worker {
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
    publishers: Publishers,
}

struct Socket {
    stream: StreamKey,
    kind: Kind,
    socket: UdpSocket,
    /// In a row.
    errors: u32,
}

impl Worker {
    /// `open` counts its sockets for others.
    pub fn new(
        clock: Clock,
        shards: Vec<Arc<Mailbox>>,
        events: Arc<Events>,
        poll: Poll,
        inbox: Arc<Inbox>,
        open: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            clock,
            shards,
            events,
            poll,
            inbox,
            open,
            streams: HashMap::new(),
            sockets: HashMap::new(),
            next_token: 0,
            ready: Vec::new(),
            output: Output::default(),
        }
    }

    /// Works until told to stop, or the system fails.
    pub fn run(mut self) {
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
                Command::Publish { key, publisher } => {
                    if let Some(input) = self.streams.get_mut(&key) {
                        input.publishers.add(publisher);
                    }
                }
                Command::Accept { key, publisher, legs } => {
                    if let Some(input) = self.streams.get_mut(&key) {
                        input.publishers.accept(publisher, &legs);
                    }
                }
                Command::Depart { key, publisher, done } => {
                    if let Some(input) = self.streams.get_mut(&key)
                        && input.publishers.remove(publisher) == Departure::Ends
                    {
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
        for Published { key, publisher, packet } in published {
            if let Some(input) = self.streams.get_mut(&key) {
                match input.publishers.admit(publisher) {
                    Admission::Feeds => {}
                    Admission::Begins(publisher) => {
                        if let Some(legs) = &publisher.carries {
                            input.stream.carry(legs);
                        }
                        let changed = input.source.arrive(publisher.lines.clone());
                        if !changed.is_empty() {
                            begin_anew(input, &changed, &self.shards);
                        }
                    }
                    Admission::Refused => continue,
                }
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
            self.sockets.insert(token, Socket { stream: key, kind, socket, errors: 0 });
            // Datagrams may have come before the socket was watched.
            self.ready.push(token);
        }
        self.streams.insert(key, Input { stream, source, player, publishers: Publishers::default() });
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
        let Some(Socket { stream, kind, socket, errors }) = self.sockets.get_mut(&token) else { return false };
        let Some(input) = self.streams.get_mut(stream) else { return false };
        let Ok(count) = socket.recv(batch) else {
            // An ICMP message for something once sent from this port; the next read goes on. What lasts is not asked again
            // until the system says that there is something.
            *errors += 1;
            return *errors % MAX_ERRORS > 0;
        };
        *errors = 0;
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
                if let Some(track) = input.publishers.track(kind) {
                    burst.send(track, &packet);
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

/// These legs carry another codec from now on, which no viewer has been promised.
fn begin_anew(input: &Input, legs: &[Kind], shards: &[Arc<Mailbox>]) {
    let Input { stream, source, .. } = input;
    stream.learn(source);
    for leg in legs.iter().filter_map(|kind| stream.leg(*kind)) {
        leg.begin_anew();
    }
    for mailbox in shards {
        mailbox.control(Control::CodecChanged(stream.key));
    }
}

fn fan_out(stream: &Arc<Stream>, frames: &[Arc<Frame>], shards: &[Arc<Mailbox>]) {
    for frame in frames {
        if let Some(leg) = stream.leg(frame.kind()) {
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
