//! One leg as one viewer gets it: own SSRC, payload type, sequence numbers and time stamps; nothing before a keyframe.
//!
//! A viewer is waiting for a keyframe, live, or behind. Live frames go out as they come. A viewer that has just joined,
//! that missed frames, or whose frame is too large for one burst, is behind: it reads the cache at its own pace until it
//! has caught up.

mod cursor;

use std::time::Duration;

use crate::allowance::Allowance;
use crate::codec::Codec;
use crate::extension::{Extension, ExtensionIds};
use crate::frame::{Frame, Kind};
use crate::history::Cache;
use crate::pacer::Pacer;
use crate::pursuit::Pursuit;
use crate::repair::Repair;
use crate::rtcp::Reception;
use crate::rtp::HEADER;
use crate::sender::Sender;
use crate::time::{Time, WallClock};
use cursor::Cursor;

/// A viewer that asks for a keyframe more often gets one of the cache no more often than this.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);

/// On a line that has just lost packets, a keyframe that is due within this is waited for: what was sent before it would
/// come on top of what was too much.
const NEAR: Duration = Duration::from_millis(500);

/// A keyframe that is later than this may not come at all.
const LATE: Duration = Duration::from_millis(100);

/// A source that is silent for longer may pause. Browsers then ask for keyframes every few seconds, and would show what
/// they have shown before.
const PAUSE: Duration = Duration::from_secs(1);

/// What the answer promised for one track.
#[derive(Clone, Copy, Debug)]
pub struct TrackConfig {
    /// What the leg carries.
    pub codec: Codec,
    /// Negotiated.
    pub payload_type: u8,
    /// Announced in the answer.
    pub ssrc: u32,
    /// Where sequence numbers begin: random, so that known plaintext does not help (RFC 3550 §5.1), and in the lower half:
    /// a receiver that misses the packets before the first wrap would never know of it (RFC 3711 §3.3.1).
    pub first_sequence: u16,
    /// Added to media time, random for the same reason.
    pub timestamp_offset: u32,
    /// Generic NACK (RFC 4585 §6.2.1) was negotiated.
    pub nack: bool,
    /// RFC 4588, when negotiated.
    pub retransmission: Option<Retransmission>,
    /// As negotiated.
    pub extensions: ExtensionIds,
    /// Bytes that may leave at once; `usize::MAX` for no limit.
    pub burst: usize,
    /// For capture times.
    pub wall: WallClock,
}

/// Where repeated packets go.
#[derive(Clone, Copy, Debug)]
pub struct Retransmission {
    /// Negotiated.
    pub payload_type: u8,
    /// Announced in the answer.
    pub ssrc: u32,
    /// Random, in the lower half as well.
    pub first_sequence: u16,
}

/// A packet to send: header, extension, original number, then the frame's payload `index`.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// Which of its payloads.
    pub index: usize,
    /// The RTP header.
    pub header: [u8; HEADER],
    /// The extended sequence number, whose lower 16 bits are in the header: SRTP's packet index (RFC 3711 §3.3.1).
    pub sequence: u64,
    /// Set where the header says so.
    pub extension: Option<Extension>,
    /// The original sequence number, which goes before the payload of an RFC 4588 packet.
    pub original: Option<u16>,
    /// It was sent before.
    pub again: bool,
}

impl Outgoing<'_> {
    /// The frame's payload.
    pub fn payload(&self) -> &[u8] {
        self.frame.payloads.payload(self.index)
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header);
        if let Some(extension) = &self.extension {
            out.extend_from_slice(extension.as_bytes());
        }
        if let Some(original) = self.original {
            out.extend_from_slice(&original.to_be_bytes());
        }
        out.extend_from_slice(self.payload());
    }

    /// Bytes of the header with its extension, which are not encrypted.
    pub fn header_len(&self) -> usize {
        HEADER + self.extension.as_ref().map_or(0, |extension| extension.as_bytes().len())
    }

    /// Bytes of the packet.
    pub fn size(&self) -> usize {
        self.header_len() + self.original.map_or(0, |original| size_of_val(&original)) + self.payload().len()
    }
}

/// What became of a live frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Sent, every packet of it.
    Sent,
    /// It waits in the cache: `poll` sends it.
    Queued,
    /// This viewer had it already, or has no use for it.
    Known,
    /// Not decodable for this viewer before the next keyframe.
    AwaitingKeyframe,
}

/// The state of one outgoing leg of one viewer.
#[derive(Debug)]
pub struct Track {
    sender: Sender,
    state: State,
    repair: Repair,
    pacer: Pacer,
    pursuit: Pursuit,
    allowance: Allowance,
    /// The newest frame of which packets were sent.
    newest: Option<u64>,
    /// The frame that the viewer had before.
    before: Option<u64>,
    /// It began with the newest keyframe, so it lacks what frames that lead there refer to.
    began: bool,
    refreshed: Option<Time>,
    received: Received,
}

#[derive(Clone, Debug)]
enum State {
    Waiting,
    /// The number of the next frame.
    Live(u64),
    Behind(Cursor),
}

/// What the viewer says of what it was sent.
#[derive(Clone, Copy, Debug, Default)]
struct Received {
    /// The newest packet has arrived.
    newest: bool,
    /// Packets were missing since the newest keyframe.
    lacking: bool,
    /// The extended sequence number with which that began.
    keyframe: u64,
}

impl Track {
    /// Nothing sent yet; waits for a keyframe.
    pub fn new(config: TrackConfig) -> Self {
        Self {
            sender: Sender::new(config),
            state: State::Waiting,
            repair: Repair::new(config.retransmission),
            pacer: Pacer::new(config.burst),
            pursuit: Pursuit::default(),
            allowance: Allowance::default(),
            newest: None,
            before: None,
            began: true,
            refreshed: None,
            received: Received::default(),
        }
    }

    /// The leg.
    pub fn kind(&self) -> Kind {
        self.sender.config().codec.kind()
    }

    /// The outgoing stream.
    pub fn ssrc(&self) -> u32 {
        self.sender.config().ssrc
    }

    /// The stream of repairs.
    pub fn repair_ssrc(&self) -> Option<u32> {
        self.sender.config().retransmission.map(|stream| stream.ssrc)
    }

    /// What the leg carried when the viewer was answered.
    pub fn codec(&self) -> Codec {
        self.sender.config().codec
    }

    /// A packet has been sent.
    pub fn started(&self) -> bool {
        self.sender.started()
    }

    /// The viewer can receive: it begins with the newest keyframe of the cache, where there is one; false when it has to
    /// wait for the next. Audio begins live.
    pub fn open(&mut self, now: Time, cache: &impl Cache) -> bool {
        if self.kind() == Kind::Audio {
            return true;
        }
        let Some(keyframe) = cache.keyframe() else { return false };
        self.allowance.start(keyframe.bytes);
        self.follow(keyframe.number, now);
        true
    }

    /// Takes a frame that has just come.
    pub fn live(&mut self, frame: &Frame, now: Time, out: &mut impl FnMut(Outgoing<'_>)) -> Outcome {
        match self.state {
            State::Behind(_) => return Outcome::Queued,
            State::Live(next) if frame.number < next => return Outcome::Known,
            State::Live(next) if frame.number == next => {}
            _ if frame.keyframe => {}
            // Frames went by, for which the cache may have a place.
            State::Live(next) => {
                self.follow(next, now);
                return Outcome::Queued;
            }
            State::Waiting => return Outcome::AwaitingKeyframe,
        }
        if self.is_lost_on(frame) {
            self.state = State::Live(frame.number + 1);
            return Outcome::Known;
        }
        let size = frame.payloads.total();
        if !self.pacer.takes(size, now) {
            self.state = State::Behind(Cursor::new(frame.number, now, false));
            return Outcome::Queued;
        }
        self.begin(frame);
        self.allowance.earn(size, now);
        self.pacer.spend(size);
        self.sender.clock = Some(frame.clock);
        let timestamp = self.sender.timestamp(frame.timestamp, false);
        (0..frame.payloads.len()).for_each(|index| out(self.sender.packet(frame, index, timestamp, now)));
        self.state = State::Live(frame.number + 1);
        Outcome::Sent
    }

    /// When `poll` has something to do.
    pub fn deadline(&self) -> Option<Time> {
        let behind = match &self.state {
            State::Behind(cursor) => Some(cursor.due),
            _ => None,
        };
        let repair = self.repair.is_pending().then(|| self.pacer.opens());
        behind.into_iter().chain(repair).min()
    }

    /// Sends what is due: repairs first, then the frames that a viewer behind has not had.
    pub fn poll(&mut self, now: Time, cache: &impl Cache, out: &mut impl FnMut(Outgoing<'_>)) {
        self.send_repairs(now, cache, out);
        self.catch_up(now, cache, out);
    }

    /// Sends again what the viewer says it lacks (RFC 4585 §6.2.1), where that was negotiated: at once what one burst
    /// takes, the rest by `poll`.
    pub fn nack(
        &mut self,
        sequences: &[u16],
        round_trip: Duration,
        now: Time,
        cache: &impl Cache,
        out: &mut impl FnMut(Outgoing<'_>),
    ) {
        if !self.sender.config().nack {
            return;
        }
        self.pursuit.loss(round_trip, now);
        for &sequence in sequences {
            if let Some(wanted) = self.sender.sent().find(sequence) {
                self.received.lacking |= wanted.sequence >= self.received.keyframe;
                self.repair.request(wanted, round_trip, now);
            }
        }
        self.send_repairs(now, cache, out);
    }

    /// The viewer reports how the stream arrives; `round_trip`, where it can be told.
    pub fn reception(&mut self, reception: &Reception, round_trip: Option<Duration>, now: Time) {
        self.received.newest = (reception.highest as u16).wrapping_add(1) == self.sender.sent().next() as u16;
        // Who can say which packets are missing does.
        self.received.lacking |= reception.fraction_lost > 0 && !self.sender.config().nack;
        self.pursuit.reception(reception.fraction_lost, round_trip, now);
    }

    /// The viewer cannot go on without a keyframe (PLI, FIR). False when only the source can help: the cache has none, or
    /// the viewer has been sent too much again.
    pub fn refresh(&mut self, now: Time, cache: &impl Cache) -> bool {
        let recently = self.refreshed.is_some_and(|last| now.since(last) < REFRESH_INTERVAL);
        let under_way = self.kind() == Kind::Audio || matches!(self.state, State::Behind(_));
        if recently || under_way || self.has_everything(now, cache) {
            return true;
        }
        self.refreshed = Some(now);
        let Some(keyframe) = cache.keyframe() else { return false };
        let near = keyframe.next.is_some_and(|next| next.since(now) <= NEAR && now.since(next) <= LATE);
        if near && self.pursuit.is_losing(now) {
            return true;
        }
        let again = self.newest.is_some_and(|newest| keyframe.number <= newest);
        if again && !self.allowance.reserve(keyframe.bytes) {
            return false;
        }
        self.follow(keyframe.number, now);
        true
    }

    /// Writes a sender report when one is due: with the first frame and every second from then on.
    pub fn report(&mut self, now: Time, cname: &str, out: &mut Vec<u8>) -> bool {
        self.sender.report(now, cname, out)
    }

    /// The source is silent, and the viewer has said that all there is has arrived.
    fn has_everything(&self, now: Time, cache: &impl Cache) -> bool {
        let State::Live(next) = self.state else { return false };
        let newest = next.checked_sub(1).and_then(|number| cache.frame(number));
        let silent = newest.is_some_and(|frame| now.since(frame.received) > PAUSE);
        silent && self.received.newest && !self.received.lacking
    }

    /// The viewer cannot decode the frame, and no other frame needs it.
    fn is_lost_on(&self, frame: &Frame) -> bool {
        frame.leading && self.began
    }

    /// A frame's first packet is about to leave; true when it was sent before.
    fn begin(&mut self, frame: &Frame) -> bool {
        let follows = self.before.is_some_and(|before| before + 1 == frame.number);
        self.before = Some(frame.number);
        let again = self.newest.is_some_and(|newest| frame.number <= newest);
        self.newest = self.newest.max(Some(frame.number));
        self.received.newest = false;
        if frame.keyframe {
            self.began = !follows;
            self.received = Received { keyframe: self.sender.sent().next(), ..Received::default() };
        }
        again
    }

    fn send_repairs(&mut self, now: Time, cache: &impl Cache, out: &mut impl FnMut(Outgoing<'_>)) {
        while self.repair.is_pending() && self.pacer.is_open(now) {
            let Some(wanted) = self.repair.take() else { return };
            if !self.sender.sent().reaches(wanted.sequence) {
                continue;
            }
            let Some((frame, index)) = cache.packet(wanted.packet) else { continue };
            let size = frame.payloads.payload(index).len();
            if !self.allowance.repair(size) {
                // More loss than repairing is worth: what follows would not arrive either.
                self.repair.give_up();
                if let State::Live(_) = self.state {
                    self.state = State::Waiting;
                }
                return;
            }
            self.pacer.spend(size);
            let mut packet = self.sender.repeat(&frame, index, wanted);
            self.repair.readdress(&mut packet);
            out(packet);
        }
    }
}
