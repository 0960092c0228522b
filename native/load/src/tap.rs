//! Finds the viewer of a packet that is still encrypted, so that most packets are counted and forgotten.
//!
//! Decrypting a packet in libdatachannel costs a viewer several times what sending it costs the server, and both share
//! the machine. The packets that carry a stamp to be read, and all before the first keyframe, go the whole way.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use core_media::rtp::RtpPacket;

use crate::viewer::Eyes;

/// By SSRC: who watches it, and as which of its tracks.
type Ears = HashMap<u32, (Arc<Eyes>, usize)>;

/// Read for every packet and replaced when somebody comes or goes, for whom no packet shall wait.
static EARS: LazyLock<ArcSwap<Ears>> = LazyLock::new(ArcSwap::default);

/// Keeps a viewer's SSRCs listed.
pub(crate) struct Tapped(Vec<u32>);

/// Lists the SSRCs that an answer announces for its m-lines. Nothing is listed when it announces none or another
/// viewer has the same, as some servers do: then every packet goes the whole way.
pub(crate) fn listen(answer: &str, eyes: &Arc<Eyes>) -> Option<Tapped> {
    let mut found = announced(answer);
    found.sort_by_key(|(ssrc, _)| *ssrc);
    found.dedup_by_key(|(ssrc, _)| *ssrc);
    let known = EARS.load();
    if found.is_empty() || found.iter().any(|(ssrc, _)| known.contains_key(ssrc)) {
        return None;
    }
    change(|ears| ears.extend(found.iter().map(|&(ssrc, track)| (ssrc, (eyes.clone(), track)))));
    eyes.tapped.store(true, Relaxed);
    rtc::tap(glance);
    Some(Tapped(found.into_iter().map(|(ssrc, _)| ssrc).collect()))
}

impl Drop for Tapped {
    fn drop(&mut self) {
        change(|ears| self.0.iter().for_each(|ssrc| drop(ears.remove(ssrc))));
    }
}

fn change(change: impl Fn(&mut Ears)) {
    EARS.rcu(|ears| {
        let mut ears = Ears::clone(ears);
        change(&mut ears);
        ears
    });
}

/// True when the packet is of no more use.
fn glance(datagram: &[u8]) -> bool {
    let Ok(packet) = RtpPacket::parse(datagram) else { return false };
    let ears = EARS.load();
    ears.get(&packet.ssrc).is_some_and(|(eyes, track)| eyes.glance(*track, &packet))
}

/// SSRCs (RFC 5576 §4.1) with the index of their m-line.
pub(crate) fn announced(sdp: &str) -> Vec<(u32, usize)> {
    let mut found: Vec<(u32, usize)> = Vec::new();
    let mut lines = 0_usize;
    for line in sdp.lines() {
        lines += usize::from(line.starts_with("m="));
        let ssrc = line.strip_prefix("a=ssrc:").and_then(|rest| rest.split(' ').next()?.parse().ok());
        if let (Some(ssrc), Some(track)) = (ssrc, lines.checked_sub(1))
            && !found.contains(&(ssrc, track))
        {
            found.push((ssrc, track));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_ssrcs_once() {
        let sdp = "v=0\r\na=ssrc:9 cname:x\r\nm=audio 9 x 111\r\na=ssrc:1 cname:x\r\na=ssrc:1 msid:a b\r\n\
                   m=video 9 x 96\r\na=ssrc:4294967295 cname:x\r\na=ssrc:none\r\n";
        assert_eq!(announced(sdp), [(1, 0), (u32::MAX, 1)]);
    }
}
