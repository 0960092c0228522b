//! Packets without a payload, as senders use them to probe for bandwidth (RFC 3550 §5.1).

mod support;

use core_media::rtp::write_header;
use support::{Bench, Decoder, Encoder, FRAME};

/// What stands behind the header of a packet that says nothing, and whether that is padding.
const NOTHING: [(&[u8], bool); 3] = [(&[], false), (&[0, 0, 0, 4], true), (&[1], true)];

/// Such a packet, under the encoder's next number.
fn nothing(encoder: &mut Encoder, marker: bool, timestamp: u32, (rest, padding): (&[u8], bool)) -> Vec<u8> {
    let mut datagram = write_header(marker, 96, encoder.sequence, timestamp, encoder.ssrc).to_vec();
    datagram[0] |= u8::from(padding) << 5;
    datagram.extend_from_slice(rest);
    encoder.sequence = encoder.sequence.wrapping_add(1);
    datagram
}

fn dropped(bench: &Bench) -> u64 {
    [&bench.video, &bench.audio].iter().flat_map(|leg| leg.drops()).map(|(_, count)| count).sum()
}

#[test]
fn empty_packets_anywhere_cost_no_picture() {
    for published in [false, true] {
        for kind in NOTHING {
            let mut bench = if published { Bench::published() } else { Bench::new() };
            let (mut encoder, mut decoder, mut sent) = (Encoder::new(5), Decoder::default(), Vec::new());
            for number in 0..90 {
                let unit = encoder.next_unit();
                let timestamp = encoder.timestamp;
                if number % 10 == 3 {
                    // Between two pictures, with the time stamp of the last or of the next.
                    let before = nothing(&mut encoder, false, timestamp.wrapping_sub(3_000), kind);
                    let after = nothing(&mut encoder, false, timestamp, kind);
                    [before, after].iter().for_each(|datagram| bench.video(datagram));
                }
                let mut datagrams = encoder.packetize(&unit);
                if number % 10 == 6 {
                    // Within a picture; the numbers of what follows are one higher.
                    let last = datagrams.len() - 1;
                    let own = u16::from_be_bytes([datagrams[last][2], datagrams[last][3]]);
                    encoder.sequence = own;
                    let within = nothing(&mut encoder, false, timestamp, kind);
                    datagrams[last][2..4].copy_from_slice(&(own.wrapping_add(1)).to_be_bytes());
                    encoder.sequence = own.wrapping_add(2);
                    datagrams.insert(last, within);
                }
                sent.push(unit);
                datagrams.iter().for_each(|datagram| bench.video(datagram));
                bench.pass(FRAME);
                bench.frames().iter().for_each(|frame| decoder.take(frame, &sent));
            }
            assert_eq!(decoder.decoded, (0..90).collect::<Vec<_>>(), "{kind:?}");
            assert_eq!(dropped(&bench), 0, "{kind:?}");
        }
    }
}

#[test]
fn an_empty_packet_may_end_a_picture() {
    let (mut encoder, mut bench) = (Encoder::new(6), Bench::new());
    let unit = encoder.next_unit();
    let timestamp = encoder.timestamp;
    let mut datagrams = encoder.packetize(&unit);
    datagrams.last_mut().expect("a packet")[1] &= 0x7f;
    datagrams.iter().for_each(|datagram| bench.video(datagram));
    assert_eq!(bench.frames().len(), 0, "its end is not known yet");
    let end = nothing(&mut encoder, true, timestamp, NOTHING[1]);
    bench.video(&end);
    assert_eq!(bench.frames().len(), 1);
    let again = nothing(&mut encoder, true, timestamp, NOTHING[1]);
    bench.video(&again);
    assert_eq!((bench.frames().len(), dropped(&bench)), (0, 0));
}

#[test]
fn a_lost_empty_packet_is_a_gap_like_any_other() {
    let (mut encoder, mut bench) = (Encoder::new(7), Bench::new());
    let mut decoder = Decoder::default();
    let mut sent = Vec::new();
    for number in 0..60 {
        let unit = encoder.next_unit();
        let timestamp = encoder.timestamp;
        if number == 10 {
            // What a receiver cannot know: nothing was in it.
            nothing(&mut encoder, false, timestamp, NOTHING[1]);
            bench.video(&nothing(&mut encoder, false, timestamp, NOTHING[1]));
        }
        sent.push(unit.clone());
        encoder.packetize(&unit).iter().for_each(|datagram| bench.video(datagram));
        bench.pass(FRAME);
        bench.frames().iter().for_each(|frame| decoder.take(frame, &sent));
    }
    assert_eq!(decoder.decoded, (0..10).chain(30..60).collect::<Vec<_>>());
}

#[test]
fn empty_packets_between_sounds_are_nothing() {
    let mut bench = Bench::new();
    let mut encoder = Encoder::new(8);
    for number in 0..50u32 {
        for kind in NOTHING {
            let probe = nothing(&mut encoder, false, number * 960, kind);
            bench.audio(&probe);
        }
        let mut sound = write_header(false, 96, encoder.sequence, number * 960, encoder.ssrc).to_vec();
        sound.extend_from_slice(&[0xfc, 1, 2, 3]);
        encoder.sequence = encoder.sequence.wrapping_add(1);
        bench.audio(&sound);
    }
    let steps: Vec<u64> = bench.frames().windows(2).map(|pair| pair[1].timestamp - pair[0].timestamp).collect();
    assert_eq!((steps, dropped(&bench)), (vec![960; 49], 0));
}
