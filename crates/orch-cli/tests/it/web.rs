//! `orch web` over its socket: who is let in, what the pages show, and what their buttons do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};

use crate::test_environment::{CliInvocation, TestEnvironment};

/// A server of the page, with the cookie of a session.
struct WebPage {
    child: Child,
    url: String,
    address: String,
    cookie: String,
}

/// An answer: its status, its head and its body.
struct HttpAnswer {
    status: u16,
    head: String,
    body: String,
}

impl WebPage {
    fn start(call: CliInvocation) -> Self {
        let mut child = call.start().child;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| answer["data"][name].as_str().unwrap().to_owned();
        let mut page = Self { child, url: text("url"), address: text("address"), cookie: String::new() };
        let login = page.log_in(&page.url.clone());
        assert_eq!(login.status, 200, "{}", login.body);
        page.cookie = login.cookie();
        page
    }

    fn of(place: &TestEnvironment, words: &[&str]) -> Self {
        Self::start(place.orch(&[&["web"], words].concat()))
    }

    fn send(&self, head: &str, body: &str) -> HttpAnswer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let length = body.len();
        write!(stream, "{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        HttpAnswer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn get(&self, path: &str) -> HttpAnswer {
        let (address, cookie) = (&self.address, &self.cookie);
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}"), "")
    }

    fn shown(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    fn post(&self, path: &str, value: &Value) -> HttpAnswer {
        let (address, cookie) = (&self.address, &self.cookie);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {cookie}\r\n\
             Content-Type: application/json"
        );
        self.send(&head, &value.to_string())
    }

    fn log_in(&self, url: &str) -> HttpAnswer {
        let (_, key) = url.split_once("/#k=").unwrap();
        self.post("/login", &json!({ "key": key }))
    }

    fn act(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.post("/act", &json!({ "tool": tool, "arguments": arguments }));
        serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}: {}", answer.status, answer.body))
    }
}

impl Drop for WebPage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl HttpAnswer {
    fn cookie(&self) -> String {
        let line = self.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        line.split(';').next().unwrap().to_owned()
    }
}

#[test]
fn nothing_is_shown_to_whom_it_is_not_meant_for() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    let page = WebPage::of(&place, &[]);
    let (address, cookie) = (page.address.clone(), page.cookie.clone());
    let port = address.rsplit(':').next().unwrap();
    let with = |method: &str, path: &str, headers: &str, body: &str| {
        page.send(&format!("{method} {path} HTTP/1.1\r\n{headers}"), body)
    };
    // A name that leads here is not a name of this server.
    let rebound = with("GET", "/", &format!("Host: evil.example:{port}\r\nCookie: {cookie}"), "");
    assert_eq!(rebound.status, 421, "{}", rebound.body);
    for missing in ["", "Cookie: a=b", &format!("Cookie: orch_web_{port}=")] {
        for path in ["/", "/runs/r", "/events", "/none"] {
            let refused = with("GET", path, format!("Host: {address}\r\n{missing}").trim_end(), "");
            assert_eq!(refused.status, 401, "{path} {missing}");
            assert!(!refused.body.contains("/runs/r"), "{}", refused.body);
        }
    }
    let act = json!({ "tool": "pause", "arguments": { "run": "r" } }).to_string();
    let head = format!("Host: {address}\r\nCookie: {cookie}");
    for (headers, status) in [
        ("Content-Type: application/json", 403),
        ("Content-Type: application/json\r\nOrigin: https://evil.example", 403),
        ("Content-Type: application/json\r\nOrigin: null", 403),
        ("Content-Type: application/json\r\nSec-Fetch-Site: cross-site", 403),
        (&format!("Content-Type: text/plain\r\nOrigin: http://{address}"), 415),
        (&format!("Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://{address}"), 415),
    ] {
        assert_eq!(with("POST", "/act", &format!("{head}\r\n{headers}"), &act).status, status, "{headers}");
    }
    let no_cookie = format!("Host: {address}\r\nOrigin: http://{address}\r\nContent-Type: application/json");
    assert_eq!(with("POST", "/act", &no_cookie, &act).status, 401);
    assert_eq!(place.orch(&["status", "r"]).ok()["run"]["state"], "open", "nothing was done");
    let allowed = format!("{head}\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin");
    assert_eq!(with("POST", "/act", &allowed, &act).status, 200);
    assert_eq!(place.orch(&["status", "r"]).ok()["run"]["state"], "paused");
}

#[test]
fn a_link_is_good_once_and_another_is_made_on_request() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    let page = WebPage::of(&place, &[]);
    assert_eq!(page.log_in(&page.url).status, 403, "it was used");
    let another = place.orch(&["web", "--link"]).ok();
    assert_eq!((&another["address"], &another["read_only"]), (&json!(page.address), &json!(false)));
    let login = page.log_in(another["url"].as_str().unwrap());
    assert_eq!(login.status, 200);
    assert!(login.head.contains("; httponly; samesite=strict"), "{}", login.head);
    assert_eq!(page.post("/link", &json!({ "key": "guess" })).status, 403);
    let head = page.get("/").head;
    for header in
        ["content-security-policy: default-src 'none'; script-src 'self'", "x-content-type-options: nosniff"]
    {
        assert!(head.contains(header), "{head}");
    }
    drop(page);
    place.orch(&["web", "--link"]).fails("invalid_argument");
}

#[test]
fn pages_show_what_is_there_and_hostile_texts_are_inert() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--goal", "<script>alert(1)</script>"]);
    let title = "<img src=x onerror=alert(2)>";
    place.orch(&["task", "add", title, "--key", "a", "--spec", "\u{1b}[31mred\u{1b}[0m </pre><script>"]).ok();
    place.orch(&["task", "add", "Second", "--key", "b", "--after", "a"]).ok();
    let page = WebPage::of(&place, &[]);
    for path in ["/", "/runs/r", "/runs/r/board", "/runs/r/graph", "/runs/r/graph?task=b", "/runs/r/timeline"]
        .into_iter()
        .chain(["/runs/r/review", "/runs/r/usage", "/runs/r/tasks/a"])
    {
        let shown = page.shown(path);
        for part in ["<script>", "<img", "\u{1b}"] {
            assert!(!shown.contains(part), "{path} has {part}");
        }
    }
    assert!(
        page.shown("/runs/r/tasks/a").contains("red &lt;&#x2f;pre&gt;&lt;script&gt;"),
        "{}",
        page.shown("/runs/r/tasks/a")
    );
    assert!(page.shown("/runs/r/graph").contains("/runs/r/tasks/b"));
    for (path, code) in [
        ("/runs/none", "run_not_found"),
        ("/runs/r/tasks/none", "task_not_found"),
        ("/runs/r/none", "This address has no page"),
        ("/none", "This address has no page"),
        ("/runs/r/tasks/a/log", "attempt_not_found"),
        ("/runs/a%20b", "run_not_found"),
    ] {
        let answer = page.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        assert!(answer.body.contains(code), "{path}: {}", answer.body);
    }
}

#[test]
fn buttons_do_what_their_commands_do() {
    let place = TestEnvironment::with_scripts(&["--verify", "true"]);
    place.add_script_task(
        "a",
        "inbox ask 'Which port?' --option 80 --wait 60s; echo x > x; git add x; git commit -qm x",
        &[],
    );
    let drive = place.orch(&["drive", "r", "--profile", "shell"]).start();
    let page = WebPage::of(&place, &[]);
    place.orch(&["wait", "--run", "r", "--for", "question", "--timeout", "60s"]).ok();
    let shown = page.shown("/");
    assert!(shown.contains("Which port?") && shown.contains("value=\"80\""), "{shown}");
    let answered = page.act("answer", json!({ "task": "r/a", "text": "80" }));
    assert_eq!((&answered["ok"], &answered["command"]), (&json!(true), &json!("orch answer r/a 80")));
    assert_eq!(drive.wait_output().exit, 0);
    let again = page.act("answer", json!({ "task": "r/a", "text": "80" }));
    assert_eq!(again["ok"], false, "{again}");
    assert!(again["error"]["hint"].is_string(), "{again}");
    assert!(page.shown("/runs/r/tasks/a/diff").contains("class=\"added\""));
    assert!(page.shown("/runs/r/tasks/a/log?check=1").contains("Output of a check"));
    // A landing names what the person saw.
    let tip = place.run_git(["rev-parse", "orch/r/main"]);
    assert!(page.shown("/runs/r/review").contains(&tip));
    for stale in
        [json!({ "run": "r", "onto": "main" }), json!({ "run": "r", "onto": "main", "tip": "0".repeat(40) })]
    {
        assert_eq!(page.act("land", stale)["error"]["code"], "branch_moved");
    }
    let landed = page.act("land", json!({ "run": "r", "onto": "main", "tip": tip }));
    assert_eq!(landed["ok"], true, "{landed}");
    assert_eq!(place.run_git(["rev-parse", "main"]), tip);
    assert_eq!(page.act("delete", json!({}))["error"]["code"], "invalid_argument");
    assert_eq!(page.act("answer", json!({ "other": 1 }))["error"]["code"], "invalid_argument");
}

#[test]
fn a_page_that_only_shows_changes_nothing() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    for (words, read_only) in [
        (&["--read-only"][..], true),
        (&["--allow-host", "desk.example"], true),
        (&["--allow-host", "desk.example", "--allow-write"], false),
    ] {
        let page = WebPage::of(&place, words);
        let (address, cookie) = (&page.address, &page.cookie);
        if words.contains(&"desk.example") {
            let head = format!("GET / HTTP/1.1\r\nHost: desk.example\r\nCookie: {cookie}");
            assert_eq!(page.send(&head, "").status, 200);
        }
        assert_eq!(page.shown("/").contains("data-act="), !read_only, "{words:?} at {address}");
        let answer = page.act("pause", json!({ "run": "r" }));
        assert_eq!(answer["ok"], !read_only, "{answer}");
        if read_only {
            assert_eq!(answer["error"]["code"], "not_permitted");
        }
    }
    assert_eq!(place.orch(&["status", "r"]).ok()["run"]["state"], "paused");
    for words in [&["--listen", "0.0.0.0:0"][..], &["--listen", "x"], &["--allow-host", "http://x"]] {
        place.orch(&[&["web"], words].concat()).fails("invalid_argument");
    }
}

#[test]
fn a_stream_tells_what_happens() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    let page = WebPage::of(&place, &[]);
    let mut stream = TcpStream::connect(&page.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (address, cookie) = (&page.address, &page.cookie);
    write!(stream, "GET /events?run=r HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line == "event: hello"));
    place.orch(&["run", "pause", "r"]).ok();
    assert!(lines.by_ref().any(|line| line == "event: news"));
    let told: Vec<String> = lines.by_ref().take(2).collect();
    assert!(told.iter().any(|line| line.starts_with("id: e-")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("\"run\":\"r\"")), "{told:?}");
}
