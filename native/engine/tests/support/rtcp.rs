//! What viewers say (RFC 4585 §6).

/// Whose reports these are: no SSRC of a stream.
const VIEWER: u32 = 0xffff_0000;

/// A packet of a compound packet (RFC 4585 §6.1).
fn packet(format: u8, kind: u8, ssrc: u32, rest: &[u8]) -> Vec<u8> {
    let words = (2 + rest.len() / 4) as u8;
    [&[0x80 | format, kind, 0, words][..], &VIEWER.to_be_bytes(), &ssrc.to_be_bytes(), rest].concat()
}

/// One that asks for these numbers.
pub fn nack(ssrc: u32, sequences: impl Iterator<Item = u16>) -> Vec<u8> {
    let entries: Vec<u8> = sequences.flat_map(|sequence| [sequence.to_be_bytes(), [0, 0]].concat()).collect();
    packet(1, 205, ssrc, &entries)
}

pub fn pli(ssrc: u32) -> Vec<u8> {
    packet(1, 206, ssrc, &[])
}
