//! Linux: gathered messages to the system with sendmmsg, super-packets with UDP_SEGMENT.

use crate::batch::Message;
use crate::flush::{Kernel, Refusal};
use libc::{c_int, c_uint};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{mem, ptr};

/// How long one flush waits for full sockets, all together.
const PATIENCE: Duration = Duration::from_millis(5);
/// Messages given to the system at once.
const AT_ONCE: usize = 64;

/// `FETCH_WHEP_NO_GSO` and `FETCH_WHEP_NO_SENDMMSG` switch them off, for tests.
static GSO: LazyLock<bool> = LazyLock::new(|| !switched_off("FETCH_WHEP_NO_GSO") && kernel_segments());
static SENDMMSG: LazyLock<AtomicBool> = LazyLock::new(|| AtomicBool::new(!switched_off("FETCH_WHEP_NO_SENDMMSG")));

/// Whether there are super-packets. The first call asks the system.
pub(crate) fn gso() -> bool {
    *GSO
}

/// Whether sendmmsg is in use.
pub(crate) fn sendmmsg() -> bool {
    SENDMMSG.load(Relaxed)
}

fn switched_off(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

/// Whether the kernel knows UDP_SEGMENT (Linux 4.18).
fn kernel_segments() -> bool {
    // SAFETY: plain calls; the descriptor is owned by nobody else.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return false;
        }
        let socket = OwnedFd::from_raw_fd(socket);
        let size: c_int = 1200;
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            ptr::from_ref(&size).cast(),
            size_of::<c_int>() as libc::socklen_t,
        ) == 0
    }
}

/// The system, for flush after flush of one thread.
pub(crate) struct SystemCalls {
    headers: Box<Headers>,
    /// When waiting ends; set by a flush's first wait.
    deadline: Option<Instant>,
}

impl SystemCalls {
    pub fn new() -> Self {
        Self { headers: Box::new(Headers::new()), deadline: None }
    }

    /// A flush begins.
    pub fn begin(&mut self) {
        self.deadline = None;
    }
}

impl Kernel for SystemCalls {
    fn send(&mut self, bytes: &[u8], messages: &[Message]) -> Result<usize, Refusal> {
        let messages = &messages[..messages.len().min(AT_ONCE)];
        let socket = messages[0].route.socket;
        let headers = &mut self.headers;
        let count = headers.fill(bytes, messages);
        loop {
            let sent = if sendmmsg() { headers.send_many(socket, count) } else { headers.send_one(socket) };
            let error = match sent {
                Ok(sent) => return Ok(sent),
                Err(error) => error.raw_os_error().unwrap_or(0),
            };
            match error {
                libc::EINTR => {}
                libc::ENOSYS if sendmmsg() => SENDMMSG.store(false, Relaxed),
                _ => return Err(refusal(error)),
            }
        }
    }

    fn wait(&mut self, socket: i32) -> bool {
        loop {
            let now = Instant::now();
            let deadline = *self.deadline.get_or_insert(now + PATIENCE);
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                return false;
            }
            let mut poll = libc::pollfd { fd: socket, events: libc::POLLOUT, revents: 0 };
            let milliseconds = left.as_micros().div_ceil(1000) as c_int;
            // SAFETY: one valid entry.
            let ready = unsafe { libc::poll(&mut poll, 1, milliseconds) };
            if ready >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return ready > 0;
            }
        }
    }
}

fn refusal(error: c_int) -> Refusal {
    match error {
        libc::EAGAIN => Refusal::Full,
        // What a device, a tunnel or a small path MTU answers to a super-packet.
        libc::EINVAL | libc::EIO | libc::EMSGSIZE | libc::EOPNOTSUPP => Refusal::Segmentation,
        _ => Refusal::Destination,
    }
}

/// Room for UDP_SEGMENT (u16) and the mark (int).
// SAFETY: CMSG_SPACE only computes.
const CONTROL: usize =
    unsafe { (libc::CMSG_SPACE(size_of::<u16>() as c_uint) + libc::CMSG_SPACE(size_of::<c_int>() as c_uint)) as usize };

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

/// The C structures of one call. They point to what the last call was for until the next is filled in.
struct Headers {
    messages: [libc::mmsghdr; AT_ONCE],
    parts: [libc::iovec; AT_ONCE],
    controls: [Control; AT_ONCE],
}

impl Headers {
    fn new() -> Self {
        // SAFETY: C structures of numbers and pointers that may be null.
        unsafe { mem::zeroed() }
    }

    /// Points the first headers to the messages, which must outlive the sending.
    fn fill(&mut self, bytes: &[u8], messages: &[Message]) -> usize {
        let places = self.messages.iter_mut().zip(&mut self.parts).zip(&mut self.controls);
        for (message, ((header, part), control)) in messages.iter().zip(places) {
            let data = &bytes[message.range()];
            // The system only reads through these pointers.
            part.iov_base = data.as_ptr().cast_mut().cast();
            part.iov_len = data.len();
            let to = message.route.to.bytes();
            let header = &mut header.msg_hdr;
            header.msg_name = to.as_ptr().cast_mut().cast();
            header.msg_namelen = to.len() as libc::socklen_t;
            header.msg_iov = part;
            header.msg_iovlen = 1;
            (header.msg_control, header.msg_controllen) = (ptr::null_mut(), 0);
            add_controls(header, control, message);
        }
        messages.len()
    }

    fn send_many(&mut self, socket: c_int, count: usize) -> io::Result<usize> {
        // SAFETY: `fill` has set `count` headers; what they point to lives in `self` and its arguments.
        let sent = unsafe { libc::sendmmsg(socket, self.messages.as_mut_ptr(), count as c_uint, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    fn send_one(&mut self, socket: c_int) -> io::Result<usize> {
        // SAFETY: as above, for the first header.
        let sent = unsafe { libc::sendmsg(socket, &self.messages[0].msg_hdr, 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(1) }
    }
}

/// Adds the size of the segments and the mark, as far as there are any.
fn add_controls(header: &mut libc::msghdr, control: &mut Control, message: &Message) {
    let mut length = 0;
    let mut add = |level, kind, value: &[u8]| {
        let size = value.len() as c_uint;
        // SAFETY: `CONTROL` has room for both kinds, and each begins where the last ended, aligned.
        unsafe {
            let place = control.0.as_mut_ptr().add(length).cast::<libc::cmsghdr>();
            (*place).cmsg_level = level;
            (*place).cmsg_type = kind;
            (*place).cmsg_len = libc::CMSG_LEN(size) as _;
            ptr::copy_nonoverlapping(value.as_ptr(), libc::CMSG_DATA(place), value.len());
            length += libc::CMSG_SPACE(size) as usize;
        }
    };
    if message.datagrams > 1 {
        let size = message.segment as u16; // at most 65,507
        add(libc::SOL_UDP, libc::UDP_SEGMENT, &size.to_ne_bytes());
    }
    if let Some(mark) = message.route.mark {
        let (level, kind) = if goes_by_ipv6(message.route.to.bytes()) {
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS)
        } else {
            (libc::IPPROTO_IP, libc::IP_TOS)
        };
        add(level, kind, &c_int::from(mark).to_ne_bytes());
    }
    if length > 0 {
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = length as _;
    }
}

/// Whether the datagram gets an IPv6 header: not when the IPv6 address stands for an IPv4 one.
fn goes_by_ipv6(to: &[u8]) -> bool {
    const ADDRESS: usize = mem::offset_of!(libc::sockaddr_in6, sin6_addr);
    const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    let family = to.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes));
    family == Some(libc::AF_INET6 as u16) && to.get(ADDRESS..ADDRESS + 12) != Some(&MAPPED[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::net::UnixDatagram;
    use std::os::unix::thread::JoinHandleExt;
    use std::sync::atomic::{AtomicI32, AtomicUsize};
    use std::thread;

    const PLENTY: Duration = Duration::from_secs(60);

    fn eventually(what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PLENTY, "{what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// State S of proc(5).
    fn sleeps(thread: i32) -> bool {
        let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    }

    #[test]
    fn a_signal_does_not_end_the_wait_for_room() {
        static CAUGHT: AtomicUsize = AtomicUsize::new(0);
        static WAITING: AtomicI32 = AtomicI32::new(0);
        extern "C" fn caught(_: c_int) {
            CAUGHT.fetch_add(1, Relaxed);
        }
        // SAFETY: the handler only adds to an atomic, and no other test of this crate uses the signal.
        unsafe { libc::signal(libc::SIGUSR1, caught as *const () as libc::sighandler_t) };
        let (full, other) = UnixDatagram::pair().expect("sockets");
        full.set_nonblocking(true).expect("can be set");
        while full.send(&[0; 1000]).is_ok() {}
        let socket = full.as_raw_fd();
        let waiter = thread::spawn(move || {
            // SAFETY: a plain call.
            WAITING.store(unsafe { libc::gettid() }, Relaxed);
            SystemCalls { deadline: Some(Instant::now() + PLENTY), ..SystemCalls::new() }.wait(socket)
        });
        for signal in 1..=3 {
            eventually("the thread waits", || sleeps(WAITING.load(Relaxed)) || waiter.is_finished());
            // SAFETY: the thread is not joined yet.
            unsafe { libc::pthread_kill(waiter.as_pthread_t(), libc::SIGUSR1) };
            eventually("the signal is caught", || CAUGHT.load(Relaxed) == signal || waiter.is_finished());
        }
        assert!(!waiter.is_finished());
        other.set_nonblocking(true).expect("can be set");
        while other.recv(&mut [0; 1000]).is_ok() {}
        assert!(waiter.join().expect("no panic"), "there is room");
    }
}
