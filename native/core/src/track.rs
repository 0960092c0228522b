//! One leg as one viewer gets it: own SSRC, payload type, sequence numbers and time stamps; nothing before a keyframe.
//!
//! A viewer is waiting for a keyframe, live, or behind. Live frames go out as they come. A viewer that has just joined,
//! or whose frame is too large for one burst, is behind: it reads the cache at its own pace until it has caught up.

use std::sync::Arc;
use std::time::Duration;

use crate::extension::{self, Extension, ExtensionIds};
use crate::frame::{ClockPoint, Frame, Kind};
use crate::history::Cache;
use crate::pacer::Pacer;
use crate::pursuit::Pursuit;
use crate::repair::{Repair, Wanted};
use crate::rtcp::{Reception, SenderReport};
use crate::rtp::{HEADER, write_header};
use crate::sent::Sent;
use crate::time::{Time, WallClock};

/// A sender report is due this often (RFC 3550 §6.2 allows less; browsers sync the faster the more often).
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// A viewer that asks for a keyframe more often gets one of the cache no more often than this.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);

/// A source that is silent for longer pauses. Browsers then ask for keyframes every few seconds, and would show what they
/// have shown before.
const PAUSE: Duration = Duration::from_secs(1);

/// What the answer promised for one track.
#[derive(Clone, Copy, Debug)]
pub struct TrackConfig {
    /// The leg.
    pub kind: Kind,
    /// Negotiated.
    pub payload_type: u8,
    /// Announced in the answer.
    pub ssrc: u32,
    /// Where sequence numbers begin: random, so that known plaintext does not help (RFC 3550 §5.1).
    pub first_sequence: u16,
    /// Added to media time, random for the same reason.
    pub timestamp_offset: u32,
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
    /// Random.
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
}

/// What became of a live frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Sent, every packet of it.
    Sent,
    /// It waits in the cache: `poll` sends it.
    Queued,
    /// This viewer had it already.
    Known,
    /// Not decodable for this viewer before the next keyframe.
    AwaitingKeyframe,
}

/// The state of one outgoing leg of one viewer.
#[derive(Debug)]
pub struct Track {
    config: TrackConfig,
    state: State,
    sent: Sent,
    repair: Repair,
    packets: u32,
    octets: u32,
    clock: Option<ClockPoint>,
    next_report: Option<Time>,
    /// No frame may have a time stamp up to this one: the last that was given for catching up.
    floor: Option<u64>,
    /// The highest time stamp given.
    highest: Option<u64>,
    pacer: Pacer,
    pursuit: Pursuit,
    refreshed: Option<Time>,
    started: bool,
    next_extension: Option<Time>,
}

#[derive(Clone, Debug)]
enum State {
    Waiting,
    /// The number of the next frame.
    Live(u64),
    Behind(Cursor),
}

/// Where a viewer stands that is behind.
#[derive(Clone, Debug)]
struct Cursor {
    frame: u64,
    /// Kept while its packets leave, whatever the cache forgets meanwhile.
    under_way: Option<Arc<Frame>>,
    packet: usize,
    due: Time,
    /// Frames get the time at which they are sent, so that the viewer does not believe to be late for good.
    catching_up: bool,
    /// The time stamp of the frame under way.
    timestamp: u64,
    /// Media time of the frame before, for the pace.
    before: Option<u64>,
}

impl Track {
    /// Nothing sent yet; waits for a keyframe.
    pub fn new(config: TrackConfig) -> Self {
        Self {
            config,
            state: State::Waiting,
            sent: Sent::new(config.first_sequence),
            repair: Repair::new(config.retransmission),
            packets: 0,
            octets: 0,
            clock: None,
            next_report: None,
            floor: None,
            highest: None,
            pacer: Pacer::new(config.burst),
            pursuit: Pursuit::default(),
            refreshed: None,
            started: false,
            next_extension: None,
        }
    }

    /// The leg.
    pub fn kind(&self) -> Kind {
        self.config.kind
    }

    /// The outgoing stream.
    pub fn ssrc(&self) -> u32 {
        self.config.ssrc
    }

    /// A packet has been sent.
    pub fn started(&self) -> bool {
        self.started
    }

    /// The viewer can receive: it begins with the newest keyframe of the cache, where there is one; false when it has to
    /// wait for the next. Audio begins live.
    pub fn open(&mut self, now: Time, cache: &impl Cache) -> bool {
        self.config.kind == Kind::Audio || self.rewind(now, cache)
    }

    /// Takes a frame that has just come.
    pub fn live(&mut self, frame: &Frame, now: Time, out: &mut impl FnMut(Outgoing<'_>)) -> Outcome {
        match self.state {
            State::Behind(_) => return Outcome::Queued,
            State::Live(next) if frame.number < next => return Outcome::Known,
            State::Live(next) if frame.number == next => {}
            _ if frame.keyframe => {}
            _ => {
                self.state = State::Waiting;
                return Outcome::AwaitingKeyframe;
            }
        }
        if !self.pacer.takes(frame.payloads.total(), now) {
            let (frame, timestamp) = (frame.number, frame.timestamp);
            let cursor =
                Cursor { frame, under_way: None, packet: 0, due: now, catching_up: false, timestamp, before: None };
            self.state = State::Behind(cursor);
            return Outcome::Queued;
        }
        self.clock = Some(frame.clock);
        let timestamp = self.above_floor(frame.timestamp);
        (0..frame.payloads.len()).for_each(|index| self.send(frame, index, timestamp, now, out));
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
        while let State::Behind(cursor) = &self.state
            && cursor.due <= now
        {
            let cursor = cursor.clone();
            let frame = cursor.under_way.clone().or_else(|| cache.frame(cursor.frame));
            self.state = match frame {
                Some(frame) => State::Behind(self.advance(cursor, frame, now, cache, out)),
                // Nothing newer: caught up. Forgotten meanwhile: the next keyframe will do.
                None if self.ahead_of(cursor.frame, cache) => State::Live(cursor.frame),
                None => State::Waiting,
            };
        }
    }

    /// Sends again what the viewer says it lacks (RFC 4585 §6.2.1): at once what one burst takes, the rest by `poll`.
    pub fn nack(
        &mut self,
        sequences: &[u16],
        round_trip: Duration,
        now: Time,
        cache: &impl Cache,
        out: &mut impl FnMut(Outgoing<'_>),
    ) {
        self.pursuit.loss(round_trip, now);
        for &sequence in sequences {
            if let Some((packet, shift)) = self.sent.find(sequence) {
                self.repair.request(Wanted { sequence, packet, shift }, round_trip, now);
            }
        }
        self.send_repairs(now, cache, out);
    }

    /// The viewer reports how the stream arrives; `round_trip`, where it can be told.
    pub fn reception(&mut self, reception: &Reception, round_trip: Option<Duration>, now: Time) {
        self.pursuit.reception(reception.fraction_lost, round_trip, now);
    }

    /// The viewer cannot go on without a keyframe (PLI, FIR). True when the cache could help.
    pub fn refresh(&mut self, now: Time, cache: &impl Cache) -> bool {
        let recently = self.refreshed.is_some_and(|last| now.since(last) < REFRESH_INTERVAL);
        if recently || matches!(self.state, State::Behind(_)) || self.paused(now, cache) {
            return true;
        }
        self.refreshed = Some(now);
        self.rewind(now, cache)
    }

    /// Writes a sender report when one is due: with the first frame and every second from then on.
    pub fn report(&mut self, now: Time, cname: &str, out: &mut Vec<u8>) -> bool {
        let Some(clock) = self.clock.filter(|_| self.next_report.is_none_or(|due| due <= now)) else {
            return false;
        };
        self.next_report = Some(now + REPORT_INTERVAL);
        let report = SenderReport {
            ssrc: self.config.ssrc,
            ntp: self.config.wall.ntp(now),
            timestamp: self.outgoing(clock.at(now, self.config.kind.rate())),
            packets: self.packets,
            octets: self.octets,
            cname,
        };
        report.write(out);
        true
    }

    /// The viewer has been sent all there is, and nothing has come since.
    fn paused(&self, now: Time, cache: &impl Cache) -> bool {
        let State::Live(next) = self.state else { return false };
        let newest = next.checked_sub(1).and_then(|number| cache.frame(number));
        newest.is_some_and(|frame| now.since(frame.received) > PAUSE)
    }

    fn rewind(&mut self, now: Time, cache: &impl Cache) -> bool {
        let Some(frame) = cache.keyframe() else { return false };
        self.clock = cache.clock();
        self.floor = self.highest;
        self.state = State::Behind(Cursor {
            frame,
            under_way: None,
            packet: 0,
            due: now,
            catching_up: true,
            timestamp: 0,
            before: None,
        });
        true
    }

    fn send_repairs(&mut self, now: Time, cache: &impl Cache, out: &mut impl FnMut(Outgoing<'_>)) {
        while self.repair.is_pending() && self.pacer.is_open(now) {
            let Some(Wanted { sequence, packet, shift }) = self.repair.take() else { return };
            let Some((frame, index)) = cache.packet(packet) else { continue };
            let size = frame.payloads.payload(index).len();
            if !self.repair.spend(size) {
                // More loss than repairing is worth: what follows would not arrive either.
                self.repair.give_up();
                if let State::Live(_) = self.state {
                    self.state = State::Waiting;
                }
                return;
            }
            self.pacer.spend(size);
            let header = self.header(&frame, index, sequence, frame.timestamp.saturating_add_signed(shift));
            out(self.repair.wrap(&frame, index, header, sequence));
        }
    }

    /// Sends of a frame from the cache what may leave now; gives where that leaves the viewer.
    fn advance(
        &mut self,
        mut cursor: Cursor,
        frame: Arc<Frame>,
        now: Time,
        cache: &impl Cache,
        out: &mut impl FnMut(Outgoing<'_>),
    ) -> Cursor {
        if cursor.packet == 0 && self.pacer.is_open(now) {
            let natural = frame.timestamp;
            let wanted = if cursor.catching_up { cache.live_timestamp(now).unwrap_or(natural) } else { natural };
            cursor.timestamp = self.above_floor(wanted);
            if cursor.catching_up {
                self.floor = Some(cursor.timestamp);
            }
            self.clock = cache.clock();
        }
        while cursor.packet < frame.payloads.len() {
            if !self.pacer.is_open(now) {
                let under_way = (cursor.packet > 0).then_some(frame);
                return Cursor { due: self.pacer.opens(), under_way, ..cursor };
            }
            self.send(&frame, cursor.packet, cursor.timestamp, now, out);
            cursor.packet += 1;
        }
        let ticks = cursor.before.map_or(0, |before| frame.timestamp.saturating_sub(before));
        // The last frame in the cache needs no pause: the next one will be live.
        let last = cache.frame(frame.number + 1).is_none();
        let due = if last { now } else { now + self.pursuit.pause(ticks, self.config.kind) };
        Cursor { frame: frame.number + 1, under_way: None, packet: 0, due, before: Some(frame.timestamp), ..cursor }
    }

    /// The frame is yet to come, rather than gone.
    fn ahead_of(&self, frame: u64, cache: &impl Cache) -> bool {
        frame.checked_sub(1).is_some_and(|before| cache.frame(before).is_some())
    }

    /// Time stamps given for catching up are ahead of nature by a little: none may repeat or go back.
    fn above_floor(&mut self, timestamp: u64) -> u64 {
        match self.floor.take() {
            Some(floor) if timestamp <= floor => {
                self.floor = Some(floor + 1);
                floor + 1
            }
            _ => timestamp,
        }
    }

    fn send(&mut self, frame: &Frame, index: usize, timestamp: u64, now: Time, out: &mut impl FnMut(Outgoing<'_>)) {
        let shift = timestamp.wrapping_sub(frame.timestamp) as i64;
        let sequence = self.sent.assign(frame.first_packet + index as u64, shift);
        let size = frame.payloads.payload(index).len();
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(size as u32);
        self.repair.earn(size);
        self.pacer.spend(size);
        self.started = true;
        self.highest = self.highest.max(Some(timestamp));
        let mut header = self.header(frame, index, sequence, timestamp);
        let extension = if index == 0 { self.extension(frame, now) } else { None };
        if extension.is_some() {
            header[0] |= extension::PRESENT;
        }
        out(Outgoing { frame, index, header, extension, original: None, again: false });
    }

    /// Once a second, with a frame's first packet: receivers interpolate.
    fn extension(&mut self, frame: &Frame, now: Time) -> Option<Extension> {
        let ExtensionIds { absolute_capture_time, playout_delay } = self.config.extensions;
        if self.next_extension.is_some_and(|due| due > now) {
            return None;
        }
        self.next_extension = Some(now + REPORT_INTERVAL);
        let capture = absolute_capture_time.map(|id| {
            let at = frame.clock.moment(frame.timestamp, self.config.kind.rate());
            (id, self.config.wall.ntp(at).0)
        });
        Extension::new(capture, playout_delay)
    }

    fn header(&self, frame: &Frame, index: usize, sequence: u16, timestamp: u64) -> [u8; HEADER] {
        let marker = self.config.kind == Kind::Video && index + 1 == frame.payloads.len();
        write_header(marker, self.config.payload_type, sequence, self.outgoing(timestamp), self.config.ssrc)
    }

    fn outgoing(&self, timestamp: u64) -> u32 {
        (timestamp as u32).wrapping_add(self.config.timestamp_offset)
    }
}
