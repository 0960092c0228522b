//! Whether the packets of an Opus leg are Opus at all.

use super::Toc;
use crate::codec::other::{AAC_STEP, Other, STEPS};

/// Opus packets last multiples of this: 2.5 ms (RFC 6716 §2.1.4).
const OPUS_STEP: u32 = 120;

/// What a packet that cannot be Opus counts against one that can, and how much is no accident: bytes of another codec make
/// sense as Opus about every other time.
const IMPOSSIBLE: u32 = 4;
const ENOUGH: u32 = 40;

/// A packet with no more than this says that nothing is said: the next may come much later (RFC 6716 §2.1.9).
const SILENT: usize = 2;

/// What the newest packets say of the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Suspicion {
    last: Option<Last>,
    /// Consecutive steps of an AAC frame, and consecutive equal ones that no Opus packet makes.
    aac_steps: u32,
    odd_steps: u32,
    impossible: u32,
    is_other: bool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    timestamp: u32,
    step: u32,
    /// Ticks; absent of one that is no Opus.
    duration: Option<u32>,
    silent: bool,
}

impl Suspicion {
    /// Whether the newest packet leads into silence.
    pub fn is_silent(&self) -> bool {
        self.last.is_some_and(|last| last.silent)
    }

    /// Takes note of a packet; tells what it is when it is part of something else than Opus. `payload_type`: where nobody
    /// has negotiated what it means.
    pub fn examine(
        &mut self,
        packet: &[u8],
        toc: Option<Toc>,
        timestamp: u32,
        payload_type: Option<u8>,
    ) -> Option<Other> {
        let step = self.last.map_or(0, |last| timestamp.wrapping_sub(last.timestamp));
        let before = self.last.replace(Last {
            timestamp,
            step,
            duration: toc.map(|toc| toc.duration),
            silent: packet.len() <= SILENT,
        });
        let count = |counts: bool, steps: u32| if counts { steps + 1 } else { 0 };
        let odd = step > 0 && !step.is_multiple_of(OPUS_STEP);
        self.aac_steps = count(odd && step.is_multiple_of(AAC_STEP), self.aac_steps);
        // The stamps of a clock that runs a little fast are odd too.
        let lasted = before.and_then(|last| last.duration).unwrap_or_default();
        let off = step.abs_diff(lasted) > lasted / 10;
        self.odd_steps = count(odd && off && before.is_some_and(|last| last.step == step), self.odd_steps);
        // Stamps jitter, and durations change now and then; in the bytes of another codec nothing fits.
        let changed = toc.is_some_and(|toc| toc.duration != lasted);
        let overlaps = changed && 0 < step && step < 1 << 31 && lasted > 2 * step;
        self.impossible = match toc {
            Some(_) if !overlaps => self.impossible.saturating_sub(1),
            _ => (self.impossible + IMPOSSIBLE).min(2 * ENOUGH),
        };
        self.is_other = self.impossible >= if self.is_other { 1 } else { ENOUGH };
        if let Some(codec) = payload_type.and_then(Other::of) {
            return Some(codec);
        }
        if self.aac_steps >= STEPS {
            return Some(Other::Aac);
        }
        (self.odd_steps >= STEPS || self.is_other).then_some(Other::Unknown)
    }
}
