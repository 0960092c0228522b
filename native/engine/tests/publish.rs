//! What comes of what a publisher sends.

mod support;

use core_media::codec::Codec;
use core_media::frame::Kind;
use core_media::rtp::write_header;
use engine::{EndReason, Engine, Event, Ingress, StreamConfig};
use support::*;

fn add_stream(engine: &Engine) {
    let (ingress, limits) = (Ingress::Publisher { video: true, audio: true }, Default::default());
    let config = StreamConfig { id: "cam".into(), ingress, silence: DEADLINE, limits, burst: 64_000 };
    engine.add_stream(config).expect("a new stream");
}

/// Connects one whose offer names no SSRC; again and again, for the reason that `Viewer::join` gives.
fn publisher(engine: &Engine, video: Codec) -> Viewer {
    loop {
        let (mut publisher, offer) = Viewer::offer_media();
        publisher.id = format!("publisher-{}", next_number());
        assert!(!offer.contains("a=ssrc"));
        let answer = publish_as(engine, "cam", &publisher.id, &offer, video).expect("an answer");
        if publisher.accept(&answer).is_ok() {
            publisher.log.wait("a connection", |state| state.connected || state.gone);
            if !publisher.log.state().gone {
                return publisher;
            }
        }
        leave(engine, publisher);
    }
}

#[test]
fn streams_of_a_publisher_that_announces_none_become_legs_and_their_reports_count() {
    let engine = start(1);
    add_stream(&engine);
    let publisher = publisher(&engine, Codec::H264);
    let units = picture(1, true, 200);
    let mut sequence = 0;
    let mut send = || {
        sequence += 1;
        for (index, unit) in units.iter().enumerate() {
            let head = write_header(index == 2, 96, sequence * 3 + index as u16, u32::from(sequence) * 3_000, 7_001);
            publisher.send(Kind::Video, &[&head[..], unit].concat());
        }
        let head = write_header(false, 111, sequence, u32::from(sequence) * 960, 7_002);
        publisher.send(Kind::Audio, &[&head[..], &[0xfc, 1, 2]].concat());
    };
    let mut active = Vec::new();
    // What was sent before both sides had connected is lost, the parameter sets perhaps among it.
    eventually("both legs and what they are", || {
        send();
        active.extend(engine.drain_events().into_iter().filter_map(|event| match event {
            Event::LegActive { leg, .. } => Some(leg),
            _ => None,
        }));
        let facts = engine.snapshot().streams[0].facts.clone();
        let width = facts.video.and_then(|video| video.width);
        let channels = facts.audio.and_then(|audio| audio.channels);
        active.len() == 2 && (width, channels) == (Some(1280), Some(2))
    });
    assert!(Kind::ALL.iter().all(|kind| active.contains(kind)), "{active:?}");
    // A goodbye of the sound, after an empty report (RFC 3550 §6.1).
    let ssrc = 7_002_u32.to_be_bytes();
    publisher.send(Kind::Audio, &[&[0x80, 201, 0, 1], &ssrc[..], &[0x81, 203, 0, 1], &ssrc].concat());
    eventually("the goodbye", || {
        engine.drain_events().iter().any(|event| matches!(event, Event::LegInactive { leg: Kind::Audio, .. }))
    });
    leave(&engine, publisher);
}

/// A keyframe of VP8 in one packet (RFC 7741 §4.2, RFC 6386 §9.1): 320x180.
const VP8: [u8; 15] = [0x10, 0x50, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xb4, 0, 0, 0, 0, 0];

#[test]
fn viewers_who_were_promised_another_codec_than_comes_are_ended() {
    let engine = start(1);
    add_stream(&engine);
    let first = publisher(&engine, Codec::H264);
    let mut sequence = 0;
    let mut send = |publisher: &Viewer, units: &[Vec<u8>], ssrc: u32| {
        for (index, unit) in units.iter().enumerate() {
            sequence += 1;
            let marker = index + 1 == units.len();
            let head = write_header(marker, 96, sequence, u32::from(sequence) * 3_000 / 3, ssrc);
            publisher.send(Kind::Video, &[&head[..], unit].concat());
        }
    };
    let watching = Viewer::join(&engine, "cam");
    eventually("video", || {
        send(&first, &picture(1, true, 200), 7_001);
        !watching.log.state().packets.is_empty()
    });
    let second = publisher(&engine, Codec::Vp8);
    let mut ended = Vec::new();
    let mut note = |engine: &Engine| {
        ended.extend(engine.drain_events().into_iter().filter_map(|event| match event {
            Event::SessionEnded { session, reason } => Some((session, reason)),
            _ => None,
        }));
        ended.clone()
    };
    let changed = (watching.id.clone(), EndReason::CodecChanged);
    eventually("the viewer's end", || {
        send(&second, &[VP8.to_vec()], 7_002);
        note(&engine).contains(&changed)
    });
    let video = engine.facts("cam").and_then(|facts| facts.video).expect("a leg");
    assert_eq!((video.codec, video.width, video.height), (Codec::Vp8, Some(320), Some(180)));
    // Whoever has been answered by what was so before.
    let late = Viewer::try_join(&engine, "cam").expect("an answer");
    let changed = (late.id.clone(), EndReason::CodecChanged);
    eventually("the late one's end", || note(&engine).contains(&changed));
}
