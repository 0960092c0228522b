//! A leg's packets in order, to frames: decodable, numbered without gaps, on one continuous clock.

use std::sync::Arc;

use crate::audio::Toc;
use crate::counters::{DropReason, LegCounters};
use crate::frame::{ClockPoint, Frame, Kind};
use crate::pace::Pace;
use crate::payloads::Payloads;
use crate::rtp::{MAX_SOUND, RtpPacket};
use crate::sound::{Codec, Sound};
use crate::sps::Sps;
use crate::time::Time;
use crate::timeline::Timeline;
use crate::video::{AccessUnit, Assembler};

/// Codec and output of one leg.
#[derive(Debug)]
pub struct Media {
    counters: Arc<LegCounters>,
    assembler: Assembler,
    output: Output,
}

/// What is known of a leg's media.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// The newest sequence parameter set.
    pub sps: Option<Sps>,
    /// B slices were seen.
    pub bidirectional: bool,
    /// Mean ticks from frame to frame, smoothed.
    pub frame_ticks: Option<f64>,
    /// When the newest IDR picture came.
    pub keyframe: Option<Time>,
    /// From the last IDR picture but one to the last: frames and ticks.
    pub gop: Option<(u64, u64)>,
    /// Channels of the newest Opus packet.
    pub channels: Option<u8>,
    /// A program pushed what is neither Annex B nor AVCC.
    pub not_h264: bool,
    /// The sound is something else than Opus.
    pub not_opus: Option<Codec>,
    /// The time stamps do not run as fast as time does.
    pub wrong_pace: bool,
    /// The parameter set changed while the stream went on.
    pub sps_changes: u32,
    /// Its profile did, which players that have joined cannot follow.
    pub profile_changed: bool,
    /// Opus packets that did not begin where the one before ended, but for those that end a silence.
    pub timestamp_breaks: u64,
}

impl Media {
    /// No frame yet.
    pub fn new(kind: Kind, counters: Arc<LegCounters>) -> Self {
        Self { counters, assembler: Assembler::default(), output: Output::new(kind) }
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        &self.output.facts
    }

    /// Payloads with Annex B start codes came.
    pub fn saw_annex_b(&self) -> bool {
        self.assembler.saw_annex_b()
    }

    /// H265 comes instead of H264.
    pub fn saw_hevc(&self) -> bool {
        self.assembler.saw_hevc()
    }

    /// Ticks per second.
    pub fn rate(&self) -> u32 {
        self.output.kind.rate()
    }

    /// Only a keyframe lets frames come out again.
    pub fn needs_keyframe(&self) -> bool {
        self.output.kind == Kind::Video && !self.assembler.unbroken()
    }

    /// The outgoing media time of one of the source's time stamps.
    pub fn project(&self, timestamp: u32) -> Option<u64> {
        self.output.timeline.project(timestamp)
    }

    /// The next packet in order.
    pub fn packet(&mut self, packet: &RtpPacket<'_>, now: Time, out: &mut impl FnMut(Frame, bool)) {
        let Self { counters, assembler, output } = self;
        output.facts.wrong_pace |= output.pace.observe(packet.timestamp, output.kind.rate(), now);
        match output.kind {
            Kind::Video => assembler.push(packet.payload, packet.timestamp, packet.marker, counters, &mut |unit| {
                output.picture(unit, now, out);
            }),
            // Nothing but padding (RFC 3550 §5.1).
            Kind::Audio if packet.payload.is_empty() => {}
            Kind::Audio => {
                let payload_type = Some(packet.payload_type);
                output.sound(packet.payload, payload_type, packet.timestamp, counters, now, out);
            }
        }
    }

    /// A whole frame: an access unit, as Annex B or AVCC, or an Opus packet.
    pub fn push(&mut self, data: &[u8], timestamp: u32, now: Time, out: &mut impl FnMut(Frame, bool)) {
        let Self { counters, assembler, output } = self;
        match output.kind {
            Kind::Video => {
                let valid = assembler.push_access_unit(data, timestamp, counters, &mut |unit| {
                    output.picture(unit, now, out);
                });
                output.facts.not_h264 |= !valid;
            }
            Kind::Audio => output.sound(data, None, timestamp, counters, now, out),
        }
    }

    /// This many packets are missing.
    pub fn lost(&mut self, count: u64) {
        self.counters.dropped(DropReason::Lost, count);
        self.assembler.lost();
    }

    /// The source begins anew.
    pub fn restart(&mut self) {
        self.assembler.restart();
        self.output.timeline.restart();
        self.output.last = None;
        self.output.last_keyframe = None;
        self.output.sound = Sound::default();
        self.output.next_sound = None;
        self.output.pace = Pace::default();
    }
}

/// Numbers frames and watches them go by.
#[derive(Debug)]
struct Output {
    kind: Kind,
    timeline: Timeline,
    next_frame: u64,
    next_packet: u64,
    facts: Facts,
    /// The highest media time so far.
    last: Option<u64>,
    /// Number and media time of the newest IDR picture.
    last_keyframe: Option<(u64, u64)>,
    sound: Sound,
    /// Where the next Opus packet begins if nothing is missing.
    next_sound: Option<u64>,
    pace: Pace,
}

/// A time stamp that differs by less from what the packets' durations say is jitter. 20 ms.
const SOUND_JITTER: u64 = 960;

impl Output {
    fn new(kind: Kind) -> Self {
        let timeline = Timeline::new(kind.rate());
        let facts = Facts::default();
        Self {
            kind,
            timeline,
            next_frame: 0,
            next_packet: 0,
            facts,
            last: None,
            last_keyframe: None,
            sound: Sound::default(),
            next_sound: None,
            pace: Pace::default(),
        }
    }

    fn picture(&mut self, unit: AccessUnit, now: Time, out: &mut impl FnMut(Frame, bool)) {
        if let (Some(before), Some(after)) = (self.facts.sps, unit.sps)
            && before != after
        {
            self.facts.sps_changes += 1;
            // profile_idc and its constraints; the level may change at will.
            self.facts.profile_changed |= before.profile_level_id[..2] != after.profile_level_id[..2];
        }
        self.facts.sps = unit.sps;
        self.facts.bidirectional |= unit.bidirectional;
        let (timestamp, jumped) = self.timeline.map(unit.timestamp, now);
        // Two pictures under one time stamp would be one to a receiver (RFC 6184 §5.1).
        let timestamp = if self.last == Some(timestamp) { timestamp + 1 } else { timestamp };
        let number = self.frame(timestamp, jumped, unit.keyframe, unit.payloads, now, out);
        if unit.keyframe {
            self.facts.keyframe = Some(now);
            let before = self.last_keyframe.replace((number, timestamp));
            self.facts.gop = before.map(|(first, since)| (number - first, timestamp.saturating_sub(since)));
        }
    }

    fn sound(
        &mut self,
        packet: &[u8],
        payload_type: Option<u8>,
        timestamp: u32,
        counters: &LegCounters,
        now: Time,
        out: &mut impl FnMut(Frame, bool),
    ) {
        let toc = Toc::parse(packet);
        let after_silence = self.sound.is_silent();
        self.facts.not_opus = self.sound.examine(packet, toc, timestamp, payload_type);
        if self.facts.not_opus.is_some() {
            return counters.dropped(DropReason::NotOpus, 1);
        }
        let Some(toc) = toc else {
            return counters.dropped(DropReason::Malformed, 1);
        };
        if packet.len() > MAX_SOUND {
            return counters.dropped(DropReason::Oversized, 1);
        }
        self.facts.channels = Some(toc.channels);
        let (natural, jumped) = self.timeline.map(timestamp, now);
        // Browsers hear jitter of time stamps; packets that follow each other take theirs from the one before.
        let expected = self.next_sound.filter(|_| !jumped);
        let continued = expected.filter(|next| next.abs_diff(natural) <= SOUND_JITTER);
        let breaks = expected.is_some_and(|next| !(after_silence && natural > next)) && continued.is_none();
        self.facts.timestamp_breaks += u64::from(breaks);
        let timestamp = continued.unwrap_or(natural);
        self.next_sound = Some(timestamp + u64::from(toc.duration));
        let mut payloads = Payloads::with_capacity(packet.len());
        payloads.push(packet);
        self.frame(timestamp, jumped, true, payloads, now, out);
    }

    /// Gives the frame's number.
    fn frame(
        &mut self,
        timestamp: u64,
        jumped: bool,
        keyframe: bool,
        payloads: Payloads,
        now: Time,
        out: &mut impl FnMut(Frame, bool),
    ) -> u64 {
        // A program may push two frames within a tick; players would take them for one. B-frames go back by more than 1 ms.
        let millisecond = u64::from(self.kind.rate() / 1_000);
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
            kind: self.kind,
            number: self.next_frame,
            first_packet: self.next_packet,
            timestamp,
            keyframe,
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
