//! The DS field that the network sees of real peers' media sent in one burst.
#![cfg(target_os = "linux")]

mod support;

use rtc::{MuxPort, burst};
use socket2::{SockAddr, SockAddrStorage};
use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Sender, channel};
use support::*;

/// Expedited forwarding and AF42 in the DS field (RFC 8837 section 5).
const EF: u8 = 46 << 2;
const AF42: u8 = 36 << 2;

struct Marked {
    length: usize,
    from: SocketAddr,
    mark: u8,
}

/// A socket that tells the DS field of what it receives.
fn marked_socket(address: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).expect("a free port");
    socket.set_read_timeout(Some(DEADLINE)).expect("valid");
    let (level, name) = match address {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVTOS),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
    };
    let on: libc::c_int = 1;
    // SAFETY: the value lives and has the given size.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), 4) };
    assert_eq!(result, 0);
    socket
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Marked> {
    let (mut control, mut sender) = ([0_u64; 16], SockAddrStorage::zeroed());
    // SAFETY: all areas live through the call; address and control data are read as the system wrote them.
    unsafe {
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut header: libc::msghdr = mem::zeroed();
        header.msg_namelen = sender.size_of();
        header.msg_name = (&raw mut sender).cast();
        header.msg_iov = &mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        let length = libc::recvmsg(socket.as_raw_fd(), &mut header, 0);
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        let first = libc::CMSG_FIRSTHDR(&header);
        assert!(!first.is_null(), "the system tells the mark");
        let from = SockAddr::new(sender, header.msg_namelen).as_socket().expect("an IP socket");
        Ok(Marked { length, from, mark: *libc::CMSG_DATA(first) })
    }
}

/// Passes datagrams between the server and whoever sends first, and tells payload type and mark of the server's SRTP
/// packets. Ends with an empty datagram.
fn relay(socket: &UdpSocket, server: SocketAddr, tell: &Sender<(u8, u8)>) {
    let mut viewer = None;
    let mut buffer = [0; 2000];
    loop {
        let Marked { length, from, mark } = receive(socket, &mut buffer).expect("traffic before the deadline");
        let datagram = &buffer[..length];
        if datagram.is_empty() {
            return;
        }
        let to = if from == server {
            if (128..192).contains(&datagram[0]) {
                tell.send((datagram[1] & 0x7f, mark)).expect("the test listens");
            }
            viewer.expect("the viewer begins")
        } else {
            viewer = Some(from);
            server
        };
        socket.send_to(datagram, to).expect("sent");
    }
}

/// Payload types and marks of what a server sends in one burst from a port bound to `bind`, and how many of each.
fn marks_seen(address: IpAddr, bind: Option<IpAddr>) -> Vec<((u8, u8), u32)> {
    let viewer_port = MuxPort::open(Some(address), 0).expect("a free port");
    let server_port = MuxPort::open(bind, 0).expect("a free port");
    let socket = marked_socket(address);
    let relay_address = socket.local_addr().expect("bound");
    let server_address = SocketAddr::from((address, server_port.port()));
    let (tell, told) = channel();
    let relaying = std::thread::spawn(move || relay(&socket, server_address, &tell));

    let sections = |direction, ssrcs: [u32; 2]| {
        [section("video", "0", direction, ssrcs[0]), section("audio", "1", direction, ssrcs[1])]
    };
    let (recorder, viewer_events) = Recorder::new();
    let wanted = sections("recvonly", [1, 2]);
    let (viewer, offered) = offer(&viewer_port, &wanted.each_ref().map(|it| &**it), recorder);
    // The server learns the relay's address from what arrives, the viewer is given it.
    let (recorder, server_events) = Recorder::new();
    let given = sections("sendonly", [VIDEO_SSRC, AUDIO_SSRC]);
    let (server, answered) = answer(&server_port, &offered, &given.each_ref().map(|it| &**it), recorder);
    viewer.set_answer(&without_candidates(&answered)).expect("a valid answer");
    let candidate = format!("candidate:1 1 UDP 2122317823 {} {} typ host", address, relay_address.port());
    assert!(viewer.add_candidate("0", &candidate));
    for events in [&viewer_events, &server_events] {
        events.wait_for(&Event::Open(0));
        events.wait_for(&Event::Open(1));
    }

    burst(|burst| {
        for sequence in 0..6 {
            assert!(burst.send(server.track(0), &rtp(96, VIDEO_SSRC, sequence, 1000)));
            assert!(burst.send(server.track(0), &rtp(96, VIDEO_SSRC, 100 + sequence, 1000)));
            assert!(burst.send(server.track(1), &rtp(111, AUDIO_SSRC, sequence, 100)));
        }
    });
    let mut marks = BTreeMap::new();
    for _ in 0..18 {
        *marks.entry(told.recv_timeout(DEADLINE).expect("before the deadline")).or_default() += 1;
        viewer_events.packet();
    }

    viewer.close();
    server.close();
    UdpSocket::bind((address, 0)).expect("a free port").send_to(&[], relay_address).expect("sent");
    relaying.join().expect("the relay has seen the end");
    marks.into_iter().collect()
}

#[test]
fn audio_and_video_of_one_burst_keep_their_own_marks() {
    let expected = [((96, AF42), 12), ((111, EF), 6)];
    assert_eq!(marks_seen(LOOPBACK, Some(LOOPBACK)), expected);
    let ipv6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    assert_eq!(marks_seen(ipv6, Some(ipv6)), expected);
    assert_eq!(marks_seen(LOOPBACK, None), expected, "IPv4 through a socket for both");
}
