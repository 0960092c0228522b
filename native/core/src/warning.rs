//! What hurts viewers and a person beside the encoder can cure: said once, with the cure.

use crate::counters::{DropReason, LegCounters};
use crate::leg::Leg;
use crate::sound::Codec;
use crate::time::Time;
use std::time::Duration;

/// The cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// WebRTC shows frames in the order they come.
    BFrames,
    /// Start codes in RTP payloads.
    AnnexB,
    /// H265 where H264 is due.
    Hevc,
    /// Keyframes cannot be decoded.
    NoParameterSets,
    /// Samples of more than 8 bits, or colour that is not 4:2:0.
    PixelFormat,
    /// Fields instead of frames.
    Interlaced,
    /// Viewers wait, or cannot join at all.
    NoKeyframe,
    /// What a program pushes is no H264.
    NotH264,
    /// Players were promised another profile.
    ProfileChanged,
    /// The audio leg carries something else.
    NotOpus(Codec),
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
            Self::BFrames => "b-frames",
            Self::AnnexB => "annex-b",
            Self::Hevc => "h265",
            Self::NoParameterSets => "no-parameter-sets",
            Self::PixelFormat => "pixel-format",
            Self::Interlaced => "interlaced",
            Self::NoKeyframe => "no-keyframe",
            Self::NotH264 => "not-h264",
            Self::ProfileChanged => "profile-changed",
            Self::NotOpus(_) => "not-opus",
            Self::LargeSound => "large-sound",
            Self::WrongPace => "wrong-pace",
            Self::SeveralStreams => "several-streams",
            Self::Loss => "loss",
        }
    }

    /// The cause and its cure, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::BFrames => {
                "the video has B-frames, which WebRTC cannot reorder: pictures will jump; encode with -bf 0"
            }
            Self::AnnexB => {
                "the video payloads hold Annex B start codes, which RTP does not allow; send with -f rtp, not raw H264"
            }
            Self::Hevc => {
                "the video is H265, not H264, and is dropped; encode with -c:v libx264, or set the camera to H264"
            }
            Self::NoParameterSets => {
                "keyframes come without SPS and PPS, so nothing can be decoded; add -bsf:v dump_extra=freq=keyframe"
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
            Self::NotH264 => {
                "pushed video is dropped: it is neither Annex B nor AVCC with lengths of four bytes that add up; push whole \
                 H264 access units"
            }
            Self::ProfileChanged => {
                "the video's H264 profile changed while viewers watched, and some players cannot follow; keep one, such \
                 as -profile:v baseline"
            }
            Self::NotOpus(codec) => not_opus(codec),
            Self::LargeSound => {
                "sound is dropped: its packets exceed 1402 bytes and fit no datagram; send shorter packets or fewer bits, \
                 such as -frame_duration 20 -b:a 128k"
            }
            Self::WrongPace => {
                "the time stamps do not run as fast as time does, and players stutter; the clock of video is 90 kHz, that of \
                 Opus 48 kHz (with FFmpeg: read files with -re, and see that it keeps up)"
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

fn not_opus(codec: Codec) -> &'static str {
    match codec {
        Codec::Aac => {
            "the audio is AAC, not Opus, and is dropped; put -c:a libopus before the output of the audio leg: FFmpeg's \
             codec options belong to the next output only"
        }
        Codec::G711 => "the audio is G.711, not Opus, and is dropped; encode it with -c:a libopus",
        Codec::G722 => "the audio is G.722, not Opus, and is dropped; encode it with -c:a libopus",
        Codec::L16 => "the audio is L16, not Opus, and is dropped; encode it with -c:a libopus",
        Codec::Mpeg => "the audio is MPEG audio, not Opus, and is dropped; encode it with -c:a libopus",
        Codec::Unknown => "the audio is not Opus, and is dropped; encode it with -c:a libopus",
    }
}

/// What a video leg gives cause for. `began`: when it did, or came back.
pub fn of_video(leg: &Leg, began: Option<Time>, now: Time) -> impl Iterator<Item = Warning> {
    let (facts, counters) = (leg.facts(), leg.counters());
    let waiting_since = leg.keyframe_due_since(began);
    let no_keyframe = waiting_since.is_some_and(|since| now.since(since) >= KEYFRAME_PATIENCE);
    let no_sets = counters.count(DropReason::NoParameterSets) > 0;
    let (annex_b, hevc) = (leg.saw_annex_b(), leg.saw_hevc());
    [
        (Warning::BFrames, facts.bidirectional),
        (Warning::AnnexB, annex_b),
        (Warning::Hevc, hevc),
        (Warning::NoParameterSets, no_sets),
        (Warning::NotH264, facts.not_h264),
        (Warning::PixelFormat, facts.sps.is_some_and(|sps| sps.deep || sps.other_chroma)),
        (Warning::Interlaced, facts.sps.is_some_and(|sps| sps.interlaced)),
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
    let wrong_pace = facts.wrong_pace && facts.not_opus.is_none();
    let others = [(Warning::LargeSound, large), (Warning::WrongPace, wrong_pace)];
    let seen = others.into_iter().filter_map(|(warning, seen)| seen.then_some(warning));
    facts.not_opus.map(Warning::NotOpus).into_iter().chain(seen).chain(of_any(counters))
}

fn of_any(counters: &LegCounters) -> impl Iterator<Item = Warning> {
    let several = counters.count(DropReason::OtherStream) >= OTHER_PACKETS;
    let loss = counters.count(DropReason::Lost) >= LOST_PACKETS;
    [(Warning::SeveralStreams, several), (Warning::Loss, loss)]
        .into_iter()
        .filter_map(|(warning, seen)| seen.then_some(warning))
}
