//! What a publisher is asked for, and one that follows another.

mod support;

use std::time::Duration;

use core_media::codec::Codec;
use core_media::counters::DropReason;
use core_media::demux::Line;
use core_media::frame::Kind;
use core_media::rtcp::{Rtcp, parse};
use core_media::rtp::write_header;
use core_media::source::{Ending, Notice};
use core_media::warning::Warning;
use support::{Bench, Decoder, Encoder, FRAME, run};

/// What a publisher is told within a time, as RTCP.
fn told(bench: &mut Bench, duration: Duration) -> Vec<Rtcp> {
    bench.pass(duration);
    let mut reports = Vec::new();
    for (_, bytes) in bench.output.feedback.drain(..) {
        parse(&bytes, |report| reports.push(report));
    }
    reports
}

#[test]
fn a_publisher_is_asked_for_what_is_missing_and_its_repair_is_used() {
    let (mut encoder, mut bench) = (Encoder::new(17), Bench::published());
    let mut decoder = Decoder::default();
    let mut sent = Vec::new();
    for number in 0..90 {
        let unit = encoder.next_unit();
        let mut datagrams = encoder.packetize(&unit);
        sent.push(unit);
        let lost = (number % 10 == 5 && datagrams.len() > 1).then(|| datagrams.remove(0));
        datagrams.iter().for_each(|datagram| bench.video(datagram));
        let reports = told(&mut bench, FRAME);
        if let Some(lost) = lost {
            let wanted = u16::from_be_bytes([lost[2], lost[3]]);
            let asked =
                reports.iter().any(|report| matches!(report, Rtcp::Nack { sequences, .. } if sequences == &[wanted]));
            assert!(asked, "frame {number}: {reports:?}");
            bench.video(&lost);
        }
        bench.frames().iter().for_each(|frame| decoder.take(frame, &sent));
    }
    assert_eq!(decoder.decoded, (0..90).collect::<Vec<_>>());
}

#[test]
fn a_publisher_is_asked_for_a_keyframe_at_the_start_after_a_loss_and_when_a_viewer_needs_one() {
    let (mut encoder, mut bench) = (Encoder::new(18), Bench::published());
    let publish = |encoder: &mut Encoder, bench: &mut Bench, skip: usize| {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().skip(skip).for_each(|datagram| bench.video(datagram));
        told(bench, FRAME).iter().filter(|report| matches!(report, Rtcp::Pli { .. })).count()
    };
    encoder.next_unit();
    assert_eq!(publish(&mut encoder, &mut bench, 0), 1, "nothing is decodable yet");
    let throttled: usize = (0..14).map(|_| publish(&mut encoder, &mut bench, 0)).sum();
    assert_eq!(throttled, 0, "asked a moment ago");
    let repeated: usize = (0..14).map(|_| publish(&mut encoder, &mut bench, 0)).sum();
    assert_eq!(repeated, 1);
    assert_eq!(encoder.frame_number(), 30);
    assert_eq!(publish(&mut encoder, &mut bench, 0), 0, "a keyframe came");
    assert!((0..20).all(|_| publish(&mut encoder, &mut bench, 0) == 0));
    bench.source.request_keyframe();
    assert_eq!(publish(&mut encoder, &mut bench, 0), 1);
}

#[test]
fn a_new_publisher_may_have_the_ssrc_of_the_last() {
    let (mut encoder, mut bench) = (Encoder::new(20), Bench::published());
    let before = run(&mut encoder, &mut bench, 30, |datagrams| datagrams);
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
    bench.source.depart(bench.now, &mut bench.output);
    assert_eq!(bench.notices(), [Notice::Inactive(Kind::Video, Ending::Bye)]);
    // A straggler is no sign of life.
    let straggler = encoder.next_unit();
    encoder.packetize(&straggler).iter().for_each(|datagram| bench.video(datagram));
    assert_eq!(bench.notices(), []);
    let numbered = (before.decoded.len() + bench.frames().len()) as u64;
    bench.source.arrive(Vec::new());
    for _ in 0..60 {
        let unit = encoder.next_unit();
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        bench.pass(FRAME);
    }
    assert_eq!(bench.notices(), [Notice::Active(Kind::Video)]);
    let frames = bench.frames();
    assert!(frames[0].keyframe && frames[0].number == numbered);
}

#[test]
fn ffmpeg_is_told_nothing() {
    let (mut encoder, mut bench) = (Encoder::new(19), Bench::new());
    let decoder = run(&mut encoder, &mut bench, 60, |mut datagrams| {
        datagrams.pop();
        datagrams
    });
    bench.source.request_keyframe();
    assert!(decoder.decoded.is_empty());
    assert_eq!(told(&mut bench, Duration::from_secs(5)), []);
}

const MID: &str = "a=extmap:4/recvonly urn:ietf:params:rtp-hdrext:sdes:mid\r\n";

/// Both sections of an answer, the sound's mid and payload type being `a` and 111.
fn lines(extension: &str, announced: Option<u32>) -> Vec<Line> {
    let section = |kind: Kind, formats: &str, mid: &str| {
        format!(
            "m={} 9 UDP/TLS/RTP/SAVPF {formats}\r\na=rtpmap:96 H264/90000\r\n{extension}a=mid:{mid}\r\n",
            kind.name()
        )
    };
    let video = Line::new(Kind::Video, Some(Codec::H264.into()), &section(Kind::Video, "96 98", "v"), announced);
    vec![Line::new(Kind::Audio, Some(Codec::Opus.into()), &section(Kind::Audio, "111", "a"), None), video]
}

/// A packet with the header extension that names a section.
fn named(mut datagram: Vec<u8>, mid: u8) -> Vec<u8> {
    datagram[0] |= 0x10;
    datagram.splice(12..12, [0xbe, 0xde, 0, 1, 0x40, mid, 0, 0]);
    datagram
}

fn sound(payload_type: u8, sequence: u16) -> Vec<u8> {
    [&write_header(false, payload_type, sequence, u32::from(sequence) * 960, 0x77)[..], &[0xfc, 1, 2]].concat()
}

/// Frames of each kind that came of 60 pictures and sounds, all given without saying for which leg they are.
fn delivered(bench: &mut Bench, mut sent: impl FnMut(u16, Vec<Vec<u8>>) -> Vec<Vec<u8>>) -> (usize, usize) {
    let mut encoder = Encoder::new(21);
    for number in 0..60 {
        let unit = encoder.next_unit();
        for datagram in sent(number, encoder.packetize(&unit)) {
            bench.source.handle_published(&datagram, bench.now, &mut bench.output);
        }
        bench.pass(FRAME);
    }
    let frames = bench.frames();
    let of = |kind| frames.iter().filter(|frame| frame.kind() == kind).count();
    (of(Kind::Video), of(Kind::Audio))
}

#[test]
fn streams_that_were_not_announced_are_told_apart() {
    let with_sound = |payload_type: u8| {
        move |number: u16, mut datagrams: Vec<Vec<u8>>| {
            datagrams.push(sound(payload_type, number));
            datagrams
        }
    };
    // By payload type.
    let mut bench = Bench::published();
    bench.source.arrive(lines("", None));
    assert_eq!(delivered(&mut bench, with_sound(111)), (60, 60));
    // By mid, said in the first packets alone; the payload types are none of those that were negotiated.
    let mut bench = Bench::published();
    bench.source.arrive(lines(MID, None));
    let by_mid = |number: u16, mut datagrams: Vec<Vec<u8>>| {
        datagrams.iter_mut().for_each(|datagram| datagram[1] = datagram[1] & 0x80 | 100);
        let sound = sound(101, number);
        if number == 0 {
            let mut all: Vec<Vec<u8>> = datagrams.into_iter().map(|datagram| named(datagram, b'v')).collect();
            all.push(named(sound, b'a'));
            return all;
        }
        datagrams.push(sound);
        datagrams
    };
    assert_eq!(delivered(&mut bench, by_mid), (60, 60));
    // Of neither: nobody can know.
    let mut bench = Bench::published();
    bench.source.arrive(lines("", None));
    assert_eq!(delivered(&mut bench, with_sound(105)), (60, 0));
    let refused = [&bench.video, &bench.audio].map(|leg| leg.count(DropReason::PayloadType));
    assert_eq!(refused.iter().sum::<u64>(), 60);
    // One section takes all there is.
    let mut bench = Bench::published();
    bench.source.arrive(lines("", None).split_off(1));
    let other_type = |_, mut datagrams: Vec<Vec<u8>>| {
        datagrams.iter_mut().for_each(|datagram| datagram[1] = datagram[1] & 0x80 | 123);
        datagrams
    };
    assert_eq!(delivered(&mut bench, other_type), (60, 0));
}

#[test]
fn reports_on_streams_that_were_not_announced_count() {
    let mut bench = Bench::published();
    bench.source.arrive(lines("", None));
    let bye = [&[0x81, 203, 0, 1], 0x77_u32.to_be_bytes().as_slice()].concat();
    delivered(&mut bench, |number, mut datagrams| {
        datagrams.push(if number < 59 { sound(111, number) } else { bye.clone() });
        datagrams
    });
    assert!(bench.notices().contains(&Notice::Inactive(Kind::Audio, Ending::Bye)));
}

#[test]
fn of_the_layers_of_simulcast_the_announced_one_is_taken() {
    for announced_first in [true, false] {
        let mut bench = Bench::published();
        let mut other = Encoder::new(22);
        // That of the encoder in `delivered`.
        bench.source.arrive(lines("", Some(Encoder::new(21).ssrc)));
        let seen = delivered(&mut bench, |_, datagrams| {
            let unit = other.next_unit();
            let others = other.packetize(&unit);
            if announced_first { [datagrams, others].concat() } else { [others, datagrams].concat() }
        });
        // The other one's first picture came before anything else was there.
        assert_eq!(seen, (60 + usize::from(!announced_first), 0));
        assert!(bench.notices().contains(&Notice::Warning(Warning::SeveralStreams)));
    }
}

#[test]
fn a_publisher_is_asked_for_keyframes_in_the_way_that_it_knows() {
    let asked = |feedback: &str| {
        let mut bench = Bench::published();
        let section = format!("m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n{feedback}");
        bench.source.arrive(vec![Line::new(Kind::Video, Some(Codec::H264.into()), &section, None)]);
        let mut encoder = Encoder::new(23);
        encoder.gop = 10_000;
        let mut asked = Vec::new();
        for _ in 0..3 {
            bench.source.request_keyframe();
            let unit = encoder.next_unit();
            encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
            asked.extend(told(&mut bench, Duration::from_millis(700)));
        }
        asked.retain(|report| matches!(report, Rtcp::Pli { .. } | Rtcp::Fir { .. }));
        asked
    };
    let ssrc = Encoder::new(23).ssrc;
    let pli = Rtcp::Pli { ssrc };
    for feedback in
        ["", "a=rtcp-fb:96 nack pli\r\n", "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 ccm fir\r\n"]
    {
        let asked = asked(feedback);
        assert!(!asked.is_empty() && asked.iter().all(|report| *report == pli), "{feedback}: {asked:?}");
    }
    // Each request has a number of its own: one that repeats may be taken for answered.
    let numbers: Vec<u8> = asked("a=rtcp-fb:96 nack\r\na=rtcp-fb:96 ccm fir\r\n")
        .into_iter()
        .map(|report| {
            if let Rtcp::Fir { ssrc: of, sequence } = report
                && of == ssrc
            {
                sequence
            } else {
                panic!("FIR")
            }
        })
        .collect();
    assert!(numbers.len() > 1 && numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
}
