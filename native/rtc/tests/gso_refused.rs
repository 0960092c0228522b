//! Super-packets that the system refuses at run time. Alone in its file: it counts what the process sends.
#![cfg(target_os = "linux")]

use rtc::{burst, send_counters};
use socket2::SockAddr;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("valid");
    socket
}

/// Four datagrams in one burst, and that they arrive.
fn exchange(from: &UdpSocket, to: &UdpSocket) {
    let address = SockAddr::from(to.local_addr().expect("bound"));
    burst(|_| {
        for n in 0..4_u8 {
            let datagram = [n; 700];
            // SAFETY: both areas live and have the given sizes.
            let sent = unsafe {
                libc::sendto(from.as_raw_fd(), datagram.as_ptr().cast(), 700, 0, address.as_ptr().cast(), address.len())
            };
            assert_eq!(sent, 700);
        }
    });
    for n in 0..4 {
        let mut buffer = [0; 1000];
        assert_eq!(to.recv(&mut buffer).expect("before the deadline"), 700);
        assert_eq!(buffer[..700], [n; 700]);
    }
}

#[test]
fn nothing_is_lost_and_a_thread_rests_gso_only_when_nobody_of_its_own_can_use_it() {
    let (good, refusing, to) = (socket(), socket(), socket());
    // The kernel segments no datagrams without checksums.
    let on: libc::c_int = 1;
    // SAFETY: the value lives and has the given size.
    let result = unsafe {
        libc::setsockopt(refusing.as_raw_fd(), libc::SOL_SOCKET, libc::SO_NO_CHECK, (&raw const on).cast(), 4)
    };
    assert_eq!(result, 0);
    assert!(send_counters().gso, "this kernel has it");

    for _ in 0..100 {
        exchange(&refusing, &to);
        exchange(&good, &to);
    }
    let told = || {
        let now = send_counters();
        (now.datagrams, now.gso_refused, now.dropped)
    };
    assert_eq!(told(), (800, 100, 0));

    for _ in 0..100 {
        exchange(&refusing, &to);
    }
    assert_eq!(told(), (1200, 132, 0));

    thread::scope(|scope| scope.spawn(|| exchange(&refusing, &to)).join().expect("no panic"));
    assert_eq!(told(), (1204, 133, 0), "another thread tries for itself");
}
