//! Checks and their answers, as an ICE agent writes them: for load generators and tests, which have no agent.

use std::net::{IpAddr, SocketAddr};

use ring::hmac::{Key, sign};

use super::{
    ATTRIBUTE_HEADER, HEADER, INTEGRITY_LENGTH, MAGIC_COOKIE, MESSAGE_INTEGRITY, REQUEST, SUCCESS, TransactionId,
    USERNAME,
};

const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLING: u16 = 0x802a;

/// A check that nominates its pair (RFC 8445 §7.1). `user`: the receiver's fragment, a colon, the sender's; `key`: of the
/// receiver's password.
pub fn request(transaction: TransactionId, user: &str, tie_breaker: u64, key: &Key) -> Vec<u8> {
    let mut message = begin(REQUEST, transaction);
    put(&mut message, USERNAME, user.as_bytes());
    // Of a peer-reflexive candidate (RFC 8445 §5.1.2.1).
    put(&mut message, PRIORITY, &0x6e7f_1eff_u32.to_be_bytes());
    put(&mut message, ICE_CONTROLLING, &tie_breaker.to_be_bytes());
    put(&mut message, USE_CANDIDATE, &[]);
    finish(message, key)
}

/// The answer to a check that came from `from`; `key`: of the answering agent's own password.
pub fn success(transaction: TransactionId, from: SocketAddr, key: &Key) -> Vec<u8> {
    let mut message = begin(SUCCESS, transaction);
    // RFC 8489 §14.2.
    let (family, host) = match from.ip() {
        IpAddr::V4(host) => (1, host.octets().to_vec()),
        IpAddr::V6(host) => (2, host.octets().to_vec()),
    };
    let mask = [&MAGIC_COOKIE[..], &transaction].concat();
    let [high, low] = from.port().to_be_bytes();
    let mut address = vec![0, family, high ^ mask[0], low ^ mask[1]];
    address.extend(host.iter().zip(&mask).map(|(byte, mask)| byte ^ mask));
    put(&mut message, XOR_MAPPED_ADDRESS, &address);
    finish(message, key)
}

fn begin(kind: [u8; 2], transaction: TransactionId) -> Vec<u8> {
    [&kind[..], &[0, 0], &MAGIC_COOKIE, &transaction].concat()
}

fn put(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Integrity and fingerprint each cover a length that has themselves in it (RFC 8489 §14.5, §14.7).
fn finish(mut message: Vec<u8>, key: &Key) -> Vec<u8> {
    set_length(&mut message, ATTRIBUTE_HEADER + INTEGRITY_LENGTH);
    let tag = sign(key, &message);
    put(&mut message, MESSAGE_INTEGRITY, tag.as_ref());
    set_length(&mut message, ATTRIBUTE_HEADER + 4);
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
    use super::super::{Binding, Class, key};
    use super::*;

    #[test]
    fn the_sum_of_the_standard_is_met() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let key = key("secret");
        let message = request([7; 12], "far:near", 1, &key);
        let check = Binding::parse(&message).expect("a request");
        assert_eq!(
            (check.class, check.transaction, check.fragments()),
            (Class::Request, [7; 12], Some(("far", "near")))
        );
        assert!(check.is_authentic(&key));
        for from in ["127.0.0.1:9", "[::1]:9"] {
            let message = success([7; 12], from.parse().expect("an address"), &key);
            let answer = Binding::parse(&message).expect("an answer");
            assert_eq!((answer.class, answer.transaction), (Class::Success, [7; 12]));
            assert!(answer.is_authentic(&key));
        }
    }

    /// The answers of RFC 5769 §2.2 and §2.3.
    #[test]
    fn addresses_are_masked_as_in_the_published_samples() {
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let masked = |from: &str| {
            let message = success(transaction, from.parse().expect("an address"), &key("any"));
            message[HEADER + ATTRIBUTE_HEADER..].to_vec()
        };
        assert!(masked("192.0.2.1:32853").starts_with(&[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]));
        let v6 = [
            0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9,
            0xd9,
        ];
        assert!(masked("[2001:db8:1234:5678:11:2233:4455:6677]:32853").starts_with(&v6));
    }
}
