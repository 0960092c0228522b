//! Remote candidates: only literal addresses reach libdatachannel.
//!
//! It would resolve a name with a thread and a DNS query for each, which anyone who may send SDP could
//! have it do for any name.

use std::net::IpAddr;

/// Whether the candidate line (RFC 8839 section 5.1) names its address literally.
pub(crate) fn is_literal(candidate: &str) -> bool {
    candidate.split_ascii_whitespace().nth(4).is_some_and(|address| address.parse::<IpAddr>().is_ok())
}

/// The description without the candidates that are not [`is_literal`].
pub(crate) fn literal_only(sdp: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !line.starts_with(LINE) || is_literal(line)).collect()
}

/// The description without any candidate.
pub(crate) fn none(sdp: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !line.starts_with(LINE)).collect()
}

/// The mid and the candidate of each candidate line of a description.
pub(crate) fn each(sdp: &str) -> impl Iterator<Item = (&str, &str)> {
    sdp.split("\nm=").skip(1).flat_map(|section| {
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or_default().trim_end();
        section.lines().filter(|line| line.starts_with(LINE)).map(move |line| (mid, &line["a=".len()..]))
    })
}

const LINE: &str = "a=candidate:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_literals() {
        assert!(is_literal("candidate:1 1 UDP 2122317823 192.0.2.1 5000 typ host"));
        assert!(is_literal("a=candidate:1 1 UDP 2122317823 2001:db8::1 5000 typ host"));
        assert!(!is_literal("candidate:1 1 UDP 2122317823 7c1f.local 5000 typ host"));
        assert!(!is_literal("candidate:1 1 UDP"));
        assert!(!is_literal(""));
    }

    #[test]
    fn candidates_are_told_with_their_line() {
        let sdp = "v=0\r\nm=audio 9\r\na=candidate:1 a\r\na=mid:x\r\nm=video 9\r\na=mid:y\r\na=candidate:2 b\r\na=candidate:3 c\r\n";
        assert_eq!(none(sdp), "v=0\r\nm=audio 9\r\na=mid:x\r\nm=video 9\r\na=mid:y\r\n");
        let told: Vec<_> = each(sdp).collect();
        assert_eq!(told, [("x", "candidate:1 a"), ("y", "candidate:2 b"), ("y", "candidate:3 c")]);
    }

    #[test]
    fn only_candidates_are_left_out() {
        let sdp = "v=0\r\na=candidate:1 1 UDP 1 a.example 9 typ host\r\n\
                   a=candidate:2 1 UDP 1 192.0.2.1 9 typ host\r\na=mid:0\r\n";
        let kept = "v=0\r\na=candidate:2 1 UDP 1 192.0.2.1 9 typ host\r\na=mid:0\r\n";
        assert_eq!(literal_only(sdp), kept);
    }
}
