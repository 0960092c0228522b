//! What comes of what a publisher sends.

mod support;

use core_media::frame::Kind;
use core_media::rtp::write_header;
use engine::{Engine, Event, Ingress, StreamConfig};
use support::*;

fn add_stream(engine: &Engine) {
    let (ingress, limits) = (Ingress::Publisher { video: true, audio: true }, Default::default());
    let config = StreamConfig { id: "cam".into(), ingress, silence: DEADLINE, limits, burst: 64_000 };
    engine.add_stream(config).expect("a new stream");
}

/// Connects one whose offer names no SSRC; again and again, for the reason that `Viewer::join` gives.
fn publisher(engine: &Engine) -> Viewer {
    loop {
        let (mut publisher, offer) = Viewer::offer_media();
        publisher.id = format!("publisher-{}", next_number());
        assert!(!offer.contains("a=ssrc"));
        let answer = publish(engine, "cam", &publisher.id, &offer).expect("an answer");
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
    let publisher = publisher(&engine);
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
