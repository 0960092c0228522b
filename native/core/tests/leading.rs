//! Frames that lead to a keyframe and refer to what came before it (RASL of H265): for those alone who have that.

#[path = "support/captures.rs"]
mod captures;
mod support;

use std::sync::Arc;
use std::time::Duration;

use captures::packets;
use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::frame::Frame;
use core_media::history::{History, Limits};
use core_media::rtp::RtpPacket;
use core_media::time::{Time, WallClock};
use core_media::track::{Outgoing, Track, TrackConfig};
use support::{Bench, FFMPEG};

/// Thirty frames, 13 a CRA picture with two RASL pictures behind it.
fn open_group() -> Vec<Arc<Frame>> {
    let (mut bench, mut last) = (Bench::of(Codec::H265, Codec::Opus), None);
    for packet in packets("h265-ffmpeg-open-gop") {
        let timestamp = RtpPacket::parse(&packet).expect("captures are valid").timestamp;
        if last.replace(timestamp) != Some(timestamp) {
            bench.pass(Duration::from_millis(66));
        }
        bench.from(FFMPEG, &packet);
    }
    bench.pass(Duration::from_secs(1));
    bench.frames()
}

fn track() -> Track {
    Track::new(TrackConfig {
        codec: Codec::H265,
        payload_type: 96,
        ssrc: 1,
        first_sequence: 0,
        timestamp_offset: 0,
        nack: true,
        retransmission: None,
        extensions: ExtensionIds::default(),
        burst: usize::MAX,
        wall: WallClock::new(Duration::from_secs(1_000)),
    })
}

/// The numbers of the frames of which a viewer gets packets, whose own numbers have no gap.
#[derive(Default)]
struct Seen {
    frames: Vec<u64>,
    next: Option<u64>,
}

impl Seen {
    fn take(&mut self, packet: &Outgoing<'_>) {
        assert!(self.next.is_none_or(|next| next == packet.sequence), "no number is left out");
        self.next = Some(packet.sequence + 1);
        if self.frames.last() != Some(&packet.frame.number) {
            self.frames.push(packet.frame.number);
        }
    }
}

#[test]
fn who_begins_at_an_open_group_gets_none_of_its_leading_frames_and_who_was_there_gets_all() {
    let frames = open_group();
    assert_eq!(frames.iter().filter(|frame| frame.leading).map(|frame| frame.number).collect::<Vec<_>>(), [14, 15]);
    let (mut faithful, mut live, mut late) = (Seen::default(), Seen::default(), Seen::default());
    let (mut first, mut waiting, mut joining) = (track(), track(), track());
    let mut history = History::new(Codec::H265.rate(), Limits::default());
    for frame in &frames {
        let now = frame.received;
        history.push(frame.clone());
        first.live(frame, now, &mut |packet| faithful.take(&packet));
        // One that waits for the next keyframe, and one that joins where the cache has one.
        if frame.number >= 10 {
            waiting.live(frame, now, &mut |packet| live.take(&packet));
        }
        if frame.number == 20 {
            joining.open(now, &history);
        }
        if frame.number >= 20 {
            joining.live(frame, now, &mut |packet| late.take(&packet));
            joining.poll(now, &history, &mut |packet| late.take(&packet));
        }
    }
    let mut now = Time::from_millis(10_000);
    while let Some(due) = joining.deadline() {
        now = now.max(due);
        joining.poll(now, &history, &mut |packet| late.take(&packet));
    }
    let without_leading: Vec<u64> = [13].into_iter().chain(16..30).collect();
    assert_eq!(faithful.frames, (0..30).collect::<Vec<_>>());
    assert_eq!(live.frames, without_leading);
    assert_eq!(late.frames, without_leading);
}
