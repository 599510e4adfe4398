//! What goes where: JSON and text, stdout and stderr, documents that are no answers.

use std::process::Stdio;

use crate::test_environment::TestEnvironment;

#[test]
fn json_is_the_answer_when_stdout_is_no_terminal() {
    let place = TestEnvironment::new();
    let plain = place.inbox(&["list"]).run();
    let asked = place.inbox(&["list", "--json"]).run();
    assert_eq!(plain.stdout, asked.stdout);
    assert_eq!(plain.stdout.lines().count(), 1);
    let variable = place.inbox(&["list"]).env("ORCH_OUTPUT", "text").run();
    assert_eq!(variable.stdout, "No threads.\n");
    let option = place.inbox(&["list", "--json"]).env("ORCH_OUTPUT", "text").run();
    assert_eq!(option.stdout, plain.stdout);
}

#[test]
fn text_errors_go_to_stderr_with_a_hint() {
    let place = TestEnvironment::new();
    let printed = place.inbox(&["show", "th-9", "--text"]).run();
    assert_eq!(printed.stdout, "");
    assert_eq!(printed.stderr, "error: Thread th-9 not found.\nhint: inbox list\n");
    assert_eq!(printed.exit, 3);
    let usage = place.inbox(&["clam", "--text"]).run();
    assert_eq!(usage.stdout, "");
    assert_eq!(
        usage.stderr,
        "error: unknown command 'clam'. Did you mean 'inbox claim'?\nhint: inbox claim --text\n"
    );
    assert_eq!(usage.exit, 2);
    let deeper = place.orch(&["resume", "r", "--text"]).run();
    assert_eq!(
        deeper.stderr,
        "error: unknown command 'resume'. Did you mean 'orch run resume'?\nhint: orch run resume r --text\n"
    );
}

#[test]
fn a_worker_can_read_every_text() {
    let place = TestEnvironment::new();
    let made = TestEnvironment::without_store();
    assert!(made.inbox(&["init"]).text().starts_with("Created a store at sqlite:"));
    let sent = place
        .inbox(&["send", "--to", "q", "--as", "lead", "--subject", "Build it", "--body", "All.\nOf it."])
        .text();
    assert!(sent.starts_with("Sent m-1 to q.\nth-1  queued  Build it\n"), "{sent}");
    let listed = place.inbox(&["list"]).text();
    assert!(listed.starts_with("THREAD  STATE   P  TO  HOLDER  MESSAGES  UPDATED"), "{listed}");
    assert!(listed.contains("th-1    queued  2  q   -       1"), "{listed}");
    let claimed = place.inbox(&["claim", "--for", "q", "--as", "ana", "--request-id", "k"]).text();
    assert!(claimed.contains("held by ana") && claimed.contains("\n  All.\n  Of it.\n"), "{claimed}");
    let token = claimed.split("token: ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let replayed = place.inbox(&["claim", "--for", "q", "--as", "ana", "--request-id", "k"]).text();
    assert!(replayed.contains(&token) && replayed.contains("nothing was changed now"), "{replayed}");
    let held = |arguments: &[&str]| place.inbox(&[arguments, &["--token", &token]].concat()).text();
    assert!(held(&["renew", "th-1"]).starts_with("The lease expires in "));
    place.inbox(&["send", "--thread", "th-1", "--as", "lead", "--body", "Mind the gap."]).ok();
    let told = held(&["progress", "th-1", "Half.", "--percent", "50"]);
    assert!(told.starts_with("Told lead as m-3; the lease is renewed.\n1 unread message:\n"), "{told}");
    let asked = held(&["ask", "th-1", "Which?"]);
    assert!(asked.starts_with("Asked lead as m-4; the work is blocked"), "{asked}");
    let waited = place.inbox(&["wait", "--for", "lead", "--kind", "question"]).text();
    assert!(
        waited.contains("question  ana → lead") && waited.contains("inbox ack --for lead --through m-4"),
        "{waited}"
    );
    assert_eq!(
        place.inbox(&["ack", "--for", "lead", "--through", "m-4"]).text(),
        "Acknowledged through m-4.\n"
    );
    let shown = place.inbox(&["show", "th-1"]).text();
    assert!(shown.contains("asks: Which?"), "{shown}");
    assert_eq!(
        place.inbox(&["reply", "th-1", "This.", "--as", "lead"]).text(),
        "Answered ana as m-5; the work continues.\n"
    );
    assert_eq!(held(&["ask", "th-1", "Which?"]), "lead answers:\n  This.\n");
    assert!(held(&["release", "th-1"]).starts_with("th-1  queued"));
    assert!(place.inbox(&["agents"]).text().contains("lead "));
    assert!(place.inbox(&["cancel", "th-1"]).text().starts_with("th-1  cancelled"));
    assert_eq!(place.inbox(&["claim", "--for", "q", "--empty-ok"]).text(), "Nothing to claim.\n");
    let nothing =
        place.inbox(&["wait", "--for", "q", "--after", "m-6", "--timeout", "1ms", "--empty-ok"]).text();
    assert_eq!(nothing, "Nothing came after m-6.\n");
}

#[test]
fn texts_of_strangers_are_harmless_on_paper_and_whole_in_json() {
    let place = TestEnvironment::new();
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}\r\u{9b}31m";
    place.inbox(&["send", "--to", "q", "--as", "lead", "--subject", evil, "--body", evil]).ok();
    for command in [vec!["list"], vec!["show", "th-1"], vec!["claim", "--for", "q"]] {
        let text = place.inbox(&command).text();
        let harmful =
            |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
        assert!(!text.contains(harmful), "{text:?}");
        assert!(text.contains("␛[2J"), "{text}");
    }
    let shown = place.inbox(&["show", "th-1"]).ok();
    assert_eq!(shown["thread"]["subject"], evil);
    assert_eq!(shown["messages"][0]["body"], evil);
}

#[test]
fn documents_are_printed_as_they_are_unless_json_is_asked_for() {
    let place = TestEnvironment::without_store();
    for (arguments, begins) in [
        (vec!["--help"], "Send work to agents"),
        (vec![], "Send work to agents"),
        (vec!["--version"], "inbox "),
        (vec!["claim", "--help"], "Claim the most urgent work of a queue"),
        (vec!["completions", "bash"], "\n_clap_complete_inbox() {"),
    ] {
        let printed = place.inbox(&arguments).run();
        assert_eq!(printed.exit, 0, "{printed:?}");
        assert!(printed.stdout.starts_with(begins), "{printed:?}");
        let json = place.inbox(&[&arguments[..], &["--json"]].concat()).run();
        if !arguments.is_empty() {
            let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
            assert!(document["data"]["document"].as_str().unwrap().starts_with(begins), "{document}");
        }
    }
    assert!(place.orch(&["--version"]).run().stdout.starts_with("orch "));
    let folder = place.path().join("man");
    std::fs::create_dir(&folder).unwrap();
    place.inbox(&["man", folder.to_str().unwrap()]).run();
    assert!(folder.join("inbox-claim.1").exists());
}

#[test]
fn schemas_describe_every_command() {
    let place = TestEnvironment::without_store();
    let all = place.inbox(&["schema"]).ok();
    let one = place.inbox(&["schema", "claim"]).ok();
    assert_eq!(one["schemas"]["inbox claim"], all["schemas"]["inbox claim"]);
    assert_eq!(place.inbox(&["schema", "inbox", "claim"]).ok(), one);
    let help = place.inbox(&["--help"]).run().stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for line in commands.lines() {
        let name = line.split_whitespace().next().unwrap();
        // The messages of a server are those of its protocol.
        assert!(
            ["help", "mcp"].contains(&name) || all["schemas"].get(format!("inbox {name}")).is_some(),
            "{name}"
        );
    }
    assert!(place.inbox(&["schema", "ack"]).text().contains("\"cursor\""));
}

#[test]
fn a_reader_who_goes_away_is_no_error() {
    let place = TestEnvironment::new();
    place
        .inbox(&["send", "--to", "q", "--as", "lead", "--subject", "s", "--body", "-"])
        .stdin("x".repeat(1 << 20))
        .ok();
    let mut running = place.inbox(&["show", "th-1"]).start();
    drop(running.child.stdout.take());
    let printed = running.wait_output();
    assert_eq!((printed.exit, printed.stderr.as_str()), (0, ""));
}

#[test]
fn an_interrupted_wait_ends_with_the_status_of_its_signal() {
    let place = TestEnvironment::new();
    for (number, signal, status) in [(1, "INT", 130), (2, "TERM", 143)] {
        let waiting = place.inbox(&["wait", "--for", &format!("agent-{number}")]).start();
        let pid = waiting.child.id().to_string();
        // The waiting agent is seen once its wait has begun, and so the signal is handled by then.
        while place.inbox(&["agents"]).ok()["total"] != number {
            std::thread::yield_now();
        }
        let kill =
            std::process::Command::new("kill").args(["-s", signal, &pid]).stdout(Stdio::null()).status();
        assert!(kill.unwrap().success());
        let printed = waiting.wait_output();
        assert_eq!((printed.exit, printed.stdout.as_str()), (status, ""));
    }
}
