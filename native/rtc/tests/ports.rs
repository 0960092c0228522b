//! Mux ports: who has them, for how long.

mod support;

use rtc::{Error, MuxPort, burst};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use support::*;

#[test]
fn a_port_in_use_is_refused() {
    let other = UdpSocket::bind((LOOPBACK, 0)).expect("a free port");
    let number = other.local_addr().expect("bound").port();
    for bind in [Some(LOOPBACK), None] {
        let result = MuxPort::open(bind, number);
        assert!(matches!(result, Err(Error::AddressInUse(port)) if port == number), "{result:?}");
    }
    drop(other);
    MuxPort::open(Some(LOOPBACK), number).expect("free again").close();
}

#[test]
fn ipv6_in_use_is_no_reason_to_do_with_ipv4_alone() {
    let other = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a free port");
    let number = other.local_addr().expect("bound").port();
    assert!(matches!(MuxPort::open(None, number), Err(Error::AddressInUse(_))));
}

#[test]
fn a_port_of_this_process_is_in_use_for_every_address() {
    let port = port();
    for bind in [Some(LOOPBACK), Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))), None] {
        let result = MuxPort::open(bind, port.port());
        assert!(matches!(result, Err(Error::AddressInUse(_))), "{result:?}");
    }
}

#[test]
fn an_address_of_another_host_can_not_be_bound() {
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)); // RFC 5737: nobody's
    assert!(matches!(MuxPort::open(Some(elsewhere), 0), Err(Error::Bind(_))));
}

#[test]
fn ephemeral_ports_differ_and_are_taken() {
    let ports: Vec<MuxPort> = (0..20).map(|_| port()).collect();
    let mut numbers: Vec<u16> = ports.iter().map(MuxPort::port).collect();
    for &number in &numbers {
        assert!(UdpSocket::bind((LOOPBACK, number)).is_err());
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), ports.len());
    assert!(!numbers.contains(&0));
}

#[test]
fn a_port_stays_open_without_viewers_and_is_free_after_closing() {
    let server_port = port();
    let number = server_port.port();
    for _ in 0..3 {
        let pair = connect(&server_port);
        pair.server.close();
        pair.viewer.close();
        assert!(UdpSocket::bind((LOOPBACK, number)).is_err(), "taken without viewers");
    }
    let pair = connect(&server_port);
    let packet = rtp(96, VIDEO_SSRC, 1, 100);
    burst(|burst| assert!(burst.send(pair.server.track(0), &packet)));
    assert_eq!(pair.viewer_events.packet(), (0, packet));
    pair.server.close();
    server_port.close();
    UdpSocket::bind((LOOPBACK, number)).expect("free at once after closing");
}

#[test]
fn every_interface_takes_both_families() {
    let port = MuxPort::open(None, 0).expect("a free port");
    for address in [LOOPBACK, IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        assert!(UdpSocket::bind((address, port.port())).is_err(), "{address} is taken");
    }
    let number = port.port();
    port.close();
    MuxPort::open(None, number).expect("free again").close();
}
