//! Which leg a publisher's packet belongs to: all of them share one transport (RFC 9143 §9.2).

use std::collections::VecDeque;

use crate::frame::Kind;
use crate::media::Format;
use crate::rtp::RtpPacket;

/// SSRCs remembered: two legs, and as many again for streams that begin anew or repair.
const MAX_STREAMS: usize = 8;

const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// A media section as negotiated, as far as it tells packets apart and what their sender may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The leg that it carries.
    pub kind: Kind,
    /// What the publisher sends there; absent while another server has not answered what it will.
    pub format: Option<Format>,
    /// The SSRC that the publisher has announced.
    pub ssrc: Option<u32>,
    /// Its sender knows FIR but not PLI.
    pub fir_only: bool,
    mid: String,
    /// The id of the header extension that names the section.
    mid_extension: Option<u8>,
    payload_types: Vec<u8>,
}

impl Line {
    /// Reads the section of our own description: `m=` line and attributes.
    pub fn new(kind: Kind, format: Option<Format>, section: &str, ssrc: Option<u32>) -> Self {
        let attribute = |name: &'static str| {
            section.lines().filter_map(move |line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
        };
        let offers = |feedback: &str| attribute("rtcp-fb").any(|value| value.ends_with(feedback));
        let extension = attribute("extmap").find(|value| value.split(' ').nth(1) == Some(MID));
        // An id may have a direction (RFC 8285 §5).
        let mid_extension = extension.and_then(|value| value.split([' ', '/']).next()?.parse().ok());
        let formats = section.lines().next().unwrap_or_default().split(' ').skip(3);
        Self {
            kind,
            format,
            ssrc,
            fir_only: offers(" ccm fir") && !offers(" nack pli"),
            mid: attribute("mid").next().unwrap_or_default().into(),
            mid_extension,
            payload_types: formats.filter_map(|format| format.parse().ok()).collect(),
        }
    }
}

/// Tells the packets of a publisher apart.
#[derive(Debug, Default)]
pub struct Demux {
    lines: Vec<Line>,
    streams: VecDeque<(u32, Kind)>,
}

impl Demux {
    /// Of a publisher with these sections.
    pub fn new(lines: Vec<Line>) -> Self {
        let announced = lines.iter().filter_map(|line| Some((line.ssrc?, line.kind)));
        let streams = announced.take(MAX_STREAMS).collect();
        Self { lines, streams }
    }

    /// By MID, which may move a stream; by SSRC; by payload type; and where there is only one section, by that.
    pub fn leg(&mut self, packet: &RtpPacket<'_>) -> Option<Kind> {
        let named = |line: &&Line| {
            line.mid_extension.and_then(|id| packet.extension(id)).is_some_and(|mid| mid == line.mid.as_bytes())
        };
        let known = self.streams.iter().find(|(ssrc, _)| *ssrc == packet.ssrc).map(|(_, kind)| *kind);
        let by_mid = self.lines.iter().find(named).map(|line| line.kind);
        let found = by_mid.or(known).or_else(|| self.by_payload_type(packet.payload_type));
        if let Some(kind) = found.filter(|_| found != known) {
            self.remember(packet.ssrc, kind);
        }
        match self.lines.as_slice() {
            [line] => Some(line.kind),
            _ => found,
        }
    }

    /// Within a group a payload type means one thing (RFC 9143 §9.1), so both legs never share one.
    fn by_payload_type(&self, payload_type: u8) -> Option<Kind> {
        self.lines.iter().find(|line| line.payload_types.contains(&payload_type)).map(|line| line.kind)
    }

    fn remember(&mut self, ssrc: u32, kind: Kind) {
        self.streams.retain(|(other, _)| *other != ssrc);
        if self.streams.len() == MAX_STREAMS {
            self.streams.pop_front();
        }
        self.streams.push_back((ssrc, kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::write_header;

    fn demux() -> Demux {
        let line = |kind: Kind, format: &str, mid: &str| {
            let section = format!("m=x 9 UDP/TLS/RTP/SAVPF {format}\r\na=mid:{mid}\r\na=extmap:4 {MID}\r\n");
            Line::new(kind, None, &section, None)
        };
        Demux::new(vec![line(Kind::Video, "96", "v"), line(Kind::Audio, "111", "a")])
    }

    /// The leg of a packet, which may name its section.
    fn leg(demux: &mut Demux, ssrc: u32, payload_type: u8, mid: Option<u8>) -> Option<Kind> {
        let mut datagram = write_header(false, payload_type, 0, 0, ssrc).to_vec();
        if let Some(mid) = mid {
            datagram[0] |= 0x10;
            datagram.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x40, mid, 0, 0]);
        }
        demux.leg(&RtpPacket::parse(&datagram).expect("a packet"))
    }

    #[test]
    fn a_mid_moves_a_stream_and_an_unknown_one_says_nothing() {
        let mut demux = demux();
        assert_eq!(leg(&mut demux, 1, 100, Some(b'v')), Some(Kind::Video));
        assert_eq!(leg(&mut demux, 1, 100, None), Some(Kind::Video));
        assert_eq!(leg(&mut demux, 1, 100, Some(b'a')), Some(Kind::Audio));
        assert_eq!(leg(&mut demux, 1, 100, Some(b'x')), Some(Kind::Audio));
        assert_eq!(leg(&mut demux, 1, 96, None), Some(Kind::Audio), "the stream is known");
    }

    #[test]
    fn so_many_streams_are_remembered() {
        let mut demux = demux();
        assert_eq!(leg(&mut demux, 1, 100, Some(b'a')), Some(Kind::Audio));
        for ssrc in 2..=MAX_STREAMS as u32 {
            assert_eq!(leg(&mut demux, ssrc, 96, None), Some(Kind::Video));
        }
        assert_eq!(leg(&mut demux, 1, 100, None), Some(Kind::Audio));
        assert_eq!(leg(&mut demux, 99, 96, None), Some(Kind::Video));
        assert_eq!(leg(&mut demux, 1, 100, None), None, "the oldest is forgotten");
    }
}
