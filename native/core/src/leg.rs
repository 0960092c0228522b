//! One input of a stream: whose packets count, and in which order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::counters::{DropReason, LegCounters};
use crate::frame::{Frame, Kind};
use crate::media::{Facts, Media};
use crate::order::{Ordered, Refused, Reorder};
use crate::rtp::RtpPacket;
use crate::time::{Ntp, Time};
use crate::upstream::Upstream;

/// The first sender of a leg holds it until it has been silent for this long.
const SENDER_HOLD: Duration = Duration::from_secs(2);

/// How long a gap may wait where the missing packet is asked for.
const REPAIR_PATIENCE: Duration = Duration::from_millis(250);

/// A leg's input, from datagrams or from a program, to numbered frames.
#[derive(Debug)]
pub struct Leg {
    counters: Arc<LegCounters>,
    sender: Option<SocketAddr>,
    identity: Option<Identity>,
    last_packet: Option<Time>,
    /// The stream that said goodbye: its stragglers do not bring the leg back to life.
    departed: Option<u32>,
    order: Reorder,
    media: Media,
    /// A publisher is told how its packets arrive; FFmpeg is not.
    upstream: Option<Upstream>,
}

/// What tells one RTP stream from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    ssrc: u32,
    payload_type: u8,
}

impl Leg {
    /// A leg without input yet.
    pub fn new(kind: Kind, counters: Arc<LegCounters>) -> Self {
        Self {
            counters: counters.clone(),
            sender: None,
            identity: None,
            last_packet: None,
            departed: None,
            order: Reorder::default(),
            media: Media::new(kind, counters),
            upstream: None,
        }
    }

    /// The leg of a publisher, who repeats lost packets and makes keyframes when asked.
    pub fn published(kind: Kind, counters: Arc<LegCounters>) -> Self {
        let upstream = Some(Upstream::new(kind.rate()));
        Self { order: Reorder::new(REPAIR_PATIENCE), upstream, ..Self::new(kind, counters) }
    }

    /// What is known of the media.
    pub fn facts(&self) -> &Facts {
        self.media.facts()
    }

    /// What came in and what became of it.
    pub fn counters(&self) -> &LegCounters {
        &self.counters
    }

    /// Payloads with Annex B start codes came: the sender does not speak RFC 6184.
    pub fn saw_annex_b(&self) -> bool {
        self.media.saw_annex_b()
    }

    /// When the newest packet came.
    pub fn last_packet(&self) -> Option<Time> {
        self.last_packet
    }

    /// The stream that sends now.
    pub fn ssrc(&self) -> Option<u32> {
        self.identity.map(|identity| identity.ssrc)
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
        if let Err(reason) = self.admit(&packet, from, now) {
            self.counters.dropped(reason, 1);
            return false;
        }
        if let Some(upstream) = &mut self.upstream {
            upstream.packet(packet.sequence, packet.timestamp, now);
        }
        let Self { order, media, counters, .. } = self;
        let mut keyframe = false;
        let result = order.push(packet.sequence, datagram, now, |item| {
            forward(media, item, now, &mut |frame: Frame, jumped| {
                keyframe |= frame.keyframe;
                out(frame, jumped);
            });
        });
        match result {
            Ok(()) => {}
            Err(Refused::Late) => counters.dropped(DropReason::Late, 1),
            Err(Refused::Stray) => counters.dropped(DropReason::Stray, 1),
        }
        if let Some(upstream) = &mut self.upstream {
            if keyframe {
                upstream.keyframe();
            }
            if self.media.needs_keyframe() {
                upstream.want_keyframe();
            }
        }
        self.departed != Some(packet.ssrc)
    }

    /// The stream that sends now says goodbye (RFC 3550 §6.6): another sender may begin at once.
    pub fn handle_bye(&mut self) {
        self.departed = self.ssrc();
        self.sender = None;
    }

    /// Another publisher is about to send. An SSRC means something within one RTP session alone (RFC 3550 §8): the new
    /// one may have that of the last, and is not its continuation.
    pub fn begin(&mut self) {
        (self.departed, self.sender) = (None, None);
        if self.identity.take().is_some() {
            self.restart();
        }
    }

    /// Takes a whole frame from a program: an H264 access unit or an Opus packet. `timestamp` in ticks, wrapping. True
    /// when something came of it.
    pub fn push(&mut self, data: &[u8], timestamp: u32, now: Time, out: &mut impl FnMut(Frame, bool)) -> bool {
        self.counters.packets.add(1);
        self.counters.bytes.add(data.len() as u64);
        let mut delivered = false;
        self.media.push(data, timestamp, now, &mut |frame: Frame, jumped| {
            delivered = true;
            out(frame, jumped);
        });
        if delivered {
            self.last_packet = Some(now);
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
        let upstream = self.upstream.as_ref().filter(|_| self.departed.is_none());
        [self.order.deadline(), upstream.and_then(|upstream| upstream.deadline(gap, now))].into_iter().flatten().min()
    }

    /// Writes what the publisher has to be told now; false when nothing.
    pub fn feedback(&mut self, now: Time, out: &mut Vec<u8>) -> bool {
        let (Some(upstream), Some(identity), None) = (&mut self.upstream, self.identity, self.departed) else {
            return false;
        };
        upstream.feedback(identity.ssrc, self.order.missing(), self.order.waiting_since(), now, out)
    }

    /// Gives up on packets that did not come in time.
    pub fn poll(&mut self, now: Time, out: &mut impl FnMut(Frame, bool)) {
        let Self { order, media, .. } = self;
        order.poll(now, |item| forward(media, item, now, out));
    }

    /// First sender first; a new stream of the same sender, or of another after a silence, is a restart.
    fn admit(&mut self, packet: &RtpPacket<'_>, from: SocketAddr, now: Time) -> Result<(), DropReason> {
        let silent = self.last_packet.is_none_or(|last| now.since(last) >= SENDER_HOLD);
        if self.sender.is_some_and(|sender| sender != from) && !silent {
            return Err(DropReason::ForeignSender);
        }
        let identity = Identity { ssrc: packet.ssrc, payload_type: packet.payload_type };
        match self.identity {
            Some(known) if known == identity => {}
            Some(known) if known.ssrc == identity.ssrc && !silent => return Err(DropReason::PayloadType),
            Some(_) => {
                self.departed = None;
                self.restart();
            }
            None => {}
        }
        // A straggler of a stream that has said goodbye does not hold the leg.
        if self.departed != Some(identity.ssrc) {
            self.sender = Some(from);
        }
        self.identity = Some(identity);
        self.last_packet = Some(now);
        Ok(())
    }

    fn restart(&mut self) {
        if let Some(upstream) = &mut self.upstream {
            *upstream = Upstream::new(self.media.rate());
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
