//! A WHIP publisher: the stream as a browser would send it, over ICE, DTLS and SRTP.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use core_media::codec::Codec;
use core_media::frame::Kind;
use rtc::{MuxPort, Peer, PeerEvents, PeerState, SrtpProfile, TrackId};

use crate::programme::Programme;
use crate::whep::Client;
use crate::{offers, trickle};

/// Making an offer takes a millisecond, connecting some fifty; this is for a machine that stands still.
const PATIENCE: Duration = Duration::from_secs(10);

/// A publisher whose tracks are open. Dropping it ends its session; the port is still there while the peer closes.
pub(crate) struct Publisher {
    peer: Peer,
    _port: MuxPort,
    client: Client,
    session: String,
    /// Of its tracks.
    kinds: Vec<Kind>,
}

impl Publisher {
    /// Publishes to the WHIP endpoint `url`. Blocks until media can flow; the error is for a person.
    pub fn start(programme: Programme, host: IpAddr, url: &str) -> Result<Self, String> {
        let failed = |error: rtc::Error| format!("cannot publish: {error}");
        let codecs = programme.codecs();
        let tracks = offers::sending(&codecs);
        let open = Arc::new(Open::default());
        let offered = trickle::offer(host, &tracks, &SrtpProfile::PREFERENCE, PATIENCE, open.clone());
        let (port, peer, offer) = offered.map_err(failed)?;
        let client = Client::new(1);
        let session = client.post(url, &offer)?;
        let publisher = Self {
            peer,
            _port: port,
            client,
            session: session.url,
            kinds: codecs.into_iter().map(Codec::kind).collect(),
        };
        trickle::accept(&publisher.peer, &session.answer).map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        while open.0.load(Relaxed) < publisher.kinds.len() {
            if Instant::now() > deadline {
                return Err(format!("POST {url}: no connection within {} s", PATIENCE.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(publisher)
    }

    /// Where the packets of one of the programme's legs go.
    pub fn track(&self, kind: Kind) -> TrackId {
        self.peer.track(self.kinds.iter().take_while(|other| **other != kind).count())
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.client.delete(&self.session);
    }
}

/// How many tracks are.
#[derive(Debug, Default)]
struct Open(AtomicUsize);

impl PeerEvents for Open {
    fn state(&self, _state: PeerState) {}

    fn open(&self, _track: usize) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Reports and requests: the stream is the same whatever the server says.
    fn message(&self, _track: usize, _packet: &[u8]) {}
}
