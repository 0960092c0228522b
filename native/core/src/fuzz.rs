//! Bodies for fuzzers: each takes any bytes and must not panic. `native/fuzz` runs them with coverage, `tests/fuzz.rs`
//! with mutations of valid input.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::codec::av1::Av1;
use crate::codec::h264;
use crate::codec::h264::sps::{Sps, picture_parameter_set_id};
use crate::codec::h265::{self, H265};
use crate::codec::nal::access_unit::nal_units;
use crate::codec::nal::joined::NalUnits;
use crate::codec::nal::{NalFormat, Unit, units, write_header};
use crate::codec::opus::Toc;
use crate::codec::vp8::Vp8;
use crate::codec::vp9::Vp9;
use crate::codec::{Codec, PayloadError, VideoCodec};
use crate::demux::Line;
use crate::frame::Kind;
use crate::gate::{Decision, Gate, Limits};
use crate::media::Format;
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
    let video = Line::new(Kind::Video, Some(Codec::H264.into()), section, None);
    let audio = Line::new(Kind::Audio, Some(Codec::Opus.into()), "m=audio 9 RTP/AVP 97", None);
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
    nal::<h264::payload::Format>(data);
}

/// The same of H265, also as frames: the highest bit of a length ends one.
pub fn h265(data: &[u8]) {
    nal::<h265::payload::Format>(data);
    let mut codec = H265::default();
    for (payload, end) in payloads(data) {
        let _ = codec.push(payload);
        if end {
            end_frame(&mut codec);
        }
    }
    end_frame(&mut codec);
    let _ = codec.push_whole(data);
    end_frame(&mut codec);
}

fn end_frame(codec: &mut impl VideoCodec) {
    if let Ok(Some(_)) = codec.examine()
        && let Ok(payloads) = codec.pack()
    {
        assert!(!payloads.is_empty(), "a frame has packets");
        assert!(payloads.iter().all(|payload| payload.len() <= MAX_PAYLOAD), "packets fit");
    }
    codec.clear();
}

fn nal<F: NalFormat>(data: &[u8]) {
    let (mut joined, mut read) = (NalUnits::default(), Vec::new());
    for (payload, _) in payloads(data) {
        let _ = joined.push::<F>(payload);
        let _ = take::<F>(payload, &mut read);
    }
    if joined.is_whole() {
        assert!(joined.iter().eq(&read), "units are joined as they were sent");
        let mut payloads = Payloads::default();
        payloads.push_units::<F>(joined.iter());
        let mut again = Vec::new();
        for payload in payloads.iter() {
            assert!(payload.len() <= MAX_PAYLOAD, "a packet fits");
            take::<F>(payload, &mut again).expect("a packet is valid");
        }
        assert!(read == again, "nothing is lost");
    }
    let pushed = nal_units::<F>(data).unwrap_or_default();
    assert!(pushed.iter().map(|unit| unit.len()).sum::<usize>() <= data.len(), "units lie within the access unit");
    assert!(pushed.iter().all(|unit| !unit.is_empty()), "no unit is empty");
}

/// RTP payloads of VP8, each after its length in two bytes, an empty one where packets are missing; and a whole frame.
pub fn vp8(data: &[u8]) {
    frame::<Vp8>(data);
}

/// The same of VP9.
pub fn vp9(data: &[u8]) {
    frame::<Vp9>(data);
}

/// The same of AV1.
pub fn av1(data: &[u8]) {
    frame::<Av1>(data);
}

/// What is whole survives being packed anew.
fn frame<C: VideoCodec + Default>(data: &[u8]) {
    let mut codec = C::default();
    for (payload, _) in payloads(data) {
        if payload.is_empty() {
            codec.interrupt();
        } else {
            let _ = codec.place(payload);
            let _ = codec.push(payload);
        }
        assert!(codec.size() <= 16 * data.len(), "a frame takes little more than what came");
    }
    again(&mut codec);
    codec.clear();
    let _ = codec.push_whole(data);
    again(&mut codec);
}

/// What is sent of a whole frame comes in again as it was.
fn again<C: VideoCodec + Default>(codec: &mut C) {
    let Ok(Some(examined)) = codec.examine() else { return };
    let (Ok(sent), mut receiver) = (codec.pack(), C::default()) else { return };
    for payload in sent.iter() {
        assert!(payload.len() <= MAX_PAYLOAD, "a packet fits");
        receiver.push(payload).expect("a packet is valid");
    }
    let received = receiver.examine().expect("whole").expect("a frame");
    assert_eq!(received.keyframe, examined.keyframe);
    assert!(receiver.pack().expect("whole") == sent, "nothing is lost");
}

/// Each is behind its length in two bytes, whose highest bit says that it ends a frame.
fn payloads(data: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (&length, after) = rest.split_first_chunk::<2>()?;
        let length = u16::from_be_bytes(length);
        let (payload, after) = after.split_at(usize::from(length & 0x7fff).min(after.len()));
        rest = after;
        Some((payload, length & 0x8000 != 0))
    })
}

/// Takes the units of a payload as the simplest of receivers does.
fn take<F: NalFormat>(payload: &[u8], into: &mut Vec<Vec<u8>>) -> Result<(), PayloadError> {
    units::<F>(payload, |unit| match unit {
        Unit::Whole(unit) => into.push(unit.to_vec()),
        Unit::Fragment { header, start, data, .. } => {
            if start {
                into.push(Vec::new());
                into.last_mut().into_iter().for_each(|unit| write_header::<F>(header, unit));
            }
            into.last_mut().into_iter().for_each(|unit| unit.extend_from_slice(data));
        }
    })
}

/// Parameter sets.
pub fn sps(data: &[u8]) {
    if let Some(sps) = Sps::parse(data) {
        assert!((1..=16_384).contains(&sps.width) && (1..=16_384).contains(&sps.height), "{sps:?}");
    }
    let _ = (Sps::id(data), picture_parameter_set_id(data));
    if let Some((_, parameters)) = h265::sps::parse(data) {
        assert!(
            (1..=16_384).contains(&parameters.width) && (1..=16_384).contains(&parameters.height),
            "{parameters:?}"
        );
    }
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
