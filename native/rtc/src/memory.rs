//! Memory that is given back to the system.

/// Gives back what is free in the middle of the heaps. glibc keeps it otherwise: a heap only shrinks at its end, and each
/// thread that has allocated has one. Takes some milliseconds, in which threads that allocate wait.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: a plain call, for which glibc takes its own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
