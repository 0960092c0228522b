//! What a leg carries, and what its codec has to tell the rest of the server. Nothing outside this room names a codec.

use std::fmt::Debug;

use crate::counters::DropReason;
use crate::frame::Kind;
use crate::payloads::Payloads;

pub mod av1;
pub mod h264;
pub mod h265;
mod joined;
pub mod nal;
pub mod opus;
pub mod other;
pub mod parameters;
pub mod pcm;
pub mod vp8;
pub mod vp9;

use self::av1::Av1;
use self::h264::H264;
use self::h265::H265;
use self::opus::{Multiopus, Opus};
use self::other::Other;
use self::parameters::Parameters;
use self::pcm::Pcm;
use self::vp8::Vp8;
use self::vp9::Vp9;

/// A codec in its RTP payload format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 6184.
    H264,
    /// RFC 7798.
    H265,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RTP Payload Format for AV1, version 1.0.
    Av1,
    /// RFC 7587.
    Opus,
    /// Opus of 3 to 8 channels, in the form that libwebrtc gave it.
    Multiopus,
    /// RFC 3551 §4.5.14.
    Pcmu,
    /// RFC 3551 §4.5.14.
    Pcma,
    /// RFC 3551 §4.5.2.
    G722,
}

impl Codec {
    /// All of them.
    pub const ALL: [Codec; 10] = [
        Codec::H264,
        Codec::H265,
        Codec::Vp8,
        Codec::Vp9,
        Codec::Av1,
        Codec::Opus,
        Codec::Multiopus,
        Codec::Pcmu,
        Codec::Pcma,
        Codec::G722,
    ];

    /// The leg that it can be on.
    pub const fn kind(self) -> Kind {
        match self {
            Codec::H264 | Codec::H265 | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => Kind::Video,
            Codec::Opus | Codec::Multiopus | Codec::Pcmu | Codec::Pcma | Codec::G722 => Kind::Audio,
        }
    }

    /// RTP clock ticks per second. That of G722 is half its sampling rate (RFC 3551 §4.5.2).
    pub const fn rate(self) -> u32 {
        match self {
            Codec::H264 | Codec::H265 | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => 90_000,
            Codec::Opus | Codec::Multiopus => 48_000,
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8_000,
        }
    }

    /// As options and statistics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::H264 => "h264",
            Codec::H265 => "h265",
            Codec::Vp8 => "vp8",
            Codec::Vp9 => "vp9",
            Codec::Av1 => "av1",
            Codec::Opus => "opus",
            Codec::Multiopus => "multiopus",
            Codec::Pcmu => "pcmu",
            Codec::Pcma => "pcma",
            Codec::G722 => "g722",
        }
    }

    /// The codec of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// What reads its packets. `channels`: as SDP says, where packets do not.
    pub fn reader(self, channels: Option<u8>) -> Reader {
        match self {
            Codec::H264 => Reader::Video(Box::new(H264::default())),
            Codec::H265 => Reader::Video(Box::new(H265::default())),
            Codec::Vp8 => Reader::Video(Box::new(Vp8::default())),
            Codec::Vp9 => Reader::Video(Box::new(Vp9::default())),
            Codec::Opus => Reader::Audio(Box::new(Opus::default())),
            Codec::Multiopus => Reader::Audio(Box::new(Multiopus::new(channels.unwrap_or(SURROUND)))),
            Codec::Pcmu | Codec::Pcma | Codec::G722 => Reader::Audio(Box::new(Pcm::new(self))),
            Codec::Av1 => Reader::Video(Box::new(Av1::default())),
        }
    }
}

/// Channels of 5.1.
const SURROUND: u8 = 6;

/// What reads the packets of a codec.
#[derive(Debug)]
pub enum Reader {
    /// By frames that several packets may make up.
    Video(Box<dyn VideoCodec>),
    /// Packet by packet.
    Audio(Box<dyn AudioCodec>),
}

/// Where in a frame a payload can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At its beginning.
    Beginning,
    /// Behind the beginning.
    Within,
    /// Not told.
    Unknown,
}

/// Why a payload is none of its codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadError {
    /// Empty, or a length that exceeds what there is.
    Truncated,
    /// An Annex B start code: the bytes of a file, not of RTP.
    AnnexB,
    /// What the payload format reserves, or what makes no sense here.
    Unsupported,
}

/// What a whole frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Decodable without any other frame.
    pub keyframe: bool,
    /// What comes first in it is what a frame begins with, so nothing is missing before.
    pub begins: bool,
    /// Refers to frames before the newest keyframe: who begins there cannot decode it (RASL, ITU-T H.265 §8.1.3).
    pub leading: bool,
    /// May be shown later than frames that follow it.
    pub reordered: bool,
}

/// The sender speaks another format than its leg's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misfit {
    /// Payloads with Annex B start codes came.
    pub annex_b: bool,
    /// This codec comes instead, and no frame of the leg's own since.
    pub other: Option<Codec>,
}

/// The frames of one video codec: RTP payloads or whole frames come in, payloads to send go out.
///
/// It holds at most one frame, the one that is coming in, and what outlives frames, such as parameter sets. Time stamps,
/// markers, gaps and limits are its caller's, the `Assembler`.
pub trait VideoCodec: Debug + Send {
    /// Where in a frame a payload can stand, by what it says itself. The payload is not empty.
    fn place(&self, payload: &[u8]) -> Place;

    /// Takes the frame's next RTP payload, which is not empty. A malformed one leaves the frame damaged.
    fn push(&mut self, payload: &[u8]) -> Result<(), PayloadError>;

    /// Takes the whole frame, as encoders and containers have it. An error: it is none, and nothing is kept of it.
    fn push_whole(&mut self, frame: &[u8]) -> Result<(), PayloadError>;

    /// Packets are missing here: the frame will not be whole.
    fn interrupt(&mut self);

    /// Bytes that the frame takes, whatever they are worth.
    fn size(&self) -> usize;

    /// Looks at the frame, which has come to its end, and remembers its parameter sets even if it is damaged.
    ///
    /// `Ok(None)`: nothing to be shown is in it. `Damaged`: it is not whole.
    fn examine(&mut self) -> Result<Option<Examined>, DropReason>;

    /// The frame as it is sent, each payload of at most `MAX_PAYLOAD` bytes, parameter sets before a keyframe included.
    /// Called after `examine` has found a frame that can be decoded.
    fn pack(&mut self) -> Result<Payloads, DropReason>;

    /// Forgets the frame, not what outlives frames.
    fn clear(&mut self);

    /// Takes a parameter set that came another way than in the stream (SDP); false when it makes no sense.
    fn adopt(&mut self, _set: &[u8]) -> bool {
        false
    }

    /// What the newest keyframe or parameter set says; `None` before the first.
    fn parameters(&self) -> Option<Parameters>;

    /// Signs that the sender speaks another format.
    fn misfit(&self) -> Misfit {
        Misfit::default()
    }
}

/// What a packet of audio is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioPacket {
    /// Ticks of the codec's rate.
    pub duration: u32,
    /// 1 to 8.
    pub channels: u8,
    /// The one before led into silence: this one may come much later.
    pub after_silence: bool,
}

/// The packets of one audio codec.
pub trait AudioCodec: Debug + Send {
    /// Looks at the next packet, which is not empty. `payload_type`: absent of what a program pushes.
    fn examine(&mut self, packet: &[u8], timestamp: u32, payload_type: Option<u8>) -> Result<AudioPacket, DropReason>;

    /// Each byte lasts one tick, so a packet may be cut anywhere.
    fn is_divisible(&self) -> bool {
        false
    }

    /// The source begins anew.
    fn restart(&mut self) {}

    /// The newest packets are of another codec, and dropped.
    fn misfit(&self) -> Option<Other> {
        None
    }
}
