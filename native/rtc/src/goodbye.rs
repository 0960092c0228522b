//! Tells the remote side that a peer is closed, always.
//!
//! libdatachannel leaves the DTLS alert close_notify (RFC 8446 section 6.1) to a task of its thread pool
//! and destroys the session without waiting for it: when the task comes too late, the remote side learns
//! nothing and waits half a minute for its consent to run out (RFC 7675). The linker routes `SSL_free` of
//! this library here (`--wrap`, see build.rs), where the alert is sent if it has not been yet. The
//! transport below is still alive then: libdatachannel frees the session first.

use std::ffi::{c_int, c_void};

/// `SSL_SENT_SHUTDOWN`.
const SENT_SHUTDOWN: c_int = 1;

unsafe extern "C" {
    fn SSL_is_init_finished(session: *const c_void) -> c_int;
    fn SSL_get_shutdown(session: *const c_void) -> c_int;
    fn SSL_shutdown(session: *mut c_void) -> c_int;
    fn __real_SSL_free(session: *mut c_void);
}

/// `SSL_free` of this library.
///
/// # Safety
/// As `SSL_free`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_SSL_free(session: *mut c_void) {
    // SAFETY: the caller gives up a session that nobody else uses, or null.
    unsafe {
        if !session.is_null() && SSL_is_init_finished(session) != 0 && SSL_get_shutdown(session) & SENT_SHUTDOWN == 0 {
            SSL_shutdown(session);
        }
        __real_SSL_free(session);
    }
}
