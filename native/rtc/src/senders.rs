//! How many senders a peer may claim to be.
//!
//! libsrtp keeps a stream for each SSRC whose first packet was authentic, for the life of its session, and walks a list of
//! them for each packet. So the ninth sender of a session is refused before libsrtp sees it. The linker routes `srtp_unprotect`
//! of this library here; `srtp_unprotect_rtcp` comes here from rtcp.rs, the end of a session from claims.rs.

use crate::counters;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::slice;
use std::sync::{LazyLock, PoisonError, RwLock};

/// Two tracks with their retransmissions, and as many again for one who begins anew.
const MAX_SENDERS: usize = 8;

/// `srtp_err_status_ok` and `srtp_err_status_no_ctx`.
const OK: c_int = 0;
const NO_CONTEXT: c_int = 13;

/// Where the SSRC is in the clear: RFC 3550 §5.1 and §6.4.
const IN_RTP: usize = 8;
pub(crate) const IN_RTCP: usize = 4;

unsafe extern "C" {
    fn __real_srtp_unprotect(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int;
}

/// The senders of each libsrtp session, by its address.
static SESSIONS: LazyLock<RwLock<HashMap<usize, Senders>>> = LazyLock::new(RwLock::default);

/// SSRCs whose packets were authentic.
#[derive(Clone, Copy, Debug, Default)]
struct Senders {
    known: [u32; MAX_SENDERS],
    count: usize,
}

impl Senders {
    fn has(&self, ssrc: u32) -> bool {
        self.known[..self.count].contains(&ssrc)
    }

    fn are_complete(&self) -> bool {
        self.count == MAX_SENDERS
    }

    fn add(&mut self, ssrc: u32) {
        if !self.has(ssrc) && !self.are_complete() {
            self.known[self.count] = ssrc;
            self.count += 1;
        }
    }
}

/// Calls `unprotect` unless the packet is a further sender's; learns the sender when the packet was authentic. A packet
/// without a sender is too short for libsrtp as well.
pub(crate) fn known(session: *mut c_void, sender: Option<u32>, unprotect: impl FnOnce() -> c_int) -> c_int {
    let Some(ssrc) = sender else { return unprotect() };
    let session = session.addr();
    let senders = SESSIONS.read().unwrap_or_else(PoisonError::into_inner).get(&session).copied().unwrap_or_default();
    if senders.has(ssrc) {
        return unprotect();
    }
    if senders.are_complete() {
        counters::refuse_sender();
        return NO_CONTEXT;
    }
    let status = unprotect();
    if status == OK {
        SESSIONS.write().unwrap_or_else(PoisonError::into_inner).entry(session).or_default().add(ssrc);
    }
    status
}

/// # Safety
/// `packet` has `length` bytes.
pub(crate) unsafe fn ssrc(packet: *const c_void, length: c_int, at: usize) -> Option<u32> {
    let length = usize::try_from(length).ok()?;
    // SAFETY: the caller vouches for the bytes, and nobody changes them meanwhile.
    let bytes = unsafe { slice::from_raw_parts(packet.cast::<u8>(), length) };
    bytes.get(at..)?.first_chunk().map(|ssrc| u32::from_be_bytes(*ssrc))
}

/// The session is freed.
pub(crate) fn forget(session: *mut c_void) {
    SESSIONS.write().unwrap_or_else(PoisonError::into_inner).remove(&session.addr());
}

/// `srtp_unprotect` of this library.
///
/// # Safety
/// As `srtp_unprotect`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_srtp_unprotect(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int {
    // SAFETY: the caller passes `length` bytes, and its own arguments.
    unsafe { known(session, ssrc(packet, *length, IN_RTP), || __real_srtp_unprotect(session, packet, length)) }
}
