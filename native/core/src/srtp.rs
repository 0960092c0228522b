//! Outgoing SRTP with the profiles AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 3711, RFC 7714).
//!
//! A nonce is an SSRC and a packet index under the session's salt, so two packets of one SSRC must never have one index,
//! unless they are the same bit by bit: whoever has two under one nonce can compute the authentication key (RFC 7714 §8.4).

mod derivation;

use std::hint::black_box;

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize, Zeroizing};

use crate::track::Outgoing;
use derivation::{ENCRYPTION, SALTING, derive};

/// Bytes of the authentication tag behind a packet.
pub const TAG: usize = 16;

/// Bytes of a salt.
pub const SALT: usize = 12;

/// Where the SSRC is in an RTP header.
const SSRC: std::ops::Range<usize> = 8..12;

/// What a session protects its packets with, those of all its SSRCs. Its keys are wiped with it.
pub struct SrtpContext {
    key: LessSafeKey,
    salt: [u8; SALT],
}

impl SrtpContext {
    /// From a master key of 16 or 32 bytes, which says which profile it is, and a master salt; `None` when a length is
    /// another.
    pub fn new(master_key: &[u8], master_salt: &[u8]) -> Option<Self> {
        let master_salt: &[u8; SALT] = master_salt.try_into().ok()?;
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..master_key.len())?;
        let mut salt = [0; SALT];
        derive(master_key, master_salt, ENCRYPTION, key)?;
        derive(master_key, master_salt, SALTING, &mut salt)?;
        Self::with_session_keys(key, salt)
    }

    fn with_session_keys(key: &[u8], salt: [u8; SALT]) -> Option<Self> {
        Some(Self { key: cipher(key)?, salt })
    }

    /// Appends a packet, protected.
    pub fn protect(&self, packet: &Outgoing<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        packet.write(out);
        let (header, payload) = out[start..].split_at_mut(packet.header_len());
        let tag = self.seal(packet.sequence, header, payload);
        out.extend_from_slice(&tag);
    }

    /// Encrypts a payload in place and gives the tag. `index`: of the packet, whose lower 16 bits are in the header
    /// (RFC 3711 §3.3.1). `header`: whole, with CSRCs and extension (RFC 7714 §8.2).
    ///
    /// # Panics
    /// When `header` is shorter than an RTP header.
    pub fn seal(&self, index: u64, header: &[u8], payload: &mut [u8]) -> [u8; TAG] {
        let ssrc = header[SSRC].try_into().expect("four bytes");
        let nonce = Nonce::assume_unique_for_key(nonce(ssrc, index, &self.salt));
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(header), payload);
        let tag = tag.expect("packets are shorter than 64 GiB");
        tag.as_ref().try_into().expect("AES-GCM has tags of 16 bytes")
    }

    /// ring has nothing for that: a key of zeros is put in the place of the other.
    fn wipe(&mut self) {
        self.key = cipher(&[0; 32]).expect("32 bytes");
        self.salt.zeroize();
        // Nobody may leave it out because it is never read.
        black_box(self);
    }
}

impl Drop for SrtpContext {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl std::fmt::Debug for SrtpContext {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SrtpContext")
    }
}

fn cipher(key: &[u8]) -> Option<LessSafeKey> {
    let algorithm = match key.len() {
        16 => &AES_128_GCM,
        32 => &AES_256_GCM,
        _ => return None,
    };
    UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
}

/// RFC 7714 §8.1: two zero bytes, SSRC, rollover counter, sequence number, all under the salt.
fn nonce(ssrc: [u8; 4], index: u64, salt: &[u8; SALT]) -> [u8; SALT] {
    let mut nonce = *salt;
    let index = &index.to_be_bytes()[2..];
    nonce[2..].iter_mut().zip(ssrc.iter().chain(index)).for_each(|(byte, value)| *byte ^= value);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 12] = [0x80, 0x40, 0xf1, 0x7b, 0x80, 0x41, 0xf8, 0xd3, 0x55, 0x01, 0xa0, 0xb2];
    const PAYLOAD: &[u8] = b"Gallia est omnis divisa in partes tres";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }

    fn sealed(key_length: u8) -> Vec<u8> {
        let key: Vec<u8> = (0..key_length).collect();
        let context = SrtpContext::with_session_keys(&key, *b"Quid pro quo").expect("a length of AES");
        let mut payload = PAYLOAD.to_vec();
        let tag = context.seal(0xf17b, &HEADER, &mut payload);
        payload.extend(tag);
        payload
    }

    /// RFC 7714 §16.1.1.
    #[test]
    fn aead_aes_128_gcm() {
        let expected = "f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833
            899d7f27 beb16a91 52cf765e e4390cce";
        assert_eq!(sealed(16), hex(expected));
    }

    /// RFC 7714 §16.2.1.
    #[test]
    fn aead_aes_256_gcm() {
        let expected = "32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b
            7aa3db36 dfffd6b0 f9bb7878 d7a76c13";
        assert_eq!(sealed(32), hex(expected));
    }

    #[test]
    fn nonces_differ_for_each_index_and_ssrc() {
        let salt = *b"Quid pro quo";
        let nonces = [
            nonce([0, 0, 0, 1], 0xffff, &salt),
            nonce([0, 0, 0, 1], 0x1_ffff, &salt),
            nonce([0, 0, 0, 1], 0x1_0000_ffff, &salt),
            nonce([0, 0, 0, 1], 0x1_0000, &salt),
            nonce([0, 0, 0, 2], 0x1_0000, &salt),
        ];
        for (index, nonce) in nonces.iter().enumerate() {
            assert!(!nonces[..index].contains(nonce), "{index}");
        }
        // Of §16.1.1.
        assert_eq!(nonce([0x55, 0x01, 0xa0, 0xb2], 0xf17b, &salt).to_vec(), hex("51753c6580c2726f20718414"));
    }

    #[test]
    fn nothing_of_a_key_is_left() {
        let seal = |context: &SrtpContext| {
            let mut payload = PAYLOAD.to_vec();
            (context.seal(1, &HEADER, &mut payload), payload)
        };
        let zeros = SrtpContext::with_session_keys(&[0; 32], [0; SALT]).expect("a length of AES");
        for length in [16, 32] {
            let mut context = SrtpContext::new(&vec![7; length], &[9; SALT]).expect("a length of AES");
            assert_ne!(seal(&context), seal(&zeros));
            context.wipe();
            assert_eq!(seal(&context), seal(&zeros));
        }
    }

    #[test]
    fn other_lengths_are_no_keys() {
        for (key, salt) in [(0, 12), (15, 12), (24, 12), (33, 12), (16, 11), (32, 14)] {
            assert!(SrtpContext::new(&vec![1; key], &vec![1; salt]).is_none(), "{key} and {salt}");
        }
    }
}
