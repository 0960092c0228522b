//! What the media logic costs for each packet and viewer, without encryption and system calls: `cargo bench -p
//! fetch-whep-core`. Each benchmark first checks that it does what it is said to measure.
#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::frame::{ClockPoint, Frame};
use core_media::history::{History, Limits};
use core_media::payloads::Payloads;
use core_media::rtp::{HEADER, RtpPacket, write_header};
use core_media::time::{Time, WallClock};
use core_media::track::{Outcome, Track, TrackConfig};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const PACKETS: usize = 8;

/// The picture with this number: 8 packets of 1040 bytes.
fn picture(number: u64) -> Frame {
    let mut payloads = Payloads::default();
    (0..PACKETS).for_each(|packet| payloads.push(&[packet as u8; 1_040]));
    let received = Time::from_millis(number * 33);
    let timestamp = (1 << 40) + number * 3_000;
    let clock = ClockPoint { time: received, timestamp };
    let (codec, keyframe, leading) = (Codec::H264, number.is_multiple_of(60), false);
    let first_packet = number * PACKETS as u64;
    Frame { codec, number, first_packet, timestamp, keyframe, leading, received, clock, payloads }
}

fn viewers(count: u32) -> Vec<Track> {
    let track = |ssrc| {
        Track::new(TrackConfig {
            codec: Codec::H264,
            payload_type: 96,
            ssrc,
            first_sequence: ssrc as u16,
            timestamp_offset: ssrc,
            nack: true,
            retransmission: None,
            extensions: ExtensionIds::default(),
            burst: usize::MAX,
            wall: WallClock::new(Duration::from_secs(1)),
        })
    };
    (0..count).map(track).collect()
}

/// One picture's headers for every viewer, as a shard makes them.
fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("header for each viewer-packet");
    for count in [1, 100, 1_000] {
        let mut tracks = viewers(count);
        let mut number = 0;
        let mut round = || {
            let frame = picture(number);
            number += 1;
            frame
        };
        let send = |tracks: &mut [Track], frame: &Frame| {
            let mut sum = 0;
            for track in tracks {
                let outcome = track.live(frame, frame.received, &mut |packet| {
                    sum += u64::from(black_box(packet.header)[HEADER - 1]) + 1;
                });
                assert_eq!(outcome, Outcome::Sent);
            }
            sum
        };
        let expected: u64 = (0..count).map(|ssrc| (u64::from(ssrc & 0xff) + 1) * PACKETS as u64).sum();
        assert_eq!(send(&mut tracks, &round()), expected, "every viewer gets every packet under its own SSRC");
        group.throughput(Throughput::Elements(u64::from(count) * PACKETS as u64));
        group.bench_function(format!("{count} viewers"), |bencher| {
            bencher.iter_batched_ref(&mut round, |frame| send(&mut tracks, frame), BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn parse(criterion: &mut Criterion) {
    let mut packet = write_header(true, 96, 7, 3_000, 9).to_vec();
    packet.extend([0x55; 1_040]);
    let parsed = RtpPacket::parse(&packet).expect("a packet");
    assert_eq!((parsed.sequence, parsed.ssrc, parsed.payload.len()), (7, 9, 1_040));
    criterion.bench_function("parse an RTP packet", |bencher| bencher.iter(|| RtpPacket::parse(black_box(&packet))));
}

/// A viewer asks for packets of the last seconds, one in each request.
fn repair(criterion: &mut Criterion) {
    let mut history = History::new(90_000, Limits::default());
    let mut track = viewers(1).remove(0);
    let mut sequences = Vec::new();
    for number in 0..120 {
        let frame = Arc::new(picture(number));
        track.live(&frame, frame.received, &mut |packet| {
            sequences.push(u16::from_be_bytes([packet.header[2], packet.header[3]]));
        });
        history.push(frame);
    }
    let mut now = Time::from_millis(120 * 33);
    let (mut found, mut asked) = (0, 0);
    let mut ask = || {
        let before = found;
        // A request in ten milliseconds, each for another packet: nothing is refused as a repetition or as too much.
        now = now + Duration::from_millis(10);
        asked += 1;
        let sequence = sequences[asked * 7 % sequences.len()];
        track.nack(&[sequence], Duration::from_millis(5), now, &history, &mut |packet| {
            found += usize::from(u16::from_be_bytes([packet.header[2], packet.header[3]]) == sequence);
        });
        found - before
    };
    assert_eq!(ask(), 1, "the packet is found");
    criterion.bench_function("answer a NACK of one packet", |bencher| bencher.iter(&mut ask));
    assert!(found > 0, "under the number that was asked for");
}

criterion_group!(benches, fan_out, parse, repair);
criterion_main!(benches);
