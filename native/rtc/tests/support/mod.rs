//! Two peers in one process, and events that can be waited for.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod relay;
pub mod stun;

use rtc::{MuxPort, Peer, PeerConfig, PeerEvents, PeerState, Role, Security, SrtpProfile};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longer than anything here takes; a test that waits this long has failed.
pub const DEADLINE: Duration = Duration::from_secs(20);
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A media section with H264 or Opus; payload types 96 and 111.
pub fn section(kind: &str, mid: &str, direction: &str, ssrc: u32) -> String {
    let (payload_type, codec) = match kind {
        "video" => (96, "H264/90000"),
        _ => (111, "opus/48000/2"),
    };
    format!(
        "m={kind} 9 UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
         a={direction}\r\na=rtpmap:{payload_type} {codec}\r\na=ssrc:{ssrc} cname:test\r\n\
         a=rtcp-mux\r\n"
    )
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    State(PeerState),
    Secured(Security),
    Open(usize),
    Message(usize, Vec<u8>),
}

/// Events into a channel.
pub struct Recorder(Mutex<Sender<Event>>);

impl Recorder {
    pub fn new() -> (Arc<Self>, Events) {
        let (sender, receiver) = channel();
        (Arc::new(Self(Mutex::new(sender))), Events(receiver))
    }

    fn record(&self, event: Event) {
        // A test that has seen enough drops its receiver.
        let _ = self.0.lock().expect("no test panics under this lock").send(event);
    }
}

impl PeerEvents for Recorder {
    fn state(&self, state: PeerState) {
        self.record(Event::State(state));
    }
    fn secured(&self, security: Security) {
        self.record(Event::Secured(security));
    }
    fn open(&self, track: usize) {
        self.record(Event::Open(track));
    }
    fn message(&self, track: usize, packet: &[u8]) {
        self.record(Event::Message(track, packet.to_vec()));
    }
}

pub struct Events(Receiver<Event>);

impl Events {
    /// The first event that `found` takes; those before it are gone.
    pub fn wait<T>(&self, mut found: impl FnMut(Event) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.0.recv_timeout(left).expect("the event comes before the deadline");
            if let Some(value) = found(event) {
                return value;
            }
        }
    }

    pub fn wait_for(&self, wanted: &Event) {
        self.wait(|event| (event == *wanted).then_some(()));
    }

    pub fn wait_for_state(&self, wanted: PeerState) {
        self.wait_for(&Event::State(wanted));
    }

    /// What the peer has negotiated.
    pub fn security(&self) -> Security {
        self.wait(|event| match event {
            Event::Secured(security) => Some(security),
            _ => None,
        })
    }

    /// The packet of the next message.
    pub fn packet(&self) -> (usize, Vec<u8>) {
        self.wait(|event| match event {
            Event::Message(track, packet) => Some((track, packet)),
            _ => None,
        })
    }

    /// What has come and was not waited for.
    pub fn drain(&self) -> Vec<Event> {
        self.0.try_iter().collect()
    }
}

pub fn port() -> MuxPort {
    MuxPort::open(Some(LOOPBACK), 0).expect("a free port")
}

pub fn offer(port: &MuxPort, tracks: &[&str], events: Arc<dyn PeerEvents>) -> (Peer, String) {
    let config = PeerConfig { port, role: Role::Offer, tracks, profiles: &SrtpProfile::PREFERENCE, timeout: DEADLINE };
    Peer::new(config, events).expect("an offer")
}

/// Answers an offer of which it learns no candidate: they come with the viewer's first check, so that no check of this side
/// overtakes the answer. The library as a client would refuse it then, or ask for a fingerprint that is not known yet.
pub fn answer(port: &MuxPort, offer: &str, tracks: &[&str], events: Arc<dyn PeerEvents>) -> (Peer, String) {
    answer_to(port, &without_candidates(offer), tracks, events)
}

/// Answers an offer as it is.
pub fn answer_to(port: &MuxPort, offer: &str, tracks: &[&str], events: Arc<dyn PeerEvents>) -> (Peer, String) {
    let config = PeerConfig {
        port,
        role: Role::Answer { offer },
        tracks,
        profiles: &SrtpProfile::PREFERENCE,
        timeout: DEADLINE,
    };
    Peer::new(config, events).expect("an answer")
}

/// The viewer takes the answer in, then its candidates.
pub fn accept(viewer: &Peer, answer: &str) {
    viewer.set_answer(&without_candidates(answer)).expect("a valid answer");
    for candidate in answer.lines().filter(|line| line.starts_with("a=candidate:")) {
        assert!(viewer.add_candidate("0", &candidate[2..]), "{candidate}");
    }
}

pub fn without_candidates(sdp: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate:")).collect()
}

/// A viewer on a port of its own that has offered to receive, and a server's peer that sends.
pub struct Pair {
    pub viewer: Peer,
    pub viewer_events: Events,
    pub server: Peer,
    pub server_events: Events,
    pub viewer_port: MuxPort,
}

pub const VIDEO_SSRC: u32 = 0x1000_0001;
pub const AUDIO_SSRC: u32 = 0x1000_0002;

/// Connected, tracks open. Video is track 0, audio track 1, both sent by the server.
pub fn connect(server_port: &MuxPort) -> Pair {
    let pair = join(LOOPBACK, server_port);
    pair.wait_until_open();
    pair
}

impl Pair {
    pub fn wait_until_open(&self) {
        for events in [&self.server_events, &self.viewer_events] {
            events.wait_for(&Event::Open(0));
            events.wait_for(&Event::Open(1));
        }
    }
}

/// Offer and answer are exchanged; nothing is waited for.
///
/// The server begins DTLS: ICE connects it last, as it has to learn where the viewer is. A first flight that comes too early is
/// repeated.
pub fn join(viewer_address: IpAddr, server_port: &MuxPort) -> Pair {
    let (recorder, events) = Recorder::new();
    join_with(viewer_address, server_port, recorder, events)
}

/// As [`join`], with what the server's peer tells to `server`, from where it gets to `server_events`.
pub fn join_with(
    viewer_address: IpAddr,
    server_port: &MuxPort,
    server: Arc<dyn PeerEvents>,
    server_events: Events,
) -> Pair {
    let viewer_port = MuxPort::open(Some(viewer_address), 0).expect("a free port");
    let (recorder, viewer_events) = Recorder::new();
    let wanted = [section("video", "0", "recvonly", 0x2000_0001), section("audio", "1", "recvonly", 0x2000_0002)];
    let (viewer, offered) = offer(&viewer_port, &wanted.each_ref().map(|it| &**it), recorder);
    let given = [section("video", "0", "sendonly", VIDEO_SSRC), section("audio", "1", "sendonly", AUDIO_SSRC)];
    let (server, answered) = answer(server_port, &offered, &given.each_ref().map(|it| &**it), server);
    accept(&viewer, &answered);
    Pair { viewer, viewer_events, server, server_events, viewer_port }
}

/// An RTP packet whose payload tells its number.
pub fn rtp(payload_type: u8, ssrc: u32, sequence: u16, payload: usize) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 3000).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((0..payload).map(|at| (at as u8).wrapping_add(sequence as u8)));
    packet
}

/// A receiver report (RFC 3550 section 6.4.2) with one block about `source`.
pub fn receiver_report(sender: u32, source: u32, highest: u32) -> Vec<u8> {
    let mut packet = vec![0x81, 201, 0, 7];
    packet.extend(sender.to_be_bytes());
    packet.extend(source.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(highest.to_be_bytes());
    packet.extend([0; 12]);
    packet
}

/// A sender report without blocks.
pub fn sender_report(sender: u32, packets: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend(sender.to_be_bytes());
    packet.extend([0; 12]);
    packet.extend(packets.to_be_bytes());
    packet.extend([0; 4]);
    packet
}

/// Asks until `done` or the deadline: for what the system does without telling anybody.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "{what} before the deadline");
        std::thread::yield_now();
    }
}
