//! Stores with damage anywhere: whatever is asked of them, the answer is one of the contract, and never a panic.

use std::path::Path;

use orch_testkit::chance::Chance;
use orch_testkit::program::{Ended, Programs, Said};

use crate::place::{Place, bytes};

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
fn whole() -> Vec<u8> {
    let place = Place::new();
    let programs = &place.programs;
    let _ = programs.data(&["orch", "run", "init", "R", "--name", "r", "--goal", "All of it."]);
    for (key, after) in [("a", None), ("b", Some("a")), ("c", Some("b"))] {
        let add = ["orch", "task", "add", "T", "--key", key, "--spec", "Do it."];
        let _ = programs.data(&[&add[..], &after.map_or(vec![], |after| vec!["--after", after])].concat());
    }
    let _ = programs.data(&["orch", "dispatch", "a", "--to", "ana"]);
    let (thread, token) = place.claim();
    let _ = programs.data(&["inbox", "ask", &thread, "Which?", "--token", &token, "--option", "this"]);
    let before = bytes(programs.store());
    let text = "x".repeat(30_000);
    for _ in 0..200 {
        let now = bytes(programs.store());
        if now != before {
            return now;
        }
        let _ = programs.data(&[
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
fn is_an_answer(what: &str, words: &[&str], ended: &Ended) {
    let status = ended.status.code();
    let fits = match ended.said() {
        Said::Ok { .. } => status == Some(0),
        Said::Refused { code, error } => match code.as_str() {
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
        Said::Nothing | Said::Nonsense(_) => false,
    };
    assert!(fits && !ended.stderr.contains("panicked"), "{what}, {words:?}: {ended}");
}

/// Writes a store that was damaged so, and asks it everything.
fn try_all(place: &Place, what: &str, damaged: &[u8]) {
    let folder = tempfile::tempdir_in(place.path(".")).unwrap();
    let programs = place.programs.at(folder.path().join("orch.db"));
    std::fs::write(programs.store(), damaged).unwrap();
    for words in COMMANDS {
        is_an_answer(what, words, &programs.run(words));
    }
}

#[test]
fn flipped_bits_are_answered() {
    let (place, whole) = (Place::bare(), whole());
    for seed in 0..STORES {
        let mut chance = Chance::new(seed);
        let mut damaged = whole.clone();
        // Some hit the header of the file, some the head of a page, some anything.
        for _ in 0..=chance.below(20) {
            let at = match chance.below(3) {
                0 => chance.below(100),
                1 => chance.below(whole.len() / 4096) * 4096 + chance.below(16),
                _ => chance.below(whole.len()),
            };
            damaged[at] ^= 1 << chance.below(8);
        }
        try_all(&place, &format!("bits flipped by seed {seed}"), &damaged);
    }
}

#[test]
fn overwritten_pages_are_answered() {
    let (place, whole) = (Place::bare(), whole());
    for seed in 0..STORES {
        let mut chance = Chance::new(seed);
        let mut damaged = whole.clone();
        for _ in 0..=chance.below(4) {
            let page = (1 + chance.below(whole.len() / 4096 - 1)) * 4096;
            let other = chance.below(whole.len() / 4096) * 4096;
            // Another page in its place looks sound by itself.
            if chance.percent(50) {
                damaged.copy_within(other..other + 4096, page);
            } else {
                damaged[page..page + 4096].fill_with(|| chance.number() as u8);
            }
        }
        try_all(&place, &format!("pages overwritten by seed {seed}"), &damaged);
    }
}

#[test]
fn cut_files_are_answered() {
    let (place, whole) = (Place::bare(), whole());
    for seed in 0..STORES {
        let mut chance = Chance::new(seed);
        let end = if chance.percent(30) { chance.below(4096) } else { chance.below(whole.len()) };
        try_all(&place, &format!("cut to {end} bytes"), &whole[..end]);
    }
}

/// Texts with other letters in them: sound for the database, and not ours.
#[test]
fn values_that_no_row_may_hold_are_damage() {
    let (place, whole) = (Place::bare(), whole());
    for (old, new) in
        [("blocked", "blokced"), ("waiting", "waitinG"), ("question", "questioN"), ("ana", "a/a")]
    {
        let damaged = replaced(&whole, old, new);
        try_all(&place, &format!("{old} spelt {new}"), &damaged);
    }
    let damaged = replaced(&whole, "waiting", "wait\u{0}ng");
    try_all(&place, "NUL in a state", &damaged);
    let mut invalid = whole.clone();
    for at in places(&whole, b"Which?") {
        invalid[at] = 0xff;
    }
    try_all(&place, "a text that is not UTF-8", &invalid);
    let asked = |programs: &Programs| programs.run(&["orch", "task", "list"]).said();
    let folder = tempfile::tempdir_in(place.path(".")).unwrap();
    let programs = place.programs.at(folder.path().join("orch.db"));
    std::fs::write(programs.store(), replaced(&whole, "waiting", "waitinG")).unwrap();
    assert!(matches!(asked(&programs), Said::Refused { code, .. } if code == "store_corrupt"));
}

/// Where a text stands in a row; in the schema it stands between other characters.
fn places(whole: &[u8], text: &[u8]) -> Vec<usize> {
    let windows = whole.windows(text.len() + 1).enumerate();
    let in_row = |window: &[u8]| window.starts_with(text) && !b"' ,)_".contains(&window[text.len()]);
    windows.filter(|(_, window)| in_row(window)).map(|(at, _)| at).collect()
}

fn replaced(whole: &[u8], old: &str, new: &str) -> Vec<u8> {
    let mut damaged = whole.to_vec();
    for at in places(whole, old.as_bytes()) {
        damaged[at..at + old.len()].copy_from_slice(new.as_bytes());
    }
    damaged
}

/// What lies in the log is checked by sums: damage there costs what was written since, and nothing else.
#[test]
fn a_damaged_log_ends_where_its_damage_begins() {
    for seed in 0..STORES {
        let place = Place::new();
        let mut chance = Chance::new(seed);
        for _ in 0..4 {
            place.send("s");
        }
        let log = place.path("orch.db-wal");
        damage_half(&log, &mut chance);
        let list = place.programs.run(&["inbox", "list"]);
        is_an_answer(&format!("a log damaged by seed {seed}"), &["inbox", "list"], &list);
        let doctor = place.programs.run(&["orch", "doctor"]);
        is_an_answer(&format!("a log damaged by seed {seed}"), &["orch", "doctor"], &doctor);
    }
}

fn damage_half(path: &Path, chance: &mut Chance) {
    let mut log = bytes(path);
    let from = chance.below(log.len());
    log[from..].fill_with(|| chance.number() as u8);
    std::fs::write(path, log).unwrap();
}
