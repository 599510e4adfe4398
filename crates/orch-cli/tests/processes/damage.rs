//! Stores with damage anywhere: whatever is asked of them, the answer is one of the contract, and never a panic.

use std::path::Path;

use orch_testkit::program::{ProcessOutput, ProgramReply, TestPrograms};
use orch_testkit::seeded_rng::SeededRng;

use crate::fixture::{ProcessFixture, read_bytes};

/// How many damaged stores there are of each kind.
const STORES: u64 = 24;

/// Asks and changes of all sorts.
const COMMANDS: [&[&str]; 10] = [
    &["orch", "status"],
    &["orch", "task", "list"],
    &["orch", "task", "show", "b"],
    &["orch", "events", "--limit", "1000"],
    &["inbox", "list"],
    &["inbox", "show", "th-1"],
    &["inbox", "claim", "--for", "ana"],
    &["orch", "task", "add", "New", "--after", "b"],
    &["orch", "dispatch", "--all", "--to", "bo"],
    &["orch", "doctor"],
];

/// A store with a little of everything, all of it in the file: the log was just copied, and begins anew.
fn filled_store() -> (ProcessFixture, Vec<u8>) {
    let place = ProcessFixture::new();
    let programs = &place.programs;
    let _ = programs.run_for_data(&["orch", "run", "init", "R", "--name", "r", "--goal", "All of it."]);
    for (key, after) in [("a", None), ("b", Some("a")), ("c", Some("b"))] {
        let add = ["orch", "task", "add", "T", "--key", key, "--spec", "Do it."];
        let _ = programs
            .run_for_data(&[&add[..], &after.map_or(vec![], |after| vec!["--after", after])].concat());
    }
    let _ = programs.run_for_data(&["orch", "dispatch", "a", "--to", "ana"]);
    let (thread, token) = place.claim_work();
    let _ =
        programs.run_for_data(&["inbox", "ask", &thread, "Which?", "--token", &token, "--option", "this"]);
    let before = read_bytes(programs.store());
    let text = "x".repeat(30_000);
    for _ in 0..200 {
        let now = read_bytes(programs.store());
        if now != before {
            return (place, now);
        }
        let _ = programs.run_for_data(&[
            "inbox",
            "send",
            "--as",
            "lead",
            "--to",
            "ana",
            "--subject",
            "s",
            "--body",
            &text,
        ]);
    }
    panic!("the log is never copied");
}

/// What an answer must be, whatever is left of the store.
fn check_reply(what: &str, words: &[&str], ended: &ProcessOutput) {
    let status = ended.status.code();
    let fits = match ended.program_reply() {
        ProgramReply::Ok { .. } => status == Some(0),
        ProgramReply::Refused { code, error } => match code.as_str() {
            "store_corrupt" if words == ["orch", "doctor"] => status == Some(1),
            "store_corrupt" | "store_too_new" => status == Some(1) && error["hint"].is_string(),
            // The schema itself was changed, and the doctor will say so.
            "internal" => status == Some(1) && error["hint"] == "orch doctor",
            // The header says that only a newer SQLite may write.
            "store_read_only" => status == Some(7) && error["hint"].is_string(),
            // What the damage hid is not there.
            "store_not_found" | "run_not_found" | "task_not_found" | "thread_not_found" => status == Some(3),
            "task_not_ready" | "attempt_live" | "run_not_open" | "task_finished" => status == Some(4),
            "inbox_empty" => status == Some(5),
            _ => false,
        },
        ProgramReply::Nothing | ProgramReply::Unparsable(_) => false,
    };
    assert!(fits && !ended.stderr.contains("panicked"), "{what}, {words:?}: {ended}");
}

/// Writes a store that was damaged so, and asks it everything.
fn query_damaged_store(place: &ProcessFixture, what: &str, damaged: &[u8]) {
    // The file itself, because a copy elsewhere would only be read.
    let programs = &place.programs;
    for log in ["-wal", "-shm"] {
        let mut path = programs.store().as_os_str().to_owned();
        path.push(log);
        let _ = std::fs::remove_file(path);
    }
    std::fs::write(programs.store(), damaged).unwrap();
    for words in COMMANDS {
        check_reply(what, words, &programs.run_command(words));
    }
}

#[test]
fn flipped_bits_are_answered() {
    let (place, whole) = filled_store();
    for seed in 0..STORES {
        let mut chance = SeededRng::new(seed);
        let mut damaged = whole.clone();
        // Some hit the header of the file, some the head of a page, some anything.
        for _ in 0..=chance.number_below(20) {
            let at = match chance.number_below(3) {
                0 => chance.number_below(100),
                1 => chance.number_below(whole.len() / 4096) * 4096 + chance.number_below(16),
                _ => chance.number_below(whole.len()),
            };
            damaged[at] ^= 1 << chance.number_below(8);
        }
        query_damaged_store(&place, &format!("bits flipped by seed {seed}"), &damaged);
    }
}

#[test]
fn overwritten_pages_are_answered() {
    let (place, whole) = filled_store();
    for seed in 0..STORES {
        let mut chance = SeededRng::new(seed);
        let mut damaged = whole.clone();
        for _ in 0..=chance.number_below(4) {
            let page = (1 + chance.number_below(whole.len() / 4096 - 1)) * 4096;
            let other = chance.number_below(whole.len() / 4096) * 4096;
            // Another page in its place looks sound by itself.
            if chance.is_within_percent(50) {
                damaged.copy_within(other..other + 4096, page);
            } else {
                damaged[page..page + 4096].fill_with(|| chance.next_number() as u8);
            }
        }
        query_damaged_store(&place, &format!("pages overwritten by seed {seed}"), &damaged);
    }
}

#[test]
fn cut_files_are_answered() {
    let (place, whole) = filled_store();
    for seed in 0..STORES {
        let mut chance = SeededRng::new(seed);
        let end = if chance.is_within_percent(30) {
            chance.number_below(4096)
        } else {
            chance.number_below(whole.len())
        };
        query_damaged_store(&place, &format!("cut to {end} bytes"), &whole[..end]);
    }
}

/// Texts with other letters in them: sound for the database, and not ours.
#[test]
fn values_that_no_row_may_hold_are_damage() {
    let (place, whole) = filled_store();
    for (old, new) in
        [("blocked", "blokced"), ("waiting", "waitinG"), ("question", "questioN"), ("ana", "a/a")]
    {
        let damaged = replace_bytes(&whole, old, new);
        query_damaged_store(&place, &format!("{old} spelt {new}"), &damaged);
    }
    let damaged = replace_bytes(&whole, "waiting", "wait\u{0}ng");
    query_damaged_store(&place, "NUL in a state", &damaged);
    let mut invalid = whole.clone();
    for at in find_offsets(&whole, b"Which?") {
        invalid[at] = 0xff;
    }
    query_damaged_store(&place, "a text that is not UTF-8", &invalid);
    let asked = |programs: &TestPrograms| programs.run_command(&["orch", "task", "list"]).program_reply();
    let folder = tempfile::tempdir_in(place.file_path(".")).unwrap();
    let programs = place.programs.with_store(folder.path().join("orch.db"));
    std::fs::write(programs.store(), replace_bytes(&whole, "waiting", "waitinG")).unwrap();
    assert!(matches!(asked(&programs), ProgramReply::Refused { code, .. } if code == "store_corrupt"));
}

/// Where a text stands in a row; in the schema it stands between other characters.
fn find_offsets(whole: &[u8], text: &[u8]) -> Vec<usize> {
    let windows = whole.windows(text.len() + 1).enumerate();
    let in_row = |window: &[u8]| window.starts_with(text) && !b"' ,)_".contains(&window[text.len()]);
    windows.filter(|(_, window)| in_row(window)).map(|(at, _)| at).collect()
}

fn replace_bytes(whole: &[u8], old: &str, new: &str) -> Vec<u8> {
    let mut damaged = whole.to_vec();
    for at in find_offsets(whole, old.as_bytes()) {
        damaged[at..at + old.len()].copy_from_slice(new.as_bytes());
    }
    damaged
}

/// What lies in the log is checked by sums: damage there costs what was written since, and nothing else.
#[test]
fn a_damaged_log_ends_where_its_damage_begins() {
    for seed in 0..STORES {
        let place = ProcessFixture::new();
        let mut chance = SeededRng::new(seed);
        for _ in 0..4 {
            place.send_work("s");
        }
        let log = place.file_path("orch.db-wal");
        damage_half(&log, &mut chance);
        let list = place.programs.run_command(&["inbox", "list"]);
        check_reply(&format!("a log damaged by seed {seed}"), &["inbox", "list"], &list);
        let doctor = place.programs.run_command(&["orch", "doctor"]);
        check_reply(&format!("a log damaged by seed {seed}"), &["orch", "doctor"], &doctor);
    }
}

fn damage_half(path: &Path, chance: &mut SeededRng) {
    let mut log = read_bytes(path);
    let from = chance.number_below(log.len());
    log[from..].fill_with(|| chance.next_number() as u8);
    std::fs::write(path, log).unwrap();
}
