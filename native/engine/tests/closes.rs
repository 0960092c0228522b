//! Viewers that end by themselves, by DELETE or without a word, in the middle of bursts that go past the library.
//!
//! What is used after it was freed shows under a memory checker: `scripts/test --only asan`.
#![cfg(target_os = "linux")]

mod support;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use core_media::codec::Codec;
use core_media::frame::Kind;
use core_media::history::Limits;
use core_media::pacer::DEFAULT_BURST;
use engine::{EndReason, Engine, Event, Ingress, StreamConfig};
use support::*;

/// Ends of each kind; more on demand.
const CLOSES: &str = "FETCH_WHEP_CLOSES";
const DEFAULT_CLOSES: usize = 16;
/// That play at a time.
const AT_ONCE: usize = 8;
/// Packets that a viewer has got by then.
const WARM: usize = 40;
/// Consent runs out after 30 s (RFC 7675 §5.1).
const SILENCE: Duration = Duration::from_secs(60);

/// Says to this program that it is the one whose viewers vanish.
const AUDIENCE: &str = "FETCH_WHEP_TEST_AUDIENCE";

fn closes() -> usize {
    std::env::var(CLOSES).ok().and_then(|count| count.parse().ok()).unwrap_or(DEFAULT_CLOSES)
}

/// Runs `test` while pictures of some packets are pushed without end.
fn flooded(interval: Duration, test: impl FnOnce(&Engine)) {
    let engine = start(2);
    let ingress = Ingress::Push { video: Some(Codec::H264.into()), audio: None };
    let (limits, burst) = (Limits::default(), DEFAULT_BURST);
    let config = StreamConfig { id: "cam".into(), ingress, silence: SILENCE, limits, burst };
    engine.add_stream(config).expect("a new stream");
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u32;
            while !stop.load(Relaxed) {
                let picture = annex_b(&picture(number, number.is_multiple_of(50), 6_000));
                engine.push("cam", Kind::Video, picture, start.elapsed());
                number += 1;
                std::thread::sleep(interval);
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&engine)));
        stop.store(true, Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let sends = rtc::send_counters();
    assert!(sends.direct > sends.datagrams / 2, "{sends:?}");
}

fn warm(viewer: &Viewer) {
    viewer.log.wait("some packets", |state| state.packets.len() >= WARM);
}

#[test]
fn viewers_end_by_themselves_or_by_delete() {
    flooded(Duration::from_millis(2), |engine| {
        for round in 0..closes().div_ceil(AT_ONCE / 2) {
            let viewers: Vec<Viewer> = (0..AT_ONCE).map(|_| Viewer::join(engine, "cam")).collect();
            viewers.iter().for_each(warm);
            for (index, viewer) in viewers.into_iter().enumerate() {
                let id = viewer.id.clone();
                if index % 2 == 0 {
                    drop(viewer);
                } else {
                    leave(engine, viewer);
                }
                engine.remove_session(&id);
            }
            assert!(engine.viewers().is_empty(), "round {round}");
        }
        warm(&Viewer::join(engine, "cam"));
    });
}

#[test]
fn viewers_vanish() {
    if std::env::var_os(AUDIENCE).is_some() {
        return be_the_audience();
    }
    /// At that pace this many are as much as two cores can send.
    const GROUP: usize = 250;
    flooded(Duration::from_millis(10), |engine| {
        let mut left = closes();
        while left > 0 {
            let group = left.min(GROUP);
            left -= group;
            let mut audience = Audience::start();
            let ids: HashSet<String> = (0..group).map(|_| audience.join(engine)).collect();
            eventually("packets for everybody", || {
                engine.viewers().iter().filter(|viewer| viewer.packets_out >= WARM as u64).count() >= group / 2
            });
            audience.kill();
            let mut ended = HashSet::new();
            let deadline = Instant::now() + SILENCE;
            while ended.len() < group {
                assert!(Instant::now() < deadline, "{} of {group} ended", ended.len());
                std::thread::sleep(Duration::from_millis(50));
                for event in engine.drain_events() {
                    if let Event::SessionEnded { session, reason } = event {
                        // Who had not yet connected fails instead.
                        let lost = [EndReason::ConsentLost, EndReason::IceFailed, EndReason::DtlsFailed];
                        assert!(lost.contains(&reason), "{reason:?}");
                        ended.insert(session);
                    }
                }
            }
            assert_eq!(ended, ids);
            for id in &ids {
                engine.remove_session(id);
            }
        }
        warm(&Viewer::join(engine, "cam"));
    });
}

/// A process of its own, whose viewers end with it.
struct Audience {
    child: Child,
    questions: Lines<BufReader<ChildStdout>>,
    answers: ChildStdin,
}

impl Audience {
    fn start() -> Self {
        let program = std::env::current_exe().expect("Linux knows it");
        let mut child = Command::new(program)
            .args(["--exact", "viewers_vanish", "--nocapture", "--quiet"])
            .env(AUDIENCE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it has just been started");
        let questions = BufReader::new(child.stdout.take().expect("piped")).lines();
        let answers = child.stdin.take().expect("piped");
        Self { child, questions, answers }
    }

    /// One more viewer; gives its session.
    fn join(&mut self, engine: &Engine) -> String {
        writeln!(self.answers, "join").expect("it listens");
        let offer = self.questions.by_ref().map(|line| line.expect("text")).find_map(|line| {
            let offer = line.rsplit_once("offer ")?.1;
            Some(offer.replace('|', "\r\n"))
        });
        let number = next_number();
        let id = format!("viewer-{number}");
        let answer = watch(engine, "cam", &id, number, &offer.expect("an offer")).expect("an answer");
        writeln!(self.answers, "{}", answer.replace("\r\n", "|")).expect("it listens");
        id
    }

    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }
}

/// Makes a viewer for each line that asks for one, until the end.
fn be_the_audience() {
    let mut lines = std::io::stdin().lines().map(|line| line.expect("text"));
    let mut viewers = Vec::new();
    while lines.next().is_some() {
        let (viewer, offer) = Viewer::offer();
        viewer.log.state().deaf = true;
        println!("offer {}", offer.replace("\r\n", "|"));
        let Some(answer) = lines.next() else { return };
        // One that is overtaken by the engine's checks never connects.
        let _ = viewer.accept(&answer.replace('|', "\r\n"));
        viewers.push(viewer);
    }
}
