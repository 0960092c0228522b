//! The payloads of an outgoing frame, and how NAL units become payloads (RFC 6184 §5.6 to §5.8, RFC 7798 §4.4).

use crate::codec::nal::{NalFormat, header, write_header};
use crate::rtp::MAX_PAYLOAD;

/// The payloads of one outgoing frame, back to back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payloads {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Payloads {
    /// Room for a frame of about this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(bytes / 1024 + 2) }
    }

    /// How many packets.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// No packet at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all payloads.
    pub fn total(&self) -> usize {
        self.bytes.len()
    }

    /// Payload `index`; panics past the end.
    pub fn payload(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.bytes[start..self.ends[index] as usize]
    }

    /// In sending order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.payload(index))
    }

    /// Appends a payload as it is.
    pub fn push(&mut self, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        self.close();
    }

    /// Appends NAL units in decoding order, none of them empty, in as few packets as fit: neighbours that are small
    /// together, others alone, large ones in fragments.
    pub fn push_units<'a, F: NalFormat>(&mut self, mut units: impl Iterator<Item = &'a [u8]> + Clone) {
        loop {
            match fitting::<F>(units.clone()) {
                0 | 1 => match units.next() {
                    Some(unit) if unit.len() > MAX_PAYLOAD => self.push_fragments::<F>(unit),
                    Some(unit) => self.push(unit),
                    None => return,
                },
                count => {
                    self.push_aggregate::<F>(units.clone().take(count));
                    units.nth(count - 1);
                }
            }
        }
    }

    /// One aggregation packet.
    fn push_aggregate<'a, F: NalFormat>(&mut self, units: impl Iterator<Item = &'a [u8]> + Clone) {
        let head = units.clone().filter_map(header::<F>).reduce(F::aggregate).unwrap_or_default();
        write_header::<F>(F::with_kind(head, F::AGGREGATE), &mut self.bytes);
        for unit in units {
            self.bytes.extend_from_slice(&(unit.len() as u16).to_be_bytes());
            self.bytes.extend_from_slice(unit);
        }
        self.close();
    }

    /// Fragmentation units.
    fn push_fragments<F: NalFormat>(&mut self, unit: &[u8]) {
        let (head, data) = (header::<F>(unit).unwrap_or_default(), &unit[F::HEADER..]);
        self.push_pieces(data, F::HEADER + 1, |first, last, out| {
            write_header::<F>(F::with_kind(head, F::FRAGMENT), out);
            out.push(u8::from(first) << 7 | u8::from(last) << 6 | F::kind(head));
        });
    }

    /// Cuts what is not empty into payloads of one size but for the last, which is shorter: they can leave as one message.
    /// `begin` writes the `head` bytes that stand before each, told whether the piece is the first and whether the last.
    pub fn push_pieces(&mut self, data: &[u8], head: usize, begin: impl Fn(bool, bool, &mut Vec<u8>)) {
        let size = data.len().div_ceil(data.len().div_ceil(MAX_PAYLOAD - head));
        let last = data.len().div_ceil(size) - 1;
        for (index, piece) in data.chunks(size).enumerate() {
            begin(index == 0, index == last, &mut self.bytes);
            self.bytes.extend_from_slice(piece);
            self.close();
        }
    }

    fn close(&mut self) {
        self.ends.push(self.bytes.len() as u32);
    }
}

/// How many of the first units fit into one aggregation packet.
fn fitting<'a, F: NalFormat>(units: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut size = F::HEADER;
    let fits = |unit: &&[u8]| {
        size += 2 + unit.len();
        size <= MAX_PAYLOAD
    };
    units.take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::h264::payload::{Format, nal};
    use crate::codec::nal::joined::NalUnits;

    fn packed(units: &[Vec<u8>]) -> Payloads {
        let mut payloads = Payloads::default();
        payloads.push_units::<Format>(units.iter().map(Vec::as_slice));
        payloads
    }

    /// Puts payloads together again as a receiver would.
    fn reassemble(payloads: &Payloads) -> Vec<Vec<u8>> {
        let mut units = NalUnits::default();
        for payload in payloads.iter() {
            assert!(payload.len() <= MAX_PAYLOAD);
            units.push::<Format>(payload).expect("own payloads are valid");
        }
        assert!(units.is_whole());
        units.iter().map(<[u8]>::to_vec).collect()
    }

    fn unit(header: u8, size: usize) -> Vec<u8> {
        (0..size).map(|at| if at == 0 { header } else { at as u8 }).collect()
    }

    /// The last of many fragments of a large unit could be empty, were their number not what their size makes it.
    #[test]
    fn units_of_every_size_survive_in_as_few_packets_as_can_be() {
        let full = MAX_PAYLOAD - 2;
        let sizes = [1, 2, MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * full + 1, 2 * full + 2, 100_000];
        let many = (1_500_000..1_500_000 + 2 * full).step_by(97);
        for size in sizes.into_iter().chain(many) {
            let unit = unit(0x65, size);
            let payloads = packed(std::slice::from_ref(&unit));
            assert!(reassemble(&payloads) == [unit], "{size}");
            let fewest = if size <= MAX_PAYLOAD { 1 } else { (size - 1).div_ceil(full) };
            assert!(payloads.len() <= fewest, "{size}: {} packets", payloads.len());
        }
    }

    #[test]
    fn fragments_are_of_one_size_but_for_a_shorter_last_one() {
        for size in (MAX_PAYLOAD + 1..20_000).step_by(13) {
            let payloads = packed(&[unit(0x41, size)]);
            let sizes: Vec<usize> = payloads.iter().map(<[u8]>::len).collect();
            let (last, others) = sizes.split_last().expect("some");
            assert!(others.iter().all(|other| other == &others[0] && other >= last), "{sizes:?}");
        }
    }

    #[test]
    fn small_neighbours_go_together_and_in_order() {
        let units =
            [unit(0x67, 3), unit(0x68, 2), unit(0x65, 5_000), unit(0x41, 700), unit(0x41, 400), unit(0x41, 300)];
        let payloads = packed(&units);
        assert_eq!(payloads.payload(0), [0x78, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 1]);
        let sizes: Vec<usize> = payloads.iter().map(<[u8]>::len).collect();
        assert_eq!((sizes.len(), &sizes[6..]), (8, &[1 + 702 + 402, 300][..]));
        assert_eq!(reassemble(&payloads), units);
    }

    #[test]
    fn an_aggregate_is_as_important_and_as_faulty_as_any_of_its_units() {
        let head = |headers: [u8; 2]| packed(&headers.map(|header| unit(header, 9))).payload(0)[0];
        assert_eq!(head([0x06, 0x41]), 0x40 | nal::STAP_A);
        assert_eq!(head([0x67, 0x06]), 0x60 | nal::STAP_A);
        assert_eq!(head([0x86, 0x21]), 0xa0 | nal::STAP_A);
    }
}
