//! Sockets in the network of another process (network_namespaces(7)).

use std::io;

/// Makes something in the network of the process `other`, on a thread of its own: a socket stays where it was made. In
/// this process's own network when there is no other.
///
/// # Errors
/// What `make` gives; that the process is gone, or that its network may not be entered, which needs CAP_SYS_ADMIN;
/// [`io::ErrorKind::Unsupported`] where networks cannot be entered.
pub fn in_network_of<T: Send>(other: Option<u32>, make: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let Some(process) = other else { return make() };
    let there = || {
        enter(process)?;
        make()
    };
    let made = std::thread::scope(|scope| scope.spawn(there).join());
    made.unwrap_or_else(|_| Err(io::Error::other("the thread in the other network failed")))
}

#[cfg(target_os = "linux")]
fn enter(process: u32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let network = std::fs::File::open(format!("/proc/{process}/ns/net"))?;
    // SAFETY: a plain call, with a descriptor that is open; it is about this thread alone.
    match unsafe { libc::setns(network.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn enter(_process: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
