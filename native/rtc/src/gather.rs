//! Takes libjuice's datagrams within a burst and sends them together at its end.
//!
//! libjuice sends each datagram with `sendto` and sets the socket's DS field with `setsockopt` whenever it
//! differs from the last one's. The linker routes both calls of this library, and of no other, to the two
//! functions below (`--wrap`, see build.rs). Within a burst the datagram is kept with the mark of its track
//! and success reported, and the socket's DS field stays. Outside they call through. (libdatachannel 0.23
//! forgets the track's mark: it sends audio with that of video.)

use crate::asking;
use crate::batch::{Address, Batch, Message, Route};
use crate::counters::Tally;
use crate::direct::Lesson;
use crate::flush::{datagrams, flush};
use crate::gso::Gso;
use crate::kernel::{self, SystemCalls};
use libc::{c_int, c_void, size_t, sockaddr, socklen_t, ssize_t};
use std::cell::RefCell;
use std::slice;
use std::time::Instant;

/// Bytes after which a burst sends what it has: a viewer waits less, and the bytes are still in cache.
const RELIEF: usize = 256 * 1024;

unsafe extern "C" {
    fn __real_sendto(
        socket: c_int,
        data: *const c_void,
        length: size_t,
        flags: c_int,
        to: *const sockaddr,
        to_length: socklen_t,
    ) -> ssize_t;
    fn __real_setsockopt(socket: c_int, level: c_int, name: c_int, value: *const c_void, length: socklen_t) -> c_int;
}

thread_local! {
    static GATHERED: RefCell<Gathered> = RefCell::new(Gathered::new());
}

/// A thread's burst. Its memory is kept from burst to burst.
struct Gathered {
    open: bool,
    mark: Option<u8>,
    batch: Batch,
    singles: Vec<Message>,
    gso: Gso,
    /// Messages of this burst that have left.
    left: u64,
    /// Datagrams of the batch that were protected in place.
    direct: u64,
    /// What a send that is under way shows, when somebody wants to know.
    lesson: Option<Lesson>,
}

impl Gathered {
    fn new() -> Self {
        let gso = Gso::new(kernel::gso());
        Self {
            open: false,
            mark: None,
            batch: Batch::new(),
            singles: Vec::new(),
            gso,
            left: 0,
            direct: 0,
            lesson: None,
        }
    }

    fn flush(&mut self) {
        if self.batch.messages().is_empty() {
            return;
        }
        self.left += self.waiting();
        self.batch.group_by_socket();
        self.gso.begin(Instant::now());
        let tally = flush(&self.batch, &mut self.gso, &mut SystemCalls::new(), &mut self.singles);
        Tally { direct: std::mem::take(&mut self.direct), ..tally }.publish();
        self.batch.clear();
    }

    /// Messages of the batch.
    fn waiting(&self) -> u64 {
        let messages = self.batch.messages();
        if self.gso.enabled() { messages.len() as u64 } else { datagrams(messages) }
    }

    fn relieve(&mut self) {
        if self.batch.bytes().len() >= RELIEF {
            self.flush();
        }
    }
}

/// The outermost burst of this thread, while it lives; flushes at its end.
pub(crate) struct Scope {
    outermost: bool,
}

impl Scope {
    pub fn open() -> Self {
        GATHERED.with_borrow_mut(|gathered| {
            let outermost = !std::mem::replace(&mut gathered.open, true);
            if outermost {
                gathered.left = 0;
            }
            Self { outermost }
        })
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if self.outermost {
            GATHERED.with_borrow_mut(|gathered| {
                gathered.open = false;
                gathered.flush();
            });
        }
    }
}

/// Runs `send`, whose datagrams get the mark. Then, while no lock of libjuice is held, what the burst has
/// leaves if it is a lot.
pub(crate) fn marked<R>(mark: u8, send: impl FnOnce() -> R) -> R {
    GATHERED.with_borrow_mut(|gathered| gathered.mark = Some(mark));
    let result = send();
    GATHERED.with_borrow_mut(|gathered| {
        gathered.mark = None;
        gathered.relieve();
    });
    result
}

/// Puts a datagram that `finish` makes of `bytes` into this thread's burst; false when there is none, or nothing was made.
pub(crate) fn put(route: Route, bytes: &[u8], room: usize, finish: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
    GATHERED.with_borrow_mut(|gathered| {
        let put = gathered.open && gathered.batch.push_finished(route, bytes, room, finish);
        gathered.direct += u64::from(put);
        put
    })
}

/// Messages of this thread's burst so far.
pub(crate) fn messages() -> u64 {
    GATHERED.with_borrow(|gathered| gathered.left + gathered.waiting())
}

/// What this thread's burst has leaves if it is a lot.
pub(crate) fn relieve() {
    GATHERED.with_borrow_mut(Gathered::relieve);
}

/// From now on the sends of this thread teach.
pub(crate) fn begin(lesson: Lesson) {
    GATHERED.with_borrow_mut(|gathered| gathered.lesson = Some(lesson));
}

/// What they have shown.
pub(crate) fn end() -> Option<Lesson> {
    GATHERED.with_borrow_mut(|gathered| gathered.lesson.take())
}

/// Calls `add` when somebody wants to learn.
pub(crate) fn teach(add: impl FnOnce(&mut Lesson)) {
    // Elsewhere than in a burst nobody learns, and this may run while a thread ends.
    let _ = GATHERED.try_with(|gathered| {
        if let Some(lesson) = gathered.try_borrow_mut().ok().as_mut().and_then(|gathered| gathered.lesson.as_mut()) {
            add(lesson);
        }
    });
}

/// `sendto` of this library.
///
/// # Safety
/// As `sendto`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_sendto(
    socket: c_int,
    data: *const c_void,
    length: size_t,
    flags: c_int,
    to: *const sockaddr,
    to_length: socklen_t,
) -> ssize_t {
    // libjuice passes no flags; std's own sockets do and so stay out of this. With empty datagrams libjuice wakes its
    // own thread.
    if flags == 0 && !data.is_null() && !to.is_null() && (1..=65_507).contains(&length) {
        // SAFETY: the caller of `sendto` vouches for both areas.
        let (datagram, to) = unsafe {
            (
                slice::from_raw_parts(data.cast::<u8>(), length),
                slice::from_raw_parts(to.cast::<u8>(), to_length as usize),
            )
        };
        if gather(socket, datagram, to) {
            return length as ssize_t;
        }
        // RFC 7983 §7: what begins so is STUN.
        if let Some(admission) = datagram.first().filter(|first| **first < 4).and_then(|_| asking::of(socket))
            && let Some(to) = asking::socket_address(to)
        {
            admission.sent(to, datagram);
        }
    }
    // SAFETY: the caller's own arguments.
    unsafe { __real_sendto(socket, data, length, flags, to, to_length) }
}

/// Whether the datagram went into this thread's burst.
fn gather(socket: c_int, datagram: &[u8], to: &[u8]) -> bool {
    GATHERED
        .try_with(|gathered| {
            let Ok(mut gathered) = gathered.try_borrow_mut() else { return false };
            if !gathered.open {
                return false;
            }
            let Some(to) = Address::new(to) else { return false };
            let route = Route { socket, to, mark: gathered.mark };
            gathered.batch.push(route, datagram);
            if let Some(lesson) = &mut gathered.lesson {
                lesson.sends(socket, to, datagram.len());
            }
            true
        })
        .unwrap_or(false)
}

/// `setsockopt` of this library.
///
/// # Safety
/// As `setsockopt`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_setsockopt(
    socket: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    let marks = matches!((level, name), (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS));
    if marks && in_burst() {
        return 0; // the datagrams carry it themselves
    }
    // SAFETY: the caller's own arguments.
    unsafe { __real_setsockopt(socket, level, name, value, length) }
}

fn in_burst() -> bool {
    GATHERED.try_with(|gathered| gathered.try_borrow().is_ok_and(|it| it.open)).unwrap_or(false)
}
