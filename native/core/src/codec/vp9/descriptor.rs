//! The payload descriptor (RFC 9628 §4.2).

use crate::codec::PayloadError;

const PICTURE_ID: u8 = 0x80;
const INTER_PICTURE: u8 = 0x40;
const LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const BEGINNING: u8 = 0x08;
const END: u8 = 0x04;
const STRUCTURE: u8 = 0x02;

/// Pictures that a flexible frame may refer to.
const MAX_REFERENCES: u8 = 3;

/// Width and height of each spatial layer that has them.
pub type Sizes = [Option<(u32, u32)>; 8];

/// What is of use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The first packet of a layer frame.
    pub begins: bool,
    /// The last packet of a layer frame.
    pub ends: bool,
    /// Absent when the stream does not tell of layers.
    pub spatial_layer: Option<u8>,
    /// Those of the scalability structure.
    pub sizes: Option<Sizes>,
}

impl Descriptor {
    /// Splits a payload into the descriptor and a part of a layer frame, which is not empty.
    pub fn parse(payload: &[u8]) -> Result<(Self, &[u8]), PayloadError> {
        let mut bytes = payload.iter();
        let mut next = || bytes.next().copied().ok_or(PayloadError::Truncated);
        let first = next()?;
        let has = |flag| first & flag != 0;
        // 15 bits if its first is set.
        if has(PICTURE_ID) && next()? & 0x80 != 0 {
            next()?;
        }
        let spatial_layer = if has(LAYERS) { Some(next()? >> 1 & 7) } else { None };
        // TL0PICIDX.
        if has(LAYERS) && !has(FLEXIBLE) {
            next()?;
        }
        if has(FLEXIBLE) && has(INTER_PICTURE) {
            references(&mut next)?;
        }
        let sizes = if has(STRUCTURE) { structure(&mut next)? } else { None };
        match bytes.as_slice() {
            [] => Err(PayloadError::Truncated),
            data => Ok((Self { begins: has(BEGINNING), ends: has(END), spatial_layer, sizes }, data)),
        }
    }

    /// The first packet of a picture, were its lowest layer not left out.
    pub fn begins_picture(self) -> bool {
        self.begins && self.spatial_layer.is_none_or(|layer| layer == 0)
    }

    /// It can come next in the picture whose newest packet is known.
    pub fn follows(self, newest: Option<Self>) -> bool {
        match newest {
            None => self.begins,
            Some(newest) if newest.ends => {
                self.begins && (self.spatial_layer.is_none() || self.spatial_layer > newest.spatial_layer)
            }
            Some(newest) => !self.begins && self.spatial_layer == newest.spatial_layer,
        }
    }
}

/// Passes over the distances to reference pictures: each says whether another follows.
fn references(mut next: impl FnMut() -> Result<u8, PayloadError>) -> Result<(), PayloadError> {
    for _ in 0..MAX_REFERENCES {
        if next()? & 1 == 0 {
            return Ok(());
        }
    }
    Err(PayloadError::Unsupported)
}

/// The scalability structure (§4.2.1): sizes, and a picture group, which is passed over.
fn structure(mut next: impl FnMut() -> Result<u8, PayloadError>) -> Result<Option<Sizes>, PayloadError> {
    let first = next()?;
    let mut sizes = None;
    if first & 0x10 != 0 {
        let layers = sizes.insert(Sizes::default());
        for layer in &mut layers[..=usize::from(first >> 5)] {
            let mut side = || Ok(u32::from(u16::from_be_bytes([next()?, next()?])));
            let (width, height) = (side()?, side()?);
            *layer = (width > 0 && height > 0).then_some((width, height));
        }
    }
    if first & 0x08 != 0 {
        for _ in 0..next()? {
            let references = next()? >> 2 & 3;
            for _ in 0..references {
                next()?;
            }
        }
    }
    Ok(sizes)
}

/// The whole descriptor of a packet that is sent.
pub fn minimal(begins: bool, ends: bool, keyframe: bool) -> u8 {
    let bit = |set, bit| if set { bit } else { 0 };
    bit(begins, BEGINNING) | bit(ends, END) | bit(!keyframe, INTER_PICTURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(form: &[u8]) -> Descriptor {
        let payload = [form, &[42, 43]].concat();
        let (descriptor, data) = Descriptor::parse(&payload).expect("valid");
        assert_eq!(data, [42, 43], "{form:02x?}");
        for length in 0..=form.len() {
            assert_eq!(Descriptor::parse(&payload[..length]), Err(PayloadError::Truncated), "{form:02x?}");
        }
        descriptor
    }

    #[test]
    fn every_form_ends_where_the_frame_goes_on() {
        let plain = Descriptor { begins: false, ends: false, spatial_layer: None, sizes: None };
        assert_eq!(parse(&[0x00]), plain);
        assert_eq!(parse(&[0x4d]), Descriptor { begins: true, ends: true, ..plain });
        assert_eq!(parse(&[0x80, 0x7f]), plain);
        assert_eq!(parse(&[0x80, 0x80, 0x01]), plain);
        let layer = |layer| Descriptor { spatial_layer: Some(layer), ..plain };
        assert_eq!(parse(&[0xa0, 0x01, 0b0011_1011, 0xff]), layer(5));
        assert_eq!(parse(&[0xb0, 0x01, 0b1110_0100]), layer(2), "flexible, without TL0PICIDX");
        assert_eq!(parse(&[0xd0, 0x01, 0x02]), plain, "one reference");
        assert_eq!(parse(&[0xf0, 0x81, 0xff, 0x02, 0x03, 0x05, 0x06]), layer(1), "three references");
        assert_eq!(parse(&[0x50, 0x02]), plain, "flexible without picture number");
    }

    #[test]
    fn a_frame_has_three_references_at_most() {
        assert_eq!(Descriptor::parse(&[0xd0, 1, 3, 3, 3, 2, 42]), Err(PayloadError::Unsupported));
    }

    #[test]
    fn structures_tell_the_size_of_each_layer() {
        let mut sizes = Sizes::default();
        assert_eq!(parse(&[0x02, 0x00]).sizes, None);
        sizes[0] = Some((320, 180));
        assert_eq!(parse(&[0x02, 0x10, 1, 0x40, 0, 0xb4]).sizes, Some(sizes));
        // Two layers; three pictures in a group, which refer to 0, 3 and 1 others.
        let group = [3, 0x10, 0x0c, 1, 2, 3, 0x44, 9];
        sizes[1] = Some((640, 360));
        let two = [&[0x02, 0x38, 1, 0x40, 0, 0xb4, 2, 0x80, 1, 0x68], &group[..]].concat();
        assert_eq!(parse(&two).sizes, Some(sizes));
        assert_eq!(parse(&[&[0x02, 0xe8][..], &group].concat()).sizes, None);
        let eight = [&[0x02, 0xf0][..], &[2, 0x80, 1, 0x68].repeat(8)].concat();
        assert_eq!(parse(&eight).sizes, Some([Some((640, 360)); 8]));
        assert_eq!(parse(&[0x02, 0x10, 0, 0, 0, 0xb4]).sizes, Some(Sizes::default()), "no width");
    }
}
