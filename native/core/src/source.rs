//! A stream as it comes in: its legs, their common clock, and what becomes of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::StreamClock;
use crate::counters::{DropReason, LegCounters};
use crate::demux::{Demux, Line};
use crate::frame::{Frame, Kind};
use crate::leg::Leg;
use crate::media::{Facts, Format};
use crate::rtcp::{self, Rtcp};
use crate::rtp::{RtpPacket, is_rtcp};
use crate::time::{Ntp, Time, ticks};
use crate::warning::{self, Warning};

/// What a source has to say, besides frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The leg delivers.
    Active(Kind),
    /// The leg delivers no longer.
    Inactive(Kind, Ending),
    /// Something hurts viewers; said once.
    Warning(Warning),
}

/// Why a leg went quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The sender said so (RTCP BYE).
    Bye,
    /// Nothing came for the time given at the start.
    Silent,
}

/// Where frames and notices go.
#[derive(Debug, Default)]
pub struct Output {
    /// In the order they became whole.
    pub frames: Vec<Arc<Frame>>,
    /// In the order they happened.
    pub notices: Vec<Notice>,
    /// RTCP for the publisher.
    pub feedback: Vec<(Kind, Vec<u8>)>,
}

/// What a leg is made of.
#[derive(Clone, Debug)]
pub struct Input {
    /// What it carries; of a publisher, until one comes.
    pub format: Format,
    /// Where it counts.
    pub counters: Arc<LegCounters>,
}

/// The input side of one stream.
#[derive(Debug)]
pub struct Source {
    video: Option<Side>,
    audio: Option<Side>,
    clock: StreamClock,
    silence: Duration,
    /// Of the newest publisher.
    demux: Demux,
    /// A sender report that came before its stream's first packet.
    early_reports: Vec<EarlyReport>,
    warned: Vec<Warning>,
}

#[derive(Debug)]
struct Side {
    leg: Leg,
    active: bool,
    /// When it last became active.
    began: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct EarlyReport {
    ssrc: u32,
    ntp: Ntp,
    timestamp: u32,
}

/// Publishers' packets carry no address that matters: their peers are authenticated.
const PUBLISHER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// One per leg is needed; two more leave room for a stranger's.
const MAX_EARLY_REPORTS: usize = 4;

impl Source {
    /// A leg counts as inactive after `silence` without a packet, or longer where its frames are rare.
    pub fn new(video: Option<Input>, audio: Option<Input>, silence: Duration) -> Self {
        Self::with_legs(video, audio, silence, Leg::new)
    }

    /// The same for a publisher, who is told how its packets arrive. What it sends is known when it arrives.
    pub fn published(video: Option<Input>, audio: Option<Input>, silence: Duration) -> Self {
        Self::with_legs(video, audio, silence, Leg::published)
    }

    fn with_legs(
        video: Option<Input>,
        audio: Option<Input>,
        silence: Duration,
        leg: impl Fn(&Format, Arc<LegCounters>) -> Leg,
    ) -> Self {
        let side = |input: Input| Side { leg: leg(&input.format, input.counters), active: false, began: None };
        let rate = |input: &Option<Input>| input.as_ref().map_or(1, |input| input.format.codec.rate());
        Self {
            clock: StreamClock::new(rate(&video), rate(&audio)),
            video: video.map(side),
            audio: audio.map(side),
            silence,
            demux: Demux::default(),
            early_reports: Vec::new(),
            warned: Vec::new(),
        }
    }

    /// Is there such a leg, does it deliver, and what is known of its media.
    pub fn facts(&self, kind: Kind) -> Option<(bool, Facts)> {
        let side = match kind {
            Kind::Video => self.video.as_ref(),
            Kind::Audio => self.audio.as_ref(),
        };
        side.map(|side| (side.active, *side.leg.facts()))
    }

    /// Takes a datagram from a leg's RTP or RTCP port. RTCP finds its leg by SSRC, whichever port it came to.
    pub fn handle_datagram(&mut self, kind: Kind, datagram: &[u8], from: SocketAddr, now: Time, out: &mut Output) {
        if is_rtcp(datagram) {
            return self.handle_rtcp(kind, datagram, now, out);
        }
        let Self { clock, .. } = self;
        let side = match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        };
        let Some(side) = side else { return };
        let alive = side.leg.handle_rtp(datagram, from, now, &mut |frame, jumped| {
            emit(clock, frame, jumped, now, out);
        });
        if alive && !side.active {
            side.active = true;
            side.began = Some(now);
            out.notices.push(Notice::Active(kind));
        }
        if !self.early_reports.is_empty() {
            self.adopt_early_report(kind);
        }
        self.warn(now, out);
    }

    /// Takes a datagram of the publisher, whichever leg it is for.
    pub fn handle_published(&mut self, datagram: &[u8], now: Time, out: &mut Output) {
        let Some(first) = self.sides().next().map(|(kind, _)| kind) else { return };
        let leg = match RtpPacket::parse(datagram) {
            Ok(packet) => self.demux.leg(&packet),
            // RTCP, or refused by any leg.
            Err(_) => Some(first),
        };
        match leg {
            Some(kind) => self.handle_datagram(kind, datagram, PUBLISHER, now, out),
            None => self.sides().take(1).for_each(|(_, side)| side.leg.refuse(datagram)),
        }
    }

    /// Takes a whole frame from a program. `capture`: its time on any clock that both legs share.
    pub fn push(&mut self, kind: Kind, data: &[u8], capture: Duration, now: Time, out: &mut Output) {
        let Self { clock, .. } = self;
        let side = match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        };
        let Some(side) = side else { return };
        let wall = capture.as_nanos() as i128;
        let delivered =
            side.leg.push(data, ticks(capture, side.leg.codec().rate()) as u32, now, &mut |frame, jumped| {
                if jumped {
                    clock.restart(kind);
                }
                clock.capture(kind, wall, frame.timestamp);
                emit(clock, frame, false, now, out);
            });
        if delivered && !side.active {
            side.active = true;
            side.began = Some(now);
            out.notices.push(Notice::Active(kind));
        }
        self.warn(now, out);
    }

    /// When `poll` has something to do.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        let silence = |side: &Side| side.leg.silent_at(self.silence).filter(|_| side.active);
        self.sides().flat_map(|(_, side)| [side.leg.deadline(now), silence(side)]).flatten().min()
    }

    /// A viewer cannot go on without a keyframe: a publisher is asked for one, no other source can be.
    pub fn request_keyframe(&mut self) {
        if let Some(side) = &mut self.video {
            side.leg.request_keyframe();
        }
    }

    /// Another publisher is about to begin, whose media sections these are. Gives the legs that carry another codec from now
    /// on: they begin anew.
    pub fn arrive(&mut self, lines: Vec<Line>) -> Vec<Kind> {
        let mut changed = Vec::new();
        for (kind, side) in [(Kind::Video, &mut self.video), (Kind::Audio, &mut self.audio)] {
            let Some(side) = side else { continue };
            let line = lines.iter().find(|line| line.kind == kind);
            if let Some(format) =
                line.and_then(|line| line.format.clone()).filter(|format| format.codec != side.leg.codec())
            {
                self.clock.begin(kind, format.codec.rate());
                side.leg = Leg::published(&format, side.leg.share_counters());
                changed.push(kind);
            }
            side.leg.begin(line.and_then(|line| line.ssrc), line.is_some_and(|line| line.fir_only));
        }
        self.demux = Demux::new(lines);
        changed
    }

    /// The publisher left: its tracks end, and another may begin at once.
    pub fn depart(&mut self, now: Time, out: &mut Output) {
        for (kind, side) in [(Kind::Video, &mut self.video), (Kind::Audio, &mut self.audio)] {
            let Some(side) = side else { continue };
            side.leg.handle_bye(now);
            if std::mem::take(&mut side.active) {
                out.notices.push(Notice::Inactive(kind, Ending::Bye));
            }
        }
    }

    /// Gives up on late packets, notices silence, tells a publisher what it has to know.
    pub fn poll(&mut self, now: Time, out: &mut Output) {
        let Self { video, audio, clock, silence, .. } = self;
        for (kind, side) in [(Kind::Video, video), (Kind::Audio, audio)] {
            let Some(side) = side else { continue };
            side.leg.poll(now, &mut |frame, jumped| emit(clock, frame, jumped, now, out));
            let mut feedback = Vec::new();
            if side.leg.feedback(now, &mut feedback) {
                out.feedback.push((kind, feedback));
            }
            if side.active && side.leg.silent_at(*silence).is_some_and(|at| at <= now) {
                side.active = false;
                out.notices.push(Notice::Inactive(kind, Ending::Silent));
            }
        }
    }

    fn handle_rtcp(&mut self, port: Kind, datagram: &[u8], now: Time, out: &mut Output) {
        rtcp::parse(datagram, |report| match report {
            Rtcp::SenderReport { ssrc, ntp, timestamp } => {
                self.count_foreign(port, &[ssrc]);
                for side in [&mut self.video, &mut self.audio].into_iter().flatten() {
                    if side.leg.ssrc() == Some(ssrc) {
                        side.leg.handle_sender_report(ntp, now);
                    }
                }
                self.handle_report(EarlyReport { ssrc, ntp, timestamp });
            }
            Rtcp::Bye { ssrcs } => {
                self.count_foreign(port, &ssrcs);
                for (kind, side) in [(Kind::Video, &mut self.video), (Kind::Audio, &mut self.audio)] {
                    let Some(side) = side else { continue };
                    if side.leg.ssrc().is_some_and(|ssrc| ssrcs.contains(&ssrc)) {
                        side.leg.handle_bye(now);
                        if std::mem::take(&mut side.active) {
                            out.notices.push(Notice::Inactive(kind, Ending::Bye));
                        }
                    }
                }
            }
            _ => {}
        });
    }

    /// Counts what is said of streams that are none of ours. Before a leg's first packet nobody knows which is.
    fn count_foreign(&self, port: Kind, ssrcs: &[u32]) {
        let known = |(_, side): (Kind, &Side)| side.leg.ssrc();
        let ours = self.sides().filter_map(known).any(|ssrc| ssrcs.contains(&ssrc));
        let leg = self.sides().find(|(kind, side)| *kind == port && side.leg.ssrc().is_some());
        if let Some((_, side)) = leg.filter(|_| !ours) {
            side.leg.counters().dropped(DropReason::ForeignReport, 1);
        }
    }

    fn handle_report(&mut self, report: EarlyReport) {
        let owner = self.sides().find(|(_, side)| side.leg.ssrc() == Some(report.ssrc));
        match owner.map(|(kind, side)| (kind, side.leg.project(report.timestamp))) {
            Some((kind, Some(timestamp))) => self.clock.report(kind, report.ntp, timestamp),
            _ => {
                self.early_reports.retain(|early| early.ssrc != report.ssrc);
                self.early_reports.truncate(MAX_EARLY_REPORTS - 1);
                self.early_reports.insert(0, report);
            }
        }
    }

    /// FFmpeg sends its first report just before its first packet.
    fn adopt_early_report(&mut self, kind: Kind) {
        let ssrc = self.sides().find(|(other, _)| *other == kind).and_then(|(_, side)| side.leg.ssrc());
        if let Some(at) = self.early_reports.iter().position(|early| Some(early.ssrc) == ssrc) {
            let report = self.early_reports.remove(at);
            self.handle_report(report);
        }
    }

    fn warn(&mut self, now: Time, out: &mut Output) {
        let Self { video, audio, warned, .. } = self;
        let video = video.iter().flat_map(|side| warning::of_video(&side.leg, side.began, now));
        let audio = audio.iter().flat_map(|side| warning::of_audio(&side.leg));
        for warning in video.chain(audio) {
            if !warned.contains(&warning) {
                warned.push(warning);
                out.notices.push(Notice::Warning(warning));
            }
        }
    }

    fn sides(&self) -> impl Iterator<Item = (Kind, &Side)> {
        let video = self.video.as_ref().map(|side| (Kind::Video, side));
        let audio = self.audio.as_ref().map(|side| (Kind::Audio, side));
        video.into_iter().chain(audio)
    }
}

fn emit(clock: &mut StreamClock, mut frame: Frame, jumped: bool, now: Time, out: &mut Output) {
    if jumped {
        clock.restart(frame.kind());
    }
    clock.observe(frame.kind(), frame.timestamp, now);
    if let Some(point) = clock.point(frame.kind(), now) {
        frame.clock = point;
    }
    out.frames.push(Arc::new(frame));
}
