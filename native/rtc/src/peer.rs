//! One WebRTC peer: an id of libdatachannel, its tracks, its events.

use crate::error::Error;
use crate::port::MuxPort;
use crate::registry::{MAX_TRACKS, Registration, dispatch};
use crate::security::{Security, SrtpProfile};
use crate::{candidate, log, security};
use datachannel_sys as dc;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;
use std::{mem, ptr, slice};

/// What a new peer does first.
#[derive(Clone, Copy, Debug)]
pub enum Role<'a> {
    /// Answers a remote offer.
    Answer {
        /// The offer's SDP; its candidates wait for [`Peer::check`].
        offer: &'a str,
    },
    /// Makes an offer; [`Peer::set_answer`] follows.
    Offer,
}

/// How to make a peer.
#[derive(Clone, Copy, Debug)]
pub struct PeerConfig<'a> {
    /// The port that carries it.
    pub port: &'a MuxPort,
    /// Answer or offer.
    pub role: Role<'a>,
    /// SDP media sections (`m=` line and attributes) of the local tracks, at most 254. When answering,
    /// each carries the `a=mid` of the line that it answers.
    pub tracks: &'a [&'a str],
    /// By preference: the DTLS server's decides, the client's is what it offers.
    pub profiles: &'a [SrtpProfile],
    /// How long [`Peer::new`] waits for the local candidates.
    pub timeout: Duration,
}

/// A step in a peer's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// ICE checks have begun.
    Connecting,
    /// ICE has a working pair, DTLS begins.
    IceConnected,
    /// DTLS is up.
    Connected,
    /// No candidate pair works, or the consent to send was lost (RFC 7675). Comes before `Failed` or `Disconnected`.
    IceLost,
    /// The remote side has left.
    Disconnected,
    /// ICE or DTLS failed.
    Failed,
    /// libdatachannel has closed the peer by itself, after `Disconnected` or `Failed`.
    Closed,
}

/// What a peer tells. Called on libdatachannel's threads, several at a time; must be quick and take no
/// lock that is held around [`Peer::close`]. Never called after `Peer::close` has returned.
pub trait PeerEvents: Send + Sync + 'static {
    /// The peer's state has changed.
    fn state(&self, state: PeerState);
    /// What DTLS has negotiated; before the state is [`PeerState::Connected`].
    fn secured(&self, _security: Security) {}
    /// The track (index into [`PeerConfig::tracks`]) can send from now on.
    fn open(&self, track: usize);
    /// A raw RTP or RTCP packet for the track, decrypted. A compound RTCP packet that names SSRCs of
    /// several tracks comes once for each of them.
    fn message(&self, track: usize, packet: &[u8]);
}

/// Names a track for [`Burst::send`](crate::Burst::send). Never names another one, also when its peer
/// is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrackId {
    /// libdatachannel's, counted up for the life of the process.
    pub(crate) id: c_int,
    /// The DS field of its datagrams.
    pub(crate) mark: u8,
}

/// Expedited forwarding for audio, AF42 for video (RFC 8837 section 5), above the two bits of ECN.
const AUDIO_MARK: u8 = 46 << 2;
const VIDEO_MARK: u8 = 36 << 2;

/// One peer connection.
///
/// Dropping it closes it as [`Peer::close`] does, blocking. Never close or drop a peer in one of its own
/// events: it would wait for itself.
pub struct Peer {
    connection: Connection,
    registration: Registration,
}

impl Peer {
    /// Makes a peer and gives its local SDP with all candidates.
    ///
    /// Blocks until they are known, about 1 ms, at most `config.timeout`. Only the port's host candidates
    /// are gathered. Errors: [`Error::InvalidSdp`], [`Error::Timeout`], [`Error::Failed`].
    pub fn new(config: PeerConfig<'_>, events: Arc<dyn PeerEvents>) -> Result<(Self, String), Error> {
        log::start();
        let mut peer = Self { connection: Connection::new(&config)?, registration: Registration::new(events) };
        peer.subscribe();
        peer.add_tracks(config.tracks)?;
        let local = match config.role {
            Role::Answer { offer } => {
                peer.connection.set_remote_description(&candidate::none(offer), c"offer")?;
                c"answer"
            }
            Role::Offer => c"offer",
        };
        peer.connection.set_local_description(local)?;
        if !peer.registration.gathered().wait(config.timeout) {
            return Err(Error::Timeout);
        }
        let sdp = peer.connection.local_description()?;
        Ok((peer, sdp))
    }

    /// Begins to check the candidates of the offer that was answered, but for those that name no literal address.
    pub fn check(&self, offer: &str) {
        for (mid, candidate) in candidate::each(offer) {
            self.add_candidate(mid, candidate);
        }
    }

    /// Gives the remote answer to a peer with [`Role::Offer`]. Error: [`Error::InvalidSdp`].
    pub fn set_answer(&self, sdp: &str) -> Result<(), Error> {
        self.connection.set_remote_description(sdp, c"answer")
    }

    /// Adds a remote candidate (`candidate:...`); false when it is not valid or names no literal address.
    pub fn add_candidate(&self, mid: &str, candidate: &str) -> bool {
        if !candidate::is_literal(candidate) {
            return false;
        }
        let (Ok(candidate), Ok(mid)) = (CString::new(candidate), CString::new(mid)) else {
            return false;
        };
        // SAFETY: both strings outlive the call.
        unsafe { dc::rtcAddRemoteCandidate(self.connection.id, candidate.as_ptr(), mid.as_ptr()) >= 0 }
    }

    /// The id that sends on a track.
    ///
    /// # Panics
    /// When `index` is not one of [`PeerConfig::tracks`].
    pub fn track(&self, index: usize) -> TrackId {
        self.connection.tracks[index]
    }

    /// The candidate pair, `"local -> remote"`, as it was when the peer connected. Asks nobody, so it waits for nobody.
    pub fn candidate_pair(&self) -> Option<String> {
        self.registration.pair()
    }

    /// Closes the peer: blocks until no event runs; none comes afterwards.
    ///
    /// Safe in every state, also when libdatachannel has closed by itself. Never in an event of this peer.
    pub fn close(self) {}

    fn subscribe(&self) {
        let id = self.connection.id;
        // SAFETY: the user pointer is a number; the callbacks are functions of this library.
        unsafe {
            dc::rtcSetUserPointer(id, self.registration.peer_pointer());
            dc::rtcSetStateChangeCallback(id, Some(on_state));
            dc::rtcSetIceStateChangeCallback(id, Some(on_ice_state));
            dc::rtcSetGatheringStateChangeCallback(id, Some(on_gathering_state));
        }
    }

    fn add_tracks(&mut self, sections: &[&str]) -> Result<(), Error> {
        if sections.len() > MAX_TRACKS {
            return Err(Error::InvalidSdp("list of tracks"));
        }
        for (index, section) in sections.iter().enumerate() {
            let track = self.connection.add_track(section)?;
            // SAFETY: as in `subscribe`.
            unsafe {
                dc::rtcSetUserPointer(track, self.registration.track_pointer(index));
                dc::rtcSetOpenCallback(track, Some(on_open));
                dc::rtcSetMessageCallback(track, Some(on_message));
            }
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The gate first: libdatachannel's own waiting is then for callbacks that return at once.
        self.registration.close();
    }
}

/// libdatachannel's side of a peer; deletes what it owns.
struct Connection {
    id: c_int,
    tracks: Vec<TrackId>,
}

impl Connection {
    fn new(&PeerConfig { port, profiles, .. }: &PeerConfig<'_>) -> Result<Self, Error> {
        let profiles = security::list(profiles);
        // SAFETY: a C struct of numbers, flags and pointers that may be null.
        let mut config: dc::rtcConfiguration = unsafe { mem::zeroed() };
        config.bindAddress = port.bind_address().map_or(ptr::null(), CStr::as_ptr);
        config.enableIceUdpMux = true;
        config.portRangeBegin = port.port();
        config.portRangeEnd = port.port();
        config.disableAutoNegotiation = true;
        config.forceMediaTransport = true;
        config.srtpProfiles = profiles.as_ptr();
        // SAFETY: the configuration and the strings in it outlive the call.
        let id = unsafe { dc::rtcCreatePeerConnection(&config) };
        if id < 0 {
            return Err(Error::Failed("make a peer"));
        }
        Ok(Self { id, tracks: Vec::new() })
    }

    fn add_track(&mut self, section: &str) -> Result<c_int, Error> {
        let invalid = Error::InvalidSdp("media section of a track");
        let mark = if section.starts_with("m=audio") { AUDIO_MARK } else { VIDEO_MARK };
        let Ok(section) = CString::new(section) else { return Err(invalid) };
        // SAFETY: the string outlives the call.
        let track = unsafe { dc::rtcAddTrack(self.id, section.as_ptr()) };
        if track < 0 {
            return Err(invalid);
        }
        self.tracks.push(TrackId { id: track, mark });
        Ok(track)
    }

    fn set_remote_description(&self, sdp: &str, kind: &'static CStr) -> Result<(), Error> {
        let invalid = Error::InvalidSdp("remote description");
        let Ok(sdp) = CString::new(candidate::literal_only(sdp)) else { return Err(invalid) };
        // SAFETY: both strings outlive the call.
        let result = unsafe { dc::rtcSetRemoteDescription(self.id, sdp.as_ptr(), kind.as_ptr()) };
        if result < 0 { Err(invalid) } else { Ok(()) }
    }

    fn set_local_description(&self, kind: &'static CStr) -> Result<(), Error> {
        // SAFETY: the string is static.
        let result = unsafe { dc::rtcSetLocalDescription(self.id, kind.as_ptr()) };
        if result < 0 { Err(Error::Failed("make the local description")) } else { Ok(()) }
    }

    fn local_description(&self) -> Result<String, Error> {
        let failed = Error::Failed("give the local description");
        // SAFETY: without a buffer the call gives the size, the final NUL included.
        let size = unsafe { dc::rtcGetLocalDescription(self.id, ptr::null_mut(), 0) };
        let Ok(length) = usize::try_from(size) else { return Err(failed) };
        let mut buffer = vec![0_u8; length];
        // SAFETY: the buffer has the given size and outlives the call.
        let written = unsafe { dc::rtcGetLocalDescription(self.id, buffer.as_mut_ptr().cast(), size) };
        if written != size {
            return Err(failed);
        }
        buffer.pop();
        String::from_utf8(buffer).map_err(|_| failed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for track in &self.tracks {
            // SAFETY: the id is ours and deleted once.
            unsafe { dc::rtcDeleteTrack(track.id) };
        }
        // SAFETY: as above.
        unsafe { dc::rtcDeletePeerConnection(self.id) };
    }
}

unsafe extern "C" fn on_state(peer: c_int, state: dc::rtcState, pointer: *mut c_void) {
    let state = match state {
        dc::rtcState_RTC_CONNECTING => PeerState::Connecting,
        dc::rtcState_RTC_CONNECTED => PeerState::Connected,
        dc::rtcState_RTC_DISCONNECTED => PeerState::Disconnected,
        dc::rtcState_RTC_FAILED => PeerState::Failed,
        dc::rtcState_RTC_CLOSED => PeerState::Closed,
        _ => return,
    };
    dispatch(pointer, |entry, _| {
        if state == PeerState::Connected {
            // Here, on libdatachannel's pool: to ask means to wait for the lock of the port.
            entry.connect(selected_pair(peer));
            if let Some(security) = Security::of(peer) {
                entry.events.secured(security);
            }
        }
        entry.events.state(state);
    });
}

fn selected_pair(peer: c_int) -> Option<String> {
    let (mut local, mut remote) = ([0_u8; 256], [0_u8; 256]);
    let (local_size, remote_size) = (local.len() as c_int, remote.len() as c_int);
    // SAFETY: both buffers have the given size and outlive the call.
    let result = unsafe {
        let (local, remote) = (local.as_mut_ptr().cast(), remote.as_mut_ptr().cast());
        dc::rtcGetSelectedCandidatePair(peer, local, local_size, remote, remote_size)
    };
    let text = |buffer| CStr::from_bytes_until_nul(buffer).ok()?.to_str().ok();
    (result >= 0).then(|| Some(format!("{} -> {}", text(&local)?, text(&remote)?)))?
}

unsafe extern "C" fn on_ice_state(_peer: c_int, state: dc::rtcIceState, pointer: *mut c_void) {
    let state = match state {
        dc::rtcIceState_RTC_ICE_CONNECTED => PeerState::IceConnected,
        dc::rtcIceState_RTC_ICE_FAILED | dc::rtcIceState_RTC_ICE_DISCONNECTED => PeerState::IceLost,
        _ => return,
    };
    dispatch(pointer, |entry, _| entry.events.state(state));
}

unsafe extern "C" fn on_gathering_state(_peer: c_int, state: dc::rtcGatheringState, pointer: *mut c_void) {
    if state == dc::rtcGatheringState_RTC_GATHERING_COMPLETE {
        dispatch(pointer, |entry, _| entry.gathered.set());
    }
}

unsafe extern "C" fn on_open(_track: c_int, pointer: *mut c_void) {
    dispatch(pointer, |entry, track| entry.events.open(track));
}

unsafe extern "C" fn on_message(_track: c_int, data: *const c_char, size: c_int, pointer: *mut c_void) {
    let Ok(size) = usize::try_from(size) else { return }; // text, which no track carries
    if data.is_null() {
        return;
    }
    // SAFETY: libdatachannel passes `size` bytes that outlive the call.
    let packet = unsafe { slice::from_raw_parts(data.cast::<u8>(), size) };
    dispatch(pointer, |entry, track| entry.events.message(track, packet));
}
