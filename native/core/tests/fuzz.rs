//! Mutations of valid input against the fuzz bodies: a moment each, a minute with `scripts/test --all`, and those of codecs
//! where `CI` is set. The seed is printed.

#[path = "support/captures.rs"]
mod captures;
mod support;

use std::time::{Duration, Instant};

use core_media::codec::vp8::Vp8;
use core_media::codec::vp9::Vp9;
use core_media::codec::{Codec, VideoCodec};
use core_media::{fuzz, stun};
use support::{Encoder, PPS, Random, SPS};

fn run(name: &str, body: impl Fn(&[u8]), mut sample: impl FnMut(&mut Random) -> Vec<u8>) {
    let is_set = |name| std::env::var_os(name).is_some();
    let thorough = is_set("FETCH_WHEP_ALL") || is_set("CI") && Codec::of(name).is_some();
    let time = Duration::from_secs(if thorough { 60 } else { 2 });
    let seed = std::env::var("FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("{name}: FUZZ_SEED={seed}");
    let (mut random, begin, mut rounds) = (Random::new(seed), Instant::now(), 0u64);
    while begin.elapsed() < time {
        for _ in 0..256 {
            let mut data = sample(&mut random);
            mutate(&mut data, &mut random);
            body(&data);
            rounds += 1;
        }
    }
    assert!(rounds > 1_000, "{name}: only {rounds} rounds");
}

fn mutate(data: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(8) {
        let length = data.len() as u64;
        let at = if length == 0 { 0 } else { random.below(length) as usize };
        match random.below(6) {
            0 if length > 0 => data[at] = random.next() as u8,
            1 if length > 0 => data[at] ^= 1 << random.below(8),
            2 => data.truncate(at),
            3 => data.insert(at, random.next() as u8),
            4 if length > 0 => {
                let end = (at + random.below(16) as usize).min(data.len());
                data.drain(at..end);
            }
            _ if length > 0 => data[at] = [0, 0xff, 0x7f, 0x80][random.below(4) as usize],
            _ => {}
        }
    }
}

#[test]
fn rtp() {
    run("rtp", fuzz::rtp, |random| {
        let mut encoder = Encoder::new(random.next());
        encoder.gop = 2;
        encoder.size = 700;
        let mut data = Vec::new();
        for _ in 0..4 {
            let unit = encoder.next_unit();
            for mut datagram in encoder.packetize(&unit) {
                datagram.resize(datagram.len().next_multiple_of(8).min(2_040), 0);
                data.push((datagram.len() / 8) as u8);
                data.extend(datagram);
            }
        }
        data
    });
}

#[test]
fn rtcp() {
    run("rtcp", fuzz::rtcp, |random| {
        let mut data = Vec::new();
        for _ in 0..1 + random.below(3) {
            let words = random.below(10) as usize;
            data.extend([0x80 | random.below(32) as u8, 200 + random.below(8) as u8, 0, words as u8]);
            data.extend(random.bytes(words * 4));
        }
        data
    });
}

#[test]
fn h264() {
    run("h264", fuzz::h264, |random| {
        let mut data = Vec::new();
        for _ in 0..1 + random.below(4) {
            payloads(random).iter().for_each(|payload| extend(&mut data, payload));
        }
        data
    });
}

#[test]
fn vp8() {
    run("vp8", fuzz::vp8, sample_of::<Vp8>(&["vp8-ffmpeg", "vp8-gstreamer", "vp8-chromium", "vp8-chromium-l1t3"]));
}

#[test]
fn vp9() {
    run(
        "vp9",
        fuzz::vp9,
        sample_of::<Vp9>(&["vp9-ffmpeg-profile2", "vp9-gstreamer", "vp9-firefox", "vp9-chromium-l2t3key"]),
    );
}

/// Frames of captures, as payloads or whole.
fn sample_of<C: VideoCodec + Default>(names: &[&str]) -> impl FnMut(&mut Random) -> Vec<u8> {
    let frames: Vec<_> = names.iter().flat_map(|name| captures::frames(name)).collect();
    move |random| {
        let frame = &frames[random.below(frames.len() as u64) as usize];
        let mut data = Vec::new();
        if random.chance(80) {
            frame.iter().for_each(|payload| extend(&mut data, payload));
        } else {
            let payloads = frame.iter().map(|payload| Some(payload.as_slice()));
            let (_, sent) = captures::take(&mut C::default(), payloads).expect("whole").expect("a frame");
            sent.iter().for_each(|payload| data.extend(&payload[1..]));
        }
        data
    }
}

/// A payload after its length.
fn extend(data: &mut Vec<u8>, payload: &[u8]) {
    data.extend((payload.len() as u16).to_be_bytes());
    data.extend(payload);
}

#[test]
fn h265() {
    let given = [captures::frames("h265-ffmpeg-open-gop"), captures::frames("h265-gstreamer")].concat();
    run("h265", fuzz::h265, |random| {
        let mut data = Vec::new();
        for _ in 0..1 + random.below(3) {
            let frame = &given[random.below(given.len() as u64) as usize];
            for (index, payload) in frame.iter().enumerate() {
                let end = u16::from(index + 1 == frame.len()) << 15;
                data.extend((payload.len() as u16 | end).to_be_bytes());
                data.extend(payload);
            }
        }
        data
    });
}

#[test]
fn av1() {
    let names = ["av1-ffmpeg-hidden", "av1-ffmpeg-10bit", "av1-chromium", "av1-chromium-l2t2"];
    let frames: Vec<_> = names.iter().flat_map(|name| captures::frames(name)).collect();
    run("av1", fuzz::av1, |random| {
        let frame = &frames[random.below(frames.len() as u64) as usize];
        if random.chance(20) {
            return whole_unit(random);
        }
        frame.iter().flat_map(|payload| [&(payload.len() as u16).to_be_bytes()[..], payload].concat()).collect()
    });
}

/// A temporal unit in the low-overhead bitstream format (AV1 §5.2): a sequence header and OBUs that are anything.
fn whole_unit(random: &mut Random) -> Vec<u8> {
    let mut data = vec![0x12, 0, 0x0a, 11, 0, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0, 0x40, 0x32, 2, 0x10, 5];
    for _ in 0..random.below(40) {
        let size = random.below(1_000) as u16;
        data.extend([(random.below(16) as u8) << 3 | 2, size as u8 | 0x80, (size >> 7) as u8]);
        data.extend(random.bytes(usize::from(size)));
    }
    data
}

#[test]
fn gate() {
    run("gate", fuzz::gate, |random| {
        let (ours, password) = fuzz::CREDENTIALS;
        let mut data = Vec::new();
        for _ in 0..1 + random.below(6) {
            let transaction = [random.below(2) as u8; 12];
            let user = if random.chance(80) { format!("{ours}:theirs") } else { format!("theirs:{ours}") };
            let message = match random.below(4) {
                0 => stun::success(transaction, ([127, 0, 0, 1], 9).into(), &stun::key("theirs")),
                1 => random.bytes(40),
                _ => stun::request(transaction, &user, 7, &stun::key(password)),
            };
            data.extend([message.len() as u8, random.next() as u8]);
            data.extend(message);
        }
        data
    });
}

/// One NAL unit or several, in one of the ways in which they travel.
fn payloads(random: &mut Random) -> Vec<Vec<u8>> {
    let size = 1 + random.below(3_000) as usize;
    match random.below(3) {
        0 => vec![aggregate(random)],
        1 => vec![[vec![0x41], random.bytes(size)].concat()],
        _ => {
            let data = random.bytes(size);
            let pieces: Vec<&[u8]> = data.chunks(1 + random.below(1_500) as usize).take(40).collect();
            let flags = |index| u8::from(index == 0) << 7 | u8::from(index + 1 == pieces.len()) << 6;
            pieces.iter().enumerate().map(|(index, piece)| [&[0x7c, flags(index) | 5], *piece].concat()).collect()
        }
    }
}

/// A STAP-A whose lengths are right, of units that are anything.
fn aggregate(random: &mut Random) -> Vec<u8> {
    let mut data = vec![0x78];
    for _ in 0..1 + random.below(3) {
        let size = 1 + random.below(1_500) as usize;
        data.extend((size as u16).to_be_bytes());
        data.extend(random.bytes(size));
    }
    data
}

#[test]
fn sps() {
    // Behind a video parameter set in an aggregate.
    let h265 = captures::frames("h265-ffmpeg")[0][0][30..][..41].to_vec();
    run("sps", fuzz::sps, |random| {
        let mut data = match random.below(5) {
            0 => PPS.to_vec(),
            1 | 2 => h265.clone(),
            _ => SPS.to_vec(),
        };
        data[1] = [66, 77, 100, 122][random.below(4) as usize];
        data
    });
}
