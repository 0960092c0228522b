//! A path between a viewer and its server on which DTLS fares as a test says; everything else passes.

use super::LOOPBACK;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// Looks for the end of the test this often.
const TURN: Duration = Duration::from_millis(20);

/// What becomes of the datagrams of DTLS, in each direction.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// The one of this number, from 0, is lost.
    Lost(usize),
    /// Each comes twice.
    Doubled,
    /// Each second one overtakes the one before.
    Swapped,
}

/// Carries datagrams while it lives.
pub struct Relay {
    /// Where the viewer finds its server.
    pub address: SocketAddr,
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    pub fn start(viewer: SocketAddr, server: SocketAddr, fate: Fate) -> Self {
        let socket = || Arc::new(UdpSocket::bind((LOOPBACK, 0)).expect("a free port"));
        let (near, far) = (socket(), socket());
        let address = near.local_addr().expect("bound");
        let end = Arc::new(AtomicBool::new(false));
        let carry = |from: &Arc<UdpSocket>, through: &Arc<UdpSocket>, to| {
            let (from, through, end) = (from.clone(), through.clone(), end.clone());
            from.set_read_timeout(Some(TURN)).expect("valid");
            std::thread::spawn(move || carry(&from, &through, to, fate, &end))
        };
        let threads = vec![carry(&near, &far, server), carry(&far, &near, viewer)];
        Self { address, end, threads }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of it is not made worse here.
            let _ = thread.join();
        }
    }
}

fn carry(from: &UdpSocket, through: &UdpSocket, to: SocketAddr, fate: Fate, end: &AtomicBool) {
    let mut buffer = [0; 4096];
    let (mut count, mut held) = (0, None);
    let send = |datagram: &[u8]| {
        through.send_to(datagram, to).expect("loopback takes it");
    };
    while !end.load(Relaxed) {
        let Ok(length) = from.recv(&mut buffer) else { continue };
        let datagram = &buffer[..length];
        if !matches!(datagram[0], 20..=63) {
            send(datagram);
            continue;
        }
        match fate {
            Fate::Lost(number) if number == count => {}
            Fate::Lost(_) => send(datagram),
            Fate::Doubled => [datagram; 2].into_iter().for_each(send),
            Fate::Swapped => match held.take() {
                None => held = Some(datagram.to_vec()),
                Some(first) => {
                    send(datagram);
                    send(&first);
                }
            },
        }
        count += 1;
    }
}
