//! The load generator of `fetch-whep bench`: a stream, viewers that count what they get, and the floor.
//!
//! ```text
//! Sender   -> RTP to a server's two ports, or by WHIP, each picture and sound stamped with the time it was sent
//! Audience -> real WHEP viewers of any server; they read the stamps and follow the sequence numbers
//! attack   -> what an attacker sends while they watch: with the feature `attack`
//! floor    -> the same packets encrypted and sent with no WebRTC at all: what this machine can do at best
//! ```
//!
//! Everything here is on one clock, so the sender and the viewers have to be in one process.

#![forbid(unsafe_code)]

#[cfg(feature = "attack")]
pub mod attack;
mod audience;
mod floor;
mod frames;
mod offers;
mod programme;
mod publisher;
mod reception;
mod sender;
mod stamp;
mod tap;
mod trickle;
mod viewer;
mod whep;

pub use audience::{Arrivals, Audience, Joined, Joining, Sample};
pub use floor::{Floor, FloorConfig, Road, floor};
pub use programme::{Programme, Video};
pub use sender::{Ports, Sender};
