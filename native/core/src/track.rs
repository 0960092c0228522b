//! One leg as one viewer gets it: own SSRC, payload type, sequence numbers and time stamps; nothing before a keyframe.
//!
//! A viewer is waiting for a keyframe, live, or behind. Live frames go out as they come. A viewer that has just joined,
//! or whose frame is too large for one burst, is behind: it reads the cache at its own pace until it has caught up.

use std::sync::Arc;
use std::time::Duration;

use crate::extension::{self, Extension, ExtensionIds};
use crate::frame::{ClockPoint, Frame, Kind};
use crate::history::Cache;
use crate::repair::Repair;
use crate::rtcp::SenderReport;
use crate::rtp::{HEADER, write_header};
use crate::sent::Sent;
use crate::time::{Time, WallClock, nanos};

/// A sender report is due this often (RFC 3550 §6.2 allows less; browsers sync the faster the more often).
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The most that leaves at once for one viewer: what the queue of a home router takes.
pub const MAX_BURST: usize = 64_000;

/// Between two bursts of one large frame: 64 Mbit/s.
const BURST_INTERVAL: Duration = Duration::from_millis(8);

/// Between two frames of a catch-up, however rare they are.
const MAX_PAUSE: Duration = Duration::from_millis(16);

/// A viewer behind gets this many frames in the time of one.
const CATCH_UP_SPEED: u32 = 20;

/// On a link that loses packets meanwhile the speed is halved down to this.
const MIN_CATCH_UP_SPEED: u32 = 4;

/// A viewer that asks for a keyframe more often gets one of the cache no more often than this.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);

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
    speed: u32,
    refreshed: Option<Time>,
    started: bool,
    next_extension: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting,
    /// The number of the next frame.
    Live(u64),
    Behind(Cursor),
}

/// Where a viewer stands that is behind.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    frame: u64,
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
            speed: CATCH_UP_SPEED,
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
        if frame.payloads.total() > MAX_BURST {
            let (frame, timestamp) = (frame.number, frame.timestamp);
            let cursor = Cursor { frame, packet: 0, due: now, catching_up: false, timestamp, before: None };
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
        match self.state {
            State::Behind(cursor) => Some(cursor.due),
            _ => None,
        }
    }

    /// Sends what is due to a viewer that is behind.
    pub fn poll(&mut self, now: Time, cache: &impl Cache, out: &mut impl FnMut(Outgoing<'_>)) {
        let mut budget = MAX_BURST;
        while let State::Behind(cursor) = self.state
            && cursor.due <= now
        {
            self.state = match cache.frame(cursor.frame) {
                Some(frame) => State::Behind(self.advance(cursor, &frame, &mut budget, now, cache, out)),
                // Nothing newer: caught up. Forgotten meanwhile: the next keyframe will do.
                None if self.ahead_of(cursor.frame, cache) => State::Live(cursor.frame),
                None => State::Waiting,
            };
        }
    }

    /// Sends again what the viewer says it lacks (RFC 4585 §6.2.1); gives how many packets.
    pub fn nack(
        &mut self,
        sequences: &[u16],
        round_trip: Duration,
        now: Time,
        cache: &impl Cache,
        out: &mut impl FnMut(Outgoing<'_>),
    ) -> usize {
        if matches!(self.state, State::Behind(_)) {
            self.speed = (self.speed / 2).max(MIN_CATCH_UP_SPEED);
        }
        let mut count = 0;
        for &sequence in sequences {
            let Some((packet, shift)) = self.sent.find(sequence) else { continue };
            let Some((frame, index)) = cache.packet(packet) else { continue };
            if !self.repair.due(sequence, round_trip, now) {
                continue;
            }
            if !self.repair.spend(frame.payloads.payload(index).len()) {
                // More loss than repairing is worth: what follows would not arrive either.
                self.state = State::Waiting;
                break;
            }
            let timestamp = frame.timestamp.saturating_add_signed(shift);
            let header = self.header(&frame, index, sequence, timestamp);
            out(self.repair.wrap(&frame, index, header, sequence));
            count += 1;
        }
        count
    }

    /// The viewer cannot go on without a keyframe (PLI, FIR). True when the cache could help.
    pub fn refresh(&mut self, now: Time, cache: &impl Cache) -> bool {
        let recently = self.refreshed.is_some_and(|last| now.since(last) < REFRESH_INTERVAL);
        if recently || matches!(self.state, State::Behind(_)) {
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

    fn rewind(&mut self, now: Time, cache: &impl Cache) -> bool {
        let Some(frame) = cache.keyframe() else { return false };
        self.speed = CATCH_UP_SPEED;
        self.clock = cache.clock();
        self.floor = self.highest;
        self.state =
            State::Behind(Cursor { frame, packet: 0, due: now, catching_up: true, timestamp: 0, before: None });
        true
    }

    /// Sends one burst of a frame from the cache; gives where that leaves the viewer.
    fn advance(
        &mut self,
        mut cursor: Cursor,
        frame: &Arc<Frame>,
        budget: &mut usize,
        now: Time,
        cache: &impl Cache,
        out: &mut impl FnMut(Outgoing<'_>),
    ) -> Cursor {
        if cursor.packet == 0 {
            let natural = frame.timestamp;
            let wanted = if cursor.catching_up { cache.live_timestamp(now).unwrap_or(natural) } else { natural };
            cursor.timestamp = self.above_floor(wanted);
            if cursor.catching_up {
                self.floor = Some(cursor.timestamp);
            }
            self.clock = cache.clock();
        }
        while cursor.packet < frame.payloads.len() && *budget > 0 {
            *budget = budget.saturating_sub(frame.payloads.payload(cursor.packet).len());
            self.send(frame, cursor.packet, cursor.timestamp, now, out);
            cursor.packet += 1;
        }
        if cursor.packet < frame.payloads.len() {
            cursor.due = now + BURST_INTERVAL;
            return cursor;
        }
        let step = cursor.before.map_or(0, |before| frame.timestamp.saturating_sub(before));
        let pace = Duration::from_nanos(nanos(step, self.config.kind.rate()) / u64::from(self.speed));
        // The last frame in the cache needs no pause: the next one will be live.
        let last = cache.frame(frame.number + 1).is_none();
        let due = match *budget {
            _ if last => now,
            0 => now + BURST_INTERVAL,
            _ => now + pace.min(MAX_PAUSE),
        };
        Cursor { frame: frame.number + 1, packet: 0, due, before: Some(frame.timestamp), ..cursor }
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
        self.started = true;
        self.highest = self.highest.max(Some(timestamp));
        let mut header = self.header(frame, index, sequence, timestamp);
        let extension = if index == 0 { self.extension(frame, now) } else { None };
        if extension.is_some() {
            header[0] |= extension::PRESENT;
        }
        out(Outgoing { frame, index, header, extension, original: None });
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
