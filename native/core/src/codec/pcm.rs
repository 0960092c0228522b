//! PCMU, PCMA (ITU-T G.711) and G.722 in RTP: a byte for each tick of 8 kHz (RFC 3551 §4.5.2, §4.5.14).

use super::other::{AAC_STEP, Other, STEPS};
use super::{AudioCodec, AudioPacket, Codec};
use crate::counters::DropReason;

/// What the newest packets say of the next.
#[derive(Debug)]
pub struct Pcm {
    /// What RFC 3551 table 4 assigns.
    payload_type: u8,
    last: Option<u32>,
    /// Consecutive steps of an AAC frame, which no packet before them lasted.
    aac_steps: u32,
    /// Ticks of the newest packet.
    lasted: u32,
    other: Option<Other>,
}

impl Pcm {
    /// Of one of the three.
    pub fn new(codec: Codec) -> Self {
        let payload_type = match codec {
            Codec::Pcma => 8,
            Codec::G722 => 9,
            _ => 0,
        };
        Self { payload_type, last: None, aac_steps: 0, lasted: 0, other: None }
    }
}

impl AudioCodec for Pcm {
    fn examine(&mut self, packet: &[u8], timestamp: u32, payload_type: Option<u8>) -> Result<AudioPacket, DropReason> {
        let step = self.last.replace(timestamp).map_or(0, |last| timestamp.wrapping_sub(last));
        let is_aac = step > 0 && step != self.lasted && step.is_multiple_of(AAC_STEP);
        self.aac_steps = if is_aac { self.aac_steps + 1 } else { 0 };
        self.lasted = packet.len() as u32;
        let says = payload_type.filter(|&says| says != self.payload_type).and_then(Other::of);
        self.other = says.or((self.aac_steps >= STEPS).then_some(Other::Aac));
        if self.other.is_some() {
            return Err(DropReason::WrongCodec);
        }
        Ok(AudioPacket { duration: self.lasted, channels: 1, after_silence: false })
    }

    fn is_divisible(&self) -> bool {
        true
    }

    fn restart(&mut self) {
        (self.last, self.aac_steps) = (None, 0);
    }

    fn misfit(&self) -> Option<Other> {
        self.other
    }
}
