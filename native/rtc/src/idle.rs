//! Little memory for DTLS sessions that have nothing to do.
//!
//! After its handshake a session of SRTP waits for one alert, its whole life long. OpenSSL would keep room for a record to
//! be read and one to be written meanwhile, and for the largest message of a handshake, 16 KiB each. libdatachannel has no
//! option for that, so the linker routes two functions here (`--wrap`, see build.rs).

use std::ffi::{c_int, c_ulong, c_void};

/// What a handshake asks for at its beginning (`SSL3_RT_MAX_PLAIN_LENGTH`), though its messages have some hundred bytes.
const LARGEST: usize = 16_384;

/// `BUF_MEM` (openssl/buffer.h).
#[repr(C)]
struct Buffer {
    length: usize,
    data: *mut c_void,
    max: usize,
    flags: c_ulong,
}

unsafe extern "C" {
    fn SSL_free_buffers(session: *mut c_void) -> c_int;
    fn __real_SSL_read(session: *mut c_void, to: *mut c_void, size: c_int) -> c_int;
    fn __real_BUF_MEM_grow(buffer: *mut Buffer, length: usize) -> usize;
}

/// `SSL_read` of this library, called until there is nothing more to read.
///
/// # Safety
/// As `SSL_read`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_SSL_read(session: *mut c_void, to: *mut c_void, size: c_int) -> c_int {
    // SAFETY: the caller's own arguments. Buffers that hold something are not freed, and the next record brings new ones.
    unsafe {
        let length = __real_SSL_read(session, to, size);
        if length <= 0 {
            SSL_free_buffers(session);
        }
        length
    }
}

/// `BUF_MEM_grow` of this library.
///
/// # Safety
/// As `BUF_MEM_grow`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_BUF_MEM_grow(buffer: *mut Buffer, length: usize) -> usize {
    // SAFETY: the caller's own arguments. A buffer that had nothing and has just grown is full of zeros.
    unsafe {
        let new = (*buffer).data.is_null();
        let grown = __real_BUF_MEM_grow(buffer, length);
        if new && grown == LARGEST {
            unback_zeros((*buffer).data, grown);
        }
        grown
    }
}

/// Gives the pages back that lie in an area of zeros; each comes back, full of zeros, when it is first used (madvise(2)).
///
/// # Safety
/// The area must be readable and belong to the caller.
unsafe fn unback_zeros(area: *mut c_void, length: usize) {
    // SAFETY: a plain call.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(LARGEST);
    let before = area.addr().next_multiple_of(page) - area.addr();
    let whole = length.saturating_sub(before) / page * page;
    if whole > 0 {
        // SAFETY: the pages lie within the area. That it fails changes nothing.
        unsafe { libc::madvise(area.byte_add(before), whole, libc::MADV_DONTNEED) };
    }
}
