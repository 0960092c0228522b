//! The master key of a peer's outgoing SRTP.

use std::fmt;
use zeroize::Zeroizing;

/// Bytes of the salt behind the key.
const SALT: usize = 12;

/// A master key and a master salt of AEAD_AES_128_GCM or AEAD_AES_256_GCM, as DTLS gave them (RFC 5764 §4.2); wiped with it.
pub struct MasterKey(Zeroizing<Vec<u8>>);

impl MasterKey {
    /// Both, one behind the other; `None` when it is too short.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody hands keys out"))]
    pub(crate) fn new(key_and_salt: &[u8]) -> Option<Self> {
        (key_and_salt.len() > SALT).then(|| Self(Zeroizing::new(key_and_salt.to_vec())))
    }

    /// 16 or 32 bytes.
    pub fn key(&self) -> &[u8] {
        &self.0[..self.0.len() - SALT]
    }

    /// 12 bytes.
    pub fn salt(&self) -> &[u8] {
        &self.0[self.0.len() - SALT..]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey")
    }
}
