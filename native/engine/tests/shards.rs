//! A shard that stands still: who notices, and what its own viewers lose.

mod support;

use std::time::Duration;

use core_media::frame::Kind;
use support::*;

const PICTURE: usize = 9_000;
/// Sent in parts: what waited does not overrun a viewer's socket.
const LARGE: usize = 100_000;
/// More of the large ones than a mailbox holds and the cache keeps.
const TOO_MANY: usize = 250;

/// Two viewers, on different shards: the emptiest gets the next.
fn two(programme: &mut Programme<'_>, engine: &engine::Engine) -> [Viewer; 2] {
    let viewers = [Viewer::join(engine, "cam"), Viewer::join(engine, "cam")];
    assert_eq!(engine.snapshot().shards.iter().map(|shard| shard.0).collect::<Vec<_>>(), [1, 1]);
    programme.picture(true, PICTURE);
    programme.sound_for(&viewers);
    for viewer in &viewers {
        viewer.wait_for_last(programme);
        viewer.wait_for_last_sound(programme);
    }
    viewers
}

#[test]
fn a_stalled_shard_loses_its_own_viewers_packets_and_whole_pictures() {
    let engine = start(2);
    let mut programme = Programme::new(&engine, "cam");
    let [stalled, lively] = two(&mut programme, &engine);

    let hold = engine.hold_shard(0);
    while programme.pictures.len() < TOO_MANY {
        programme.picture(programme.pictures.len().is_multiple_of(30), LARGE);
        lively.wait_for_last(&programme);
    }
    let kept = stalled.received(Kind::Video).len();
    drop(hold);
    eventually("the shard has room again", || engine.snapshot().shards[0].1 == 0);
    programme.picture(true, PICTURE);
    programme.picture(false, PICTURE);
    for viewer in [&stalled, &lively] {
        viewer.wait_for_last(&programme);
    }

    let all = programme.pictures.len();
    assert_eq!(programme.position(&lively.received(Kind::Video)), 0..all);
    assert_eq!(kept, programme.pictures[0].payloads.len(), "nothing came while it stood still");
    let payloads = stalled.received(Kind::Video);
    let sent: usize = programme.pictures.iter().map(|picture| picture.payloads.len()).sum();
    assert!(payloads.len() < sent, "some was lost");
    for run in runs(&programme, &payloads) {
        programme.position(run);
    }
    let dropped = engine.snapshot().streams[0].video.clone().expect("a leg").dropped;
    assert!(dropped.iter().any(|(reason, _)| *reason == "shard-overloaded"), "{dropped:?}");
}

#[test]
fn fifty_streams_lose_nothing_while_a_shard_stands_still() {
    const NAMES: [&str; 50] = {
        let mut names = ["cam"; 50];
        let all = "00010203040506070809101112131415161718192021222324\
                   25262728293031323334353637383940414243444546474849";
        let mut index = 0;
        while index < names.len() {
            names[index] = all.split_at(index * 2).1.split_at(2).0;
            index += 1;
        }
        names
    };
    let engine = start(1);
    let mut programmes: Vec<Programme<'_>> = NAMES.iter().map(|name| Programme::new(&engine, name)).collect();
    let viewers: Vec<Viewer> = NAMES.iter().map(|name| Viewer::join(&engine, name)).collect();
    for (programme, viewer) in programmes.iter_mut().zip(&viewers) {
        programme.picture(true, PICTURE);
        viewer.wait_for_last(programme);
    }
    let hold = engine.hold_shard(0);
    for _ in 0..15 {
        programmes.iter_mut().for_each(|programme| programme.picture(false, PICTURE));
    }
    drop(hold);
    for (programme, viewer) in programmes.iter().zip(&viewers) {
        viewer.wait_for_last(programme);
        assert_eq!(programme.position(&viewer.received(Kind::Video)), 0..16);
    }
}

#[test]
fn what_a_shard_refused_its_viewers_get_from_the_history() {
    let engine = start(2);
    let mut programme = Programme::new(&engine, "cam");
    let [stalled, lively] = two(&mut programme, &engine);
    let hold = engine.hold_shard(0);
    let refused = || {
        let dropped = engine.snapshot().streams[0].video.clone().expect("a leg").dropped;
        dropped.iter().any(|(reason, count)| *reason == "shard-overloaded" && *count > 0)
    };
    eventually("the mailbox takes no more", || {
        std::thread::sleep(Duration::from_millis(20));
        programme.picture(false, PICTURE);
        refused()
    });
    drop(hold);
    eventually("the shard has room again", || engine.snapshot().shards[0].1 == 0);
    programme.picture(false, PICTURE);
    let all = programme.pictures.len();
    for viewer in [&stalled, &lively] {
        viewer.wait_for_last(&programme);
        assert_eq!(programme.position(&viewer.received(Kind::Video)), 0..all);
    }
}

/// Cuts what came where pictures are missing.
fn runs<'p>(programme: &Programme<'_>, payloads: &'p [Vec<u8>]) -> Vec<&'p [Vec<u8>]> {
    let number = |payload: &Vec<u8>| programme.pictures.iter().position(|picture| picture.payloads.contains(payload));
    let mut runs = Vec::new();
    let (mut start, mut last) = (0, None);
    // Parameter sets are alike in every keyframe: they belong to the picture after them.
    let mut parameters = 0;
    for (index, payload) in payloads.iter().enumerate() {
        if matches!(payload[0] & 0x1f, 7 | 8 | 24) {
            parameters += 1;
            continue;
        }
        let number = number(payload).expect("it was sent");
        if last.is_some_and(|last| number > last + 1) {
            runs.push(&payloads[start..index - parameters]);
            start = index - parameters;
        }
        assert!(last.is_none_or(|last| number >= last), "pictures keep their order");
        (last, parameters) = (Some(number), 0);
    }
    runs.push(&payloads[start..]);
    assert_eq!(runs.len(), 2, "one gap");
    runs
}

#[test]
fn sound_overtakes_pictures_that_wait() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let viewer = Viewer::join(&engine, "cam");
    programme.picture(true, PICTURE);
    programme.sound_for(std::slice::from_ref(&viewer));
    viewer.wait_for_last(&programme);
    viewer.wait_for_last_sound(&programme);
    let before = viewer.log.state().packets.len();

    let hold = engine.hold_shard(0);
    for _ in 0..50 {
        programme.picture(false, PICTURE);
    }
    programme.sound();
    eventually("everything waits for the shard", || engine.snapshot().shards[0].1 == 50 * 8 + 1);
    drop(hold);
    viewer.wait_for_last(&programme);
    assert_eq!(viewer.log.state().packets[before].kind, Kind::Audio, "the sound came first, though it was sent last");
    assert_eq!(programme.position(&viewer.received(Kind::Video)), 0..51);
}
