//! Many viewers: how they join, what they got, how they leave.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rtc::{SrtpProfile, burst};

use crate::programme::Programme;
use crate::reception::Totals;
use crate::stamp;
use crate::viewer::{Latencies, Viewer, lock};
use crate::whep::Client;

/// A receiver reports about this often (RFC 3550 §6.2).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Between two viewers' reports; a stop takes no longer.
const REPORT_STEP: Duration = Duration::from_millis(20);
/// Requests under way at a time.
const AT_ONCE: usize = 64;
/// Threads that make and close peers: about as many as there are cores.
const HANDS: usize = 2;
/// Latencies up to a minute, in nanoseconds, to about 1 %.
const LONGEST: u64 = 60_000_000_000;

/// Viewers of one or several streams. Dropping it ends them all.
pub struct Audience {
    crowd: Arc<Crowd>,
    programme: Programme,
    host: IpAddr,
    profiles: Vec<SrtpProfile>,
    client: Client,
    groups: Mutex<HashMap<u32, Latencies>>,
    reporter: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Crowd {
    viewers: Mutex<Vec<Viewer>>,
    stop: AtomicBool,
}

/// Who joins, and how fast.
#[derive(Clone, Debug)]
pub struct Joining {
    /// The WHEP endpoint, `http://`.
    pub url: String,
    /// How many.
    pub viewers: usize,
    /// Their requests are spread over this time.
    pub over: Duration,
    /// Viewers of one number are looked at together.
    pub group: u32,
}

/// How joining went.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// Of each that got in: from the POST to its answer.
    pub posts: Vec<Duration>,
    /// Of each that did not: why.
    pub failures: Vec<String>,
}

/// Who has arrived.
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    /// Have joined and are connected.
    pub connected: usize,
    /// Of each that was connected: from the POST to that moment.
    pub connections: Vec<Duration>,
    /// Of each that got one: from the POST to its first keyframe, or its first sound where it asks for no video.
    pub first_keyframes: Vec<Duration>,
    /// What those that are connected negotiated, each once.
    pub profiles: Vec<SrtpProfile>,
}

/// What a group got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Different packets, since each viewer joined.
    pub packets: u64,
    /// Gaps in the sequence numbers that nothing has filled.
    pub lost: u64,
    /// Came after a packet with a higher number.
    pub reordered: u64,
    /// Came again.
    pub duplicates: u64,
    /// Stamps read since the last sample.
    pub stamps: u64,
    /// One-way latency of the last packet of a picture or sound since the last sample.
    pub latency_p50: Duration,
    /// 99 of 100 took no longer.
    pub latency_p99: Duration,
    /// The longest.
    pub latency_max: Duration,
}

impl Audience {
    /// Nobody yet; viewers ask for the legs of `programme`, bind to `host` and offer just these SRTP profiles.
    pub fn new(programme: Programme, host: IpAddr, profiles: Vec<SrtpProfile>) -> Result<Self, rtc::Error> {
        let crowd = Arc::new(Crowd::default());
        let its = crowd.clone();
        let reporter = std::thread::Builder::new().name("load-reports".into()).spawn(move || report(&its));
        Ok(Self {
            crowd,
            programme,
            host,
            profiles,
            client: Client::new(AT_ONCE),
            groups: Mutex::default(),
            reporter: Some(reporter.map_err(rtc::Error::Bind)?),
        })
    }

    /// Lets viewers join. Their offers are made before the first request is sent. Blocks.
    pub fn join(&self, joining: &Joining) -> Joined {
        let (offers, mut failures) = self.make(joining.viewers, joining.group);
        let start = Instant::now();
        let queue = Mutex::new(offers.into_iter().enumerate());
        let outcomes = each_of(joining.viewers.min(AT_ONCE), || {
            let (index, viewer) = lock(&queue).next()?;
            let due = start + joining.over.mul_f64(index as f64 / joining.viewers as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            Some(self.enter(&joining.url, viewer))
        });
        let mut posts = Vec::new();
        for outcome in outcomes {
            match outcome {
                Ok(took) => posts.push(took),
                Err(reason) => failures.push(reason),
            }
        }
        Joined { posts, failures }
    }

    /// Lets the `count` viewers of a group that joined first leave, or all of them. Blocks.
    pub fn leave(&self, group: u32, count: Option<usize>) {
        let mut left = count.unwrap_or(usize::MAX);
        let leaving: Vec<Viewer> = lock(&self.crowd.viewers)
            .extract_if(.., |viewer| {
                let leaves = viewer.group == group && left > 0;
                left -= usize::from(leaves);
                leaves
            })
            .collect();
        let queue = Mutex::new(leaving.into_iter());
        each_of(AT_ONCE, || {
            let viewer = lock(&queue).next()?;
            if let Some(session) = &viewer.session {
                self.client.delete(session);
            }
            drop(viewer);
            Some(())
        });
    }

    /// Who of a group has arrived.
    pub fn arrivals(&self, group: u32) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for viewer in lock(&self.crowd.viewers).iter().filter(|viewer| viewer.group == group) {
            arrivals.connected += usize::from(viewer.eyes.connected());
            arrivals.connections.extend(viewer.eyes.connection());
            arrivals.first_keyframes.extend(viewer.eyes.first_keyframe());
            let profile = viewer.eyes.security().map(|security| security.profile);
            arrivals.profiles.extend(profile.filter(|profile| !arrivals.profiles.contains(profile)));
        }
        arrivals
    }

    /// What a group got; latencies begin anew with each sample.
    pub fn sample(&self, group: u32) -> Sample {
        let mut totals = Totals::default();
        for viewer in lock(&self.crowd.viewers).iter().filter(|viewer| viewer.group == group) {
            totals.add(viewer.eyes.totals());
        }
        let latencies = self.latencies(group);
        let mut histogram = lock(&latencies);
        let quantile = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
        let sample = Sample {
            packets: totals.packets,
            lost: totals.lost,
            reordered: totals.reordered,
            duplicates: totals.duplicates,
            stamps: histogram.len(),
            latency_p50: quantile(0.5),
            latency_p99: quantile(0.99),
            latency_max: Duration::from_nanos(histogram.max()),
        };
        histogram.reset();
        sample
    }

    fn make(&self, count: usize, group: u32) -> (Vec<Viewer>, Vec<String>) {
        let latencies = self.latencies(group);
        let left = AtomicUsize::new(count);
        let made = each_of(HANDS, || {
            left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).ok()?;
            Some(Viewer::new(self.programme, self.host, group, &self.profiles, latencies.clone()))
        });
        let (mut viewers, mut failures) = (Vec::new(), Vec::new());
        for viewer in made {
            match viewer {
                Ok(viewer) => viewers.push(viewer),
                Err(error) => failures.push(format!("cannot make an offer: {error}")),
            }
        }
        (viewers, failures)
    }

    fn enter(&self, url: &str, mut viewer: Viewer) -> Result<Duration, String> {
        viewer.eyes.asked.store(stamp::now(), Relaxed);
        let session = self.client.post(url, &viewer.offer)?;
        let accepted = viewer.accept(&session.answer);
        viewer.session = Some(session.url);
        lock(&self.crowd.viewers).push(viewer);
        accepted.map_err(|error| format!("POST {url}: {error}"))?;
        Ok(session.took)
    }

    fn latencies(&self, group: u32) -> Latencies {
        let new = || Histogram::new_with_bounds(1_000, LONGEST, 2).expect("the bounds are far enough apart");
        lock(&self.groups).entry(group).or_insert_with(|| Arc::new(Mutex::new(new()))).clone()
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        self.crowd.stop.store(true, Relaxed);
        if let Some(reporter) = self.reporter.take() {
            // A panic of it is not made worse here.
            let _ = reporter.join();
        }
        let groups: Vec<u32> = lock(&self.groups).keys().copied().collect();
        groups.into_iter().for_each(|group| self.leave(group, None));
    }
}

/// Sends every viewer's receiver reports, a few at a time, once a second each.
fn report(crowd: &Crowd) {
    let rounds = (REPORT_INTERVAL.as_millis() / REPORT_STEP.as_millis()) as usize;
    for round in (0..rounds).cycle() {
        std::thread::sleep(REPORT_STEP);
        if crowd.stop.load(Relaxed) {
            return;
        }
        let viewers = lock(&crowd.viewers);
        burst(|burst| viewers.iter().skip(round).step_by(rounds).for_each(|viewer| viewer.report(burst)));
    }
}

/// Calls `work` on several threads until it gives nothing; gives all that it gave.
fn each_of<T: Send>(threads: usize, work: impl Fn() -> Option<T> + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| std::iter::from_fn(&work).collect::<Vec<T>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}
