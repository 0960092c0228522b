//! Keeps malformed RTCP away from libdatachannel.
//!
//! Its reader (0.23.2) believes the counts in a packet: a viewer could make it read far beyond the end. The
//! linker routes `srtp_unprotect_rtcp` of this library here (`--wrap`, see build.rs), so what was decrypted
//! is checked first, and fails like a packet that can't be decrypted.

use crate::senders;
use std::ffi::{c_int, c_void};
use std::slice;

/// `srtp_err_status_ok` and `srtp_err_status_parse_err`.
const OK: c_int = 0;
const PARSE_ERROR: c_int = 21;

unsafe extern "C" {
    fn __real_srtp_unprotect_rtcp(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int;
}

/// `srtp_unprotect_rtcp` of this library.
///
/// # Safety
/// As `srtp_unprotect_rtcp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_srtp_unprotect_rtcp(
    session: *mut c_void,
    packet: *mut c_void,
    length: *mut c_int,
) -> c_int {
    // SAFETY: the caller passes `length` bytes, and its own arguments.
    let status = unsafe {
        let sender = senders::ssrc(packet, *length, senders::IN_RTCP);
        senders::known(session, sender, || __real_srtp_unprotect_rtcp(session, packet, length))
    };
    if status != OK {
        return status;
    }
    // SAFETY: on success `packet` holds `length` decrypted bytes.
    let bytes = unsafe { slice::from_raw_parts(packet.cast::<u8>(), usize::try_from(*length).unwrap_or(0)) };
    if is_sound(bytes) { OK } else { PARSE_ERROR }
}

/// Whether every part of a compound packet is as long as its counts say (RFC 3550 sections 6.4 to 6.6 and
/// appendix A.2, RFC 4585 section 6.1).
fn is_sound(compound: &[u8]) -> bool {
    let mut rest = compound;
    while !rest.is_empty() {
        let [first, kind, high, low, ..] = *rest else { return false };
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let Some((part, others)) = rest.split_at_checked(length) else { return false };
        let blocks = 24 * usize::from(first & 0x1f);
        let sound = match kind {
            200 => length >= 28 + blocks,
            201 => length >= 8 + blocks,
            202 => has_sound_chunks(&part[4..]),
            205 | 206 => length >= 12,
            _ => true,
        };
        if first >> 6 != 2 || !sound {
            return false;
        }
        rest = others;
    }
    compound.len() >= 8 // the first sender's SSRC is always read
}

/// Whether source description chunks (RFC 3550 section 6.5) fill the bytes exactly.
fn has_sound_chunks(mut rest: &[u8]) -> bool {
    /// libdatachannel counts a chunk's words in eight bits.
    const LARGEST_CHUNK: usize = 1024;
    while !rest.is_empty() {
        let mut end = 4; // after the SSRC
        loop {
            match rest.get(end) {
                None => return false,
                Some(0) => break,
                Some(_) => {
                    let Some(&text) = rest.get(end + 1) else { return false };
                    end += 2 + usize::from(text);
                }
            }
        }
        let size = (end + 1).next_multiple_of(4);
        if size > LARGEST_CHUNK || size > rest.len() {
            return false;
        }
        rest = &rest[size..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part of `words` 32-bit words after the header, all zero.
    fn part(count: u8, kind: u8, words: u8) -> Vec<u8> {
        let mut part = vec![0x80 | count, kind, 0, words];
        part.resize(4 + 4 * usize::from(words), 0);
        part
    }

    fn description(items: &[u8], words: u8) -> Vec<u8> {
        let mut part = part(1, 202, words);
        part[8..8 + items.len()].copy_from_slice(items);
        part
    }

    #[test]
    fn what_browsers_send_is_sound() {
        let report = part(1, 201, 7);
        let name = description(b"\x01\x03abc", 3);
        let bandwidth = part(15, 206, 5);
        assert!(is_sound(&[report.clone(), name.clone(), bandwidth.clone()].concat()));
        assert!(is_sound(&part(0, 201, 1)), "a report without blocks");
        assert!(is_sound(&part(2, 200, 18)), "a sender report with two blocks");
        assert!(is_sound(&bandwidth), "reduced size (RFC 5506)");
        assert!(is_sound(&part(15, 205, 4)), "transport-wide feedback");
        assert!(is_sound(&part(1, 203, 1)), "goodbye");
        assert!(is_sound(&part(0, 207, 3)), "extended report");
    }

    #[test]
    fn counts_that_exceed_the_length_are_unsound() {
        assert!(!is_sound(&part(2, 201, 7)));
        assert!(!is_sound(&part(31, 201, 1)));
        assert!(!is_sound(&part(0, 200, 5)));
        assert!(!is_sound(&part(1, 200, 11)));
        assert!(!is_sound(&part(1, 205, 1)));
        assert!(!is_sound(&part(1, 206, 1)));
        assert!(!is_sound(&[part(1, 201, 7), part(4, 206, 1)].concat()));
    }

    #[test]
    fn lengths_that_exceed_the_packet_are_unsound() {
        let report = part(1, 201, 7);
        assert!(!is_sound(&[]));
        for length in 1..report.len() {
            assert!(!is_sound(&report[..length]), "{length}");
        }
        assert!(!is_sound(&[report.clone(), vec![0x81]].concat()));
        assert!(!is_sound(&[report, vec![0; 4]].concat()), "not version 2");
        assert!(!is_sound(&part(0, 203, 0)), "no SSRC");
    }

    #[test]
    fn descriptions_must_end_where_they_say() {
        assert!(is_sound(&description(b"\x01\x01a\x02\x01b", 3)));
        assert!(is_sound(&description(b"", 2)));
        assert!(!is_sound(&description(b"\x01\x02ab", 2)), "no room for the end");
        assert!(!is_sound(&description(b"\x01\xff", 3)), "text beyond the end");
        assert!(!is_sound(&description(b"\x01\x01a\x01\x01b\x01\x01c\x01\x01d", 4)), "items without end");
        assert!(!is_sound(&description(b"\x01\x01a", 3)), "half a chunk follows");
        let long: Vec<u8> = [[1, 200].as_slice(), &[b'x'; 200]].concat().repeat(6);
        let mut large = vec![0x81, 202, 1, 0x31];
        large.extend([0; 4]);
        large.extend(long);
        large.resize(4 + 4 * 0x131, 0);
        assert!(!is_sound(&large), "libdatachannel would lose count");
    }
}
