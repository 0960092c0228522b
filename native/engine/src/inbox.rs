//! What the ingest thread is told, from any thread.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use core_media::clip::Player;
use core_media::frame::Kind;
use core_media::source::Source;
use mio::Waker;

use crate::config::AnsweredLeg;
use crate::ingest::Sockets;
use crate::publishers::{Publisher, PublisherKey};
use crate::stream::{Stream, StreamKey};

/// Bytes of pushed frames that may wait; past it `push` says no.
const PUSH_CAPACITY: usize = 4 << 20;

/// Packets from publishers that may wait.
const PUBLISH_CAPACITY: usize = 8_192;

/// One thing to do.
pub enum Command {
    Add {
        stream: Arc<Stream>,
        source: Box<Source>,
        sockets: Sockets,
        player: Option<Box<Player>>,
    },
    Remove {
        key: StreamKey,
        done: mpsc::Sender<()>,
    },
    Push {
        key: StreamKey,
        kind: Kind,
        data: Vec<u8>,
        capture: Duration,
    },
    /// A publisher comes: it may send soon.
    Publish {
        key: StreamKey,
        publisher: Publisher,
    },
    /// The other server has answered.
    Accept {
        key: StreamKey,
        publisher: PublisherKey,
        legs: Vec<AnsweredLeg>,
    },
    Depart {
        key: StreamKey,
        publisher: PublisherKey,
        done: mpsc::Sender<()>,
    },
    RequestKeyframe {
        key: StreamKey,
    },
    /// The thread fails. For tests.
    Fail,
    Stop,
}

/// The ingest thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

/// A way to the thread that can be kept anywhere.
#[derive(Clone, Debug)]
pub struct SourceHandle {
    inbox: Arc<Inbox>,
    waker: Arc<Waker>,
}

/// Where commands and packets wait.
pub struct Inbox {
    /// Nothing is taken in any more once the thread has ended.
    commands: Mutex<Option<Vec<Command>>>,
    pushed_bytes: AtomicUsize,
    published: Mutex<Vec<Published>>,
}

/// A packet from a publisher.
pub struct Published {
    pub key: StreamKey,
    pub publisher: PublisherKey,
    pub packet: Vec<u8>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("pushed_bytes", &self.pushed_bytes).finish_non_exhaustive()
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self { commands: Mutex::new(Some(Vec::new())), pushed_bytes: AtomicUsize::new(0), published: Mutex::default() }
    }
}

impl Inbox {
    /// What came since the last call, in its order; none of it waits any more.
    pub fn take_commands(&self) -> Vec<Command> {
        let commands = self.commands().as_mut().map(std::mem::take).unwrap_or_default();
        let pushed =
            commands.iter().map(|command| if let Command::Push { data, .. } = command { data.len() } else { 0 });
        self.pushed_bytes.fetch_sub(pushed.sum(), Relaxed);
        commands
    }

    /// The same for publishers' packets.
    pub fn take_published(&self) -> Vec<Published> {
        std::mem::take(&mut *self.published.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The thread ends: nothing is taken in any more. Gives what still waits; whoever waits for it hears of the end when
    /// it is dropped.
    pub fn close(&self) -> Vec<Command> {
        self.take_published();
        self.commands().take().unwrap_or_default()
    }

    fn commands(&self) -> MutexGuard<'_, Option<Vec<Command>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SourceHandle {
    pub fn new(inbox: Arc<Inbox>, waker: Arc<Waker>) -> Self {
        Self { inbox, waker }
    }

    /// Takes a program's frame; false when too much waits, or the thread has ended.
    pub fn push(&self, key: StreamKey, kind: Kind, data: Vec<u8>, capture: Duration) -> bool {
        let pushed = &self.inbox.pushed_bytes;
        let waiting = pushed.load(Relaxed);
        if waiting > 0 && waiting + data.len() > PUSH_CAPACITY {
            return false;
        }
        let size = data.len();
        // First: the thread may take it at once.
        pushed.fetch_add(size, Relaxed);
        let taken = self.command(Command::Push { key, kind, data, capture }).is_ok();
        if !taken {
            pushed.fetch_sub(size, Relaxed);
        }
        taken
    }

    /// Takes a publisher's packet; dropped when too many wait.
    pub fn publish(&self, key: StreamKey, publisher: PublisherKey, packet: &[u8]) {
        let mut published = self.inbox.published.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = published.len();
        if waiting < PUBLISH_CAPACITY {
            published.push(Published { key, publisher, packet: packet.to_vec() });
        }
        drop(published);
        // One wake-up for all packets that come before the thread looks.
        if waiting == 0 {
            self.wake();
        }
    }

    /// A viewer of a published stream cannot go on without a keyframe.
    pub fn request_keyframe(&self, key: StreamKey) {
        // A thread that has ended gives no keyframes.
        let _ = self.command(Command::RequestKeyframe { key });
    }

    /// An error drops the command.
    pub fn command(&self, command: Command) -> Result<(), Ended> {
        self.inbox.commands().as_mut().ok_or(Ended)?.push(command);
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        // A pipe that is full wakes the thread as well.
        let _ = self.waker.wake();
    }
}
