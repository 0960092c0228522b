//! A burst: what is sent within it on its thread leaves together.
//!
//! How that is done on Linux is in gather.rs; elsewhere a burst sends singly.

use crate::master_key::MasterKey;
use crate::peer::TrackId;
use crate::route::MediaRoute;
use datachannel_sys as dc;
use std::ffi::c_int;
use std::marker::PhantomData;

/// Sizes that libdatachannel takes: an RTCP header at least, a UDP payload at most.
const PACKET_SIZES: std::ops::RangeInclusive<usize> = 8..=65_507;

/// The right to send, within [`burst`]. Bound to its thread.
#[derive(Debug)]
pub struct Burst {
    thread: PhantomData<*const ()>,
    #[cfg(not(target_os = "linux"))]
    sent: u64,
}

/// Who protects a peer's RTP, for the peer's whole life.
#[derive(Debug)]
pub enum RtpProtection {
    /// The library: [`Burst::send`].
    Library,
    /// Whoever has this key, alone: [`Burst::put`]. `Burst::send` refuses RTP from now on.
    Own(MasterKey),
}

impl Burst {
    /// Encrypts a raw RTP or RTCP packet and puts it into the burst; false when the track is not open or
    /// the packet has no valid size.
    ///
    /// True means handed over: what the network does with it is nobody's knowledge. A track that is not
    /// open costs a C++ exception, so wait for [`PeerEvents::open`](crate::PeerEvents::open).
    pub fn send(&mut self, track: TrackId, packet: &[u8]) -> bool {
        if !PACKET_SIZES.contains(&packet.len()) {
            return false;
        }
        #[cfg(target_os = "linux")]
        let sent = crate::gather::marked(track.mark, || hand_over(track, packet));
        #[cfg(not(target_os = "linux"))]
        let sent = hand_over(track, packet);
        #[cfg(not(target_os = "linux"))]
        {
            self.sent += 1;
            crate::counters::Tally { datagrams: 1, calls: 1, ..Default::default() }.publish();
        }
        sent
    }

    /// Asks for the protection of a peer's RTP; `None` while the peer is not connected, or when somebody has its key.
    /// `ssrc`: of the track. It is the library's where no packet of RTP may be sent past it: with other profiles than AEAD,
    /// after it has sent RTP itself, and elsewhere than on Linux.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "nothing is asked"))]
    pub fn claim_rtp(&mut self, track: TrackId, ssrc: u32) -> Option<RtpProtection> {
        #[cfg(target_os = "linux")]
        return match probe(track, ssrc, true).claim? {
            crate::claims::Claim::Library => Some(RtpProtection::Library),
            crate::claims::Claim::Granted(key) => Some(RtpProtection::Own(key)),
            crate::claims::Claim::Refused => None,
        };
        #[cfg(not(target_os = "linux"))]
        Some(RtpProtection::Library)
    }

    /// Messages that the system gets of this burst, as far as it has come; with GSO one can hold many packets.
    pub fn messages(&self) -> u64 {
        #[cfg(target_os = "linux")]
        return crate::gather::messages();
        #[cfg(not(target_os = "linux"))]
        self.sent
    }

    /// Where a peer's media goes now; `None` while the peer is not connected, and elsewhere than on Linux. `ssrc`: of the
    /// track.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "nothing is asked"))]
    pub fn route(&mut self, track: TrackId, ssrc: u32) -> Option<MediaRoute> {
        #[cfg(target_os = "linux")]
        return probe(track, ssrc, false).route.map(|(socket, to)| MediaRoute { socket, to });
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Puts a datagram, which `write` appends as it is to leave, into the burst. `write` changes nothing of what is there.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "there are no routes"))]
    pub fn put(&mut self, track: TrackId, route: &MediaRoute, write: impl FnOnce(&mut Vec<u8>)) {
        #[cfg(target_os = "linux")]
        crate::gather::put(route.marked(track.mark), write);
    }
}

/// Gives a packet to libdatachannel, which copies it within the call.
fn hand_over(track: TrackId, packet: &[u8]) -> bool {
    // SAFETY: the packet outlives the call.
    unsafe { dc::rtcSendMessage(track.id, packet.as_ptr().cast(), packet.len() as c_int) >= 0 }
}

/// Hands over a receiver report without blocks (RFC 3550 §6.4.2), which nobody gets.
#[cfg(target_os = "linux")]
fn probe(track: TrackId, ssrc: u32, claims: bool) -> crate::probe::Probe {
    let [a, b, c, d] = ssrc.to_be_bytes();
    crate::gather::probe(crate::probe::Probe::new(claims), || hand_over(track, &[0x80, 201, 0, 1, a, b, c, d]))
}

/// Runs `f`; all that it sends leaves when it ends, also when it panics.
///
/// A large burst leaves in parts of about 256 KiB. A burst within a burst belongs to the outer one. What
/// goes to one viewer keeps its order. When a socket stays full for some milliseconds, the rest of the
/// viewer's packets is dropped and counted.
pub fn burst<R>(f: impl FnOnce(&mut Burst) -> R) -> R {
    #[cfg(target_os = "linux")]
    let _scope = crate::gather::Scope::open();
    f(&mut Burst {
        thread: PhantomData,
        #[cfg(not(target_os = "linux"))]
        sent: 0,
    })
}
