//! What a publisher is told: how its packets arrive, which are missing, when a keyframe is needed, how much it may send.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rtcp::{Feedback, KeyframeRequest, Reception};
use crate::time::{Ntp, Time, ticks};

/// Our own name in reports; a publisher has no stream of ours to confuse it with.
const SSRC: u32 = 1;

const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// A packet that is late by less may only have been overtaken.
const OVERTAKEN: Duration = Duration::from_millis(5);

/// A missing packet is asked for again after this; the round trip to a publisher is not known.
const REPEAT: Duration = Duration::from_millis(60);

/// Then a keyframe will have to do.
const MAX_REQUESTS: u32 = 4;

/// Missing packets in one request: enough for the burst of a large frame.
const MAX_MISSING: usize = 64;

/// Keyframes are large: no more often than this, however many viewers ask.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// A stream begins with a keyframe, whose packets take so long to come: nobody need ask for it.
const BEGINNING: Duration = Duration::from_millis(20);

/// There is no estimate of the line's bandwidth; the encoder's own limit decides, and loss (bits per second).
const MAX_BITRATE: u64 = 20_000_000;

/// The reports on one leg of a publisher (RFC 3550 §6.4, appendix A.3, A.8).
#[derive(Debug)]
pub struct Upstream {
    rate: u32,
    fir_only: bool,
    /// The first packet's number and arrival.
    first: Option<(u64, Time)>,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// In ticks, smoothed.
    jitter: f64,
    transit: Option<i64>,
    sender_report: Option<(Ntp, Time)>,
    next_report: Option<Time>,
    requests: BTreeMap<u64, (u32, Time)>,
    keyframe_wanted: bool,
    keyframe_requested: Option<Time>,
    /// The first request since the last keyframe.
    keyframe_asked: Option<Time>,
    /// Of the next request by FIR.
    fir_number: u8,
}

impl Upstream {
    /// `rate`: ticks per second.
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            fir_only: false,
            first: None,
            highest: 0,
            received: 0,
            expected_before: 0,
            received_before: 0,
            jitter: 0.0,
            transit: None,
            sender_report: None,
            next_report: None,
            requests: BTreeMap::new(),
            keyframe_wanted: false,
            keyframe_requested: None,
            keyframe_asked: None,
            fir_number: 0,
        }
    }

    /// The publisher's stream begins anew. `fir_only`: it knows FIR but not PLI.
    pub fn begin(&mut self, fir_only: bool) {
        *self = Self { fir_only, fir_number: self.fir_number, ..Self::new(self.rate) };
    }

    /// The same publisher's stream does.
    pub fn restart(&mut self) {
        self.begin(self.fir_only);
    }

    /// A packet arrived.
    pub fn packet(&mut self, sequence: u16, timestamp: u32, now: Time) {
        let Some((first, _)) = self.first else {
            let number = (1 << 32) + u64::from(sequence);
            (self.first, self.highest, self.received) = (Some((number, now)), number, 1);
            self.next_report = Some(now);
            return;
        };
        let step = sequence.wrapping_sub(self.highest as u16) as i16;
        let number = self.highest.wrapping_add_signed(i64::from(step)).max(first);
        self.highest = self.highest.max(number);
        self.received += 1;
        self.requests.remove(&number);
        let transit = ticks(now.since(Time::default()), self.rate) as i64 - i64::from(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            // The difference alone matters, so the time stamp's wrap is the only trap.
            let difference = ((transit - before) as i32).unsigned_abs();
            self.jitter += (f64::from(difference) - self.jitter) / 16.0;
        }
    }

    /// The publisher's sender report, which ours echo.
    pub fn sender_report(&mut self, ntp: Ntp, now: Time) {
        self.sender_report = Some((ntp, now));
    }

    /// Somebody cannot go on without a keyframe.
    pub fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// A keyframe came.
    pub fn keyframe(&mut self) {
        (self.keyframe_wanted, self.keyframe_asked) = (false, None);
    }

    /// Since when it has been asked for a keyframe that has not come.
    pub fn keyframe_asked_at(&self) -> Option<Time> {
        self.keyframe_asked
    }

    /// When `feedback` has something to say; `gap` tells whether packets are missing.
    pub fn deadline(&self, gap: bool, now: Time) -> Option<Time> {
        let next = self.next_report?;
        let keyframe = self.keyframe_due(now);
        let again = self.requests.values().map(|(_, at)| *at + REPEAT).min();
        let repair = if gap { Some(again.unwrap_or(now + OVERTAKEN)) } else { None };
        [Some(next), self.keyframe_wanted.then_some(keyframe), repair].into_iter().flatten().min()
    }

    /// Writes what there is to say to the stream `ssrc`; false when nothing is due. `missing`: extended numbers on the
    /// line of `packet`, with the moment since when they are.
    pub fn feedback(
        &mut self,
        ssrc: u32,
        missing: impl Iterator<Item = u16>,
        since: Option<Time>,
        now: Time,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(next) = self.next_report else { return false };
        let overdue = since.is_some_and(|since| now.since(since) >= OVERTAKEN);
        let nacks = if overdue { self.nacks(missing, now) } else { Vec::new() };
        let keyframe = self.keyframe_wanted && self.keyframe_due(now) <= now;
        if next > now && nacks.is_empty() && !keyframe {
            return false;
        }
        let keyframe = keyframe.then(|| self.ask_for_keyframe(now));
        self.next_report = Some(now + REPORT_INTERVAL);
        let feedback = Feedback {
            sender: SSRC,
            reception: self.reception(ssrc, now),
            bitrate: Some(MAX_BITRATE),
            nacks: &nacks,
            keyframe,
        };
        feedback.write(out);
        true
    }

    fn ask_for_keyframe(&mut self, now: Time) -> KeyframeRequest {
        self.keyframe_requested = Some(now);
        self.keyframe_asked.get_or_insert(now);
        if !self.fir_only {
            return KeyframeRequest::Pli;
        }
        self.fir_number = self.fir_number.wrapping_add(1);
        KeyframeRequest::Fir(self.fir_number)
    }

    /// When a keyframe may be asked for.
    fn keyframe_due(&self, now: Time) -> Time {
        let begun = self.first.map_or(now, |(_, at)| at + BEGINNING);
        self.keyframe_requested.map_or(begun, |last| last + KEYFRAME_INTERVAL)
    }

    fn nacks(&mut self, missing: impl Iterator<Item = u16>, now: Time) -> Vec<u16> {
        let mut due = Vec::new();
        let mut wanted = BTreeMap::new();
        for sequence in missing.take(MAX_MISSING) {
            let back = (self.highest as u16).wrapping_sub(sequence);
            let number = self.highest.saturating_sub(u64::from(back));
            let (mut count, mut at) = self.requests.get(&number).copied().unwrap_or((0, Time::default()));
            if count < MAX_REQUESTS && (count == 0 || now.since(at) >= REPEAT) {
                (count, at) = (count + 1, now);
                due.push(sequence);
            }
            wanted.insert(number, (count, at));
        }
        self.requests = wanted;
        due
    }

    fn reception(&mut self, ssrc: u32, now: Time) -> Reception {
        let expected = self.highest - self.first.map_or(self.highest, |(first, _)| first) + 1;
        let (expected_now, received_now) = (expected - self.expected_before, self.received - self.received_before);
        (self.expected_before, self.received_before) = (expected, self.received);
        let lost_now = expected_now.saturating_sub(received_now);
        let (last_report, delay) = match self.sender_report {
            Some((ntp, at)) => (ntp.middle(), ticks(now.since(at), 65_536) as u32),
            None => (0, 0),
        };
        Reception {
            ssrc,
            fraction_lost: (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8,
            lost: expected.saturating_sub(self.received).min(0x7f_ffff) as u32,
            highest: self.highest as u32,
            jitter: self.jitter as u32,
            last_report,
            delay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Rtcp, parse};

    fn said(upstream: &mut Upstream, missing: &[u16], millis: u64) -> Vec<Rtcp> {
        let mut bytes = Vec::new();
        let since = (!missing.is_empty()).then(Time::default);
        let now = Time::from_millis(millis);
        let mut reports = Vec::new();
        if upstream.feedback(9, missing.iter().copied(), since, now, &mut bytes) {
            parse(&bytes, |report| reports.push(report));
        }
        reports
    }

    #[test]
    fn reports_loss_once_a_second() {
        let mut upstream = Upstream::new(90_000);
        assert!(said(&mut upstream, &[], 0).is_empty(), "nothing came yet");
        for sequence in [65_534u16, 65_535, 2, 3] {
            upstream.packet(sequence, 0, Time::from_millis(10));
        }
        let reports = said(&mut upstream, &[], 10);
        let [Rtcp::Reception(reception), Rtcp::Bitrate { bits_per_second, .. }] = reports.as_slice() else {
            panic!("{reports:?}");
        };
        assert_eq!((reception.ssrc, reception.lost, reception.fraction_lost), (9, 2, 85));
        assert_eq!(reception.highest as u16, 3);
        assert!((19_000_000..=20_000_000).contains(bits_per_second));
        assert!(said(&mut upstream, &[], 1_000).is_empty());
        let [Rtcp::Reception(reception), _] = said(&mut upstream, &[], 1_010)[..] else { panic!("a report is due") };
        assert_eq!((reception.lost, reception.fraction_lost), (2, 0));
    }

    #[test]
    fn echoes_the_sender_report_for_the_round_trip() {
        let mut upstream = Upstream::new(90_000);
        upstream.packet(1, 0, Time::default());
        upstream.sender_report(Ntp(0x1234_5678_9abc_def0), Time::from_millis(500));
        let [Rtcp::Reception(reception), _] = said(&mut upstream, &[], 1_500)[..] else { panic!("a report is due") };
        assert_eq!((reception.last_report, reception.delay), (0x5678_9abc, 65_536));
    }

    #[test]
    fn asks_for_missing_packets_a_few_times() {
        let mut upstream = Upstream::new(90_000);
        [1, 2, 5].into_iter().for_each(|sequence| upstream.packet(sequence, 0, Time::default()));
        let asked = |reports: Vec<Rtcp>| {
            reports.into_iter().find_map(|report| match report {
                Rtcp::Nack { sequences, .. } => Some(sequences),
                _ => None,
            })
        };
        said(&mut upstream, &[], 0);
        assert_eq!(asked(said(&mut upstream, &[3, 4], 4)), None, "they may only have been overtaken");
        assert_eq!(asked(said(&mut upstream, &[3, 4], 5)), Some(vec![3, 4]));
        assert_eq!(asked(said(&mut upstream, &[3, 4], 64)), None);
        upstream.packet(4, 0, Time::from_millis(64));
        let rounds = (1..20).filter(|round| asked(said(&mut upstream, &[3], 5 + round * 60)).is_some()).count();
        assert_eq!(rounds, 3);
    }

    #[test]
    fn keyframe_requests_are_throttled_until_one_comes() {
        let mut upstream = Upstream::new(90_000);
        upstream.packet(1, 0, Time::default());
        said(&mut upstream, &[], 0);
        upstream.want_keyframe();
        let asked = |reports: Vec<Rtcp>| reports.contains(&Rtcp::Pli { ssrc: 9 });
        assert!(!asked(said(&mut upstream, &[], 19)), "the first packets may be those of one");
        assert!(asked(said(&mut upstream, &[], 20)));
        assert!(!asked(said(&mut upstream, &[], 519)));
        assert!(asked(said(&mut upstream, &[], 520)));
        upstream.keyframe();
        assert!(!asked(said(&mut upstream, &[], 2_000)));
    }
}
