//! What can go wrong when a port is opened or a peer is made.

use std::{fmt, io};

/// Why a port could not be opened or a peer could not be made.
#[derive(Debug)]
pub enum Error {
    /// The UDP port is taken, by this process or another one. Holds the port's number.
    AddressInUse(u16),
    /// The address can't be bound for another reason: not of this host, or not permitted.
    Bind(io::Error),
    /// libdatachannel rejects the description. Holds which one.
    InvalidSdp(&'static str),
    /// The local description was not complete in time.
    Timeout,
    /// libdatachannel failed. Holds the step.
    Failed(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressInUse(port) => write!(f, "UDP port {port} is in use"),
            Self::Bind(error) => write!(f, "the media address can't be bound: {error}"),
            Self::InvalidSdp(which) => write!(f, "the {which} is not valid"),
            Self::Timeout => f.write_str("the local description was not ready in time"),
            Self::Failed(step) => write!(f, "libdatachannel failed to {step}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(error) => Some(error),
            _ => None,
        }
    }
}
