//! Who decides which datagrams of a port libjuice gets to see.

use std::fmt::Debug;
use std::net::SocketAddr;

/// What a port asks before anything else looks at a datagram. Linux alone asks.
///
/// Called under libjuice's lock of the port, for each datagram: must be quick and must not call the library.
pub trait Admission: Debug + Send + Sync {
    /// Whether a datagram goes on to libjuice.
    fn admits(&self, from: SocketAddr, datagram: &[u8]) -> bool;

    /// libjuice sends STUN; an answer may come from there.
    fn sent(&self, to: SocketAddr, message: &[u8]);
}
