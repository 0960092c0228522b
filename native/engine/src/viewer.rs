//! A viewer as its shard knows it: what of its stream it gets, and how that is put together.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use core_media::frame::{Frame, Kind};
use core_media::rtcp;
use core_media::time::Time;
use core_media::track::{Outcome, Track};
use rtc::{Burst, TrackId};

use crate::event::{EndReason, Events};
use crate::path::MediaPath;
use crate::session::{Report, SessionState};
use crate::snapshot::Histograms;
use crate::stream::{LegState, Stream};

/// Names a viewer within one engine; never used twice.
pub type ViewerKey = u64;

/// A viewer as its shard knows it.
#[derive(Debug)]
pub struct ShardViewer {
    pub key: ViewerKey,
    pub stream: Arc<Stream>,
    pub state: Arc<SessionState>,
    pub cname: String,
    pub tracks: Vec<ShardTrack>,
    path: MediaPath,
    /// Its shard looks after it: it does not follow live, or repairs wait.
    pub behind: bool,
    /// The newest RTCP packet, and how many copies of it are still to come.
    heard: (Vec<u8>, usize),
}

/// One of its m-lines.
#[derive(Debug)]
pub struct ShardTrack {
    pub id: TrackId,
    pub track: Track,
    /// Packets can be sent.
    pub open: bool,
}

/// What was sent, to be added to the counters once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub packets: u64,
    bytes: u64,
    /// Of those, packets that were sent before.
    again: u64,
}

impl Tally {
    pub fn add(&mut self, bytes: usize, again: bool) {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.again += u64::from(again);
    }
}

impl ShardViewer {
    pub fn new(
        key: ViewerKey,
        stream: Arc<Stream>,
        state: Arc<SessionState>,
        cname: String,
        tracks: Vec<ShardTrack>,
    ) -> Self {
        let (path, heard) = Default::default();
        Self { key, stream, state, cname, tracks, path, behind: false, heard }
    }

    /// An RTCP packet is a copy of the last, which has been acted upon. The library hands a compound packet out once for
    /// each of our SSRCs that it names, those of repairs included. Acting for one track alone would miss what names the
    /// other, and acting for each track on what names it would count twice what names both SSRCs of a track.
    pub fn has_heard(&mut self, packet: &[u8]) -> bool {
        let (last, copies) = &mut self.heard;
        let copy = *copies > 0 && last == packet;
        if copy {
            *copies -= 1;
        }
        copy
    }

    /// Takes note of an RTCP packet and of how many copies are to follow.
    pub fn hear(&mut self, packet: Vec<u8>) {
        let streams = self.tracks.iter().flat_map(|ShardTrack { track, .. }| [Some(track.ssrc()), track.repair_ssrc()]);
        let named = streams.flatten().filter(|ssrc| rtcp::names(&packet, *ssrc)).count();
        // Where there is one track alone, the library does not look.
        let copies = if self.tracks.len() == 1 { 0 } else { named.saturating_sub(1) };
        self.heard = (packet, copies);
    }

    /// Ends the session when the stream carries another codec than its answer says.
    pub fn end_if_void(&self, events: &Events) {
        let is_void = |ShardTrack { track, .. }: &ShardTrack| {
            self.stream.leg(track.kind()).is_some_and(|leg| leg.codec() != track.codec())
        };
        if self.tracks.iter().any(is_void) {
            self.state.end(EndReason::CodecChanged, events);
        }
    }

    /// True when its shard has to look after it from now on.
    pub fn falls_behind(&mut self) -> bool {
        let now = !self.behind && self.deadline().is_some();
        self.behind |= now;
        now
    }

    pub fn open(&mut self, track: usize, now: Time) {
        let Some(ShardTrack { track, open, .. }) = self.tracks.get_mut(track) else { return };
        *open = true;
        if let Some(leg) = self.stream.leg(track.kind())
            && !track.open(now, leg)
        {
            self.stream.request_keyframe();
        }
    }

    /// `None`: the viewer has no such track, or it cannot send yet.
    pub fn live(
        &mut self,
        frame: &Frame,
        burst: &mut Burst,
        scratch: &mut Scratch,
        now: Time,
        tally: &mut Tally,
    ) -> Option<Outcome> {
        if self.state.ended() {
            return None;
        }
        self.read_reports(now);
        let Self { tracks, path, .. } = self;
        let mut tracks = tracks.iter_mut();
        let ShardTrack { id, track, .. } = tracks.find(|track| track.open && track.track.kind() == frame.kind())?;
        let before = *tally;
        path.prepare(*id, track.ssrc(), now, burst);
        let outcome = track.live(frame, now, &mut |packet| {
            tally.add(packet.size(), false);
            path.send(*id, &packet, burst, &mut scratch.packet);
        });
        if track.report(now, &self.cname, &mut scratch.report) {
            burst.send(*id, &scratch.report);
        }
        self.state.carried(tally.packets - before.packets, tally.bytes - before.bytes);
        Some(outcome)
    }

    pub fn deadline(&self) -> Option<Time> {
        self.tracks.iter().filter(|track| track.open).filter_map(|track| track.track.deadline()).min()
    }

    pub fn poll(&mut self, now: Time, burst: &mut Burst, scratch: &mut Scratch) {
        if self.state.ended() {
            self.tracks.iter_mut().for_each(|track| track.open = false);
            return;
        }
        self.read_reports(now);
        for ShardTrack { id, track, .. } in self.tracks.iter_mut().filter(|track| track.open) {
            let Some(leg) = self.stream.leg(track.kind()) else { continue };
            let mut tally = Tally::default();
            self.path.prepare(*id, track.ssrc(), now, burst);
            track.poll(now, leg, &mut |packet| {
                tally.add(packet.size(), packet.again);
                self.path.send(*id, &packet, burst, &mut scratch.packet);
            });
            if track.report(now, &self.cname, &mut scratch.report) {
                burst.send(*id, &scratch.report);
            }
            leg.count(tally);
            self.stream.retransmissions.fetch_add(tally.again, Relaxed);
            self.state.carried(tally.packets, tally.bytes);
            self.state.retransmissions.fetch_add(tally.again, Relaxed);
        }
    }

    /// Takes note of what the viewer has reported.
    pub fn read_reports(&mut self, now: Time) {
        let Self { state, tracks, .. } = self;
        state.take_reports(|Report { reception, round_trip, .. }| {
            if let Some(ShardTrack { track, .. }) = tracks.iter_mut().find(|track| track.track.ssrc() == reception.ssrc)
            {
                track.reception(reception, *round_trip, now);
            }
        });
    }

    pub fn repair(&mut self, ssrc: u32, sequences: &[u16], now: Time, burst: &mut Burst, scratch: &mut Scratch) {
        self.stream.nacks.fetch_add(1, Relaxed);
        let round_trip = self.state.round_trip();
        let Self { stream, tracks, path, .. } = self;
        let Some((ShardTrack { id, track, .. }, leg)) = find(tracks, stream, ssrc) else { return };
        let mut tally = Tally::default();
        path.prepare(*id, ssrc, now, burst);
        track.nack(sequences, round_trip, now, leg, &mut |packet| {
            tally.add(packet.size(), packet.again);
            path.send(*id, &packet, burst, &mut scratch.packet);
        });
        leg.count(tally);
        stream.retransmissions.fetch_add(tally.again, Relaxed);
        self.state.carried(tally.packets, tally.bytes);
        self.state.retransmissions.fetch_add(tally.again, Relaxed);
    }

    pub fn refresh(&mut self, ssrc: u32, now: Time) {
        self.stream.keyframe_requests.fetch_add(1, Relaxed);
        if let Some((track, leg)) = self.track(ssrc)
            && !track.track.refresh(now, leg)
        {
            self.stream.request_keyframe();
        }
    }

    /// The open track with this SSRC, and the leg it carries.
    fn track(&mut self, ssrc: u32) -> Option<(&mut ShardTrack, &LegState)> {
        find(&mut self.tracks, &self.stream, ssrc)
    }

    /// Notes the first packet of the leg that a viewer waits for: video, where there is one.
    pub fn note_start(&self, kind: Kind, now: Time, histograms: &Histograms) {
        if self.state.playing() {
            return;
        }
        let track = |kind| self.tracks.iter().find(|track: &&ShardTrack| track.track.kind() == kind);
        let awaited = track(Kind::Video).or(track(Kind::Audio));
        if awaited.is_some_and(|track| track.track.kind() == kind && track.track.started()) {
            self.state.start(kind, now, histograms);
        }
    }
}

fn find<'a>(tracks: &'a mut [ShardTrack], stream: &'a Stream, ssrc: u32) -> Option<(&'a mut ShardTrack, &'a LegState)> {
    let track = tracks.iter_mut().find(|track| track.open && track.track.ssrc() == ssrc)?;
    let leg = stream.leg(track.track.kind())?;
    Some((track, leg))
}

impl LegState {
    pub fn count(&self, tally: Tally) {
        self.output.packets.fetch_add(tally.packets, Relaxed);
        self.output.bytes.fetch_add(tally.bytes, Relaxed);
    }
}

/// Room to put packets together, used again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    packet: Vec<u8>,
    report: Vec<u8>,
}
