//! What the machine grants, and what happens.

use core_media::frame::Kind;
use core_media::source::Ending;
use engine::Event;
use napi_derive::napi;

/// What this machine grants to media sockets.
#[napi(object, object_from_js = false)]
pub struct MachineObject {
    /// UDP segmentation offload is in use.
    pub gso: bool,
    /// `sendmmsg` is in use.
    pub sendmmsg: bool,
    /// Of a socket that takes RTP.
    pub receive_buffer: GrantObject,
    /// Of a socket that sends to viewers.
    pub send_buffer: GrantObject,
}

/// Bytes.
#[napi(object, object_from_js = false)]
pub struct GrantObject {
    /// Asked for.
    pub asked: f64,
    /// Given.
    pub given: f64,
}

impl From<rtc::Machine> for MachineObject {
    fn from(machine: rtc::Machine) -> Self {
        let grant = |rtc::Grant { asked, given }: rtc::Grant| GrantObject { asked: asked as f64, given: given as f64 };
        let rtc::Machine { gso, sendmmsg, receive_buffer, send_buffer } = machine;
        Self { gso, sendmmsg, receive_buffer: grant(receive_buffer), send_buffer: grant(send_buffer) }
    }
}

/// Something happened; which fields are there depends on `type`.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct EventObject {
    /// As the engine port names it.
    #[napi(js_name = "type")]
    pub name: String,
    /// The session.
    pub session: Option<String>,
    /// How its media is protected.
    pub srtp_profile: Option<String>,
    /// How that was agreed on.
    pub dtls_version: Option<String>,
    /// The stream.
    pub stream: Option<String>,
    /// The leg.
    pub leg: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// For machines.
    pub code: Option<String>,
    /// How bad.
    pub level: Option<String>,
    /// For people.
    pub text: Option<String>,
}

impl From<Event> for EventObject {
    fn from(event: Event) -> Self {
        let named = |name: &str| Self { name: name.into(), ..Self::default() };
        let leg_name = |leg: Kind| Some(leg.name().into());
        match event {
            Event::SessionConnected { session, security } => Self {
                session: Some(session),
                srtp_profile: security.map(|security| security.profile.name().into()),
                dtls_version: security.map(|security| security.version.name().into()),
                ..named("session-connected")
            },
            Event::SessionEnded { session, reason } => {
                Self { session: Some(session), reason: Some(reason.name().into()), ..named("session-ended") }
            }
            Event::LegActive { stream, leg } => {
                Self { stream: Some(stream), leg: leg_name(leg), ..named("leg-active") }
            }
            Event::LegInactive { stream, leg, reason } => {
                let reason = match reason {
                    Ending::Bye => "bye",
                    Ending::Silent => "silent",
                };
                let reason = Some(reason.into());
                Self { stream: Some(stream), leg: leg_name(leg), reason, ..named("leg-inactive") }
            }
            Event::StreamFailed { stream, error } => {
                Self { stream: Some(stream), text: Some(error), ..named("stream-failed") }
            }
            Event::Warning { stream, warning } => Self {
                stream: Some(stream),
                code: Some(warning.code().into()),
                text: Some(warning.text().into()),
                ..named("warning")
            },
            Event::Log { level, text } => {
                let level = match level {
                    rtc::Level::Error => "error",
                    rtc::Level::Warning => "warning",
                    rtc::Level::Info => "info",
                    rtc::Level::Debug => "debug",
                };
                Self { level: Some(level.into()), text: Some(text), ..named("log") }
            }
        }
    }
}
