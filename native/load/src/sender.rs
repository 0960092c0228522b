//! The thread that sends the stream by the clock.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Instant;

use core_media::frame::Kind;
use rtc::{TrackId, burst, in_network_of};

use crate::programme::{Leg, Programme};
use crate::publisher::Publisher;

/// Sends a stream until it is dropped.
#[derive(Debug)]
pub struct Sender {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Dropped when the thread has ended.
    _publisher: Option<Publisher>,
}

#[derive(Debug, Default)]
struct Shared {
    packets: AtomicU64,
    stop: AtomicBool,
}

impl Sender {
    /// Starts to send RTP to `ports`, on the loopback of the process `server` or of this one. A leg without a port is left
    /// out.
    pub fn start(programme: Programme, ports: Ports, server: Option<u32>) -> io::Result<Self> {
        let with_port = |leg: Leg| Some((ports.of(leg.kind())?, leg));
        let lanes = programme.legs().into_iter().filter_map(with_port).map(|(port, leg)| {
            let way = in_network_of(server, || Way::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))))?;
            Ok(Lane::new(leg, way))
        });
        Self::run(lanes.collect::<io::Result<_>>()?, None)
    }

    /// Starts to publish to a WHIP endpoint, from `host`. Blocks until media can flow; the error is for a person.
    pub fn publish(programme: Programme, host: IpAddr, url: &str) -> Result<Self, String> {
        let publisher = Publisher::start(programme, host, url)?;
        let lanes = programme.legs().into_iter().map(|leg| {
            let way = Way::Track(publisher.track(leg.kind()));
            Lane::new(leg, way)
        });
        Self::run(lanes.collect(), Some(publisher)).map_err(|error| format!("cannot start a thread: {error}"))
    }

    fn run(mut lanes: Vec<Lane>, publisher: Option<Publisher>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let its = shared.clone();
        let thread = std::thread::Builder::new().name("load-sender".into()).spawn(move || run(&mut lanes, &its))?;
        Ok(Self { shared, thread: Some(thread), _publisher: publisher })
    }

    /// Packets sent so far, all legs together.
    pub fn packets(&self) -> u64 {
        self.shared.packets.load(Relaxed)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends within the time of a picture; a panic of it is not made worse here.
            let _ = thread.join();
        }
    }
}

/// Where a server takes a stream's legs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// UDP.
    pub video: Option<u16>,
    /// UDP.
    pub audio: Option<u16>,
}

impl Ports {
    fn of(self, kind: Kind) -> Option<u16> {
        match kind {
            Kind::Video => self.video,
            Kind::Audio => self.audio,
        }
    }
}

/// One leg with its own way and clock.
struct Lane {
    leg: Leg,
    way: Way,
    due: Instant,
}

/// How packets leave.
enum Way {
    /// As they are.
    Socket(UdpSocket),
    /// Encrypted, to a WHIP endpoint.
    Track(TrackId),
}

impl Lane {
    fn new(leg: Leg, way: Way) -> Self {
        Self { leg, way, due: Instant::now() }
    }
}

impl Way {
    fn to(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(address)?;
        Ok(Self::Socket(socket))
    }

    /// Gives how many left: a server that is not there yet, or no more, answers with an error.
    fn send(&self, packets: &[Vec<u8>]) -> usize {
        match self {
            Self::Socket(socket) => packets.iter().filter(|packet| socket.send(packet).is_ok()).count(),
            Self::Track(track) => burst(|burst| packets.iter().filter(|packet| burst.send(*track, packet)).count()),
        }
    }
}

fn run(lanes: &mut [Lane], shared: &Shared) {
    while !shared.stop.load(Relaxed) {
        let Some(next) = lanes.iter_mut().min_by_key(|lane| lane.due) else { return };
        std::thread::sleep(next.due.saturating_duration_since(Instant::now()));
        next.due += next.leg.interval();
        let sent = next.way.send(next.leg.next());
        shared.packets.fetch_add(sent as u64, Relaxed);
    }
}
