//! Where a peer's media goes.

#[cfg(target_os = "linux")]
use crate::batch::{Address, Route};

/// A socket and an address, as libjuice had them when it was asked: another pair may be selected at any time.
#[derive(Clone, Copy, Debug)]
pub struct MediaRoute {
    #[cfg(target_os = "linux")]
    pub(crate) socket: i32,
    #[cfg(target_os = "linux")]
    pub(crate) to: Address,
    #[cfg(not(target_os = "linux"))]
    never: std::convert::Infallible,
}

#[cfg(target_os = "linux")]
impl MediaRoute {
    pub(crate) fn marked(&self, mark: u8) -> Route {
        Route { socket: self.socket, to: self.to, mark: Some(mark) }
    }
}
