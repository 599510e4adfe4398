//! Names of files that are meant to do harm: they are told as they are to programs, and harmlessly to people.

use serde_json::Value;

use super::fixture::{ClaimedWorktree, text_list};
use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// Names that break lines, quotes, terminals and options.
const NAMES: [&str; 9] = [
    "two\nlines",
    "it's \"quoted\"",
    "\u{1b}[31mred\u{1b}[0m",
    "-rf",
    "--help",
    "tab\there",
    "back\\slash",
    "\u{202e}gnp.exe",
    "$(touch pwned) `touch pwned` ; touch pwned",
];

impl TestEnvironment {
    /// Sees that what is said to people holds nothing that a terminal obeys.
    fn expect_no_controls(&self, words: &[&str], exit: i32) {
        let printed = self.orch(&[words, &["--text"]].concat()).run();
        assert_eq!(printed.exit, exit, "{printed:?}");
        assert_no_controls(&printed.stdout);
        assert_no_controls(&printed.stderr);
    }
}

fn assert_no_controls(text: &str) {
    let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.chars().any(bad), "{text:?}");
    assert!(
        !text.lines().any(|line| line == "lines" || line.starts_with("lines,")),
        "a name broke its line: {text:?}"
    );
}

fn write_hostile_files(work: &ClaimedWorktree, content: &str) {
    for name in NAMES {
        work.write_file(name, content);
    }
}

fn sorted_names(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn hostile_names() -> Vec<String> {
    sorted_names(NAMES.map(str::to_owned).to_vec())
}

#[test]
fn dirty_files_are_told_as_they_are() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.start_tree_task("a", "w");
    write_hostile_files(&work, "x");
    let refused = place.done_call(&work).fails("worktree_dirty");
    assert_eq!(sorted_names(text_list(&refused["details"]["files"])), hostile_names());
    assert_eq!(refused["details"]["total"], NAMES.len());
    let spoken = place.done_call(&work).env("INBOX_OUTPUT", "text").env("ORCH_OUTPUT", "text").run();
    assert_no_controls(&spoken.stderr);
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    place.holder_call(&work.held, &words).in_folder(&work.path).ok();
    let changed = place.last_attempt("a")["worktree"]["changes"]["changed"].clone();
    let changed = changed.as_array().unwrap().iter().map(|one| json_text(&one["path"])).collect();
    assert_eq!(sorted_names(changed), hostile_names());
    place.orch(&["integrate"]).ok();
    assert!(!place.repository_path().join("pwned").exists() && !place.sibling_path("pwned").exists());
    place.expect_no_controls(&["task", "show", "a"], 0);
    place.expect_no_controls(&["events"], 0);
    place.check_sound();
}

#[test]
fn conflicting_files_are_told_as_they_are() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &[]);
    let (a, b) = (place.start_tree_task("a", "w"), place.start_tree_task("b", "v"));
    for (work, content) in [(&a, "of a"), (&b, "of b")] {
        write_hostile_files(work, content);
        place.commit_in(&work.path, "work");
        place.done_call(work).ok();
    }
    let printed = place.orch(&["integrate", "--request-id", "k"]).run();
    let rejected = printed.ok()["rejected"][0].clone();
    assert_eq!(sorted_names(text_list(&rejected["files"])), hostile_names(), "each name is one entry");
    for words in [
        &["integrate", "--request-id", "k"][..],
        &["events"],
        &["task", "show", "b"],
        &["status"],
        &["why", "b"],
    ] {
        place.expect_no_controls(words, 0);
    }
    // The next worker reads the reason: no name in it may pass for a line of the tool's own.
    let next = place.start_tree_task("b", "v");
    assert!(next.body.lines().all(|line| !line.starts_with("lines")), "{}", next.body);
    assert!(json_text(&next.payload["earlier"][0]["reason"]).contains("two\\nlines"), "{}", next.payload);
    place.check_sound();
}

#[test]
fn protected_files_are_told_as_they_are() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--protect", "*"]);
    place.add_task("a", &[]);
    let work = place.start_tree_task("a", "w");
    write_hostile_files(&work, "x");
    place.commit_in(&work.path, "work");
    place.done_call(&work).ok();
    let failed = place.orch(&["verify", "a"]).fails("check_failed");
    let message = json_text(&failed["details"]["checks"][0]["message"]);
    assert!(message.contains("two\\nlines") && !message.contains('\n'), "{message:?}");
    assert_no_controls(&message);
    assert_no_controls(&json_text(&failed["message"]));
    for words in [&["events"][..], &["task", "show", "a"]] {
        place.expect_no_controls(words, 0);
    }
    let next = place.start_tree_task("a", "w");
    assert_no_controls(&next.body);
}

/// Names that are no text at all are told as well as can be.
#[test]
fn names_that_are_no_text_are_told_all_the_same() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = TestEnvironment::with_tree_run(&["--max-attempts", "9"]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let work = place.start_tree_task("a", "w");
    work.write_file(name, "x");
    let refused = place.done_call(&work).fails("worktree_dirty");
    assert_eq!(text_list(&refused["details"]["files"]), ["caf\u{fffd}"]);
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    place.holder_call(&work.held, &words).in_folder(&work.path).ok();
    place.orch(&["integrate"]).ok();
    let listed = place.run_git(["ls-tree", "--name-only", "orch/r/main"]);
    assert!(listed.contains("\"caf\\351\""), "{listed}");
}

#[test]
fn output_of_checks_is_harmless_and_bounded() {
    let place = TestEnvironment::with_tree_run(&[]);
    let check = "i=0; while test $i -lt 2000; do echo \"line $i\"; i=$((i+1)); done; printf 'a\\033[31mred\\0\\377end\\n'; exit 1";
    place.orch(&["task", "edit", "a", "--verify", check]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).fails("check_failed");
    let next = place.start_tree_task("a", "w");
    let tail: &Value = &next.payload["earlier"][0]["log_tail"];
    let tail = json_text(tail);
    assert!(tail.len() <= 5_000 && tail.ends_with("end"), "{}", tail.len());
    place.expect_no_controls(&["task", "show", "a"], 0);
    place.expect_no_controls(&["events"], 0);
    assert_no_controls(&place.inbox(&["show", &next.held.thread]).text());
}
