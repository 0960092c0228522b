//! Picture and sound in step: a viewer relates both by the sender reports it gets (RFC 3550 §6.4.1).

mod support;

use std::time::Duration;

use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::rtcp::{Rtcp, SenderReport, parse};
use core_media::rtp::write_header;
use core_media::time::{Ntp, Time, WallClock};
use core_media::track::{Track, TrackConfig};
use support::{Bench, Encoder, Random};

/// FFmpeg: both legs begin at random time stamps, and each tells by reports when its media was captured.
struct Ffmpeg {
    encoder: Encoder,
    audio_ssrc: u32,
    audio_stamp: u32,
    audio_sequence: u16,
    started: Time,
    frames: u32,
    packets: u32,
}

/// The picture takes this much longer through the encoder than the sound.
const PICTURE_DELAY: Duration = Duration::from_millis(150);

impl Ffmpeg {
    fn start(seed: u64, now: Time, bench: &mut Bench) -> Self {
        let mut random = Random::new(seed);
        let mut encoder = Encoder::new(seed);
        encoder.timestamp = random.next() as u32;
        let audio = random.next() as u32;
        let ffmpeg = Self {
            encoder,
            audio_ssrc: random.next() as u32,
            audio_stamp: audio,
            audio_sequence: random.next() as u16,
            started: now,
            frames: 0,
            packets: 0,
        };
        let report = |ssrc, timestamp| {
            let ntp = wall(seed).ntp(now);
            let mut bytes = Vec::new();
            SenderReport { ssrc, ntp, timestamp, packets: 0, octets: 0, cname: "ffmpeg" }.write(&mut bytes);
            bytes
        };
        bench.video(&report(ffmpeg.encoder.ssrc, ffmpeg.encoder.timestamp));
        bench.audio(&report(ffmpeg.audio_ssrc, audio));
        ffmpeg
    }

    /// Sends what is due.
    fn run(&mut self, bench: &mut Bench) {
        let now = bench.now;
        while self.started + PICTURE_DELAY + Duration::from_micros(33_333) * self.frames <= now {
            let unit = self.encoder.next_unit();
            self.encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
            self.frames += 1;
        }
        while self.started + Duration::from_millis(20) * self.packets <= now {
            let stamp = self.audio_stamp.wrapping_add(self.packets * 960);
            let sequence = self.audio_sequence.wrapping_add(self.packets as u16);
            let mut datagram = write_header(false, 97, sequence, stamp, self.audio_ssrc).to_vec();
            datagram.extend_from_slice(&[0xfc, 1, 2, 3]);
            bench.audio(&datagram);
            self.packets += 1;
        }
    }
}

/// Each encoder runs on a machine whose clock has another error.
fn wall(seed: u64) -> WallClock {
    WallClock::new(Duration::from_secs(1_700_000_000 + seed * 77))
}

/// One leg as the viewer gets it: the newest report, and the newest packet's time stamp.
struct Heard {
    track: Track,
    report: Option<(Ntp, u32)>,
    newest: Option<u32>,
}

impl Heard {
    fn new(codec: Codec) -> Self {
        let (burst, wall) = (usize::MAX, WallClock::new(Duration::from_secs(1_600_000_000)));
        let extensions = ExtensionIds::default();
        let (payload_type, ssrc, first_sequence, timestamp_offset) = (96, 1, 0, 0x1234_5678);
        let (nack, retransmission) = (true, None);
        let config = TrackConfig {
            codec,
            payload_type,
            ssrc,
            first_sequence,
            timestamp_offset,
            nack,
            retransmission,
            extensions,
            burst,
            wall,
        };
        Self { track: Track::new(config), report: None, newest: None }
    }

    /// When the newest packet was captured, by the viewer's reports. Nanoseconds.
    fn captured(&self) -> i128 {
        let ((ntp, stamp), newest) = (self.report.expect("a report came"), self.newest.expect("a packet came"));
        let ticks = i128::from(newest.wrapping_sub(stamp) as i32);
        ntp.nanos() + ticks * 1_000_000_000 / i128::from(self.track.codec().rate())
    }
}

/// Plays for a time; every report and packet reaches the viewer.
fn play(ffmpeg: &mut Ffmpeg, bench: &mut Bench, legs: &mut [Heard; 2], millis: u64) {
    for _ in 0..millis {
        ffmpeg.run(bench);
        for frame in bench.frames() {
            let Some(leg) = legs.iter_mut().find(|leg| leg.track.kind() == frame.kind()) else { continue };
            let newest = &mut leg.newest;
            leg.track.live(&frame, bench.now, &mut |packet| {
                *newest = Some(u32::from_be_bytes(packet.header[4..8].try_into().expect("four bytes")));
            });
            let mut bytes = Vec::new();
            if leg.track.report(bench.now, "viewer", &mut bytes) {
                parse(&bytes, |rtcp| {
                    if let Rtcp::SenderReport { ntp, timestamp, .. } = rtcp {
                        leg.report = Some((ntp, timestamp));
                    }
                });
            }
        }
        bench.pass(Duration::from_millis(1));
    }
}

#[test]
fn reports_to_the_viewer_relate_both_legs_as_the_sources_reports_do_after_restarts_too() {
    let mut bench = Bench::new();
    let mut legs = [Heard::new(Codec::H264), Heard::new(Codec::Opus)];
    for seed in 1..6 {
        let mut ffmpeg = Ffmpeg::start(seed, bench.now, &mut bench);
        play(&mut ffmpeg, &mut bench, &mut legs, 3_000);
        let [video, audio] = &legs;
        // The newest frame was captured so much after the newest packet of sound, by FFmpeg's own clock.
        let picture = Duration::from_micros(33_333) * (ffmpeg.frames - 1);
        let sound = Duration::from_millis(20) * (ffmpeg.packets - 1);
        let expected = picture.as_nanos() as i128 - sound.as_nanos() as i128;
        let error = video.captured() - audio.captured() - expected;
        assert!(error.abs() < 2_000_000, "run {seed}: out of step by {error} ns");
        bench.pass(Duration::from_millis(500 * seed));
    }
}

#[test]
fn reports_of_a_source_without_a_clock_change_nothing() {
    for (said, first) in [(vec![0], false), (vec![77], false), (vec![0], true), (vec![1_000, 0], false)] {
        let (mut encoder, mut bench) = (Encoder::new(3), Bench::new());
        for number in 0..600 {
            if number % 30 == u32::from(!first) {
                let (ssrc, timestamp) = (encoder.ssrc, encoder.timestamp);
                let mut report = Vec::new();
                let at = number / 30;
                let seconds = said[at as usize % said.len()];
                // One that has a clock.
                let seconds = if seconds == 1_000 { seconds + u64::from(at) } else { seconds };
                let ntp = Ntp(seconds << 32);
                SenderReport { ssrc, ntp, timestamp, packets: 0, octets: 0, cname: "" }.write(&mut report);
                bench.video(&report);
            }
            let unit = encoder.next_unit();
            encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
            let frame = bench.frames().pop().expect("a frame");
            let late = frame.clock.timestamp as i64 - frame.timestamp as i64;
            assert!(
                late.abs() < 900,
                "frame {number}, seconds {said:?}: captured when it came, not {late} ticks before"
            );
            bench.pass(Duration::from_micros(33_333));
        }
    }
}
