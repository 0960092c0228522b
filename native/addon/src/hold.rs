//! Lets UDP ports stand still, so that tests see who waits for them.

use napi_derive::napi;

/// From now on the thread of a port that gets a datagram waits under its port's lock; one hold at a time in a process.
#[napi]
pub fn hold_ports() -> PortHold {
    PortHold { hold: Some(rtc::hold_receives()) }
}

/// A hold of ports.
#[napi]
pub struct PortHold {
    hold: Option<rtc::Hold>,
}

#[napi]
impl PortHold {
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
