//! Streams as senders had them on the wire: `tests/captures`, whose README.md tells what each is.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use core_media::codec::{Examined, VideoCodec};
use core_media::counters::DropReason;
use core_media::payloads::Payloads;
use core_media::rtp::RtpPacket;

/// The packets of a capture: each lies behind its length in two bytes.
pub fn packets(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(name).with_extension("rtp");
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut packets, mut rest) = (Vec::new(), file.as_slice());
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        packets.push(packet.to_vec());
        rest = after;
    }
    packets
}

/// The RTP payloads of each frame of a capture: a marker or another time stamp ends it.
pub fn frames(name: &str) -> Vec<Vec<Vec<u8>>> {
    let mut frames: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut open = None;
    for packet in packets(name) {
        let packet = RtpPacket::parse(&packet).expect("captures are valid");
        if open != Some(packet.timestamp) {
            frames.push(Vec::new());
        }
        open = (!packet.marker).then_some(packet.timestamp);
        frames.last_mut().expect("one is open").push(packet.payload.to_vec());
    }
    frames
}

/// What a codec makes of the payloads of one frame, of which `None` are missing.
pub fn take<'a>(
    codec: &mut dyn VideoCodec,
    payloads: impl IntoIterator<Item = Option<&'a [u8]>>,
) -> Result<Option<(Examined, Payloads)>, DropReason> {
    codec.clear();
    for payload in payloads {
        match payload {
            // What is malformed leaves the frame damaged.
            Some(payload) => _ = codec.push(payload),
            None => codec.interrupt(),
        }
    }
    match codec.examine()? {
        Some(examined) => Ok(Some((examined, codec.pack()?))),
        None => Ok(None),
    }
}
