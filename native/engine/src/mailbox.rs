//! What a shard is given to do: one lock for a whole burst, bounded where strangers fill it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use core_media::frame::{Frame, Kind};

use crate::shard::Control;
use crate::stream::Stream;
use crate::viewer::ViewerKey;

/// Packets of media waiting for a shard, each leg kind by itself. At 300 packets a second and stream this is seconds
/// of media: a shard that is so late had better skip.
const MEDIA_CAPACITY: usize = 4_096;

/// RTCP packets waiting for a shard.
const FEEDBACK_CAPACITY: usize = 4_096;

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

/// Everything that waits, emptied at once.
#[derive(Debug, Default)]
pub struct Lanes {
    /// Few and never refused: joins, leaves, the end.
    pub control: Vec<Control>,
    pub feedback: Vec<Feedback>,
    pub audio: Vec<Delivery>,
    pub video: Vec<Delivery>,
    audio_packets: usize,
    video_packets: usize,
    /// The shard has ended: nothing is taken in any more.
    closed: bool,
}

/// One shard's mailbox.
#[derive(Debug, Default)]
pub struct Mailbox {
    lanes: Mutex<Lanes>,
    filled: Condvar,
}

impl Mailbox {
    /// Dropped when the shard has ended: whoever waits for what it says hears at once that nobody will.
    pub fn control(&self, control: Control) {
        let mut lanes = self.lock();
        if !lanes.closed {
            lanes.control.push(control);
            drop(lanes);
            self.filled.notify_one();
        }
    }

    /// Dropped when too much waits: the next report says the same.
    pub fn feedback(&self, feedback: Feedback) {
        let mut lanes = self.lock();
        if !lanes.closed && lanes.feedback.len() < FEEDBACK_CAPACITY {
            lanes.feedback.push(feedback);
            drop(lanes);
            self.filled.notify_one();
        }
    }

    /// Takes whole frames, or refuses them: a viewer that misses one waits for the next keyframe. Gives what was
    /// refused, in packets.
    pub fn deliver(&self, stream: &Arc<Stream>, frames: &[Arc<Frame>]) -> [(Kind, usize); 2] {
        let mut refused = [(Kind::Video, 0), (Kind::Audio, 0)];
        let mut lanes = self.lock();
        if lanes.closed {
            return refused;
        }
        for frame in frames {
            let count = frame.payloads.len();
            let Lanes { audio, video, audio_packets, video_packets, .. } = &mut *lanes;
            let (lane, packets, refused) = match frame.kind {
                Kind::Video => (video, video_packets, &mut refused[0].1),
                Kind::Audio => (audio, audio_packets, &mut refused[1].1),
            };
            // A frame that alone exceeds the capacity still fits an empty lane.
            if *packets > 0 && *packets + count > MEDIA_CAPACITY {
                *refused += count;
            } else {
                *packets += count;
                lane.push(Delivery { stream: stream.clone(), frame: frame.clone() });
            }
        }
        drop(lanes);
        self.filled.notify_one();
        refused
    }

    /// Waits until there is something, at most for `patience`, then swaps it into `lanes`, whose empty vectors are
    /// used next.
    pub fn take(&self, patience: Option<Duration>, lanes: &mut Lanes) {
        let waiting = self.lock();
        let idle = |lanes: &mut Lanes| lanes.is_empty();
        let mut waiting = match patience {
            Some(patience) => {
                self.filled.wait_timeout_while(waiting, patience, idle).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.filled.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner),
        };
        std::mem::swap(&mut *waiting, lanes);
    }

    /// The shard has ended: what waits is dropped, and what comes.
    pub fn close(&self) {
        let waiting = std::mem::replace(&mut *self.lock(), Lanes { closed: true, ..Lanes::default() });
        drop(waiting);
    }

    /// Packets that wait.
    pub fn depth(&self) -> usize {
        let lanes = self.lock();
        lanes.audio_packets + lanes.video_packets
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    /// Ready to be swapped in; capacity is kept.
    pub fn clear(&mut self) {
        self.control.clear();
        self.feedback.clear();
        self.audio.clear();
        self.video.clear();
        (self.audio_packets, self.video_packets) = (0, 0);
    }

    fn is_empty(&self) -> bool {
        self.control.is_empty() && self.feedback.is_empty() && self.audio.is_empty() && self.video.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::stream::Legs;
    use core_media::frame::ClockPoint;
    use core_media::h264::Payloads;
    use core_media::history::Limits;
    use core_media::time::Time;

    fn frame(kind: Kind, packets: usize) -> Arc<Frame> {
        let mut payloads = Payloads::default();
        (0..packets).for_each(|_| payloads.push(&[1]));
        let clock = ClockPoint::default();
        let (number, first_packet, timestamp, received) = (0, 0, 0, Time::default());
        Arc::new(Frame { kind, number, first_packet, timestamp, keyframe: true, received, clock, payloads })
    }

    #[test]
    fn a_full_lane_refuses_whole_frames_and_leaves_the_other_lane_alone() {
        let mailbox = Mailbox::default();
        let stream = Arc::new(Stream::new(
            0,
            "s".into(),
            Legs { video: true, audio: true },
            Limits::default(),
            usize::MAX,
            None,
            1,
        ));
        let frames = [frame(Kind::Video, 4_000), frame(Kind::Video, 97), frame(Kind::Video, 96), frame(Kind::Audio, 1)];
        assert_eq!(mailbox.deliver(&stream, &frames), [(Kind::Video, 97), (Kind::Audio, 0)]);
        assert_eq!(mailbox.depth(), 4_097);
        let mut lanes = Lanes::default();
        mailbox.take(None, &mut lanes);
        assert_eq!((lanes.video.len(), lanes.audio.len()), (2, 1));
        assert_eq!(mailbox.depth(), 0);
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
    fn an_empty_lane_takes_a_frame_of_any_size() {
        let mailbox = Mailbox::default();
        let stream = Arc::new(Stream::new(
            0,
            "s".into(),
            Legs { video: true, audio: true },
            Limits::default(),
            usize::MAX,
            None,
            1,
        ));
        assert_eq!(mailbox.deliver(&stream, &[frame(Kind::Video, 5_000)])[0].1, 0);
        assert_eq!(mailbox.deliver(&stream, &[frame(Kind::Video, 1)])[0].1, 1);
    }
}
