//! The first message of DTLS.

use super::noise::Noise;

/// What follows the session id and the cookie, both empty: four suites, no compression; groups, point formats, signatures
/// and the SRTP profiles (RFC 6347 §4.3.2, RFC 8422 §5.1, RFC 5764 §4.1.1).
const REST: &[u8] = &[
    0, 0, 0, 8, 0xc0, 0x2b, 0xc0, 0x2f, 0xcc, 0xa9, 0xc0, 0x0a, 1, 0, 0, 39, 0, 10, 0, 6, 0, 4, 0, 0x17, 0, 0x1d, 0,
    11, 0, 2, 1, 0, 0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1, 0, 14, 0, 7, 0, 4, 0, 7, 0, 1, 0,
];
const VERSION: [u8; 2] = [0xfe, 0xfd];
const RANDOM: usize = 32;
const CLIENT_HELLO: u8 = 1;
const HANDSHAKE: u8 = 22;

/// A ClientHello that no other is like, in record `number`.
pub(super) fn client_hello(number: u64, noise: &mut Noise) -> Vec<u8> {
    let body = [&VERSION[..], &noise.bytes::<RANDOM>(), REST].concat();
    let length = &(body.len() as u32).to_be_bytes()[1..];
    // Message 0, all of it from offset 0.
    let message = [&[CLIENT_HELLO], length, &[0, 0, 0, 0, 0], length, &body].concat();
    // Epoch 0 are the first two bytes of the number.
    let number = (number & 0xffff_ffff_ffff).to_be_bytes();
    [&[HANDSHAKE], &VERSION[..], &number, &(message.len() as u16).to_be_bytes(), &message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_add_up() {
        let hello = client_hello(7, &mut Noise::new());
        let at = |place: usize| usize::from(u16::from_be_bytes([hello[place], hello[place + 1]]));
        assert_eq!(at(11), hello.len() - 13);
        assert_eq!(at(15), hello.len() - 25);
        let extensions = 25 + 2 + RANDOM + 2 + 10 + 2;
        assert_eq!(at(extensions), hello.len() - extensions - 2);
    }
}
