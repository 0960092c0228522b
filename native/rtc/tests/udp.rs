//! UDP in batches.

use mio::{Events, Interest, Poll, Token};
use rtc::{RecvBatch, UdpSocket};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

const DEADLINE: Option<Duration> = Some(Duration::from_secs(20));

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn sender() -> std::net::UdpSocket {
    std::net::UdpSocket::bind(loopback()).expect("a free port")
}

#[test]
fn a_batch_holds_what_has_come_in_order_with_senders() {
    let socket = UdpSocket::bind(loopback()).expect("a free port");
    let to = socket.local_addr().expect("bound");
    let senders = [sender(), sender()];
    for n in 0..10_u8 {
        senders[usize::from(n) % 2].send_to(&vec![n; usize::from(n) * 100], to).expect("sent");
    }
    let mut batch = RecvBatch::new(6, 1500);
    let mut received = Vec::new();
    for expected in [6, 4, 0, 0] {
        assert_eq!(socket.recv(&mut batch).expect("works"), expected);
        received.extend(batch.iter().map(|(data, from)| (data.to_vec(), from)));
    }
    let sent: Vec<(Vec<u8>, SocketAddr)> = (0..10_u8)
        .map(|n| (vec![n; usize::from(n) * 100], senders[usize::from(n) % 2].local_addr().expect("bound")))
        .collect();
    assert_eq!(received, sent);
}

#[test]
fn what_is_too_large_is_counted_and_left_out() {
    let socket = UdpSocket::bind(loopback()).expect("a free port");
    let (from, to) = (sender(), socket.local_addr().expect("bound"));
    for size in [99, 100, 101, 3000, 50] {
        from.send_to(&vec![1; size], to).expect("sent");
    }
    let mut batch = RecvBatch::new(10, 100);
    assert_eq!(socket.recv(&mut batch).expect("works"), 5);
    let sizes: Vec<usize> = batch.iter().map(|(data, _)| data.len()).collect();
    assert_eq!(sizes, [99, 100, 50]);
    assert_eq!(batch.truncated(), 2);
    assert_eq!(socket.recv(&mut batch).expect("works"), 0);
    assert_eq!((batch.iter().count(), batch.truncated()), (0, 2));
}

#[test]
fn ipv6_takes_ipv4_only_on_every_interface() {
    let both = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into()).expect("a free port");
    let port = both.local_addr().expect("bound").port();
    sender().send_to(b"4", (Ipv4Addr::LOCALHOST, port)).expect("sent");
    let six = std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a free port");
    six.send_to(b"6", (Ipv6Addr::LOCALHOST, port)).expect("sent");
    let mut batch = RecvBatch::new(8, 100);
    assert_eq!(both.recv(&mut batch).expect("works"), 2);
    let received: Vec<&[u8]> = batch.iter().map(|(data, _)| data).collect();
    assert_eq!(received, [b"4", b"6"]);
}

#[test]
fn a_taken_port_is_an_error() {
    let first = UdpSocket::bind(loopback()).expect("a free port");
    let second = UdpSocket::bind(first.local_addr().expect("bound"));
    assert_eq!(second.expect_err("taken").kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn a_poll_wakes_up_for_each_arrival_after_draining() {
    let mut socket = UdpSocket::bind(loopback()).expect("a free port");
    let (from, to) = (sender(), socket.local_addr().expect("bound"));
    let mut poll = Poll::new().expect("the system has it");
    poll.registry().register(&mut socket, Token(7), Interest::READABLE).expect("valid");
    let (mut events, mut batch) = (Events::with_capacity(8), RecvBatch::new(64, 1500));
    for round in 0..5_u8 {
        from.send_to(&[round], to).expect("sent");
        let mut received = Vec::new();
        while received.is_empty() {
            poll.poll(&mut events, DEADLINE).expect("works");
            assert!(events.iter().any(|event| event.token() == Token(7)), "before the deadline");
            while socket.recv(&mut batch).expect("works") > 0 {
                received.extend(batch.iter().map(|(data, _)| data.to_vec()));
            }
        }
        assert_eq!(received, [[round]]);
    }
}
