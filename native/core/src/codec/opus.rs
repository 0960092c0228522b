//! Opus (RFC 7587), and Opus of more than two channels, whose packets hold several streams one behind the other.

mod suspicion;
mod toc;

use self::suspicion::Suspicion;
pub use self::toc::Toc;
use super::other::Other;
use super::{AudioCodec, AudioPacket};
use crate::counters::DropReason;

/// What the newest packets say of the next.
#[derive(Debug, Default)]
pub struct Opus {
    suspicion: Suspicion,
    other: Option<Other>,
}

impl AudioCodec for Opus {
    fn examine(&mut self, packet: &[u8], timestamp: u32, payload_type: Option<u8>) -> Result<AudioPacket, DropReason> {
        let toc = Toc::parse(packet);
        let after_silence = self.suspicion.is_silent();
        self.other = self.suspicion.examine(packet, toc, timestamp, payload_type);
        if self.other.is_some() {
            return Err(DropReason::WrongCodec);
        }
        let toc = toc.ok_or(DropReason::Malformed)?;
        Ok(AudioPacket { duration: toc.duration, channels: toc.channels, after_silence })
    }

    fn restart(&mut self) {
        self.suspicion = Suspicion::default();
    }

    fn misfit(&self) -> Option<Other> {
        self.other
    }
}

/// Several streams in each packet, all of one duration (RFC 7845 §3). Their number is SDP's to say.
#[derive(Debug)]
pub struct Multiopus {
    channels: u8,
}

impl Multiopus {
    /// Of so many channels.
    pub fn new(channels: u8) -> Self {
        Self { channels }
    }
}

impl AudioCodec for Multiopus {
    fn examine(&mut self, packet: &[u8], _: u32, _: Option<u8>) -> Result<AudioPacket, DropReason> {
        let duration = toc::duration_of_first(packet).ok_or(DropReason::Malformed)?;
        Ok(AudioPacket { duration, channels: self.channels, after_silence: false })
    }
}
