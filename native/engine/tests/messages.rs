//! In how many messages to the kernel a picture leaves.
#![cfg(target_os = "linux")]

mod support;

use support::*;

const VIEWERS: usize = 3;
/// Pictures of one slice that are seen to leave in one message.
const ENOUGH: u64 = 27;

#[test]
fn a_slice_leaves_in_one_message_and_parameter_sets_in_one_before_it() {
    let engine = start(1);
    let mut programme = Programme::new(&engine, "cam");
    let viewers: Vec<Viewer> = (0..VIEWERS).map(|_| Viewer::join(&engine, "cam")).collect();
    let mut pictures = 0;
    // A report to a viewer, once a second, may be a message more.
    eventually("enough pictures of one message", || {
        programme.picture(pictures % 10 == 0, 9_000);
        pictures += 1;
        viewers.iter().for_each(|viewer| viewer.wait_for_last(&programme));
        let packets = programme.pictures.last().expect("some").payloads.len() as u64;
        let took = engine.snapshot().frame_messages;
        let singly = if rtc::send_counters().gso { 1 } else { packets };
        let most = |messages: u64| took.bounds.iter().position(|bound| *bound >= messages as f64).expect("a bound");
        took.counts[most(singly)] >= ENOUGH && took.counts[most(singly + 2)] == took.count
    });
}
