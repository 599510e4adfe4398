//! Names of files that are meant to do harm: they are told as they are to programs, and harmlessly to people.

use serde_json::Value;

use super::ground::{Work, texts};
use crate::place::Place;
use crate::scheduling::text;

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

impl Place {
    /// Sees that what is said to people holds nothing that a terminal obeys.
    fn speaks_harmlessly(&self, words: &[&str], exit: i32) {
        let printed = self.orch(&[words, &["--text"]].concat()).run();
        assert_eq!(printed.exit, exit, "{printed:?}");
        harmless(&printed.stdout);
        harmless(&printed.stderr);
    }
}

fn harmless(text: &str) {
    let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.chars().any(bad), "{text:?}");
    assert!(
        !text.lines().any(|line| line == "lines" || line.starts_with("lines,")),
        "a name broke its line: {text:?}"
    );
}

fn write_all(work: &Work, content: &str) {
    for name in NAMES {
        work.write(name, content);
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn all() -> Vec<String> {
    sorted(NAMES.map(str::to_owned).to_vec())
}

#[test]
fn dirty_files_are_told_as_they_are() {
    let place = Place::with_tree_run(&[]);
    let work = place.take("a", "w");
    write_all(&work, "x");
    let refused = place.done(&work).fails("worktree_dirty");
    assert_eq!(sorted(texts(&refused["details"]["files"])), all());
    assert_eq!(refused["details"]["total"], NAMES.len());
    let spoken = place.done(&work).env("INBOX_OUTPUT", "text").env("ORCH_OUTPUT", "text").run();
    harmless(&spoken.stderr);
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    place.holding(&work.held, &words).within(&work.path).ok();
    let changed = place.attempt("a")["worktree"]["changes"]["changed"].clone();
    let changed = changed.as_array().unwrap().iter().map(|one| text(&one["path"])).collect();
    assert_eq!(sorted(changed), all());
    place.orch(&["integrate"]).ok();
    assert!(!place.top().join("pwned").exists() && !place.beside("pwned").exists());
    place.speaks_harmlessly(&["task", "show", "a"], 0);
    place.speaks_harmlessly(&["events"], 0);
    place.is_sound();
}

#[test]
fn conflicting_files_are_told_as_they_are() {
    let place = Place::with_tree_run(&[]);
    place.task("b", &[]);
    let (a, b) = (place.take("a", "w"), place.take("b", "v"));
    for (work, content) in [(&a, "of a"), (&b, "of b")] {
        write_all(work, content);
        place.commit_in(&work.path, "work");
        place.done(work).ok();
    }
    let printed = place.orch(&["integrate", "--request-id", "k"]).run();
    let rejected = printed.ok()["rejected"][0].clone();
    assert_eq!(sorted(texts(&rejected["files"])), all(), "each name is one entry");
    for words in [
        &["integrate", "--request-id", "k"][..],
        &["events"],
        &["task", "show", "b"],
        &["status"],
        &["why", "b"],
    ] {
        place.speaks_harmlessly(words, 0);
    }
    // The next worker reads the reason: no name in it may pass for a line of the tool's own.
    let next = place.take("b", "v");
    assert!(next.body.lines().all(|line| !line.starts_with("lines")), "{}", next.body);
    assert!(text(&next.payload["earlier"][0]["reason"]).contains("two\\nlines"), "{}", next.payload);
    place.is_sound();
}

#[test]
fn protected_files_are_told_as_they_are() {
    let place = Place::with_repository();
    place.begin("r", &["--protect", "*"]);
    place.task("a", &[]);
    let work = place.take("a", "w");
    write_all(&work, "x");
    place.commit_in(&work.path, "work");
    place.done(&work).ok();
    let failed = place.orch(&["verify", "a"]).fails("check_failed");
    let message = text(&failed["details"]["checks"][0]["message"]);
    assert!(message.contains("two\\nlines") && !message.contains('\n'), "{message:?}");
    harmless(&message);
    harmless(&text(&failed["message"]));
    for words in [&["events"][..], &["task", "show", "a"]] {
        place.speaks_harmlessly(words, 0);
    }
    let next = place.take("a", "w");
    harmless(&next.body);
}

/// Names that are no text at all are told as well as can be.
#[test]
fn names_that_are_no_text_are_told_all_the_same() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::with_tree_run(&["--max-attempts", "9"]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let work = place.take("a", "w");
    work.write(name, "x");
    let refused = place.done(&work).fails("worktree_dirty");
    assert_eq!(texts(&refused["details"]["files"]), ["caf\u{fffd}"]);
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    place.holding(&work.held, &words).within(&work.path).ok();
    place.orch(&["integrate"]).ok();
    let listed = place.git(["ls-tree", "--name-only", "orch/r/main"]);
    assert!(listed.contains("\"caf\\351\""), "{listed}");
}

#[test]
fn output_of_checks_is_harmless_and_bounded() {
    let place = Place::with_tree_run(&[]);
    let check = "i=0; while test $i -lt 2000; do echo \"line $i\"; i=$((i+1)); done; printf 'a\\033[31mred\\0\\377end\\n'; exit 1";
    place.orch(&["task", "edit", "a", "--verify", check]).ok();
    place.reported("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).fails("check_failed");
    let next = place.take("a", "w");
    let tail: &Value = &next.payload["earlier"][0]["log_tail"];
    let tail = text(tail);
    assert!(tail.len() <= 5_000 && tail.ends_with("end"), "{}", tail.len());
    place.speaks_harmlessly(&["task", "show", "a"], 0);
    place.speaks_harmlessly(&["events"], 0);
    harmless(&place.inbox(&["show", &next.held.thread]).text());
}
