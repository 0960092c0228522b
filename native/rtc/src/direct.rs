//! Packets protected where they leave from: written into the burst and encrypted there, in place.
//!
//! The ordinary way of a packet (`rtcSendMessage`) takes a process-wide lock, several more, and copies twice. What it
//! comes to is one call of libsrtp and one of `sendto`. The linker routes both through this crate (build.rs), so an
//! ordinary send shows the session that protects and the address that libjuice sends to: a peer's [`Short`] way, which the
//! next packets take.
//!
//! libdatachannel frees a session when it likes, on threads of its own, and knows nothing of this. So each session that is
//! used here has a lock. Whoever protects holds it, and `srtp_dealloc`, which is routed through here as well, takes it before
//! the session is freed and leaves word that it is gone. A session enters the table within a send of libdatachannel's own,
//! which keeps it alive meanwhile.
//!
//! libjuice may choose another address at any time and tells nobody: a short way is good for [`GOOD_FOR`] packets.

use crate::batch::{Address, Route};
use crate::{gather, senders};
use libc::{c_int, c_void};
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Packets that take a short way before an ordinary one shows it anew: about 100 ms of a stream, 640 ms of sound alone. So long
/// a viewer whose address has changed may wait for the first packet that gets there.
const GOOD_FOR: u32 = 32;
/// What libsrtp may write behind a packet (`SRTP_MAX_TRAILER_LEN`: tag and key identifier).
const MAX_TRAILER: usize = 16 + 128;
/// An RTP header without anything (RFC 3550 §5.1); libsrtp reads as much unasked.
const HEADER: usize = 12;
/// `srtp_err_status_ok`.
const OK: c_int = 0;

unsafe extern "C" {
    fn __real_srtp_protect(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int;
    fn __real_srtp_protect_rtcp(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int;
    fn __real_srtp_dealloc(session: *mut c_void) -> c_int;
}

/// The sessions in use here, by their addresses.
static SESSIONS: RwLock<BTreeMap<usize, Arc<Session>>> = RwLock::new(BTreeMap::new());

/// A libsrtp session; `None` once it has been freed.
#[derive(Debug)]
pub(crate) struct Session(Mutex<Option<Pointer>>);

#[derive(Clone, Copy, Debug)]
struct Pointer(NonNull<c_void>);

// SAFETY: a session belongs to no thread; the mutex around it lets one use it at a time.
unsafe impl Send for Pointer {}

impl Session {
    fn lock(&self) -> MutexGuard<'_, Option<Pointer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A peer's session and address.
#[derive(Debug)]
pub(crate) struct Short {
    session: Arc<Session>,
    socket: i32,
    to: Address,
    left: u32,
}

impl Short {
    /// Protects an RTP packet into this thread's burst; false when the packet has to take the ordinary way, which shows a new
    /// short one.
    pub fn send(&mut self, mark: u8, packet: &[u8]) -> bool {
        if self.left == 0 || packet.len() < HEADER {
            return false;
        }
        self.left -= 1;
        let put = self.put(mark, packet);
        // With the session's lock given back: what the burst has may leave now, and that may take its time.
        gather::relieve();
        put
    }

    /// Puts bytes into this thread's burst as they are.
    pub fn send_plain(&self, mark: u8, datagram: &[u8]) -> bool {
        let put = gather::put(self.route(mark), datagram, 0, |bytes| Some(bytes.len()));
        gather::relieve();
        put
    }

    fn route(&self, mark: u8) -> Route {
        Route { socket: self.socket, to: self.to, mark: Some(mark) }
    }

    fn put(&self, mark: u8, packet: &[u8]) -> bool {
        let session = self.session.lock();
        let Some(Pointer(pointer)) = *session else { return false };
        gather::put(self.route(mark), packet, MAX_TRAILER, |bytes| {
            let mut length = packet.len() as c_int;
            // SAFETY: the session lives while its lock is held, and nobody else uses it. Behind the packet there is room
            // for all that libsrtp may add.
            let status = unsafe { __real_srtp_protect(pointer.as_ptr(), bytes.as_mut_ptr().cast(), &mut length) };
            usize::try_from(length).ok().filter(|_| status == OK)
        })
    }
}

/// What an ordinary send has shown so far.
#[derive(Debug, Default)]
pub(crate) struct Lesson {
    session: Option<Arc<Session>>,
    protected: usize,
    route: Option<(i32, Address)>,
}

impl Lesson {
    /// libjuice sends. The datagram has to be the packet that was protected, not one wrapped for a relay.
    pub fn sends(&mut self, socket: i32, to: Address, length: usize) {
        if self.session.is_some() && length == self.protected {
            self.route = Some((socket, to));
        }
    }

    fn protects(&mut self, session: Arc<Session>, length: usize) {
        (self.session, self.protected) = (Some(session), length);
    }
}

/// Runs an ordinary send and learns from it.
pub(crate) fn learn(send: impl FnOnce() -> bool) -> (bool, Option<Short>) {
    gather::begin(Lesson::default());
    let sent = send();
    let short = gather::end().and_then(|lesson| {
        let ((socket, to), session) = (lesson.route?, lesson.session?);
        Some(Short { session, socket, to, left: GOOD_FOR })
    });
    (sent, short)
}

fn known(session: *mut c_void) -> Option<Arc<Session>> {
    SESSIONS.read().unwrap_or_else(PoisonError::into_inner).get(&session.addr()).cloned()
}

/// Calls `protect` while nobody else uses the session.
fn alone(session: *mut c_void, protect: impl FnOnce() -> c_int) -> c_int {
    let known = known(session);
    let _lock = known.as_deref().map(Session::lock);
    protect()
}

/// `srtp_protect` of this library, as libdatachannel calls it.
///
/// # Safety
/// As `srtp_protect`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_srtp_protect(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int {
    // SAFETY: the caller's own arguments.
    let status = alone(session, || unsafe { __real_srtp_protect(session, packet, length) });
    if let (OK, Some(pointer)) = (status, NonNull::new(session)) {
        gather::teach(|lesson| {
            let mut sessions = SESSIONS.write().unwrap_or_else(PoisonError::into_inner);
            let entry = sessions.entry(session.addr());
            let session = entry.or_insert_with(|| Arc::new(Session(Mutex::new(Some(Pointer(pointer))))));
            // SAFETY: the caller's own argument, which libsrtp has just set.
            lesson.protects(session.clone(), unsafe { *length } as usize);
        });
    }
    status
}

/// `srtp_protect_rtcp` of this library.
///
/// # Safety
/// As `srtp_protect_rtcp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_srtp_protect_rtcp(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int {
    // SAFETY: the caller's own arguments.
    alone(session, || unsafe { __real_srtp_protect_rtcp(session, packet, length) })
}

/// `srtp_dealloc` of this library: waits for who protects, then nobody does any more.
///
/// # Safety
/// As `srtp_dealloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_srtp_dealloc(session: *mut c_void) -> c_int {
    let known = SESSIONS.write().unwrap_or_else(PoisonError::into_inner).remove(&session.addr());
    if let Some(known) = known {
        *known.lock() = None;
    }
    senders::forget(session);
    // SAFETY: the caller's own argument.
    unsafe { __real_srtp_dealloc(session) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    unsafe extern "C" {
        fn srtp_init() -> c_int;
        fn srtp_create(session: *mut *mut c_void, policy: *const c_void) -> c_int;
        fn srtp_dealloc(session: *mut c_void) -> c_int;
    }

    /// A thread protects without a pause while the sessions under it are made and freed. A session without streams
    /// protects nothing but is read all the same, which a memory checker sees.
    #[test]
    fn sessions_may_be_freed_at_any_moment() {
        // SAFETY: plain calls; each session is freed once.
        unsafe {
            assert_eq!(srtp_init(), OK);
            let current: Mutex<Option<Arc<Session>>> = Mutex::new(None);
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let to = Address::new(&[0; 16]).expect("fits");
                    while !stop.load(Relaxed) {
                        let Some(session) = current.lock().expect("no panic").clone() else { continue };
                        let mut short = Short { session, socket: -1, to, left: GOOD_FOR };
                        crate::burst(|_| while short.send(0, &[0x80; 100]) {});
                    }
                });
                for _ in 0..10_000 {
                    let mut session = ptr::null_mut();
                    assert_eq!(srtp_create(&mut session, ptr::null()), OK);
                    let shared = Arc::new(Session(Mutex::new(NonNull::new(session).map(Pointer))));
                    SESSIONS.write().expect("no panic").insert(session.addr(), shared.clone());
                    *current.lock().expect("no panic") = Some(shared.clone());
                    assert_eq!(srtp_dealloc(session), OK);
                    assert!(shared.lock().is_none(), "it is known to be gone");
                }
                stop.store(true, Relaxed);
            });
        }
    }
}
