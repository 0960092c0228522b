//! A viewer's end: takes packets as a browser does, asks for what is missing, decodes what is whole.

use std::collections::BTreeMap;
use std::time::Duration;

use core_media::codec::h264::payload::Format as H264;
use core_media::codec::nal::{Unit, units};
use core_media::rtp::RtpPacket;
use core_media::time::Time;

use crate::support::{PPS, SPS};

pub const PAYLOAD_TYPE: u8 = 102;
pub const RTX_PAYLOAD_TYPE: u8 = 103;
pub const SSRC: u32 = 7;
pub const RTX_SSRC: u32 = 8;

/// Where the numbers of the stream begin: a loss of the very first packets is seen as well.
pub const FIRST_SEQUENCE: u16 = 65_000;

/// Times a missing packet is asked for before the receiver gives up on it.
const MAX_REQUESTS: u32 = 10;

#[derive(Clone)]
struct Stored {
    marker: bool,
    timestamp: u32,
    payload: Vec<u8>,
}

#[derive(Default)]
pub struct Receiver {
    packets: BTreeMap<u64, Stored>,
    highest: Option<u64>,
    /// The first packet that no frame has used yet.
    next: Option<u64>,
    requested: BTreeMap<u64, (u32, Time)>,
    last_frame: Option<u64>,
    last_timestamp: Option<u32>,
    needs_keyframe: bool,
    /// Packets that arrived the first time they were sent.
    arrived: u64,
    /// Frame number and moment, as they became decodable.
    pub decoded: Vec<(u64, Time)>,
    pub repaired: usize,
    pub keyframe_requests: usize,
    pub timestamps: Vec<u32>,
}

impl Receiver {
    pub fn packet(&mut self, bytes: &[u8], now: Time) {
        let packet = RtpPacket::parse(bytes).expect("viewers get valid packets");
        let (sequence, payload) = match (packet.ssrc, packet.payload_type) {
            (SSRC, PAYLOAD_TYPE) => {
                self.arrived += 1;
                (packet.sequence, packet.payload)
            }
            (RTX_SSRC, RTX_PAYLOAD_TYPE) => {
                self.repaired += 1;
                (u16::from_be_bytes([packet.payload[0], packet.payload[1]]), &packet.payload[2..])
            }
            other => panic!("a packet of an unknown stream {other:?}"),
        };
        let base = self.highest.unwrap_or((1 << 20) + u64::from(FIRST_SEQUENCE));
        let number = base.wrapping_add_signed(i64::from(sequence.wrapping_sub(base as u16) as i16));
        self.highest = Some(base.max(number));
        self.next.get_or_insert((1 << 20) + u64::from(FIRST_SEQUENCE));
        self.requested.remove(&number);
        let stored = Stored { marker: packet.marker, timestamp: packet.timestamp, payload: payload.to_vec() };
        if let Some(known) = self.packets.insert(number, stored.clone()) {
            assert_eq!(known.payload, stored.payload, "a packet comes again as it was");
            assert_eq!(known.timestamp, stored.timestamp, "with its time stamp");
        }
        self.decode(now);
    }

    /// Sequence numbers to ask for now: each again after a round trip.
    pub fn missing(&mut self, round_trip: Duration, now: Time) -> Vec<u16> {
        let (Some(next), Some(highest)) = (self.next, self.highest) else { return Vec::new() };
        let mut wanted = Vec::new();
        for number in next..highest {
            if self.packets.contains_key(&number) {
                continue;
            }
            let (count, at) = self.requested.entry(number).or_insert((0, Time::default()));
            if *count < MAX_REQUESTS && (*count == 0 || now.since(*at) >= round_trip) {
                (*count, *at) = (*count + 1, now);
                wanted.push(number as u16);
            }
        }
        wanted
    }

    /// Packets that should have arrived by now, and those that did.
    pub fn arrivals(&self) -> (u64, u64) {
        let first = (1 << 20) + u64::from(FIRST_SEQUENCE);
        let expected = self.highest.map_or(0, |highest| highest + 1 - first);
        (expected.max(self.arrived), self.arrived)
    }

    /// The extended number of the newest packet.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// True when only a keyframe helps.
    pub fn stuck(&mut self) -> bool {
        let given_up = self.requested.values().any(|(count, _)| *count >= MAX_REQUESTS);
        if given_up && !self.needs_keyframe {
            self.needs_keyframe = true;
            self.keyframe_requests += 1;
            return true;
        }
        false
    }

    /// Decodes whole frames in order; after giving up, from the next keyframe on.
    fn decode(&mut self, now: Time) {
        loop {
            let Some(start) = self.next else { return };
            let Some(frame) = self.whole_frame(start) else {
                if self.needs_keyframe && self.skip_to_keyframe(start) {
                    continue;
                }
                return;
            };
            let end = start + frame.len() as u64;
            self.take(&frame, now);
            self.next = Some(end);
        }
    }

    fn whole_frame(&self, start: u64) -> Option<Vec<Stored>> {
        let end = (start..).find(|number| self.packets.get(number).is_none_or(|packet| packet.marker))?;
        self.packets
            .contains_key(&end)
            .then(|| self.packets.range(start..=end).map(|(_, packet)| packet.clone()).collect())
    }

    fn skip_to_keyframe(&mut self, after: u64) -> bool {
        let aggregate = |stored: &Stored| stored.payload[0] & 0x1f == 24;
        let found = self.packets.range(after + 1..).find(|(_, stored)| aggregate(stored)).map(|(number, _)| *number);
        let Some(number) = found else { return false };
        self.next = Some(number);
        self.requested.retain(|wanted, _| *wanted >= number);
        self.needs_keyframe = false;
        self.last_frame = None;
        true
    }

    fn take(&mut self, frame: &[Stored], now: Time) {
        let timestamp = frame[0].timestamp;
        assert!(frame.iter().all(|packet| packet.timestamp == timestamp), "a frame has one time stamp");
        if let Some(last) = self.last_timestamp {
            assert!((timestamp.wrapping_sub(last) as i32) > 0, "time stamps go up: {last} {timestamp}");
        }
        self.last_timestamp = Some(timestamp);
        self.timestamps.push(timestamp);
        let mut nals: Vec<Vec<u8>> = Vec::new();
        for packet in frame {
            units::<H264>(&packet.payload, |unit| match unit {
                Unit::Whole(unit) => nals.push(unit.to_vec()),
                Unit::Fragment { header, start, data, .. } => {
                    if start {
                        nals.push(vec![header as u8]);
                    }
                    nals.last_mut().expect("a fragment begins with its start").extend_from_slice(data);
                }
            })
            .expect("payloads are valid");
        }
        let slice = nals.last().expect("a frame holds a slice");
        let number = u64::from_be_bytes(slice[2..10].try_into().expect("a slice tells its frame"));
        if slice[0] & 0x1f == 5 {
            assert_eq!(nals[..2], [SPS.to_vec(), PPS.to_vec()], "parameter sets come first");
        } else {
            assert_eq!(self.last_frame.map(|last| last + 1), Some(number), "no delta frame without the one before");
        }
        self.last_frame = Some(number);
        self.decoded.push((number, now));
    }
}
