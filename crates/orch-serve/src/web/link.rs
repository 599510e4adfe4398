//! Links to the page: how they look, and how another process asks the server for one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use orch_app::{App, AppError};
use orch_contract::ErrorCode;
use orch_contract::orch::web::WebResponse;
use serde_json::Value;

/// How long the server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16_384;

/// Returns the address that opens the page. What is behind `#` is not sent to servers and not kept in their logs.
pub(super) fn page_url(address: SocketAddr, link: &str) -> String {
    format!("http://{address}/#k={link}")
}

/// Asks the server that was started last for a new link.
///
/// # Errors
/// No server answers.
pub fn request_link(app: &mut App<'_>) -> Result<WebResponse, AppError> {
    let missing = || {
        AppError::new(ErrorCode::InvalidArgument, "No server of the page runs for this store.")
            .with_hint("orch web")
    };
    let record = app.find_web_server()?.ok_or_else(missing)?;
    let address: SocketAddr = record.address.parse().map_err(|_| missing())?;
    let answer = post_key(address, &record.key).ok().flatten().ok_or_else(missing)?;
    let url = answer["url"].as_str().ok_or_else(missing)?.to_owned();
    let read_only = answer["read_only"].as_bool();
    Ok(WebResponse { url, address: record.address, read_only })
}

fn post_key(address: SocketAddr, key: &str) -> std::io::Result<Option<Value>> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let text = serde_json::json!({ "key": key }).to_string();
    write!(
        stream,
        "POST /link HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").filter(|(head, _)| head.starts_with("HTTP/1.1 200 "));
    Ok(body.and_then(|(_, body)| serde_json::from_str(body).ok()))
}
