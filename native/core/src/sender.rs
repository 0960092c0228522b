//! What a track's packets look like to its viewer: SSRC, sequence numbers, time stamps, extensions, and the reports on them.

use std::time::Duration;

use crate::extension::{self, Extension, ExtensionIds};
use crate::frame::{ClockPoint, Frame, Kind};
use crate::rtcp::SenderReport;
use crate::rtp::{HEADER, MAX_EXTENDED, write_header};
use crate::sent::{Sent, SentPacket};
use crate::time::Time;
use crate::track::{Outgoing, TrackConfig};

/// A sender report is due this often (RFC 3550 §6.2 allows less; browsers sync the faster the more often).
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How far back a packet can be repeated on the stream for repairs: half of the numbers.
const REACH: u16 = 1 << 15;

/// The same without such a stream: libsrtp refuses what lies before its window of 1,024 packets (RFC 3711 §3.3.2), and
/// some are sent while a repair waits.
const REACH_IN_STREAM: u16 = 1_000;

/// Writes one outgoing stream.
#[derive(Debug)]
pub struct Sender {
    config: TrackConfig,
    sent: Sent,
    packets: u32,
    octets: u32,
    /// The newest frame's.
    pub clock: Option<ClockPoint>,
    next_report: Option<Time>,
    next_extension: Option<Time>,
    /// No frame may have a time stamp up to this one: the last that was given for catching up.
    floor: Option<u64>,
    /// The highest time stamp given.
    highest: Option<u64>,
}

impl Sender {
    /// Nothing sent yet.
    pub fn new(config: TrackConfig) -> Self {
        let reach = if config.retransmission.is_some() { REACH } else { REACH_IN_STREAM };
        Self {
            config,
            sent: Sent::new(config.first_sequence, reach),
            packets: 0,
            octets: 0,
            clock: None,
            next_report: None,
            next_extension: None,
            floor: None,
            highest: None,
        }
    }

    /// As negotiated.
    pub fn config(&self) -> &TrackConfig {
        &self.config
    }

    /// A packet has been sent.
    pub fn started(&self) -> bool {
        self.highest.is_some()
    }

    /// What went out before.
    pub fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Frames that follow are older than the newest that was sent, but their time stamps must not be.
    pub fn go_back(&mut self) {
        self.floor = self.highest;
    }

    /// The time stamp for a frame. Those given for catching up are ahead of nature by a little: none may repeat or go back.
    pub fn timestamp(&mut self, wanted: u64, catching_up: bool) -> u64 {
        let floor = self.floor.take();
        let timestamp = floor.map_or(wanted, |floor| wanted.max(floor + 1));
        if catching_up || timestamp > wanted {
            self.floor = Some(timestamp);
        }
        self.highest = self.highest.max(Some(timestamp));
        timestamp
    }

    /// The next packet: a frame's payload `index`.
    pub fn packet<'a>(&mut self, frame: &'a Frame, index: usize, timestamp: u64, now: Time) -> Outgoing<'a> {
        let shift = timestamp.wrapping_sub(frame.timestamp) as i64;
        let sequence = self.sent.assign(frame.first_packet + index as u64, shift);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(frame.payloads.payload(index).len() as u32);
        let extension = self.due_extension(frame, index, now);
        if extension.is_some() {
            self.sent.extend();
        }
        let header = self.header(frame, index, sequence, timestamp, extension.is_some());
        Outgoing { frame, index, header, sequence, extension, original: None, again: false }
    }

    /// A packet as it was sent before, bit for bit: SRTP must not encrypt two packets under one number (RFC 7714 §8.4).
    pub fn repeat<'a>(&self, frame: &'a Frame, index: usize, sent: SentPacket) -> Outgoing<'a> {
        let timestamp = frame.timestamp.saturating_add_signed(sent.shift);
        let extension = if sent.extended { self.extension(frame) } else { None };
        let header = self.header(frame, index, sent.sequence, timestamp, extension.is_some());
        Outgoing { frame, index, header, sequence: sent.sequence, extension, original: None, again: true }
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
            timestamp: self.outgoing(clock.at(now, self.config.codec.rate())),
            packets: self.packets,
            octets: self.octets,
            cname,
        };
        report.write(out);
        true
    }

    /// Once a second, with the first packet that has room: receivers interpolate. Chromium reads the playout delay of a
    /// frame's first packet alone; that of a keyframe, which holds parameter sets, has room.
    fn due_extension(&mut self, frame: &Frame, index: usize, now: Time) -> Option<Extension> {
        let fits = frame.kind() == Kind::Audio || frame.payloads.payload(index).len() <= MAX_EXTENDED;
        if !fits || self.next_extension.is_some_and(|due| now < due) {
            return None;
        }
        self.next_extension = Some(now + REPORT_INTERVAL);
        self.extension(frame)
    }

    /// The same for a frame whenever it is asked for.
    fn extension(&self, frame: &Frame) -> Option<Extension> {
        let ExtensionIds { absolute_capture_time, playout_delay } = self.config.extensions;
        let capture = absolute_capture_time.map(|id| {
            let at = frame.clock.moment(frame.timestamp, self.config.codec.rate());
            (id, self.config.wall.ntp(at).0)
        });
        Extension::new(capture, playout_delay)
    }

    fn header(&self, frame: &Frame, index: usize, sequence: u64, timestamp: u64, extended: bool) -> [u8; HEADER] {
        let TrackConfig { codec, payload_type, ssrc, .. } = self.config;
        let marker = codec.kind() == Kind::Video && index + 1 == frame.payloads.len();
        let mut header = write_header(marker, payload_type, sequence as u16, self.outgoing(timestamp), ssrc);
        if extended {
            header[0] |= extension::PRESENT;
        }
        header
    }

    fn outgoing(&self, timestamp: u64) -> u32 {
        (timestamp as u32).wrapping_add(self.config.timestamp_offset)
    }
}
