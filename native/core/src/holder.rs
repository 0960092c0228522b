//! Whose packets count on a leg: one stream of one sender at a time.

use std::net::SocketAddr;
use std::time::Duration;

use crate::counters::DropReason;
use crate::rtp::RtpPacket;
use crate::time::Time;

/// A sender, and its stream, hold the leg until they have been silent for this long.
const HOLD: Duration = Duration::from_secs(2);

/// What comes so long after a goodbye was no straggler.
const STRAGGLING: Duration = Duration::from_millis(500);

/// Streams remembered that another one has taken over from.
const MAX_FORMER: usize = 8;

/// What a packet is to a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The next of the stream that holds the leg.
    Next,
    /// The same after a silence: its numbers may have begun anew.
    Resumed,
    /// The first of another stream, or of the same one from elsewhere or after a goodbye.
    First,
}

/// Who holds a leg.
#[derive(Debug, Default)]
pub struct Holder {
    sender: Option<SocketAddr>,
    stream: Option<Identity>,
    last_packet: Option<Time>,
    /// The stream that said goodbye, and when: its stragglers do not bring the leg back to life.
    departed: Option<(u32, Time)>,
    /// Streams that another one has taken over from. Who sends several at once does not get the leg back with each packet.
    former: Vec<u32>,
    /// The stream that the publisher has announced.
    announced: Option<u32>,
}

/// What tells one RTP stream from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    ssrc: u32,
    payload_type: u8,
}

impl Holder {
    /// The stream that holds the leg, also after its goodbye.
    pub fn ssrc(&self) -> Option<u32> {
        self.stream.map(|stream| stream.ssrc)
    }

    /// The payload type of that stream.
    pub fn payload_type(&self) -> Option<u8> {
        self.stream.map(|stream| stream.payload_type)
    }

    /// When the newest packet came that counted.
    pub fn last_packet(&self) -> Option<Time> {
        self.last_packet
    }

    /// The stream that holds the leg has said goodbye.
    pub fn has_departed(&self) -> bool {
        self.departed.is_some()
    }

    /// Something came, whoever sent it.
    pub fn touch(&mut self, now: Time) {
        self.last_packet = Some(now);
    }

    /// The stream that holds the leg says goodbye (RFC 3550 §6.6): another sender may begin at once.
    pub fn depart(&mut self, now: Time) {
        self.departed = self.ssrc().map(|ssrc| (ssrc, now));
        self.sender = None;
    }

    /// Another publisher is about to send, and announces this stream; true when there was one before.
    pub fn begin(&mut self, announced: Option<u32>) -> bool {
        let before = std::mem::take(self);
        (self.last_packet, self.announced) = (before.last_packet, announced);
        before.stream.is_some()
    }

    /// First sender and first stream first, until they are silent or leave. A new stream of the same sender takes over at
    /// once, but for one that it has taken over from before, and while the announced one is there.
    pub fn admit(&mut self, packet: &RtpPacket<'_>, from: SocketAddr, now: Time) -> Result<Admission, DropReason> {
        let pause = self.last_packet.map(|last| now.since(last));
        let silent = pause.is_none_or(|pause| pause >= HOLD);
        let moved = self.sender.is_some_and(|sender| sender != from);
        if moved && !silent {
            return Err(DropReason::ForeignSender);
        }
        let stream = Identity { ssrc: packet.ssrc, payload_type: packet.payload_type };
        let said_goodbye = self.departed.filter(|(ssrc, _)| Some(*ssrc) == self.ssrc()).map(|(_, at)| at);
        let admission = match self.stream {
            None => Admission::Next,
            Some(known) if known.ssrc == stream.ssrc => {
                let gone = said_goodbye.is_some() && pause.is_some_and(|pause| pause >= STRAGGLING);
                match known == stream {
                    true if moved || gone => Admission::First,
                    true if silent => Admission::Resumed,
                    true => Admission::Next,
                    false if silent || gone => Admission::First,
                    false => return Err(DropReason::PayloadType),
                }
            }
            Some(known) => {
                let free = silent || said_goodbye.is_some();
                if !free && !self.yields(known.ssrc, stream.ssrc) {
                    return Err(DropReason::OtherStream);
                }
                self.replace(known.ssrc, free);
                Admission::First
            }
        };
        let straggler = self.departed.is_some_and(|(_, at)| now.since(at) < STRAGGLING);
        if !straggler {
            self.departed = None;
            self.sender = Some(from);
        }
        self.stream = Some(stream);
        self.last_packet = Some(now);
        Ok(admission)
    }

    fn yields(&self, known: u32, new: u32) -> bool {
        self.announced == Some(new) || self.announced != Some(known) && !self.former.contains(&new)
    }

    /// `free`: nobody holds the leg any more, so whoever was there before may come back.
    fn replace(&mut self, known: u32, free: bool) {
        self.departed = None;
        if free {
            self.former.clear();
        }
        if self.former.len() == MAX_FORMER {
            self.former.remove(0);
        }
        self.former.push(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::write_header;

    /// What a packet of this stream is to the leg.
    fn admit(holder: &mut Holder, ssrc: u32, now: Time) -> Result<Admission, DropReason> {
        let datagram = write_header(false, 96, 0, 0, ssrc);
        let packet = RtpPacket::parse(&datagram).expect("a header");
        holder.admit(&packet, ([127, 0, 0, 1], 5004).into(), now)
    }

    #[test]
    fn so_many_streams_that_were_taken_over_from_are_remembered() {
        let (mut holder, now) = (Holder::default(), Time::from_millis(1));
        for ssrc in 0..=MAX_FORMER as u32 + 1 {
            assert!(admit(&mut holder, ssrc, now).is_ok());
        }
        assert_eq!(admit(&mut holder, 1, now), Err(DropReason::OtherStream));
        assert_eq!(admit(&mut holder, 0, now), Ok(Admission::First), "long forgotten");
    }

    #[test]
    fn after_a_goodbye_all_others_may_come_back() {
        let (mut holder, now) = (Holder::default(), Time::from_millis(1));
        for ssrc in 1..=3 {
            assert!(admit(&mut holder, ssrc, now).is_ok());
        }
        holder.depart(now);
        assert_eq!(admit(&mut holder, 1, now), Ok(Admission::First));
        assert_eq!(admit(&mut holder, 3, now), Err(DropReason::OtherStream), "a straggler");
        assert_eq!(admit(&mut holder, 2, now), Ok(Admission::First));
    }
}
