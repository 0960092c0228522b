//! Bodies for fuzzers: each takes any bytes and must not panic. `native/fuzz` runs them with coverage, `tests/fuzz.rs`
//! with mutations of valid input.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::access_unit::nal_units;
use crate::audio::Toc;
use crate::counters::LegCounters;
use crate::demux::Line;
use crate::frame::Kind;
use crate::gate::{Decision, Gate, Limits};
use crate::h264::{Payloads, Unit, units};
use crate::rtcp;
use crate::rtp::{MAX_PAYLOAD, MAX_SOUND, RtpPacket};
use crate::source::{Output, Source};
use crate::sps::{Sps, picture_parameter_set_id};
use crate::time::Time;

/// RTP as a leg takes it: the bytes are datagrams, each after its length in one byte times eight.
pub fn rtp(data: &[u8]) {
    let counters = || Some(Arc::new(LegCounters::default()));
    let mut source = Source::published(counters(), counters(), Duration::from_secs(2));
    let section = "m=video 9 RTP/AVP 96\r\na=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid";
    source.arrive(vec![Line::new(Kind::Video, section, None), Line::new(Kind::Audio, "m=audio 9 RTP/AVP 97", None)]);
    let mut output = Output::default();
    let (mut now, mut rest) = (Time::default(), data);
    while let Some((&length, after)) = rest.split_first() {
        let (datagram, after) = after.split_at((usize::from(length) * 8).min(after.len()));
        let kind = if length & 1 == 0 { Kind::Video } else { Kind::Audio };
        if length & 2 == 0 {
            source.handle_datagram(kind, datagram, SocketAddr::from((Ipv4Addr::LOCALHOST, 5004)), now, &mut output);
        } else {
            source.handle_published(datagram, now, &mut output);
        }
        now = now + Duration::from_millis(u64::from(length));
        source.poll(now, &mut output);
        rest = after;
    }
    for frame in &output.frames {
        assert!(!frame.payloads.is_empty(), "a frame has packets");
        let most = if frame.kind == Kind::Video { MAX_PAYLOAD } else { MAX_SOUND };
        assert!(frame.payloads.iter().all(|payload| payload.len() <= most), "packets fit");
    }
}

/// RTCP, compound or not.
pub fn rtcp(data: &[u8]) {
    let mut asked = 0;
    rtcp::parse(data, |report| {
        if let rtcp::Rtcp::Nack { sequences, .. } = report {
            asked += sequences.len();
        }
    });
    rtcp::names(data, 0);
    assert!(asked <= 256, "a list is bounded: {asked}");
}

/// An RTP payload of H264: what is valid survives splitting.
pub fn h264(data: &[u8]) {
    let _ = RtpPacket::parse(data);
    let _ = Toc::parse(data);
    let collect = |payload: &[u8], into: &mut Vec<u8>| {
        units(payload, |unit| match unit {
            Unit::Whole(unit) => into.extend_from_slice(unit),
            Unit::Fragment { header, start, data, .. } => {
                if start {
                    into.push(header);
                }
                into.extend_from_slice(data);
            }
        })
    };
    let mut whole = Vec::new();
    if collect(data, &mut whole).is_ok() {
        let mut payloads = Payloads::default();
        payloads.push_split(data);
        let mut split = Vec::new();
        for payload in payloads.iter() {
            assert!(payload.len() <= MAX_PAYLOAD, "a piece fits");
            collect(payload, &mut split).expect("a piece is valid");
        }
        assert_eq!(whole, split, "nothing is lost");
    }
    let pushed = nal_units(data).unwrap_or_default();
    assert!(pushed.iter().map(|unit| unit.len()).sum::<usize>() <= data.len(), "units lie within the access unit");
    assert!(pushed.iter().all(|unit| !unit.is_empty()), "no unit is empty");
}

/// Parameter sets.
pub fn sps(data: &[u8]) {
    if let Some(sps) = Sps::parse(data) {
        assert!((1..=16_384).contains(&sps.width) && (1..=16_384).contains(&sps.height), "{sps:?}");
    }
    let _ = (Sps::id(data), picture_parameter_set_id(data));
}

/// The credentials that the gate of [`gate`] knows.
pub const CREDENTIALS: (&str, &str) = ("ours", "a password of ours");

/// Datagrams at the gate of a viewers' port, from a few addresses: each after its length, whose low bits are its sender, in
/// two bytes.
pub fn gate(data: &[u8]) {
    let mut gate = Gate::new(Limits::VIEWER);
    gate.add(1, CREDENTIALS.0, CREDENTIALS.1, ());
    let (mut now, mut rest) = (Time::default(), data);
    while let Some((&[high, low], after)) = rest.split_first_chunk::<2>() {
        let (datagram, after) = after.split_at(usize::from(high).min(after.len()));
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::from(low & 0x7f)));
        if low & 0x80 == 0 {
            let known = gate.addresses();
            let passes = gate.decide(from, datagram, now) == Decision::Pass;
            assert!(passes || gate.addresses() <= known, "nobody who is refused is remembered");
        } else {
            gate.sent(from, datagram);
        }
        assert!(gate.addresses() <= 32, "addresses are bounded");
        now = now + Duration::from_millis(u64::from(low));
        rest = after;
    }
    gate.remove(1);
    assert_eq!(gate.addresses(), 0, "nothing stays of a session");
}
