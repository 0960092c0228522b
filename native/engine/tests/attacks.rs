//! Viewers beside an attacker: none is ended, and all get pictures after it.
//!
//! What attackers make the libraries do with memory shows under a memory checker: `scripts/test --only asan`. What they cost
//! the others is measured by `scripts/bench attack`.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::frame::Kind;
use core_media::history::Limits;
use core_media::pacer::DEFAULT_BURST;
use engine::{Engine, Ingress, MediaLine, SessionConfig, StreamConfig};
use load::attack::{Attack, Bounds, Report, Target, attack};
use support::*;

const STREAM: &str = "cam";
const VIEWERS: usize = 4;
/// Of a stream whose pictures come that often.
const INTERVAL: Duration = Duration::from_millis(10);
/// Of one attack.
const BOUNDS: Bounds = Bounds { lasts: Duration::from_secs(2), most: 50_000 };

#[test]
fn viewers_survive_strangers() {
    survive(&["strangers", "wrong-password", "client-hello", "client-hello-after-ice"]);
}

#[test]
fn viewers_survive_noise_and_new_streams_of_another_viewer() {
    survive(&["own-socket", "srtp-ssrcs", "srtcp-ssrcs"]);
}

#[test]
fn viewers_survive_requests_of_another_viewer() {
    survive(&["nack", "pli", "fir"]);
}

fn survive(attacks: &[&str]) {
    let engine = start(2);
    let config = StreamConfig {
        id: STREAM.into(),
        ingress: Ingress::Push { video: Some(Codec::H264.into()), audio: None },
        silence: DEADLINE,
        limits: Limits::default(),
        burst: DEFAULT_BURST,
    };
    engine.add_stream(config).expect("a new stream");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| push(&engine, &stop));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let viewers: Vec<Viewer> = (0..VIEWERS).map(|_| Viewer::join(&engine, STREAM)).collect();
            attacks.iter().for_each(|name| check(&engine, &viewers, name));
        }));
        stop.store(true, Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

fn push(engine: &Engine, stop: &AtomicBool) {
    let start = Instant::now();
    for number in (0_u32..).take_while(|_| !stop.load(Relaxed)) {
        let picture = annex_b(&picture(number, number.is_multiple_of(50), 3_000));
        engine.push(STREAM, Kind::Video, picture, start.elapsed());
        std::thread::sleep(INTERVAL);
    }
}

fn check(engine: &Engine, viewers: &[Viewer], name: &str) {
    let Report { sent, sessions, .. } = attacked(engine, name);
    assert!(sent > 0 && sessions > 0, "{name}: {sent} datagrams, {sessions} sessions");
    for viewer in viewers {
        viewer.log.state().packets.clear();
        viewer.log.wait(name, |state| state.gone || state.packets.len() > 10);
        assert!(!viewer.log.state().gone, "{name} ended a viewer");
    }
}

/// Attacks; what it joined with leaves afterwards.
fn attacked(engine: &Engine, name: &str) -> Report {
    let sessions = Mutex::new(Vec::new());
    let join = |offer: &str| {
        let number = next_number();
        let id = format!("attacker-{number}");
        let answer = engine.add_viewer(&session(&id, number, offer)).map_err(|error| error.to_string());
        sessions.lock().expect("no panic").push(id);
        answer
    };
    let target = Target { join: &join, leg: None };
    let report = attack(Attack::named(name).expect("it exists"), &target, BOUNDS).expect("it begins");
    for id in sessions.into_inner().expect("no panic") {
        engine.remove_session(&id);
    }
    report
}

/// The attacker's offer has sound before pictures; what the engine gets is that of a viewer, as negotiation leaves it.
fn session(id: &str, number: u32, offer: &str) -> SessionConfig {
    let line = |mid, kind: Kind, payload_type, codec: &str| {
        let (name, ssrc) = (kind.name(), number << 1 | mid);
        let description = format!(
            "m={name} 9 UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=sendonly\r\n\
             a=rtpmap:{payload_type} {codec}\r\na=ssrc:{ssrc} cname:test\r\na=rtcp-mux\r\n"
        );
        let (cname, extensions) = ("test".into(), ExtensionIds::default());
        MediaLine {
            kind,
            codec: Codec::H264,
            channels: None,
            description,
            payload_type,
            ssrc,
            cname,
            retransmission: None,
            extensions,
            nack: true,
        }
    };
    let media = vec![line(0, Kind::Audio, 111, "opus/48000/2"), line(1, Kind::Video, 96, "H264/90000")];
    let offer = offer.replace("a=setup:actpass", "a=setup:active").replace("a=sendrecv", "a=recvonly");
    SessionConfig { id: id.into(), stream: STREAM.into(), offer, media, timeout: DEADLINE }
}
