//! A stream, one viewer of it and the line between them, in virtual time.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::history::{History, Limits};
use core_media::pacer::DEFAULT_BURST;
use core_media::rtcp::Reception;
use core_media::time::{Time, WallClock, ticks};
use core_media::track::{Outgoing, Retransmission, Track, TrackConfig};

use crate::receiver::{FIRST_SEQUENCE, PAYLOAD_TYPE, RTX_PAYLOAD_TYPE, RTX_SSRC, Receiver, SSRC};
use crate::support::{Bench, Encoder, Random};
use crate::wire::Wire;

pub const FRAME: Duration = Duration::from_micros(33_333);
const STEP: Duration = Duration::from_millis(1);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What the line between server and viewer does.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub loss_percent: u64,
    pub delay: Duration,
    /// Added at random, up to this.
    pub jitter: Duration,
    pub retransmission: bool,
    /// A bottleneck: bytes in a millisecond, and bytes that wait before it at most.
    pub bottleneck: Option<(u64, u64)>,
}

pub const CLEAN: Line =
    Line { loss_percent: 0, delay: Duration::ZERO, jitter: Duration::ZERO, retransmission: true, bottleneck: None };

enum Request {
    Nack(Vec<u16>),
    Keyframe,
    Report(Reception, Duration),
}

pub struct Session {
    pub bench: Bench,
    pub encoder: Encoder,
    pub history: History,
    pub track: Track,
    pub receiver: Receiver,
    pub wire: Wire,
    random: Random,
    pub line: Line,
    /// On the way, by arrival.
    forth: BTreeMap<(Time, u64), Vec<u8>>,
    back: BTreeMap<(Time, u64), Request>,
    /// All packets so far, by SSRC and sequence number.
    launched: HashMap<[u8; 6], Vec<u8>>,
    count: u64,
    /// From picture to picture.
    pub interval: Duration,
    pub next_frame: Time,
    next_report: Time,
    /// When what waits before the bottleneck has passed it.
    busy_until: Time,
    reported: (u64, u64),
    /// Bytes that left within a millisecond, at most.
    pub largest_burst: usize,
    pub sent_bytes: usize,
    /// Packets that the bottleneck's queue had no room for.
    pub overflowed: usize,
}

pub fn track(retransmission: bool, burst: usize) -> Track {
    let retransmission = retransmission.then_some(Retransmission {
        payload_type: RTX_PAYLOAD_TYPE,
        ssrc: RTX_SSRC,
        first_sequence: 65_530,
    });
    Track::new(TrackConfig {
        codec: Codec::H264,
        payload_type: PAYLOAD_TYPE,
        ssrc: SSRC,
        first_sequence: FIRST_SEQUENCE,
        timestamp_offset: 0xffff_0000,
        nack: true,
        retransmission,
        extensions: ExtensionIds { absolute_capture_time: Some(3), playout_delay: Some(14) },
        burst,
        wall: WallClock::new(Duration::from_secs(1_000)),
    })
}

/// The packet's bytes, as they are encrypted under its number.
pub fn bytes(packet: &Outgoing<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.write(&mut bytes);
    assert_eq!((bytes.len(), &bytes[2..4]), (packet.size(), &(packet.sequence as u16).to_be_bytes()[..]));
    bytes
}

impl Session {
    pub fn new(seed: u64, gop: u64, line: Line) -> Self {
        let mut encoder = Encoder::new(seed);
        encoder.gop = gop;
        let bench = Bench::new();
        let now = bench.now;
        Self {
            bench,
            encoder,
            history: History::new(90_000, Limits::default()),
            track: track(line.retransmission, DEFAULT_BURST),
            receiver: Receiver::default(),
            wire: Wire::default(),
            random: Random::new(seed + 1_000),
            line,
            forth: BTreeMap::new(),
            back: BTreeMap::new(),
            launched: HashMap::new(),
            count: 0,
            interval: FRAME,
            next_frame: now,
            next_report: now,
            busy_until: now,
            reported: (0, 0),
            largest_burst: 0,
            sent_bytes: 0,
            overflowed: 0,
        }
    }

    pub fn now(&self) -> Time {
        self.bench.now
    }

    pub fn join(&mut self) {
        let now = self.now();
        self.track.open(now, &self.history);
    }

    /// The number of the newest frame that was sent to the server.
    pub fn newest(&self) -> u64 {
        self.encoder.frame_number() - 1
    }

    /// Runs the stream, the viewer and the line between them.
    pub fn run(&mut self, duration: Duration, watching: bool) {
        let end = self.now() + duration;
        while self.now() < end {
            let now = self.now();
            if now >= self.next_frame {
                self.next_frame = self.next_frame + self.interval;
                let unit = self.encoder.next_unit();
                self.encoder.step = ticks(self.interval, 90_000) as u32;
                self.encoder.packetize(&unit).iter().for_each(|datagram| self.bench.video(datagram));
            }
            let frames = self.bench.frames();
            let (mut out, wire) = (Vec::new(), &mut self.wire);
            let mut send = |packet: Outgoing<'_>| {
                wire.take(&packet);
                out.push(bytes(&packet));
            };
            for frame in frames {
                self.history.push(frame.clone());
                if watching {
                    self.track.live(&frame, now, &mut send);
                }
            }
            if watching && self.track.deadline().is_some_and(|due| due <= now) {
                self.track.poll(now, &self.history, &mut send);
            }
            self.answer(now, &mut out);
            self.largest_burst = self.largest_burst.max(out.iter().map(Vec::len).sum());
            out.into_iter().for_each(|packet| self.launch(packet));
            self.deliver(now);
            self.bench.pass(STEP);
        }
    }

    /// The viewer asks for a keyframe: those that come, of such that it has had, within the next tenth of a second.
    pub fn repeated_after_refresh(&mut self) -> Vec<u64> {
        let before = self.receiver.decoded.len();
        self.track.refresh(self.now(), &self.history);
        self.run(Duration::from_millis(100), true);
        let (before, after) = self.receiver.decoded.split_at(before);
        let keyframes =
            after.iter().map(|(number, _)| *number).filter(|number| number.is_multiple_of(self.encoder.gop));
        keyframes.filter(|number| before.iter().any(|(had, _)| had == number)).collect()
    }

    fn launch(&mut self, packet: Vec<u8>) {
        self.sent_bytes += packet.len();
        let key = [packet[2], packet[3], packet[8], packet[9], packet[10], packet[11]];
        if let Some(before) = self.launched.insert(key, packet.clone()) {
            assert_eq!(before, packet, "under one number only one packet is ever encrypted");
        }
        let mut at = self.now();
        if let Some((rate, queue)) = self.line.bottleneck {
            let waits = self.busy_until.since(at).as_nanos() as u64 * rate / 1_000_000;
            if waits + packet.len() as u64 > queue {
                self.overflowed += 1;
                return;
            }
            at = self.busy_until.max(at) + Duration::from_nanos(packet.len() as u64 * 1_000_000 / rate);
            self.busy_until = at;
        }
        if self.random.chance(self.line.loss_percent) {
            return;
        }
        let jitter = self.random.below(self.line.jitter.as_nanos() as u64 + 1);
        self.count += 1;
        self.forth.insert((at + self.line.delay + Duration::from_nanos(jitter), self.count), packet);
    }

    /// The viewer takes what has arrived and says what it has to say.
    fn deliver(&mut self, now: Time) {
        while let Some(entry) = self.forth.first_entry().filter(|entry| entry.key().0 <= now) {
            let packet = entry.remove();
            self.receiver.packet(&packet, now);
        }
        let queued = self.busy_until.since(now);
        let round_trip = self.line.delay * 2 + queued + Duration::from_millis(5);
        let missing = self.receiver.missing(round_trip, now);
        if !missing.is_empty() && !self.random.chance(self.line.loss_percent) {
            self.tell(Request::Nack(missing));
        }
        if self.receiver.stuck() {
            self.tell(Request::Keyframe);
        }
        if now >= self.next_report {
            self.next_report = now + REPORT_INTERVAL;
            let (expected, received) = self.receiver.arrivals();
            let (lost, of) =
                ((expected - received).saturating_sub(self.reported.0 - self.reported.1), expected - self.reported.0);
            self.reported = (expected, received);
            let reception = Reception {
                ssrc: SSRC,
                fraction_lost: (lost * 256).checked_div(of).unwrap_or(0).min(255) as u8,
                lost: (expected - received) as u32,
                highest: self.receiver.highest().unwrap_or_default() as u32,
                jitter: 0,
                last_report: 0,
                delay: 0,
            };
            self.tell(Request::Report(reception, round_trip));
        }
    }

    fn tell(&mut self, request: Request) {
        self.count += 1;
        self.back.insert((self.now() + self.line.delay, self.count), request);
    }

    /// The server hears what the viewer has said.
    fn answer(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        while let Some(entry) = self.back.first_entry().filter(|entry| entry.key().0 <= now) {
            let Self { track, history, wire, .. } = self;
            match entry.remove() {
                Request::Nack(sequences) => {
                    let round_trip = self.line.delay * 2;
                    track.nack(&sequences, round_trip, now, history, &mut |packet| {
                        wire.take(&packet);
                        out.push(bytes(&packet));
                    });
                }
                Request::Keyframe => {
                    track.refresh(now, history);
                }
                Request::Report(reception, round_trip) => track.reception(&reception, Some(round_trip), now),
            }
        }
    }
}
