//! A leg's packets in order, to frames: decodable, numbered without gaps, on one continuous clock.

use std::sync::Arc;

use crate::codec::other::Other;
use crate::codec::parameters::Parameters;
use crate::codec::{AudioCodec, AudioPacket, Codec, Misfit, Reader};
use crate::counters::{DropReason, LegCounters};
use crate::frame::{ClockPoint, Frame};
use crate::pace::Pace;
use crate::payloads::Payloads;
use crate::rtp::{MAX_SOUND, RtpPacket};
use crate::time::Time;
use crate::timeline::Timeline;
use crate::video::{Assembler, VideoFrame};

/// Codec and output of one leg.
#[derive(Debug)]
pub struct Media {
    counters: Arc<LegCounters>,
    input: Input,
    output: Output,
}

#[derive(Debug)]
enum Input {
    Video(Assembler),
    Audio(Box<dyn AudioCodec>),
}

/// What a leg carries, as far as its packets do not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// How its packets are read.
    pub codec: Codec,
    /// Others are dropped; absent: that of the first packet counts.
    pub payload_type: Option<u8>,
    /// Absent: the packets say it.
    pub channels: Option<u8>,
    /// Parameter sets that need not come in the stream, a NAL unit each.
    pub sets: Vec<Vec<u8>>,
}

impl Format {
    /// With so many channels, where SDP says it.
    pub fn of(codec: Codec, channels: Option<u8>) -> Self {
        Self { codec, payload_type: None, channels, sets: Vec::new() }
    }
}

impl From<Codec> for Format {
    fn from(codec: Codec) -> Self {
        Self::of(codec, None)
    }
}

/// What is known of a leg's media.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// What it carries.
    pub codec: Codec,
    /// What the newest keyframe or parameter set says of the video.
    pub parameters: Option<Parameters>,
    /// Frames came that may be shown later than those that follow them.
    pub reordered: bool,
    /// Mean ticks from frame to frame, smoothed.
    pub frame_ticks: Option<f64>,
    /// When the newest keyframe came.
    pub keyframe: Option<Time>,
    /// From the last keyframe but one to the last: frames and ticks.
    pub gop: Option<(u64, u64)>,
    /// Channels of the newest packet of audio.
    pub channels: Option<u8>,
    /// A program pushed what is no frame of the leg's codec.
    pub not_a_frame: bool,
    /// The audio is something else.
    pub other: Option<Other>,
    /// The time stamps do not run as fast as time does.
    pub wrong_pace: bool,
    /// The parameters changed while the stream went on.
    pub parameter_changes: u32,
    /// The profile did, which players that have joined cannot follow.
    pub profile_changed: bool,
    /// Packets of audio that did not begin where the one before ended, but for those that end a silence.
    pub timestamp_breaks: u64,
}

impl Facts {
    /// Nothing has come yet.
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            parameters: None,
            reordered: false,
            frame_ticks: None,
            keyframe: None,
            gop: None,
            channels: None,
            not_a_frame: false,
            other: None,
            wrong_pace: false,
            parameter_changes: 0,
            profile_changed: false,
            timestamp_breaks: 0,
        }
    }
}

impl Media {
    /// No frame yet.
    pub fn new(format: &Format, counters: Arc<LegCounters>) -> Self {
        let Format { codec, channels, sets, .. } = format;
        let input = match codec.reader(*channels) {
            Reader::Video(mut video) => {
                sets.iter().for_each(|set| _ = video.adopt(set));
                Input::Video(Assembler::new(video))
            }
            Reader::Audio(audio) => Input::Audio(audio),
        };
        Self { counters, input, output: Output::new(*codec) }
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        &self.output.facts
    }

    /// Signs that the sender of video speaks another format.
    pub fn misfit(&self) -> Misfit {
        match &self.input {
            Input::Video(assembler) => assembler.misfit(),
            Input::Audio(_) => Misfit::default(),
        }
    }

    /// What the leg carries.
    pub fn codec(&self) -> Codec {
        self.output.facts.codec
    }

    /// Only a keyframe lets frames come out again.
    pub fn needs_keyframe(&self) -> bool {
        matches!(&self.input, Input::Video(assembler) if !assembler.unbroken())
    }

    /// The outgoing media time of one of the source's time stamps.
    pub fn project(&self, timestamp: u32) -> Option<u64> {
        self.output.timeline.project(timestamp)
    }

    /// The next packet in order.
    pub fn packet(&mut self, packet: &RtpPacket<'_>, now: Time, out: &mut impl FnMut(Frame, bool)) {
        let Self { counters, input, output } = self;
        output.facts.wrong_pace |= output.pace.observe(packet.timestamp, output.facts.codec.rate(), now);
        match input {
            Input::Video(assembler) => {
                assembler.push(packet.payload, packet.timestamp, packet.marker, counters, &mut |frame| {
                    output.video(frame, now, out);
                });
            }
            // Nothing but padding (RFC 3550 §5.1).
            Input::Audio(_) if packet.payload.is_empty() => {}
            Input::Audio(audio) => {
                let RtpPacket { payload, payload_type, timestamp, .. } = *packet;
                let found = examine(audio.as_mut(), payload, timestamp, Some(payload_type), counters);
                output.audio(found, payload, timestamp, now, out);
                output.facts.other = audio.misfit();
            }
        }
    }

    /// A whole frame: of video as encoders give it, or a packet of audio.
    pub fn push(&mut self, data: &[u8], timestamp: u32, now: Time, out: &mut impl FnMut(Frame, bool)) {
        let Self { counters, input, output } = self;
        match input {
            Input::Video(assembler) => {
                let valid = assembler.push_frame(data, timestamp, counters, &mut |frame| output.video(frame, now, out));
                output.facts.not_a_frame |= !valid;
            }
            Input::Audio(_) if data.is_empty() => counters.dropped(DropReason::Malformed, 1),
            Input::Audio(audio) => {
                let found = examine(audio.as_mut(), data, timestamp, None, counters);
                output.audio(found, data, timestamp, now, out);
                output.facts.other = audio.misfit();
            }
        }
    }

    /// This many packets are missing.
    pub fn lost(&mut self, count: u64) {
        self.counters.dropped(DropReason::Lost, count);
        if let Input::Video(assembler) = &mut self.input {
            assembler.lost();
        }
    }

    /// The source begins anew.
    pub fn restart(&mut self) {
        match &mut self.input {
            Input::Video(assembler) => assembler.restart(),
            Input::Audio(audio) => audio.restart(),
        }
        self.output.restart();
    }
}

/// What a packet of audio is; `None` of one that is dropped, which is counted.
fn examine(
    audio: &mut dyn AudioCodec,
    packet: &[u8],
    timestamp: u32,
    payload_type: Option<u8>,
    counters: &LegCounters,
) -> Option<AudioPacket> {
    let examined = audio.examine(packet, timestamp, payload_type);
    let fits = packet.len() <= MAX_SOUND || audio.is_divisible();
    let examined = examined.and_then(|found| if fits { Ok(found) } else { Err(DropReason::Oversized) });
    examined.inspect_err(|reason| counters.dropped(*reason, 1)).ok()
}

/// Numbers frames and watches them go by.
#[derive(Debug)]
struct Output {
    timeline: Timeline,
    next_frame: u64,
    next_packet: u64,
    facts: Facts,
    /// The highest media time so far.
    last: Option<u64>,
    /// Number and media time of the newest keyframe of video.
    last_keyframe: Option<(u64, u64)>,
    /// Where the next packet of audio begins if nothing is missing.
    next_audio: Option<u64>,
    pace: Pace,
}

/// A time stamp of audio that differs by less from what the packets' durations say is jitter: 20 ms, as a part of a second.
const AUDIO_JITTER: u32 = 50;

impl Output {
    fn new(codec: Codec) -> Self {
        Self {
            timeline: Timeline::new(codec.rate()),
            next_frame: 0,
            next_packet: 0,
            facts: Facts::new(codec),
            last: None,
            last_keyframe: None,
            next_audio: None,
            pace: Pace::default(),
        }
    }

    fn restart(&mut self) {
        self.timeline.restart();
        self.last = None;
        self.last_keyframe = None;
        self.next_audio = None;
        self.pace = Pace::default();
    }

    fn video(&mut self, frame: VideoFrame, now: Time, out: &mut impl FnMut(Frame, bool)) {
        let VideoFrame { timestamp, keyframe, leading, reordered, parameters, payloads } = frame;
        if let (Some(before), Some(after)) = (self.facts.parameters, parameters)
            && before != after
        {
            self.facts.parameter_changes += 1;
            self.facts.profile_changed |= !before.profile.is_kin(after.profile);
        }
        self.facts.parameters = parameters;
        self.facts.reordered |= reordered;
        let (timestamp, jumped) = self.timeline.map(timestamp, now);
        // Two frames under one time stamp would be one to a receiver (RFC 6184 §5.1).
        let timestamp = if self.last == Some(timestamp) { timestamp + 1 } else { timestamp };
        let number = self.frame(Timed { timestamp, jumped, now }, keyframe, leading, payloads, out);
        if keyframe {
            self.facts.keyframe = Some(now);
            let before = self.last_keyframe.replace((number, timestamp));
            self.facts.gop = before.map(|(first, since)| (number - first, timestamp.saturating_sub(since)));
        }
    }

    fn audio(
        &mut self,
        audio: Option<AudioPacket>,
        packet: &[u8],
        timestamp: u32,
        now: Time,
        out: &mut impl FnMut(Frame, bool),
    ) {
        let Some(audio) = audio else { return };
        self.facts.channels = Some(audio.channels);
        let (natural, jumped) = self.timeline.map(timestamp, now);
        // Browsers hear jitter of time stamps; packets that follow each other take theirs from the one before.
        let expected = self.next_audio.filter(|_| !jumped);
        let jitter = u64::from(self.facts.codec.rate() / AUDIO_JITTER);
        let continued = expected.filter(|next| next.abs_diff(natural) <= jitter);
        let breaks = expected.is_some_and(|next| !(audio.after_silence && natural > next)) && continued.is_none();
        self.facts.timestamp_breaks += u64::from(breaks);
        let timestamp = continued.unwrap_or(natural);
        self.next_audio = Some(timestamp + u64::from(audio.duration));
        let pieces = packet.len().div_ceil(MAX_SOUND);
        let size = packet.len().div_ceil(pieces);
        for (index, piece) in packet.chunks(size).enumerate() {
            let mut payloads = Payloads::with_capacity(piece.len());
            payloads.push(piece);
            let timed = Timed { timestamp: timestamp + (index * size) as u64, jumped: jumped && index == 0, now };
            self.frame(timed, true, false, payloads, out);
        }
    }

    /// Gives the frame's number.
    fn frame(
        &mut self,
        Timed { timestamp, jumped, now }: Timed,
        keyframe: bool,
        leading: bool,
        payloads: Payloads,
        out: &mut impl FnMut(Frame, bool),
    ) -> u64 {
        // A program may push two frames within a tick; players would take them for one. B-frames go back by more than 1 ms.
        let millisecond = u64::from(self.facts.codec.rate() / 1_000);
        let same = self.last.filter(|last| last.checked_sub(timestamp).is_some_and(|back| back < millisecond));
        let timestamp = same.map_or(timestamp, |last| last + 1);
        // Frames that are shown before others that came before them add nothing to the time.
        let advance = self.last.map(|last| timestamp.saturating_sub(last));
        self.last = self.last.max(Some(timestamp));
        if let Some(advance) = advance.filter(|_| !jumped) {
            let mean = self.facts.frame_ticks.get_or_insert(advance as f64);
            *mean += (advance as f64 - *mean) / 16.0;
        }
        let frame = Frame {
            codec: self.facts.codec,
            number: self.next_frame,
            first_packet: self.next_packet,
            timestamp,
            keyframe,
            leading,
            received: now,
            clock: ClockPoint { time: now, timestamp },
            payloads,
        };
        self.next_frame += 1;
        self.next_packet += frame.payloads.len() as u64;
        let number = frame.number;
        out(frame, jumped);
        number
    }
}

/// When a frame is.
#[derive(Clone, Copy, Debug)]
struct Timed {
    /// Media time.
    timestamp: u64,
    /// The source's clock had jumped.
    jumped: bool,
    now: Time,
}
