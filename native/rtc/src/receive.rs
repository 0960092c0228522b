//! What arrives for libjuice, before it sees it: asked about, so many datagrams in a turn, shown to load generators.
//!
//! The linker routes libjuice's `recvfrom` through here (`--wrap`, see build.rs). libjuice reads under its port's lock, and
//! looks after its agents once nothing is left to read: so a turn ends after [`TURN`] datagrams, and a flood cannot keep the
//! lock.

use crate::admission::Admission;
use crate::asking::{self, socket_address};
use crate::hold;
use libc::{c_int, c_void, size_t, sockaddr, socklen_t, ssize_t};
use std::cell::RefCell;
use std::slice;
use std::sync::{Arc, OnceLock};

/// Datagrams read before libjuice is told that there are no more for now.
const TURN: u32 = 64;

static TAP: OnceLock<fn(&[u8]) -> bool> = OnceLock::new();

/// Shows every SRTP and SRTCP datagram that arrives for a peer of this process to `tap`, on any thread; those for which
/// it says true end there. An RTP header is readable without its key: a viewer that only counts need not decrypt. Only the
/// first call has an effect. On Linux alone.
pub fn tap(tap: fn(&[u8]) -> bool) {
    TAP.get_or_init(|| tap);
}

thread_local! {
    /// The socket that this thread reads: libjuice has a thread for each port.
    static READING: RefCell<Option<Reading>> = const { RefCell::new(None) };
}

struct Reading {
    socket: c_int,
    admission: Option<Arc<dyn Admission>>,
    /// Datagrams that this turn may still have.
    left: u32,
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
        if !turn_goes_on(socket) {
            // SAFETY: the calling thread's own errno.
            unsafe { *libc::__errno_location() = libc::EAGAIN };
            return -1;
        }
        // SAFETY: the caller's own arguments, used again only when the datagram before is not wanted any more; the
        // length of the address is then the one that the system wrote, and every sender's is as long.
        let length =
            unsafe { libc::syscall(libc::SYS_recvfrom, socket, buffer, size, flags, from, from_length) } as ssize_t;
        if length < 0 {
            end_turn(socket);
            return length;
        }
        // libjuice passes no flags; with empty datagrams it wakes its own thread.
        if length == 0 || flags != 0 || from.is_null() {
            return length;
        }
        // SAFETY: the system has just written that many bytes, at most `size` of them, and the sender's address.
        let (datagram, from) = unsafe {
            (
                slice::from_raw_parts(buffer.cast::<u8>(), (length as usize).min(size)),
                slice::from_raw_parts(from.cast::<u8>(), *from_length as usize),
            )
        };
        if is_wanted(datagram, from) {
            return length;
        }
    }
}

/// Counts a datagram; false when the turn has had all of its own. The next turn then begins.
fn turn_goes_on(socket: c_int) -> bool {
    with_reading(socket, |reading| {
        if reading.admission.is_none() {
            return true;
        }
        let goes_on = reading.left > 0;
        reading.left = if goes_on { reading.left - 1 } else { TURN };
        goes_on
    })
    .unwrap_or(true)
}

/// Nothing is left to read.
fn end_turn(socket: c_int) {
    with_reading(socket, |reading| reading.left = TURN);
}

fn is_wanted(datagram: &[u8], from: &[u8]) -> bool {
    let admitted = READING.try_with(|reading| {
        let reading = reading.borrow();
        let Some(admission) = reading.as_ref().and_then(|reading| reading.admission.as_ref()) else { return true };
        socket_address(from).is_some_and(|from| admission.admits(from, datagram))
    });
    // RFC 7983: what begins so is RTP or RTCP, everything else STUN or DTLS.
    let shown = |tap: &fn(&[u8]) -> bool| matches!(datagram.first(), Some(128..=191)) && tap(datagram);
    admitted.unwrap_or(true) && !TAP.get().is_some_and(shown)
}

/// `None` while the thread ends.
fn with_reading<T>(socket: c_int, look: impl FnOnce(&mut Reading) -> T) -> Option<T> {
    READING
        .try_with(|reading| {
            let mut reading = reading.borrow_mut();
            if reading.as_ref().is_none_or(|reading| reading.socket != socket) {
                *reading = Some(Reading { socket, admission: asking::of(socket), left: TURN });
            }
            reading.as_mut().map(look)
        })
        .ok()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asking::Asking;
    use std::io::ErrorKind;
    use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

    /// Lets even numbers pass.
    #[derive(Debug)]
    struct Even;

    impl Admission for Even {
        fn admits(&self, _from: SocketAddr, datagram: &[u8]) -> bool {
            datagram[0].is_multiple_of(2)
        }

        fn sent(&self, _to: SocketAddr, _message: &[u8]) {}
    }

    #[test]
    fn a_turn_has_so_many_datagrams_refused_ones_included() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        socket.set_nonblocking(true).expect("a socket");
        let to = socket.local_addr().expect("bound");
        let _asking = Asking::start(Some(to.ip()), to.port(), Arc::new(Even));
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        for number in 0..100 {
            sender.send_to(&[number], to).expect("loopback takes it");
        }
        let mut turns = Vec::new();
        let mut buffer = [0; 16];
        for _ in 0..3 {
            let mut passed = Vec::new();
            let end = loop {
                match socket.recv_from(&mut buffer) {
                    Ok(_) => passed.push(buffer[0]),
                    Err(error) => break error,
                }
            };
            assert_eq!(end.kind(), ErrorKind::WouldBlock);
            turns.push(passed);
        }
        let even = |range: std::ops::Range<u8>| range.filter(|number| number.is_multiple_of(2)).collect::<Vec<_>>();
        assert_eq!(turns, [even(0..64), even(64..100), vec![]]);
    }
}
