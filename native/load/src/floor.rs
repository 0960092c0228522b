//! The floor: the same packets, encrypted with the cipher that SRTP uses, sent to real sockets, and nothing else.
//!
//! What a server needs more than this is what WebRTC costs it.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use rtc::{RecvBatch, SrtpProfile, UdpSocket, burst, in_network_of};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::programme::Programme;

/// As libjuice asks for.
const SEND_BUFFER: usize = 1024 * 1024;
/// Larger than any packet here.
const MAX_DATAGRAM: usize = 1_500;
/// Bytes of an RTP header; authenticated, not encrypted.
const HEADER: usize = 12;

/// How the packets leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// As the server sends: GSO super-packets per viewer, `sendmmsg` across viewers.
    Gathered,
    /// One `sendto` for each packet.
    Single,
}

/// What protects the packets (RFC 7714). There is no floor without AES-GCM.
fn algorithm(profile: SrtpProfile) -> io::Result<&'static Algorithm> {
    match profile {
        SrtpProfile::AeadAes128Gcm => Ok(&AES_128_GCM),
        SrtpProfile::AeadAes256Gcm => Ok(&AES_256_GCM),
        SrtpProfile::AesCmSha1 => Err(io::Error::new(io::ErrorKind::Unsupported, "there is no floor for this profile")),
    }
}

/// What to send, to how many.
#[derive(Clone, Copy, Debug)]
pub struct FloorConfig {
    /// Each with its own key and its own socket.
    pub viewers: usize,
    /// The packets.
    pub programme: Programme,
    /// How they are protected.
    pub profile: SrtpProfile,
    /// Where the viewers' sockets are: an address of this process's network.
    pub host: IpAddr,
    /// The process in whose network the sending socket is; absent: this one.
    pub sender: Option<u32>,
    /// For how long.
    pub lasts: Duration,
    /// How.
    pub road: Road,
}

/// What it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// Packets sent.
    pub sent: u64,
    /// Packets that the receiving sockets got.
    pub received: u64,
    /// Time on a processor, of the one thread that sends.
    pub cpu: Duration,
}

/// Measures it. Blocks for `config.lasts` and some milliseconds.
pub fn floor(config: &FloorConfig) -> io::Result<Floor> {
    let receivers = (0..config.viewers).map(|_| Receiver::start(config.host)).collect::<io::Result<Vec<_>>>()?;
    let algorithm = algorithm(config.profile)?;
    let viewer = |(index, receiver): (usize, &Receiver)| Viewer::new(algorithm, index, receiver.address);
    let mut viewers: Vec<Viewer> = receivers.iter().enumerate().map(viewer).collect();
    let domain = Domain::for_address(SocketAddr::new(config.host, 0));
    let socket = in_network_of(config.sender, || Socket::new(domain, Type::DGRAM, None))?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_nonblocking(true)?;

    // A thread of its own, whose time on a processor is that of the sending alone.
    let sending = std::thread::scope(|scope| scope.spawn(|| send(&socket, &mut viewers, config)).join());
    let (sent, cpu) = sending.map_err(|_| io::Error::other("the sending thread failed"))??;
    let received = receivers.into_iter().map(Receiver::stop).sum();
    Ok(Floor { sent, received, cpu })
}

fn send(socket: &Socket, viewers: &mut [Viewer], config: &FloorConfig) -> io::Result<(u64, Duration)> {
    let mut lanes: Vec<_> = config.programme.legs().into_iter().map(|leg| (leg, Instant::now())).collect();
    let end = Instant::now() + config.lasts;
    let (mut sent, before) = (0, thread_cpu()?);
    loop {
        let next = lanes.iter_mut().min_by_key(|(_, due)| *due).filter(|(_, due)| *due < end);
        let Some((leg, due)) = next else { return Ok((sent, thread_cpu()? - before)) };
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        *due += leg.interval();
        let packets = leg.next();
        let mut send_all = || viewers.iter_mut().map(|viewer| viewer.send(socket, packets)).sum::<u64>();
        sent += match config.road {
            Road::Gathered => burst(|_| send_all()),
            Road::Single => send_all(),
        };
    }
}

/// A viewer's key and address.
struct Viewer {
    key: LessSafeKey,
    address: SockAddr,
    counter: u64,
    packet: Vec<u8>,
}

impl Viewer {
    fn new(algorithm: &'static Algorithm, index: usize, address: SocketAddr) -> Self {
        let mut key = [0x5a; 32];
        key[..8].copy_from_slice(&(index as u64).to_be_bytes());
        let key = UnboundKey::new(algorithm, &key[..algorithm.key_len()]).expect("the length is the cipher's");
        Self { key: LessSafeKey::new(key), address: address.into(), counter: 0, packet: Vec::new() }
    }

    /// Protects as RFC 7714 does; gives how many the system took.
    fn send(&mut self, socket: &Socket, packets: &[Vec<u8>]) -> u64 {
        let mut taken = 0;
        for packet in packets {
            self.packet.clear();
            self.packet.extend(packet);
            self.counter += 1;
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
            let (header, payload) = self.packet.split_at_mut(HEADER);
            let tag = self
                .key
                .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&*header), payload)
                .expect("packets are shorter than the cipher's limit");
            self.packet.extend(tag.as_ref());
            // Like libjuice's own `sendto`: `rtc` gathers it within a burst.
            taken += u64::from(socket.send_to(&self.packet, &self.address).is_ok());
        }
        taken
    }
}

/// A socket and the thread that drains it.
struct Receiver {
    address: SocketAddr,
    shared: Arc<(AtomicU64, AtomicBool)>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Receiver {
    fn start(host: IpAddr) -> io::Result<Self> {
        const SOCKET: Token = Token(0);
        let mut socket = UdpSocket::bind(SocketAddr::new(host, 0))?;
        let address = socket.local_addr()?;
        let mut poll = Poll::new()?;
        poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), Token(1))?;
        let shared = Arc::new((AtomicU64::new(0), AtomicBool::new(false)));
        let its = shared.clone();
        let thread = std::thread::Builder::new().name("floor-receiver".into()).spawn(move || {
            let (received, stop) = &*its;
            let mut events = Events::with_capacity(2);
            let mut batch = RecvBatch::new(RecvBatch::MAX_COUNT, MAX_DATAGRAM);
            loop {
                let stopping = stop.load(Relaxed);
                while let Ok(count @ 1..) = socket.recv(&mut batch) {
                    received.fetch_add(count as u64, Relaxed);
                }
                if stopping || poll.poll(&mut events, None).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { address, shared, waker, thread })
    }

    /// Reads what is still there; gives all that came.
    fn stop(self) -> u64 {
        self.shared.1.store(true, Relaxed);
        // Without it the join below would wait for a packet.
        if self.waker.wake().is_ok() {
            let _ = self.thread.join();
        }
        self.shared.0.load(Relaxed)
    }
}

/// Time that this thread has spent on a processor: the scheduler's own count (Linux, sched-stats).
fn thread_cpu() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_ascii_whitespace().next().and_then(|first| first.parse().ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| io::Error::other("the scheduler keeps no statistics"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programme::Video;
    use core_media::codec::Codec;
    use std::net::Ipv4Addr;

    const CONFIG: FloorConfig = FloorConfig {
        viewers: 10,
        programme: Programme {
            video: Some(Video { codec: Codec::H264, frames_per_second: 30, packets_per_frame: 8 }),
            audio: true,
        },
        profile: SrtpProfile::AeadAes128Gcm,
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        sender: None,
        lasts: Duration::from_millis(300),
        road: Road::Gathered,
    };

    #[test]
    fn all_that_is_sent_is_received_on_both_roads() {
        for (road, profile) in
            [(Road::Gathered, SrtpProfile::AeadAes128Gcm), (Road::Single, SrtpProfile::AeadAes256Gcm)]
        {
            let floor = floor(&FloorConfig { road, profile, ..CONFIG }).expect("loopback works");
            // 9 or 10 pictures of 8 packets, 15 or 16 sounds, parameter sets once.
            assert!((10 * 88..=10 * 97).contains(&floor.sent), "{floor:?}");
            assert_eq!(floor.received, floor.sent);
            assert!(floor.cpu > Duration::ZERO);
        }
    }

    #[test]
    fn a_profile_without_gcm_is_refused() {
        let refused = floor(&FloorConfig { profile: SrtpProfile::AesCmSha1, ..CONFIG });
        assert_eq!(refused.expect_err("no AES-CM here").kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn one_leg_alone_is_sent_alone() {
        let video = Programme { audio: false, ..CONFIG.programme };
        let audio = Programme { video: None, ..CONFIG.programme };
        for (programme, least, most) in [(video, 10 * 73, 10 * 81), (audio, 10 * 15, 10 * 16)] {
            let floor = floor(&FloorConfig { programme, ..CONFIG }).expect("loopback works");
            assert!((least..=most).contains(&floor.sent), "{floor:?}");
        }
    }
}
