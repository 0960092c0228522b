//! What viewers, publishers and pulls are answered and asked with.

use std::time::Duration;

use core_media::extension::ExtensionIds;
use engine::{AnsweredLeg, EngineError, MediaLine, PullConfig, SessionConfig};
use napi_derive::napi;

use super::{codec, invalid, kind};

/// How long an answer may take. It takes about a millisecond; this is for a machine that stands still.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A viewer or publisher to answer.
#[napi(object, object_to_js = false)]
pub struct SessionSpec {
    /// Its session's name.
    pub id: String,
    /// What it watches or feeds.
    pub stream: String,
    /// The offer, accepted m-lines only.
    pub offer: String,
    /// One per accepted m-line.
    pub media: Vec<LineObject>,
}

/// One accepted m-line.
#[napi(object, object_to_js = false)]
pub struct LineObject {
    /// `video` or `audio`.
    pub kind: String,
    /// What it carries.
    pub codec: String,
    /// Where packets do not say it.
    pub channels: Option<u8>,
    /// The local media section.
    pub description: String,
    /// Negotiated.
    pub payload_type: u8,
    /// Announced.
    pub ssrc: u32,
    /// Announced.
    pub cname: String,
    /// Generic NACK (RFC 4585 §6.2.1) was negotiated.
    pub nack: bool,
    /// Retransmissions (RFC 4588), when negotiated.
    pub rtx: Option<RetransmissionObject>,
    /// Header extension ids.
    pub extensions: ExtensionsObject,
}

/// Header extensions to write, as negotiated.
#[napi(object, object_to_js = false)]
pub struct ExtensionsObject {
    /// abs-capture-time.
    pub abs_capture_time: Option<u8>,
    /// playout-delay.
    pub playout_delay: Option<u8>,
}

/// Where repeated packets go.
#[napi(object, object_to_js = false)]
pub struct RetransmissionObject {
    /// Negotiated.
    pub payload_type: u8,
    /// Announced.
    pub ssrc: u32,
}

impl From<SessionSpec> for Result<SessionConfig, EngineError> {
    fn from(spec: SessionSpec) -> Self {
        let line = |line: LineObject| {
            let kind = kind(&line.kind).ok_or_else(|| invalid("media.kind"))?;
            let codec = codec(&line.codec)?;
            let LineObject { channels, description, payload_type, ssrc, cname, nack, rtx, extensions, .. } = line;
            let retransmission = rtx.map(|rtx| (rtx.payload_type, rtx.ssrc));
            let extensions = ExtensionIds {
                absolute_capture_time: extensions.abs_capture_time,
                playout_delay: extensions.playout_delay,
            };
            Ok(MediaLine {
                kind,
                codec,
                channels,
                description,
                payload_type,
                ssrc,
                cname,
                nack,
                retransmission,
                extensions,
            })
        };
        let media = spec.media.into_iter().map(line).collect::<Result<_, EngineError>>()?;
        Ok(SessionConfig { id: spec.id, stream: spec.stream, offer: spec.offer, media, timeout: ANSWER_TIMEOUT })
    }
}

/// What another server has answered for a leg.
#[napi(object, object_to_js = false)]
pub struct AnsweredObject {
    /// `video` or `audio`.
    pub kind: String,
    /// What comes.
    pub codec: String,
    /// Where packets do not say it.
    pub channels: Option<u8>,
}

impl From<AnsweredObject> for Result<AnsweredLeg, EngineError> {
    fn from(leg: AnsweredObject) -> Self {
        let kind = kind(&leg.kind).ok_or_else(|| invalid("legs.kind"))?;
        Ok(AnsweredLeg { kind, codec: codec(&leg.codec)?, channels: leg.channels })
    }
}

/// A session to ask of another server.
#[napi(object, object_to_js = false)]
pub struct PullSpec {
    /// Its session's name.
    pub id: String,
    /// What it feeds.
    pub stream: String,
    /// One per m-line to offer.
    pub media: Vec<OfferedLine>,
}

/// One m-line to offer.
#[napi(object, object_to_js = false)]
pub struct OfferedLine {
    /// `video` or `audio`.
    pub kind: String,
    /// The local media section.
    pub description: String,
}

impl From<PullSpec> for Result<PullConfig, EngineError> {
    fn from(PullSpec { id, stream, media }: PullSpec) -> Self {
        let line = |OfferedLine { kind: name, description }: OfferedLine| {
            let kind = kind(&name).ok_or_else(|| invalid("media.kind"))?;
            Ok((kind, description))
        };
        let media = media.into_iter().map(line).collect::<Result<_, EngineError>>()?;
        Ok(PullConfig { id, stream, media, timeout: ANSWER_TIMEOUT })
    }
}
