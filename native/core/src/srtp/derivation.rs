//! Session keys from a master key (RFC 3711 §4.3, with 256 bits RFC 6188 §3), once, without renewal.

use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes256Enc};
use zeroize::Zeroizing;

/// What a key is for (RFC 3711 §4.3.1).
pub(super) const ENCRYPTION: u8 = 0;
pub(super) const SALTING: u8 = 2;

const BLOCK: usize = 16;

/// A master salt with AES in counter mode; shorter ones end with zeros (RFC 7714 §11).
const MASTER_SALT: usize = 14;

/// The place of the label in the salt: what stands behind it counts renewals, of which there are none.
const LABEL: usize = MASTER_SALT - 7;

/// Fills `out` with key material; `None` when a length is not one of AES.
///
/// # Panics
/// When the master salt is longer than 14 bytes.
pub(super) fn derive(master_key: &[u8], master_salt: &[u8], label: u8, out: &mut [u8]) -> Option<()> {
    let mut salt = [0; MASTER_SALT];
    salt[..master_salt.len()].copy_from_slice(master_salt);
    salt[LABEL] ^= label;
    match master_key.len() {
        16 => fill(&Aes128Enc::new_from_slice(master_key).ok()?, &salt, out),
        32 => fill(&Aes256Enc::new_from_slice(master_key).ok()?, &salt, out),
        _ => return None,
    }
    Some(())
}

/// AES in counter mode over nothing but zeros (RFC 3711 §4.3.3).
fn fill(cipher: &impl BlockCipherEncrypt<BlockSize = U16>, salt: &[u8; MASTER_SALT], out: &mut [u8]) {
    for (counter, part) in (0_u16..).zip(out.chunks_mut(BLOCK)) {
        let mut block = Zeroizing::new([0; BLOCK]);
        block[..MASTER_SALT].copy_from_slice(salt);
        block[MASTER_SALT..].copy_from_slice(&counter.to_be_bytes());
        cipher.encrypt_block((&mut *block).into());
        part.copy_from_slice(&block[..part.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 §4.3.1.
    const AUTHENTICATION: u8 = 1;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }

    fn derived(master_key: &str, master_salt: &str, label: u8, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        derive(&hex(master_key), &hex(master_salt), label, &mut out).expect("a length of AES");
        out
    }

    /// RFC 3711 §B.3.
    #[test]
    fn with_128_bits() {
        let derived =
            |label, length| derived("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6", label, length);
        assert_eq!(derived(ENCRYPTION, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derived(SALTING, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
        let expected =
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF7227098
            6371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2";
        assert_eq!(derived(AUTHENTICATION, 94), hex(expected));
    }

    /// RFC 6188 §7.
    #[test]
    fn with_256_bits() {
        let derived = |label, length| {
            let key = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6";
            derived(key, "3b04803de51ee7c96423ab5b78d2", label, length)
        };
        let key = "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4";
        assert_eq!(derived(ENCRYPTION, 32), hex(key));
        assert_eq!(derived(SALTING, 14), hex("fa31791685ca444a9e07c6c64e93"));
    }

    #[test]
    fn a_salt_of_12_bytes_ends_with_zeros() {
        let key = "f0f04914b513f2763a1b1fa130f10e29";
        let short = derived(key, "3b04803de51ee7c96423ab5b", SALTING, 12);
        assert_eq!(short, derived(key, "3b04803de51ee7c96423ab5b0000", SALTING, 12));
    }
}
