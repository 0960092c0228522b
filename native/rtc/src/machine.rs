//! What this machine grants to media sockets, for a person who wants to know.

use crate::counters::send_counters;
use crate::udp::RECEIVE_BUFFER;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;

/// What libjuice asks for the sockets of viewers.
const SEND_BUFFER: usize = 1024 * 1024;

/// Asked for and given, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What media sockets ask for.
    pub asked: usize,
    /// What the system's own limit leaves of it.
    pub given: usize,
}

/// What media sockets get here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Whether UDP segmentation offload (GSO) is in use.
    pub gso: bool,
    /// Whether several messages leave with one system call (`sendmmsg`).
    pub sendmmsg: bool,
    /// Of a socket that takes RTP (`net.core.rmem_max`).
    pub receive_buffer: Grant,
    /// Of a socket that sends to viewers (`net.core.wmem_max`).
    pub send_buffer: Grant,
}

/// Asks the system with a socket that is closed again.
pub fn machine() -> io::Result<Machine> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    let counters = send_counters();
    Ok(Machine {
        gso: counters.gso,
        sendmmsg: counters.sendmmsg,
        receive_buffer: Grant { asked: RECEIVE_BUFFER, given: usable(socket.recv_buffer_size()?) },
        send_buffer: Grant { asked: SEND_BUFFER, given: usable(socket.send_buffer_size()?) },
    })
}

/// Linux doubles what is asked for, for its own bookkeeping, and tells the double (socket(7)).
fn usable(told: usize) -> usize {
    if cfg!(target_os = "linux") { told / 2 } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_given_than_was_asked_for() {
        let machine = machine().expect("a socket can be made");
        for Grant { asked, given } in [machine.receive_buffer, machine.send_buffer] {
            assert!(given > 0 && given <= asked, "{given} of {asked}");
        }
    }
}
