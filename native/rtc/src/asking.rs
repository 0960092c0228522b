//! How a socket leads to the [`Admission`] of its port.

use crate::admission::Admission;
use socket2::{SockAddr, SockAddrStorage, SockRef};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::{Arc, PoisonError, RwLock};
use std::{mem, ptr};

/// Ports that have somebody to ask.
static ASKING: RwLock<Vec<(Place, Arc<dyn Admission>)>> = RwLock::new(Vec::new());

/// Where a port is bound; no address: everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    address: Option<IpAddr>,
    port: u16,
}

impl Place {
    fn has(self, local: SocketAddr) -> bool {
        let bound = Some(local.ip()).filter(|address| !address.is_unspecified());
        self.port == local.port() && self.address.filter(|address| !address.is_unspecified()) == bound
    }
}

/// A port asks while this lives.
#[derive(Debug)]
pub(crate) struct Asking(Arc<dyn Admission>);

impl Asking {
    /// Before the port is open: its first datagram is asked about.
    pub fn start(address: Option<IpAddr>, port: u16, admission: Arc<dyn Admission>) -> Self {
        let entry = (Place { address, port }, admission.clone());
        ASKING.write().unwrap_or_else(PoisonError::into_inner).push(entry);
        Self(admission)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.write().unwrap_or_else(PoisonError::into_inner).retain(|(_, other)| !Arc::ptr_eq(other, &self.0));
    }
}

/// Who is asked about datagrams of a socket.
pub(crate) fn of(socket: RawFd) -> Option<Arc<dyn Admission>> {
    if ASKING.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
        return None;
    }
    // SAFETY: the caller is about to use the descriptor itself.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) };
    let local = SockRef::from(&socket).local_addr().ok()?.as_socket()?;
    let asking = ASKING.read().unwrap_or_else(PoisonError::into_inner);
    asking.iter().find(|(place, _)| place.has(local)).map(|(_, admission)| admission.clone())
}

/// The system's bytes of an address as ours; an IPv4 address that an IPv6 socket shows is itself again.
pub(crate) fn socket_address(raw: &[u8]) -> Option<SocketAddr> {
    if raw.len() > size_of::<SockAddrStorage>() {
        return None;
    }
    // SAFETY: a C structure of numbers, large enough for the bytes, which the system or libjuice wrote as an address.
    let address = unsafe {
        let mut storage: SockAddrStorage = mem::zeroed();
        ptr::copy_nonoverlapping(raw.as_ptr(), ptr::from_mut(&mut storage).cast(), raw.len());
        SockAddr::new(storage, raw.len() as libc::socklen_t)
    };
    let address = address.as_socket()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}
