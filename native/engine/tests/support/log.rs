//! What a viewer got, which can be waited for.

use std::sync::{Condvar, Mutex, MutexGuard};

use core_media::frame::Kind;
use core_media::rtp::{RtpPacket, is_rtcp};
use rtc::{PeerEvents, PeerState};

use super::DEADLINE;
use super::session::LINES;

/// One packet as a viewer got it.
#[derive(Clone, Debug)]
pub struct Packet {
    pub kind: Kind,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
}

#[derive(Default)]
pub struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub struct State {
    pub packets: Vec<Packet>,
    pub connected: bool,
    pub gone: bool,
    /// Packets are not kept.
    pub deaf: bool,
}

impl Log {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    pub fn wait(&self, what: &str, mut so: impl FnMut(&State) -> bool) {
        let result = self.changed.wait_timeout_while(self.state(), DEADLINE, |state| !so(state));
        let timeout = result.expect("nothing panics under this lock").1;
        assert!(!timeout.timed_out(), "{what} before the deadline");
    }

    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}

impl PeerEvents for Log {
    fn state(&self, state: PeerState) {
        self.change(|it| match state {
            PeerState::Connected => it.connected = true,
            PeerState::Disconnected | PeerState::Failed | PeerState::Closed => it.gone = true,
            _ => {}
        });
    }

    fn open(&self, _track: usize) {}

    fn message(&self, track: usize, packet: &[u8]) {
        if is_rtcp(packet) {
            return;
        }
        let packet = RtpPacket::parse(packet).expect("the engine sends RTP");
        let RtpPacket { sequence, timestamp, marker, payload, .. } = packet;
        let kind = LINES[track].0.kind();
        let packet = Packet { kind, sequence, timestamp, marker, payload: payload.to_vec() };
        self.change(|state| {
            if !state.deaf {
                state.packets.push(packet);
            }
        });
    }
}
