//! Which datagrams that arrive on a port for peers go further, decided before anything else looks at them.
//!
//! A session's fragment and password admit an address ([`Gate::decide`]), and so does an answer to a check of ours
//! ([`Gate::sent`]). All addresses of a session share its budget. Everything is bounded: sessions by who makes them, addresses
//! by session, work by datagram.
//!
//! Anybody may send from anybody's address. So one that belongs to a session goes to another only by an answer to a check of
//! ours, which shows that the other's client is there: a NAT may give one client's port to the next.
//!
//! Media from an unknown port of a known host is a hint: a NAT may have given a client another port, and its next check may
//! take seconds. Some hints pass, so that libjuice looks for the client there.

mod checks;
mod refusal;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ring::hmac;

use crate::budget::{Budget, Charge};
use crate::stun::{self, Binding, Class};
use crate::time::Time;

use checks::Checks;
pub use refusal::Refusal;

/// Addresses of one session. A client has as many as it has interfaces, relays and NATs.
const MAX_ADDRESSES: usize = 32;

/// An address that is silent for longer has to show the password again. Consent is asked every few seconds (RFC 7675 §5.1).
const SILENCE: Duration = Duration::from_secs(60);

/// Between two searches for silent addresses.
const SWEEP: Duration = Duration::from_secs(1);

/// Passwords tried for one session, a second and at once.
const ATTEMPTS: (f64, f64) = (500.0, 500.0);

/// New addresses of one session, a second and at once. What stands behind the gate may remember them longer.
const ARRIVALS: (f64, f64) = (0.2, 64.0);

/// Hints that a client has moved, of all clients of a port, a second and at once.
const HINTS: (f64, f64) = (20.0, 20.0);

/// Names a session; never used twice.
pub type Key = u64;

/// What a session may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Datagrams a second.
    rate: f64,
    /// Datagrams at once.
    burst: f64,
    /// It sends RTP.
    media: bool,
}

impl Limits {
    /// Reports and repairs of a stream of 25 Mbit/s that loses 10 % of its packets; consent, a handshake.
    pub const VIEWER: Self = Self { rate: 600.0, burst: 1_500.0, media: false };
    /// The same, and media of 80 Mbit/s.
    pub const PUBLISHER: Self = Self { rate: 10_000.0, burst: 20_000.0, media: true };
}

/// What is to be done with a datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<'a, T> {
    /// It goes on.
    Pass,
    /// It is dropped.
    Refuse(Refusal),
    /// It is dropped, as will be all that comes from its session, which exceeds its budget on purpose; told once.
    End(&'a T),
}

/// The gate of one port; `T` is what its owner knows of a session.
#[derive(Debug)]
pub struct Gate<T> {
    limits: Limits,
    sessions: HashMap<Key, Session<T>>,
    fragments: HashMap<String, Key>,
    addresses: HashMap<SocketAddr, Known>,
    checks: Checks,
    /// Of those addresses, and of some that the last sweep has still seen.
    hosts: HashSet<IpAddr>,
    hints: Budget,
    swept: Time,
}

#[derive(Debug)]
struct Session<T> {
    owner: T,
    fragment: String,
    password: hmac::Key,
    budget: Budget,
    attempts: Budget,
    arrivals: Budget,
    addresses: usize,
    ended: bool,
}

/// An address of a session.
#[derive(Debug)]
struct Known {
    session: Key,
    /// When something came from there.
    heard: Time,
}

impl<T> Gate<T> {
    /// Nobody passes.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            sessions: HashMap::new(),
            fragments: HashMap::new(),
            addresses: HashMap::new(),
            checks: Checks::default(),
            hosts: HashSet::new(),
            hints: Budget::new(HINTS.0, HINTS.1),
            swept: Time::default(),
        }
    }

    /// Lets a session in by its own fragment and password (RFC 8445 §5.3).
    pub fn add(&mut self, key: Key, fragment: &str, password: &str, owner: T) {
        let Limits { rate, burst, .. } = self.limits;
        let session = Session {
            owner,
            fragment: fragment.into(),
            password: stun::key(password),
            budget: Budget::new(rate, burst),
            attempts: Budget::new(ATTEMPTS.0, ATTEMPTS.1),
            arrivals: Budget::new(ARRIVALS.0, ARRIVALS.1),
            addresses: 0,
            ended: false,
        };
        self.sessions.insert(key, session);
        self.fragments.insert(fragment.into(), key);
    }

    /// Forgets a session and its addresses.
    pub fn remove(&mut self, key: Key) {
        let Some(session) = self.sessions.remove(&key) else { return };
        // Another session may have drawn the same fragment since.
        if self.fragments.get(&session.fragment) == Some(&key) {
            self.fragments.remove(&session.fragment);
        }
        self.addresses.retain(|_, known| known.session != key);
        self.checks.forget(key);
    }

    /// A datagram has come.
    pub fn decide(&mut self, from: SocketAddr, datagram: &[u8], now: Time) -> Decision<'_, T> {
        self.sweep(now);
        let holder = self.addresses.get(&from).map(|known| known.session);
        let binding = Binding::parse(datagram);
        let named = binding.and_then(|binding| Some((binding, self.named(&binding, from)?)));
        match (holder, named) {
            (_, Some((binding, key))) if holder != Some(key) => self.decide_newcomer(key, from, &binding, now),
            (Some(key), _) => self.decide_known(key, from, datagram, now),
            (None, _) if self.is_hint(from, datagram, now) => Decision::Pass,
            (None, _) => Decision::Refuse(Refusal::Stranger),
        }
    }

    /// Whose fragment a check names, or whose check is answered.
    fn named(&self, binding: &Binding<'_>, from: SocketAddr) -> Option<Key> {
        match binding.class {
            Class::Request => self.fragments.get(binding.fragments()?.0).copied(),
            Class::Success | Class::Error => self.checks.sender(binding.transaction, from),
        }
    }

    /// A datagram of ours goes out: who answers one of our checks is let in.
    pub fn sent(&mut self, to: SocketAddr, datagram: &[u8]) {
        let Some(check) = Binding::parse(datagram).filter(|binding| binding.class == Class::Request) else { return };
        // The receiver's fragment comes first (RFC 8445 §7.2.2).
        let Some(&key) = check.fragments().and_then(|(_, ours)| self.fragments.get(ours)) else { return };
        if self.addresses.get(&to).is_none_or(|known| known.session != key) {
            self.checks.sent(key, to, check.transaction);
        }
    }

    /// Addresses that are known.
    pub fn addresses(&self) -> usize {
        self.addresses.len()
    }

    fn decide_known(&mut self, key: Key, from: SocketAddr, datagram: &[u8], now: Time) -> Decision<'_, T> {
        if let Some(known) = self.addresses.get_mut(&from) {
            known.heard = now;
        }
        let media = self.limits.media;
        match (self.charge(key, now), Protocol::of(datagram)) {
            (Decision::Pass, Some(Protocol::Rtp)) if !media => Decision::Refuse(Refusal::Media),
            (Decision::Pass, None) => Decision::Refuse(Refusal::Protocol),
            (charged, _) => charged,
        }
    }

    fn charge(&mut self, key: Key, now: Time) -> Decision<'_, T> {
        let Some(session) = self.sessions.get_mut(&key) else { return Decision::Refuse(Refusal::Stranger) };
        if session.ended {
            return Decision::Refuse(Refusal::Ended);
        }
        match session.budget.take(now) {
            Charge::Within => Decision::Pass,
            Charge::Above => Decision::Refuse(Refusal::OverBudget),
            Charge::Exhausted => {
                session.ended = true;
                Decision::End(&session.owner)
            }
        }
    }

    /// STUN of a session from an address that is not its own, or not yet.
    fn decide_newcomer(&mut self, key: Key, from: SocketAddr, binding: &Binding<'_>, now: Time) -> Decision<'_, T> {
        match binding.class {
            Class::Request => {
                let shown = self.try_password(key, binding, now);
                // Of an address that is another's libjuice may hear, so that it checks who is there.
                if shown.is_ok() && !self.addresses.contains_key(&from) {
                    self.insert(from, key, now);
                }
                shown.map_or_else(Decision::Refuse, |()| Decision::Pass)
            }
            Class::Success => {
                self.checks.answered(binding.transaction);
                self.insert(from, key, now);
                self.charge(key, now)
            }
            Class::Error => self.charge(key, now),
        }
    }

    fn is_hint(&mut self, from: SocketAddr, datagram: &[u8], now: Time) -> bool {
        let media = match Protocol::of(datagram) {
            Some(Protocol::Rtcp) => true,
            Some(Protocol::Rtp) => self.limits.media,
            _ => false,
        };
        media && self.hosts.contains(&from.ip()) && self.hints.take(now) == Charge::Within
    }

    fn try_password(&mut self, key: Key, request: &Binding<'_>, now: Time) -> Result<(), Refusal> {
        let session = self.sessions.get_mut(&key).ok_or(Refusal::Stranger)?;
        if session.ended {
            return Err(Refusal::Ended);
        }
        if session.attempts.take(now) != Charge::Within {
            return Err(Refusal::NewAddresses);
        }
        if !request.is_authentic(&session.password) {
            return Err(Refusal::WrongPassword);
        }
        if session.arrivals.take(now) != Charge::Within {
            return Err(Refusal::NewAddresses);
        }
        Ok(())
    }

    fn insert(&mut self, address: SocketAddr, key: Key, now: Time) {
        let Some(session) = self.sessions.get_mut(&key).filter(|session| !session.ended) else { return };
        session.addresses += 1;
        if session.addresses > MAX_ADDRESSES {
            session.addresses -= 1;
            let own = self.addresses.iter().filter(|(_, known)| known.session == key);
            let silent = own.min_by_key(|(_, known)| known.heard).map(|(address, _)| *address);
            silent.and_then(|silent| self.addresses.remove(&silent));
        }
        let before = self.addresses.insert(address, Known { session: key, heard: now });
        if let Some(other) = before.and_then(|known| self.sessions.get_mut(&known.session)) {
            other.addresses -= 1;
        }
        self.hosts.insert(address.ip());
    }

    fn sweep(&mut self, now: Time) {
        if now.since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        let sessions = &mut self.sessions;
        self.addresses.retain(|_, known| {
            let keep = now.since(known.heard) < SILENCE;
            if let Some(session) = sessions.get_mut(&known.session).filter(|_| !keep) {
                session.addresses -= 1;
            }
            keep
        });
        self.hosts.clear();
        self.hosts.extend(self.addresses.keys().map(SocketAddr::ip));
    }
}

/// What shares a port (RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
}

impl Protocol {
    fn of(datagram: &[u8]) -> Option<Self> {
        match *datagram.first()? {
            0..=3 => Some(Self::Stun),
            20..=63 => Some(Self::Dtls),
            // RFC 5761 §4.
            128..=191 if matches!(datagram.get(1), Some(192..=223)) => Some(Self::Rtcp),
            128..=191 => Some(Self::Rtp),
            _ => None,
        }
    }
}
