//! What a shard is given to do: one lock for a whole burst, bounded where strangers fill it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use core_media::frame::{Frame, Kind};
use core_media::time::Time;

use crate::shard::Control;
use crate::stream::{Stream, StreamKey};
use crate::viewer::ViewerKey;

/// Frames of a leg wait while the oldest of them is younger: a shard that is so late had better skip, and its viewers go
/// on from the history.
const PATIENCE: Duration = Duration::from_secs(1);

/// What waits of one leg, in bytes: a second of 64 Mbit/s.
const LEG_CAPACITY: usize = 8 << 20;

/// What waits of all legs.
const MEDIA_CAPACITY: usize = 64 << 20;

/// RTCP packets waiting for a shard, and those of one viewer among them.
const FEEDBACK_CAPACITY: usize = 4_096;
const VIEWER_FEEDBACK: usize = 16;

/// RTCP packets handed out at once: media that has come meanwhile is not kept waiting by more.
const FEEDBACK_TURN: usize = 64;

/// Frames of one stream, for the viewers of one shard.
#[derive(Debug)]
pub struct Delivery {
    pub stream: Arc<Stream>,
    pub frame: Arc<Frame>,
}

/// RTCP from a viewer.
#[derive(Debug)]
pub struct Feedback {
    pub viewer: ViewerKey,
    pub packet: Vec<u8>,
}

/// What is to be done in one turn.
#[derive(Debug, Default)]
pub struct Lanes {
    /// Few and never refused: joins, leaves, the end.
    pub control: Vec<Control>,
    pub audio: Vec<Delivery>,
    pub video: Vec<Delivery>,
    pub feedback: Vec<Feedback>,
}

/// One shard's mailbox.
#[derive(Debug, Default)]
pub struct Mailbox {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Handed out as a whole, but for the feedback.
    lanes: Lanes,
    legs: HashMap<(StreamKey, Kind), Leg>,
    bytes: usize,
    packets: usize,
    feedback: VecDeque<Feedback>,
    /// How many of those are a viewer's.
    viewers: HashMap<ViewerKey, usize>,
    /// The shard has ended: nothing is taken in any more.
    closed: bool,
}

/// What waits of one leg.
#[derive(Debug)]
struct Leg {
    since: Time,
    bytes: usize,
}

impl Mailbox {
    /// Dropped when the shard has ended: whoever waits for what it says hears at once that nobody will.
    pub fn control(&self, control: Control) {
        let mut waiting = self.lock();
        if !waiting.closed {
            waiting.lanes.control.push(control);
            drop(waiting);
            self.filled.notify_one();
        }
    }

    /// Dropped when too much waits, of this viewer or of all: the next report says the same.
    pub fn feedback(&self, feedback: Feedback) {
        let mut waiting = self.lock();
        if waiting.closed || waiting.feedback.len() == FEEDBACK_CAPACITY {
            return;
        }
        let of_viewer = waiting.viewers.entry(feedback.viewer).or_default();
        if *of_viewer == VIEWER_FEEDBACK {
            return;
        }
        *of_viewer += 1;
        waiting.feedback.push_back(feedback);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Takes whole frames, or refuses them: a viewer that misses one finds it in the history, or waits for the next
    /// keyframe. Gives what was refused, in packets.
    pub fn deliver(&self, stream: &Arc<Stream>, frames: &[Arc<Frame>]) -> [(Kind, usize); 2] {
        let mut refused = [(Kind::Video, 0), (Kind::Audio, 0)];
        let mut waiting = self.lock();
        if waiting.closed {
            return refused;
        }
        for frame in frames {
            let taken = waiting.deliver(stream, frame);
            let refused = &mut refused[usize::from(frame.kind() == Kind::Audio)].1;
            *refused += if taken { 0 } else { frame.payloads.len() };
        }
        drop(waiting);
        self.filled.notify_one();
        refused
    }

    /// Waits until there is something, at most for `patience`, then swaps it into `lanes`, whose empty vectors are
    /// used next.
    pub fn take(&self, patience: Option<Duration>, lanes: &mut Lanes) {
        let waiting = self.lock();
        let idle = |waiting: &mut Waiting| waiting.lanes.is_empty() && waiting.feedback.is_empty();
        let mut waiting = match patience {
            Some(patience) => {
                self.filled.wait_timeout_while(waiting, patience, idle).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.filled.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner),
        };
        waiting.take(lanes);
    }

    /// The shard has ended: what waits is dropped, and what comes.
    pub fn close(&self) {
        let waiting = std::mem::replace(&mut *self.lock(), Waiting { closed: true, ..Waiting::default() });
        drop(waiting);
    }

    /// Packets of media that wait.
    pub fn depth(&self) -> usize {
        self.lock().packets
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// False when it is refused. A frame of any size fits where nothing waits.
    fn deliver(&mut self, stream: &Arc<Stream>, frame: &Arc<Frame>) -> bool {
        let leg = self.legs.entry((stream.key, frame.kind())).or_insert(Leg { since: frame.received, bytes: 0 });
        // Many tiny frames are no way around the limit.
        let size = frame.payloads.total() + size_of::<Frame>();
        let late = frame.received.since(leg.since) > PATIENCE;
        let full = |bytes, capacity| bytes > 0 && bytes + size > capacity;
        if late || full(leg.bytes, LEG_CAPACITY) || full(self.bytes, MEDIA_CAPACITY) {
            return false;
        }
        leg.bytes += size;
        self.bytes += size;
        self.packets += frame.payloads.len();
        let lane = match frame.kind() {
            Kind::Video => &mut self.lanes.video,
            Kind::Audio => &mut self.lanes.audio,
        };
        lane.push(Delivery { stream: stream.clone(), frame: frame.clone() });
        true
    }

    fn take(&mut self, lanes: &mut Lanes) {
        std::mem::swap(&mut self.lanes, lanes);
        self.legs.clear();
        (self.bytes, self.packets) = (0, 0);
        let count = self.feedback.len().min(FEEDBACK_TURN);
        lanes.feedback.extend(self.feedback.drain(..count));
        for feedback in &lanes.feedback {
            if let Some(of_viewer) = self.viewers.get_mut(&feedback.viewer) {
                *of_viewer -= 1;
                if *of_viewer == 0 {
                    self.viewers.remove(&feedback.viewer);
                }
            }
        }
    }
}

impl Lanes {
    /// Ready to be swapped in; capacity is kept.
    pub fn clear(&mut self) {
        self.control.clear();
        self.audio.clear();
        self.video.clear();
        self.feedback.clear();
    }

    fn is_empty(&self) -> bool {
        self.control.is_empty() && self.audio.is_empty() && self.video.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::stream::Legs;
    use core_media::codec::Codec;
    use core_media::frame::ClockPoint;
    use core_media::history::Limits;
    use core_media::payloads::Payloads;

    fn stream(key: StreamKey) -> Arc<Stream> {
        let legs = Legs::usual(true, true);
        Arc::new(Stream::new(key, "s".into(), &legs, Limits::default(), usize::MAX, None, 1))
    }

    fn frame(codec: Codec, packets: usize, millis: u64) -> Arc<Frame> {
        let mut payloads = Payloads::default();
        (0..packets).for_each(|_| payloads.push(&[0; 1_000]));
        let clock = ClockPoint::default();
        let (number, first_packet, timestamp, received) = (0, 0, 0, Time::from_millis(millis));
        let (keyframe, leading) = (true, false);
        Arc::new(Frame { codec, number, first_packet, timestamp, keyframe, leading, received, clock, payloads })
    }

    /// Packets that are refused when each stream has a frame of so many in every fortieth of a second.
    fn refused(mailbox: &Mailbox, streams: &[Arc<Stream>], packets: usize, duration: u64) -> usize {
        let mut refused = 0;
        for millis in (0..duration).step_by(25) {
            for stream in streams {
                refused += mailbox.deliver(stream, &[frame(Codec::H264, packets, millis)])[0].1;
            }
        }
        refused
    }

    #[test]
    fn whoever_waits_for_a_shard_that_has_ended_hears_of_it() {
        let mailbox = Mailbox::default();
        let (done, before) = mpsc::channel();
        mailbox.control(Control::Remove(1, done));
        mailbox.close();
        let (done, after) = mpsc::channel();
        mailbox.control(Control::Remove(2, done));
        assert_eq!(before.try_recv(), Err(mpsc::TryRecvError::Disconnected));
        assert_eq!(after.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }

    #[test]
    fn a_stream_waits_for_a_second_however_many_others_do() {
        let streams: Vec<_> = (0..50).map(stream).collect();
        let mailbox = Mailbox::default();
        assert_eq!(refused(&mailbox, &streams, 7, 1_025), 0);
        assert_eq!(mailbox.depth(), 50 * 41 * 7);
        let late = [frame(Codec::H264, 7, 1_025), frame(Codec::Opus, 1, 1_025)];
        assert_eq!(mailbox.deliver(&streams[0], &late), [(Kind::Video, 7), (Kind::Audio, 0)]);
        let mut lanes = Lanes::default();
        mailbox.take(None, &mut lanes);
        assert_eq!((lanes.video.len(), lanes.audio.len(), mailbox.depth()), (50 * 41, 1, 0));
        assert_eq!(mailbox.deliver(&streams[0], &late), [(Kind::Video, 0), (Kind::Audio, 0)]);
    }

    #[test]
    fn a_stream_that_is_too_much_leaves_the_others_alone() {
        let streams = [stream(1), stream(2)];
        let mailbox = Mailbox::default();
        assert!(refused(&mailbox, &streams[..1], 1_000, 1_000) > 0);
        assert!(mailbox.depth() * 1_000 <= LEG_CAPACITY);
        assert_eq!(refused(&mailbox, &streams[1..], 100, 1_000), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let streams: Vec<_> = (0..50).map(stream).collect();
        let mailbox = Mailbox::default();
        assert!(refused(&mailbox, &streams, 100, 1_000) > 0);
        assert!((MEDIA_CAPACITY * 9 / 10..=MEDIA_CAPACITY).contains(&(mailbox.depth() * 1_000)));
    }

    #[test]
    fn where_nothing_waits_a_frame_of_any_size_fits() {
        let (mailbox, stream) = (Mailbox::default(), stream(1));
        assert_eq!(mailbox.deliver(&stream, &[frame(Codec::H264, 70_000, 0)])[0].1, 0);
        assert_eq!(mailbox.deliver(&stream, &[frame(Codec::H264, 1, 0)])[0].1, 1);
    }

    #[test]
    fn a_viewers_flood_does_not_drive_out_what_others_say() {
        let mailbox = Mailbox::default();
        let say = |viewer| mailbox.feedback(Feedback { viewer, packet: Vec::new() });
        (0..10_000).for_each(|_| say(1));
        (2..200).for_each(say);
        let mut heard = Vec::new();
        let mut lanes = Lanes::default();
        while heard.len() < 16 + 198 {
            lanes.clear();
            mailbox.take(None, &mut lanes);
            assert!((1..=FEEDBACK_TURN).contains(&lanes.feedback.len()));
            heard.extend(lanes.feedback.iter().map(|feedback| feedback.viewer));
            // It goes on: nobody waits the longer for that.
            (0..100).for_each(|_| say(1));
        }
        assert_eq!(heard[16..80], (2..66).collect::<Vec<_>>());
        let first = |viewer| heard.iter().position(|other| *other == viewer);
        assert!((2..200).all(|viewer| first(viewer).is_some_and(|at| at < viewer as usize + 16 * 4)));
    }
}
