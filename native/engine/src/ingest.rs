//! The thread that reads what comes in: sockets in batches, clips by the clock, frames handed over by programs.

mod worker;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use core_media::clip::Player;
use core_media::frame::Kind;
use core_media::source::Source;
use core_media::time::Time;
use mio::{Poll, Waker};
use rtc::UdpSocket;

use crate::clock::Clock;
use crate::config::{AnsweredLeg, RtpLeg};
use crate::event::Events;
use crate::inbox::{Command, Ended, Inbox, SourceHandle};
use crate::mailbox::Mailbox;
use crate::publishers::{Publisher, PublisherKey};
use crate::stream::{Stream, StreamKey};
use worker::{WAKE, Worker};

/// The sockets of a stream's legs; RTCP comes to the port after RTP (RFC 3550 §11), where that is free.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(Kind, UdpSocket)>);

impl Sockets {
    /// Opens a leg's sockets; gives the RTP port.
    pub fn open(&mut self, kind: Kind, host: IpAddr, leg: &RtpLeg) -> Result<u16, (u16, io::Error)> {
        let bind = |port| UdpSocket::bind(SocketAddr::new(host, port)).map_err(|error| (port, error));
        let rtp = bind(leg.port)?;
        let port = rtp.local_addr().map_err(|error| (leg.port, error))?.port();
        self.0.push((kind, rtp));
        match leg.rtcp_port {
            // Both come to one port (RFC 5761).
            Some(rtcp) if rtcp == port => {}
            Some(rtcp) => self.0.push((kind, bind(rtcp)?)),
            // Taken when the legs' ports follow each other; reports then come to the other leg's socket and are told
            // apart by SSRC.
            None => self.0.extend(port.checked_add(1).and_then(|next| bind(next).ok()).map(|rtcp| (kind, rtcp))),
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
        let worker = Worker::new(clock, shards, events, poll, inbox.clone(), sockets.clone());
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

    /// A publisher may send soon. The one that feeds the stream does so until then.
    pub fn publish(&self, key: StreamKey, publisher: Publisher) -> Result<(), Ended> {
        self.handle.command(Command::Publish { key, publisher })
    }

    /// Another server has answered what it sends: packets of it may come from now on.
    pub fn accept(&self, key: StreamKey, publisher: PublisherKey, legs: Vec<AnsweredLeg>) -> Result<(), Ended> {
        self.handle.command(Command::Accept { key, publisher, legs })
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

/// A player begins a moment from now, so that nothing of it is late.
pub fn player_start(now: Time) -> Time {
    now + Duration::from_millis(50)
}
