//! AV1 by the letter of its payload format, and of the form in which it leaves.

use core_media::payloads::Payloads;
use core_media::rtp::MAX_PAYLOAD;

const SEQUENCE_HEADER: u8 = 1;

fn kind(obu: &[u8]) -> u8 {
    obu[0] >> 3 & 0xf
}

/// The value of a leb128 and what follows.
fn leb128(data: &[u8]) -> (usize, &[u8]) {
    let count = 1 + data.iter().take_while(|&&byte| byte & 0x80 != 0).count();
    let value = data[..count].iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f));
    (value, &data[count..])
}

/// The elements of a valid payload.
fn elements(payload: &[u8]) -> Vec<&[u8]> {
    let (count, mut rest, mut elements) = (usize::from(payload[0] >> 4 & 3), &payload[1..], Vec::new());
    while !rest.is_empty() {
        let (length, after) = if elements.len() + 1 == count { (rest.len(), rest) } else { leb128(rest) };
        assert!(length > 0, "no element is empty");
        elements.push(&after[..length]);
        rest = &after[length..];
    }
    elements
}

/// The OBUs of a frame's payloads that RTP carries, joined as their Z and Y say.
pub fn joined<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut obus, mut open) = (Vec::<Vec<u8>>::new(), false);
    for payload in payloads {
        let (continues, continued) = (payload[0] & 0x80 != 0, payload[0] & 0x40 != 0);
        assert_eq!(continues, open, "pieces fit together");
        for (index, element) in elements(payload).into_iter().enumerate() {
            match obus.last_mut() {
                Some(last) if index == 0 && continues => last.extend(element),
                _ => obus.push(element.to_vec()),
            }
        }
        open = continued;
    }
    assert!(!open, "the last OBU ends");
    obus.retain(|obu| ![2, 8, 15].contains(&kind(obu)));
    obus
}

/// Holds a frame to the form in which frames leave, and joins its OBUs.
pub fn received(payloads: &Payloads, keyframe: bool) -> Vec<Vec<u8>> {
    let last = payloads.len() - 1;
    for (index, payload) in payloads.iter().enumerate() {
        assert!(payload.len() <= MAX_PAYLOAD, "a payload of {} bytes", payload.len());
        let flag = |flag, set| if set { flag } else { 0 };
        let flags = flag(0x80, index > 0) | flag(0x40, index < last) | flag(0x08, keyframe && index == 0);
        assert_eq!(payload[0] & 0xcf, flags, "packet {index} of {last}");
        let (told, count) = (usize::from(payload[0] >> 4 & 3), elements(payload).len());
        assert_eq!(told, if count > 3 { 0 } else { count }, "elements are counted up to three");
    }
    let obus = joined(payloads.iter());
    assert!(obus.iter().all(|obu| obu[0] & 2 == 0), "no size field");
    assert!(!keyframe || kind(&obus[0]) == SEQUENCE_HEADER, "a keyframe begins with its sequence header");
    obus
}

/// All packets but the last are of one size, and the last is not larger.
pub fn is_even(payloads: &Payloads) -> bool {
    let sizes: Vec<usize> = payloads.iter().map(<[u8]>::len).collect();
    let (last, others) = sizes.split_last().expect("some");
    others.iter().all(|other| other == &others[0] && other >= last)
}

/// In the low-overhead bitstream format: each OBU with its size, the last one without if so told.
pub fn low_overhead(obus: &[Vec<u8>], delimiter: bool, last_sized: bool) -> Vec<u8> {
    let mut data = if delimiter { vec![0x12, 0] } else { Vec::new() };
    for (index, obu) in obus.iter().enumerate() {
        if index + 1 == obus.len() && !last_sized {
            data.extend(obu);
            continue;
        }
        let (header, payload) = obu.split_at(if obu[0] & 4 == 0 { 1 } else { 2 });
        data.push(header[0] | 2);
        data.extend(&header[1..]);
        let mut size = payload.len();
        while size >= 0x80 {
            data.push(size as u8 | 0x80);
            size >>= 7;
        }
        data.push(size as u8);
        data.extend(payload);
    }
    data
}
