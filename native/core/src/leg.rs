//! One input of a stream: whose packets count, and in which order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::{Codec, Misfit};
use crate::counters::{DropReason, LegCounters};
use crate::frame::Frame;
use crate::holder::{Admission, Holder};
use crate::media::{Facts, Format, Media};
use crate::order::{Ordered, Refused, Reorder};
use crate::rhythm::Rhythm;
use crate::rtp::RtpPacket;
use crate::time::{Ntp, Time};
use crate::upstream::Upstream;

/// How long a gap may wait where the missing packet is asked for.
const REPAIR_PATIENCE: Duration = Duration::from_millis(250);

/// A leg's input, from datagrams or from a program, to numbered frames.
#[derive(Debug)]
pub struct Leg {
    counters: Arc<LegCounters>,
    /// Where it is known what others mean: they are dropped.
    payload_type: Option<u8>,
    holder: Holder,
    rhythm: Rhythm,
    order: Reorder,
    media: Media,
    /// A publisher is told how its packets arrive; FFmpeg is not.
    upstream: Option<Upstream>,
}

impl Leg {
    /// A leg without input yet.
    pub fn new(format: &Format, counters: Arc<LegCounters>) -> Self {
        Self {
            payload_type: format.payload_type,
            counters: counters.clone(),
            holder: Holder::default(),
            rhythm: Rhythm::default(),
            order: Reorder::default(),
            media: Media::new(format, counters),
            upstream: None,
        }
    }

    /// The leg of a publisher, who repeats lost packets and makes keyframes when asked.
    pub fn published(format: &Format, counters: Arc<LegCounters>) -> Self {
        let upstream = Some(Upstream::new(format.codec.rate()));
        Self { order: Reorder::new(REPAIR_PATIENCE), upstream, ..Self::new(format, counters) }
    }

    /// What is known of the media.
    pub fn facts(&self) -> &Facts {
        self.media.facts()
    }

    /// What came in and what became of it.
    pub fn counters(&self) -> &LegCounters {
        &self.counters
    }

    /// The same, for a leg in the place of this one.
    pub fn share_counters(&self) -> Arc<LegCounters> {
        self.counters.clone()
    }

    /// What the leg carries.
    pub fn codec(&self) -> Codec {
        self.media.codec()
    }

    /// Signs that the sender of video speaks another format.
    pub fn misfit(&self) -> Misfit {
        self.media.misfit()
    }

    /// When the leg is silent if nothing comes until then: after `silence`, or longer where frames are rare.
    pub fn silent_at(&self, silence: Duration) -> Option<Time> {
        self.holder.last_packet().map(|last| last + self.rhythm.patience(silence))
    }

    /// Since when a keyframe is due that does not come: of a publisher, since it was asked for one. `began`: when the leg
    /// did.
    pub fn keyframe_due_since(&self, began: Option<Time>) -> Option<Time> {
        match &self.upstream {
            Some(upstream) => upstream.keyframe_asked_at(),
            None => self.facts().keyframe.max(began),
        }
    }

    /// The stream that sends now.
    pub fn ssrc(&self) -> Option<u32> {
        self.holder.ssrc()
    }

    /// The outgoing media time of a time stamp in a sender report.
    pub fn project(&self, timestamp: u32) -> Option<u64> {
        self.media.project(timestamp)
    }

    /// Takes one RTP datagram; true when it is a sign of life. `out` is told when the source's clock had jumped.
    pub fn handle_rtp(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        now: Time,
        out: &mut impl FnMut(Frame, bool),
    ) -> bool {
        self.counters.packets.add(1);
        self.counters.bytes.add(datagram.len() as u64);
        let Ok(packet) = RtpPacket::parse(datagram) else {
            self.counters.dropped(DropReason::Malformed, 1);
            return false;
        };
        let admission = match self.payload_type {
            Some(expected) if packet.payload_type != expected => Err(DropReason::PayloadType),
            _ => self.holder.admit(&packet, from, now),
        };
        match admission {
            Ok(Admission::Next) => {}
            Ok(Admission::Resumed) => self.order.resume(),
            Ok(Admission::First) => self.restart(),
            Err(reason) => {
                self.counters.dropped(reason, 1);
                // Among the numbers of the stream, such as of error correction: nothing is missing there.
                if reason == DropReason::PayloadType {
                    self.take(&packet, None, now, out);
                }
                return false;
            }
        }
        self.rhythm.observe(packet.timestamp, now);
        self.take(&packet, Some(datagram), now, out);
        !self.holder.has_departed()
    }

    /// Counts an RTP datagram that is for no leg, by what it says.
    pub fn refuse(&self, datagram: &[u8]) {
        self.counters.packets.add(1);
        self.counters.bytes.add(datagram.len() as u64);
        self.counters.dropped(DropReason::PayloadType, 1);
    }

    /// `None`: the packet is not for this leg.
    fn take(&mut self, packet: &RtpPacket<'_>, datagram: Option<&[u8]>, now: Time, out: &mut impl FnMut(Frame, bool)) {
        let Self { order, media, counters, upstream, .. } = self;
        let (mut keyframe, mut restarted) = (false, false);
        let put = |item: Ordered<'_>| {
            restarted |= item == Ordered::Restart;
            forward(media, item, now, &mut |frame: Frame, jumped| {
                keyframe |= frame.keyframe;
                out(frame, jumped);
            });
        };
        let result = match datagram {
            Some(datagram) => order.push(packet.sequence, datagram, now, put),
            None => {
                order.pass_over(packet.sequence, now, put);
                Ok(())
            }
        };
        match result {
            Ok(()) => {}
            Err(Refused::Late) => counters.dropped(DropReason::Late, 1),
            Err(Refused::Stray) => counters.dropped(DropReason::Stray, 1),
        }
        let Some(upstream) = upstream else { return };
        if restarted {
            upstream.restart();
        }
        upstream.packet(packet.sequence, packet.timestamp, now);
        if keyframe {
            upstream.keyframe();
        }
        if media.needs_keyframe() {
            upstream.want_keyframe();
        }
    }

    /// The stream that sends now says goodbye (RFC 3550 §6.6): another sender may begin at once.
    pub fn handle_bye(&mut self, now: Time) {
        self.holder.depart(now);
    }

    /// Another publisher is about to send. An SSRC means something within one RTP session alone (RFC 3550 §8): the new
    /// one may have that of the last, and is not its continuation. `announced`: what it says of its SSRC. `fir_only`: it
    /// knows FIR but not PLI.
    pub fn begin(&mut self, announced: Option<u32>, fir_only: bool) {
        if self.holder.begin(announced) {
            self.restart();
        }
        if let Some(upstream) = &mut self.upstream {
            upstream.begin(fir_only);
        }
    }

    /// Takes a whole frame from a program. `timestamp` in ticks, wrapping. True when something came of it.
    pub fn push(&mut self, data: &[u8], timestamp: u32, now: Time, out: &mut impl FnMut(Frame, bool)) -> bool {
        self.counters.packets.add(1);
        self.counters.bytes.add(data.len() as u64);
        let mut delivered = false;
        self.media.push(data, timestamp, now, &mut |frame: Frame, jumped| {
            delivered = true;
            out(frame, jumped);
        });
        if delivered {
            self.rhythm.observe(timestamp, now);
            self.holder.touch(now);
        }
        delivered
    }

    /// The sender's report came.
    pub fn handle_sender_report(&mut self, ntp: Ntp, now: Time) {
        if let Some(upstream) = &mut self.upstream {
            upstream.sender_report(ntp, now);
        }
    }

    /// A viewer cannot go on without a keyframe.
    pub fn request_keyframe(&mut self) {
        if let Some(upstream) = &mut self.upstream {
            upstream.want_keyframe();
        }
    }

    /// When `poll` or `feedback` has something to do.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        let gap = self.order.waiting_since().is_some();
        let upstream = self.upstream.as_ref().filter(|_| !self.holder.has_departed());
        [self.order.deadline(), upstream.and_then(|upstream| upstream.deadline(gap, now))].into_iter().flatten().min()
    }

    /// Writes what the publisher has to be told now; false when nothing.
    pub fn feedback(&mut self, now: Time, out: &mut Vec<u8>) -> bool {
        let (Some(upstream), Some(ssrc), false) = (&mut self.upstream, self.holder.ssrc(), self.holder.has_departed())
        else {
            return false;
        };
        upstream.feedback(ssrc, self.order.missing(), self.order.waiting_since(), now, out)
    }

    /// Gives up on packets that did not come in time.
    pub fn poll(&mut self, now: Time, out: &mut impl FnMut(Frame, bool)) {
        let Self { order, media, .. } = self;
        order.poll(now, |item| forward(media, item, now, out));
    }

    fn restart(&mut self) {
        if let Some(upstream) = &mut self.upstream {
            upstream.restart();
        }
        self.order.reset();
        self.media.restart();
    }
}

fn forward(media: &mut Media, item: Ordered<'_>, now: Time, out: &mut impl FnMut(Frame, bool)) {
    match item {
        Ordered::Datagram(datagram) => {
            if let Ok(packet) = RtpPacket::parse(datagram) {
                media.packet(&packet, now, out);
            }
        }
        Ordered::Lost(count) => media.lost(count),
        Ordered::Restart => media.restart(),
    }
}
