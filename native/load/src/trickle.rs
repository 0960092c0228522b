//! Offers and answers without candidates, which come after the answer, as by trickle.
//!
//! libdatachannel as a client could connect while it still takes the answer in, and DTLS would then ask for a fingerprint that
//! is not known yet. For the same reason the offer has none: the server learns of the client by its first check.

use rtc::{MuxPort, Peer, PeerConfig, PeerEvents, Role, SrtpProfile};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A peer that offers these media sections, on a port of its own that has to outlive it, and its offer.
pub(crate) fn offer(
    host: IpAddr,
    tracks: &[String],
    profiles: &[SrtpProfile],
    timeout: Duration,
    events: Arc<dyn PeerEvents>,
) -> Result<(MuxPort, Peer, String), rtc::Error> {
    let port = MuxPort::open(Some(host), 0)?;
    let tracks: Vec<&str> = tracks.iter().map(String::as_str).collect();
    let config = PeerConfig { port: &port, role: Role::Offer, tracks: &tracks, profiles, timeout };
    let (peer, offer) = Peer::new(config, events)?;
    Ok((port, peer, without_candidates(&offer)))
}

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
