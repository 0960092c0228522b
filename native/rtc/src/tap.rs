//! Shows arriving RTP to somebody before libdatachannel gets it. For load generators: an RTP header is readable without
//! its key, and a viewer that only counts need not decrypt every packet.
//!
//! The linker routes libjuice's `recvfrom` through here (`--wrap`, see build.rs). A process without a tap, as every
//! server is, pays one load of a pointer for it.

use crate::hold;
use libc::{c_int, c_void, size_t, sockaddr, socklen_t, ssize_t};
use std::slice;
use std::sync::OnceLock;

static TAP: OnceLock<fn(&[u8]) -> bool> = OnceLock::new();

/// Shows every SRTP and SRTCP datagram that arrives for a peer of this process to `tap`, on any thread; those for which
/// it says true end there. Only the first call has an effect. On Linux alone.
pub fn tap(tap: fn(&[u8]) -> bool) {
    TAP.get_or_init(|| tap);
}

/// `recvfrom` of this library.
///
/// # Safety
/// As `recvfrom`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_recvfrom(
    socket: c_int,
    buffer: *mut c_void,
    size: size_t,
    flags: c_int,
    from: *mut sockaddr,
    from_length: *mut socklen_t,
) -> ssize_t {
    hold::wait();
    loop {
        // SAFETY: the caller's own arguments, used again only when the datagram before is not wanted any more; the
        // length of the address is then the one that the system wrote, and every sender's is as long.
        let length =
            unsafe { libc::syscall(libc::SYS_recvfrom, socket, buffer, size, flags, from, from_length) } as ssize_t;
        let Some(tap) = TAP.get().filter(|_| length > 0 && flags == 0) else { return length };
        // SAFETY: the system has just written that many bytes, at most `size` of them.
        let datagram = unsafe { slice::from_raw_parts(buffer.cast::<u8>(), (length as usize).min(size)) };
        // RFC 7983: what begins so is RTP or RTCP, everything else STUN or DTLS.
        if !matches!(datagram.first(), Some(128..=191)) || !tap(datagram) {
            return length;
        }
    }
}
