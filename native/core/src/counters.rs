//! Numbers with one writer each, read by anybody at any time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A monotonic count. One thread adds, so adding needs no locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Only the owner calls this.
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    /// Of any thread.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Why a datagram or a frame went no further. The names are part of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// No RTP packet.
    Malformed,
    /// Another sender's while one is active.
    ForeignSender,
    /// Another stream's of the same sender while one is active.
    OtherStream,
    /// A report or a goodbye of no stream that is known here.
    ForeignReport,
    /// Not the payload type that this leg began with.
    PayloadType,
    /// Twice, or after its turn.
    Late,
    /// A single packet far from the others' numbers.
    Stray,
    /// Never came (packets).
    Lost,
    /// A frame of which a part is missing or makes no sense.
    Damaged,
    /// A frame that nobody could decode before the next keyframe.
    AwaitingKeyframe,
    /// A keyframe without parameter sets, and none known.
    NoParameterSets,
    /// A frame larger than any sane one.
    Oversized,
    /// Audio of another codec than its leg's.
    WrongCodec,
}

impl DropReason {
    /// All of them, in the order of their counters.
    pub const ALL: [DropReason; 13] = [
        DropReason::Malformed,
        DropReason::ForeignSender,
        DropReason::OtherStream,
        DropReason::ForeignReport,
        DropReason::PayloadType,
        DropReason::Late,
        DropReason::Stray,
        DropReason::Lost,
        DropReason::Damaged,
        DropReason::AwaitingKeyframe,
        DropReason::NoParameterSets,
        DropReason::Oversized,
        DropReason::WrongCodec,
    ];

    /// As metrics name it.
    pub fn name(self) -> &'static str {
        match self {
            DropReason::Malformed => "malformed",
            DropReason::ForeignSender => "foreign-sender",
            DropReason::OtherStream => "other-stream",
            DropReason::ForeignReport => "foreign-report",
            DropReason::PayloadType => "payload-type",
            DropReason::Late => "late",
            DropReason::Stray => "stray",
            DropReason::Lost => "lost",
            DropReason::Damaged => "damaged",
            DropReason::AwaitingKeyframe => "awaiting-keyframe",
            DropReason::NoParameterSets => "no-parameter-sets",
            DropReason::Oversized => "oversized",
            DropReason::WrongCodec => "wrong-codec",
        }
    }
}

/// What came in on one leg; the ingest thread writes.
#[derive(Debug, Default)]
pub struct LegCounters {
    /// RTP datagrams received, dropped ones included.
    pub packets: Counter,
    /// Their bytes.
    pub bytes: Counter,
    drops: [Counter; DropReason::ALL.len()],
}

impl LegCounters {
    /// Counts `amount` drops.
    pub fn dropped(&self, reason: DropReason, amount: u64) {
        self.drops[reason as usize].add(amount);
    }

    /// Drops for one reason.
    pub fn count(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize].value()
    }

    /// Every reason with its count.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().map(|reason| (reason, self.count(reason)))
    }
}
