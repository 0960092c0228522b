//! A peer that claims to be many. Alone in its file: the count of refusals is the process's.
#![cfg(target_os = "linux")]

mod support;

use rtc::{burst, refused_senders};
use std::collections::BTreeSet;
use support::*;

#[test]
fn eight_senders_of_a_session_are_heard_and_further_ones_are_not() {
    let server_port = port();
    let pair = connect(&server_port);
    let report = |sender| receiver_report(sender, VIDEO_SSRC, 1);
    let mut heard = BTreeSet::new();
    // One after the other: each is known before the next is sent.
    for sender in 1..=8 {
        burst(|burst| assert!(burst.send(pair.viewer.track(0), &report(sender))));
        heard.insert(pair.server_events.packet().1);
    }
    for sender in 9..=50 {
        burst(|burst| assert!(burst.send(pair.viewer.track(0), &report(sender))));
    }
    eventually("the refusals", || refused_senders() == 42);
    // Who is known is heard as before.
    burst(|burst| assert!(burst.send(pair.viewer.track(0), &report(3))));
    heard.insert(pair.server_events.packet().1);
    assert_eq!(heard, (1..=8).map(report).collect());
}
