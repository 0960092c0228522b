//! What senders of every codec put on the wire, through the whole input side of a stream.

#[path = "support/captures.rs"]
mod captures;
mod support;

use std::sync::Arc;
use std::time::Duration;

use captures::packets;
use core_media::codec::Codec;
use core_media::codec::other::Other;
use core_media::counters::DropReason;
use core_media::frame::{Frame, Kind};
use core_media::media::Format;
use core_media::rtp::{MAX_PAYLOAD, MAX_SOUND, RtpPacket, write_header};
use core_media::source::Notice;
use core_media::warning::Warning;
use support::{Bench, FFMPEG};

/// Name, codec, frames, keyframes.
const VIDEO: [(&str, Codec, usize, &[usize]); 23] = [
    ("h264-ffmpeg", Codec::H264, 30, &[0, 15]),
    ("h265-ffmpeg", Codec::H265, 30, &[0, 15]),
    ("h265-ffmpeg-open-gop", Codec::H265, 30, &[0, 13]),
    ("h265-ffmpeg-main10", Codec::H265, 15, &[0]),
    ("h265-gstreamer", Codec::H265, 30, &[0, 15]),
    ("vp8-ffmpeg", Codec::Vp8, 30, &[0, 15]),
    ("vp8-gstreamer", Codec::Vp8, 30, &[0, 15]),
    ("vp8-chromium", Codec::Vp8, 32, &[0, 15, 30]),
    ("vp8-chromium-l1t3", Codec::Vp8, 32, &[0, 15, 30]),
    ("vp9-ffmpeg", Codec::Vp9, 30, &[0, 15]),
    ("vp9-ffmpeg-profile2", Codec::Vp9, 15, &[0]),
    ("vp9-gstreamer", Codec::Vp9, 30, &[0, 15]),
    ("vp9-chromium", Codec::Vp9, 32, &[0, 15, 30]),
    ("vp9-chromium-l2t3key", Codec::Vp9, 32, &[0, 15, 31]),
    ("vp9-firefox", Codec::Vp9, 32, &[0, 12, 22]),
    ("av1-ffmpeg", Codec::Av1, 30, &[0, 15]),
    ("av1-ffmpeg-1472", Codec::Av1, 30, &[0, 15]),
    ("av1-ffmpeg-hidden", Codec::Av1, 30, &[0, 15]),
    ("av1-ffmpeg-10bit", Codec::Av1, 15, &[0]),
    ("av1-chromium", Codec::Av1, 32, &[0, 15, 30]),
    ("av1-chromium-l1t3", Codec::Av1, 32, &[0, 15, 30]),
    ("av1-chromium-l2t2", Codec::Av1, 32, &[0, 16, 31]),
    ("av1-chromium-descriptor", Codec::Av1, 32, &[0, 15, 30]),
];

/// Name, codec, packets, ticks of each, channels.
const AUDIO: [(&str, Codec, usize, u64, u8); 5] = [
    ("opus-ffmpeg", Codec::Opus, 101, 960, 2),
    ("multiopus", Codec::Multiopus, 101, 960, 6),
    ("pcmu-ffmpeg", Codec::Pcmu, 100, 160, 1),
    ("pcma-ffmpeg", Codec::Pcma, 100, 160, 1),
    ("g722-ffmpeg", Codec::G722, 100, 160, 1),
];

/// What comes of packets on a leg, a frame at the time that its time stamp says.
fn played(format: impl Into<Format>, packets: &[Vec<u8>]) -> (Bench, Vec<Arc<Frame>>) {
    let format = format.into();
    let codec = format.codec;
    let (mut bench, mut last) = match codec.kind() {
        Kind::Video => (Bench::of(format, Codec::Opus), None),
        Kind::Audio => (Bench::of(Codec::H264, format), None),
    };
    for packet in packets {
        let timestamp = RtpPacket::parse(packet).expect("captures are valid").timestamp;
        let ticks = last.replace(timestamp).map_or(0, |last| timestamp.wrapping_sub(last) as i32).max(0);
        bench.pass(Duration::from_secs_f64(f64::from(ticks) / f64::from(codec.rate())));
        match codec.kind() {
            Kind::Video => bench.from(FFMPEG, packet),
            Kind::Audio => bench.audio(packet),
        }
    }
    // The last frames may wait for packets that never come.
    bench.pass(Duration::from_secs(1));
    let frames = bench.frames();
    (bench, frames)
}

#[test]
fn every_frame_of_every_video_codec_comes_out_and_keyframes_are_where_they_are() {
    for (name, codec, count, keyframes) in VIDEO {
        let (bench, frames) = played(codec, &packets(name));
        assert_eq!(frames.len(), count, "{name}");
        let found: Vec<usize> = (0..count).filter(|&index| frames[index].keyframe).collect();
        assert_eq!(found, keyframes, "{name}");
        assert!(frames.iter().flat_map(|frame| frame.payloads.iter()).all(|payload| payload.len() <= MAX_PAYLOAD));
        assert!(frames.iter().all(|frame| frame.codec == codec));
        assert_eq!(bench.video.drops().map(|(_, count)| count).sum::<u64>(), 0, "{name}");
        let (_, facts) = bench.source.facts(Kind::Video).expect("a leg");
        let parameters = facts.parameters.unwrap_or_else(|| panic!("{name} tells what it is"));
        let size = if name.contains("l2t") { (640, 360) } else { (320, 180) };
        assert_eq!((parameters.width, parameters.height), size, "{name}");
        let deep = ["main10", "profile2", "10bit"].iter().any(|part| name.contains(part));
        assert_eq!(parameters.bit_depth, if deep { 10 } else { 8 }, "{name}");
    }
}

/// One packet in the middle of the first group is missing: what refers to its frame is not sent.
#[test]
fn nothing_comes_out_between_damage_and_the_next_keyframe() {
    for (name, codec, count, keyframes) in VIDEO.into_iter().filter(|(_, _, _, keyframes)| keyframes.len() > 1) {
        let mut packets = packets(name);
        let stamps: Vec<u32> =
            packets.iter().map(|packet| RtpPacket::parse(packet).expect("valid").timestamp).collect();
        let mut frames_seen = 0;
        let missing = (1..stamps.len()).find(|&index| {
            frames_seen += usize::from(stamps[index] != stamps[index - 1]);
            frames_seen == 5
        });
        packets.remove(missing.expect("there is a sixth frame"));
        let (_, frames) = played(codec, &packets);
        assert!(frames[..5].iter().all(|frame| frame.number < 5), "{name}");
        assert!(frames[5].keyframe, "{name}: the next that comes out is a keyframe");
        // Of an open group the frames that lead to it refer to what is missing.
        let leading = if name.contains("open-gop") { 2 } else { 0 };
        assert_eq!(frames.len(), 5 + count - keyframes[1] - leading, "{name}");
    }
}

#[test]
fn every_packet_of_every_audio_codec_comes_out_as_it_is_and_lasts_as_long_as_it_does() {
    for (name, codec, count, ticks, channels) in AUDIO {
        let packets = packets(name);
        let (bench, frames) = played(codec, &packets);
        assert_eq!(frames.len(), count, "{name}");
        for (frame, packet) in frames.iter().zip(&packets) {
            let payload = RtpPacket::parse(packet).expect("captures are valid").payload;
            assert_eq!((frame.payloads.len(), frame.payloads.payload(0)), (1, payload), "{name}");
        }
        assert!(frames.windows(2).all(|pair| pair[1].timestamp - pair[0].timestamp == ticks), "{name}");
        let (_, facts) = bench.source.facts(Kind::Audio).expect("a leg");
        assert_eq!((facts.channels, facts.timestamp_breaks, facts.other), (Some(channels), 0, None), "{name}");
        assert_eq!(bench.audio.drops().map(|(_, count)| count).sum::<u64>(), 0, "{name}");
    }
}

/// The payload types that RFC 3551 assigns say so at once; AAC shows by its time stamps.
#[test]
fn audio_of_another_codec_is_dropped_and_named() {
    for (name, codec) in [("pcma-ffmpeg", Codec::Pcmu), ("pcmu-ffmpeg", Codec::G722), ("g722-ffmpeg", Codec::Pcma)] {
        let (bench, frames) = played(codec, &packets(name));
        assert_eq!(frames.len(), 0, "{name} as {codec:?}");
        assert_eq!(bench.audio.count(DropReason::WrongCodec), 100);
        assert!(bench.source.facts(Kind::Audio).is_some_and(|(_, facts)| facts.other.is_some()));
    }
}

/// A packet of G.711 may be cut anywhere: each byte is a sample.
#[test]
fn audio_that_fits_no_datagram_is_cut_where_that_can_be() {
    let mut bench = Bench::of(Codec::H264, Codec::Pcmu);
    let mut datagram = write_header(false, 0, 1, 1_000, 7).to_vec();
    let samples: Vec<u8> = (0..4_000u32).map(|at| at as u8).collect();
    datagram.extend(&samples);
    bench.audio(&datagram);
    let frames = bench.frames();
    let pieces: Vec<&[u8]> = frames.iter().map(|frame| frame.payloads.payload(0)).collect();
    assert_eq!((pieces.len(), pieces.concat()), (3, samples));
    assert!(pieces.iter().all(|piece| piece.len() <= MAX_SOUND));
    let offset = |index: usize| frames[index].timestamp - frames[0].timestamp;
    assert_eq!((offset(1), offset(2)), (pieces[0].len() as u64, (pieces[0].len() + pieces[1].len()) as u64));
}

/// As an SDP file has them (`sprop-vps`, `sprop-sps`, `sprop-pps`): without them nothing can be decoded.
#[test]
fn parameter_sets_that_came_with_the_description_go_before_keyframes() {
    let packets = packets("h265-ffmpeg-no-sets");
    let (bench, frames) = played(Codec::H265, &packets);
    assert!(frames.is_empty() && bench.video.count(DropReason::NoParameterSets) > 0);
    let sets = [
        "40010c01ffff01600000030090000003000003003cba0240",
        "42010101600000030090000003000003003ca00a080c1f3e5ba4a4c2f0168080000003008000000784",
        "4401c0718312",
    ];
    let bytes = |set: &&str| {
        (0..set.len() / 2).map(|at| u8::from_str_radix(&set[2 * at..2 * at + 2], 16).expect("hex digits")).collect()
    };
    let format = Format { sets: sets.iter().map(bytes).collect(), ..Codec::H265.into() };
    let (_, frames) = played(format, &packets);
    assert_eq!(frames.len(), 30);
}

#[test]
fn what_players_cannot_decode_is_said_once_with_its_cure() {
    let cases: [(&str, Codec, &[&str]); 7] = [
        ("av1-ffmpeg-10bit", Codec::Av1, &["ten-bit"]),
        ("av1-ffmpeg", Codec::Av1, &[]),
        ("vp9-ffmpeg-profile2", Codec::Vp9, &["some-browsers"]),
        ("vp8-ffmpeg", Codec::Vp8, &[]),
        ("h265-ffmpeg", Codec::H265, &["hardware-decoder"]),
        ("h265-ffmpeg-main10", Codec::H265, &["pixel-format", "hardware-decoder"]),
        ("h265-ffmpeg-open-gop", Codec::H265, &["hardware-decoder", "reordering"]),
    ];
    for (name, codec, expected) in cases {
        let (mut bench, _) = played(codec, &packets(name));
        let mut codes: Vec<&str> = bench.notices().iter().filter_map(warning).map(Warning::code).collect();
        codes.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(codes, expected, "{name}");
    }
}

fn warning(notice: &Notice) -> Option<Warning> {
    if let Notice::Warning(warning) = notice { Some(*warning) } else { None }
}

/// AAC on a leg of G.711: its frames last 1024 ticks, whatever their bytes are.
#[test]
fn aac_is_named_on_every_leg() {
    let datagram = |sequence: u16| {
        let mut datagram = write_header(true, 97, sequence, u32::from(sequence) * 1_024, 7).to_vec();
        datagram.resize(200 + usize::from(sequence % 7), 0x21);
        datagram
    };
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        let (mut bench, _) = played(codec, &(0..40).map(datagram).collect::<Vec<_>>());
        assert!(bench.notices().contains(&Notice::Warning(Warning::WrongCodec(Other::Aac))), "{codec:?}");
    }
}
