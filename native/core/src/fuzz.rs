//! Bodies for fuzzers: each takes any bytes and must not panic. `native/fuzz` runs them with coverage, `tests/fuzz.rs`
//! with mutations of valid input.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::access_unit::nal_units;
use crate::codec::Codec;
use crate::codec::av1::Av1;
use crate::codec::h264::payload::{Unit, units};
use crate::codec::h264::sps::{Sps, picture_parameter_set_id};
use crate::codec::opus::Toc;
use crate::codec::{PayloadError, VideoCodec};
use crate::demux::Line;
use crate::frame::Kind;
use crate::gate::{Decision, Gate, Limits};
use crate::media::Format;
use crate::nal_units::NalUnits;
use crate::payloads::Payloads;
use crate::rtcp;
use crate::rtp::{MAX_PAYLOAD, MAX_SOUND, RtpPacket};
use crate::source::{Input, Output, Source};
use crate::time::Time;

/// RTP as a leg takes it: the bytes are datagrams, each after its length in one byte times eight.
pub fn rtp(data: &[u8]) {
    let input = |codec| Some(Input { format: Format::from(codec), counters: Arc::default() });
    let mut source = Source::published(input(Codec::H264), input(Codec::Opus), Duration::from_secs(2));
    let section = "m=video 9 RTP/AVP 96\r\na=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid";
    let video = Line::new(Kind::Video, Some(Codec::H264), section, None);
    let audio = Line::new(Kind::Audio, Some(Codec::Opus), "m=audio 9 RTP/AVP 97", None);
    source.arrive(vec![video, audio]);
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
        let most = if frame.kind() == Kind::Video { MAX_PAYLOAD } else { MAX_SOUND };
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

/// RTP payloads of H264, each after its length in two bytes: what is whole survives being packed anew.
pub fn h264(data: &[u8]) {
    let _ = RtpPacket::parse(data);
    let _ = Toc::parse(data);
    let (mut joined, mut read, mut rest) = (NalUnits::default(), Vec::new(), data);
    while let Some((&length, after)) = rest.split_first_chunk::<2>() {
        let (payload, after) = after.split_at(usize::from(u16::from_be_bytes(length)).min(after.len()));
        let _ = joined.push(payload);
        let _ = take(payload, &mut read);
        rest = after;
    }
    if joined.is_whole() {
        assert!(joined.iter().eq(&read), "units are joined as they were sent");
        let mut payloads = Payloads::default();
        payloads.push_units(joined.iter());
        let mut again = Vec::new();
        for payload in payloads.iter() {
            assert!(payload.len() <= MAX_PAYLOAD, "a packet fits");
            take(payload, &mut again).expect("a packet is valid");
        }
        assert!(read == again, "nothing is lost");
    }
    let pushed = nal_units(data).unwrap_or_default();
    assert!(pushed.iter().map(|unit| unit.len()).sum::<usize>() <= data.len(), "units lie within the access unit");
    assert!(pushed.iter().all(|unit| !unit.is_empty()), "no unit is empty");
}

/// Takes the units of a payload as the simplest of receivers does.
fn take(payload: &[u8], into: &mut Vec<Vec<u8>>) -> Result<(), PayloadError> {
    units(payload, |unit| match unit {
        Unit::Whole(unit) => into.push(unit.to_vec()),
        Unit::Fragment { header, start, data, .. } => {
            if start {
                into.push(vec![header]);
            }
            into.last_mut().into_iter().for_each(|unit| unit.extend_from_slice(data));
        }
    })
}

/// RTP payloads of AV1, each after its length in two bytes, and a whole temporal unit: what leaves comes in again as it was.
pub fn av1(data: &[u8]) {
    let (mut av1, mut rest) = (Av1::default(), data);
    while let Some((&length, after)) = rest.split_first_chunk::<2>() {
        let (payload, after) = after.split_at(usize::from(u16::from_be_bytes(length)).min(after.len()));
        let _ = (av1.place(payload), av1.push(payload));
        rest = after;
    }
    again(&mut av1);
    av1.clear();
    let _ = av1.push_whole(data);
    again(&mut av1);
}

/// Takes in what leaves of a frame, if it is one.
fn again(av1: &mut Av1) {
    let Ok(Some(examined)) = av1.examine() else { return };
    let (Ok(sent), mut receiver) = (av1.pack(), Av1::default()) else { return };
    for payload in sent.iter() {
        assert!(payload.len() <= MAX_PAYLOAD, "a packet fits");
        receiver.push(payload).expect("a packet is valid");
    }
    let received = receiver.examine().expect("whole").expect("a frame");
    assert_eq!(received.keyframe, examined.keyframe);
    assert!(receiver.pack().expect("whole") == sent, "nothing is lost");
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
