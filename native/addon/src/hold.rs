//! Lets UDP ports stand still, so that tests see who waits for them.

use napi_derive::napi;

/// While it is held, the thread of a port that gets a datagram waits under its port's lock.
#[napi]
pub struct PortHold {
    hold: Option<rtc::Hold>,
}

#[napi]
impl PortHold {
    /// Holds from now on, at most one at a time in a process.
    #[napi(constructor)]
    #[expect(clippy::new_without_default, reason = "JavaScript makes it")]
    pub fn new() -> Self {
        Self { hold: Some(rtc::hold_receives()) }
    }

    /// Ports that stand still.
    #[napi]
    pub fn ports(&self) -> u32 {
        self.hold.as_ref().map_or(0, rtc::Hold::ports) as u32
    }

    /// Lets them go on.
    #[napi]
    pub fn release(&mut self) {
        self.hold = None;
    }
}
