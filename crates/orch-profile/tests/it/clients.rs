//! Clients without a built-in profile: a file is enough for each. Their output is as their documentation shows it.

use orch_profile::{
    BriefDelivery, ClientEnd, ClientSummary, FailureCause, ProcessExit, Profile, SessionTotals, TokenCounts,
    UsdMicros,
};

use super::files::parse_profile;

fn read_events(profile: &Profile, lines: &[&str]) -> ClientSummary {
    let mut reader = profile.event_reader(SessionTotals::default());
    for line in lines {
        reader.feed_output(format!("{line}\n").as_bytes());
    }
    reader.finish()
}

#[test]
fn opencode() {
    let profile = parse_profile(include_str!("clients/opencode.toml")).unwrap();
    let summary = read_events(
        &profile,
        &[
            r#"{"type":"step_start","sessionID":"ses_1","part":{"type":"step-start"}}"#,
            r#"{"type":"tool_use","sessionID":"ses_1","part":{"tool":"bash","state":{"status":"completed","input":{"command":"ls"}}}}"#,
            r#"{"type":"step_finish","sessionID":"ses_1","part":{"cost":0.01,"tokens":{"input":10,"output":2,"reasoning":1,"cache":{"read":5,"write":1}}}}"#,
            r#"{"type":"text","sessionID":"ses_1","part":{"text":"Finished."}}"#,
            r#"{"type":"step_finish","sessionID":"ses_1","part":{"cost":0.02,"tokens":{"input":20,"output":3,"reasoning":0,"cache":{"read":0,"write":0}}}}"#,
        ],
    );
    assert_eq!(summary.session.as_deref(), Some("ses_1"));
    assert_eq!(summary.tokens, Some(TokenCounts { input: 36, cached_input: 5, output: 6 }));
    assert_eq!(summary.cost, Some(UsdMicros(30_000)));
    assert_eq!(summary.result.as_deref(), Some("Finished."));
}

#[test]
fn gemini() {
    let profile = parse_profile(include_str!("clients/gemini.toml")).unwrap();
    assert_eq!(profile.brief, BriefDelivery::Argument);
    let summary = read_events(
        &profile,
        &[
            r#"{"type":"init","session_id":"g-1","model":"m"}"#,
            r#"{"type":"tool_use","tool_name":"run_shell_command","parameters":{"command":"ls"}}"#,
            r#"{"type":"message","role":"assistant","content":"Finished.","delta":true}"#,
            r#"{"type":"result","status":"success","stats":{"input_tokens":10,"output_tokens":3,"cached":4}}"#,
        ],
    );
    assert_eq!(summary.session.as_deref(), Some("g-1"));
    assert_eq!(summary.tokens, Some(TokenCounts { input: 10, cached_input: 4, output: 3 }));
    assert_eq!(profile.interpret_exit(ProcessExit::Status(0), &summary), ClientEnd::Normal);
    // The exit status is the provider's HTTP status modulo 256: 429 is 173.
    let failed =
        read_events(&profile, &[r#"{"type":"result","status":"error","error":{"message":"slow down"}}"#]);
    let quota = ClientEnd::Failed { cause: FailureCause::Quota, text: "slow down".to_owned() };
    assert_eq!(profile.interpret_exit(ProcessExit::Status(173), &failed), quota);
    assert_eq!(
        profile.interpret_exit(ProcessExit::Status(144), &failed),
        ClientEnd::Failed { cause: FailureCause::Client, text: "slow down".to_owned() }
    );
}

#[test]
fn qwen() {
    let profile = parse_profile(include_str!("clients/qwen.toml")).unwrap();
    let end = |input: u64| {
        format!(
            r#"{{"type":"result","subtype":"success","is_error":false,"session_id":"q-1","result":"Finished.","usage":{{"input_tokens":{input},"output_tokens":5}}}}"#
        )
    };
    let first = read_events(&profile, &[&end(10)]);
    let mut reader =
        profile.event_reader(SessionTotals { tokens: first.tokens.unwrap(), ..SessionTotals::default() });
    reader.feed_output(format!("{}\n", end(30)).as_bytes());
    let tokens = TokenCounts { input: 20, cached_input: 0, output: 0 };
    assert_eq!(reader.current_summary().tokens, Some(tokens));
}

#[test]
fn pi() {
    let profile = parse_profile(include_str!("clients/pi.toml")).unwrap();
    let message = |stop: &str| {
        format!(
            r#"{{"type":"message_end","message":{{"role":"assistant","content":[{{"type":"text","text":"Finished."}}],"stopReason":"{stop}","errorMessage":"429 slow down","usage":{{"input":10,"output":2,"cacheRead":3,"cacheWrite":1,"cost":{{"total":0.001}}}}}}}}"#
        )
    };
    let begin = r#"{"type":"session","id":"p-1"}"#;
    let summary = read_events(&profile, &[begin, &message("toolUse"), &message("stop")]);
    assert_eq!(summary.session.as_deref(), Some("p-1"));
    assert_eq!(summary.tokens, Some(TokenCounts { input: 28, cached_input: 6, output: 4 }));
    assert_eq!(summary.cost, Some(UsdMicros(2_000)));
    assert_eq!(profile.interpret_exit(ProcessExit::Status(0), &summary), ClientEnd::Normal);
    // It exits with status 0 after every failure.
    let summary = read_events(&profile, &[begin, &message("error")]);
    let quota = ClientEnd::Failed { cause: FailureCause::Quota, text: "429 slow down".to_owned() };
    assert_eq!(profile.interpret_exit(ProcessExit::Status(0), &summary), quota);
}

#[test]
fn cline() {
    let profile = parse_profile(include_str!("clients/cline.toml")).unwrap();
    let end = r#"{"type":"run_result","finishReason":"stop","text":"Finished.","usage":{"inputTokens":10,"outputTokens":2},"totalCost":0.5}"#;
    let summary = read_events(&profile, &[end]);
    assert_eq!(summary.tokens.map(TokenCounts::total), Some(12));
    assert_eq!(summary.cost, Some(UsdMicros(500_000)));
}

#[test]
fn aider() {
    // Its model cannot run commands, so it cannot ask or report, and its exit status is its report.
    let profile = parse_profile(include_str!("clients/aider.toml")).unwrap();
    assert_eq!(profile.brief, BriefDelivery::File);
    assert!(profile.events.is_none());
}
