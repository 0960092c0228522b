//! What the engine is told: plain values, checked by whoever embeds it.

use std::net::IpAddr;
use std::time::Duration;

use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::frame::Kind;
use core_media::history::Limits;
use core_media::media::Format;

/// Fixed for the engine's life.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where peers are answered; `None`: every interface, IPv4 and IPv6.
    pub media_host: Option<IpAddr>,
    /// The first UDP port for peers; 0: the system chooses.
    pub media_port: u16,
    /// Threads that send; at least one.
    pub shards: usize,
}

/// A stream to open.
#[derive(Debug)]
pub struct StreamConfig {
    /// Its name.
    pub id: String,
    /// Where its media comes from.
    pub ingress: Ingress,
    /// A leg without a packet for this long is inactive.
    pub silence: Duration,
    /// How much of it is kept for viewers that join or miss packets.
    pub limits: Limits,
    /// Bytes that leave at once for one viewer; `usize::MAX` for no limit.
    pub burst: usize,
}

/// Where media comes from.
#[derive(Debug)]
pub enum Ingress {
    /// RTP on UDP ports; 0: the system chooses.
    Rtp {
        /// The address to bind, or a multicast group to join.
        host: IpAddr,
        /// The video leg, when there is one.
        video: Option<RtpLeg>,
        /// The audio leg, when there is one.
        audio: Option<RtpLeg>,
    },
    /// A clip's files, played round and round.
    Clip {
        /// Annex B with access unit delimiters.
        video: Vec<u8>,
        /// Ogg Opus.
        audio: Vec<u8>,
        /// Frames per second.
        frames_per_second: f64,
    },
    /// The tracks of a publisher or of another server, connected by `Engine::add_publisher` or `Engine::offer_pull`.
    Publisher {
        /// Is there a video leg?
        video: bool,
        /// Is there an audio leg?
        audio: bool,
    },
    /// Frames handed to `Engine::push`.
    Push {
        /// The video leg, when there is one.
        video: Option<Format>,
        /// The audio leg, when there is one.
        audio: Option<Format>,
    },
}

/// A leg that comes as RTP.
#[derive(Clone, Debug)]
pub struct RtpLeg {
    /// 0: the system chooses.
    pub port: u16,
    /// Where its reports come; absent: the port after, where that is free.
    pub rtcp_port: Option<u16>,
    /// What comes.
    pub format: Format,
}

/// The ports that were opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPorts {
    /// Of the video leg.
    pub video: Option<u16>,
    /// Of the audio leg.
    pub audio: Option<u16>,
}

/// A viewer or publisher to answer.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Its session's name.
    pub id: String,
    /// What it watches or feeds.
    pub stream: String,
    /// The offer with its accepted m-lines only.
    pub offer: String,
    /// One per accepted m-line, in its order.
    pub media: Vec<MediaLine>,
    /// How long the answer may take.
    pub timeout: Duration,
}

/// A session to ask of another server, which then feeds a stream.
#[derive(Clone, Debug)]
pub struct PullConfig {
    /// Its session's name.
    pub id: String,
    /// What it feeds: a `Publisher` stream.
    pub stream: String,
    /// The legs to ask for, each with the media section to offer.
    pub media: Vec<(Kind, String)>,
    /// How long the offer may take.
    pub timeout: Duration,
}

/// What another server has answered for a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnsweredLeg {
    /// The leg.
    pub kind: Kind,
    /// What comes.
    pub codec: Codec,
    /// Where packets do not say it.
    pub channels: Option<u8>,
}

/// One accepted m-line.
#[derive(Clone, Debug)]
pub struct MediaLine {
    /// Which leg it carries.
    pub kind: Kind,
    /// What a viewer is sent there, or a publisher sends.
    pub codec: Codec,
    /// Where packets do not say it.
    pub channels: Option<u8>,
    /// The local media section.
    pub description: String,
    /// Negotiated.
    pub payload_type: u8,
    /// Announced.
    pub ssrc: u32,
    /// Announced; the same for all lines of a viewer.
    pub cname: String,
    /// Generic NACK (RFC 4585 §6.2.1) was negotiated.
    pub nack: bool,
    /// Payload type and SSRC of retransmissions (RFC 4588), when negotiated.
    pub retransmission: Option<(u8, u32)>,
    /// Header extensions to write.
    pub extensions: ExtensionIds,
}
