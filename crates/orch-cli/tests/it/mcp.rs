//! Both MCP servers over their stdin and stdout, as clients speak with them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout};

use serde_json::{Value, json};

use crate::test_environment::{CliInvocation, TestEnvironment};

/// A client of a server.
struct McpClient {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    last_id: u64,
    notifications: Vec<Value>,
}

/// What a tool answered.
struct ToolOutput {
    is_error: bool,
    line: String,
    data: Value,
}

impl McpClient {
    /// Starts a server and does nothing more, as clients of the newest revision do.
    fn start(call: CliInvocation) -> Self {
        let mut child = call.with_open_stdin().start().child;
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout, last_id: 0, notifications: Vec::new() }
    }

    /// Starts a server and shakes hands, as clients of older revisions do.
    fn connect(call: CliInvocation) -> Self {
        let mut client = Self::start(call);
        client.initialize("2025-06-18");
        client
    }

    fn initialize(&mut self, version: &str) -> Value {
        let client = json!({ "name": "test", "version": "1" });
        let parameters = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
        let answer = self.request("initialize", parameters);
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        answer["result"].clone()
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Sends a request and returns its id.
    fn begin(&mut self, method: &str, parameters: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        id
    }

    /// Reads up to the answer of a request.
    fn read_answer(&mut self, id: u64) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the server left");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == id {
                return message;
            }
            self.notifications.push(message);
        }
    }

    fn request(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.begin(method, parameters);
        self.read_answer(id)
    }

    fn call(&mut self, tool: &str, arguments: Value) -> ToolOutput {
        let answer = self.request("tools/call", json!({ "name": tool, "arguments": arguments }));
        let result = &answer["result"];
        assert!(result.is_object(), "{tool}: {answer}");
        ToolOutput {
            is_error: result["isError"] == true,
            line: result["content"][0]["text"].as_str().unwrap().to_owned(),
            data: result["structuredContent"].clone(),
        }
    }

    fn ok(&mut self, tool: &str, arguments: Value) -> Value {
        let output = self.call(tool, arguments);
        assert!(!output.is_error, "{tool}: {}", output.line);
        assert!(!output.line.contains('\n') && !output.line.is_empty(), "{tool}: {}", output.line);
        output.data
    }

    fn fails(&mut self, tool: &str, arguments: Value, code: &str) -> Value {
        let output = self.call(tool, arguments);
        assert!(output.is_error && output.data["code"] == code, "{tool}: {} {}", output.line, output.data);
        assert!(output.line.starts_with(code), "{}", output.line);
        output.data
    }

    /// Closes stdin and returns the exit status.
    fn leave(mut self) -> Option<i32> {
        self.stdin = None;
        self.child.wait().unwrap().code()
    }
}

fn tool_names(answer: &Value) -> Vec<&str> {
    answer["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

/// The parameters of a request of the revision without a handshake.
fn stateless(more: Value) -> Value {
    let mut parameters = more;
    parameters["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    parameters
}

#[test]
fn both_servers_speak_each_revision_that_clients_speak() {
    let place = TestEnvironment::with_repository();
    for program in ["orch", "inbox"] {
        let call =
            || if program == "orch" { place.orch(&["mcp"]) } else { place.inbox(&["mcp", "--as", "w"]) };
        for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
            let mut client = McpClient::start(call());
            let answer = client.initialize(version);
            assert_eq!(
                (&answer["protocolVersion"], &answer["serverInfo"]["name"]),
                (&version.into(), &program.into())
            );
            assert!(answer["instructions"].as_str().is_some_and(|text| text.len() < 500), "{answer}");
            client.request("tools/list", json!({}));
            assert_eq!(client.leave(), Some(0));
        }
        let mut client = McpClient::start(call());
        let found = client.request("server/discover", stateless(json!({})));
        assert!(found["result"]["supportedVersions"].to_string().contains("2026-07-28"), "{found}");
        let listed = client.request("tools/list", stateless(json!({})));
        assert!(tool_names(&listed).contains(&"wait"), "{listed}");
        assert_eq!(client.leave(), Some(0));
    }
}

#[test]
fn the_tools_are_few_and_small() {
    let place = TestEnvironment::with_repository();
    let lead = [
        "status",
        "why",
        "show",
        "review",
        "log",
        "plan_add",
        "dispatch",
        "answer",
        "integrate",
        "wait",
        "steer",
    ];
    let worker = ["claim", "progress", "ask", "wait", "done", "fail", "release", "show"];
    let with_land = [&lead[..], &["land"]].concat();
    for (call, expected) in [
        (place.orch(&["mcp"]), &lead[..]),
        (place.orch(&["mcp", "--allow", "land,accept"]), &with_land[..]),
        (place.inbox(&["mcp", "--as", "w"]), &worker[..]),
    ] {
        let mut client = McpClient::connect(call);
        let listed = client.request("tools/list", json!({}));
        assert_eq!(tool_names(&listed), expected);
        let size = listed.to_string().len();
        assert!(size <= 8_000, "the list of tools has {size} bytes");
        for tool in listed["result"]["tools"].as_array().unwrap() {
            let name = tool["name"].as_str().unwrap();
            let reads = ["status", "why", "show", "review", "log"].contains(&name);
            assert_eq!(tool["annotations"]["readOnlyHint"], reads, "{name}");
            let destroys = ["steer", "land", "release"].contains(&name);
            assert_eq!(tool["annotations"]["destructiveHint"], destroys, "{name}");
            assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        }
        assert_eq!(client.leave(), Some(0));
    }
}

/// A goal from its plan to the landed branch, by the tools alone.
#[test]
fn a_lead_and_a_worker_land_a_goal() {
    let place = TestEnvironment::with_repository();
    let mut lead = McpClient::connect(place.orch(&["mcp", "--allow", "land"]));
    assert_eq!(lead.ok("status", json!({}))["runs"], json!([]));
    let tasks = json!([{ "key": "a", "title": "A", "spec": "Make it." }, { "key": "b", "title": "B", "after": ["a"] }]);
    lead.ok("plan_add", json!({ "title": "Ship it", "run": "r", "tasks": tasks }));
    let added = lead.ok("plan_add", json!({ "tasks": [{ "key": "c", "title": "C" }] }));
    assert_eq!(added["added"], 1, "{added}");
    lead.ok("steer", json!({ "action": "cancel", "tasks": ["b", "c"], "text": "not now" }));
    assert_eq!(lead.ok("why", json!({ "task": "b" }))["state"], "cancelled");
    lead.ok("dispatch", json!({ "to": ["w"] }));

    let mut worker = McpClient::connect(place.inbox(&["mcp", "--as", "w"]));
    worker.fails("progress", json!({ "text": "too early" }), "not_claimed");
    let claimed = worker.ok("claim", json!({}));
    let tree = claimed["messages"][0]["payload"]["worktree"]["path"].as_str().unwrap().to_owned();
    assert_eq!(worker.ok("progress", json!({ "text": "half", "percent": 50 }))["unread"], 0);
    let asked = worker.ok("ask", json!({ "question": "Which?", "options": ["x", "y"], "wait": 0 }));
    assert_eq!(asked["answer"], Value::Null);
    let news = lead.ok("wait", json!({ "kinds": ["question"] }));
    assert_eq!(news["events"][0]["kind"], "question");
    lead.ok("answer", json!({ "task": "a", "text": "x" }));
    assert_eq!(
        worker.ok("ask", json!({ "question": "Which?", "options": ["x", "y"] }))["answer"]["body"],
        "x"
    );
    lead.ok("steer", json!({ "action": "tell", "tasks": ["a"], "text": "hurry" }));
    let told = worker.ok("wait", json!({}));
    let last = told["messages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["body"], "hurry", "{told}");
    let seen = worker.ok("wait", json!({ "after": told["cursor"], "wait": 0 }));
    assert_eq!(seen["messages"], json!([]));
    worker.fails("done", json!({ "result": "nothing" }), "no_changes");
    std::fs::write(std::path::Path::new(&tree).join("made"), "made").unwrap();
    worker.ok("done", json!({ "result": "made", "snapshot": true }));

    lead.ok("integrate", json!({}));
    assert_eq!(lead.ok("show", json!({ "task": "a" }))["task"]["state"], "done");
    assert_eq!(lead.ok("review", json!({}))["run"], "r");
    let landed = lead.ok("land", json!({ "onto": "main" }));
    assert_eq!(landed["branch"], "main");
    assert_eq!(place.run_git(["show", "main:made"]), "made");
    // What was returned last counts as seen by the next call.
    let cursor = lead.ok("wait", json!({ "wait": 0 }))["cursor"].clone();
    assert_eq!(lead.ok("wait", json!({ "after": cursor, "wait": 0 }))["events"], json!([]));
    assert_eq!(place.orch(&["wait", "--timeout", "0s"]).run().exit, 5);
    assert_eq!((lead.leave(), worker.leave()), (Some(0), Some(0)));
}

#[test]
fn what_a_person_decides_is_refused_unless_it_is_allowed() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.report_task("a", &[("a", "a")]);
    let accept = json!({ "action": "accept", "tasks": ["a"] });
    let mut lead = McpClient::connect(place.orch(&["mcp"]));
    let refused = lead.fails("steer", accept.clone(), "not_permitted");
    assert_eq!(refused["hint"], "orch accept TASK");
    let land = lead.request("tools/call", json!({ "name": "land", "arguments": { "onto": "main" } }));
    assert!(land["error"]["message"].as_str().unwrap().contains("There is no tool `land`"), "{land}");
    let mut trusted = McpClient::connect(place.orch(&["mcp", "--allow", "accept"]));
    trusted.ok("steer", accept);
}

#[test]
fn wrong_arguments_name_what_is_right() {
    let place = TestEnvironment::with_tree_run(&[]);
    let mut lead = McpClient::connect(place.orch(&["mcp"]));
    for (tool, arguments, part) in [
        ("show", json!({ "taks": "a" }), "unknown field `taks`, expected `task`"),
        ("show", json!({}), "missing field `task`"),
        ("show", json!({ "task": "a/b/c" }), "a task is KEY or RUN/KEY"),
        ("wait", json!({ "after": "12" }), "e-N"),
        ("steer", json!({ "action": "destroy", "tasks": ["a"] }), "unknown variant `destroy`"),
        ("steer", json!({ "action": "reject", "tasks": ["a", "b"], "text": "x" }), "exactly one task"),
        ("steer", json!({ "action": "hold", "tasks": [] }), "names no task"),
        ("plan_add", json!({ "tasks": [{ "titel": "x" }] }), "titel"),
    ] {
        let error = lead.fails(tool, arguments, "invalid_argument");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    lead.fails("show", json!({ "task": "nowhere" }), "task_not_found");
}

/// A wait tells that it lives, is given up when the client cancels it, and its end is an answer.
#[test]
fn waits_report_progress_and_are_cancelled() {
    let place = TestEnvironment::with_tree_run(&[]);
    let mut lead = McpClient::connect(place.orch(&["mcp"]));
    let parameters = json!({
        "name": "wait", "arguments": { "kinds": ["paused"], "wait": 12 }, "_meta": { "progressToken": "p" },
    });
    let waited = lead.request("tools/call", parameters);
    assert_eq!(waited["result"]["structuredContent"]["events"], json!([]), "{waited}");
    let told: Vec<&Value> =
        lead.notifications.iter().filter(|note| note["method"] == "notifications/progress").collect();
    assert!(told.iter().any(|note| note["params"]["progressToken"] == "p"), "{told:?}");

    let id = lead.begin("tools/call", json!({ "name": "wait", "arguments": { "kinds": ["paused"] } }));
    let cancelled = json!({ "requestId": id, "reason": "enough" });
    lead.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled }));
    assert_eq!(lead.ok("status", json!({}))["run"]["id"], "r");
    // A client that leaves in the middle of a wait is not waited for.
    lead.begin("tools/call", json!({ "name": "wait", "arguments": { "kinds": ["paused"] } }));
    assert_eq!(lead.leave(), Some(0));
}

/// A supervised worker's server reaches its own work through the relay, which has claimed it.
#[test]
fn a_supervised_worker_works_by_its_server() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", "echo made > made; git add .; git commit -qm made; sh ../../talk", &[]);
    let call = |id: u32, tool: &str, arguments: Value| {
        let parameters = stateless(json!({ "name": tool, "arguments": arguments }));
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": parameters }).to_string()
    };
    let talk = [
        call(1, "claim", json!({})),
        call(2, "progress", json!({ "text": "half" })),
        call(3, "done", json!({ "result": "by the server" })),
    ];
    let script = format!(
        "( for line in {}; do echo \"$line\"; sleep 0.5; done; sleep 1 ) | inbox mcp > ../../told\n",
        talk.map(|line| format!("'{line}'")).join(" ")
    );
    let folder = place.repository_path().with_extension("orch");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("talk"), script).unwrap();
    place.write_profile("client", "");
    let printed = place.orch(&["drive", "r", "--profile", "client"]).run();
    let told = std::fs::read_to_string(folder.join("told")).unwrap_or_default();
    assert_eq!(printed.exit, 0, "{printed:?} {told}");
    assert_eq!(place.last_attempt("a")["result"], "by the server", "{told}");
    assert!(told.contains("Make it.") || told.contains("script") || told.contains("\"th-1\""), "{told}");
}
