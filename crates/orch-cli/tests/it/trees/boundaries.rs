//! What is refused or told before it can do harm: folders that cannot hold worktrees, plans of workers, specs from elsewhere,
//! invisible characters, numbers and tokens.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

#[test]
fn a_folder_that_cannot_hold_worktrees_is_refused() {
    let place = TestEnvironment::with_repository();
    let (file, closed) = (place.sibling_path("file"), place.sibling_path("closed"));
    std::fs::write(&file, "").unwrap();
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
    let mut cases = vec![
        ("../file", "is not a folder"),
        ("../file/below", "is in a folder that does not exist"),
        ("../missing/below", "is in a folder that does not exist"),
        ("inside", "is inside the repository"),
        (".", "is inside the repository"),
        (".git/trees", "is inside the repository"),
    ];
    if !rustix::process::geteuid().is_root() {
        cases.extend([("../closed", "cannot be written"), ("../closed/below", "cannot be written")]);
    }
    for (root, problem) in cases {
        let refused = place.orch(&["run", "init", "x", "--worktree-root", root]).fails("invalid_argument");
        assert_eq!(refused["details"]["argument"], "--worktree-root");
        assert!(json_text(&refused["message"]).contains(problem), "{root}: {refused}");
    }
    assert_eq!(place.orch(&["run", "list"]).ok()["runs"].as_array().unwrap().len(), 0);
    std::fs::create_dir(place.sibling_path("trees")).unwrap();
    for (name, root) in [("a", "../trees"), ("b", "../new")] {
        place.orch(&["run", "init", "x", "--name", name, "--worktree-root", root]).ok();
    }
}

#[test]
fn a_plan_that_a_worker_may_have_written_is_not_added() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    let tree = place.sibling_path("repo.orch/r/a.1");
    std::fs::write(tree.join("plan.jsonl"), "{\"key\":\"z\",\"title\":\"Z\"}\n").unwrap();
    let plan = tree.join("plan.jsonl");
    std::os::unix::fs::symlink(&plan, place.sibling_path("link.jsonl")).unwrap();
    for path in [plan, place.sibling_path("link.jsonl")] {
        let path = path.to_str().unwrap();
        let refused = place.orch(&["task", "add", "--file", path]).fails("store_untrusted");
        assert!(json_text(&refused["message"]).contains("in a worktree of an attempt"), "{refused}");
    }
    let text = std::fs::read_to_string(place.sibling_path("link.jsonl")).unwrap();
    place.orch(&["task", "add", "--file", "-"]).stdin(text).ok();
}

#[test]
fn a_spec_from_outside_the_folder_of_the_plan_is_told() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    let folder = place.sibling_path("plans");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(place.sibling_path("outside.md"), "outside").unwrap();
    std::fs::write(folder.join("inside.md"), "inside").unwrap();
    std::os::unix::fs::symlink(place.sibling_path("outside.md"), folder.join("link.md")).unwrap();
    for (key, file, is_told) in
        [("a", "inside.md", false), ("b", "../outside.md", true), ("c", "link.md", true)]
    {
        let plan = folder.join("plan.jsonl");
        std::fs::write(&plan, format!("{{\"key\":\"{key}\",\"title\":\"T\",\"spec_file\":\"{file}\"}}\n"))
            .unwrap();
        let added = place.orch(&["task", "add", "--file", plan.to_str().unwrap()]).run().document();
        let warnings = added["warnings"].as_array().cloned().unwrap_or_default();
        let told = warnings.iter().any(|warning| {
            let text = warning.as_str().unwrap_or_default();
            text.contains("outside its folder") && text.contains(file)
        });
        assert_eq!(told, is_told, "{file}: {added}");
    }
}

#[test]
fn invisible_characters_are_shown_in_text_and_refused_in_names() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    for character in ['\u{200b}', '\u{202e}', '\u{2066}', '\u{e0041}', '\u{feff}'] {
        let title = format!("a{character}b");
        let task = place.orch(&["task", "add", &title]).ok()["task"].clone();
        assert_eq!(task["title"], serde_json::json!(title));
        for words in [&["task", "list"][..], &["status"], &["task", "show", &json_text(&task["id"])]] {
            let text = place.orch(words).text();
            assert!(!text.contains(character), "{words:?} {}: {text}", u32::from(character));
        }
        for words in [&["task", "add", "x", "--key", &title][..], &["run", "init", "x", "--name", &title]] {
            place.orch(words).fails("invalid_argument");
        }
    }
    place.orch(&["task", "add", "👩\u{200d}🚀 größe"]).ok();
}

#[test]
fn a_payload_is_passed_on_as_it_was_written() {
    let place = TestEnvironment::new();
    let payload = r#"{"n":123456789012345678901234567890,"f":1.10,"e":1e400}"#;
    let sent =
        place.inbox(&["send", "--from", "a", "--to", "q", "--subject", "s", "--payload", payload]).ok();
    let thread = json_text(&sent["thread"]["id"]);
    let shown = place.inbox(&["show", &thread]).run();
    assert!(shown.stdout.contains(payload), "{}", shown.stdout);
}

#[test]
fn the_token_of_a_lease_stands_in_no_hint() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let claimed = place.inbox(&["claim", "--as", "w", "--for", "q"]).run().document()["data"].clone();
    let (thread, token) = (json_text(&claimed["thread"]["id"]), json_text(&claimed["lease"]["token"]));
    let words = ["ask", &thread, "Which?", "--as", "w", "--token", &token, "--wait=10ms"];
    let error: Value = place.inbox(&words).fails("timeout");
    assert!(!error.to_string().contains(&token), "{error}");
    assert!(json_text(&error["hint"]).contains("--token TOKEN"), "{error}");
}
