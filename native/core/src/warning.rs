//! What hurts viewers and a person beside the encoder can cure: said once, with the cure.

use crate::counters::{DropReason, LegCounters};
use crate::leg::Leg;
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
    /// Viewers wait, or cannot join at all.
    NoKeyframe,
    /// What a program pushes is no H264.
    NotH264,
    /// Players were promised another profile.
    ProfileChanged,
    /// The audio leg carries AAC.
    NotOpus,
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
            Self::NoKeyframe => "no-keyframe",
            Self::NotH264 => "not-h264",
            Self::ProfileChanged => "profile-changed",
            Self::NotOpus => "not-opus",
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
            Self::NotOpus => {
                "the audio is AAC, not Opus, and is dropped; put -c:a libopus before the output of the audio leg: \
                 FFmpeg's codec options belong to the next output only"
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

/// What a video leg gives cause for. `began`: when it did, or came back.
pub fn of_video(leg: &Leg, began: Option<Time>, now: Time) -> impl Iterator<Item = Warning> {
    let (facts, counters) = (leg.facts(), leg.counters());
    let waiting_since = facts.keyframe.max(began);
    let no_keyframe = waiting_since.is_some_and(|since| now.since(since) >= KEYFRAME_PATIENCE);
    let no_sets = counters.count(DropReason::NoParameterSets) > 0;
    let (annex_b, hevc) = (leg.saw_annex_b(), leg.saw_hevc());
    [
        (Warning::BFrames, facts.bidirectional),
        (Warning::AnnexB, annex_b),
        (Warning::Hevc, hevc),
        (Warning::NoParameterSets, no_sets),
        (Warning::NotH264, facts.not_h264),
        (Warning::NoKeyframe, no_keyframe && !annex_b && !hevc && !no_sets),
        (Warning::ProfileChanged, facts.profile_changed),
    ]
    .into_iter()
    .filter_map(|(warning, seen)| seen.then_some(warning))
    .chain(of_any(counters))
}

/// What an audio leg gives cause for.
pub fn of_audio(leg: &Leg) -> impl Iterator<Item = Warning> {
    leg.facts().not_opus.then_some(Warning::NotOpus).into_iter().chain(of_any(leg.counters()))
}

fn of_any(counters: &LegCounters) -> impl Iterator<Item = Warning> {
    let several = counters.count(DropReason::OtherStream) >= OTHER_PACKETS;
    let loss = counters.count(DropReason::Lost) >= LOST_PACKETS;
    [(Warning::SeveralStreams, several), (Warning::Loss, loss)]
        .into_iter()
        .filter_map(|(warning, seen)| seen.then_some(warning))
}
