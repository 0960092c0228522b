//! What libdatachannel and libjuice would do with a peer's media: a report that is made to be looked at, and not sent.
//!
//! Within a probe the functions that are wrapped at the link boundary tell which session of libsrtp protects the report and
//! where libjuice sends it. It all happens on the thread that asks, while libdatachannel keeps the session alive.

use crate::batch::Address;
use crate::claims::{Claim, claim};

/// A question, and what has been shown so far.
#[derive(Debug)]
pub(crate) struct Probe {
    claims: bool,
    pub claim: Option<Claim>,
    protected: Option<usize>,
    pub route: Option<(i32, Address)>,
}

impl Probe {
    /// `claims`: RTP is claimed as well.
    pub fn new(claims: bool) -> Self {
        Self { claims, claim: None, protected: None, route: None }
    }

    /// libsrtp has protected the report, which has so many bytes now.
    pub fn protects(&mut self, session: usize, length: usize) {
        self.protected = Some(length);
        if self.claims && self.claim.is_none() {
            self.claim = Some(claim(session));
        }
    }

    /// libjuice sends. The datagram has to be the report, not one wrapped for a relay.
    pub fn sends(&mut self, socket: i32, to: Address, length: usize) {
        if self.protected == Some(length) {
            self.route = Some((socket, to));
        }
    }
}
