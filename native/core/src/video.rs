//! From RTP payloads to frames that a decoder can take: whole, and in an unbroken chain from a keyframe.

use crate::codec::parameters::Parameters;
use crate::codec::{Misfit, Place, VideoCodec};
use crate::counters::{DropReason, LegCounters};
use crate::payloads::Payloads;

/// A frame larger than this is not a picture but an attack.
const MAX_FRAME: usize = 4 << 20;

/// A decodable frame.
#[derive(Debug)]
pub struct VideoFrame {
    /// The source's time stamp.
    pub timestamp: u32,
    /// Decodable without any other frame, parameter sets included.
    pub keyframe: bool,
    /// Refers to frames before the newest keyframe.
    pub leading: bool,
    /// May be shown later than frames that follow it.
    pub reordered: bool,
    /// As the newest keyframe or parameter set says.
    pub parameters: Option<Parameters>,
    /// Ready to send.
    pub payloads: Payloads,
}

/// Assembles one leg's frames.
#[derive(Debug)]
pub struct Assembler {
    codec: Box<dyn VideoCodec>,
    current: Option<Assembly>,
    /// Packets are missing between the last frame and the next.
    gap: bool,
    chain: Chain,
    /// The time stamp of the frame that a marker has just ended.
    ended: Option<u32>,
    /// The sender marks what is no end of a frame, such as each slice.
    marks_parts: bool,
}

/// What can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chain {
    /// Only a keyframe.
    Broken,
    /// What follows the keyframe with which the chain began, but nothing that refers beyond it.
    Begun,
    /// Everything.
    Unbroken,
}

/// The frame that is coming in.
#[derive(Debug)]
struct Assembly {
    timestamp: u32,
    /// Why it has to go, but for what its payloads show.
    damage: Option<DropReason>,
    after_gap: bool,
    /// Its newest payload has the marker.
    marked: bool,
}

impl Assembler {
    /// Nothing yet.
    pub fn new(codec: Box<dyn VideoCodec>) -> Self {
        Self { codec, current: None, gap: false, chain: Chain::Broken, ended: None, marks_parts: false }
    }

    /// Takes the next payload in order. Whole frames go to `out`; what is dropped is counted.
    pub fn push(
        &mut self,
        payload: &[u8],
        timestamp: u32,
        marker: bool,
        counters: &LegCounters,
        out: &mut impl FnMut(VideoFrame),
    ) {
        // Nothing but padding, to probe for bandwidth (RFC 3550 §5.1): no part of a frame, though it may end one.
        if payload.is_empty() {
            if marker && self.current.as_ref().is_some_and(|current| current.timestamp == timestamp) {
                self.mark(counters, out);
            }
            return;
        }
        let place = self.codec.place(payload);
        // A new time stamp begins a new frame even where the marker is missing (RFC 6184 §5.1).
        let ends = |current: &Assembly| current.timestamp != timestamp || current.marked && place == Place::Beginning;
        if self.current.as_ref().is_some_and(ends) {
            self.finish(counters, out);
        }
        let cut = self.ended.take() == Some(timestamp) && !self.gap && place == Place::Within;
        self.marks_parts |= cut;
        let gap = std::mem::take(&mut self.gap);
        let current = self.current.get_or_insert_with(|| Assembly {
            timestamp,
            // The beginning of the frame is on its way already.
            damage: cut.then_some(DropReason::Damaged),
            after_gap: gap,
            marked: false,
        });
        if self.codec.size() + payload.len() > MAX_FRAME {
            current.damage = Some(DropReason::Oversized);
            self.codec.interrupt();
        } else if self.codec.push(payload).is_err() {
            counters.dropped(DropReason::Malformed, 1);
        }
        current.marked = false;
        if marker {
            self.mark(counters, out);
        }
    }

    /// The marker: the end of a frame, unless the sender is known to mark its parts.
    fn mark(&mut self, counters: &LegCounters, out: &mut impl FnMut(VideoFrame)) {
        if self.marks_parts {
            self.current.iter_mut().for_each(|current| current.marked = true);
        } else {
            self.ended = self.current.as_ref().map(|current| current.timestamp);
            self.finish(counters, out);
        }
    }

    /// Packets are missing here.
    pub fn lost(&mut self) {
        if self.current.is_some() {
            self.codec.interrupt();
        }
        // What is missing may be the end of this frame and the beginning of the next.
        self.gap = true;
        self.chain = Chain::Broken;
    }

    /// The source began anew: nothing refers to what came before. Parameter sets are kept until replaced.
    pub fn restart(&mut self) {
        self.current = None;
        self.codec.clear();
        self.gap = false;
        self.chain = Chain::Broken;
        self.ended = None;
        self.marks_parts = false;
    }

    /// A whole frame from a program rather than from packets; false when it is none.
    pub fn push_frame(
        &mut self,
        data: &[u8],
        timestamp: u32,
        counters: &LegCounters,
        out: &mut impl FnMut(VideoFrame),
    ) -> bool {
        self.finish(counters, out);
        let damage = match self.codec.push_whole(data) {
            Err(_) => Some(DropReason::Malformed),
            Ok(()) => (self.codec.size() > MAX_FRAME).then_some(DropReason::Oversized),
        };
        self.current = Some(Assembly { timestamp, damage, after_gap: false, marked: false });
        self.finish(counters, out);
        damage != Some(DropReason::Malformed)
    }

    /// What came last could be decoded, and what comes next can.
    pub fn unbroken(&self) -> bool {
        self.chain != Chain::Broken
    }

    /// Signs that the sender speaks another format.
    pub fn misfit(&self) -> Misfit {
        self.codec.misfit()
    }

    fn finish(&mut self, counters: &LegCounters, out: &mut impl FnMut(VideoFrame)) {
        let Some(current) = self.current.take() else { return };
        match self.examine(&current) {
            Ok(Some(frame)) => out(frame),
            Ok(None) => {}
            Err(reason) => {
                counters.dropped(reason, 1);
                self.chain = Chain::Broken;
            }
        }
        self.codec.clear();
    }

    /// `Ok(None)`: no frame that is shown, only parameter sets or such.
    fn examine(&mut self, current: &Assembly) -> Result<Option<VideoFrame>, DropReason> {
        let examined = self.codec.examine();
        if let Some(damage) = current.damage {
            return Err(damage);
        }
        let Some(examined) = examined? else { return Ok(None) };
        if current.after_gap && !examined.begins {
            return Err(DropReason::Damaged);
        }
        match self.chain {
            Chain::Broken if !examined.keyframe => return Err(DropReason::AwaitingKeyframe),
            // Others do not refer to it, so the chain goes on.
            Chain::Begun if examined.leading => return Ok(None),
            _ => {}
        }
        let payloads = self.codec.pack()?;
        if self.chain == Chain::Broken {
            self.chain = Chain::Begun;
        } else if examined.keyframe {
            self.chain = Chain::Unbroken;
        }
        Ok(Some(VideoFrame {
            timestamp: current.timestamp,
            keyframe: examined.keyframe,
            leading: examined.leading,
            reordered: examined.reordered,
            parameters: self.codec.parameters(),
            payloads,
        }))
    }
}
