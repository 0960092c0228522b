//! What may stand in a packet besides one NAL unit.

mod support;

use core_media::counters::DropReason;
use core_media::rtp::write_header;
use support::{Bench, Encoder, PPS, SPS, nal_units, run};

#[test]
fn header_extensions_csrcs_and_padding_are_taken_off() {
    let (mut encoder, mut bench) = (Encoder::new(14), Bench::new());
    let decoder = run(&mut encoder, &mut bench, 10, |datagrams| {
        let wrap = |datagram: Vec<u8>| {
            let mut wrapped = datagram[..12].to_vec();
            wrapped[0] |= 0x20 | 0x10 | 1;
            wrapped.extend_from_slice(&[9, 9, 9, 9, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0]);
            wrapped.extend_from_slice(&datagram[12..]);
            wrapped.extend_from_slice(&[0, 0, 3]);
            wrapped
        };
        datagrams.into_iter().map(wrap).collect()
    });
    assert_eq!(decoder.decoded.len(), 10);
}

#[test]
fn several_slices_single_units_and_aggregates_make_one_frame() {
    let mut bench = Bench::new();
    let slice = |first: u8, fill: u8| [vec![0x65, first], vec![fill; 900]].concat();
    // ue(0) and ue(1) for the first macroblock, then slice type I and parameter set 0.
    let (top, bottom) = (slice(0b1011_0000, 1), slice(0b0100_1110, 2));
    let mut aggregate = vec![0x78];
    for unit in [SPS, PPS] {
        aggregate.extend_from_slice(&(unit.len() as u16).to_be_bytes());
        aggregate.extend_from_slice(unit);
    }
    for (sequence, payload) in [&aggregate, &top, &bottom].into_iter().enumerate() {
        let mut datagram = write_header(sequence == 2, 96, sequence as u16, 5, 6).to_vec();
        datagram.extend_from_slice(payload);
        bench.video(&datagram);
    }
    let frames = bench.frames();
    assert_eq!(frames.len(), 1);
    assert_eq!(nal_units(&frames[0]), [SPS.to_vec(), PPS.to_vec(), top, bottom]);
}

#[test]
fn bytes_behind_the_units_of_an_aggregate_are_no_part_of_it() {
    for stray in [&[0][..], &[7], &[0, 0], &[0, 0, 0, 0], &[0, 0, 9, 9, 9]] {
        let (mut encoder, mut bench) = (Encoder::new(15), Bench::new());
        let decoder = run(&mut encoder, &mut bench, 60, |mut datagrams| {
            let aggregates = datagrams.iter_mut().filter(|datagram| datagram[12] & 0x1f == 24);
            aggregates.for_each(|datagram| datagram.extend_from_slice(stray));
            datagrams
        });
        assert_eq!(decoder.decoded, (0..60).collect::<Vec<_>>(), "{stray:?}");
        assert_eq!(bench.video.count(DropReason::Malformed), 0, "{stray:?}");
    }
}
