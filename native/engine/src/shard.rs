//! A thread that owns viewers and sends to them. Nothing else touches their sequence numbers.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use core_media::frame::{Frame, Kind};
use core_media::rtcp::{self, Rtcp};
use core_media::rtp::HEADER;
use core_media::time::Time;
use core_media::track::{Outcome, Outgoing, Track};
use rtc::{Burst, TrackId, Way};

use crate::clock::Clock;
use crate::event::{EndReason, Event, Events};
use crate::mailbox::{Delivery, Feedback, Lanes, Mailbox};
use crate::session::SessionState;
use crate::snapshot::Histograms;
use crate::stream::{LegState, Stream, StreamKey};

/// Names a viewer within one engine; never used twice.
pub type ViewerKey = u64;

/// What a shard is told.
#[derive(Debug)]
pub enum Control {
    /// A viewer joins.
    Add(Box<ShardViewer>),
    /// A viewer's track can send from now on.
    Open(ViewerKey, usize),
    /// A viewer leaves; the sender is told when nothing is sent to it any more.
    Remove(ViewerKey, mpsc::Sender<()>),
    /// The thread says so and stands still until the other end is dropped.
    Hold(mpsc::Sender<()>, mpsc::Receiver<()>),
    /// The thread ends.
    Stop,
}

/// A viewer as its shard knows it.
#[derive(Debug)]
pub struct ShardViewer {
    pub key: ViewerKey,
    pub stream: Arc<Stream>,
    pub state: Arc<SessionState>,
    pub cname: String,
    pub tracks: Vec<ShardTrack>,
    /// Of its media; reports always go through the library.
    pub way: Way,
}

/// One of its m-lines.
#[derive(Debug)]
pub struct ShardTrack {
    pub id: TrackId,
    pub track: Track,
    /// Packets can be sent.
    pub open: bool,
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
        let thread = std::thread::Builder::new()
            .name(format!("whep-shard-{index}"))
            .spawn(move || Worker::new(index, clock, events, histograms).run(&inbox))?;
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

struct Worker {
    index: usize,
    clock: Clock,
    events: Arc<Events>,
    histograms: Arc<Histograms>,
    viewers: HashMap<ViewerKey, ShardViewer>,
    audiences: HashMap<StreamKey, Vec<ViewerKey>>,
    /// Viewers that do not follow live: they have just joined, or a frame was large.
    behind: Vec<ViewerKey>,
    scratch: Scratch,
}

/// Room to put packets together, used again and again.
#[derive(Debug, Default)]
struct Scratch {
    /// One frame's packets with room for each header, rewritten in place for viewer after viewer.
    frame: Vec<u8>,
    ends: Vec<usize>,
    packet: Vec<u8>,
    report: Vec<u8>,
}

impl Worker {
    fn new(index: usize, clock: Clock, events: Arc<Events>, histograms: Arc<Histograms>) -> Self {
        Self {
            index,
            clock,
            events,
            histograms,
            viewers: HashMap::new(),
            audiences: HashMap::new(),
            behind: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    fn run(mut self, mailbox: &Mailbox) {
        let mut lanes = Lanes::default();
        loop {
            lanes.clear();
            mailbox.take(self.patience(), &mut lanes);
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(&mut lanes)));
            match turn {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => self.give_up(),
            }
        }
    }

    fn patience(&self) -> Option<Duration> {
        let due = self.behind.iter().filter_map(|key| self.viewers.get(key)?.deadline()).min()?;
        Some(due.since(self.clock.now()))
    }

    /// True when the thread is to end.
    fn turn(&mut self, lanes: &mut Lanes) -> bool {
        let mut stop = false;
        for control in lanes.control.drain(..) {
            match control {
                Control::Add(viewer) => self.add(*viewer),
                Control::Open(key, track) => self.open(key, track),
                Control::Remove(key, done) => {
                    self.remove(key);
                    // Nobody waits any more: the one who asked has gone.
                    let _ = done.send(());
                }
                Control::Hold(held, released) => {
                    // Nothing is ever received: the error says that the other end is gone.
                    let _ = (held.send(()), released.recv());
                }
                Control::Stop => stop = true,
            }
        }
        if !lanes.feedback.is_empty() {
            rtc::burst(|burst| {
                lanes.feedback.drain(..).for_each(|feedback| self.handle_feedback(&feedback, burst));
            });
        }
        // Audio first: a burst of video must not hold it back.
        for lane in [&mut lanes.audio, &mut lanes.video] {
            for delivery in lane.drain(..) {
                self.deliver(&delivery);
            }
        }
        self.catch_up();
        stop
    }

    fn add(&mut self, viewer: ShardViewer) {
        viewer.stream.audience[self.index].fetch_add(1, Relaxed);
        self.audiences.entry(viewer.stream.key).or_default().push(viewer.key);
        self.viewers.insert(viewer.key, viewer);
    }

    fn remove(&mut self, key: ViewerKey) {
        let Some(viewer) = self.viewers.remove(&key) else { return };
        viewer.stream.audience[self.index].fetch_sub(1, Relaxed);
        if let Some(audience) = self.audiences.get_mut(&viewer.stream.key) {
            audience.retain(|other| *other != key);
            if audience.is_empty() {
                self.audiences.remove(&viewer.stream.key);
            }
        }
    }

    fn open(&mut self, key: ViewerKey, track: usize) {
        let Some(viewer) = self.viewers.get_mut(&key) else { return };
        viewer.open(track, self.clock.now());
        if viewer.deadline().is_some() {
            self.behind.push(key);
        }
    }

    fn deliver(&mut self, Delivery { stream, frame }: &Delivery) {
        let (Some(audience), Some(leg)) = (self.audiences.get(&stream.key), stream.leg(frame.kind)) else { return };
        self.scratch.load(frame);
        let (mut tally, mut awaiting) = (Tally::default(), 0);
        rtc::burst(|burst| {
            for key in audience {
                let Some(viewer) = self.viewers.get_mut(key) else { continue };
                match viewer.live(frame, burst, &mut self.scratch, self.clock, &mut tally) {
                    Some(Outcome::AwaitingKeyframe) => awaiting += frame.payloads.len() as u64,
                    Some(Outcome::Queued) if !self.behind.contains(key) => self.behind.push(*key),
                    Some(Outcome::Sent) => viewer.note_start(frame.kind, self.clock, &self.histograms),
                    _ => {}
                }
            }
        });
        leg.count(tally);
        leg.output.awaiting_keyframe.fetch_add(awaiting, Relaxed);
        self.histograms.send_batch.observe(tally.packets as f64);
        self.histograms.fanout.observe(self.clock.now().since(frame.received).as_secs_f64());
    }

    /// Sends what is due to the viewers behind.
    fn catch_up(&mut self) {
        if self.behind.is_empty() {
            return;
        }
        let now = self.clock.now();
        let Self { behind, viewers, scratch, clock, histograms, .. } = self;
        rtc::burst(|burst| {
            behind.retain(|key| {
                let Some(viewer) = viewers.get_mut(key) else { return false };
                viewer.poll(now, burst, scratch);
                viewer.note_start(Kind::Video, *clock, histograms);
                viewer.deadline().is_some()
            });
        });
    }

    fn handle_feedback(&mut self, feedback: &Feedback, burst: &mut Burst) {
        let Some(viewer) = self.viewers.get_mut(&feedback.viewer) else { return };
        let (clock, histograms, scratch) = (self.clock, &self.histograms, &mut self.scratch);
        let now = clock.now();
        rtcp::parse(&feedback.packet, |report| match report {
            Rtcp::Nack { ssrc, sequences } => viewer.repair(ssrc, &sequences, now, burst, scratch),
            Rtcp::Pli { ssrc } | Rtcp::Fir { ssrc, .. } => viewer.refresh(ssrc, now),
            Rtcp::Reception(reception) => {
                let state = viewer.state.clone();
                if let Some((ShardTrack { track, .. }, _)) = viewer.track(reception.ssrc) {
                    let round_trip = state.learn(track.kind(), &reception, clock, histograms);
                    track.reception(&reception, round_trip, now);
                }
            }
            _ => {}
        });
        if viewer.deadline().is_some() && !self.behind.contains(&feedback.viewer) {
            self.behind.push(feedback.viewer);
        }
    }

    /// After a panic nothing of this shard can be trusted: its viewers end, the thread goes on for new ones.
    fn give_up(&mut self) {
        let keys: Vec<ViewerKey> = self.viewers.keys().copied().collect();
        for key in keys {
            if let Some(viewer) = self.viewers.get(&key) {
                viewer.state.end(EndReason::EngineError, &self.events);
            }
            self.remove(key);
        }
        self.scratch = Scratch::default();
        let text = format!("shard {} failed; its viewers were closed", self.index);
        self.events.push(Event::Log { level: rtc::Level::Error, text });
    }
}

/// What was sent, to be added to the counters once.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    packets: u64,
    bytes: u64,
    /// Of those, packets that were sent before.
    again: u64,
}

impl Tally {
    fn add(&mut self, bytes: usize, again: bool) {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.again += u64::from(again);
    }
}

impl ShardViewer {
    fn open(&mut self, track: usize, now: Time) {
        let Some(ShardTrack { track, open, .. }) = self.tracks.get_mut(track) else { return };
        *open = true;
        if let Some(leg) = self.stream.leg(track.kind())
            && !track.open(now, leg)
        {
            self.stream.request_keyframe();
        }
    }

    /// `None`: the viewer has no such track, or it cannot send yet. `scratch` holds the frame.
    fn live(
        &mut self,
        frame: &Frame,
        burst: &mut Burst,
        scratch: &mut Scratch,
        clock: Clock,
        tally: &mut Tally,
    ) -> Option<Outcome> {
        if self.state.ended() {
            return None;
        }
        let Self { tracks, way, .. } = self;
        let mut tracks = tracks.iter_mut();
        let ShardTrack { id, track, .. } = tracks.find(|track| track.open && track.track.kind() == frame.kind)?;
        let now = clock.now();
        let before = *tally;
        let outcome = track.live(frame, now, &mut |packet| {
            let packet = match packet.extension {
                None => scratch.in_place(packet.index, packet.header),
                Some(_) => scratch.assemble(&packet),
            };
            tally.add(packet.len(), false);
            burst.send_by(way, *id, packet);
        });
        if track.report(now, &self.cname, &mut scratch.report) {
            burst.send(*id, &scratch.report);
        }
        self.state.carried(tally.packets - before.packets, tally.bytes - before.bytes);
        Some(outcome)
    }

    fn deadline(&self) -> Option<Time> {
        self.tracks.iter().filter(|track| track.open).filter_map(|track| track.track.deadline()).min()
    }

    fn poll(&mut self, now: Time, burst: &mut Burst, scratch: &mut Scratch) {
        if self.state.ended() {
            self.tracks.iter_mut().for_each(|track| track.open = false);
            return;
        }
        for ShardTrack { id, track, .. } in self.tracks.iter_mut().filter(|track| track.open) {
            let Some(leg) = self.stream.leg(track.kind()) else { continue };
            let mut tally = Tally::default();
            track.poll(now, leg, &mut |packet| {
                let bytes = scratch.assemble(&packet);
                tally.add(bytes.len(), packet.again);
                burst.send_by(&mut self.way, *id, bytes);
            });
            if track.report(now, &self.cname, &mut scratch.report) {
                burst.send(*id, &scratch.report);
            }
            leg.count(tally);
            self.stream.retransmissions.fetch_add(tally.again, Relaxed);
            self.state.carried(tally.packets, tally.bytes);
            self.state.retransmissions.fetch_add(tally.again, Relaxed);
        }
    }

    fn repair(&mut self, ssrc: u32, sequences: &[u16], now: Time, burst: &mut Burst, scratch: &mut Scratch) {
        self.stream.nacks.fetch_add(1, Relaxed);
        let round_trip = self.state.round_trip();
        let stream = self.stream.clone();
        let Some((ShardTrack { id, track, .. }, leg)) = self.track(ssrc) else { return };
        let id = *id;
        let mut tally = Tally::default();
        track.nack(sequences, round_trip, now, leg, &mut |packet| {
            let bytes = scratch.assemble(&packet);
            tally.add(bytes.len(), packet.again);
            burst.send(id, bytes);
        });
        leg.count(tally);
        stream.retransmissions.fetch_add(tally.again, Relaxed);
        self.state.carried(tally.packets, tally.bytes);
        self.state.retransmissions.fetch_add(tally.again, Relaxed);
    }

    fn refresh(&mut self, ssrc: u32, now: Time) {
        self.stream.keyframe_requests.fetch_add(1, Relaxed);
        if let Some((track, leg)) = self.track(ssrc)
            && !track.track.refresh(now, leg)
        {
            self.stream.request_keyframe();
        }
    }

    /// The open track with this SSRC, and the leg it carries.
    fn track(&mut self, ssrc: u32) -> Option<(&mut ShardTrack, &LegState)> {
        let track = self.tracks.iter_mut().find(|track| track.open && track.track.ssrc() == ssrc)?;
        let leg = self.stream.leg(track.track.kind())?;
        Some((track, leg))
    }

    /// Notes the first packet of the leg that a viewer waits for: video, where there is one.
    fn note_start(&self, kind: Kind, clock: Clock, histograms: &Histograms) {
        if self.state.playing() {
            return;
        }
        let track = |kind| self.tracks.iter().find(|track: &&ShardTrack| track.track.kind() == kind);
        let awaited = track(Kind::Video).or(track(Kind::Audio));
        if awaited.is_some_and(|track| track.track.kind() == kind && track.track.started()) {
            self.state.start(kind, clock.now(), histograms);
        }
    }
}

impl LegState {
    fn count(&self, tally: Tally) {
        self.output.packets.fetch_add(tally.packets, Relaxed);
        self.output.bytes.fetch_add(tally.bytes, Relaxed);
    }
}

impl Scratch {
    fn load(&mut self, frame: &Frame) {
        self.frame.clear();
        self.ends.clear();
        for payload in frame.payloads.iter() {
            self.frame.extend_from_slice(&[0; HEADER]);
            self.frame.extend_from_slice(payload);
            self.ends.push(self.frame.len());
        }
    }

    /// A packet of the loaded frame, with this viewer's header.
    fn in_place(&mut self, index: usize, header: [u8; HEADER]) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let packet = &mut self.frame[start..self.ends[index]];
        packet[..HEADER].copy_from_slice(&header);
        packet
    }

    /// A packet of any frame.
    fn assemble(&mut self, packet: &Outgoing<'_>) -> &[u8] {
        self.packet.clear();
        self.packet.extend_from_slice(&packet.header);
        if let Some(extension) = &packet.extension {
            self.packet.extend_from_slice(extension.as_bytes());
        }
        if let Some(original) = packet.original {
            self.packet.extend_from_slice(&original.to_be_bytes());
        }
        self.packet.extend_from_slice(packet.payload());
        &self.packet
    }
}
