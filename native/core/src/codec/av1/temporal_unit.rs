//! The OBUs of a temporal unit, whole again, whatever packets they came in.

use super::aggregation::{Element, elements};
use super::obu::{self, Obu};
use crate::codec::PayloadError;

/// OBUs in decoding order without size fields, those left out that RTP does not carry; none is empty.
#[derive(Debug, Default)]
pub struct TemporalUnit {
    /// Back to back; behind the last end lies what has come of one in pieces.
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Pieces of an OBU have come, and not the last one.
    open: bool,
    damaged: bool,
}

impl TemporalUnit {
    /// Takes the next RTP payload. One that is malformed leaves the unit damaged.
    pub fn push(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        let result = elements(payload).try_for_each(|element| self.push_element(element?));
        if result.is_err() {
            self.interrupt();
        }
        result
    }

    /// Takes OBUs in the low-overhead bitstream format; only the last may be without size field.
    pub fn push_whole(&mut self, mut data: &[u8]) -> Result<(), PayloadError> {
        loop {
            let (obu, rest) = Obu::parse(data)?;
            self.push_obu(obu);
            if rest.is_empty() {
                return Ok(());
            }
            data = rest;
        }
    }

    /// Something is missing here: what has begun will never be whole.
    pub fn interrupt(&mut self) {
        self.damaged = true;
        self.open = false;
        self.bytes.truncate(self.closed());
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        (self.open, self.damaged) = (false, false);
    }

    /// Every OBU that has begun has ended, and nothing is missing.
    pub fn is_whole(&self) -> bool {
        !self.damaged && !self.open
    }

    /// Bytes that all of it takes.
    pub fn size(&self) -> usize {
        self.bytes.len() + size_of_val(self.ends.as_slice())
    }

    /// Those that are whole.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start as usize..end as usize])
    }

    fn push_element(&mut self, element: Element<'_>) -> Result<(), PayloadError> {
        if element.begins == self.open {
            self.interrupt();
        }
        if element.begins && element.ends {
            return self.push_joined(element.data);
        }
        if !element.begins && !self.open {
            return Ok(());
        }
        self.bytes.extend_from_slice(element.data);
        self.open = !element.ends;
        if self.open { Ok(()) } else { self.close() }
    }

    /// The pieces behind the last end are all there.
    fn close(&mut self) -> Result<(), PayloadError> {
        let joined = self.bytes.split_off(self.closed());
        self.push_joined(&joined)
    }

    /// Takes what an element, or several, say is one OBU.
    fn push_joined(&mut self, data: &[u8]) -> Result<(), PayloadError> {
        match Obu::parse(data)? {
            (obu, []) => self.push_obu(obu),
            // An element holds one OBU, whatever its size field says.
            _ => return Err(PayloadError::Unsupported),
        }
        Ok(())
    }

    fn push_obu(&mut self, obu: Obu<'_>) {
        if obu::travels(obu.header) {
            obu.write(&mut self.bytes);
            self.ends.push(self.bytes.len() as u32);
        }
    }

    /// Bytes of the OBUs that are whole.
    fn closed(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(payloads: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
        let mut unit = TemporalUnit::default();
        payloads.iter().for_each(|payload| _ = unit.push(payload));
        (unit.iter().map(<[u8]>::to_vec).collect(), unit.is_whole())
    }

    #[test]
    fn pieces_are_joined_over_packets() {
        let payloads: [&[u8]; 4] = [&[0x60, 2, 0x08, 1, 0x30], &[0xd0, 2], &[0xc0, 1, 3, 2, 0x30, 4], &[0x90, 5]];
        assert_eq!(joined(&payloads), (vec![vec![0x08, 1], vec![0x30, 2, 3], vec![0x30, 4, 5]], true));
        // An OBU may begin and end with packets.
        assert_eq!(joined(&[&[0x10, 0x08, 1], &[0x10, 0x30, 2]]), (vec![vec![0x08, 1], vec![0x30, 2]], true));
    }

    #[test]
    fn what_does_not_fit_together_is_damaged_and_nothing_of_it_is_handed_out() {
        let (start, middle, end, whole): (&[u8], &[u8], &[u8], &[u8]) =
            (&[0x50, 0x30, 1], &[0xd0, 2], &[0x90, 3], &[0x10, 0x30, 4]);
        let cases: [(&str, &[&[u8]], usize); 8] = [
            ("no end", &[start, middle], 0),
            ("no start", &[middle, end], 0),
            ("only an end", &[whole, end], 1),
            ("two starts", &[start, start, end], 1),
            ("a whole OBU in between", &[start, whole, end], 1),
            ("a malformed payload in between", &[start, &[0x10], end], 0),
            ("a size field beyond the element", &[&[0x10, 0x32, 2, 1], whole], 1),
            ("a size field that says less than the element", &[&[0x10, 0x32, 1, 1, 1], whole], 1),
        ];
        for (name, payloads, count) in cases {
            let (obus, is_whole) = joined(payloads);
            assert_eq!((obus.len(), is_whole), (count, false), "{name}");
        }
    }

    #[test]
    fn nothing_is_joined_across_a_gap() {
        let mut unit = TemporalUnit::default();
        unit.push(&[0x50, 0x30, 1]).expect("valid");
        unit.interrupt();
        unit.push(&[0x90, 2]).expect("valid");
        assert_eq!((unit.iter().count(), unit.is_whole()), (0, false));
        unit.clear();
        assert_eq!((unit.size(), unit.is_whole()), (0, true));
    }

    #[test]
    fn size_fields_and_what_does_not_travel_are_left_out_and_extensions_kept() {
        let stream = [0x12, 0, 0x0a, 1, 7, 0x36, 0x48, 2, 8, 9, 0x42, 1, 1, 0x7a, 2, 0, 0, 0x34, 0x28, 5];
        let expected = [vec![0x08, 7], vec![0x34, 0x48, 8, 9], vec![0x34, 0x28, 5]];
        let mut unit = TemporalUnit::default();
        unit.push_whole(&stream).expect("valid");
        assert!(unit.is_whole() && unit.iter().eq(&expected));
        let elements: [&[u8]; 3] =
            [&[0x20, 2, 0x12, 0, 0x0a, 1, 7], &[0x50, 0x36], &[0xa0, 4, 0x48, 2, 8, 9, 0x34, 0x28, 5]];
        assert_eq!(joined(&elements), (expected.to_vec(), true));
    }
}
