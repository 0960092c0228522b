//! What peers have in common.

mod support;

use rtc::Peer;
use std::collections::HashSet;
use support::*;

#[test]
fn peers_of_one_time_have_one_certificate() {
    let (viewer_port, server_port) = (port(), port());
    let wanted = section("video", "0", "recvonly", 5);
    let given = section("video", "0", "sendonly", VIDEO_SSRC);
    let (viewer, offered) = offer(&viewer_port, &[&wanted], Recorder::new().0);
    let answers: Vec<(Peer, String)> =
        (0..50).map(|_| answer(&server_port, &offered, &[&given], Recorder::new().0)).collect();
    let descriptions = answers.iter().map(|(_, sdp)| sdp).chain([&offered]);
    let fingerprints: HashSet<&str> =
        descriptions.flat_map(|sdp| sdp.lines().filter(|line| line.starts_with("a=fingerprint:"))).collect();
    assert_eq!(fingerprints.len(), 1, "{fingerprints:?}");
    drop((answers, viewer));
}
