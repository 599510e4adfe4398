//! `orch web`: a page that shows runs in a browser, and changes them by the commands that a person would type.
//!
//! [`gate`] decides who may talk to it, [`pages`] what each page shows, [`render`] how, [`action`] what a button does,
//! [`serve`] answers HTTP.

mod action;
mod gate;
mod graph;
mod link;
mod live;
mod pages;
mod render;
mod serve;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use orch_app::orch::web::WebServerRecord;
use orch_app::{App, AppError, CallOptions, CallerRules};
use orch_contract::ErrorCode;

use gate::WebGate;
pub use link::request_link;
use render::PageRenderer;

/// How the page is served.
#[derive(Clone, Debug, Default)]
pub struct WebOptions {
    /// The loopback address or port to listen on; 127.0.0.1 and a free port when absent.
    pub listen: Option<String>,
    /// Names under which a tunnel or a tailnet reaches the page.
    pub hosts: Vec<String>,
    /// Whether the page only shows.
    pub read_only: bool,
}

/// A server that listens, and has not answered yet.
pub struct WebServer {
    listener: TcpListener,
    address: SocketAddr,
    url: String,
    site: Arc<WebSite>,
}

/// What every request needs.
struct WebSite {
    gate: WebGate,
    renderer: PageRenderer,
    read_only: bool,
    rules: CallerRules,
    call: CallOptions,
    streams: Arc<tokio::sync::Semaphore>,
}

/// How many pages may be open at a time.
const STREAMS_MAX: usize = 64;

/// Begins to listen, and makes the first link.
///
/// # Errors
/// The address is not of this machine alone or is taken, a host is no name, or the store cannot be opened.
pub fn serve_page(app: &mut App<'_>, options: &WebOptions) -> Result<WebServer, AppError> {
    let wanted = parse_address(options.listen.as_deref())?;
    if let Some(host) = options.hosts.iter().find(|host| !is_host_name(host)) {
        let message = format!("{host} is not the name of a host, such as desk.tail1234.ts.net.");
        return Err(AppError::invalid_argument("--allow-host", message));
    }
    let failed = |error: std::io::Error| {
        AppError::invalid_argument("--listen", format!("The server cannot listen on {wanted}: {error}."))
    };
    let listener = TcpListener::bind(wanted).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let gate = WebGate::new(address.port(), &options.hosts)?;
    app.record_web_server(&WebServerRecord { address: address.to_string(), key: gate.key().to_owned() })?;
    let renderer = PageRenderer::new()
        .map_err(|error| AppError::new(ErrorCode::Internal, format!("A page is invalid: {error}.")))?;
    let url = link::page_url(address, &gate.new_link()?);
    let site = WebSite {
        gate,
        renderer,
        read_only: options.read_only,
        rules: app.caller_rules(),
        call: app.call_options().clone(),
        streams: Arc::new(tokio::sync::Semaphore::new(STREAMS_MAX)),
    };
    Ok(WebServer { listener, address, url, site: Arc::new(site) })
}

impl WebServer {
    /// Returns the link that opens the page once.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until the process is ended.
    ///
    /// # Errors
    /// The runtime cannot start, or the listener fails.
    pub fn run(self) -> Result<(), AppError> {
        let failed = |error: std::io::Error| {
            AppError::new(ErrorCode::Internal, format!("The server of the page failed: {error}."))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener).map_err(failed)?;
            axum::serve(listener, serve::router(self.site)).await.map_err(failed)
        })
    }
}

/// Parses an address, or a port of 127.0.0.1; only addresses of this machine itself are accepted.
fn parse_address(text: Option<&str>) -> Result<SocketAddr, AppError> {
    let Some(text) = text else { return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))) };
    let invalid = |message: String| AppError::invalid_argument("--listen", message);
    let named = text.strip_prefix("localhost:").unwrap_or(text);
    let address = match (named.parse::<u16>(), named.parse::<SocketAddr>(), named.parse::<IpAddr>()) {
        (Ok(port), ..) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        (_, Ok(address), _) => address,
        (.., Ok(address)) => SocketAddr::from((address, 0)),
        _ => return Err(invalid(format!("{text} is no address; write 127.0.0.1:PORT, [::1]:PORT or PORT."))),
    };
    if !address.ip().is_loopback() {
        let message = format!(
            "{text} can be reached from other machines. The page is served on this machine only; use a tunnel or a \
             tailnet, and --allow-host with its name."
        );
        return Err(invalid(message).with_hint("orch web --listen 127.0.0.1:4711 --allow-host NAME"));
    }
    Ok(address)
}

/// Returns whether a text is the name of a host: labels of letters, digits and hyphens.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_listened_on() {
        for (text, expected) in [
            (None, Some("127.0.0.1:0")),
            (Some("4711"), Some("127.0.0.1:4711")),
            (Some("localhost:4711"), Some("127.0.0.1:4711")),
            (Some("127.0.0.2:80"), Some("127.0.0.2:80")),
            (Some("[::1]:80"), Some("[::1]:80")),
            (Some("::1"), Some("[::1]:0")),
            (Some("0.0.0.0:80"), None),
            (Some("[::]:80"), None),
            (Some("192.168.1.2:80"), None),
            (Some("example.org:80"), None),
            (Some(""), None),
        ] {
            let parsed = parse_address(text).map(|address| address.to_string());
            assert_eq!(parsed.ok().as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_host_is_a_name() {
        for (text, expected) in [
            ("desk.tail1234.ts.net", true),
            ("desk", true),
            ("http://desk", false),
            ("desk:80", false),
            ("", false),
            ("a..b", false),
            ("*", false),
        ] {
            assert_eq!(is_host_name(text), expected, "{text}");
        }
    }
}
