//! How a viewer's RTP leaves: encrypted here and straight to its address, or through the library.

use std::time::Duration;

use core_media::srtp::SrtpContext;
use core_media::time::Time;
use core_media::track::Outgoing;
use rtc::{Burst, MediaRoute, RtpProtection, TrackId};

/// libjuice tells nobody when it selects another pair: a viewer whose address changes waits for so long.
const ROUTE_AGE: Duration = Duration::from_millis(200);

/// The path of one viewer's RTP, all tracks of it. Which one it is shows with the first packet, and stays.
#[derive(Debug, Default)]
pub enum MediaPath {
    /// The viewer has not connected yet.
    #[default]
    Unknown,
    /// Through the library, which encrypts. Reports always go that way.
    Library,
    /// From the batch to the socket.
    Direct {
        srtp: Box<SrtpContext>,
        /// `None`: the viewer cannot be reached.
        route: Option<MediaRoute>,
        /// When that was so.
        looked: Time,
    },
}

impl MediaPath {
    /// Finds out what has to be known before packets of a track are sent.
    pub fn prepare(&mut self, track: TrackId, ssrc: u32, now: Time, burst: &mut Burst) {
        if let Self::Unknown = self {
            match burst.claim_rtp(track, ssrc) {
                Some(RtpProtection::Library) => *self = Self::Library,
                Some(RtpProtection::Own(key)) => {
                    let srtp = SrtpContext::new(key.key(), key.salt()).expect("lengths of the profiles");
                    *self = Self::Direct { srtp: Box::new(srtp), route: None, looked: now };
                }
                None => {}
            }
        }
        if let Self::Direct { route, looked, .. } = self
            && (route.is_none() || now.since(*looked) >= ROUTE_AGE)
        {
            (*route, *looked) = (burst.route(track, ssrc), now);
        }
    }

    /// Sends a packet of RTP. `scratch`: room for one.
    pub fn send(&self, track: TrackId, packet: &Outgoing<'_>, burst: &mut Burst, scratch: &mut Vec<u8>) {
        match self {
            Self::Direct { srtp, route: Some(route), .. } => {
                burst.put(track, route, |out| srtp.protect(packet, out));
            }
            Self::Library => {
                scratch.clear();
                packet.write(scratch);
                burst.send(track, scratch);
            }
            Self::Unknown | Self::Direct { route: None, .. } => {}
        }
    }
}
