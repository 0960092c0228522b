//! The README's FFmpeg line, and what a viewer gets of it.

mod support;

use std::collections::HashMap;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

use core_media::codec::Codec;
use core_media::codec::h264::payload::Format;
use core_media::codec::nal::joined::NalUnits;
use core_media::frame::Kind;
use core_media::rtp::RtpPacket;
use engine::{Ingress, RtpLeg, StreamConfig};
use support::*;

const README: &str = include_str!("../../../README.md");

/// Two keyframes, as the line has them.
const PICTURES: usize = 62;

/// Most of a NAL unit that a packet is to hold, at the least.
const PACKET: usize = 1_188;

/// Ends with the test, however that ends.
struct Ffmpeg(Child);

impl Ffmpeg {
    /// Runs the line, with other ports and packets.
    fn start(ports: [u16; 2], query: &str) -> Self {
        let line = README.lines().find(|line| line.starts_with("ffmpeg ")).expect("a line");
        let output = |word: &str| match word.trim_matches('\'').strip_suffix("?pkt_size=1200") {
            Some(to) if to.ends_with(":5004") => format!("rtp://127.0.0.1:{}{query}", ports[0]),
            Some(to) if to.ends_with(":5006") => format!("rtp://127.0.0.1:{}{query}", ports[1]),
            _ => word.to_owned(),
        };
        let words: Vec<String> = line.split(' ').skip(1).map(output).collect();
        assert_eq!(words.iter().filter(|word| word.starts_with("rtp:")).count(), 2, "{words:?}");
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-loglevel", "error"]).args(words);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("FFmpeg is installed"))
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_read_timeout(Some(DEADLINE)).expect("valid");
    socket
}

fn joined(payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut units = NalUnits::default();
    payloads.iter().for_each(|payload| units.push::<Format>(payload).expect("FFmpeg and we send valid packets"));
    assert!(units.is_whole());
    units.iter().map(<[u8]>::to_vec).collect()
}

/// What FFmpeg sent and what a viewer got, as RTP payloads.
fn exchange(query: &str) -> [Vec<Vec<u8>>; 2] {
    let engine = start(1);
    let ingress = Ingress::Rtp {
        host: [127, 0, 0, 1].into(),
        video: Some(RtpLeg { port: 0, rtcp_port: None, format: Codec::H264.into() }),
        audio: None,
    };
    let (limits, burst) = (Default::default(), usize::MAX);
    let config = StreamConfig { id: "cam".into(), ingress, silence: DEADLINE, limits, burst };
    let port = engine.add_stream(config).expect("a new stream").video.expect("a port");
    let viewer = Viewer::join(&engine, "cam");
    let (video, audio) = (socket(), socket());
    let ports = [&video, &audio].map(|socket| socket.local_addr().expect("bound").port());
    let ffmpeg = Ffmpeg::start(ports, query);
    let (mut sent, mut pictures) = (Vec::new(), 0);
    while pictures < PICTURES {
        let mut datagram = [0; 2_000];
        let length = video.recv(&mut datagram).expect("FFmpeg sends");
        video.send_to(&datagram[..length], ("127.0.0.1", port)).expect("loopback takes it");
        let packet = RtpPacket::parse(&datagram[..length]).expect("RTP");
        sent.push(packet.payload.to_vec());
        pictures += usize::from(packet.marker);
    }
    drop(ffmpeg);
    viewer.log.wait("the last picture", |state| {
        state.packets.iter().filter(|packet| packet.kind == Kind::Video && packet.marker).count() == PICTURES
    });
    [sent, viewer.received(Kind::Video)]
}

#[test]
fn every_unit_arrives_byte_for_byte_in_no_more_packets_than_it_fills() {
    // The line, and FFmpeg's own packets of 1472 bytes.
    for query in ["?pkt_size=1200", ""] {
        let [sent, got] = exchange(query);
        let units = joined(&sent);
        assert!(joined(&got) == units, "all of it, in order");
        let most: usize = units.iter().map(|unit| unit.len().div_ceil(PACKET)).sum();
        assert!(got.len() <= most, "{} packets for {} units, {most} at most", got.len(), units.len());
        let mut fragments: HashMap<usize, usize> = HashMap::new();
        let mut unit = 0;
        for payload in &got {
            let mut one = NalUnits::default();
            one.push::<Format>(payload).expect("valid");
            *fragments.entry(unit).or_default() += 1;
            let (fragment, end) = (payload[0] & 0x1f == 28, payload[1] & 0x40 != 0);
            unit += if fragment { usize::from(end) } else { one.iter().count() };
        }
        for (unit, packets) in fragments {
            let size = units[unit].len();
            assert!(packets <= size.div_ceil(PACKET), "{packets} packets for a unit of {size} bytes");
        }
    }
}
