//! Why a datagram went no further.

/// The names are part of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// From an address that belongs to no session, and no binding request that names one.
    Stranger,
    /// A binding request of somebody who does not know the session's password.
    WrongPassword,
    /// More passwords tried, or more addresses shown, than a client has use for.
    NewAddresses,
    /// Above the session's budget.
    OverBudget,
    /// Neither STUN, DTLS, RTP nor RTCP (RFC 7983 §7).
    Protocol,
    /// RTP from a session that sends none.
    Media,
    /// From a session that was ended here.
    Ended,
}

impl Refusal {
    /// All of them, in the order of their counters.
    pub const ALL: [Refusal; 7] = [
        Refusal::Stranger,
        Refusal::WrongPassword,
        Refusal::NewAddresses,
        Refusal::OverBudget,
        Refusal::Protocol,
        Refusal::Media,
        Refusal::Ended,
    ];

    /// As metrics name it.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::Stranger => "unknown-address",
            Refusal::WrongPassword => "wrong-password",
            Refusal::NewAddresses => "new-addresses",
            Refusal::OverBudget => "over-budget",
            Refusal::Protocol => "protocol",
            Refusal::Media => "media",
            Refusal::Ended => "ended",
        }
    }
}
