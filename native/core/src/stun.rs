//! STUN as ICE uses it (RFC 8489, RFC 8445 §7): whose a check is, whether its sender knows the password, and how one is made.

mod write;

use ring::hmac;

pub use write::{request, success};

const HEADER: usize = 20;
/// RFC 8489 §5.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Type and length before an attribute's value (RFC 8489 §14).
const ATTRIBUTE_HEADER: usize = 4;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
/// HMAC-SHA1.
const INTEGRITY_LENGTH: usize = 20;

/// Types of messages: method Binding and a class (RFC 8489 §5).
const REQUEST: [u8; 2] = [0x00, 0x01];
const SUCCESS: [u8; 2] = [0x01, 0x01];
const ERROR: [u8; 2] = [0x01, 0x11];

/// Names a request and its response (RFC 8489 §5).
pub type TransactionId = [u8; 12];

/// Kinds of messages that matter at the gate (RFC 8489 §5, method Binding alone).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Asks.
    Request,
    /// Answers well.
    Success,
    /// Answers badly.
    Error,
}

/// A binding message whose lengths add up.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    message: &'a [u8],
    /// What it does.
    pub class: Class,
    /// Its transaction.
    pub transaction: TransactionId,
}

impl<'a> Binding<'a> {
    /// Nothing when the bytes are no binding request or response.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let (header, attributes) = message.split_first_chunk::<HEADER>()?;
        let class = match [header[0], header[1]] {
            REQUEST => Class::Request,
            SUCCESS => Class::Success,
            ERROR => Class::Error,
            _ => return None,
        };
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[4..8] != MAGIC_COOKIE || length != attributes.len() || length % 4 != 0 {
            return None;
        }
        let transaction = header[8..].try_into().ok()?;
        Some(Self { message, class, transaction })
    }

    /// The two parts of the user name (RFC 8445 §7.2.2): the receiver's fragment, then the sender's.
    pub fn fragments(&self) -> Option<(&'a str, &'a str)> {
        let (_, name) = self.attribute(USERNAME)?;
        std::str::from_utf8(name).ok()?.split_once(':')
    }

    /// Whether the sender knows the password: short-term credentials (RFC 8489 §9.1.3).
    pub fn is_authentic(&self, key: &hmac::Key) -> bool {
        let Some((at, integrity)) = self.attribute(MESSAGE_INTEGRITY) else { return false };
        // The length up to and with this attribute is what was authenticated (§14.5).
        let length = at - HEADER + ATTRIBUTE_HEADER + INTEGRITY_LENGTH;
        let Ok(length) = u16::try_from(length) else { return false };
        let mut message = self.message[..at].to_vec();
        message[2..4].copy_from_slice(&length.to_be_bytes());
        integrity.len() == INTEGRITY_LENGTH && hmac::verify(key, &message, integrity).is_ok()
    }

    /// Where an attribute begins, and its value.
    fn attribute(&self, wanted: u16) -> Option<(usize, &'a [u8])> {
        let mut at = HEADER;
        while let Some([kind, more, high, low]) = self.message.get(at..at + ATTRIBUTE_HEADER) {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let value = self.message.get(at + ATTRIBUTE_HEADER..)?.get(..length)?;
            let kind = u16::from_be_bytes([*kind, *more]);
            if kind == wanted {
                return Some((at, value));
            }
            // What follows the integrity is not authenticated (§14.5).
            if kind == MESSAGE_INTEGRITY {
                return None;
            }
            at += ATTRIBUTE_HEADER + length.next_multiple_of(4);
        }
        None
    }
}

/// The key of short-term credentials.
pub fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of RFC 5769 §2.1.
    const SAMPLE: [u8; 108] = [
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87,
        0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c,
        0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f,
        0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76,
        0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
        0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
    ];
    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    #[test]
    fn the_published_sample_is_authentic() {
        let binding = Binding::parse(&SAMPLE).expect("a request");
        assert_eq!((binding.class, binding.fragments()), (Class::Request, Some(("evtj", "h6vY"))));
        assert!(binding.is_authentic(&key(PASSWORD)));
        assert!(!binding.is_authentic(&key("VOkJxbRl1RmTxUk/WvJxBT")));
    }

    #[test]
    fn whatever_is_changed_before_the_integrity_shows() {
        for at in 8..76 {
            let mut changed = SAMPLE;
            changed[at] ^= 1;
            let authentic = Binding::parse(&changed).is_some_and(|binding| binding.is_authentic(&key(PASSWORD)));
            assert!(!authentic, "byte {at}");
        }
    }

    #[test]
    fn what_is_cut_or_no_binding_is_nothing() {
        for length in 0..SAMPLE.len() {
            assert!(Binding::parse(&SAMPLE[..length]).is_none(), "{length}");
        }
        let mut indication = SAMPLE;
        indication[1] = 0x11;
        assert!(Binding::parse(&indication).is_none());
    }
}
