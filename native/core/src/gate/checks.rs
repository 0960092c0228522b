//! Checks of ours that wait for an answer, which lets in who gives it.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use super::Key;
use crate::stun::TransactionId;

/// Of one session: libjuice sends one for each pair of candidates, and some pairs are checked again.
const MAX_CHECKS: usize = 64;

/// Transactions under way, each to an address that does not belong to its session.
#[derive(Debug, Default)]
pub struct Checks {
    sent: HashMap<TransactionId, (Key, SocketAddr)>,
    /// Oldest first; some have been answered.
    sessions: HashMap<Key, VecDeque<TransactionId>>,
}

impl Checks {
    /// One goes out, perhaps again.
    pub fn sent(&mut self, key: Key, to: SocketAddr, transaction: TransactionId) {
        if self.sent.insert(transaction, (key, to)).is_some() {
            return;
        }
        let of_session = self.sessions.entry(key).or_default();
        if of_session.len() == MAX_CHECKS {
            of_session.pop_front().map(|oldest| self.sent.remove(&oldest));
        }
        of_session.push_back(transaction);
    }

    /// Whose check is answered from there.
    pub fn sender(&self, transaction: TransactionId, from: SocketAddr) -> Option<Key> {
        self.sent.get(&transaction).filter(|(_, to)| *to == from).map(|(key, _)| *key)
    }

    /// It was answered well, so a second answer tells nothing.
    pub fn answered(&mut self, transaction: TransactionId) {
        self.sent.remove(&transaction);
    }

    /// Forgets those of a session.
    pub fn forget(&mut self, key: Key) {
        for transaction in self.sessions.remove(&key).into_iter().flatten() {
            self.sent.remove(&transaction);
        }
    }
}
