//! Every call returns, whenever the engine ends or ingest fails, and nothing is left behind.
#![cfg(target_os = "linux")]

mod support;

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use core_media::codec::Codec;
use core_media::frame::Kind;
use core_media::history::Limits;
use core_media::pacer::DEFAULT_BURST;
use engine::{Engine, EngineConfig, EngineError, Event, Ingress, RtpLeg, StreamConfig};
use support::*;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Sessions asked for in all; another number on demand.
const SESSIONS: &str = "FETCH_WHEP_ENDS";
const DEFAULT_SESSIONS: usize = 3_000;
/// Of these, at most, by the same engine.
const PER_ENGINE: u64 = 60;
const CALLERS: usize = 4;

/// Threads and descriptors are those of the process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `call` gives. One that never returns fails the test instead of standing still with it.
fn returned<T: Send + 'static>(what: &str, call: impl FnOnce() -> T + Send + 'static) -> T {
    calling(call).recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn calling<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (result, results) = mpsc::channel();
    // An error: the test has failed meanwhile.
    std::thread::spawn(move || drop(result.send(call())));
    results
}

/// An engine's threads that live.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("whep-")).collect()
}

fn add(engine: &Engine, id: &str, ingress: Ingress) -> Result<engine::StreamPorts, EngineError> {
    let (limits, burst) = (Limits::default(), DEFAULT_BURST);
    engine.add_stream(StreamConfig { id: id.into(), ingress, silence: DEADLINE, limits, burst })
}

const PUBLISHED: Ingress = Ingress::Publisher { video: true, audio: true };

fn pushed() -> Ingress {
    Ingress::Push { video: Some(Codec::H264.into()), audio: Some(Codec::Opus.into()) }
}

/// RTP on ports that the system chooses.
fn received(audio: bool) -> Ingress {
    let leg = |codec: Codec| RtpLeg { port: 0, rtcp_port: None, format: codec.into() };
    Ingress::Rtp { host: LOOPBACK, video: Some(leg(Codec::H264)), audio: audio.then(|| leg(Codec::Opus)) }
}

/// Numbers that look random and are the same in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Asks for sessions of every kind, and for what else may be under way, until the engine says that it closes.
fn call_until_closing(engine: &Engine, offer: &str, begun: &AtomicUsize, mut numbers: Numbers) {
    for turn in 0.. {
        begun.fetch_add(1, Relaxed);
        let (id, number) = (format!("session-{}", next_number()), next_number());
        let made = match numbers.below(4) {
            0 => publish(engine, "live", &id, offer).map(drop),
            1 => offer_pull(engine, "live", &id, number)
                .and_then(|_| engine.accept_answer(&id, offer, &answered(&Kind::ALL))),
            _ => watch(engine, "cam", &id, number, offer).map(drop),
        };
        match made {
            // An offer is no answer.
            Ok(()) | Err(EngineError::InvalidAnswer) => {}
            Err(EngineError::Closing | EngineError::UnknownStream) => return,
            Err(error) => panic!("{id}: {error}"),
        }
        match numbers.below(4) {
            0 => drop(engine.remove_session(&id)),
            1 => drop(engine.add_candidate(&id, "video", "candidate:1 1 UDP 1 127.0.0.1 9 typ host")),
            2 => {
                let id = format!("further-{id}-{turn}");
                drop(add(engine, &id, received(true)));
                engine.remove_stream(&id);
            }
            _ => drop((engine.snapshot(), engine.viewers(), engine.drain_events())),
        }
    }
}

#[test]
fn every_call_returns_whenever_the_engine_closes() {
    let _alone = alone();
    let sessions = std::env::var(SESSIONS).ok().and_then(|count| count.parse().ok()).unwrap_or(DEFAULT_SESSIONS);
    let (_viewer, offer) = Viewer::offer();
    let (mut asked, mut engines, mut longest) = (0, 0, Duration::ZERO);
    let mut before = None;
    while asked < sessions {
        let mut numbers = Numbers(engines);
        let engine = Arc::new(start(2));
        add(&engine, "cam", pushed()).expect("a new stream");
        add(&engine, "live", PUBLISHED).expect("a new stream");
        let begun = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (engine, offer, begun) = (engine.clone(), offer.clone(), begun.clone());
                let numbers = Numbers(numbers.below(u64::MAX));
                calling(move || call_until_closing(&engine, &offer, &begun, numbers))
            })
            .collect();
        let moment = numbers.below(PER_ENGINE) as usize;
        eventually("the moment of the end", || begun.load(Relaxed) >= moment);
        let closers = [(); 2].map(|()| {
            let engine = engine.clone();
            calling(move || {
                let start = Instant::now();
                engine.close();
                (start.elapsed(), engine.snapshot().udp_ports, engine.viewers().len())
            })
        });
        for closer in closers {
            let (took, ports, viewers) = closer.recv_timeout(DEADLINE).expect("close returns");
            assert_eq!((ports, viewers), (0, 0), "engine {engines}");
            longest = longest.max(took);
        }
        for caller in callers {
            caller.recv_timeout(DEADLINE).expect("every call returns");
        }
        asked += begun.load(Relaxed);
        engines += 1;
        drop(engine);
        eventually("the end of the threads", || threads().is_empty());
        // The first engine starts what the library keeps.
        before.get_or_insert_with(footprint);
    }
    println!("{asked} sessions of {engines} engines, the longest close took {longest:?}");
    let before = before.expect("an engine");
    eventually("the end of what the engines opened", || {
        let now = footprint();
        now.0 <= before.0 && now.1 <= before.1
    });
}

#[test]
fn a_second_close_waits_for_the_first() {
    let _alone = alone();
    let engine = Arc::new(start(1));
    add(&engine, "cam", pushed()).expect("a new stream");
    let held = engine.hold_shard(0);
    let close = || {
        let engine = engine.clone();
        calling(move || {
            engine.close();
            engine.snapshot().udp_ports
        })
    };
    let first = close();
    eventually("the first close is under way", || engine.snapshot().streams.is_empty());
    let second = close();
    assert!(second.recv_timeout(Duration::from_millis(100)).is_err(), "it ends before the first");
    drop(held);
    assert_eq!(first.recv_timeout(DEADLINE), Ok(0));
    assert_eq!(second.recv_timeout(DEADLINE), Ok(0));
}

#[test]
fn what_comes_after_the_end_is_answered_at_once() {
    let _alone = alone();
    let engine = Arc::new(start(1));
    add(&engine, "cam", pushed()).expect("a new stream");
    engine.close();
    returned("whatever is asked for", move || {
        assert_eq!(add(&engine, "other", pushed()), Err(EngineError::Closing));
        engine.remove_stream("cam");
        assert!(!engine.push("cam", Kind::Audio, vec![0xfc], DEADLINE));
        assert_eq!(engine.remove_session("viewer"), None);
        assert!(!engine.add_candidate("viewer", "video", "candidate:1 1 UDP 1 127.0.0.1 9 typ host"));
        assert_eq!(engine.accept_answer("pull", "", &[]), Err(EngineError::Closing));
        drop(engine.hold_shard(0));
        engine.close();
    });
}

#[test]
fn a_start_that_fails_leaves_no_thread_and_no_port() {
    let _alone = alone();
    let mut failures = 0;
    while failures < 3 {
        let taken = UdpSocket::bind((LOOPBACK, 0)).expect("a free port");
        let port = taken.local_addr().expect("it is bound").port();
        let config = EngineConfig { media_host: Some(LOOPBACK), media_port: port - 1, shards: 2 };
        match Engine::start(&config).map(drop) {
            Err(EngineError::AddressInUse(busy)) if busy == port => failures += 1,
            // Somebody has the port before.
            Err(EngineError::AddressInUse(_)) => continue,
            other => panic!("{other:?}"),
        }
        eventually("the end of the threads", || threads().is_empty());
        UdpSocket::bind((LOOPBACK, port - 1)).expect("the first port is free again");
    }
}

#[test]
fn ingest_that_fails_ends_its_streams_and_holds_nobody_up() {
    let _alone = alone();
    let engine = Arc::new(start(1));
    add(&engine, "cam", pushed()).expect("a new stream");
    add(&engine, "live", PUBLISHED).expect("a new stream");
    let ports = add(&engine, "rtp", received(false)).expect("a new stream");
    let (_viewer, offer) = Viewer::offer();
    publish(&engine, "live", "publisher", &offer).expect("an answer");
    let picture = annex_b(&picture(0, true, 1_000));
    assert!(engine.push("cam", Kind::Video, picture.clone(), Duration::ZERO));
    let active = |engine: &Engine| engine.facts("cam").and_then(|facts| facts.video).is_some_and(|leg| leg.active);
    eventually("a live stream", || active(&engine));

    engine.fail_ingest();
    let (mut ended, mut logged) = (Vec::new(), 0);
    eventually("the end of every stream", || {
        for event in engine.drain_events() {
            match event {
                Event::StreamFailed { stream, error } => {
                    assert!(error.contains("ingest"), "{error}");
                    ended.push(stream);
                }
                Event::Log { level: rtc::Level::Error, text } if text.contains("ingest") => logged += 1,
                _ => {}
            }
        }
        ended.len() == 3
    });
    ended.sort();
    assert_eq!((ended.join(" "), logged), ("cam live rtp".into(), 1));
    assert!(!active(&engine));
    returned("whatever is asked for", move || {
        assert!(!engine.push("cam", Kind::Video, picture, Duration::ZERO));
        let clear = |error: EngineError| assert!(error.to_string().contains("takes in no media"), "{error}");
        clear(add(&engine, "other", pushed()).expect_err("nothing is taken in"));
        clear(publish(&engine, "live", "second", &offer).expect_err("nobody publishes"));
        clear(offer_pull(&engine, "live", "pull", next_number()).expect_err("nothing is pulled"));
        assert!(engine.remove_session("publisher").is_some());
        engine.remove_stream("rtp");
        UdpSocket::bind((LOOPBACK, ports.video.expect("a port"))).expect("the port is free again");
        engine.remove_stream("cam");
        engine.close();
    });
    eventually("the end of the threads", || threads().is_empty());
}

#[test]
fn nobody_waits_for_a_port_but_who_needs_it() {
    let _alone = alone();
    let engine = Arc::new(start(1));
    add(&engine, "cam", pushed()).expect("a new stream");
    let (_viewer, offer) = Viewer::offer();
    let answer = watch(&engine, "cam", "viewer", next_number(), &offer).expect("an answer");
    let candidate = answer.lines().find(|line| line.starts_with("a=candidate:")).expect("a candidate");
    let port: u16 = candidate.split(' ').nth(5).and_then(|port| port.parse().ok()).expect("a port");

    let hold = rtc::hold_receives();
    let socket = UdpSocket::bind((LOOPBACK, 0)).expect("a free port");
    socket.send_to(b"?", (LOOPBACK, port)).expect("loopback");
    eventually("the port's thread is held", || hold.ports() >= 1);
    let trickled = {
        let engine = engine.clone();
        calling(move || engine.add_candidate("viewer", "video", "candidate:1 1 UDP 1 127.0.0.1 9 typ host"))
    };
    let joined = {
        let engine = engine.clone();
        calling(move || watch(&engine, "cam", "further", next_number(), &offer).map(drop))
    };
    // Again and again, since nobody knows when the two have come as far as to wait.
    for _ in 0..100 {
        let engine = engine.clone();
        let (snapshot, viewers) = returned("who looks", move || {
            drop((engine.facts("cam"), engine.drain_events()));
            (engine.snapshot(), engine.viewers())
        });
        assert_eq!((snapshot.udp_ports, viewers.len()), (1, 1));
    }
    assert_eq!(trickled.try_recv(), Err(mpsc::TryRecvError::Empty), "it needs the port");
    assert_eq!(joined.try_recv(), Err(mpsc::TryRecvError::Empty), "it needs the port");
    drop(hold);
    assert_eq!(trickled.recv_timeout(DEADLINE), Ok(true));
    assert_eq!(joined.recv_timeout(DEADLINE), Ok(Ok(())));
}
