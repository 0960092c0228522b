//! What viewers say: acted upon once, and never before media.

mod support;

use core_media::frame::Kind;
use support::*;

/// A viewer that has got a picture and a sound.
fn playing(engine: &engine::Engine) -> (Programme<'_>, Viewer) {
    let mut programme = Programme::new(engine, "cam");
    let viewer = Viewer::join(engine, "cam");
    programme.picture(true, 9_000);
    programme.sound_for(std::slice::from_ref(&viewer));
    viewer.wait_for_last(&programme);
    viewer.wait_for_last_sound(&programme);
    (programme, viewer)
}

#[test]
fn a_compound_packet_counts_once_whichever_streams_it_names() {
    let engine = start(1);
    let (_programme, viewer) = playing(&engine);
    let (video, audio) = (viewer.ssrc(Kind::Video), viewer.ssrc(Kind::Audio));
    let counts = || {
        let stream = engine.snapshot().streams[0].clone();
        (stream.nacks, stream.keyframe_requests)
    };
    let both = [nack(video, [9].into_iter()), pli(video), nack(audio, [9].into_iter())].concat();
    // The last one comes when those before it have been counted.
    let said = [both.clone(), pli(video), pli(video), nack(audio, [9].into_iter()), both];
    said.iter().for_each(|packet| viewer.say(packet));
    viewer.say(&nack(audio, (0..3).map(|_| 9)));
    eventually("everything is heard", || counts().0 >= 6);
    assert_eq!(counts(), (6, 4));
}

#[test]
fn media_goes_before_feedback_that_has_waited_longer() {
    let engine = start(1);
    let (mut programme, viewer) = playing(&engine);
    let before = viewer.received(Kind::Video).len();

    let hold = engine.hold_shard(0);
    viewer.say(&pli(viewer.ssrc(Kind::Video)));
    // Its handshake goes through the same port and threads: then the request waits for the shard.
    let _other = Viewer::join(&engine, "cam");
    programme.picture(false, 9_000);
    eventually("the picture waits for the shard", || engine.snapshot().shards[0].1 == 8);
    drop(hold);
    eventually("the request is heard", || engine.snapshot().streams[0].keyframe_requests == 1);
    let [keyframe, picture] = &programme.pictures[..] else { panic!("two pictures") };
    viewer.log.wait("the keyframe and what follows it, once more", |state| {
        state.packets.iter().filter(|packet| packet.payload == picture.payloads[7]).count() == 2
    });
    let payloads = viewer.received(Kind::Video);
    assert_eq!(payloads[before..][..8], picture.payloads, "what came first is the new picture");
    let last = keyframe.payloads.last().expect("a slice");
    assert_eq!(payloads[before..].iter().filter(|payload| *payload == last).count(), 1);
}

#[test]
fn numbers_begin_in_the_lower_half() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let viewers: Vec<Viewer> = (0..10).map(|_| Viewer::join(&engine, "cam")).collect();
    programme.picture(true, 1_000);
    programme.sound_for(&viewers);
    for viewer in &viewers {
        viewer.wait_for_last(&programme);
        for kind in Kind::ALL {
            let state = viewer.log.state();
            let first = state.packets.iter().find(|packet| packet.kind == kind).expect("a packet").sequence;
            assert!(first < 1 << 15, "{}: {kind:?} begins with {first}", viewer.id);
        }
    }
}
