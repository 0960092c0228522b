//! Who protects a session's outgoing RTP: libsrtp, or whoever claims its master key here.
//!
//! libdatachannel gives each session its keys with `srtp_add_stream`; the linker routes that through this crate (build.rs),
//! and those of the AEAD profiles are kept. The first to protect RTP does so for the session's whole life: two that count its
//! packets each by themselves would use one nonce for two packets (RFC 7714 §8.4). So libsrtp's first packet of RTP ends the
//! claim to a key, and a claim ends libsrtp's RTP. RTCP stays with libsrtp: its keys and indexes are others.

use crate::gather;
use crate::master_key::MasterKey;
use crate::senders;
use libc::{c_int, c_void};
use std::collections::HashMap;
use std::slice;
use std::sync::{LazyLock, PoisonError, RwLock};

/// `srtp_err_status_ok` and `srtp_err_status_fail`.
const OK: c_int = 0;
const FAIL: c_int = 1;
/// `ssrc_any_outbound`.
const ANY_OUTBOUND: c_int = 3;
/// `SRTP_AES_GCM_128` and `SRTP_AES_GCM_256`, with the bytes of key and salt.
const CIPHERS: [(u32, c_int); 2] = [(6, 16 + 12), (7, 32 + 12)];
/// Bytes of the tag of these profiles (RFC 7714 §14.2); libsrtp knows a shorter one as well.
const TAG: c_int = 16;
/// `sec_serv_conf_and_auth`.
const CONFIDENTIAL_AND_AUTHENTIC: c_int = 3;

unsafe extern "C" {
    fn __real_srtp_add_stream(session: *mut c_void, policy: *const Policy) -> c_int;
    fn __real_srtp_protect(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int;
    fn __real_srtp_protect_rtcp(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int;
    fn __real_srtp_dealloc(session: *mut c_void) -> c_int;
}

/// `srtp_policy_t`, as far as it is read.
#[repr(C)]
struct Policy {
    ssrc_kind: c_int,
    ssrc: u32,
    rtp: CryptoPolicy,
    rtcp: CryptoPolicy,
    key: *const u8,
}

/// `srtp_crypto_policy_t`.
#[repr(C)]
struct CryptoPolicy {
    cipher: u32,
    key_length: c_int,
    authentication: u32,
    authentication_key_length: c_int,
    tag_length: c_int,
    services: c_int,
}

/// What is open of a session, by its address; what is not here is libsrtp's.
static SESSIONS: LazyLock<RwLock<HashMap<usize, Rtp>>> = LazyLock::new(RwLock::default);

enum Rtp {
    Unclaimed(MasterKey),
    Claimed,
}

/// What becomes of a claim.
#[derive(Debug)]
pub(crate) enum Claim {
    /// RTP is libsrtp's, for good.
    Library,
    /// It is the claimant's from now on.
    Granted(MasterKey),
    /// It has been claimed before.
    Refused,
}

/// Claims a session's RTP.
pub(crate) fn claim(session: usize) -> Claim {
    let mut sessions = SESSIONS.write().unwrap_or_else(PoisonError::into_inner);
    let Some(rtp) = sessions.get_mut(&session) else { return Claim::Library };
    match std::mem::replace(rtp, Rtp::Claimed) {
        Rtp::Unclaimed(key) => Claim::Granted(key),
        Rtp::Claimed => Claim::Refused,
    }
}

/// The key that a policy gives a session to send with, where its profile is one of AEAD.
///
/// # Safety
/// `policy` is null or a policy of libsrtp, whose key has the length that it says.
unsafe fn aead_key(policy: *const Policy) -> Option<MasterKey> {
    // SAFETY: the caller vouches for it.
    let policy = unsafe { policy.as_ref() }?;
    let rtp = &policy.rtp;
    let known = CIPHERS.contains(&(rtp.cipher, rtp.key_length));
    let whole = rtp.tag_length == TAG && rtp.services == CONFIDENTIAL_AND_AUTHENTIC;
    if policy.ssrc_kind != ANY_OUTBOUND || !known || !whole || policy.key.is_null() {
        return None;
    }
    // SAFETY: as above.
    MasterKey::new(unsafe { slice::from_raw_parts(policy.key, rtp.key_length as usize) })
}

/// `srtp_add_stream` of this library.
///
/// # Safety
/// As `srtp_add_stream`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_srtp_add_stream(session: *mut c_void, policy: *const Policy) -> c_int {
    // SAFETY: the caller's own arguments.
    let (status, key) = unsafe { (__real_srtp_add_stream(session, policy), aead_key(policy)) };
    if let (OK, Some(key)) = (status, key) {
        let mut sessions = SESSIONS.write().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(session.addr(), Rtp::Unclaimed(key));
    }
    status
}

/// `srtp_protect` of this library: fails where RTP has been claimed.
///
/// # Safety
/// As `srtp_protect`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_srtp_protect(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int {
    let is_open = SESSIONS.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session.addr());
    if is_open && !leave_to_library(session.addr()) {
        return FAIL;
    }
    // SAFETY: the caller's own arguments.
    unsafe { __real_srtp_protect(session, packet, length) }
}

/// Ends the claim to a session's key; false when there is one.
fn leave_to_library(session: usize) -> bool {
    let mut sessions = SESSIONS.write().unwrap_or_else(PoisonError::into_inner);
    let claimed = matches!(sessions.get(&session), Some(Rtp::Claimed));
    if !claimed {
        sessions.remove(&session);
    }
    !claimed
}

/// `srtp_protect_rtcp` of this library: shows a probe the session.
///
/// # Safety
/// As `srtp_protect_rtcp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_srtp_protect_rtcp(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int {
    // SAFETY: the caller's own arguments.
    let status = unsafe { __real_srtp_protect_rtcp(session, packet, length) };
    if status == OK {
        // SAFETY: the caller's own argument, which libsrtp has just set.
        let protected = unsafe { *length } as usize;
        gather::show(|probe| probe.protects(session.addr(), protected));
    }
    status
}

/// `srtp_dealloc` of this library.
///
/// # Safety
/// As `srtp_dealloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_srtp_dealloc(session: *mut c_void) -> c_int {
    // Before another session can have the address.
    SESSIONS.write().unwrap_or_else(PoisonError::into_inner).remove(&session.addr());
    senders::forget(session);
    // SAFETY: the caller's own argument.
    unsafe { __real_srtp_dealloc(session) }
}
