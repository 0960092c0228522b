//! STUN messages as ICE sends them (RFC 8489, RFC 8445 §7).
#![allow(dead_code, reason = "each test file uses its part")]

use core_media::stun::{TransactionId, key};
use ring::hmac;

/// A check.
pub struct Message<'a> {
    pub transaction: TransactionId,
    /// The receiver's fragment, a colon, the sender's.
    pub user: &'a str,
    /// The receiver's.
    pub password: &'a str,
}

impl Message<'_> {
    pub fn request(&self) -> Vec<u8> {
        let mut message = header(0x0001, self.transaction);
        attribute(&mut message, 0x0006, self.user.as_bytes());
        attribute(&mut message, 0x0024, &[0x6e, 0, 1, 0xff]);
        // The integrity covers a length that counts it (RFC 8489 §14.5).
        set_length(&mut message, 24);
        let integrity = hmac::sign(&key(self.password), &message);
        attribute(&mut message, 0x0008, integrity.as_ref());
        set_length(&mut message, 0);
        message
    }
}

/// A success; the gate knows it by its transaction alone.
pub fn response(transaction: TransactionId) -> Vec<u8> {
    header(0x0101, transaction)
}

fn header(kind: u16, transaction: TransactionId) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &[0, 0], &[0x21, 0x12, 0xa4, 0x42], &transaction].concat()
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn set_length(message: &mut [u8], more: usize) {
    let length = (message.len() - 20 + more) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}
