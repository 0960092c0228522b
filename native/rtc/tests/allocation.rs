//! A burst in its steady state takes no memory. Alone in its file: it counts every allocation.
#![cfg(target_os = "linux")]

use rtc::burst;
use socket2::SockAddr;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's own argument.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's own arguments.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn bursts_reuse_their_memory() {
    let sources: Vec<UdpSocket> =
        (0..2).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port")).collect();
    let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = SockAddr::from(to.local_addr().expect("bound"));
    let send_some = || {
        burst(|_| {
            for n in 0..200 {
                let datagram = [0; 1200];
                let socket = sources[n / 8 % 2].as_raw_fd();
                // SAFETY: both areas live and have the given sizes.
                let sent = unsafe {
                    libc::sendto(socket, datagram.as_ptr().cast(), 1200, 0, address.as_ptr().cast(), address.len())
                };
                assert_eq!(sent, 1200);
            }
        });
    };
    send_some();
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        send_some();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
