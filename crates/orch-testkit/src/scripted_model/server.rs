//! A minimal HTTP/1.1 server for the model: loopback only, one request for each connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::conversation::{ChatRequest, ModelApi};
use super::reply;
use super::script::{ModelScripts, ScriptStep};

/// The maximum number of bytes of a request's body, and of a line of its head.
const BODY_MAX: usize = 32 << 20;
const LINE_MAX: u64 = 64 << 10;

/// Time limit for a client to send its request or to read the response.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request to the model and its reply.
#[derive(Clone, Debug)]
pub struct ModelExchange {
    /// The request.
    pub conversation: ChatRequest,
    /// The step of the script with which the model replied.
    pub answer: ScriptStep,
}

/// A model server that listens until it is dropped.
#[derive(Debug)]
pub struct ScriptedModel {
    address: SocketAddr,
    desk: Arc<ModelServer>,
}

/// The state that all connections share.
#[derive(Debug)]
struct ModelServer {
    scripts: ModelScripts,
    /// The number of replies so far, from which unique ids are made.
    number: AtomicU64,
    heard: Mutex<Vec<ModelExchange>>,
    closed: AtomicBool,
}

/// An HTTP request.
#[derive(Debug, PartialEq, Eq)]
struct HttpRequest {
    method: String,
    /// The path without the query string.
    path: String,
    body: Vec<u8>,
}

/// An HTTP response.
struct HttpResponse {
    status: &'static str,
    kind: &'static str,
    body: String,
}

impl ScriptedModel {
    /// Listens on this loopback port, or on any free one.
    ///
    /// # Errors
    /// The port is in use.
    pub fn listen(scripts: ModelScripts, port: Option<u16>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))?;
        let address = listener.local_addr()?;
        let desk = Arc::new(ModelServer {
            scripts,
            number: AtomicU64::new(1),
            heard: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let shared = Arc::clone(&desk);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.closed.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(connection), desk) = (connection, Arc::clone(&shared)) else { continue };
                // A client that closes its connection early is not an error of the model.
                thread::spawn(move || desk.serve_connection(&connection));
            }
        });
        Ok(Self { address, desk })
    }

    /// Returns the server's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns all exchanges so far that a script answered, in order.
    #[must_use]
    pub fn recorded_exchanges(&self) -> Vec<ModelExchange> {
        self.desk.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.desk.closed.store(true, Ordering::Release);
        // Wakes the thread that accepts connections; if this fails, the thread has ended already.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
    }
}

impl ModelServer {
    fn serve_connection(&self, connection: &TcpStream) -> io::Result<()> {
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        let response = match HttpRequest::read_from(&mut BufReader::new(connection)) {
            Ok(request) => self.answer_request(&request),
            Err(error) => HttpResponse::error_response("400 Bad Request", &error.to_string()),
        };
        response.write_to(connection)
    }

    fn answer_request(&self, request: &HttpRequest) -> HttpResponse {
        let api = match (request.method.as_str(), request.path.as_str()) {
            ("POST", path) if path.ends_with("/responses") => ModelApi::Responses,
            ("POST", path) if path.ends_with("/messages") => ModelApi::Messages,
            ("POST", path) if path.ends_with("/count_tokens") => {
                return HttpResponse::from_document(&json!({"input_tokens": 1_000}));
            }
            ("GET" | "HEAD", "/") => return HttpResponse::from_document(&json!({})),
            // A client that uses this server as its proxy cannot reach another host.
            ("CONNECT", _) => {
                return HttpResponse::error_response("403 Forbidden", "this machine alone is reached.");
            }
            (_, path) => {
                return HttpResponse::error_response("404 Not Found", &format!("there is no {path} here."));
            }
        };
        let Ok(document) = serde_json::from_slice::<Value>(&request.body) else {
            return HttpResponse::error_response("400 Bad Request", "the body is no JSON.");
        };
        let conversation = ChatRequest::from_request(api, &document);
        let answer = self.scripts.step_for(conversation.marker.as_ref(), conversation.steps_done);
        let reply = reply::reply_to(&conversation, &answer, self.number.fetch_add(1, Ordering::Relaxed));
        let response = if conversation.streams {
            HttpResponse { status: "200 OK", kind: "text/event-stream", body: reply.to_event_stream() }
        } else {
            HttpResponse::from_document(&reply.to_document())
        };
        if conversation.marker.is_some() {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push(ModelExchange { conversation, answer });
        }
        response
    }
}

impl HttpRequest {
    fn read_from(from: &mut impl BufRead) -> io::Result<Self> {
        let begin = read_line(from)?;
        let mut words = begin.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = read_line(from)?;
            if header.is_empty() {
                break;
            }
            let (name, value) =
                header.split_once(':').ok_or_else(|| bad_request("a header has no colon."))?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    length = value.parse().map_err(|_| bad_request("a length is no number."))?;
                }
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "content-encoding" if value != "identity" => return Err(bad_request("the body is encoded.")),
                _ => {}
            }
        }
        let mut body = Vec::new();
        if chunked {
            loop {
                let size = read_line(from)?;
                let size = size.split(';').next().unwrap_or_default().trim();
                let size =
                    usize::from_str_radix(size, 16).map_err(|_| bad_request("a chunk has no size."))?;
                read_body(from, size, &mut body)?;
                // Each chunk ends with a line end, including the last one, which is empty.
                read_line(from)?;
                if size == 0 {
                    break;
                }
            }
        } else {
            read_body(from, length, &mut body)?;
        }
        let path = target.split('?').next().unwrap_or_default().to_owned();
        Ok(Self { method: method.to_owned(), path, body })
    }
}

impl HttpResponse {
    fn from_document(document: &Value) -> Self {
        Self { status: "200 OK", kind: "application/json", body: document.to_string() }
    }

    /// Makes an error response in the shape that both APIs share.
    fn error_response(status: &'static str, message: &str) -> Self {
        let error = json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}});
        Self { status, ..Self::from_document(&error) }
    }

    fn write_to(&self, mut to: impl Write) -> io::Result<()> {
        let (status, kind, length) = (self.status, self.kind, self.body.len());
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        to.write_all(head.as_bytes())?;
        to.write_all(self.body.as_bytes())?;
        to.flush()
    }
}

/// Reads one line without its line end.
fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.take(LINE_MAX).read_line(&mut line)?;
    let whole = line.strip_suffix('\n').ok_or_else(|| bad_request("a line does not end."))?;
    Ok(whole.trim_end_matches('\r').to_owned())
}

/// Reads this many bytes and appends them to the body.
fn read_body(from: &mut impl BufRead, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
    let begin = body.len();
    if length > BODY_MAX - begin.min(BODY_MAX) {
        return Err(bad_request("the body is too long."));
    }
    body.resize(begin + length, 0);
    from.read_exact(&mut body[begin..])
}

fn bad_request(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send_request(model: &ScriptedModel, request: &str) -> String {
        let mut connection = TcpStream::connect(model.address).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    fn test_model() -> ScriptedModel {
        let scripts = json!({"happy": [{"shell": "echo {name}"}, {"say": "Made {name}."}]});
        ScriptedModel::listen(ModelScripts::from_document(&scripts).unwrap(), None).unwrap()
    }

    #[test]
    fn a_client_is_answered_over_a_real_connection() {
        let model = test_model();
        let body = json!({
            "model": "m", "stream": true,
            "messages": [{"role": "user", "content": "MOCK:happy a"}],
            "tools": [{"name": "Bash", "input_schema": {"properties": {"command": {}}}}],
        })
        .to_string();
        let head = "POST /v1/messages?beta=true HTTP/1.1\r\nHost: a\r\n";
        let whole = send_request(&model, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
        let (first, second) = body.split_at(10);
        let chunks =
            format!("{:x}\r\n{first}\r\n{:x};a=b\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
        let chunked = send_request(&model, &format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}"));
        for answer in [whole, chunked] {
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.contains("text/event-stream") && answer.contains("echo a"), "{answer}");
        }
        let heard = model.recorded_exchanges();
        assert_eq!(heard.len(), 2);
        assert_eq!(heard[0].answer, ScriptStep::Shell("echo a".to_owned()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let model = test_model();
        for (request, status) in [
            ("GET / HTTP/1.1\r\n\r\n", "200"),
            ("POST /v1/messages/count_tokens HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "200"),
            ("GET /v1/other HTTP/1.1\r\n\r\n", "404"),
            ("CONNECT example.org:443 HTTP/1.1\r\n\r\n", "403"),
            ("POST /v1/responses HTTP/1.1\r\nContent-Length: 1\r\n\r\n{", "400"),
            ("POST /v1/responses HTTP/1.1\r\nContent-Length: a\r\n\r\n", "400"),
            ("POST /v1/responses HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", "400"),
            ("POST /v1/responses HTTP/1.1\r\nContent-Encoding: zstd\r\n\r\n", "400"),
            ("POST /v1/responses HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400"),
            ("nonsense\r\nnonsense\r\n\r\n", "400"),
        ] {
            let answer = send_request(&model, request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        }
        assert!(model.recorded_exchanges().is_empty());
    }
}
