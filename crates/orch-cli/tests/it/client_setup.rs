//! `orch setup`, `orch hook`, `orch lead`, and what a client's session remembers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::test_environment::{CliInvocation, TestEnvironment};

const CLIENTS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

/// Every file below a folder, but for those of the store and of git.
fn files_below(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != ".git") {
            found.extend(files_below(&path));
        } else if path.is_file() {
            found.insert(path.clone(), std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

fn setup(place: &TestEnvironment, home: &Path, words: &[&str]) -> CliInvocation {
    let call = place.orch(&[&["setup"], words].concat());
    call.env("HOME", home.to_str().unwrap()).env("XDG_CONFIG_HOME", home.join("settings").to_str().unwrap())
}

fn hook(place: &TestEnvironment, session: &str, words: &[&str]) -> CliInvocation {
    let input = json!({ "session_id": session, "hook_event_name": "x", "stop_hook_active": false });
    place.orch(&[&["hook"], words].concat()).stdin(input.to_string())
}

/// What a hook printed; null where it said nothing.
fn said(call: CliInvocation) -> Value {
    let printed = call.run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    if printed.stdout.is_empty() { Value::Null } else { serde_json::from_str(&printed.stdout).unwrap() }
}

#[test]
fn a_setup_comes_twice_as_once_and_goes_without_a_trace() {
    for client in CLIENTS {
        for scope in ["user", "project"] {
            let place = TestEnvironment::with_repository();
            let home = place.sibling_path("home");
            let before_home = [
                (".claude/settings.json", "{\"model\":\"x\",\n   \"hooks\": {\"Stop\": []}}"),
                (".codex/config.toml", "model = \"x\" # mine"),
                (".gemini/GEMINI.md", "# Mine\n"),
                (".config/opencode/opencode.json", "{}"),
            ];
            for (name, text) in before_home {
                std::fs::create_dir_all(home.join(name).parent().unwrap()).unwrap();
                std::fs::write(home.join(name), text).unwrap();
            }
            std::fs::write(place.repository_path().join("AGENTS.md"), "No tabs.").unwrap();
            let folders = [home.clone(), place.repository_path().to_owned()];
            let before: Vec<_> = folders.iter().map(|folder| files_below(folder)).collect();
            let words = [client, "--scope", scope];

            let planned = setup(&place, &home, &[&words[..], &["--print"]].concat()).ok();
            assert_eq!(planned["installed"], false);
            assert_eq!(setup(&place, &home, &[&words[..], &["--check"]].concat()).run().exit, 1);
            assert_eq!(
                folders.iter().map(|folder| files_below(folder)).collect::<Vec<_>>(),
                before,
                "nothing is written"
            );

            let installed = setup(&place, &home, &words).ok();
            for (planned, written) in
                planned["files"].as_array().unwrap().iter().zip(installed["files"].as_array().unwrap())
            {
                let content = std::fs::read_to_string(written["path"].as_str().unwrap()).unwrap();
                assert_eq!(planned["content"], content);
                assert!(content.contains("orch"), "{content}");
                let top = if scope == "user" { &folders[0] } else { &folders[1] };
                assert!(Path::new(written["path"].as_str().unwrap()).starts_with(top), "{written}");
            }
            let once: Vec<_> = folders.iter().map(|folder| files_below(folder)).collect();
            let again = setup(&place, &home, &words).ok();
            assert!(
                again["files"].as_array().unwrap().iter().all(|file| file["action"] == "keep"),
                "{again}"
            );
            assert_eq!(folders.iter().map(|folder| files_below(folder)).collect::<Vec<_>>(), once);
            assert_eq!(setup(&place, &home, &[&words[..], &["--check"]].concat()).run().exit, 0);

            setup(&place, &home, &[&words[..], &["--remove"]].concat()).ok();
            assert_eq!(
                folders.iter().map(|folder| files_below(folder)).collect::<Vec<_>>(),
                before,
                "{client} {scope}"
            );
        }
    }
}

#[test]
fn what_others_changed_since_stays() {
    let place = TestEnvironment::with_repository();
    let home = place.sibling_path("home");
    std::fs::create_dir_all(home.join(".claude")).unwrap();
    let settings = home.join(".claude/settings.json");
    std::fs::write(&settings, "{\"model\": \"x\"}").unwrap();
    setup(&place, &home, &["claude"]).ok();
    let mut document: Value = serde_json::from_str(&std::fs::read_to_string(&settings).unwrap()).unwrap();
    document["model"] = "y".into();
    document["hooks"]["Stop"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "hooks": [{ "type": "command", "command": "say" }] }));
    std::fs::write(&settings, document.to_string()).unwrap();
    let skill = home.join(".claude/skills/orch/SKILL.md");
    std::fs::write(&skill, "my own").unwrap();
    setup(&place, &home, &["claude", "--remove"]).ok();
    let left: Value = serde_json::from_str(&std::fs::read_to_string(&settings).unwrap()).unwrap();
    assert_eq!(
        left,
        json!({ "model": "y", "hooks": { "Stop": [{ "hooks": [{ "type": "command", "command": "say" }] }] } })
    );
    assert_eq!(std::fs::read_to_string(&skill).unwrap(), "my own");
}

#[test]
fn files_that_git_tracks_are_named_and_need_a_yes() {
    let place = TestEnvironment::with_repository();
    let home = place.sibling_path("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(place.repository_path().join("CLAUDE.md"), "No tabs.\n").unwrap();
    place.commit_all("rules", "x");
    let refused = setup(&place, &home, &["claude", "--scope", "project"]).fails("invalid_argument");
    assert_eq!(refused["details"]["paths"].as_array().unwrap().len(), 1, "{refused}");
    assert_eq!(refused["hint"], "orch setup claude --scope project --yes");
    assert!(!place.repository_path().join(".mcp.json").exists(), "nothing is written");
    let done = setup(&place, &home, &["claude", "--scope", "project", "--yes"]).ok();
    let tracked = done["files"].as_array().unwrap().iter().filter(|file| file["tracked"] == true).count();
    assert_eq!(tracked, 1, "{done}");
}

#[test]
fn files_that_cannot_be_edited_stay_as_they_are() {
    let place = TestEnvironment::with_repository();
    let home = place.sibling_path("home");
    std::fs::create_dir_all(home.join(".claude")).unwrap();
    for (name, text) in [
        (".claude/settings.json", "// mine\n{}"),
        (".claude.json", "{\"mcpServers\": {\"orch\": {\"command\": \"other\"}}}"),
    ] {
        std::fs::write(home.join(name), text).unwrap();
        let before = files_below(&home);
        let refused = setup(&place, &home, &["claude"]).fails("invalid_argument");
        assert!(refused["message"].as_str().unwrap().contains(name), "{refused}");
        assert_eq!(files_below(&home), before);
        std::fs::remove_file(home.join(name)).unwrap();
    }
    let without = setup(&place, &home, &["claude", "--no-hooks"]).ok();
    assert!(!without.to_string().contains("settings.json"), "{without}");
}

#[test]
fn a_session_remembers_what_it_claimed() {
    let place = TestEnvironment::new();
    let thread = place.send_work("w");
    for variable in ["INBOX_SESSION", "CLAUDE_CODE_SESSION_ID", "CODEX_THREAD_ID", "GEMINI_SESSION_ID"] {
        let session = |words: &[&str]| place.inbox(words).env(variable, "s-1");
        session(&["claim", "--as", "w"]).ok();
        session(&["progress", "half"]).ok();
        // Another session has claimed nothing.
        place.inbox(&["progress", "half"]).env(variable, "s-2").fails("invalid_argument");
        session(&["release"]).ok();
        session(&["release"]).fails("invalid_argument");
    }
    let session = |words: &[&str]| place.inbox(words).env("INBOX_SESSION", "s-1");
    session(&["claim", "--as", "w"]).ok();
    let folder = std::fs::read_dir(place.path().join(".orch/sessions")).unwrap();
    for file in folder.flatten() {
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{file:?}");
    }
    assert_eq!(session(&["done", "--result", "made"]).ok()["thread"]["id"], thread);
}

#[test]
fn a_worker_that_would_stop_with_claimed_work_is_held_three_times() {
    let place = TestEnvironment::new();
    let thread = place.send_work("w");
    let stop = || said(hook(&place, "s-1", &["stop", "--client", "claude"]));
    assert_eq!(stop(), Value::Null, "nothing is claimed");
    place.inbox(&["claim", "--as", "w"]).env("CLAUDE_CODE_SESSION_ID", "s-1").ok();
    for _ in 0..3 {
        let held = stop();
        assert_eq!(held["decision"], "block");
        let reason = held["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("inbox done {thread}")) && reason.len() <= 500, "{reason}");
    }
    assert_eq!(stop(), Value::Null, "a session is not held for ever");
    assert_eq!(said(hook(&place, "s-2", &["stop", "--client", "claude"])), Value::Null, "another session");
    let start = said(hook(&place, "s-1", &["session-start", "--client", "claude"]));
    assert!(start["hookSpecificOutput"]["additionalContext"].as_str().unwrap().contains(&thread), "{start}");
}

#[test]
fn a_lead_is_briefed_and_held_once_for_each_event() {
    let place = TestEnvironment::with_repository();
    let lead = |words: &[&str]| place.orch(words).env("CLAUDE_CODE_SESSION_ID", "s-1");
    lead(&["run", "init", "Ship", "--name", "r"]).ok();
    lead(&["task", "add", "A", "--key", "a"]).ok();
    let stop = |client: &str| said(hook(&place, "s-1", &["stop", "--client", client]));
    assert_eq!(stop("claude"), Value::Null, "there is no news");
    lead(&["dispatch", "a", "--to", "w"]).ok();
    let claimed = place.claim_work("w", "w");
    place.inbox(&["ask", &claimed.thread, "Which?", "--token", &claimed.token]).ok();
    let held = stop("claude");
    let reason = held["reason"].as_str().unwrap();
    assert!(reason.contains("question r/a -> orch answer") && reason.len() <= 500, "{reason}");
    assert_eq!(stop("claude"), Value::Null, "it was told");
    assert_eq!(said(hook(&place, "s-2", &["stop", "--client", "claude"])), Value::Null, "not its run");
    place.orch(&["lead", "r", "--session", "s-2"]).ok();
    let prompt = said(hook(&place, "s-2", &["stop", "--client", "opencode"]));
    assert!(prompt["prompt"].as_str().unwrap().contains("question"), "{prompt}");
    let start = said(hook(&place, "s-1", &["session-start", "--client", "codex"]));
    let context = start["hookSpecificOutput"]["additionalContext"].as_str().unwrap();
    assert!(context.contains("Which?") && context.len() <= 5_000, "{context}");
    place.orch(&["answer", "a", "x"]).ok();
    let off = hook(&place, "s-3", &["stop", "--client", "claude"]).env("ORCH_HOOKS", "off");
    place.orch(&["lead", "--session", "s-3"]).ok();
    assert_eq!(said(off), Value::Null);
}

/// A session that has stopped is woken by the hook that waits in the background.
#[test]
fn an_idle_lead_is_woken() {
    let place = TestEnvironment::with_repository();
    place.orch(&["run", "init", "Ship", "--name", "r"]).env("INBOX_SESSION", "s-1").ok();
    place.orch(&["task", "add", "A", "--key", "a"]).ok();
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    let waiting = hook(&place, "s-1", &["wake", "--client", "claude"]).start();
    let claimed = place.claim_work("w", "w");
    place.inbox(&["ask", &claimed.thread, "Which?", "--token", &claimed.token]).ok();
    let woken = waiting.wait_output();
    assert_eq!((woken.exit, woken.stdout.as_str()), (2, ""), "{woken:?}");
    assert!(woken.stderr.contains("question r/a"), "{woken:?}");
    // A run that has ended wakes no session.
    place.orch(&["run", "cancel", "r"]).ok();
    place.orch(&["ack", "--through", "e-999"]).run();
    let told = hook(&place, "s-1", &["stop", "--client", "claude"]).run();
    assert_eq!(told.exit, 0);
    assert_eq!(hook(&place, "s-1", &["wake", "--client", "claude"]).run().exit, 0);
}

#[test]
fn hooks_say_nothing_where_there_is_nothing_to_say_and_never_fail() {
    let place = TestEnvironment::without_store();
    for client in CLIENTS {
        for event in ["session-start", "stop", "wake"] {
            for input in
                ["", "{", "[]", "{\"session_id\": 7}", "{\"session_id\": \"\"}", "{\"session_id\": \"../x\"}"]
            {
                let printed = place.orch(&["hook", event, "--client", client]).stdin(input).run();
                assert_eq!((printed.exit, printed.stdout.as_str()), (0, ""), "{input}: {printed:?}");
            }
        }
    }
}

/// Two clients that read one file keep it until both are removed, and uninstalling removes them too.
#[test]
fn a_shared_file_stays_until_its_last_client_is_removed() {
    let place = TestEnvironment::with_repository();
    let home = place.sibling_path("home");
    std::fs::create_dir_all(&home).unwrap();
    let before = files_below(place.repository_path());
    let of =
        |client: &str, more: &[&str]| setup(&place, &home, &[&[client, "--scope", "project"], more].concat());
    of("codex", &[]).ok();
    of("opencode", &[]).ok();
    of("codex", &["--remove"]).ok();
    assert_eq!(of("opencode", &["--check"]).run().exit, 0);
    assert!(!place.repository_path().join(".codex/config.toml").exists());
    of("opencode", &["--remove"]).ok();
    assert_eq!(files_below(place.repository_path()), before);

    of("codex", &[]).ok();
    place.orch(&["init"]).ok();
    let environment = |call: CliInvocation| {
        call.env("HOME", home.to_str().unwrap())
            .env("XDG_CONFIG_HOME", home.join("settings").to_str().unwrap())
    };
    let planned = environment(place.orch(&["uninstall", "--dry-run"])).ok();
    let setups = planned["removes"].as_array().unwrap().iter().filter(|one| one["what"] == "setup").count();
    assert_eq!(setups, 4, "{planned}");
    environment(place.orch(&["uninstall"])).ok();
    assert_eq!(files_below(place.repository_path()), before);
}

/// News that was told and is not acknowledged neither wakes a session again nor makes its hook spin.
#[test]
fn a_waiting_hook_rests_until_something_new_happens() {
    let place = TestEnvironment::with_repository();
    let lead = |words: &[&str]| place.orch(words).env("INBOX_SESSION", "s-1");
    for run in ["gone", "r"] {
        lead(&["run", "init", "Ship", "--name", run]).ok();
    }
    lead(&["run", "rm", "gone"]).ok();
    place.orch(&["task", "add", "A", "--key", "a"]).ok();
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    let claimed = place.claim_work("w", "w");
    place.inbox(&["ask", &claimed.thread, "Which?", "--token", &claimed.token]).ok();
    assert_ne!(said(hook(&place, "s-1", &["stop", "--client", "claude"])), Value::Null);
    let mut waiting = hook(&place, "s-1", &["wake", "--client", "claude"]).start();
    place.orch(&["wait", "--for", "paused", "--timeout", "3s"]).fails("timeout");
    assert!(waiting.child.try_wait().unwrap().is_none(), "what was told wakes no session");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", waiting.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    assert!(ticks < 50, "a hook that waits has used {ticks} ticks of the processor");
    place.orch(&["answer", "a", "x"]).ok();
    place.inbox(&["fail", &claimed.thread, "--token", &claimed.token, "--reason", "no", "--final"]).ok();
    let woken = waiting.wait_output();
    assert!(woken.exit == 2 && woken.stderr.contains("failed r/a"), "{woken:?}");
}

/// A cloned repository may lead any name elsewhere by a link.
#[test]
fn a_setup_of_a_repository_writes_only_in_it() {
    let place = TestEnvironment::with_repository();
    let home = place.sibling_path("home");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    let victim = home.join(".ssh/config");
    std::fs::write(&victim, "Host *\n").unwrap();
    let before = files_below(&home);
    std::os::unix::fs::symlink(&victim, place.repository_path().join("CLAUDE.md")).unwrap();
    let refused = setup(&place, &home, &["claude", "--scope", "project", "--yes"]).fails("not_permitted");
    assert!(refused["message"].as_str().unwrap().contains("leads out of the repository"), "{refused}");
    std::fs::remove_file(place.repository_path().join("CLAUDE.md")).unwrap();
    std::os::unix::fs::symlink(&home, place.repository_path().join(".claude")).unwrap();
    setup(&place, &home, &["claude", "--scope", "project", "--yes"]).fails("not_permitted");
    assert_eq!(files_below(&home), before, "nothing is written there");
}
