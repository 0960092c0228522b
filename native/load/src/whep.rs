//! The client's side of WHEP over plain HTTP: one POST to join, one DELETE to leave.

use std::time::{Duration, Instant};

use ureq::Agent;

/// Answers are a few kilobytes.
const MAX_ANSWER: u64 = 64 * 1024;
/// A request that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Of a refusal's text, for an error message.
const MAX_REASON: usize = 200;

/// Speaks with one or several servers; may be used by many threads.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
}

/// What a POST gave.
pub(crate) struct Session {
    pub answer: String,
    /// Absolute; what DELETE takes.
    pub url: String,
    /// From the request to the last byte of its answer.
    pub took: Duration,
}

impl Client {
    /// `connections` are kept open between requests.
    pub fn new(connections: usize) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .build();
        Self { agent: config.into() }
    }

    /// Joins. The error is for a person.
    pub fn post(&self, url: &str, offer: &str) -> Result<Session, String> {
        let start = Instant::now();
        let request = self.agent.post(url).header("content-type", "application/sdp");
        let mut response = request.send(offer).map_err(|error| format!("POST {url}: {error}"))?;
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        let answer = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        let took = start.elapsed();
        let answer = answer.map_err(|error| format!("POST {url}: {error}"))?;
        if status != 201 {
            let reason: String = answer.chars().take(MAX_REASON).collect();
            return Err(format!("POST {url}: {status} {reason}"));
        }
        let location = location.ok_or_else(|| format!("POST {url}: 201 without Location"))?;
        Ok(Session { answer, url: resolve(url, &location), took })
    }

    /// Leaves. What the server says to it changes nothing for a viewer that is going anyway.
    pub fn delete(&self, session: &str) {
        let _ = self.agent.delete(session).call();
    }
}

/// A `Location` as an absolute URL (RFC 3986 §5.2, without dot segments, which no server sends).
fn resolve(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let authority = base.find("://").map_or(0, |at| at + 3);
    let root = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    if location.starts_with('/') {
        return format!("{}{location}", &base[..root]);
    }
    let path = base.split(['?', '#']).next().unwrap_or(base);
    let folder = path.rfind('/').filter(|&at| at >= root).unwrap_or(path.len());
    format!("{}/{location}", &path[..folder])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_become_absolute() {
        let base = "http://127.0.0.1:8080/live/whep/cam1?latency=low";
        assert_eq!(resolve(base, "http://other/x"), "http://other/x");
        assert_eq!(resolve(base, "/live/sessions/7"), "http://127.0.0.1:8080/live/sessions/7");
        assert_eq!(resolve(base, "sessions/7"), "http://127.0.0.1:8080/live/whep/sessions/7");
        assert_eq!(resolve("http://host", "7"), "http://host/7");
    }
}
