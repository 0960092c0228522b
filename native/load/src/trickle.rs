//! Offers and answers without candidates, which come after the answer, as by trickle.
//!
//! libdatachannel as a client could connect while it still takes the answer in, and DTLS would then ask for a fingerprint that
//! is not known yet. For the same reason the offer has none: the server learns of the client by its first check.

use rtc::Peer;

/// Takes an answer in.
pub(crate) fn accept(peer: &Peer, answer: &str) -> Result<(), rtc::Error> {
    peer.set_answer(&without_candidates(answer))?;
    let mid = answer.lines().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or_default();
    let candidates =
        answer.lines().filter_map(|line| line.strip_prefix("a=")).filter(|it| it.starts_with("candidate:"));
    // Those that are of no use here, as by TCP, are refused.
    let usable = candidates.filter(|candidate| peer.add_candidate(mid, candidate)).count();
    if usable == 0 { Err(rtc::Error::InvalidSdp("answer without a usable candidate")) } else { Ok(()) }
}

/// An offer as it is sent, an answer as it is taken in.
pub(crate) fn without_candidates(sdp: &str) -> String {
    let stays = |line: &&str| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates");
    sdp.split_inclusive('\n').filter(stays).collect()
}
