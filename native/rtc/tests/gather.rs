//! Bursts over real sockets: what was sent is what arrives, in few system calls.
//!
//! The datagrams are given to `sendto` as libjuice does it. The whole file runs again without GSO and
//! without sendmmsg.
#![cfg(target_os = "linux")]

use rtc::{SendCounters, burst, send_counters};
use socket2::{SockAddr, SockRef};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The counters are the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn socket(address: impl Into<std::net::IpAddr>) -> UdpSocket {
    let socket = UdpSocket::bind((address.into(), 0)).expect("a free port");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("valid");
    SockRef::from(&socket).set_recv_buffer_size(4 << 20).expect("valid");
    socket
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("bound")
}

/// `sendto` without flags, as libjuice calls it.
fn send(from: &UdpSocket, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
    let to = SockAddr::from(to);
    // SAFETY: both areas live and have the given sizes.
    let sent = unsafe {
        libc::sendto(from.as_raw_fd(), datagram.as_ptr().cast(), datagram.len(), 0, to.as_ptr().cast(), to.len())
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    assert_eq!(sent as usize, datagram.len());
    Ok(())
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let length = socket.recv(&mut buffer).expect("a datagram before the deadline");
    buffer.truncate(length);
    buffer
}

fn nothing_left(socket: &UdpSocket) {
    socket.set_nonblocking(true).expect("valid");
    assert_eq!(socket.recv(&mut [0; 10]).expect_err("nothing more").kind(), ErrorKind::WouldBlock);
    socket.set_nonblocking(false).expect("valid");
}

fn numbered(count: usize, size: impl Fn(usize) -> usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| (0..size(n)).map(|at| (at + n * 7) as u8).collect()).collect()
}

/// Sends all in one burst, checks that they arrive as they are, in order; gives what the burst did.
fn exchange(from: &UdpSocket, to: &UdpSocket, datagrams: &[Vec<u8>]) -> SendCounters {
    let before = send_counters();
    burst(|_| {
        for datagram in datagrams {
            send(from, datagram, address(to)).expect("gathered");
        }
        nothing_left(to);
    });
    for datagram in datagrams {
        assert_eq!(receive(to), *datagram);
    }
    nothing_left(to);
    since(before)
}

fn since(before: SendCounters) -> SendCounters {
    let now = send_counters();
    SendCounters {
        datagrams: now.datagrams - before.datagrams,
        calls: now.calls - before.calls,
        dropped: now.dropped - before.dropped,
        waits: now.waits - before.waits,
        gso_refused: now.gso_refused - before.gso_refused,
        ..now
    }
}

/// System calls for messages of so many datagrams each, on one socket.
fn expected_calls(messages: &[usize]) -> u64 {
    let now = send_counters();
    let units = if now.gso { messages.len() } else { messages.iter().sum() };
    (if now.sendmmsg { units.div_ceil(64) } else { units }) as u64
}

#[test]
fn a_frame_leaves_in_one_call() {
    let _alone = alone();
    let (from, to) = (socket(Ipv4Addr::LOCALHOST), socket(Ipv4Addr::LOCALHOST));
    let frame = numbered(8, |n| if n == 7 { 431 } else { 1200 });
    let did = exchange(&from, &to, &frame);
    assert_eq!((did.datagrams, did.dropped, did.gso_refused), (8, 0, 0));
    assert_eq!(did.calls, expected_calls(&[8]));
}

#[test]
fn all_sizes_arrive_as_they_are() {
    let _alone = alone();
    let (from, to) = (socket(Ipv4Addr::LOCALHOST), socket(Ipv4Addr::LOCALHOST));
    exchange(&from, &to, &numbered(60, |n| 1 + (n * 37) % 1300));
    exchange(&from, &to, &numbered(60, |n| [4, 1, 1, 2, 1200, 1200, 1200, 3][n % 8]));
    exchange(&from, &to, &numbered(3, |_| 65_507));
    exchange(&from, &to, &[]);
}

#[test]
fn long_runs_are_cut_at_64_segments_and_at_the_largest_payload() {
    let _alone = alone();
    let (from, to) = (socket(Ipv4Addr::LOCALHOST), socket(Ipv4Addr::LOCALHOST));
    let did = exchange(&from, &to, &numbered(150, |_| 200));
    assert_eq!(did.calls, expected_calls(&[64, 64, 22]));
    let did = exchange(&from, &to, &numbered(100, |_| 1400));
    assert_eq!(did.calls, expected_calls(&[46, 46, 8]));
}

#[test]
fn ipv6_and_ipv4_through_a_socket_for_both() {
    let _alone = alone();
    let (from, to) = (socket(Ipv6Addr::UNSPECIFIED), socket(Ipv6Addr::LOCALHOST));
    let did = exchange(&from, &to, &numbered(20, |n| if n == 19 { 5 } else { 1100 }));
    assert_eq!(did.calls, expected_calls(&[20]));
    let to = socket(Ipv4Addr::LOCALHOST);
    let did = exchange(&from, &to, &numbered(20, |n| if n == 19 { 5 } else { 1100 }));
    assert_eq!((did.calls, did.dropped), (expected_calls(&[20]), 0));
}

#[test]
fn many_viewers_share_a_call_and_each_keeps_its_order() {
    let _alone = alone();
    let from = socket(Ipv4Addr::LOCALHOST);
    let viewers: Vec<UdpSocket> = (0..40).map(|_| socket(Ipv4Addr::LOCALHOST)).collect();
    let before = send_counters();
    let frame = |viewer: usize| numbered(8, move |n| if n == 7 { 100 + viewer } else { 1200 });
    burst(|_| {
        for (index, viewer) in viewers.iter().enumerate() {
            for datagram in frame(index) {
                send(&from, &datagram, address(viewer)).expect("gathered");
            }
        }
    });
    let did = since(before);
    assert_eq!(did.calls, expected_calls(&[8; 40]));
    for (index, viewer) in viewers.iter().enumerate() {
        for datagram in frame(index) {
            assert_eq!(receive(viewer), datagram);
        }
        nothing_left(viewer);
    }
}

#[test]
fn addresses_and_sockets_may_alternate() {
    let _alone = alone();
    let sources: Vec<UdpSocket> = (0..3).map(|_| socket(Ipv4Addr::LOCALHOST)).collect();
    let targets: Vec<UdpSocket> = (0..2).map(|_| socket(Ipv4Addr::LOCALHOST)).collect();
    let before = send_counters();
    burst(|_| {
        for n in 0..60_u8 {
            let (from, to) = (&sources[usize::from(n) % 3], &targets[usize::from(n) % 2]);
            send(from, &[n; 50], address(to)).expect("gathered");
        }
    });
    if send_counters().sendmmsg {
        assert_eq!(since(before).calls, 3, "one for each socket");
    }
    for (index, target) in targets.iter().enumerate() {
        let mut last = [None; 3];
        for _ in 0..30 {
            let n = receive(target)[0];
            assert_eq!(usize::from(n) % 2, index);
            let last = &mut last[usize::from(n) % 3];
            assert!(*last < Some(n), "{n} after {last:?}");
            *last = Some(n);
        }
        nothing_left(target);
    }
}

#[test]
fn the_mark_of_the_socket_stays_during_a_burst() {
    let _alone = alone();
    let socket = socket(Ipv4Addr::LOCALHOST);
    let set = |mark: libc::c_int| {
        // SAFETY: the value lives and has the given size.
        let result = unsafe {
            libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, libc::IP_TOS, (&raw const mark).cast(), 4)
        };
        assert_eq!(result, 0);
        SockRef::from(&socket).tos_v4().expect("valid")
    };
    assert_eq!(set(8), 8);
    burst(|_| assert_eq!(set(16), 8));
    assert_eq!(set(16), 16);
}

#[test]
fn a_destination_that_is_refused_costs_nobody_else() {
    let _alone = alone();
    let from = socket(Ipv4Addr::LOCALHOST);
    let viewers: Vec<UdpSocket> = (0..2).map(|_| socket(Ipv4Addr::LOCALHOST)).collect();
    // Broadcast needs an option that this socket does not have.
    let refused = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
    assert_eq!(send(&from, &[0; 10], refused).expect_err("refused").kind(), ErrorKind::PermissionDenied);
    let before = send_counters();
    burst(|_| {
        for to in [address(&viewers[0]), refused, address(&viewers[1]), refused] {
            for datagram in numbered(5, |_| 300) {
                send(&from, &datagram, to).expect("gathered");
            }
        }
    });
    let did = since(before);
    assert_eq!((did.datagrams, did.dropped, did.gso_refused), (10, 10, 0));
    for viewer in &viewers {
        for datagram in numbered(5, |_| 300) {
            assert_eq!(receive(viewer), datagram);
        }
    }
}

#[test]
fn outside_a_burst_sending_is_immediate() {
    let _alone = alone();
    let (from, to) = (socket(Ipv4Addr::LOCALHOST), socket(Ipv4Addr::LOCALHOST));
    burst(|_| {});
    let before = send_counters();
    send(&from, b"now", address(&to)).expect("sent");
    assert_eq!(receive(&to), b"now");
    assert_eq!(since(before).calls, 0);
}

#[test]
fn empty_datagrams_are_not_held_back() {
    let _alone = alone();
    let (from, to) = (socket(Ipv4Addr::LOCALHOST), socket(Ipv4Addr::LOCALHOST));
    burst(|_| {
        send(&from, b"later", address(&to)).expect("gathered");
        send(&from, b"", address(&to)).expect("sent");
        assert_eq!(receive(&to), b"");
    });
    assert_eq!(receive(&to), b"later");
}

#[test]
fn another_thread_is_not_in_the_burst() {
    let _alone = alone();
    let (from, to) = (socket(Ipv4Addr::LOCALHOST), socket(Ipv4Addr::LOCALHOST));
    burst(|_| {
        send(&from, b"later", address(&to)).expect("gathered");
        std::thread::scope(|scope| {
            scope.spawn(|| send(&from, b"now", address(&to)).expect("sent"));
        });
        assert_eq!(receive(&to), b"now");
    });
    assert_eq!(receive(&to), b"later");
}

#[test]
fn a_burst_within_a_burst_belongs_to_the_outer_one() {
    let _alone = alone();
    let (from, to) = (socket(Ipv4Addr::LOCALHOST), socket(Ipv4Addr::LOCALHOST));
    burst(|_| {
        send(&from, b"1", address(&to)).expect("gathered");
        burst(|_| send(&from, b"2", address(&to)).expect("gathered"));
        nothing_left(&to);
        send(&from, b"3", address(&to)).expect("gathered");
        nothing_left(&to);
    });
    for expected in [b"1", b"2", b"3"] {
        assert_eq!(receive(&to), expected);
    }
}

#[test]
fn a_panic_leaves_no_burst_open() {
    let _alone = alone();
    let (from, to) = (socket(Ipv4Addr::LOCALHOST), socket(Ipv4Addr::LOCALHOST));
    let panicked = std::panic::catch_unwind(|| {
        burst(|_| {
            send(&from, b"before", address(&to)).expect("gathered");
            panic!("on purpose");
        })
    });
    assert!(panicked.is_err());
    assert_eq!(receive(&to), b"before");
    send(&from, b"after", address(&to)).expect("sent");
    assert_eq!(receive(&to), b"after");
    exchange(&from, &to, &numbered(8, |_| 500));
}

#[test]
fn again_without_gso_and_without_sendmmsg() {
    const SWITCHES: [&str; 2] = ["FETCH_WHEP_NO_GSO", "FETCH_WHEP_NO_SENDMMSG"];
    if SWITCHES.iter().any(|switch| std::env::var_os(switch).is_some()) {
        let now = send_counters();
        for (switch, on) in SWITCHES.iter().zip([now.gso, now.sendmmsg]) {
            assert!(std::env::var_os(switch).is_none() || !on, "{switch} switches off");
        }
        return;
    }
    assert!(send_counters().gso && send_counters().sendmmsg, "this kernel has both");
    for switches in [&SWITCHES[..1], &SWITCHES[1..], &SWITCHES[..]] {
        let output = Command::new(std::env::current_exe().expect("Linux tells"))
            .envs(switches.iter().map(|switch| (switch, "1")))
            .output()
            .expect("this very program starts");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "with {switches:?}:\n{told}");
    }
}
