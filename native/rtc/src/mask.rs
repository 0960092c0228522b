//! Log lines without the passwords, tokens and keys that the libraries put into them.

use std::borrow::Cow;
use std::ops::Range;

/// Ends of the names of secrets, in lower case: `a=ice-pwd:`, `password="..."`, SDES' `inline:` (RFC 4568 §9.1).
const NAMES: [&str; 7] = ["pwd", "password", "passphrase", "secret", "token", "key", "inline"];

/// The text with `***` for what follows the name of a secret and `:` or `=`, up to the end of that line: where a value ends
/// cannot be told from what may stand in it.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(secret) = first_secret(rest) {
        masked.push_str(&rest[..secret.start]);
        masked.push_str("***");
        rest = &rest[secret.end..];
    }
    if masked.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(masked + rest) }
}

fn first_secret(text: &str) -> Option<Range<usize>> {
    let mut separators = text.match_indices([':', '=']).map(|(at, _)| at);
    let start = separators.find(|&at| names_secret(&text[..at]))? + 1;
    Some(start..text[start..].find(['\r', '\n']).map_or(text.len(), |length| start + length))
}

fn names_secret(before: &str) -> bool {
    let name = before.trim_end_matches([' ', '"', '\'']).as_bytes();
    NAMES
        .iter()
        .any(|end| name.len() >= end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libraries_write_loses_its_secrets() {
        for (line, expected) in [
            ("STUN integrity check failed, password=\"s3cr+t/\"", "STUN integrity check failed, password=***"),
            ("remote: ufrag=\"abcd\", pwd=\"s3cr+t/\", candidates=3", "remote: ufrag=\"abcd\", pwd=***"),
            (
                "a=ice-ufrag:abcd\r\na=ice-pwd:s3cr+t/\r\na=setup:active\r\n",
                "a=ice-ufrag:abcd\r\na=ice-pwd:***\r\na=setup:active\r\n",
            ),
            ("a=ice-pwd:one\na=ice-pwd:two", "a=ice-pwd:***\na=ice-pwd:***"),
            ("{\"Pwd\": \"s3cr+t/\"}", "{\"Pwd\":***"),
            ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0Rm|2^20", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***"),
            ("SRTP key = 00 01 02 03", "SRTP key =***"),
            ("password=", "password=***"),
        ] {
            assert_eq!(masked(line), expected);
        }
    }

    #[test]
    fn other_lines_are_passed_on_as_they_are() {
        for line in [
            "",
            "pwd",
            "keyframe: 7",
            "STUN username invalid, username=\"a:b\"",
            "a=fingerprint:sha-256 AA:BB",
            "überall: é=ü",
        ] {
            assert!(matches!(masked(line), Cow::Borrowed(same) if same == line), "{line}");
        }
    }

    /// xorshift64*.
    fn draw(state: &mut u64, below: usize) -> usize {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }

    fn text(state: &mut u64, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| alphabet[draw(state, alphabet.len())]).collect()
    }

    #[test]
    fn no_secret_survives_among_any_other_text() {
        let state = &mut 0x9e37_79b9_7f4a_7c15;
        for _ in 0..20_000 {
            let length = draw(state, 30);
            let before = text(state, "ab=:\"' \r\né,pwdkey", length);
            let length = 22 + draw(state, 30);
            let secret = text(state, "ACEGIKMQ0123456789+/", length);
            let name = NAMES[draw(state, NAMES.len())];
            let name = if draw(state, 2) == 0 { name.to_uppercase() } else { name.into() };
            let between = ["=", ":", " = ", "\":\"", "='", "=\"", ": "][draw(state, 7)];
            let after = ["", "\"", "'", "\r\na=b", " c"][draw(state, 5)];
            let line = format!("{before}{name}{between}{secret}{after}");
            let result = masked(&line);
            assert!(!result.contains(&secret), "{line:?} became {result:?}");
        }
    }
}
