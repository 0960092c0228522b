//! The load generator as a Node-API class, for `fetch-whep bench`: converts, delegates, nothing else.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::load::{Audience, Floor, FloorConfig, Joined, Joining, Ports, Programme, Road, Sample, Sender, Video};
use core_media::codec::Codec;
use core_media::frame::Kind;
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Error, Result, Task};
use napi_derive::napi;
use rtc::SrtpProfile;

/// Loopback when there is none. The load stays on this machine: both sides of a latency need one clock.
fn address(host: Option<&str>) -> Result<IpAddr> {
    let parsed = host.map_or(Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)), str::parse);
    parsed.map_err(|_| Error::from_reason("host is no IP address"))
}

/// A profile by the name that IANA registers.
fn known(name: &str) -> Result<SrtpProfile> {
    let profile = SrtpProfile::PREFERENCE.into_iter().find(|profile| profile.name() == name);
    profile.ok_or_else(|| Error::from_reason("no such SRTP profile"))
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A stream's sender and its viewers.
#[napi]
pub struct NativeLoad {
    programme: Programme,
    host: IpAddr,
    server: Option<u32>,
    audience: Arc<Mutex<Option<Arc<Audience>>>>,
    sender: Arc<Mutex<Option<Sender>>>,
}

#[napi]
impl NativeLoad {
    /// Nothing is sent, and nobody watches.
    #[napi(constructor)]
    pub fn new(config: LoadObject) -> Result<Self> {
        let LoadObject { programme, host, server, profile } = config;
        let (programme, host) = (programme.try_into()?, address(host.as_deref())?);
        let profiles = profile.map_or(Ok(SrtpProfile::PREFERENCE.to_vec()), |name| known(&name).map(|it| vec![it]))?;
        let audience =
            Audience::new(programme, host, profiles).map_err(|error| Error::from_reason(error.to_string()))?;
        let audience = Arc::new(Mutex::new(Some(Arc::new(audience))));
        Ok(Self { programme, host, server, audience, sender: Arc::default() })
    }

    /// Sends the stream to these ports on the server's loopback until `close`; a leg without one is left out.
    #[napi]
    pub fn send(&self, video: Option<u16>, audio: Option<u16>) -> Result<()> {
        let sender = Sender::start(self.programme, Ports { video, audio }, self.server)
            .map_err(|error| Error::from_reason(error.to_string()))?;
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        Ok(())
    }

    /// The same to a WHIP endpoint; resolves when media flows.
    #[napi]
    pub fn publish(&self, url: String) -> AsyncTask<Publish> {
        AsyncTask::new(Publish { sender: self.sender.clone(), programme: self.programme, host: self.host, url })
    }

    /// Packets of the stream sent so far.
    #[napi]
    pub fn sent(&self) -> f64 {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Sender::packets) as f64
    }

    /// Lets viewers join; resolves when every request has its answer.
    #[napi]
    pub fn join(&self, joining: JoiningObject) -> Result<AsyncTask<Join>> {
        Ok(AsyncTask::new(Join(self.audience()?, joining.into())))
    }

    /// Who of a group has arrived.
    #[napi]
    pub fn arrivals(&self, group: u32) -> Result<ArrivalsObject> {
        let arrivals = self.audience()?.arrivals(group);
        Ok(ArrivalsObject {
            connected: arrivals.connected as u32,
            connections: arrivals.connections.into_iter().map(millis).collect(),
            first_keyframes: arrivals.first_keyframes.into_iter().map(millis).collect(),
            profiles: arrivals.profiles.into_iter().map(|profile| profile.name().into()).collect(),
        })
    }

    /// What a group got.
    #[napi]
    pub fn sample(&self, group: u32) -> Result<SampleObject> {
        Ok(self.audience()?.sample(group).into())
    }

    /// Lets the first viewers of a group leave, or all.
    #[napi]
    pub fn leave(&self, group: u32, count: Option<u32>) -> Result<AsyncTask<Leave>> {
        Ok(AsyncTask::new(Leave(self.audience()?, group, count.map(|count| count as usize))))
    }

    /// Ends the stream and all viewers.
    #[napi]
    pub fn close(&self) -> AsyncTask<CloseLoad> {
        AsyncTask::new(CloseLoad(self.audience.clone(), self.sender.clone()))
    }

    fn audience(&self) -> Result<Arc<Audience>> {
        let audience = self.audience.lock().unwrap_or_else(PoisonError::into_inner);
        audience.clone().ok_or_else(|| Error::from_reason("the load is closed"))
    }
}

/// Measures what encrypting and sending cost without WebRTC.
#[napi]
pub fn measure_floor(config: FloorObject) -> Result<AsyncTask<MeasureFloor>> {
    let FloorObject { viewers, milliseconds, load, gathered } = config;
    let LoadObject { programme, host, server, profile } = load;
    Ok(AsyncTask::new(MeasureFloor(FloorConfig {
        viewers: viewers as usize,
        programme: programme.try_into()?,
        profile: profile.as_deref().map_or(Ok(SrtpProfile::PREFERENCE[0]), known)?,
        host: address(host.as_deref())?,
        sender: server,
        lasts: Duration::from_secs_f64(milliseconds.max(0.0) / 1e3),
        road: if gathered { Road::Gathered } else { Road::Single },
    })))
}

/// What is sent, and where from and to.
#[napi(object, object_to_js = false)]
pub struct LoadObject {
    /// The stream; its viewers ask for its legs.
    pub programme: ProgrammeObject,
    /// Where viewers are, an address of this machine; loopback by default.
    pub host: Option<String>,
    /// The process in whose network the server is; absent: in this one's.
    pub server: Option<u32>,
    /// The one SRTP profile that viewers offer and the floor has, as IANA registers it; by default viewers offer all.
    pub profile: Option<String>,
}

/// The stream.
#[napi(object, object_to_js = false)]
pub struct ProgrammeObject {
    /// Pictures; must divide 90000.
    pub frames_per_second: u32,
    /// In how many packets each picture leaves, up to 8.
    pub packets_per_frame: u32,
    /// The codec of its pictures; absent: sound alone.
    pub video: Option<String>,
    /// Whether there is sound.
    pub audio: bool,
}

impl TryFrom<ProgrammeObject> for Programme {
    type Error = Error;

    fn try_from(programme: ProgrammeObject) -> Result<Self> {
        let ProgrammeObject { frames_per_second, packets_per_frame, video, audio } = programme;
        let video = video.map(|name| {
            let codec = Codec::of(&name).filter(|codec| codec.kind() == Kind::Video);
            let codec = codec.ok_or_else(|| Error::from_reason("no such codec of video"))?;
            Ok::<_, Error>(Video { codec, frames_per_second, packets_per_frame })
        });
        Ok(Self { video: video.transpose()?, audio })
    }
}

/// Who joins, and how fast.
#[napi(object, object_to_js = false)]
pub struct JoiningObject {
    /// The WHEP endpoint.
    pub url: String,
    /// How many.
    pub viewers: u32,
    /// Milliseconds over which the requests are spread.
    pub over: f64,
    /// Names those that are looked at together.
    pub group: u32,
}

impl From<JoiningObject> for Joining {
    fn from(joining: JoiningObject) -> Self {
        let JoiningObject { url, viewers, over, group } = joining;
        let over = Duration::from_secs_f64(over.max(0.0) / 1e3);
        Self { url, viewers: viewers as usize, over, group }
    }
}

/// How joining went.
#[napi(object, object_from_js = false)]
pub struct JoinedObject {
    /// Milliseconds from each POST to its answer.
    pub posts: Vec<f64>,
    /// Why the others did not get in.
    pub failures: Vec<String>,
}

/// Who has arrived.
#[napi(object, object_from_js = false)]
pub struct ArrivalsObject {
    /// Joined and connected.
    pub connected: u32,
    /// Milliseconds from each POST to its connection.
    pub connections: Vec<f64>,
    /// Milliseconds from each POST to its first keyframe, or its first sound when the stream has no pictures.
    pub first_keyframes: Vec<f64>,
    /// SRTP profiles of those that are connected.
    pub profiles: Vec<String>,
}

/// What a group got; latencies in milliseconds.
#[napi(object, object_from_js = false)]
pub struct SampleObject {
    /// Different packets.
    pub packets: f64,
    /// Gaps in the sequence numbers.
    pub lost: f64,
    /// Came late.
    pub reordered: f64,
    /// Came again.
    pub duplicates: f64,
    /// Latencies measured since the last sample.
    pub stamps: f64,
    /// Half took no longer.
    pub latency_p50: f64,
    /// 99 of 100 took no longer.
    pub latency_p99: f64,
    /// The longest.
    pub latency_max: f64,
}

impl From<Sample> for SampleObject {
    fn from(sample: Sample) -> Self {
        Self {
            packets: sample.packets as f64,
            lost: sample.lost as f64,
            reordered: sample.reordered as f64,
            duplicates: sample.duplicates as f64,
            stamps: sample.stamps as f64,
            latency_p50: millis(sample.latency_p50),
            latency_p99: millis(sample.latency_p99),
            latency_max: millis(sample.latency_max),
        }
    }
}

/// What the floor is measured with.
#[napi(object, object_to_js = false)]
pub struct FloorObject {
    /// How many are sent to.
    pub viewers: u32,
    /// The same as the server's.
    pub load: LoadObject,
    /// For how long.
    pub milliseconds: f64,
    /// GSO and `sendmmsg`; else one `sendto` for each packet.
    pub gathered: bool,
}

/// What it took.
#[napi(object, object_from_js = false)]
pub struct FloorResult {
    /// Packets.
    pub sent: f64,
    /// Packets that arrived.
    pub received: f64,
    /// Microseconds on a processor.
    pub cpu: f64,
}

/// Lets viewers join.
pub struct Join(Arc<Audience>, Joining);

impl Task for Join {
    type Output = Joined;
    type JsValue = JoinedObject;

    fn compute(&mut self) -> Result<Joined> {
        Ok(self.0.join(&self.1))
    }

    fn resolve(&mut self, _env: Env, joined: Joined) -> Result<JoinedObject> {
        Ok(JoinedObject { posts: joined.posts.into_iter().map(millis).collect(), failures: joined.failures })
    }
}

/// Lets viewers leave.
pub struct Leave(Arc<Audience>, u32, Option<usize>);

impl Task for Leave {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        self.0.leave(self.1, self.2);
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

/// Ends everything.
pub struct CloseLoad(Arc<Mutex<Option<Arc<Audience>>>>, Arc<Mutex<Option<Sender>>>);

impl Task for CloseLoad {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        drop(self.1.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

/// Publishes the stream.
pub struct Publish {
    sender: Arc<Mutex<Option<Sender>>>,
    programme: Programme,
    host: IpAddr,
    url: String,
}

impl Task for Publish {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        let sender = Sender::publish(self.programme, self.host, &self.url).map_err(Error::from_reason)?;
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

/// Measures the floor.
pub struct MeasureFloor(FloorConfig);

impl Task for MeasureFloor {
    type Output = Floor;
    type JsValue = FloorResult;

    fn compute(&mut self) -> Result<Floor> {
        ::load::floor(&self.0).map_err(|error| Error::from_reason(format!("the floor cannot be measured: {error}")))
    }

    fn resolve(&mut self, _env: Env, floor: Floor) -> Result<FloorResult> {
        let cpu = floor.cpu.as_secs_f64() * 1e6;
        Ok(FloorResult { sent: floor.sent as f64, received: floor.received as f64, cpu })
    }
}
