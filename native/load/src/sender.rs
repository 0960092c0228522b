//! The thread that sends the stream by the clock.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::programme::Leg;

/// Sends a stream until it is dropped.
#[derive(Debug)]
pub struct Sender {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    packets: AtomicU64,
    stop: AtomicBool,
}

impl Sender {
    /// Starts to send RTP to the ports of a stream's legs; the pictures' rate must divide 90000.
    pub fn start(video: SocketAddr, audio: Option<SocketAddr>, frames_per_second: u32) -> io::Result<Self> {
        let mut legs = vec![Lane::new(Leg::video(frames_per_second), video)?];
        if let Some(audio) = audio {
            legs.push(Lane::new(Leg::audio(), audio)?);
        }
        let shared = Arc::new(Shared::default());
        let its = shared.clone();
        let thread = std::thread::Builder::new().name("load-sender".into()).spawn(move || run(&mut legs, &its))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Packets sent so far, both legs together.
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

/// One leg with its own socket and clock.
struct Lane {
    leg: Leg,
    socket: UdpSocket,
    due: Instant,
}

impl Lane {
    fn new(leg: Leg, to: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(match to {
            SocketAddr::V4(_) => "0.0.0.0:0",
            SocketAddr::V6(_) => "[::]:0",
        })?;
        socket.connect(to)?;
        Ok(Self { leg, socket, due: Instant::now() })
    }
}

fn run(legs: &mut [Lane], shared: &Shared) {
    while !shared.stop.load(Relaxed) {
        let Some(next) = legs.iter_mut().min_by_key(|lane| lane.due) else { return };
        std::thread::sleep(next.due.saturating_duration_since(Instant::now()));
        next.due += next.leg.interval();
        for packet in next.leg.next() {
            // A server that is not there yet, or no more, answers with an error.
            if next.socket.send(packet).is_ok() {
                shared.packets.fetch_add(1, Relaxed);
            }
        }
    }
}
