//! What must hold for everything that leaves for a viewer, whatever happens to it on the way.

use core_media::track::Outgoing;

/// Watches a track's packets as they leave.
#[derive(Default)]
pub struct Wire {
    sequence: Option<u16>,
    timestamp: Option<u32>,
    /// Number of the newest frame, how many of its packets have left, and whether that is all of them.
    frame: Option<(u64, usize, bool)>,
    newest: Option<u64>,
    pub packets: usize,
    /// Payload bytes of frames that had not been sent before.
    pub bytes: usize,
    pub repairs: usize,
    /// Payload bytes sent again, in repairs and in replays.
    pub repeated_bytes: usize,
}

impl Wire {
    pub fn take(&mut self, packet: &Outgoing<'_>) {
        let size = packet.payload().len();
        if packet.again {
            self.repairs += 1;
            self.repeated_bytes += size;
            return;
        }
        self.packets += 1;
        if self.newest > Some(packet.frame.number) {
            self.repeated_bytes += size;
        } else {
            self.bytes += size;
        }
        self.newest = self.newest.max(Some(packet.frame.number));
        let header = &packet.header;
        let sequence = u16::from_be_bytes([header[2], header[3]]);
        if let Some(last) = self.sequence.replace(sequence) {
            assert_eq!(sequence, last.wrapping_add(1), "sequence numbers are contiguous");
        }
        let timestamp = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let before = self.timestamp.replace(timestamp);
        let frame = packet.frame;
        let whole = packet.index + 1 == frame.payloads.len();
        assert_eq!(header[1] & 0x80 != 0, whole, "the marker ends the frame");
        match self.frame {
            Some((number, sent, false)) if number == frame.number && packet.index > 0 => {
                assert_eq!(packet.index, sent, "a frame's packets come in order");
                assert_eq!(before, Some(timestamp), "a frame has one time stamp");
            }
            last => {
                assert_eq!(packet.index, 0, "a frame begins with its first packet");
                let follows = matches!(last, Some((number, _, true)) if number + 1 == frame.number);
                assert!(frame.keyframe || follows, "frame {} after {last:?} cannot be decoded", frame.number);
                let grows = before.is_none_or(|before| (timestamp.wrapping_sub(before) as i32) > 0);
                assert!(grows, "time stamps go up: {before:?} {timestamp}");
            }
        }
        self.frame = Some((frame.number, packet.index + 1, whole));
    }
}
