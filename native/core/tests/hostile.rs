//! Datagrams that are wrong, out of place or made to do harm.

mod support;

use core_media::counters::DropReason;
use core_media::frame::Kind;
use support::{Bench, Decoder, Encoder, FRAME, Random, nal_units, run};

#[test]
fn wrong_payload_types_and_strays_are_counted_and_harmless() {
    let (mut encoder, mut bench) = (Encoder::new(13), Bench::new());
    let decoder = run(&mut encoder, &mut bench, 60, |mut datagrams| {
        let mut other = datagrams[0].clone();
        other[1] = other[1] & 0x80 | 97;
        let mut stray = datagrams[0].clone();
        let far = u16::from_be_bytes([stray[2], stray[3]]).wrapping_add(20_000);
        stray[2..4].copy_from_slice(&far.to_be_bytes());
        if encoder_has_begun(&datagrams) {
            datagrams.insert(0, other);
            datagrams.insert(1, stray);
        }
        datagrams
    });
    assert_eq!(decoder.decoded, (0..60).collect::<Vec<_>>());
    assert_eq!(bench.video.count(DropReason::PayloadType), 59);
    assert_eq!(bench.video.count(DropReason::Stray), 59);
}

/// The first datagram ever decides the payload type and the numbering.
fn encoder_has_begun(datagrams: &[Vec<u8>]) -> bool {
    u16::from_be_bytes([datagrams[0][2], datagrams[0][3]]) != 65_500
}

#[test]
fn garbage_of_every_length_is_refused_without_harm() {
    let (mut encoder, mut bench) = (Encoder::new(16), Bench::new());
    let mut random = Random::new(99);
    let mut decoder = Decoder::default();
    let mut sent = Vec::new();
    for length in 0..=2_000 {
        let mut garbage = random.bytes(length);
        bench.audio(&garbage);
        // Not version 2 from the encoder's own address, any bytes from elsewhere.
        if length > 0 {
            bench.from("127.0.0.1:50000", &garbage);
            garbage[0] &= 0x3f;
        }
        bench.video(&garbage);
        if length % 20 == 0 {
            let unit = encoder.next_unit();
            let datagrams = encoder.packetize(&unit);
            sent.push(unit);
            datagrams.iter().for_each(|datagram| bench.video(datagram));
            bench.pass(FRAME);
        }
        for frame in bench.frames().iter().filter(|frame| frame.kind() == Kind::Video) {
            decoder.take(frame, &sent);
        }
    }
    assert!(bench.video.count(DropReason::Malformed) > 1_000);
    assert!(decoder.decoded.len() > 50, "the encoder's own frames come through: {}", decoder.decoded.len());
}

#[test]
fn hostile_packets_of_the_active_stream_never_panic() {
    for seed in 0..50 {
        let (mut encoder, mut bench) = (Encoder::new(seed), Bench::new());
        let mut random = Random::new(seed);
        for _ in 0..60 {
            let unit = encoder.next_unit();
            for mut datagram in encoder.packetize(&unit) {
                for _ in 0..random.below(4) {
                    let at = random.below(datagram.len() as u64) as usize;
                    datagram[at] = random.next() as u8;
                }
                datagram.truncate(datagram.len() - random.below(3) as usize);
                bench.video(&datagram);
            }
            bench.pass(FRAME);
            bench.frames().iter().for_each(|frame| {
                nal_units(frame);
            });
        }
    }
}
