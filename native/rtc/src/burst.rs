//! A burst: what is sent within it on its thread leaves together.
//!
//! How that is done on Linux is in gather.rs; elsewhere a burst sends singly.

use crate::peer::TrackId;
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
        // SAFETY: libdatachannel copies `packet` within the call.
        let send = || unsafe { dc::rtcSendMessage(track.id, packet.as_ptr().cast(), packet.len() as c_int) };
        #[cfg(target_os = "linux")]
        let result = crate::gather::marked(track.mark, send);
        #[cfg(not(target_os = "linux"))]
        let result = send();
        #[cfg(not(target_os = "linux"))]
        {
            self.sent += 1;
            crate::counters::Tally { datagrams: 1, calls: 1, ..Default::default() }.publish();
        }
        result >= 0
    }

    /// The same for an RTP packet (not RTCP), by the peer's own way. Packets of all its tracks may take turns.
    pub fn send_by(&mut self, way: &mut Way, track: TrackId, packet: &[u8]) -> bool {
        #[cfg(target_os = "linux")]
        if way.direct && PACKET_SIZES.contains(&packet.len()) {
            if way.short.as_mut().is_some_and(|short| short.send(track.mark, packet)) {
                return true;
            }
            let (sent, short) = crate::direct::learn(|| self.send(track, packet));
            way.short = short;
            return sent;
        }
        #[cfg(not(target_os = "linux"))]
        let _ = way;
        self.send(track, packet)
    }

    /// Messages that the system gets of this burst, as far as it has come; with GSO one can hold many packets.
    pub fn messages(&self) -> u64 {
        #[cfg(target_os = "linux")]
        return crate::gather::messages();
        #[cfg(not(target_os = "linux"))]
        self.sent
    }

    /// Sends bytes as they are from a peer's socket, by a way that an RTP packet has just taken; false when that is not a
    /// short one. For load generators that attack: no peer sends such a thing.
    pub fn send_plain(
        &mut self,
        #[cfg_attr(not(target_os = "linux"), expect(unused))] way: &Way,
        #[cfg_attr(not(target_os = "linux"), expect(unused))] track: TrackId,
        #[cfg_attr(not(target_os = "linux"), expect(unused))] datagram: &[u8],
    ) -> bool {
        #[cfg(target_os = "linux")]
        return way.short.as_ref().is_some_and(|short| short.send_plain(track.mark, datagram));
        #[cfg(not(target_os = "linux"))]
        false
    }
}

/// How media reaches one peer: each packet through libdatachannel, or most of them past it (direct.rs, on Linux).
#[derive(Debug)]
pub struct Way {
    #[cfg(target_os = "linux")]
    direct: bool,
    #[cfg(target_os = "linux")]
    short: Option<crate::direct::Short>,
}

impl Way {
    /// `direct`: past libdatachannel, where that can be done.
    pub fn new(#[cfg_attr(not(target_os = "linux"), expect(unused))] direct: bool) -> Self {
        Self {
            #[cfg(target_os = "linux")]
            direct,
            #[cfg(target_os = "linux")]
            short: None,
        }
    }
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
