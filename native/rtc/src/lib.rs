//! WebRTC peers over libdatachannel, gathered sends and batched UDP receives.
//!
//! The only crate of the workspace with `unsafe` code. It knows nothing of streams or HTTP: it moves
//! SDP strings, raw RTP and RTCP packets.
//!
//! On Linux a program or library that contains this crate must be linked with the arguments that build.rs
//! gives as `DEP_FETCH_WHEP_RTC_LINK_ARGS` to the build scripts of the crates that depend on it: they
//! route some C functions through this crate. Without them linking fails.
#![deny(missing_docs)]

mod admission;
#[cfg(target_os = "linux")]
mod asking;
#[cfg(target_os = "linux")]
mod batch;
mod burst;
mod candidate;
#[cfg(target_os = "linux")]
mod claims;
mod counters;
mod error;
#[cfg(target_os = "linux")]
mod flush;
#[cfg(target_os = "linux")]
mod gather;
#[cfg(target_os = "linux")]
mod gso;
#[cfg(target_os = "linux")]
mod hold;
mod juice;
#[cfg(target_os = "linux")]
mod kernel;
mod log;
mod machine;
mod mask;
mod master_key;
mod memory;
mod network;
mod peer;
mod port;
mod precedence;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod receive;
mod registry;
mod route;
#[cfg(target_os = "linux")]
mod rtcp;
mod security;
#[cfg(target_os = "linux")]
mod senders;
mod udp;

pub use admission::Admission;
pub use burst::{Burst, RtpProtection, burst};
pub use counters::{SendCounters, refused_senders, send_counters};
pub use error::Error;
#[cfg(target_os = "linux")]
#[doc(hidden)]
pub use hold::{Hold, hold_receives};
pub use log::{Level, init};
pub use machine::{Grant, Machine, machine};
pub use master_key::MasterKey;
pub use memory::give_back;
pub use network::in_network_of;
pub use peer::{Peer, PeerConfig, PeerEvents, PeerState, Role, TrackId};
pub use port::MuxPort;
pub use precedence::take_precedence;
#[cfg(target_os = "linux")]
pub use receive::tap;
pub use route::MediaRoute;
pub use security::{DtlsVersion, Security, SrtpProfile};
pub use udp::{RecvBatch, UdpSocket};
