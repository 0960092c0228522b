//! Packs a temporal unit as one chain: each packet but the last is continued by the next one.
//!
//! Receivers without Dependency Descriptor take an OBU that begins with a packet (Z=0) for the beginning of a frame, and one
//! that ends with a packet (Y=0) for the end. A temporal unit has to be one frame to them, so no packet but the last ends
//! where an OBU ends. With layers a packet may hold OBUs of two of them, for all that the RTP Payload Format for AV1 (§5)
//! thinks of middleboxes.

use super::aggregation::{CONTINUED, CONTINUES, COUNT_SHIFT, MAX_COUNT, NEW_SEQUENCE};
use super::obu::{length_size, write_length};
use crate::payloads::Payloads;
use crate::rtp::MAX_PAYLOAD;

/// Sizes that are tried to find one that all packets but the last can have.
const TRIES: usize = 16;

/// A place within the OBUs: how many lie before it, and how many bytes of the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    obu: usize,
    offset: usize,
}

/// Where a packet ends, and its size.
#[derive(Clone, Copy, Debug)]
struct Cut {
    end: Position,
    size: usize,
}

/// The payloads of a temporal unit, equal in size but for the last, which is not larger, where that can be: they leave as
/// one message. `obus` are without size field, none is empty. `None`: so many OBUs of one byte follow each other that a packet
/// would have to end behind one of them.
pub fn pack(obus: &[&[u8]], new_sequence: bool) -> Option<Payloads> {
    let cuts = even_cuts(obus)?;
    let mut payloads = Payloads::with_capacity(cuts.iter().map(|cut| cut.size).sum());
    let (mut payload, mut from) = (Vec::with_capacity(MAX_PAYLOAD), Position::default());
    for (index, cut) in cuts.iter().enumerate() {
        let continues = if index > 0 { CONTINUES } else { 0 };
        let continued = if index + 1 < cuts.len() { CONTINUED } else { 0 };
        let first = if new_sequence && index == 0 { NEW_SEQUENCE } else { 0 };
        payload.clear();
        payload.push(continues | continued | first);
        write_elements(obus, from, cut.end, &mut payload);
        payloads.push(&payload);
        from = cut.end;
    }
    Some(payloads)
}

/// As many packets as have to be, of one size where that can be.
fn even_cuts(obus: &[&[u8]]) -> Option<Vec<Cut>> {
    let fewest = cuts(obus, MAX_PAYLOAD)?;
    if fewest.len() < 2 {
        return Some(fewest);
    }
    let average = fewest.iter().map(|cut| cut.size).sum::<usize>().div_ceil(fewest.len());
    let is_even = |cuts: &Vec<Cut>, size| {
        let others = &cuts[..cuts.len() - 1];
        cuts.len() == fewest.len() && others.iter().all(|cut| cut.size == size)
    };
    let mut sizes = average..=MAX_PAYLOAD.min(average + TRIES);
    let even = sizes.find_map(|size| cuts(obus, size).filter(|cuts| is_even(cuts, size)));
    Some(even.unwrap_or(fewest))
}

/// Cuts the OBUs into packets that are filled up to `size`.
fn cuts(obus: &[&[u8]], size: usize) -> Option<Vec<Cut>> {
    let (mut cuts, mut at) = (Vec::new(), Position::default());
    while at.obu < obus.len() {
        let cut = fill(obus, at, size)?;
        at = cut.end;
        cuts.push(cut);
    }
    Some(cuts)
}

/// The packet that begins at `from`: it holds as much as can be, and ends within an OBU or with the last one.
fn fill(obus: &[&[u8]], from: Position, size: usize) -> Option<Cut> {
    // The aggregation header, then the elements before, each with its length.
    let (mut used, mut best, mut offset) = (1, None, from.offset);
    for (index, obu) in obus.iter().enumerate().skip(from.obu) {
        let (length, space) = (obu.len() - offset, size - used);
        let uncounted = index - from.obu >= MAX_COUNT;
        let room = if uncounted { space.saturating_sub(length_size(space.min(length))) } else { space };
        let with = |data| used + data + if uncounted { length_size(data) } else { 0 };
        if length <= room && index + 1 == obus.len() {
            return Some(Cut { end: Position { obu: index + 1, offset: 0 }, size: with(length) });
        }
        // Its last byte is for the next packet.
        let data = room.min(length - 1);
        if data > 0 {
            best = Some(Cut { end: Position { obu: index, offset: offset + data }, size: with(data) });
        }
        used += length_size(length) + length;
        if used >= size {
            break;
        }
        offset = 0;
    }
    best
}

/// Appends the elements between two places, and tells the aggregation header, which `payload` ends with, their number.
fn write_elements(obus: &[&[u8]], from: Position, to: Position, payload: &mut Vec<u8>) {
    let header = payload.len() - 1;
    let count = to.obu - from.obu + usize::from(to.offset > 0);
    let counted = count <= MAX_COUNT;
    if counted {
        payload[header] |= (count as u8) << COUNT_SHIFT;
    }
    for (index, obu) in obus.iter().enumerate().skip(from.obu).take(count) {
        let start = if index == from.obu { from.offset } else { 0 };
        let end = if index == to.obu { to.offset } else { obu.len() };
        let data = &obu[start..end];
        if !counted || index + 1 < from.obu + count {
            write_length(data.len(), payload);
        }
        payload.extend_from_slice(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(obus: &[Vec<u8>], new_sequence: bool) -> Payloads {
        let obus: Vec<&[u8]> = obus.iter().map(Vec::as_slice).collect();
        pack(&obus, new_sequence).expect("can be packed")
    }

    fn sizes(payloads: &Payloads) -> Vec<usize> {
        payloads.iter().map(<[u8]>::len).collect()
    }

    fn obu(size: usize) -> Vec<u8> {
        (0..size).map(|at| if at == 0 { 0x30 } else { at as u8 }).collect()
    }

    #[test]
    fn up_to_three_elements_are_counted_and_more_have_their_lengths() {
        let obus: [Vec<u8>; 4] = [vec![0x08, 1], vec![0x28, 2], vec![0x30, 3], vec![0x30, 4]];
        assert_eq!(packed(&obus[..1], true).payload(0), [0x18, 0x08, 1]);
        assert_eq!(packed(&obus[..2], true).payload(0), [0x28, 2, 0x08, 1, 0x28, 2]);
        assert_eq!(packed(&obus[..3], false).payload(0), [0x30, 2, 0x08, 1, 2, 0x28, 2, 0x30, 3]);
        assert_eq!(packed(&obus, false).payload(0), [0x00, 2, 0x08, 1, 2, 0x28, 2, 2, 0x30, 3, 2, 0x30, 4]);
    }

    #[test]
    fn one_large_obu_is_cut_evenly() {
        for size in (MAX_PAYLOAD..20_000).step_by(7) {
            let sizes = sizes(&packed(&[obu(size)], false));
            let (last, others) = sizes.split_last().expect("some");
            assert_eq!(sizes.len(), size.div_ceil(MAX_PAYLOAD - 1), "{size}");
            assert!(others.iter().all(|other| other == &others[0] && other >= last), "{size}: {sizes:?}");
        }
    }

    /// Where packets of 100 bytes end, as OBUs before and bytes of the next, and their sizes.
    fn hundreds(lengths: &[usize]) -> Vec<(usize, usize, usize)> {
        let obus: Vec<Vec<u8>> = lengths.iter().map(|&length| obu(length)).collect();
        let obus: Vec<&[u8]> = obus.iter().map(Vec::as_slice).collect();
        let cuts = cuts(&obus, 100).expect("can be packed");
        cuts.iter().map(|cut| (cut.end.obu, cut.end.offset, cut.size)).collect()
    }

    #[test]
    fn where_an_obu_fills_a_packet_its_last_byte_goes_to_the_next() {
        assert_eq!(hundreds(&[150]), [(0, 99, 100), (1, 0, 52)]);
        assert_eq!(hundreds(&[99]), [(1, 0, 100)]);
        assert_eq!(hundreds(&[99, 99]), [(0, 98, 99), (1, 97, 100), (2, 0, 3)]);
        assert_eq!(hundreds(&[98, 50]), [(0, 97, 98), (2, 0, 53)], "no room for a length and a byte");
        assert_eq!(hundreds(&[97, 50]), [(1, 1, 100), (2, 0, 50)]);
        assert_eq!(hundreds(&[10, 10, 77, 50]), [(2, 76, 99), (4, 0, 53)], "three elements fill it");
        assert_eq!(hundreds(&[10, 10, 70, 50]), [(3, 5, 100), (4, 0, 46)], "four have lengths");
    }

    #[test]
    fn an_obu_of_one_byte_goes_whole_into_the_next_packet() {
        assert_eq!(hundreds(&[97, 1, 99]), [(0, 96, 97), (2, 95, 100), (3, 0, 5)]);
        assert_eq!(hundreds(&[94, 1, 1, 99]), [(0, 93, 94), (3, 92, 100), (4, 0, 8)]);
    }

    #[test]
    fn obus_of_one_byte_without_end_cannot_be_packed() {
        let many = vec![[0x48].as_slice(); MAX_PAYLOAD / 2 + 1];
        assert!(pack(&many, false).is_none());
        assert!(pack(&many[..500], false).is_some());
        let large = obu(5_000);
        let between: Vec<&[u8]> = [&[&large[..]], &many[..500], &[&large]].concat();
        assert!(pack(&between, false).is_some_and(|payloads| payloads.len() > 8));
    }

    #[test]
    fn packets_are_no_more_than_have_to_be() {
        for first in (1..2_400).step_by(17) {
            for second in (1..4_000).step_by(301) {
                let obus = [obu(11), obu(first), obu(second), obu(40), obu(second)];
                let fewest = cuts(&obus.each_ref().map(Vec::as_slice), MAX_PAYLOAD).expect("can be packed").len();
                assert_eq!(packed(&obus, true).len(), fewest, "{first} {second}");
            }
        }
    }

    /// One of two or four even packets would end where the first of two OBUs ends.
    #[test]
    fn packets_are_even_wherever_obus_end() {
        for size in (700..1_150).chain(1_900..2_350) {
            let sizes = sizes(&packed(&[obu(size), obu(size)], true));
            let (last, others) = sizes.split_last().expect("some");
            assert!(others.iter().all(|other| other == &others[0] && other >= last), "{size}: {sizes:?}");
            assert!(others[0] < last + 32, "{size}: nor is the last much smaller, {sizes:?}");
        }
    }
}
