//! The output of Codex and Claude Code: a run, a resumption, and each kind of failure.

use orch_profile::{
    ClientEnd, ClientSummary, ClientUpdate, FailureCause, MeteringMode, ProcessExit, Profile, ProfileOrigin,
    ProfileReference, ProfileRegistry, ReportedFailure, SessionTotals, TokenCounts, UsdMicros,
};

fn load_built_in(name: &str) -> Profile {
    ProfileRegistry::default().load_profile(&name.parse::<ProfileReference>().unwrap()).unwrap()
}

/// Reads lines with a built-in profile, in pieces that do not end at the ends of lines.
fn read_events(profile: &str, before: SessionTotals, lines: &[&str]) -> (Vec<ClientUpdate>, ClientSummary) {
    let profile = load_built_in(profile);
    let mut reader = profile.event_reader(before);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let updates = text.as_bytes().chunks(7).flat_map(|piece| reader.feed_output(piece)).collect();
    (updates, reader.finish())
}

fn classify_end(profile: &str, status: i32, lines: &[&str]) -> ClientEnd {
    let (_, summary) = read_events(profile, SessionTotals::default(), lines);
    let profile = load_built_in(profile);
    profile.interpret_exit(ProcessExit::Status(status), &summary)
}

fn activities(updates: &[ClientUpdate]) -> Vec<&str> {
    updates.iter().filter_map(|update| update.activity.as_deref()).collect()
}

const CODEX_BEGIN: [&str; 3] = [
    r#"{"type":"thread.started","thread_id":"01a213ae-31b2-7560-bf07-20223666e516"}"#,
    r#"{"type":"item.completed","item":{"id":"item_0","type":"error","message":"Model metadata for `m` not found."}}"#,
    r#"{"type":"turn.started"}"#,
];

#[test]
fn codex_works_and_is_resumed() {
    let mut lines = CODEX_BEGIN.to_vec();
    lines.extend([
        "a warning that is not an event",
        r#"{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"Writing\nthe file."}}"#,
        r#"{"type":"item.started","item":{"id":"item_2","type":"command_execution","command":"/bin/bash -c 'ls'","aggregated_output":"","exit_code":null,"status":"in_progress"}}"#,
        r#"{"type":"item.completed","item":{"id":"item_2","type":"command_execution","command":"/bin/bash -c 'ls'","aggregated_output":"a\n","exit_code":3,"status":"failed"}}"#,
        r#"{"type":"item.completed","item":{"id":"item_3","type":"agent_message","text":"Finished."}}"#,
        r#"{"type":"turn.completed","usage":{"input_tokens":4000,"cached_input_tokens":1000,"output_tokens":200,"reasoning_output_tokens":50}}"#,
    ]);
    let (updates, summary) = read_events("codex", SessionTotals::default(), &lines);
    assert_eq!(
        activities(&updates),
        ["Writing the file.", "/bin/bash -c 'ls'", "/bin/bash -c 'ls'", "Finished."]
    );
    assert_eq!(updates[0].session.as_deref(), Some("01a213ae-31b2-7560-bf07-20223666e516"));
    let used = TokenCounts { input: 4000, cached_input: 1000, output: 200 };
    assert_eq!(summary.tokens, Some(used));
    assert_eq!((summary.cost, summary.failure.clone()), (None, None));
    assert_eq!(summary.result.as_deref(), Some("Finished."));
    assert_eq!(summary.session.as_deref(), Some("01a213ae-31b2-7560-bf07-20223666e516"));

    // Its numbers continue those of the session.
    let again = r#"{"type":"turn.completed","usage":{"input_tokens":6000,"cached_input_tokens":1500,"output_tokens":300}}"#;
    let (_, resumed) = read_events("codex", totals_of(&summary), &[again]);
    assert_eq!(resumed.tokens, Some(TokenCounts { input: 2000, cached_input: 500, output: 100 }));
}

#[test]
fn codex_reports_the_cause_of_a_failure() {
    let end = |message: &str| format!(r#"{{"type":"turn.failed","error":{{"message":"{message}"}}}}"#);
    let failed = |cause, text: &str| ClientEnd::Failed { cause, text: text.to_owned() };
    for (message, expected) in [
        (
            "unexpected status 401 Unauthorized: bad key, url: http://x/v1/responses",
            failed(
                FailureCause::Access,
                "unexpected status 401 Unauthorized: bad key, url: http://x/v1/responses",
            ),
        ),
        (
            "exceeded retry limit, last status: 429 Too Many Requests",
            failed(FailureCause::Quota, "exceeded retry limit, last status: 429 Too Many Requests"),
        ),
        (
            "You've hit your usage limit. Try again at 3:45 PM.",
            failed(FailureCause::Quota, "You've hit your usage limit. Try again at 3:45 PM."),
        ),
        (
            "We’re currently experiencing high demand, which may cause temporary errors.",
            failed(
                FailureCause::Network,
                "We’re currently experiencing high demand, which may cause temporary errors.",
            ),
        ),
        ("prompt is too long", failed(FailureCause::Client, "prompt is too long")),
    ] {
        let last = end(message);
        let lines: Vec<&str> = CODEX_BEGIN.into_iter().chain([last.as_str()]).collect();
        assert_eq!(classify_end("codex", 1, &lines), expected);
    }
}

#[test]
fn a_failure_that_the_client_recovered_from_is_forgotten() {
    let waiting = r#"{"type":"error","message":"Reconnecting... waiting for network (Connection failed: error sending request)"}"#;
    let mut lines = CODEX_BEGIN.to_vec();
    lines.push(waiting);
    let (updates, summary) = read_events("codex", SessionTotals::default(), &lines);
    assert!(updates.last().is_some_and(|update| update.failure.is_some()));
    assert_eq!(summary.failure.map(|failure| failure.cause), Some(FailureCause::Network));
    // It was terminated while it waited, and the reason is still the provider's failure.
    assert!(matches!(
        classify_end("codex", 1, &lines),
        ClientEnd::Failed { cause: FailureCause::Network, .. }
    ));
    lines.push(r#"{"type":"item.completed","item":{"type":"agent_message","text":"Here again."}}"#);
    assert_eq!(classify_end("codex", 0, &lines), ClientEnd::Normal);
    assert!(matches!(
        classify_end("codex", 1, &lines),
        ClientEnd::Failed { cause: FailureCause::Client, .. }
    ));
}

const CLAUDE_BEGIN: &str = r#"{"type":"system","subtype":"init","cwd":"/w","session_id":"5f0c8a6e-3d5b-4a53-9a51-0d7f3c1b2a90","tools":["Bash"],"model":"m"}"#;

#[test]
fn claude_works_and_is_resumed() {
    let lines = [
        CLAUDE_BEGIN,
        r#"{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"Looking."}],"usage":{"input_tokens":1000,"output_tokens":1}},"session_id":"5f0c8a6e-3d5b-4a53-9a51-0d7f3c1b2a90"}"#,
        r#"{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash","input":{"command":"ls"}}]},"session_id":"5f0c8a6e-3d5b-4a53-9a51-0d7f3c1b2a90"}"#,
        r#"{"type":"user","message":{"role":"user","content":[{"type":"tool_result","content":"a","is_error":false}]},"session_id":"5f0c8a6e-3d5b-4a53-9a51-0d7f3c1b2a90"}"#,
        r#"{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Write","input":{"file_path":"/w/a.txt","content":"x"}}]},"session_id":"5f0c8a6e-3d5b-4a53-9a51-0d7f3c1b2a90"}"#,
        r#"{"type":"result","subtype":"success","is_error":false,"result":"Finished.","session_id":"5f0c8a6e-3d5b-4a53-9a51-0d7f3c1b2a90","num_turns":3,"total_cost_usd":0.025,"usage":{"input_tokens":500,"cache_creation_input_tokens":300,"cache_read_input_tokens":4200,"output_tokens":250},"permission_denials":[],"terminal_reason":"completed","api_error_status":null}"#,
    ];
    let (updates, summary) = read_events("claude", SessionTotals::default(), &lines);
    assert_eq!(activities(&updates), ["Looking.", "ls", "/w/a.txt"]);
    assert_eq!(summary.tokens, Some(TokenCounts { input: 5000, cached_input: 4200, output: 250 }));
    assert_eq!(summary.cost, Some(UsdMicros(25_000)));
    assert_eq!(summary.result.as_deref(), Some("Finished."));
    assert_eq!(summary.session.as_deref(), Some("5f0c8a6e-3d5b-4a53-9a51-0d7f3c1b2a90"));
    assert_eq!(classify_end("claude", 0, &lines), ClientEnd::Normal);

    // Its tokens restart at zero, and its cost is that of the session.
    let again = r#"{"type":"result","subtype":"success","is_error":false,"result":"Resumed.","session_id":"5f0c8a6e-3d5b-4a53-9a51-0d7f3c1b2a90","total_cost_usd":0.030000000000000002,"usage":{"input_tokens":1000,"output_tokens":50}}"#;
    let (_, resumed) = read_events("claude", totals_of(&summary), &[again]);
    assert_eq!(resumed.tokens, Some(TokenCounts { input: 1000, cached_input: 0, output: 50 }));
    assert_eq!(resumed.cost, Some(UsdMicros(5_000)));
}

/// What a start has used is what the session had used before the next one.
fn totals_of(summary: &ClientSummary) -> SessionTotals {
    SessionTotals { tokens: summary.tokens.unwrap_or_default(), cost: summary.cost.unwrap_or_default() }
}

#[test]
fn claude_counts_tokens_as_they_come_and_stops_at_its_budget() {
    let said = |id: &str, output: u64| {
        format!(
            r#"{{"type":"assistant","message":{{"id":"{id}","content":[],"usage":{{"input_tokens":10,"cache_read_input_tokens":90,"output_tokens":{output}}}}}}}"#
        )
    };
    // A message with two blocks is told twice.
    let (one, again, other) = (said("m1", 1), said("m1", 4), said("m2", 2));
    let lines = [CLAUDE_BEGIN, &one, &again, &other];
    let (_, summary) = read_events("claude", SessionTotals::default(), &lines);
    assert_eq!(summary.tokens, Some(TokenCounts { input: 200, cached_input: 180, output: 6 }));
    assert_eq!(summary.cost, None);
    let end = r#"{"type":"result","subtype":"error_max_budget_usd","is_error":true,"total_cost_usd":0.5,"usage":{"input_tokens":300,"output_tokens":9}}"#;
    let lines = [CLAUDE_BEGIN, &one, end];
    let (_, summary) = read_events("claude", SessionTotals::default(), &lines);
    assert_eq!(summary.tokens.map(TokenCounts::total), Some(309));
    assert_eq!(summary.cost, Some(UsdMicros(500_000)));
    assert!(matches!(
        classify_end("claude", 1, &lines),
        ClientEnd::Failed { cause: FailureCause::Budget, .. }
    ));
}

#[test]
fn metering_is_declared_or_follows_from_the_events() {
    let check = |text: &str, metered: MeteringMode, holds: [bool; 2]| {
        let text = format!("name = \"x\"\ncommand = [\"x\"]\n{text}");
        let profile = Profile::parse(&text, ProfileOrigin::BuiltIn).unwrap();
        assert_eq!(profile.metered, metered, "{text}");
        assert_eq!([false, true].map(|reserve| profile.holds_cost_limit(reserve)), holds, "{text}");
    };
    let cost = "[events]\nformat = \"json-lines\"\n[events.cost]\ncounts = \"each\"\nusd = \"usd\"\n";
    let tokens = "[events]\nformat = \"json-lines\"\n[events.tokens]\ncounts = \"each\"\ninput = \"i\"\noutput = \"o\"\n";
    let price = "[price]\ninput = 1\noutput = 2\n";
    check("", MeteringMode::None, [false, false]);
    check("cost = \"none\"\n", MeteringMode::None, [true, true]);
    check(cost, MeteringMode::Live, [true, true]);
    check(&format!("metered = \"at_end\"\n{cost}"), MeteringMode::AtEnd, [false, true]);
    check(&format!("metered = \"none\"\n{cost}"), MeteringMode::None, [false, false]);
    // Tokens alone cost nothing that is known.
    check(tokens, MeteringMode::Live, [false, false]);
    check(&format!("{price}{tokens}"), MeteringMode::Live, [true, true]);
    let built_in = load_built_in;
    assert!(built_in("claude").holds_cost_limit(false) && built_in("shell").holds_cost_limit(false));
    assert!(!built_in("codex").holds_cost_limit(false) && built_in("codex").holds_cost_limit(true));
}

#[test]
fn claude_reports_the_cause_of_a_failure() {
    let retry = |status: &str, error: &str| {
        format!(
            r#"{{"type":"system","subtype":"api_retry","attempt":1,"error_status":{status},"error":"{error}","session_id":"s"}}"#
        )
    };
    let end = |status: &str, more: &str, text: &str| {
        format!(
            r#"{{"type":"result","subtype":"success","is_error":true,"api_error_status":{status}{more},"result":"{text}","terminal_reason":"api_error","total_cost_usd":0,"usage":{{"input_tokens":0,"output_tokens":0}}}}"#
        )
    };
    let refused = "API Error: Connection refused (ECONNREFUSED)";
    let failed = |cause, text: &str| ClientEnd::Failed { cause, text: text.to_owned() };
    for (status, error, more, text, expected) in [
        (
            "401",
            "authentication_failed",
            "",
            "Failed to authenticate.",
            failed(FailureCause::Access, "Failed to authenticate."),
        ),
        (
            "429",
            "rate_limit",
            "",
            "Request rejected (429)",
            failed(FailureCause::Quota, "Request rejected (429)"),
        ),
        ("500", "server_error", "", "API Error: 500", failed(FailureCause::Network, "API Error: 500")),
        (
            "null",
            "unknown",
            r#","api_error":"connection_failed""#,
            refused,
            failed(FailureCause::Network, refused),
        ),
        (
            "400",
            "invalid_request",
            "",
            "Prompt is too long",
            failed(FailureCause::Client, "Prompt is too long"),
        ),
    ] {
        let (trying, last) = (retry(status, error), end(status, more, text));
        // It repeats the failure as a message of the model.
        let said = format!(
            r#"{{"type":"assistant","message":{{"content":[{{"type":"text","text":"{text}"}}]}},"is_api_error_message":true}}"#
        );
        assert_eq!(classify_end("claude", 1, &[CLAUDE_BEGIN, &trying, &said, &last]), expected, "{status}");
        let (_, summary) = read_events("claude", SessionTotals::default(), &[CLAUDE_BEGIN, &trying]);
        assert_eq!(summary.failure.map(|failure| failure.text), Some(error.to_owned()));
    }
}

#[test]
fn the_end_of_the_output_that_is_no_event_is_bounded() {
    let lines: Vec<String> = (0..200).map(|number| format!("line {number}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (_, summary) = read_events("claude", SessionTotals::default(), &lines);
    assert!((900..=1_000).contains(&summary.plain_tail.len()), "{}", summary.plain_tail);
    assert!(summary.plain_tail.starts_with("line ") && summary.plain_tail.ends_with("\nline 199"));
}

#[test]
fn output_that_is_not_an_event_is_ignored() {
    let lines = ["", "{", "{\"type\":", "[1, 2]", "null", "\u{1b}[1mhello", "{\"type\":\"never seen\"}"];
    let (updates, summary) = read_events("claude", SessionTotals::default(), &lines);
    assert_eq!(updates, []);
    let plain_tail = "[1, 2]\nnull\n[1mhello".to_owned();
    assert_eq!(summary, ClientSummary { has_events: true, plain_tail, ..ClientSummary::default() });
    let (_, summary) = read_events("claude", SessionTotals::default(), &lines[..6]);
    assert!(!summary.has_events);
    assert!(matches!(classify_end("claude", 127, &lines[..6]), ClientEnd::CouldNotStart { .. }));
}

#[test]
fn plain_output_is_an_activity() {
    let (updates, summary) = read_events("shell", SessionTotals::default(), &["+ make", "", "cc\ta.c"]);
    assert_eq!(activities(&updates), ["+ make", "cc a.c"]);
    assert_eq!(summary, ClientSummary::default());
    assert_eq!(classify_end("shell", 0, &[]), ClientEnd::Normal);
    // A command that the script cannot find is the script's failure.
    assert!(matches!(
        classify_end("shell", 127, &["sh: 1: mke: not found"]),
        ClientEnd::Failed { cause: FailureCause::Client, .. }
    ));
}

#[test]
fn a_failure_without_a_message_is_described_by_its_exit() {
    let lines = [r#"{"type":"turn.failed"}"#];
    let (_, summary) = read_events("codex", SessionTotals::default(), &lines);
    assert_eq!(summary.failure, Some(ReportedFailure { cause: FailureCause::Client, text: String::new() }));
    assert_eq!(
        classify_end("codex", 1, &lines),
        ClientEnd::Failed { cause: FailureCause::Client, text: "it ended with exit status 1".to_owned() }
    );
}

#[test]
fn gemini_speaks_in_pieces() {
    let lines = [
        r#"{"type":"init","session_id":"s-1","model":"m"}"#,
        r#"{"type":"message","role":"assistant","content":"I look","delta":true}"#,
        r#"{"type":"tool_use","tool_name":"run_shell_command","parameters":{"command":"ls"}}"#,
        r#"{"type":"message","role":"assistant","content":"All","delta":true}"#,
        r#"{"type":"message","role":"assistant","content":" ","delta":true}"#,
        r#"{"type":"message","role":"assistant","content":"done.","delta":true}"#,
        r#"{"type":"result","status":"success","stats":{"input_tokens":50,"cached":20,"output_tokens":7}}"#,
    ];
    let (updates, summary) = read_events("gemini", SessionTotals::default(), &lines);
    assert_eq!(activities(&updates), ["ls"]);
    assert_eq!(summary.result.as_deref(), Some("All done."));
    assert_eq!(summary.tokens, Some(TokenCounts { input: 50, cached_input: 20, output: 7 }));
    let refused = r#"{"type":"result","status":"error","error":{"message":"429 RESOURCE_EXHAUSTED"}}"#;
    assert!(matches!(
        classify_end("gemini", 1, &[refused]),
        ClientEnd::Failed { cause: FailureCause::Quota, .. }
    ));
}

#[test]
fn an_empty_answer_of_pi_is_a_cut_stream() {
    let answer = |content: &str| {
        format!(
            r#"{{"type":"message_end","message":{{"role":"assistant","stopReason":"stop","content":{content}}}}}"#
        )
    };
    assert!(matches!(
        classify_end("pi", 0, &[&answer("[]")]),
        ClientEnd::Failed { cause: FailureCause::Network, .. }
    ));
    let said = answer(r#"[{"type":"thinking","thinking":"x"},{"type":"text","text":"Done."}]"#);
    assert_eq!(classify_end("pi", 0, &[&said]), ClientEnd::Normal);
    let (_, summary) = read_events("pi", SessionTotals::default(), &[&said]);
    assert_eq!(summary.result.as_deref(), Some("Done."));
}

#[test]
fn plain_lines_of_aider_are_read_by_patterns() {
    let lines = [
        "Aider v0.86.2",
        "Applied edit to src/a.rs",
        "Tokens: 2.3k sent, 1,204 received. Cost: $0.0042 message, $0.01 session.",
        "Tokens: 769 sent, 10 received.",
    ];
    let (updates, summary) = read_events("aider", SessionTotals::default(), &lines);
    assert_eq!(activities(&updates), ["Applied edit to src/a.rs"]);
    assert_eq!(summary.tokens, Some(TokenCounts { input: 3069, cached_input: 0, output: 1214 }));
    assert_eq!(summary.cost, UsdMicros::from_dollars(0.0042));
    assert!(summary.plain_tail.contains("Aider v0.86.2"));
    for (line, cause) in [
        ("litellm.AuthenticationError: the key is wrong", FailureCause::Access),
        ("litellm.RateLimitError: later", FailureCause::Quota),
        ("litellm.APIConnectionError: none", FailureCause::Network),
    ] {
        match classify_end("aider", 0, &[line, "Check your key."]) {
            ClientEnd::Failed { cause: found, .. } => assert_eq!(found, cause, "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}
