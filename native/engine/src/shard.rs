//! A thread that owns viewers and sends to them. Nothing else touches their sequence numbers.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use core_media::frame::Kind;
use core_media::rtcp::{self, Rtcp};
use core_media::track::Outcome;
use rtc::Burst;
use slab::Slab;

use crate::clock::Clock;
use crate::event::{EndReason, Event, Events};
use crate::mailbox::{Delivery, Feedback, Lanes, Mailbox};
use crate::snapshot::Histograms;
use crate::stream::StreamKey;
use crate::viewer::{Scratch, ShardViewer, Tally, ViewerKey};

/// What a shard is told.
#[derive(Debug)]
pub enum Control {
    /// A viewer joins.
    Add(Box<ShardViewer>),
    /// A viewer's track can send from now on.
    Open(ViewerKey, usize),
    /// A viewer leaves; the sender is told when nothing is sent to it any more.
    Remove(ViewerKey, mpsc::Sender<()>),
    /// The stream carries another codec than its viewers were promised.
    CodecChanged(StreamKey),
    /// The thread says so and stands still until the other end is dropped.
    Hold(mpsc::Sender<()>, mpsc::Receiver<()>),
    /// The thread ends.
    Stop,
}

/// A running shard.
#[derive(Debug)]
pub struct Shard {
    pub mailbox: Arc<Mailbox>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Shard {
    pub fn start(
        index: usize,
        clock: Clock,
        events: Arc<Events>,
        histograms: Arc<Histograms>,
    ) -> std::io::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let inbox = mailbox.clone();
        let thread = std::thread::Builder::new().name(format!("whep-shard-{index}")).spawn(move || {
            rtc::take_precedence();
            Worker::new(index, clock, events, histograms).run(&inbox);
            inbox.close();
        })?;
        Ok(Self { mailbox, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread and waits for it.
    pub fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            self.mailbox.control(Control::Stop);
            // The worker catches its panics, so joining cannot fail.
            let _ = thread.join();
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker {
    index: usize,
    clock: Clock,
    events: Arc<Events>,
    histograms: Arc<Histograms>,
    viewers: Slab<ShardViewer>,
    /// Where each of them is.
    places: HashMap<ViewerKey, usize>,
    /// Those of each stream, by their places.
    audiences: HashMap<StreamKey, Vec<usize>>,
    /// Viewers that do not follow live: they have just joined, or a frame was large.
    behind: Vec<usize>,
    scratch: Scratch,
    /// The thread is to end.
    stopping: bool,
}

impl Worker {
    fn new(index: usize, clock: Clock, events: Arc<Events>, histograms: Arc<Histograms>) -> Self {
        Self {
            index,
            clock,
            events,
            histograms,
            viewers: Slab::new(),
            places: HashMap::new(),
            audiences: HashMap::new(),
            behind: Vec::new(),
            scratch: Scratch::default(),
            stopping: false,
        }
    }

    fn run(mut self, mailbox: &Mailbox) {
        let mut lanes = Lanes::default();
        while !self.stopping {
            lanes.clear();
            mailbox.take(self.patience(), &mut lanes);
            if catch_unwind(AssertUnwindSafe(|| self.turn(&mut lanes))).is_err() {
                self.give_up();
            }
        }
    }

    fn patience(&self) -> Option<Duration> {
        let due = self.behind.iter().filter_map(|place| self.viewers.get(*place)?.deadline()).min()?;
        Some(due.since(self.clock.now()))
    }

    fn turn(&mut self, lanes: &mut Lanes) {
        for control in lanes.control.drain(..) {
            match control {
                Control::Add(viewer) => self.add(*viewer),
                Control::Open(key, track) => self.open(key, track),
                Control::Remove(key, done) => {
                    self.remove(key);
                    // Nobody waits any more: the one who asked has gone.
                    let _ = done.send(());
                }
                Control::CodecChanged(stream) => self.end_void(stream),
                Control::Hold(held, released) => {
                    // Nothing is ever received: the error says that the other end is gone.
                    let _ = (held.send(()), released.recv());
                }
                Control::Stop => self.stopping = true,
            }
        }
        // Audio first: a burst of video must not hold it back. Feedback last: strangers send it.
        for lane in [&mut lanes.audio, &mut lanes.video] {
            for delivery in lane.drain(..) {
                self.deliver(&delivery);
            }
        }
        if !lanes.feedback.is_empty() {
            rtc::burst(|burst| {
                lanes.feedback.drain(..).for_each(|feedback| self.handle_feedback(feedback, burst));
            });
        }
        self.catch_up();
    }

    fn add(&mut self, viewer: ShardViewer) {
        viewer.stream.audience[self.index].fetch_add(1, Relaxed);
        let (key, stream) = (viewer.key, viewer.stream.key);
        viewer.end_if_void(&self.events);
        let place = self.viewers.insert(viewer);
        self.places.insert(key, place);
        self.audiences.entry(stream).or_default().push(place);
    }

    fn remove(&mut self, key: ViewerKey) {
        let Some(place) = self.places.remove(&key) else { return };
        let viewer = self.viewers.remove(place);
        // The next viewer gets the place.
        self.behind.retain(|other| *other != place);
        viewer.stream.audience[self.index].fetch_sub(1, Relaxed);
        if let Some(audience) = self.audiences.get_mut(&viewer.stream.key) {
            audience.retain(|other| *other != place);
            if audience.is_empty() {
                self.audiences.remove(&viewer.stream.key);
            }
        }
    }

    /// Ends the stream's viewers who were promised another codec.
    fn end_void(&mut self, stream: StreamKey) {
        let audience = self.audiences.get(&stream).into_iter().flatten();
        audience.for_each(|place| self.viewers[*place].end_if_void(&self.events));
    }

    fn open(&mut self, key: ViewerKey, track: usize) {
        let Some(&place) = self.places.get(&key) else { return };
        let viewer = &mut self.viewers[place];
        viewer.open(track, self.clock.now());
        self.behind.extend(viewer.falls_behind().then_some(place));
    }

    fn deliver(&mut self, Delivery { stream, frame }: &Delivery) {
        let (Some(audience), Some(leg)) = (self.audiences.get(&stream.key), stream.leg(frame.kind())) else { return };
        let (mut tally, mut awaiting, mut sent) = (Tally::default(), 0, 0);
        let now = self.clock.now();
        let messages = rtc::burst(|burst| {
            let before = burst.messages();
            for &place in audience {
                let viewer = &mut self.viewers[place];
                match viewer.live(frame, burst, &mut self.scratch, now, &mut tally) {
                    Some(Outcome::AwaitingKeyframe) => awaiting += frame.payloads.len() as u64,
                    Some(Outcome::Queued) => self.behind.extend(viewer.falls_behind().then_some(place)),
                    Some(Outcome::Sent) => {
                        sent += 1;
                        viewer.note_start(frame.kind(), now, &self.histograms);
                    }
                    _ => {}
                }
            }
            burst.messages() - before
        });
        leg.count(tally);
        leg.output.awaiting_keyframe.fetch_add(awaiting, Relaxed);
        self.histograms.send_batch.observe(tally.packets as f64);
        if frame.kind() == Kind::Video && sent > 0 {
            self.histograms.frame_messages.observe((messages as f64 / f64::from(sent)).round());
        }
        self.histograms.fanout.observe(self.clock.now().since(frame.received).as_secs_f64());
    }

    /// Sends what is due to the viewers behind.
    fn catch_up(&mut self) {
        if self.behind.is_empty() {
            return;
        }
        let now = self.clock.now();
        let Self { behind, viewers, scratch, histograms, .. } = self;
        rtc::burst(|burst| {
            behind.retain(|&place| {
                let viewer = &mut viewers[place];
                viewer.poll(now, burst, scratch);
                viewer.note_start(Kind::Video, now, histograms);
                viewer.behind = viewer.deadline().is_some();
                viewer.behind
            });
        });
    }

    fn handle_feedback(&mut self, feedback: Feedback, burst: &mut Burst) {
        let Feedback { viewer: key, packet } = feedback;
        let Some(&place) = self.places.get(&key) else { return };
        let viewer = &mut self.viewers[place];
        if viewer.has_heard(&packet) {
            return;
        }
        let (now, scratch) = (self.clock.now(), &mut self.scratch);
        // What it reports goes before what it asks for.
        viewer.read_reports(now);
        rtcp::parse(&packet, |report| match report {
            Rtcp::Nack { ssrc, sequences } => viewer.repair(ssrc, &sequences, now, burst, scratch),
            Rtcp::Pli { ssrc } | Rtcp::Fir { ssrc, .. } => viewer.refresh(ssrc, now),
            _ => {}
        });
        viewer.hear(packet);
        self.behind.extend(viewer.falls_behind().then_some(place));
    }

    /// After a panic nothing of this shard can be trusted: its viewers end, the thread goes on for new ones.
    fn give_up(&mut self) {
        for viewer in self.viewers.drain() {
            viewer.stream.audience[self.index].fetch_sub(1, Relaxed);
            viewer.state.end(EndReason::EngineError, &self.events);
        }
        self.places.clear();
        self.audiences.clear();
        self.behind.clear();
        self.scratch = Scratch::default();
        let text = format!("shard {} failed; its viewers were closed", self.index);
        self.events.push(Event::Log { level: rtc::Level::Error, text });
    }
}
