//! Who protects RTP: whoever takes the key from libsrtp, or libsrtp, and never both.
#![cfg(target_os = "linux")]

mod support;

use core_media::srtp::SrtpContext;
use rtc::{MasterKey, RtpProtection, burst};
use support::*;

const PAYLOAD_TYPE: u8 = 96;
const HEADER: usize = 12;

fn claim(pair: &Pair) -> Option<RtpProtection> {
    burst(|burst| burst.claim_rtp(pair.server.track(0), VIDEO_SSRC))
}

fn own(pair: &Pair) -> MasterKey {
    match claim(pair) {
        Some(RtpProtection::Own(key)) => key,
        other => panic!("{other:?}"),
    }
}

/// Sends a packet past the library.
fn put(pair: &Pair, context: &SrtpContext, index: u64, packet: &[u8]) {
    let track = pair.server.track(0);
    burst(|burst| {
        let route = burst.route(track, VIDEO_SSRC).expect("connected peers have one");
        burst.put(track, &route, |out| {
            let start = out.len();
            out.extend_from_slice(packet);
            let (header, payload) = out[start..].split_at_mut(HEADER);
            let tag = context.seal(index, header, payload);
            out.extend_from_slice(&tag);
        });
    });
}

#[test]
fn whoever_has_the_key_sends_and_the_library_does_not() {
    let pair = connect(&port());
    let key = own(&pair);
    let context = SrtpContext::new(key.key(), key.salt()).expect("a key of a profile");
    let track = pair.server.track(0);
    for sequence in 0..100 {
        let packet = rtp(PAYLOAD_TYPE, VIDEO_SSRC, sequence, 1_100);
        put(&pair, &context, sequence.into(), &packet);
        assert_eq!(pair.viewer_events.packet(), (0, packet.clone()));
        burst(|burst| assert!(!burst.send(track, &packet), "it would be protected a second time"));
    }
    assert!(claim(&pair).is_none(), "it has been claimed");
    // RTCP has keys of its own.
    let report = sender_report(VIDEO_SSRC, 100);
    burst(|burst| assert!(burst.send(track, &report)));
    assert_eq!(pair.viewer_events.packet(), (0, report));
}

#[test]
fn once_the_library_has_sent_nobody_gets_the_key() {
    let pair = connect(&port());
    for sequence in 0..10 {
        let packet = rtp(PAYLOAD_TYPE, VIDEO_SSRC, sequence, 500);
        burst(|burst| assert!(burst.send(pair.server.track(0), &packet)));
        assert_eq!(pair.viewer_events.packet(), (0, packet));
        assert!(matches!(claim(&pair), Some(RtpProtection::Library)));
    }
}

#[test]
fn questions_are_not_sent() {
    let pair = connect(&port());
    let before = rtc::send_counters().datagrams;
    burst(|burst| {
        let track = pair.server.track(1);
        assert!(matches!(burst.claim_rtp(track, AUDIO_SSRC), Some(RtpProtection::Own(_))));
        assert!((0..50).all(|_| burst.route(track, AUDIO_SSRC).is_some()));
    });
    let report = sender_report(AUDIO_SSRC, 1);
    burst(|burst| assert!(burst.send(pair.server.track(1), &report)));
    assert_eq!(pair.viewer_events.packet(), (1, report));
    // Tests beside this one may send.
    assert!(rtc::send_counters().datagrams > before);
    assert!(!pair.viewer_events.drain().iter().any(|event| matches!(event, Event::Message(..))));
}

#[test]
fn who_is_not_connected_has_neither_key_nor_route() {
    let server_port = port();
    let (viewer_port, recorder) = (port(), Recorder::new().0);
    let (_viewer, offered) = offer(&viewer_port, &[&section("video", "0", "recvonly", 5)], recorder);
    let given = section("video", "0", "sendonly", VIDEO_SSRC);
    let (server, _) = answer(&server_port, &offered, &[&given], Recorder::new().0);
    let ask =
        |track| burst(|burst| (burst.claim_rtp(track, VIDEO_SSRC).is_some(), burst.route(track, VIDEO_SSRC).is_some()));
    assert_eq!(ask(server.track(0)), (false, false));
    let pair = connect(&server_port);
    let (track, key) = (pair.server.track(0), own(&pair));
    pair.server.close();
    assert_eq!(ask(track), (false, false));
    // It belongs to whoever took it.
    assert_eq!((key.key().len(), key.salt().len()), (16, 12));
}

#[test]
fn a_key_shows_nowhere() {
    let pair = connect(&port());
    let protection = claim(&pair).expect("it is connected");
    let told = format!("{protection:?}");
    let RtpProtection::Own(key) = protection else { panic!("{told}") };
    let context = format!("{:?}", SrtpContext::new(key.key(), key.salt()));
    for told in [told, context] {
        assert!(!told.contains(|character: char| character.is_ascii_digit()), "{told}");
    }
}
