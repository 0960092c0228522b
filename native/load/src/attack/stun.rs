//! Binding requests and their answers (RFC 8489, RFC 8445 §7), as far as an attacker needs them.

use std::net::{IpAddr, SocketAddr};

pub(super) use core_media::stun::key;
use ring::hmac::{Key, sign};

use super::noise::Noise;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLING: u16 = 0x802a;

/// What a description says of its ICE agent: `ice-ufrag` or `ice-pwd`.
pub(super) fn credential<'a>(sdp: &'a str, name: &str) -> Result<&'a str, String> {
    let found = sdp.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'));
    found.ok_or_else(|| format!("the answer has no {name}"))
}

/// A check that nominates.
pub(super) fn request(username: &str, key: &Key, noise: &mut Noise) -> Vec<u8> {
    let mut message = begin(REQUEST, noise.bytes());
    put(&mut message, USERNAME, username.as_bytes());
    put(&mut message, PRIORITY, &0x6e00_01ff_u32.to_be_bytes());
    put(&mut message, ICE_CONTROLLING, &noise.bytes::<8>());
    put(&mut message, USE_CANDIDATE, &[]);
    finish(message, key)
}

/// The answer to a check that came from `from`; nothing when it is none.
pub(super) fn answer(request: &[u8], from: SocketAddr, key: &Key) -> Option<Vec<u8>> {
    if !is(request, REQUEST) {
        return None;
    }
    let IpAddr::V4(host) = from.ip() else { return None };
    let mut message = begin(SUCCESS, request[8..HEADER].try_into().ok()?);
    let [high, low] = (from.port() ^ 0x2112).to_be_bytes();
    let mut address = [0, 1, high, low, 0, 0, 0, 0];
    address[4..].iter_mut().zip(host.octets()).zip(COOKIE).for_each(|((byte, own), mask)| *byte = own ^ mask);
    put(&mut message, XOR_MAPPED_ADDRESS, &address);
    Some(finish(message, key))
}

pub(super) fn is_success(message: &[u8]) -> bool {
    is(message, SUCCESS)
}

fn is(message: &[u8], kind: u16) -> bool {
    message.len() >= HEADER && message[..2] == kind.to_be_bytes() && message[4..8] == COOKIE
}

fn begin(kind: u16, transaction: [u8; 12]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &[0, 0], &COOKIE, &transaction].concat()
}

fn put(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Integrity and fingerprint each cover a length that has themselves in it (RFC 8489 §14.5, §14.7).
fn finish(mut message: Vec<u8>, key: &Key) -> Vec<u8> {
    set_length(&mut message, 24);
    let tag = sign(key, &message);
    put(&mut message, MESSAGE_INTEGRITY, tag.as_ref());
    set_length(&mut message, 8);
    let sum = crc32(&message) ^ 0x5354_554e;
    put(&mut message, FINGERPRINT, &sum.to_be_bytes());
    message
}

fn set_length(message: &mut [u8], more: usize) {
    let length = (message.len() - HEADER + more) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// ISO 3309, as FINGERPRINT wants it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_the_standard_is_met() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_lengths_add_up() {
        let request = request("far:near", &key("secret"), &mut Noise::new());
        assert_eq!(usize::from(u16::from_be_bytes([request[2], request[3]])), request.len() - HEADER);
        let answer = answer(&request, ([127, 0, 0, 1], 9).into(), &key("secret")).expect("it is a request");
        assert!(is_success(&answer));
        assert_eq!(answer[8..HEADER], request[8..HEADER]);
    }
}
