//! A NAT between a viewer and the engine that may give the viewer another port at any time.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::LOOPBACK;

/// Between two looks at whether it is to end.
const PATIENCE: Duration = Duration::from_millis(5);

pub struct Relay {
    /// Towards the viewer, who takes it for the engine.
    front: Arc<UdpSocket>,
    /// Towards the engine, which takes it for the viewer.
    back: Arc<Mutex<Arc<UdpSocket>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

fn socket() -> Arc<UdpSocket> {
    let socket = UdpSocket::bind((LOOPBACK, 0)).expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("valid");
    Arc::new(socket)
}

impl Relay {
    pub fn start(engine: SocketAddr) -> Self {
        let (front, back) = (socket(), Arc::new(Mutex::new(socket())));
        let (stop, viewer) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let forth = {
            let (front, back, viewer) = (front.clone(), back.clone(), viewer.clone());
            carry(stop.clone(), move |buffer| {
                let (length, from) = front.recv_from(buffer)?;
                *lock(&viewer) = Some(from);
                lock(&back).send_to(&buffer[..length], engine)
            })
        };
        let home = {
            let (front, back) = (front.clone(), back.clone());
            carry(stop.clone(), move |buffer| {
                let back = lock(&back).clone();
                let length = back.recv(buffer)?;
                lock(&viewer).map_or(Ok(0), |viewer| front.send_to(&buffer[..length], viewer))
            })
        };
        Self { front, back, stop, threads: vec![forth, home] }
    }

    /// Where the viewer sends to.
    pub fn address(&self) -> SocketAddr {
        self.front.local_addr().expect("bound")
    }

    /// From now on the viewer has another port; nobody listens on the old one.
    pub fn rebind(&self) {
        *lock(&self.back) = socket();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // A panic in it shows in what did not arrive.
            let _ = thread.join();
        }
    }
}

/// Carries datagrams in a thread until it is told to stop.
fn carry(
    stop: Arc<AtomicBool>,
    mut next: impl FnMut(&mut [u8]) -> std::io::Result<usize> + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while !stop.load(Relaxed) {
            if let Err(error) = next(&mut buffer) {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused), "{error}");
            }
        }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
