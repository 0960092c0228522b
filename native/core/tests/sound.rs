//! What a stream's input makes of an audio leg.

mod support;

use std::time::Duration;

use core_media::codec::opus::Toc;
use core_media::codec::other::Other;
use core_media::counters::DropReason;
use core_media::frame::Kind;
use core_media::rtp::{MAX_SOUND, write_header};
use core_media::source::{Ending, Notice};
use core_media::warning::Warning;
use support::{Bench, Encoder, FRAME, Random};

fn sound(sequence: u16, timestamp: u32) -> Vec<u8> {
    let mut datagram = write_header(false, 97, sequence, timestamp, 5).to_vec();
    datagram.extend_from_slice(&[0xfc, 1, 2, 3]);
    datagram
}

/// What has had `count` sounds, whose time stamps are `step` apart, one after each `interval`.
fn played(count: u32, step: u32, interval: Duration) -> Bench {
    let mut bench = Bench::new();
    for number in 0..count {
        bench.audio(&sound(number as u16, number * step));
        bench.pass(interval);
    }
    bench
}

#[test]
fn jitter_of_opus_time_stamps_is_taken_out_and_drift_is_not_built_up() {
    let mut bench = Bench::new();
    let mut random = Random::new(3);
    let mut stamps = Vec::new();
    for number in 0..2_000u32 {
        // The source's clock is 0.1 % fast, and each stamp is up to 5 ms off.
        let natural = number * 961 + random.below(240) as u32;
        bench.audio(&sound(number as u16, natural));
        bench.pass(Duration::from_millis(20));
        stamps.push((bench.frames().pop().expect("a frame").timestamp, natural));
    }
    let (first, first_natural) = stamps[0];
    let even = stamps.windows(2).filter(|pair| pair[1].0 - pair[0].0 == 960).count();
    assert!(even > 1_990, "{even} of 1999 steps are those of the packets");
    for (stamp, natural) in stamps {
        let error = (stamp - first) as i64 - i64::from(natural - first_natural);
        assert!(error.abs() <= 960, "never more than 20 ms from the source's clock: {error}");
    }
}

#[test]
fn aac_on_the_audio_leg_is_recognised_and_dropped() {
    let mut bench = played(50, 1_024, Duration::from_micros(21_333));
    assert_eq!(bench.notices(), [Notice::Active(Kind::Audio), Notice::Warning(Warning::NotOpus(Other::Aac))]);
    assert_eq!(bench.audio.count(DropReason::WrongCodec), 40);
}

#[test]
fn aac_with_several_frames_in_a_packet_is_recognised_and_no_opus_is_mistaken_for_it() {
    let mut bench = played(20, 4_096, Duration::from_micros(85_333));
    assert_eq!(bench.notices(), [Notice::Active(Kind::Audio), Notice::Warning(Warning::NotOpus(Other::Aac))]);
    for step in [120, 240, 480, 960, 1_920, 2_880, 5_760, 15_360] {
        let mut bench = played(20, step, Duration::from_millis(20));
        assert_eq!(bench.notices(), [Notice::Active(Kind::Audio)], "a step of {step}");
    }
}

/// What has had 100 packets of 20 ms.
fn spoken(payload_type: u8, step: u32, mut packet: impl FnMut(u32) -> Vec<u8>) -> Bench {
    let mut bench = Bench::new();
    for number in 0..100 {
        let head = write_header(false, payload_type, number as u16, number * step, 5);
        bench.audio(&[&head[..], &packet(number)].concat());
        bench.pass(Duration::from_millis(20));
    }
    bench
}

#[test]
fn what_is_no_opus_is_named_and_goes_no_further() {
    let mut random = Random::new(7);
    let mut noise = |size: usize| random.bytes(size);
    let named = [(0, 160, Other::G711), (8, 160, Other::G711), (9, 160, Other::G722), (14, 1_800, Other::Mpeg)];
    let named = named.into_iter().chain([(10, 882, Other::L16), (11, 882, Other::L16), (18, 160, Other::Unknown)]);
    for (payload_type, step, codec) in named {
        let mut bench = spoken(payload_type, step, |_| noise(160));
        assert_eq!(bench.notices(), [Notice::Active(Kind::Audio), Notice::Warning(Warning::NotOpus(codec))]);
        assert_eq!((bench.frames().len(), bench.audio.count(DropReason::WrongCodec)), (0, 100));
        assert_eq!(bench.source.facts(Kind::Audio).and_then(|(_, facts)| facts.other), Some(codec));
    }
    // Nothing but the bytes, or the steps, tells: G.711 and L16 under a payload type of no meaning.
    for (step, size) in [(160, 160), (480, 960), (882, 1_000), (960, 1_300)] {
        let mut bench = spoken(96, step, |_| noise(size));
        let unknown = Notice::Warning(Warning::NotOpus(Other::Unknown));
        assert!(bench.notices().contains(&unknown), "steps of {step}");
        assert!(bench.frames().len() < 30, "steps of {step}");
    }
}

#[test]
fn opus_that_follows_something_else_is_heard() {
    let mut random = Random::new(9);
    let mut bench = spoken(96, 480, |_| random.bytes(960));
    bench.frames();
    for number in 100..250_u32 {
        let head = write_header(false, 96, number as u16, number * 480, 5);
        bench.audio(&[&head[..], &[0xf0, 1, 2]].concat());
        bench.pass(Duration::from_millis(10));
    }
    assert!(bench.frames().len() >= 70);
}

#[test]
fn opus_of_every_kind_is_opus() {
    let mut random = Random::new(8);
    for first in 0..=255_u8 {
        // Two frames are of one size.
        let size = 2 * random.below(300) as usize + 4 + usize::from(first & 3 != 3);
        let step = Toc::parse(&[&[first, 2][..], &vec![1; size - 2]].concat()).map_or(960, |toc| toc.duration);
        let mut bench = spoken(96, step, |_| [&[first, 2][..], &random.bytes(size - 2)].concat());
        let of_codec: Vec<_> = bench.notices().into_iter().filter(is_of_codec).collect();
        assert_eq!((bench.frames().len(), of_codec), (100, vec![]), "first byte {first}");
    }
}

fn is_of_codec(notice: &Notice) -> bool {
    matches!(notice, Notice::Warning(Warning::NotOpus(_)))
}

#[test]
fn a_packet_of_sound_is_forwarded_as_long_as_it_fits_a_datagram() {
    for size in [1_200, 1_275, MAX_SOUND] {
        // Two frames of one size where one alone cannot be so large.
        let mut bench = spoken(96, 960, |_| [&[0b1111_0001][..], &vec![1; size - 2 + size % 2]].concat());
        assert_eq!((bench.frames().len(), bench.notices()), (100, vec![Notice::Active(Kind::Audio)]), "{size} bytes");
    }
    let mut bench = spoken(96, 960, |_| [&[0b1111_0001][..], &[1; MAX_SOUND]].concat());
    assert_eq!(bench.notices(), [Notice::Active(Kind::Audio), Notice::Warning(Warning::LargeSound)]);
    assert_eq!((bench.frames().len(), bench.audio.count(DropReason::Oversized)), (0, 100));
}

#[test]
fn silence_breaks_no_time_stamps() {
    let mut bench = Bench::new();
    for number in 0..100_u32 {
        // Ten packets, then one in 400 ms that says that nothing is said.
        let silent = number % 20 >= 10;
        let stamp = number / 20 * (10 * 960 + 10 * 19_200) + number % 20 * 960;
        let stamp = if silent { stamp + (number % 20 - 10) * (19_200 - 960) } else { stamp };
        let packet: &[u8] = if silent { &[0xfc] } else { &[0xfc, 1, 2, 3] };
        bench.audio(&[&write_header(false, 97, number as u16, stamp, 5)[..], packet].concat());
        bench.pass(Duration::from_millis(if silent { 400 } else { 20 }));
    }
    let (_, facts) = bench.source.facts(Kind::Audio).expect("an audio leg");
    assert_eq!((facts.timestamp_breaks, bench.frames().len()), (0, 100));
}

#[test]
fn breaks_in_the_time_stamps_of_sound_are_counted() {
    let mut bench = Bench::new();
    for number in 0..100u32 {
        // Half a second is missing after each 25th packet.
        bench.audio(&sound(number as u16, number * 960 + number / 25 * 24_000));
        bench.pass(Duration::from_millis(20));
    }
    let (_, facts) = bench.source.facts(Kind::Audio).expect("an audio leg");
    assert_eq!((facts.timestamp_breaks, facts.channels, facts.other), (3, Some(2), None));
}

#[test]
fn one_leg_that_dies_leaves_the_other_playing() {
    let (mut encoder, mut bench) = (Encoder::new(31), Bench::new());
    let mut number = 0;
    let mut play = |bench: &mut Bench, picture: bool, frames: u32| {
        for _ in 0..frames {
            if picture {
                let unit = encoder.next_unit();
                encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
            }
            bench.audio(&sound(number as u16, number * 1_560));
            number += 1;
            bench.pass(FRAME);
        }
        let frames = bench.frames();
        let of = |kind| frames.iter().filter(|frame| frame.kind() == kind).count() as u32;
        (of(Kind::Video), of(Kind::Audio))
    };
    assert_eq!(play(&mut bench, true, 30), (30, 30));
    assert_eq!(play(&mut bench, false, 90), (0, 90));
    let expected =
        [Notice::Active(Kind::Video), Notice::Active(Kind::Audio), Notice::Inactive(Kind::Video, Ending::Silent)];
    assert_eq!(bench.notices(), expected);
    assert_eq!(play(&mut bench, true, 30), (30, 30), "and it may come back");
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
}
