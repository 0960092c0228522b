//! What the engine is told of sessions, as the negotiation of the package leaves it.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::frame::Kind;
use engine::{AnsweredLeg, Engine, EngineError, MediaLine, PullConfig, SessionConfig};

use super::DEADLINE;

pub const LINES: [(Codec, u8, &str); 2] = [(Codec::H264, 96, "H264/90000"), (Codec::Opus, 111, "opus/48000/2")];

pub fn section(line: (Codec, u8, &str), direction: &str, ssrc: Option<u32>) -> String {
    let (codec, payload_type, encoding) = line;
    let (name, mid) = (codec.kind().name(), codec.kind().name());
    let announced = ssrc.map(|ssrc| format!("a=ssrc:{ssrc} cname:test\r\n")).unwrap_or_default();
    format!(
        "m={name} 9 UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\n\
         a=rtpmap:{payload_type} {encoding}\r\n{announced}a=rtcp-mux\r\n"
    )
}

pub fn next_number() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    NUMBER.fetch_add(1, Relaxed)
}

/// Active: a server that begins DTLS does so as soon as it knows the pair, before libdatachannel listens here, and the
/// repetition comes a second later. Browsers are not so slow. And they send no media.
fn as_a_browser(offer: &str) -> String {
    offer.replace("a=setup:actpass", "a=setup:active").replace("a=sendrecv", "a=recvonly")
}

pub fn ssrc(number: u32, kind: Kind) -> u32 {
    number << 1 | u32::from(kind == Kind::Audio)
}

/// Has the engine answer an offer of `LINES`; `number` makes the SSRCs.
pub fn watch(engine: &Engine, stream: &str, id: &str, number: u32, offer: &str) -> Result<String, EngineError> {
    engine.add_viewer(&session(stream, id, Some(number), &as_a_browser(offer), "sendonly"))
}

/// The same of a publisher, from the offer of a viewer.
pub fn publish(engine: &Engine, stream: &str, id: &str, offer: &str) -> Result<String, EngineError> {
    publish_as(engine, stream, id, offer, Codec::H264)
}

/// The same of a publisher whose video is of this codec.
pub fn publish_as(engine: &Engine, stream: &str, id: &str, offer: &str, video: Codec) -> Result<String, EngineError> {
    let offer = as_a_browser(offer).replace("a=recvonly", "a=sendonly");
    let mut config = session(stream, id, None, &offer, "recvonly");
    config.media[0].codec = video;
    engine.add_publisher(&config)
}

fn session(stream: &str, id: &str, number: Option<u32>, offer: &str, direction: &str) -> SessionConfig {
    let line = |line: (Codec, u8, &str)| {
        let (codec, payload_type, _) = line;
        let kind = codec.kind();
        let ssrc = number.map(|number| ssrc(number, kind));
        MediaLine {
            kind,
            codec,
            channels: None,
            description: section(line, direction, ssrc),
            payload_type,
            ssrc: ssrc.unwrap_or_default(),
            cname: "test".into(),
            nack: true,
            retransmission: None,
            extensions: ExtensionIds::default(),
        }
    };
    let (offer, media) = (offer.into(), LINES.map(line).to_vec());
    SessionConfig { id: id.into(), stream: stream.into(), offer, media, timeout: DEADLINE }
}

/// That another server sends these legs of `LINES`.
pub fn answered(legs: &[Kind]) -> Vec<AnsweredLeg> {
    let line = |(codec, _, _): (Codec, u8, &str)| AnsweredLeg { kind: codec.kind(), codec, channels: None };
    LINES.map(line).into_iter().filter(|leg| legs.contains(&leg.kind)).collect()
}

/// Has the engine make an offer of `LINES` to another server.
pub fn offer_pull(engine: &Engine, stream: &str, id: &str, number: u32) -> Result<String, EngineError> {
    let media = LINES.map(|line| (line.0.kind(), section(line, "recvonly", Some(number)))).to_vec();
    engine.offer_pull(&PullConfig { id: id.into(), stream: stream.into(), media, timeout: DEADLINE })
}
