//! Media logic without I/O: no socket, no clock, no thread. Bytes and the time come in, frames and packets go out.
//!
//! Inward: [`leg::Leg`] turns RTP datagrams into [`frame::Frame`]s, which are shared by all viewers and never change.
//! Outward: [`track::Track`] gives each viewer its own RTP header for each packet of a frame.

#![forbid(unsafe_code)]

pub mod allowance;
pub mod bits;
pub mod budget;
pub mod clip;
pub mod clock;
pub mod codec;
pub mod counters;
pub mod demux;
pub mod extension;
pub mod frame;
pub mod fuzz;
pub mod gate;
pub mod history;
pub mod holder;
pub mod leg;
pub mod media;
pub mod order;
pub mod pace;
pub mod pacer;
pub mod payloads;
pub mod pursuit;
pub mod repair;
pub mod rhythm;
pub mod rtcp;
pub mod rtp;
pub mod sender;
pub mod sent;
pub mod source;
pub mod srtp;
pub mod stun;
pub mod time;
pub mod timeline;
pub mod track;
pub mod upstream;
pub mod video;
pub mod warning;
