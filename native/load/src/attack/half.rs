//! A viewer that goes through ICE and no further, by hand: its socket is known to the server, its keys are not.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use core_media::stun::{self, Binding, Class};

use super::CODECS;
use super::noise::Noise;
use super::{Budget, address, credential, dtls};
use crate::offers;

pub(super) const UFRAG: &str = "attacker";
const PASSWORD: &str = "anAttackerHasOneAsWell/";
/// ICE takes some milliseconds; this is for a server that stands still.
const PATIENCE: Duration = Duration::from_secs(10);
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Sent between two looks at the clock.
const ROUND: u64 = 64;

/// An offer that nobody stands behind. It begins DTLS itself, so the server waits for it.
pub(super) fn offer() -> String {
    let fingerprint = vec!["5A"; 32].join(":");
    let transport = format!(
        "a=ice-ufrag:{UFRAG}\r\na=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\n"
    );
    let sections = offers::receiving(&CODECS).into_iter().map(|section| section + &transport).collect::<String>();
    format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n{sections}")
}

/// Floods with ClientHello messages after ICE.
pub(super) fn attack(join: &dyn Fn(&str) -> Result<String, String>, budget: &mut Budget) -> Result<(), String> {
    let answer = join(&offer())?;
    budget.report.sessions += 1;
    let socket = connect(&answer)?;
    let mut noise = Noise::new();
    for number in 0.. {
        if number % ROUND == 0 && budget.spent() {
            break;
        }
        let hello = dtls::client_hello(number, &mut noise);
        budget.sent(usize::from(socket.send(&hello).is_ok()));
    }
    Ok(())
}

/// Goes through ICE: both sides have asked and were answered.
fn connect(answer: &str) -> Result<UdpSocket, String> {
    let to = address(answer)?;
    let failed = |error: std::io::Error| format!("no socket for an attacker: {error}");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    socket.connect(to).map_err(failed)?;
    socket.set_read_timeout(Some(CHECK_INTERVAL)).map_err(failed)?;
    let username = format!("{}:{UFRAG}", credential(answer, "ice-ufrag")?);
    let (theirs, own) = (stun::key(credential(answer, "ice-pwd")?), stun::key(PASSWORD));
    let (mut noise, deadline) = (Noise::new(), Instant::now() + PATIENCE);
    let (mut answered, mut asked) = (false, false);
    let mut buffer = [0; 1_500];
    while !(answered && asked) {
        if Instant::now() > deadline {
            return Err(format!("no ICE connection within {} s", PATIENCE.as_secs()));
        }
        // Refused while the server's port is not there yet, which the next one finds.
        let _ = socket.send(&stun::request(noise.bytes(), &username, noise.number(), &theirs));
        while let Ok(length) = socket.recv(&mut buffer) {
            let Some(binding) = Binding::parse(&buffer[..length]) else { continue };
            answered |= binding.class == Class::Success;
            asked |=
                binding.class == Class::Request && socket.send(&stun::success(binding.transaction, to, &own)).is_ok();
            if answered && asked {
                break;
            }
        }
    }
    Ok(socket)
}
