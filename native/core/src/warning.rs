//! What hurts viewers and a person beside the encoder can cure: said once, with the cure.

use crate::codec::Codec;
use crate::codec::other::Other;
use crate::codec::parameters::Profile;
use crate::counters::{DropReason, LegCounters};
use crate::leg::Leg;
use crate::time::Time;
use std::time::Duration;

/// The cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// WebRTC shows frames in the order they come.
    BFrames(Codec),
    /// Start codes in RTP payloads.
    AnnexB,
    /// H265 where H264 is due.
    Hevc,
    /// Keyframes cannot be decoded.
    NoParameterSets(Codec),
    /// Samples of more than 8 bits, or colour that is not 4:2:0.
    PixelFormat,
    /// AV1 of more than 8 bits, which SDP cannot tell from what browsers decode.
    TenBit,
    /// A profile that some browsers do not decode.
    SomeBrowsers,
    /// Browsers have no decoder of their own.
    Hardware,
    /// Fields instead of frames.
    Interlaced,
    /// Viewers wait, or cannot join at all.
    NoKeyframe,
    /// What a program pushes is no frame of the leg's codec.
    NotAFrame(Codec),
    /// Players were promised another profile.
    ProfileChanged,
    /// The audio leg carries something else than Opus.
    NotOpus(Other),
    /// The audio leg carries something else than its codec.
    WrongCodec(Other),
    /// Packets of sound that fit no datagram.
    LargeSound,
    /// Time stamps run faster or slower than time.
    WrongPace,
    /// One sender sends several streams to one leg.
    SeveralStreams,
    /// Datagrams get lost on the way here.
    Loss,
}

/// Longer without an IDR picture, and viewers that lose their place wait too long.
const KEYFRAME_PATIENCE: Duration = Duration::from_secs(10);

/// So many packets of another stream are no stragglers.
const OTHER_PACKETS: u64 = 10;

/// So many lost packets hurt; one may be the price of a start in mid-stream.
const LOST_PACKETS: u64 = 10;

impl Warning {
    /// A word for machines.
    pub fn code(self) -> &'static str {
        match self {
            Self::BFrames(Codec::H264) => "b-frames",
            Self::BFrames(_) => "reordering",
            Self::AnnexB => "annex-b",
            Self::Hevc => "h265",
            Self::NoParameterSets(_) => "no-parameter-sets",
            Self::PixelFormat => "pixel-format",
            Self::TenBit => "ten-bit",
            Self::SomeBrowsers => "some-browsers",
            Self::Hardware => "hardware-decoder",
            Self::Interlaced => "interlaced",
            Self::NoKeyframe => "no-keyframe",
            Self::NotAFrame(Codec::H264) => "not-h264",
            Self::NotAFrame(_) => "not-a-frame",
            Self::ProfileChanged => "profile-changed",
            Self::NotOpus(_) => "not-opus",
            Self::WrongCodec(_) => "wrong-codec",
            Self::LargeSound => "large-sound",
            Self::WrongPace => "wrong-pace",
            Self::SeveralStreams => "several-streams",
            Self::Loss => "loss",
        }
    }

    /// The cause and its cure, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::BFrames(Codec::H264) => {
                "the video has B-frames, which WebRTC cannot reorder: pictures will jump; encode with -bf 0"
            }
            Self::BFrames(_) => {
                "the video's frames are shown in another order than they come, which WebRTC cannot do: pictures will jump; \
                 encode with -tune zerolatency, or -x265-params bframes=0"
            }
            Self::AnnexB => {
                "the video payloads hold Annex B start codes, which RTP does not allow; send with -f rtp, not raw H264"
            }
            Self::Hevc => {
                "the video is H265, not H264, and is dropped; encode with -c:v libx264, or set the camera to H264"
            }
            Self::NoParameterSets(Codec::H264) => {
                "keyframes come without SPS and PPS, so nothing can be decoded; add -bsf:v dump_extra=freq=keyframe"
            }
            Self::NoParameterSets(Codec::H265) => {
                "keyframes come without VPS, SPS and PPS, so nothing can be decoded; add -bsf:v hevc_mp4toannexb, or give \
                 the sprop parameters of its SDP"
            }
            Self::NoParameterSets(_) => {
                "keyframes come without a sequence header, so nothing can be decoded; have the encoder repeat it with \
                 each keyframe"
            }
            Self::PixelFormat => {
                "the video has more than 8 bits or other chroma than 4:2:0, which most players cannot decode; encode with \
                 -pix_fmt yuv420p"
            }
            Self::Interlaced => {
                "the video is interlaced, which most players cannot show; encode it without fields, such as with \
                 -vf yadif"
            }
            Self::NoKeyframe => {
                "no keyframe has come for 10 seconds, so nobody can join quickly; encode with a short GOP, such as -g 60"
            }
            Self::NotAFrame(Codec::H264) => {
                "pushed video is dropped: it is neither Annex B nor AVCC with lengths of four bytes that add up; push whole \
                 H264 access units"
            }
            Self::NotAFrame(Codec::H265) => {
                "pushed video is dropped: it is neither Annex B nor units after lengths of four bytes that add up; push \
                 whole H265 access units"
            }
            Self::NotAFrame(Codec::Av1) => {
                "pushed video is dropped: it is no sequence of OBUs with sizes; push whole temporal units of AV1"
            }
            Self::NotAFrame(_) => {
                "pushed video is dropped: it is no frame of the leg's codec; push whole frames as the encoder gives them"
            }
            Self::TenBit => {
                "the AV1 video has more than 8 bits, which no browser decodes; encode with -pix_fmt yuv420p"
            }
            Self::SomeBrowsers => {
                "the VP9 video is of profile 2 or 3, which Firefox does not decode; encode with -pix_fmt yuv420p"
            }
            Self::Hardware => {
                "the video is H265, which browsers play only where the machine has a decoder for it; encode with -c:v libx264 \
                 to reach all"
            }
            Self::ProfileChanged => {
                "the video's H264 profile changed while viewers watched, and some players cannot follow; keep one, such \
                 as -profile:v baseline"
            }
            Self::NotOpus(other) => not_opus(other),
            Self::WrongCodec(Other::Aac) => {
                "the audio is AAC, not what its leg is for, and is dropped; put -c:a before the output of the audio leg: \
                 FFmpeg's codec options belong to the next output only"
            }
            Self::WrongCodec(_) => {
                "the audio is not of its leg's codec, and is dropped; encode it so, or name its codec in the source"
            }
            Self::LargeSound => {
                "audio is dropped: its packets exceed 1402 bytes and fit no datagram; send shorter packets or fewer bits, \
                 such as -frame_duration 20 -b:a 128k"
            }
            Self::WrongPace => {
                "the time stamps do not run as fast as time does, and players stutter; the clock of video is 90 kHz, that of \
                 Opus 48 kHz, of G.711 and G.722 8 kHz (with FFmpeg: read files with -re, and see that it keeps up)"
            }
            Self::SeveralStreams => {
                "several streams come for one leg, such as the layers of simulcast, and all but one are dropped; send one"
            }
            Self::Loss => {
                "packets get lost on the way from the encoder; raise net.core.rmem_max, or send from this machine"
            }
        }
    }
}

fn not_opus(other: Other) -> &'static str {
    match other {
        Other::Aac => {
            "the audio is AAC, not Opus, and is dropped; put -c:a libopus before the output of the audio leg: FFmpeg's \
             codec options belong to the next output only"
        }
        Other::G711 => "the audio is G.711, not Opus, and is dropped; encode it with -c:a libopus",
        Other::G722 => "the audio is G.722, not Opus, and is dropped; encode it with -c:a libopus",
        Other::L16 => "the audio is L16, not Opus, and is dropped; encode it with -c:a libopus",
        Other::Mpeg => "the audio is MPEG audio, not Opus, and is dropped; encode it with -c:a libopus",
        Other::Unknown => "the audio is not Opus, and is dropped; encode it with -c:a libopus",
    }
}

/// What a video leg gives cause for. `began`: when it did, or came back.
pub fn of_video(leg: &Leg, began: Option<Time>, now: Time) -> impl Iterator<Item = Warning> {
    let (facts, counters) = (leg.facts(), leg.counters());
    let waiting_since = leg.keyframe_due_since(began);
    let no_keyframe = waiting_since.is_some_and(|since| now.since(since) >= KEYFRAME_PATIENCE);
    let no_sets = counters.count(DropReason::NoParameterSets) > 0;
    let (codec, parameters, misfit) = (facts.codec, facts.parameters, leg.misfit());
    let (annex_b, hevc) = (misfit.annex_b, misfit.other == Some(Codec::H265));
    let reorders = parameters.and_then(|found| found.reorder_frames).is_some_and(|frames| frames > 0);
    let deep = parameters.is_some_and(|found| found.bit_depth > 8);
    let other_chroma = parameters.is_some_and(|found| found.other_chroma);
    let vp9_profile = match parameters.map(|found| found.profile) {
        Some(Profile::Vp9 { profile }) => Some(profile),
        _ => None,
    };
    [
        // H264 may say so and have none all the same.
        (Warning::BFrames(codec), facts.reordered || codec == Codec::H265 && reorders),
        (Warning::AnnexB, annex_b),
        (Warning::Hevc, hevc),
        (Warning::NoParameterSets(codec), no_sets),
        (Warning::NotAFrame(codec), facts.not_a_frame),
        (Warning::PixelFormat, other_chroma || deep && matches!(codec, Codec::H264 | Codec::H265)),
        (Warning::TenBit, deep && codec == Codec::Av1),
        (Warning::SomeBrowsers, vp9_profile.is_some_and(|profile| profile >= 2)),
        (Warning::Hardware, codec == Codec::H265 && parameters.is_some()),
        (Warning::Interlaced, parameters.is_some_and(|found| found.interlaced)),
        (Warning::NoKeyframe, no_keyframe && !annex_b && !hevc && !no_sets),
        (Warning::ProfileChanged, facts.profile_changed),
        (Warning::WrongPace, facts.wrong_pace),
    ]
    .into_iter()
    .filter_map(|(warning, seen)| seen.then_some(warning))
    .chain(of_any(counters))
}

/// What an audio leg gives cause for.
pub fn of_audio(leg: &Leg) -> impl Iterator<Item = Warning> {
    let (facts, counters) = (leg.facts(), leg.counters());
    let large = counters.count(DropReason::Oversized) > 0;
    let wrong_pace = facts.wrong_pace && facts.other.is_none();
    let others = [(Warning::LargeSound, large), (Warning::WrongPace, wrong_pace)];
    let seen = others.into_iter().filter_map(|(warning, seen)| seen.then_some(warning));
    let wrong = facts.other.map(|other| match facts.codec {
        Codec::Opus => Warning::NotOpus(other),
        _ => Warning::WrongCodec(other),
    });
    wrong.into_iter().chain(seen).chain(of_any(counters))
}

fn of_any(counters: &LegCounters) -> impl Iterator<Item = Warning> {
    let several = counters.count(DropReason::OtherStream) >= OTHER_PACKETS;
    let loss = counters.count(DropReason::Lost) >= LOST_PACKETS;
    [(Warning::SeveralStreams, several), (Warning::Loss, loss)]
        .into_iter()
        .filter_map(|(warning, seen)| seen.then_some(warning))
}
