//! A stream that the test pushes, and what of it has to arrive.

use std::time::Instant;

use core_media::codec::Codec;
use core_media::codec::h264::payload::Format;
use core_media::frame::Kind;
use core_media::history::Limits;
use core_media::pacer::DEFAULT_BURST;
use core_media::payloads::Payloads;
use engine::{Engine, Ingress, StreamConfig};

use super::{DEADLINE, Viewer, eventually};

const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10];
const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

/// A stream whose frames the test pushes, and all of them, in the form in which they are to arrive.
pub struct Programme<'a> {
    engine: &'a Engine,
    id: &'static str,
    start: Instant,
    pub pictures: Vec<Picture>,
    pub sounds: Vec<Vec<u8>>,
}

pub struct Picture {
    pub keyframe: bool,
    /// RTP payloads.
    pub payloads: Vec<Vec<u8>>,
}

impl<'a> Programme<'a> {
    pub fn new(engine: &'a Engine, id: &'static str) -> Self {
        let ingress = Ingress::Push { video: Some(Codec::H264.into()), audio: Some(Codec::Opus.into()) };
        let limits = Limits::default();
        let config = StreamConfig { id: id.into(), ingress, silence: DEADLINE, limits, burst: DEFAULT_BURST };
        engine.add_stream(config).expect("a new stream");
        Self { engine, id, start: Instant::now(), pictures: Vec::new(), sounds: Vec::new() }
    }

    /// Pushes a picture of about `size` bytes that is unlike any other.
    pub fn picture(&mut self, keyframe: bool, size: usize) {
        let number = self.pictures.len() as u32;
        let units = picture(number, keyframe, size);
        self.push(Kind::Video, annex_b(&units));
        let mut payloads = Payloads::default();
        payloads.push_units::<Format>(units.iter().map(Vec::as_slice));
        self.pictures.push(Picture { keyframe, payloads: payloads.iter().map(<[u8]>::to_vec).collect() });
    }

    /// Pushes a sound that is unlike any other.
    pub fn sound(&mut self) {
        let mut packet = vec![0xfc];
        packet.extend((self.sounds.len() as u32).to_be_bytes());
        packet.resize(120, 0x55);
        self.push(Kind::Audio, packet.clone());
        self.sounds.push(packet);
    }

    fn push(&self, kind: Kind, data: Vec<u8>) {
        eventually("room for a frame", || self.engine.push(self.id, kind, data.clone(), self.start.elapsed()));
    }

    /// Pushes sounds until every viewer has got one: who is connected may not be open for audio yet.
    pub fn sound_for(&mut self, viewers: &[Viewer]) {
        for viewer in viewers {
            eventually("a sound", || {
                self.sound();
                viewer.log.state().packets.iter().any(|packet| packet.kind == Kind::Audio)
            });
        }
    }

    /// Where in the pictures these payloads begin; they must be whole pictures without a gap, a keyframe first.
    pub fn position(&self, payloads: &[Vec<u8>]) -> std::ops::Range<usize> {
        let slice = payloads.iter().find(|payload| !is_parameter_set(payload)).expect("a slice");
        let first = self.pictures.iter().position(|picture| picture.payloads.contains(slice)).expect("it was sent");
        assert!(self.pictures[first].keyframe, "begins with a keyframe");
        let mut rest = payloads;
        for (index, picture) in self.pictures.iter().enumerate().skip(first) {
            if rest.is_empty() {
                return first..index;
            }
            let slices = picture.payloads.iter().filter(|payload| !is_parameter_set(payload)).collect::<Vec<_>>();
            let parameters = rest.iter().take_while(|payload| is_parameter_set(payload)).count();
            assert_eq!(parameters > 0, picture.keyframe, "parameter sets before keyframes");
            rest = &rest[parameters..];
            assert!(rest.len() >= slices.len(), "picture {index} is whole");
            assert!(rest.iter().zip(&slices).all(|(got, sent)| got == *sent), "picture {index} is as it was sent");
            rest = &rest[slices.len()..];
        }
        assert!(rest.is_empty(), "nothing after the last picture");
        first..self.pictures.len()
    }
}

/// The NAL units of a picture of about `size` bytes, which tells its number in every packet.
pub fn picture(number: u32, keyframe: bool, size: usize) -> Vec<Vec<u8>> {
    let mut slice = if keyframe { vec![0x65, 0x88, 0x84] } else { vec![0x41, 0x9a] };
    // The number again and again, and no byte can be taken for a start code.
    let digits = number.to_be_bytes().map(|byte| [0x40 | byte >> 4, 0x40 | byte & 0xf]).concat();
    slice.extend(digits.iter().cycle().take(size));
    if keyframe { vec![SPS.to_vec(), PPS.to_vec(), slice] } else { vec![slice] }
}

pub fn annex_b(units: &[Vec<u8>]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1], unit.as_slice()].concat()).collect()
}

/// SPS and PPS, alone or in one packet: how they are packed is the engine's business.
fn is_parameter_set(payload: &[u8]) -> bool {
    let kind = match payload {
        [first, _, _, unit, ..] if first & 0x1f == 24 => unit & 0x1f,
        [first, ..] => first & 0x1f,
        [] => 0,
    };
    matches!(kind, 7 | 8)
}
