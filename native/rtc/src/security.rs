//! What DTLS negotiates for a peer, and what may be chosen from.

use datachannel_sys as dc;
use std::ffi::{CStr, CString, c_char, c_int};

/// A protection profile of DTLS-SRTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrtpProfile {
    /// RFC 7714.
    AeadAes128Gcm,
    /// RFC 7714.
    AeadAes256Gcm,
    /// RFC 5764, with a tag of 80 bits. RFC 8827 §6.5 wants everybody to have it.
    AesCmSha1,
}

impl SrtpProfile {
    /// All of them, the cheapest of the best first.
    pub const PREFERENCE: [Self; 3] = [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::AesCmSha1];

    /// As IANA registers it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
            Self::AesCmSha1 => "SRTP_AES128_CM_HMAC_SHA1_80",
        }
    }

    /// As OpenSSL calls it.
    fn key(self) -> &'static str {
        match self {
            Self::AesCmSha1 => "SRTP_AES128_CM_SHA1_80",
            gcm => gcm.name(),
        }
    }
}

/// A version of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsVersion {
    /// RFC 4347.
    Dtls10,
    /// RFC 6347.
    Dtls12,
    /// RFC 9147.
    Dtls13,
}

impl DtlsVersion {
    const ALL: [Self; 3] = [Self::Dtls10, Self::Dtls12, Self::Dtls13];

    /// The number.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dtls10 => "1.0",
            Self::Dtls12 => "1.2",
            Self::Dtls13 => "1.3",
        }
    }
}

/// How a connected peer is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Security {
    /// Of the handshake.
    pub version: DtlsVersion,
    /// Of the media.
    pub profile: SrtpProfile,
}

impl Security {
    /// Of a peer of libdatachannel's; nothing before its handshake has ended.
    pub(crate) fn of(peer: c_int) -> Option<Self> {
        let version = text(|buffer, size| {
            // SAFETY: the buffer has the given size and outlives the call.
            unsafe { dc::rtcGetDtlsVersion(peer, buffer, size) }
        })?;
        let profile = text(|buffer, size| {
            // SAFETY: as above.
            unsafe { dc::rtcGetSrtpProfile(peer, buffer, size) }
        })?;
        Some(Self {
            version: DtlsVersion::ALL.into_iter().find(|known| version.ends_with(known.name()))?,
            profile: SrtpProfile::PREFERENCE.into_iter().find(|known| profile == known.key())?,
        })
    }
}

/// The profiles by preference, as OpenSSL reads them.
pub(crate) fn list(profiles: &[SrtpProfile]) -> CString {
    let keys: Vec<&str> = profiles.iter().map(|profile| profile.key()).collect();
    CString::new(keys.join(":")).expect("names of profiles have no NUL")
}

fn text(read: impl FnOnce(*mut c_char, c_int) -> c_int) -> Option<String> {
    let mut buffer = [0_u8; 64];
    let written = read(buffer.as_mut_ptr().cast(), buffer.len() as c_int);
    let text = CStr::from_bytes_until_nul(&buffer).ok()?.to_str().ok()?;
    (written > 0).then(|| text.into())
}
