//! UDP sockets that are read in batches.

use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
#[cfg(target_os = "linux")]
use socket2::{SockAddr, SockAddrStorage};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Asked of the system; it gives what its own limit allows (`net.core.rmem_max`).
pub(crate) const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// A bound UDP socket that never blocks; register it with a `mio::Poll` and read until it is drained.
#[derive(Debug)]
pub struct UdpSocket(mio::net::UdpSocket);

impl UdpSocket {
    /// Binds; `[::]` takes IPv4 as well. Port 0 lets the system choose. A multicast group is joined, on the interface that
    /// the system chooses, beside others on this machine who have joined it.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_nonblocking(true)?;
        if address.ip().is_multicast() {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())?;
        match address.ip() {
            IpAddr::V4(group) if group.is_multicast() => socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?,
            IpAddr::V6(group) if group.is_multicast() => socket.join_multicast_v6(&group, 0)?,
            _ => {}
        }
        Ok(Self(mio::net::UdpSocket::from_std(socket.into())))
    }

    /// The address it is bound to, with the port that the system chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Fills the batch with what is there, by one system call on Linux. Gives the number of datagrams
    /// received, 0 when the socket is drained; those that were too large count but are not in the batch.
    pub fn recv(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        batch.received.clear();
        match batch.fill(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }
}

impl Source for UdpSocket {
    fn register(&mut self, to: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.0.register(to, token, interests)
    }

    fn reregister(&mut self, to: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.0.reregister(to, token, interests)
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        self.0.deregister(from)
    }
}

/// Room for datagrams, used again and again.
#[derive(Debug)]
pub struct RecvBatch {
    buffer: Vec<u8>,
    count: usize,
    size: usize,
    received: Vec<Received>,
    truncated: u64,
    #[cfg(target_os = "linux")]
    headers: Box<Headers>,
}

#[derive(Debug)]
struct Received {
    slot: usize,
    length: usize,
    from: SocketAddr,
}

impl RecvBatch {
    /// Datagrams that one batch can hold.
    pub const MAX_COUNT: usize = 64;

    /// Room for `count` datagrams (1 to [`Self::MAX_COUNT`], else the nearest) of up to `size` bytes.
    pub fn new(count: usize, size: usize) -> Self {
        let count = count.clamp(1, Self::MAX_COUNT);
        Self {
            buffer: vec![0; count * (size + 1)],
            count,
            size,
            received: Vec::with_capacity(count),
            truncated: 0,
            #[cfg(target_os = "linux")]
            headers: Box::new(Headers::new()),
        }
    }

    /// The datagrams of the last [`UdpSocket::recv`], in order of arrival, with their senders.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        self.received.iter().map(|datagram| {
            let start = datagram.slot * self.slot_size();
            (&self.buffer[start..start + datagram.length], datagram.from)
        })
    }

    /// Datagrams left out so far because they were larger than `size`.
    pub fn truncated(&self) -> u64 {
        self.truncated
    }

    /// One byte more than asked for tells a larger datagram from one that just fits, on any system.
    fn slot_size(&self) -> usize {
        self.size + 1
    }

    fn note(&mut self, slot: usize, length: usize, from: SocketAddr) {
        if length > self.size {
            self.truncated += 1;
        } else {
            self.received.push(Received { slot, length, from });
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn fill(&mut self, socket: &mio::net::UdpSocket) -> io::Result<usize> {
        let size = self.slot_size();
        for slot in 0..self.count {
            match socket.recv_from(&mut self.buffer[slot * size..][..size]) {
                Ok((length, from)) => self.note(slot, length, from),
                Err(error) if slot > 0 && error.kind() == io::ErrorKind::WouldBlock => return Ok(slot),
                Err(error) => return Err(error),
            }
        }
        Ok(self.count)
    }

    #[cfg(target_os = "linux")]
    fn fill(&mut self, socket: &mio::net::UdpSocket) -> io::Result<usize> {
        use std::os::fd::AsRawFd;
        let Headers { messages, parts, senders } = &mut *self.headers;
        let slots = self.buffer.chunks_exact_mut(self.size + 1).take(self.count);
        let places = messages.iter_mut().zip(parts).zip(senders);
        for (slot, ((header, part), sender)) in slots.zip(places) {
            part.iov_base = slot.as_mut_ptr().cast();
            part.iov_len = slot.len();
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_namelen = sender.size_of();
            header.msg_hdr.msg_name = std::ptr::from_mut(sender).cast();
        }
        let count = loop {
            // SAFETY: `count` headers are set, and point into themselves and the buffer.
            let count = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    self.headers.messages.as_mut_ptr(),
                    self.count as libc::c_uint,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            };
            match usize::try_from(count) {
                Ok(count) => break count,
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        };
        for slot in 0..count {
            let (length, sender) = self.headers.received(slot);
            self.note(slot, length, sender);
        }
        Ok(count)
    }
}

/// The C structures of one call. They point to what the last call was for until the next is filled in.
#[cfg(target_os = "linux")]
struct Headers {
    messages: [libc::mmsghdr; RecvBatch::MAX_COUNT],
    parts: [libc::iovec; RecvBatch::MAX_COUNT],
    senders: [SockAddrStorage; RecvBatch::MAX_COUNT],
}

// SAFETY: nobody follows the pointers but a call for which they have just been set.
#[cfg(target_os = "linux")]
unsafe impl Send for Headers {}

#[cfg(target_os = "linux")]
impl Headers {
    fn new() -> Self {
        // SAFETY: C structures of numbers and pointers that may be null.
        unsafe { std::mem::zeroed() }
    }

    /// Length and sender of a datagram that the last call has received.
    fn received(&self, slot: usize) -> (usize, SocketAddr) {
        let header = &self.messages[slot];
        // SAFETY: numbers that may be copied; the system has written an address of this length.
        let sender = unsafe { SockAddr::new(std::ptr::read(&self.senders[slot]), header.msg_hdr.msg_namelen) };
        (header.msg_len as usize, sender.as_socket().expect("an IP socket has IP senders"))
    }
}

#[cfg(target_os = "linux")]
impl std::fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Headers")
    }
}
