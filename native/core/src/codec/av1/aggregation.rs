//! What an RTP payload holds: an aggregation header and elements, each an OBU or a piece of one (RTP Payload Format for
//! AV1 §4.3, §4.4).

use super::obu;
use crate::codec::{PayloadError, Place};

/// Z: the first element continues an OBU of the packet before.
pub const CONTINUES: u8 = 0x80;
/// Y: the last element is continued in the next packet.
pub const CONTINUED: u8 = 0x40;
/// N: the first packet of a coded video sequence.
pub const NEW_SEQUENCE: u8 = 0x08;
/// W: how many elements there are, or 0 where each of them has a length.
pub const COUNT_SHIFT: u8 = 4;
/// The largest W.
pub const MAX_COUNT: usize = 3;

/// An OBU or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// It begins an OBU.
    pub begins: bool,
    /// It ends one.
    pub ends: bool,
    /// Not empty.
    pub data: &'a [u8],
}

/// The elements of a payload, in order, up to the first error.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    header: u8,
    /// Elements to come, where the header counts them.
    count: Option<u8>,
    first: bool,
    rest: &'a [u8],
}

/// Reads a payload's elements.
pub fn elements(payload: &[u8]) -> Elements<'_> {
    let (header, rest) = payload.split_first().map_or((0, payload), |(header, rest)| (*header, rest));
    let count = Some(header >> COUNT_SHIFT & 3).filter(|count| *count > 0);
    Elements { header, count, first: true, rest }
}

impl<'a> Elements<'a> {
    /// The next element's bytes.
    fn data(&mut self) -> Option<&'a [u8]> {
        let (data, rest) = match &mut self.count {
            Some(1) => (self.rest, &[][..]),
            _ => obu::prefixed(self.rest)?,
        };
        self.count = self.count.map(|count| count - 1);
        self.rest = rest;
        Some(data).filter(|data| !data.is_empty())
    }

    fn is_at_end(&self) -> bool {
        self.count.map_or(self.rest.is_empty(), |count| count == 0)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, PayloadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = std::mem::take(&mut self.first);
        // A header alone is no payload.
        if self.is_at_end() && !first {
            return None;
        }
        let Some(data) = self.data() else {
            (self.count, self.rest) = (None, &[]);
            return Some(Err(PayloadError::Truncated));
        };
        let begins = !first || self.header & CONTINUES == 0;
        let ends = !self.is_at_end() || self.header & CONTINUED == 0;
        Some(Ok(Element { begins, ends, data }))
    }
}

/// Where in a temporal unit a payload stands. An OBU that begins with it does not tell by itself: units consist of several.
pub fn place(payload: &[u8]) -> Place {
    let header = payload.first().copied().unwrap_or_default();
    if header & CONTINUES != 0 {
        return Place::Within;
    }
    let first = elements(payload).next().and_then(Result::ok).map(|element| obu::kind(element.data));
    let begins = matches!(first, Some(obu::TEMPORAL_DELIMITER | obu::SEQUENCE_HEADER));
    if begins || header & NEW_SEQUENCE != 0 { Place::Beginning } else { Place::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins, ends, data.
    type Read<'a> = (bool, bool, &'a [u8]);

    /// The elements, and whether all of it could be read.
    fn read(payload: &[u8]) -> (Vec<Read<'_>>, bool) {
        let found: Vec<_> = elements(payload).collect();
        let right = found.iter().filter_map(|element| element.ok());
        (right.map(|element| (element.begins, element.ends, element.data)).collect(), found.iter().all(Result::is_ok))
    }

    #[test]
    fn elements_have_lengths_but_for_the_last_of_those_that_are_counted() {
        assert_eq!(read(&[0x10, 5, 6]), (vec![(true, true, &[5, 6][..])], true));
        assert_eq!(read(&[0x20, 1, 5, 6]), (vec![(true, true, &[5][..]), (true, true, &[6])], true));
        let three = vec![(true, true, &[5][..]), (true, true, &[6]), (true, true, &[7, 8])];
        assert_eq!(read(&[0x30, 1, 5, 1, 6, 7, 8]), (three.clone(), true));
        assert_eq!(read(&[0x00, 1, 5, 1, 6, 2, 7, 8]), (three, true));
    }

    #[test]
    fn only_the_first_continues_and_only_the_last_is_continued() {
        assert_eq!(read(&[0xd0, 5]), (vec![(false, false, &[5][..])], true));
        assert_eq!(read(&[0xe0, 1, 5, 6]), (vec![(false, true, &[5][..]), (true, false, &[6])], true));
        assert_eq!(read(&[0x40, 1, 5, 1, 6]), (vec![(true, true, &[5][..]), (true, false, &[6])], true));
    }

    #[test]
    fn what_is_cut_off_or_empty_is_told() {
        for (payload, whole) in [
            (&[][..], 0),
            (&[0x10], 0),
            (&[0x00], 0),
            (&[0x00, 0], 0),
            (&[0x00, 2, 5], 0),
            (&[0x20, 1, 5], 1),
            (&[0x20, 0, 5], 0),
            (&[0x30, 1, 5, 9, 6], 1),
            (&[0x00, 1, 5, 0x80], 1),
        ] {
            let (found, sound) = read(payload);
            assert_eq!((found.len(), sound), (whole, false), "{payload:?}");
        }
    }

    #[test]
    fn a_payload_says_where_it_stands_if_it_knows() {
        let (delimiter, sequence, frame) = (0x10, 0x08, 0x30);
        assert_eq!(place(&[0x10, delimiter]), Place::Beginning);
        assert_eq!(place(&[0x20, 2, sequence, 5, frame]), Place::Beginning);
        assert_eq!(place(&[0x10, sequence, 5]), Place::Beginning);
        assert_eq!(place(&[0x18, frame, 5]), Place::Beginning);
        assert_eq!(place(&[0x10, frame, 5]), Place::Unknown);
        assert_eq!(place(&[0x90, sequence, 5]), Place::Within);
        assert_eq!(place(&[0x98, frame, 5]), Place::Within);
        assert_eq!(place(&[0x10]), Place::Unknown);
    }
}
