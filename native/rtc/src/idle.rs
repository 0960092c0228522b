//! Little memory for DTLS sessions that have nothing to do.
//!
//! After its handshake a session of SRTP waits for one alert, its whole life long. OpenSSL would keep room for a record to
//! be read and one to be written meanwhile, and for the largest message of a handshake, 16 KiB each. libdatachannel has no
//! option for that, so the linker routes two functions here (`--wrap`, see build.rs).

use std::ffi::{c_int, c_void};

/// What a handshake asks for at its beginning (`SSL3_RT_MAX_PLAIN_LENGTH`). Nothing else asks for just that.
const LARGEST: usize = 16_384;
/// A handshake's messages are smaller, but for a peer's extraordinary certificate: the buffer grows when one is not.
const USUAL: usize = 2_048;

unsafe extern "C" {
    fn SSL_free_buffers(session: *mut c_void) -> c_int;
    fn __real_SSL_read(session: *mut c_void, to: *mut c_void, size: c_int) -> c_int;
    fn __real_BUF_MEM_grow(buffer: *mut c_void, length: usize) -> usize;
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
unsafe extern "C" fn __wrap_BUF_MEM_grow(buffer: *mut c_void, length: usize) -> usize {
    // SAFETY: the caller's own argument. OpenSSL grows a handshake's buffer before it writes or reads a larger message.
    unsafe { __real_BUF_MEM_grow(buffer, if length == LARGEST { USUAL } else { length }) }
}
