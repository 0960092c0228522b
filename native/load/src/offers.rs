//! The media sections that the load offers, one for each codec.

use core_media::codec::Codec;
use core_media::frame::Kind;

/// Of a leg's packets.
pub(crate) const fn payload_type(kind: Kind) -> u8 {
    match kind {
        Kind::Video => 96,
        Kind::Audio => 97,
    }
}

/// Of a leg's packets.
pub(crate) const fn ssrc(kind: Kind) -> u32 {
    match kind {
        Kind::Video => 0x5000_0001,
        Kind::Audio => 0x5000_0002,
    }
}

/// What browsers offer to receive, without the codecs that are not used.
pub(crate) fn receiving(codecs: &[Codec]) -> Vec<String> {
    let section = |(index, &codec)| section(index, codec, "recvonly", &["nack pli"]);
    codecs.iter().enumerate().map(section).collect()
}

/// What is offered to be sent.
pub(crate) fn sending(codecs: &[Codec]) -> Vec<String> {
    let section = |(index, &codec): (usize, &Codec)| {
        let (name, ssrc) = (name(codec.kind()), ssrc(codec.kind()));
        let section = section(index, codec, "sendonly", &["nack", "nack pli"]);
        format!("{section}a=ssrc:{ssrc} cname:load\r\na=msid:load {name}\r\n")
    };
    codecs.iter().enumerate().map(section).collect()
}

/// `feedback`: of video.
fn section(index: usize, codec: Codec, direction: &str, feedback: &[&str]) -> String {
    let (name, number) = (name(codec.kind()), payload_type(codec.kind()));
    let (encoding, parameters) = format(codec);
    let mut section = format!(
        "m={name} 9 UDP/TLS/RTP/SAVPF {number}\r\nc=IN IP4 0.0.0.0\r\na=mid:{index}\r\na={direction}\r\na=rtcp-mux\r\n\
         a=rtpmap:{number} {encoding}\r\n"
    );
    if codec.kind() == Kind::Video {
        section.extend(feedback.iter().map(|feedback| format!("a=rtcp-fb:{number} {feedback}\r\n")));
    }
    if let Some(parameters) = parameters {
        section += &format!("a=fmtp:{number} {parameters}\r\n");
    }
    section
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
    }
}

/// What stands in rtpmap and fmtp.
const fn format(codec: Codec) -> (&'static str, Option<&'static str>) {
    match codec {
        Codec::H264 => ("H264/90000", Some("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")),
        Codec::H265 => ("H265/90000", Some("level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST")),
        Codec::Vp8 => ("VP8/90000", None),
        Codec::Vp9 => ("VP9/90000", Some("profile-id=0")),
        Codec::Av1 => ("AV1/90000", Some("level-idx=5;profile=0;tier=0")),
        _ => ("opus/48000/2", Some("minptime=10;useinbandfec=1")),
    }
}
