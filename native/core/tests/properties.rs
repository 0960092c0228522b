//! What holds for every viewer on every line: any moment of joining, any loss, delay and bottleneck, any life of the source.

#[path = "support/receiver.rs"]
mod receiver;
#[path = "support/session.rs"]
mod session;
mod support;
#[path = "support/wire.rs"]
mod wire;

use std::time::Duration;

use core_media::history::{Cache, History, Limits};
use session::{FRAME, Line, Session, track};
use support::{Encoder, Random};

/// Mixes of circumstances; each is one seed.
const ROUNDS: u64 = 80;

fn line(random: &mut Random) -> Line {
    let millis = |value| Duration::from_millis(value);
    Line {
        loss_percent: [0, 0, 1, 5, 10, 20, 60][random.below(7) as usize],
        delay: millis(random.below(80)),
        jitter: millis([0, 2, 20][random.below(3) as usize]),
        retransmission: random.chance(70),
        bottleneck: random.chance(40).then(|| (100 + random.below(2_000), 20_000 + random.below(200_000))),
    }
}

fn limits(random: &mut Random) -> Limits {
    let bytes = [100_000, 1 << 20, 8 << 20][random.below(3) as usize];
    let age = Duration::from_millis([500, 3_000, 10_000][random.below(3) as usize]);
    Limits { bytes, age, instant_start: random.chance(80) }
}

/// One thing that may happen while a viewer watches.
fn disturb(session: &mut Session, random: &mut Random) {
    let some = Duration::from_millis(random.below(700));
    match random.below(6) {
        // The shard was overloaded: frames went by this viewer.
        0 => session.run(some, false),
        // The encoder is killed and comes back, with another SSRC, clock and GOP, and pictures of another size.
        1 => {
            session.next_frame = session.now() + some * 2;
            let next_unit = session.encoder.frame_number();
            let gop = session.encoder.gop;
            session.encoder = Encoder::new(random.next());
            session.encoder.gop = gop;
            session.encoder.size = 300 + random.below(20_000) as usize;
            session.encoder.timestamp = random.next() as u32;
            session.encoder.continue_from(next_unit);
        }
        // A decoder lost its way.
        2 => {
            session.track.refresh(session.now(), &session.history);
        }
        // Nonsense from the viewer.
        3 => {
            let sequences: Vec<u16> = (0..random.below(600)).map(|_| random.next() as u16).collect();
            let wire = &mut session.wire;
            let (now, trip) = (session.bench.now, Duration::from_millis(random.below(300)));
            session.track.nack(&sequences, trip, now, &session.history, &mut |packet| wire.take(&packet));
        }
        // One large frame, or many.
        4 => session.encoder.size = 1_000 + random.below(60_000) as usize,
        _ => session.encoder.size = 1_000 + random.below(5_000) as usize,
    }
    session.run(some, true);
}

#[test]
fn numbers_are_contiguous_time_goes_up_and_everything_sent_is_decodable_in_order() {
    let mut repairs = 0;
    for seed in 0..ROUNDS {
        let mut random = Random::new(seed);
        let line = line(&mut random);
        let mut session = Session::new(seed, 1 + random.below(200), line);
        let limits = limits(&mut random);
        session.history = History::new(90_000, limits);
        session.track = track(line.retransmission, [16_000, 64_000, usize::MAX][random.below(3) as usize]);
        session.encoder.size = 500 + random.below(8_000) as usize;
        session.run(Duration::from_millis(random.below(4_000)), false);
        session.join();
        let start = session.history.keyframe().map_or(0, |keyframe| keyframe.bytes);
        for _ in 0..1 + random.below(6) {
            session.run(Duration::from_millis(random.below(1_500)), true);
            // `Wire` and `Receiver` check every packet on its way.
            disturb(&mut session, &mut random);
        }
        let budget = 64_000 + (start + session.wire.bytes) / 2;
        let repeated = session.wire.repeated_bytes;
        assert!(repeated <= budget, "seed {seed}: {repeated} of {} bytes sent again", session.wire.bytes);
        assert!(session.history.bytes() <= limits.bytes.max(4 << 20), "seed {seed}: {} bytes", session.history.bytes());
        repairs += session.wire.repairs;
    }
    assert!(repairs > 2_000, "losses were repaired: {repairs}");
}

#[test]
fn once_the_line_is_quiet_every_viewer_gets_back_to_the_live_edge() {
    for seed in 0..ROUNDS / 2 {
        let mut random = Random::new(seed + 10_000);
        // Packets that overtake each other are asked for as if they were lost, which has its budget.
        let line = Line { loss_percent: 0, jitter: Duration::from_millis(1), bottleneck: None, ..line(&mut random) };
        let mut session = Session::new(seed, 1 + random.below(60), line);
        session.run(Duration::from_millis(random.below(3_000)), false);
        session.join();
        for _ in 0..3 {
            session.run(Duration::from_millis(random.below(500)), true);
            disturb(&mut session, &mut random);
        }
        session.encoder.size = 3_000;
        // The source may still be away for 1.4 s; then at most a GOP passes before the next IDR picture.
        session.run(FRAME * 60 + Duration::from_millis(2_400), true);
        let (last, _) = session.receiver.decoded[session.receiver.decoded.len() - 1];
        let behind = session.newest() - last;
        let on_the_way = (line.delay + line.jitter).as_millis() as u64 / 33 + 2;
        assert!(behind <= on_the_way, "seed {seed}: {behind} frames behind on {line:?}");
    }
}
