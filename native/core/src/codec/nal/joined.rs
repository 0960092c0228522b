//! The NAL units of an access unit, whole again, whatever packets they came in.

use crate::codec::PayloadError;
use crate::codec::nal::{NalFormat, Unit, kind, units, write_header};
use crate::payloads::Payloads;

/// NAL units in decoding order, none of them empty.
#[derive(Debug, Default)]
pub struct NalUnits {
    /// Back to back; behind the last end lies what has come of a unit in fragments.
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Type of the unit whose fragments are coming.
    open: Option<u8>,
    damaged: bool,
}

impl NalUnits {
    /// Room for an access unit of about this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Forgets all of it; the room is used again.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.open = None;
        self.damaged = false;
    }

    /// Takes the next RTP payload. One that is malformed leaves the access unit damaged.
    pub fn push<F: NalFormat>(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        let result = units::<F>(payload, |unit| match unit {
            Unit::Whole(unit) => self.push_unit(unit),
            Unit::Fragment { header, start, end, data } => self.push_fragment::<F>(header, start, end, data),
        });
        if result.is_err() {
            self.interrupt();
        }
        result
    }

    /// Takes the next NAL unit, which is not empty.
    pub fn push_unit(&mut self, unit: &[u8]) {
        if self.open.is_some() {
            self.interrupt();
        }
        self.bytes.extend_from_slice(unit);
        self.close();
    }

    /// Something is missing here: what has begun will never be whole.
    pub fn interrupt(&mut self) {
        self.damaged = true;
        self.open = None;
        self.bytes.truncate(self.closed());
    }

    /// Every unit that has begun has ended, and nothing is missing.
    pub fn is_whole(&self) -> bool {
        !self.damaged && self.open.is_none()
    }

    /// Bytes that all of it takes.
    pub fn size(&self) -> usize {
        self.bytes.len() + size_of_val(self.ends.as_slice())
    }

    /// Those that are whole.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start as usize..end as usize])
    }

    /// As they are sent: `sets` first, then those whose type travels in RTP.
    pub fn pack<'a, F: NalFormat>(
        &'a self,
        sets: impl Iterator<Item = &'a [u8]> + Clone,
        travels: fn(u8) -> bool,
    ) -> Payloads {
        let units = self.iter().filter(|unit| travels(kind::<F>(unit)));
        let mut payloads = Payloads::with_capacity(self.size() + self.size() / 64 + 128);
        payloads.push_units::<F>(sets.chain(units));
        payloads
    }

    fn push_fragment<F: NalFormat>(&mut self, header: u16, start: bool, end: bool, data: &[u8]) {
        let kind = F::kind(header);
        if self.open != (!start).then_some(kind) {
            self.interrupt();
        }
        if start {
            self.open = Some(kind);
            write_header::<F>(header, &mut self.bytes);
        } else if self.open.is_none() {
            return;
        }
        self.bytes.extend_from_slice(data);
        if end {
            self.close();
        }
    }

    fn close(&mut self) {
        self.open = None;
        self.ends.push(self.bytes.len() as u32);
    }

    /// Bytes of the units that are whole.
    fn closed(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::h264::payload::Format;

    const START: u8 = 0x80;
    const END: u8 = 0x40;

    /// A fragment of an IDR slice.
    fn fragment(flags: u8, data: &[u8]) -> Vec<u8> {
        [&[0x7c, flags | 5], data].concat()
    }

    fn joined(payloads: &[Vec<u8>]) -> (Vec<Vec<u8>>, bool) {
        let mut units = NalUnits::default();
        payloads.iter().for_each(|payload| _ = units.push::<Format>(payload));
        (units.iter().map(<[u8]>::to_vec).collect(), units.is_whole())
    }

    #[test]
    fn fragments_are_joined_and_aggregates_come_apart() {
        let payloads = [
            vec![0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 2],
            fragment(START, &[3, 4]),
            fragment(0, &[]),
            fragment(0, &[5]),
            fragment(END, &[6]),
            fragment(START | END, &[7]),
            vec![0x41, 8],
        ];
        let expected = vec![vec![0x67, 1], vec![0x68, 2], vec![0x65, 3, 4, 5, 6], vec![0x65, 7], vec![0x41, 8]];
        assert_eq!(joined(&payloads), (expected, true));
    }

    #[test]
    fn what_does_not_fit_together_is_damaged_and_nothing_of_it_is_handed_out() {
        let [start, middle, end] = [START, 0, END].map(|flags| fragment(flags, &[1, 2, 3]));
        let other_type = vec![0x7c, 1, 9];
        let (slice, malformed) = (vec![0x41, 8], vec![0x7c]);
        let cases: [(&str, Vec<Vec<u8>>, usize); 8] = [
            ("no end", vec![start.clone(), middle.clone()], 0),
            ("no start", vec![middle.clone(), end.clone()], 0),
            ("only an end", vec![slice.clone(), end.clone()], 1),
            ("two starts", vec![start.clone(), start.clone(), end.clone()], 1),
            ("another type in between", vec![start.clone(), other_type, end.clone()], 0),
            ("a whole unit in between", vec![start.clone(), slice.clone(), end.clone()], 1),
            ("a malformed payload in between", vec![start.clone(), malformed, end.clone()], 0),
            ("an aggregate in between", vec![start, vec![0x78, 0, 1, 0x41], end], 1),
        ];
        for (name, payloads, whole) in cases {
            let (units, is_whole) = joined(&payloads);
            assert_eq!((units.len(), is_whole), (whole, false), "{name}");
        }
    }

    #[test]
    fn nothing_is_joined_across_a_gap() {
        let mut units = NalUnits::default();
        units.push::<Format>(&fragment(START, &[1])).expect("valid");
        units.interrupt();
        units.push::<Format>(&fragment(END, &[2])).expect("valid");
        assert_eq!((units.iter().count(), units.is_whole()), (0, false));
    }

    #[test]
    fn fragments_without_data_take_no_memory() {
        let mut units = NalUnits::default();
        units.push::<Format>(&fragment(START, &[])).expect("valid");
        let size = units.size();
        (0..1_000).for_each(|_| units.push::<Format>(&fragment(0, &[])).expect("valid"));
        assert_eq!(units.size(), size);
    }
}
