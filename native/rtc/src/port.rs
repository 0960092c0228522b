//! A UDP port that many peers share.

use crate::admission::Admission;
#[cfg(target_os = "linux")]
use crate::asking::Asking;
use crate::error::Error;
use crate::{juice, log};
use socket2::{Domain, Protocol, Socket, Type};
use std::ffi::{CStr, CString, c_int, c_void};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Free ports tried before giving up when the system chooses one.
const ATTEMPTS: usize = 16;
/// How long closing waits for libjuice to let go of the socket.
const RELEASE_TIME: Duration = Duration::from_secs(2);

/// A UDP mux port of libjuice: its socket and its thread, shared by all peers made on it.
///
/// libjuice makes the socket with a port's first peer and destroys it with the last, which would let
/// somebody else take the port in between. A listener for requests to unknown peers keeps it open: it
/// needs no peer, no certificate and no timer. Close the peers first, then the port. Dropping closes.
#[derive(Debug)]
pub struct MuxPort {
    /// Outlives the listener: the socket is asked about as long as it is open.
    #[cfg(target_os = "linux")]
    _asking: Option<Asking>,
    address: Option<IpAddr>,
    bind: Option<CString>,
    port: u16,
}

impl MuxPort {
    /// Opens `port` on one address or, with `None`, on every interface (IPv4 and IPv6).
    ///
    /// Port 0 lets the system choose. libjuice knows its ports by number alone: two ports of one process
    /// differ in number even when their addresses differ. Errors: [`Error::AddressInUse`],
    /// [`Error::Bind`], [`Error::Failed`].
    pub fn open(bind: Option<IpAddr>, port: u16) -> Result<Self, Error> {
        Self::open_for(bind, port, None)
    }

    /// The same; what arrives goes on as far as `admission` lets it (on Linux).
    pub fn open_for(bind: Option<IpAddr>, port: u16, admission: Option<Arc<dyn Admission>>) -> Result<Self, Error> {
        log::start();
        let attempts = if port == 0 { ATTEMPTS } else { 1 };
        let mut result = Err(Error::AddressInUse(port));
        for _ in 0..attempts {
            result = Self::claim(bind, port, admission.clone());
            if !matches!(result, Err(Error::AddressInUse(_))) {
                break;
            }
        }
        result
    }

    /// The port's number, also when the system chose it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Frees the socket; blocks until it is free again, at most two seconds.
    ///
    /// Peers that still live keep the socket: close them first.
    pub fn close(self) {}

    /// The address for libdatachannel, `None` for every interface.
    pub(crate) fn bind_address(&self) -> Option<&CStr> {
        self.bind.as_deref()
    }

    fn claim(address: Option<IpAddr>, port: u16, admission: Option<Arc<dyn Admission>>) -> Result<Self, Error> {
        // libjuice says only that it failed, and falls back to IPv4 alone when IPv6 is taken.
        let port = probe(address, port)?;
        let bind =
            address.map(|address| CString::new(address.to_string()).expect("an IP address has no NUL character"));
        #[cfg(target_os = "linux")]
        let asking = admission.map(|admission| Asking::start(address, port, admission));
        #[cfg(not(target_os = "linux"))]
        drop(admission);
        let pointer = bind.as_ref().map_or(ptr::null(), |bind| bind.as_ptr());
        // SAFETY: `bind` outlives the call; the callback is a function that ignores its arguments.
        let result = unsafe { juice::juice_mux_listen(pointer, c_int::from(port), Some(ignore), ptr::null_mut()) };
        if result < 0 {
            return Err(Error::AddressInUse(port)); // somebody was faster, or this process has it
        }
        Ok(Self {
            #[cfg(target_os = "linux")]
            _asking: asking,
            address,
            bind,
            port,
        })
    }
}

impl Drop for MuxPort {
    fn drop(&mut self) {
        // SAFETY: a null callback ends the listener of this port.
        unsafe { juice::juice_mux_listen(ptr::null(), c_int::from(self.port), None, ptr::null_mut()) };
        // libdatachannel destroys a deleted peer's agent on a thread of its own and tells nobody. The
        // last agent takes the socket with it, so the port itself is asked.
        let deadline = Instant::now() + RELEASE_TIME;
        while probe(self.address, self.port).is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

unsafe extern "C" fn ignore(_request: *const c_void, _user: *mut c_void) {}

/// Binds as libjuice does and lets go again; gives the port's number.
fn probe(address: Option<IpAddr>, port: u16) -> Result<u16, Error> {
    let bind = |address: IpAddr| -> io::Result<u16> {
        let address = SocketAddr::new(address, port);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        let local = socket.local_addr()?.as_socket();
        Ok(local.expect("an IP socket has an IP address").port())
    };
    let result = match address {
        Some(address) => bind(address),
        None => match bind(Ipv6Addr::UNSPECIFIED.into()) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => bind(Ipv4Addr::UNSPECIFIED.into()),
            result => result,
        },
    };
    result.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::AddressInUse(port),
        _ => Error::Bind(error),
    })
}
