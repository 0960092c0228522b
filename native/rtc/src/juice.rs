//! The two functions of libjuice that libdatachannel's C API does not pass on (juice/juice.h).

use std::ffi::{c_char, c_int, c_uint, c_void};

/// `JUICE_LOG_LEVEL_NONE`.
pub(crate) const LOG_LEVEL_NONE: c_uint = 6;

/// Called with the binding requests that name no agent of the port.
pub(crate) type UnknownRequest = Option<unsafe extern "C" fn(request: *const c_void, user: *mut c_void)>;

unsafe extern "C" {
    pub(crate) fn juice_set_log_level(level: c_uint);
    /// Opens the mux port when nobody has yet and holds it open until called again without a callback.
    pub(crate) fn juice_mux_listen(
        bind_address: *const c_char,
        local_port: c_int,
        callback: UnknownRequest,
        user: *mut c_void,
    ) -> c_int;
}
