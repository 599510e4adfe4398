//! Who may talk to the page: hosts and origins by name, one-time links, and the sessions that they begin.
//!
//! The server listens on loopback only, but any page in the user's browser can send requests there, and a name that an
//! attacker controls can be made to lead there (DNS rebinding). So every request must name a known host, a changing one
//! must come from a page of this server, and nothing is shown without the cookie of a session.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use orch_app::{AppError, random_token};

/// How many links are valid at a time; the oldest ends first.
const LINKS_MAX: usize = 8;

/// How many sessions are valid at a time; the oldest ends first.
const SESSIONS_MAX: usize = 32;

/// The doorkeeper of one server.
#[derive(Debug)]
pub(super) struct WebGate {
    port: u16,
    /// Names by which a tunnel or a tailnet reaches the server.
    names: Vec<String>,
    /// With it the program asks for new links.
    key: String,
    links: Mutex<VecDeque<String>>,
    sessions: Mutex<VecDeque<String>>,
}

impl WebGate {
    pub(super) fn new(port: u16, names: &[String]) -> Result<Self, AppError> {
        Ok(Self {
            port,
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            key: random_token()?,
            links: Mutex::default(),
            sessions: Mutex::default(),
        })
    }

    /// Returns the key with which the program asks for new links.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Returns whether a text is that key.
    pub(super) fn is_key(&self, text: &str) -> bool {
        is_same_secret(&self.key, text)
    }

    /// Returns the name of the cookie: browsers send cookies to every port of a host.
    pub(super) fn cookie_name(&self) -> String {
        format!("orch_web_{}", self.port)
    }

    /// Makes a link's token, which begins one session.
    pub(super) fn new_link(&self) -> Result<String, AppError> {
        let token = random_token()?;
        push_bounded(&self.links, token.clone(), LINKS_MAX);
        Ok(token)
    }

    /// Begins a session by a link's token, which is then used up.
    pub(super) fn begin_session(&self, link: &str) -> Result<Option<String>, AppError> {
        let is_valid = {
            let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            let before = links.len();
            links.retain(|known| !is_same_secret(known, link));
            links.len() < before
        };
        if !is_valid {
            return Ok(None);
        }
        let session = random_token()?;
        push_bounded(&self.sessions, session.clone(), SESSIONS_MAX);
        Ok(Some(session))
    }

    /// Returns whether a header `Cookie` names a session.
    pub(super) fn has_session(&self, cookies: &str) -> bool {
        let name = self.cookie_name();
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.split(';').filter_map(|cookie| cookie.trim().split_once('=')).any(|(found, value)| {
            found == name && sessions.iter().any(|session| is_same_secret(session, value))
        })
    }

    /// Returns whether a header `Host` names this server.
    pub(super) fn admits_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let (name, port) = split_port(&host);
        match name {
            "127.0.0.1" | "localhost" | "[::1]" => port == Some(self.port),
            _ => self.names.iter().any(|known| known == name),
        }
    }

    /// Returns whether a header `Origin` names a page of this server.
    pub(super) fn admits_origin(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        match origin.split_once("://") {
            Some(("http", host)) => self.admits_host(host),
            // Only a tunnel speaks HTTPS.
            Some(("https", host)) => self.names.iter().any(|known| known == split_port(host).0),
            _ => false,
        }
    }
}

/// Splits `NAME:PORT`; an IPv6 address is in brackets.
fn split_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
        _ => (host, None),
    }
}

fn push_bounded(list: &Mutex<VecDeque<String>>, entry: String, most: usize) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.push_back(entry);
    while list.len() > most {
        list.pop_front();
    }
}

/// Compares secrets in a time that does not tell where they differ.
fn is_same_secret(known: &str, given: &str) -> bool {
    known.len() == given.len()
        && known.bytes().zip(given.bytes()).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> WebGate {
        WebGate::new(4711, &["Desk.tail.example".to_owned()]).unwrap()
    }

    #[test]
    fn only_known_hosts_are_admitted() {
        let gate = gate();
        for (host, expected) in [
            ("127.0.0.1:4711", true),
            ("localhost:4711", true),
            ("LOCALHOST:4711", true),
            ("[::1]:4711", true),
            ("desk.tail.example", true),
            ("desk.tail.example:8443", true),
            ("127.0.0.1", false),
            ("127.0.0.1:4712", false),
            ("[::1]", false),
            ("evil.example:4711", false),
            ("127.0.0.1.evil.example:4711", false),
            ("desk.tail.example.evil.example", false),
            ("", false),
        ] {
            assert_eq!(gate.admits_host(host), expected, "{host}");
        }
    }

    #[test]
    fn only_pages_of_the_server_may_change_something() {
        let gate = gate();
        for (origin, expected) in [
            ("http://127.0.0.1:4711", true),
            ("http://localhost:4711", true),
            ("https://desk.tail.example", true),
            ("http://desk.tail.example", true),
            ("https://127.0.0.1:4711", false),
            ("http://127.0.0.1:80", false),
            ("https://evil.example", false),
            ("null", false),
            ("file://", false),
        ] {
            assert_eq!(gate.admits_origin(origin), expected, "{origin}");
        }
    }

    #[test]
    fn a_link_begins_one_session() {
        let gate = gate();
        let link = gate.new_link().unwrap();
        assert_eq!(gate.begin_session("other").unwrap(), None);
        let session = gate.begin_session(&link).unwrap().unwrap();
        assert_eq!(gate.begin_session(&link).unwrap(), None, "it is used up");
        assert!(gate.has_session(&format!("a=b; orch_web_4711={session}")));
        for cookies in ["", "orch_web_4711=", &format!("orch_web_80={session}"), &format!("x{session}")] {
            assert!(!gate.has_session(cookies), "{cookies}");
        }
        let first = gate.new_link().unwrap();
        for _ in 0..LINKS_MAX {
            gate.new_link().unwrap();
        }
        assert_eq!(gate.begin_session(&first).unwrap(), None, "the oldest link ended");
    }
}
