//! Wrong command lines and bad input: the contract's code, the right status, nothing changed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::test_environment::TestEnvironment;

#[test]
fn wrong_command_lines_are_answered_like_everything_else() {
    let place = TestEnvironment::new();
    for (line, command, argument) in [
        ("frobnicate", "inbox", None),
        ("claim --leese 5m", "inbox claim", Some("--leese")),
        ("send --to ../x", "inbox send", Some("--to")),
        ("send --to a..b", "inbox send", Some("--to")),
        ("send --to -f", "inbox send", Some("-f")),
        ("send --to a --subject s --as A", "inbox send", Some("--as")),
        ("send --to a --subject s --as lead --priority 5", "inbox send", Some("--priority")),
        ("send --to a --subject s --as lead --lease 25h", "inbox send", Some("--lease")),
        ("send --to a --subject s --as lead --lease 999ms", "inbox send", Some("--lease")),
        ("send --to a --subject s --as lead --payload {", "inbox send", Some("--payload")),
        ("send --to a --subject s", "inbox send", Some("--from")),
        ("send --to a --as lead", "inbox send", Some("--subject")),
        ("send --subject s --as lead", "inbox send", Some("--to")),
        ("send --thread th-1 --as lead", "inbox send", Some("--body")),
        ("send --thread th-1 --as lead --body b --priority 1", "inbox send", Some("--priority")),
        ("show", "inbox show", Some("THREAD")),
        ("show th-01", "inbox show", Some("THREAD")),
        ("show 1", "inbox show", Some("THREAD")),
        ("progress nonsense text", "inbox progress", Some("THREAD")),
        ("progress th-1 --token t", "inbox progress", Some("TEXT")),
        ("progress th-1 x --token t --percent 101", "inbox progress", Some("--percent")),
        ("claim", "inbox claim", Some("--for")),
        ("claim --for q --wait 1.5s", "inbox claim", Some("--wait")),
        ("wait", "inbox wait", Some("--for")),
        ("wait --for a --timeout 5", "inbox wait", Some("--timeout")),
        ("wait --for a --kind nonsense", "inbox wait", Some("--kind")),
        ("wait --for a --after 5", "inbox wait", Some("--after")),
        ("ack --for a", "inbox ack", Some("--through")),
        ("list --limit 0", "inbox list", Some("--limit")),
        ("list --state lost", "inbox list", Some("--state")),
        ("list --unread", "inbox list", Some("--for")),
        ("list --json --text", "inbox list", Some("--json")),
        ("ask th-1 x --token t --default-after 5s", "inbox ask", None),
        ("schema nonsense", "inbox schema", Some("COMMAND")),
        ("reply th-1 x", "inbox reply", Some("--as")),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let printed = place.inbox(&arguments).run();
        let error = printed.fails("invalid_argument");
        assert_eq!(printed.document()["command"], command, "{line}");
        assert_eq!(printed.stderr, "", "{line}");
        if let Some(argument) = argument {
            assert_eq!(error["details"]["argument"], argument, "{line}");
        }
        assert!(error["hint"].is_string(), "{line}: {error}");
    }
    assert_eq!(place.inbox(&["list"]).ok()["total"], 0);
}

#[test]
fn a_program_is_run_on_work_and_on_nothing_else() {
    let place = TestEnvironment::new();
    place.inbox(&["run", "--for", "q", "--", "make", "-j2"]).fails("inbox_empty");
    place.inbox(&["run", "--for", "q"]).fails("invalid_argument");
    place.inbox(&["run", "--for", "q", "--profile", "shell", "--", "true"]).fails("invalid_argument");
}

#[test]
fn texts_may_begin_with_a_hyphen() {
    let place = TestEnvironment::new();
    let thread = place
        .inbox(&["send", "--to", "q", "--as", "lead", "--subject", "--json", "--body", "- a list"])
        .ok()["thread"]
        .clone();
    assert_eq!(thread["subject"], "--json");
    let held = place.claim_work("q", "ana");
    place.inbox(&["progress", "--token", &held.token, &held.thread, "-1 left"]).ok();
    place.inbox(&["progress", &held.thread, "--token", &held.token, "--", "--help me"]).ok();
    place.inbox(&["ask", &held.thread, "--token", &held.token, "--default", "-x", "--", "-x or -y?"]).ok();
    place.inbox(&["reply", &held.thread, "-m", "-y", "--as", "lead"]).ok();
    place.inbox(&["done", &held.thread, "--token", &held.token, "--result", "--token"]).ok();
    let messages = place.inbox(&["show", &held.thread]).ok()["messages"].clone();
    let bodies: Vec<&str> =
        messages.as_array().unwrap().iter().map(|message| message["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["- a list", "-1 left", "--help me", "-x or -y?", "-y", "--token"]);
}

#[test]
fn texts_that_cannot_be_kept_are_refused() {
    let place = TestEnvironment::new();
    let send = || place.inbox(&["send", "--to", "q", "--as", "lead", "--subject", "s", "--body", "-"]);
    let argument = |error: serde_json::Value| error["details"]["argument"].clone();
    assert_eq!(argument(send().stdin(vec![b'x'; 10 << 20]).fails("invalid_argument")), "--body");
    assert_eq!(argument(send().stdin("a\0b").fails("invalid_argument")), "--body");
    assert_eq!(argument(send().stdin([0xff]).fails("invalid_argument")), "--body");
    send().stdin(vec![b'x'; 1 << 20]).ok();
    assert_eq!(argument(send().stdin("").fails("invalid_argument")), "--body");
    place.inbox(&["send", "--to", "q", "--as", "lead", "--subject", "s", "--body", ""]).ok();
    let empty = ["send", "--to", "q", "--as", "lead", "--subject", ""];
    assert_eq!(argument(place.inbox(&empty).fails("invalid_argument")), "--subject");
    let held = place.claim_work("q", "ana");
    for command in [
        vec!["done", &held.thread, "--result", ""],
        vec!["fail", &held.thread, "--reason", ""],
        vec!["progress", &held.thread, ""],
        vec!["ask", &held.thread, ""],
        vec!["ask", &held.thread, "x", "--option", ""],
        vec!["done", &held.thread, "--result-file", "no-such-file"],
        vec!["done", &held.thread, "--result-file", "."],
    ] {
        let arguments = [&command[..], &["--token", &held.token]].concat();
        place.inbox(&arguments).fails("invalid_argument");
    }
    assert_eq!(place.inbox(&["list"]).ok()["total"], 2);
}

#[test]
fn arguments_and_variables_must_be_utf8() {
    let place = TestEnvironment::new();
    let bad = OsStr::from_bytes(b"caf\xe9");
    place
        .inbox(&["send", "--to", "q", "--as", "lead", "--subject"])
        .raw_argument(bad)
        .fails("invalid_argument");
    place.inbox(&[]).raw_argument(bad).fails("invalid_argument");
    place.inbox(&["list"]).env("INBOX_AGENT", "No Name").fails("invalid_argument");
    place.inbox(&["show"]).env("INBOX_THREAD", "3").fails("invalid_argument");
    place.inbox(&["list"]).env("ORCH_OUTPUT", "xml").fails("invalid_argument");
}

/// What a wrapper keeps for itself is believed from it alone.
#[test]
fn a_variable_of_ours_makes_nobody_read_what_is_no_file_of_ours() {
    let place = TestEnvironment::new();
    let listed = place.inbox(&["list"]).env("INBOX_KEPT", "1").stdin("{}").ok();
    assert_eq!(listed["total"], 0, "{listed}");
}
