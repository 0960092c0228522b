//! Packets sent again: exactly as before, of a size that every line takes, at a bounded cost.

mod support;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::frame::{ClockPoint, Frame, Kind};
use core_media::history::{Cache, History, Keyframe, Limits};
use core_media::payloads::Payloads;
use core_media::rtcp::{self, Rtcp};
use core_media::rtp::{MAX_EXTENDED, MAX_PAYLOAD};
use core_media::time::{Time, WallClock};
use core_media::track::{Outgoing, Retransmission, Track, TrackConfig};
use support::Random;

const EXTENSIONS: ExtensionIds = ExtensionIds { absolute_capture_time: Some(3), playout_delay: Some(14) };
const RTX: Retransmission = Retransmission { payload_type: 97, ssrc: 2, first_sequence: 7 };
const TRIP: Duration = Duration::from_millis(20);

fn track(codec: Codec, nack: bool, retransmission: Option<Retransmission>, extensions: ExtensionIds) -> Track {
    Track::new(TrackConfig {
        codec,
        payload_type: 96,
        ssrc: 1,
        first_sequence: 0,
        timestamp_offset: 77,
        nack,
        retransmission,
        extensions,
        burst: usize::MAX,
        wall: WallClock::new(Duration::from_secs(1_000)),
    })
}

/// The frame with this number, one in a tenth of a second.
fn frame(codec: Codec, number: u64, packets: u64, size: usize) -> Arc<Frame> {
    let mut payloads = Payloads::default();
    (0..packets).for_each(|packet| payloads.push(&vec![(number * packets + packet) as u8; size]));
    let received = Time::from_millis(1_000 + number * 100);
    let timestamp = (1 << 40) + number * u64::from(codec.rate()) / 10;
    let clock = ClockPoint { time: received, timestamp };
    let keyframe = codec.kind() == Kind::Audio || number.is_multiple_of(30);
    let (first_packet, leading) = (number * packets, false);
    Arc::new(Frame { codec, number, first_packet, timestamp, keyframe, leading, received, clock, payloads })
}

/// As it is encrypted.
fn bytes(packet: &Outgoing<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.write(&mut bytes);
    assert_eq!((bytes.len(), packet.sequence as u16), (packet.size(), sequence(packet)));
    bytes
}

fn sequence(packet: &Outgoing<'_>) -> u16 {
    u16::from_be_bytes([packet.header[2], packet.header[3]])
}

#[test]
fn without_a_stream_for_repairs_a_number_stands_for_one_packet_bit_for_bit() {
    for codec in [Codec::H264, Codec::Opus] {
        let mut random = Random::new(codec as u64);
        let mut history = History::new(codec.rate(), Limits::default());
        let mut track = track(codec, true, None, EXTENSIONS);
        let mut sent: HashMap<u64, Vec<u8>> = HashMap::new();
        let (mut repairs, mut extended) = (0, 0);
        for number in 0..400 {
            let frame = frame(codec, number, if codec.kind() == Kind::Audio { 1 } else { 4 }, 300);
            let now = frame.received;
            history.push(frame.clone());
            let mut take = |packet: Outgoing<'_>| {
                let key = packet.sequence;
                repairs += usize::from(packet.again);
                extended += usize::from(packet.again && packet.extension.is_some());
                let before = sent.insert(key, bytes(&packet));
                assert_eq!(before.is_some(), packet.again, "{codec:?}: packet {key}");
                assert!(before.is_none_or(|before| before == bytes(&packet)), "{codec:?}: packet {key} differs");
            };
            track.live(&frame, now, &mut take);
            if random.chance(5) {
                track.refresh(now, &history);
            }
            track.poll(now, &history, &mut take);
            let wanted: Vec<u16> = (0..5).map(|_| random.below(number * 4 + 4) as u16).collect();
            track.nack(&wanted, TRIP, now + TRIP, &history, &mut take);
        }
        assert!(repairs > 100 && extended > 5, "{codec:?}: {repairs} repairs, {extended} with an extension");
    }
}

/// Has a track send 2,000 packets of 100 bytes, all at one moment.
fn played(mut track: Track) -> (Track, History, Time) {
    let limits = Limits { age: Duration::from_secs(3_600), ..Limits::default() };
    let mut history = History::new(track.codec().rate(), limits);
    let now = Time::from_millis(1_000);
    for number in 0..2_000 {
        let frame = frame(track.codec(), number, 1, 100);
        history.push(frame.clone());
        track.live(&frame, now, &mut |_| {});
    }
    (track, history, now)
}

#[test]
fn without_a_stream_for_repairs_only_the_newest_thousand_packets_are_repeated() {
    for (retransmission, oldest) in [(None, 1_000), (Some(RTX), 2_000)] {
        let (mut track, history, now) = played(track(Codec::Opus, true, retransmission, ExtensionIds::default()));
        let mut answered = Vec::new();
        for round in 0..10 {
            let wanted: Vec<u16> = (0..2_000).skip(round * 200).step_by(4).take(50).collect();
            track.nack(&wanted, TRIP, now + TRIP * round as u32, &history, &mut |packet| {
                answered.push(packet.original.unwrap_or(sequence(&packet)));
            });
        }
        assert_eq!(answered, (2_000 - oldest..2_000).step_by(4).collect::<Vec<u16>>());
    }
}

#[test]
fn a_datagram_fits_every_line_whatever_is_written_around_the_payload() {
    // IPv6, UDP and the tag of AEAD_AES_256_GCM.
    const AROUND: usize = 40 + 8 + 16;
    const SIZES: [usize; 3] = [MAX_EXTENDED, MAX_EXTENDED + 1, MAX_PAYLOAD];
    let ids = [None, Some(1)];
    let mut largest = 0;
    for absolute_capture_time in ids {
        for playout_delay in ids {
            for (retransmission, size) in [None, Some(RTX)].into_iter().flat_map(|rtx| SIZES.map(|size| (rtx, size))) {
                let extensions = ExtensionIds { absolute_capture_time, playout_delay };
                let mut track = track(Codec::H264, true, retransmission, extensions);
                let mut history = History::new(90_000, Limits::default());
                let frame = frame(Codec::H264, 0, 3, size);
                history.push(frame.clone());
                let (mut first, mut again, mut extended) = (0, 0, 0);
                track.live(&frame, frame.received, &mut |packet| {
                    first = first.max(bytes(&packet).len());
                    extended += usize::from(packet.extension.is_some());
                });
                track.nack(&[0, 1, 2], TRIP, frame.received, &history, &mut |packet| {
                    again = again.max(bytes(&packet).len());
                });
                assert!(again > 0 && AROUND + first.max(again) <= 1_280, "{extensions:?}: {first}, {again}");
                let wanted = size <= MAX_EXTENDED && (absolute_capture_time.or(playout_delay)).is_some();
                assert_eq!(extended, usize::from(wanted), "{extensions:?}, {size} bytes");
                largest = largest.max(AROUND + first.max(again));
            }
        }
    }
    assert_eq!(largest, 1_280, "and nothing is given away");
}

#[test]
fn an_extension_that_is_due_waits_for_the_first_packet_with_room() {
    let mut track = track(Codec::H264, true, None, EXTENSIONS);
    let mut extended = Vec::new();
    for (number, size) in [MAX_PAYLOAD, MAX_PAYLOAD, MAX_EXTENDED, MAX_EXTENDED].into_iter().enumerate() {
        let frame = frame(Codec::H264, number as u64, 2, size);
        track.live(&frame, frame.received, &mut |packet| {
            extended.extend(packet.extension.map(|_| (number, packet.index)));
        });
    }
    assert_eq!(extended, [(2, 0)]);
}

/// A cache that counts how often it is asked.
struct Counting {
    history: History,
    asked: Cell<usize>,
}

impl Counting {
    fn ask(&self) -> &History {
        self.asked.set(self.asked.get() + 1);
        &self.history
    }
}

impl Cache for Counting {
    fn frame(&self, number: u64) -> Option<Arc<Frame>> {
        self.ask().frame(number)
    }

    fn packet(&self, number: u64) -> Option<(Arc<Frame>, usize)> {
        self.ask().packet(number)
    }

    fn keyframe(&self) -> Option<Keyframe> {
        self.ask().keyframe()
    }

    fn clock(&self) -> Option<ClockPoint> {
        self.ask().clock()
    }

    fn live_timestamp(&self, now: Time) -> Option<u64> {
        self.ask().live_timestamp(now)
    }
}

/// A compound packet of 1376 bytes that asks for as much as it can: each entry for 17 numbers.
fn greedy() -> Vec<u8> {
    let mut compound = Vec::new();
    for message in 0..43u16 {
        compound.extend_from_slice(&[0x81, 205, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1]);
        for entry in 0..5 {
            compound.extend_from_slice(&((message * 5 + entry) * 17).to_be_bytes());
            compound.extend_from_slice(&[0xff, 0xff]);
        }
    }
    assert_eq!(compound.len(), 1_376);
    compound
}

/// Has a track answer it; gives the numbers asked for, the looks into the cache and the packets sent.
fn answer(nack: bool, compounds: usize) -> (usize, usize, usize) {
    let (mut track, history, now) = played(track(Codec::H264, nack, Some(RTX), ExtensionIds::default()));
    let cache = Counting { history, asked: Cell::new(0) };
    let (mut asked, mut sent) = (0, 0);
    for _ in 0..compounds {
        rtcp::parse(&greedy(), |report| {
            let Rtcp::Nack { sequences, .. } = report else { panic!("{report:?}") };
            asked += sequences.len();
            track.nack(&sequences, TRIP, now, &cache, &mut |_| sent += 1);
        });
    }
    (asked, cache.asked.get(), sent)
}

#[test]
fn what_a_compound_packet_costs_is_bounded() {
    assert_eq!(answer(true, 1), (256, 256, 256));
    assert_eq!(answer(true, 10), (2_560, 256, 256), "nothing twice within a round trip");
}

#[test]
fn where_nack_was_not_negotiated_it_is_not_answered() {
    assert_eq!(answer(false, 1), (256, 0, 0));
}
