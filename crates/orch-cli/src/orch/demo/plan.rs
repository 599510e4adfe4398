//! The demo's plan: nine tasks with real dependencies.

use orch_core::id::Slug;
use orch_core::limit;
use orch_core::task::{NewTask, TaskEdit, TaskText};
use orch_engine::orch::plan::PlannedTask;

/// Key, title, what it waits for, and when it is good.
const TASKS: [(&str, &str, &[&str], &str); 9] = [
    ("list", "List the pages", &[], "out/list.txt names every file in pages/"),
    ("words", "Count the words of each page", &["list"], "out/words.txt has a line per page"),
    ("options", "Find every option", &["list"], "out/options.txt counts the pages that take it"),
    ("commands", "Take the first line of each page", &["list"], "out/commands.txt has a line per page"),
    ("examples", "See that each page has an example", &["list"], "out/without-example.txt names the others"),
    ("longest", "Find the five longest pages", &["words"], "out/longest.txt has five lines"),
    ("order", "Sort the index of options", &["options"], "out/index.txt is sorted as the lead wants it"),
    (
        "report",
        "Write the report",
        &["longest", "order", "commands", "examples"],
        "report.md has four sections",
    ),
    ("proof", "Read the proofs", &["report"], "every command is in report.md"),
];

/// The plan's tasks.
pub(super) fn tasks() -> Vec<PlannedTask> {
    let slug = |text: &str| Slug::stored(text.to_owned());
    let planned = |(line, (key, title, after, accept)): (usize, &(&str, &str, &[&str], &str))| PlannedTask {
        task: NewTask {
            key: Some(slug(key)),
            title: (*title).to_owned(),
            text: TaskText { accept: vec![(*accept).to_owned()], ..TaskText::default() },
            priority: limit::PRIORITY_DEFAULT,
            labels: Vec::new(),
            agent: None,
            max_attempts: None,
            allow_empty: false,
            after: after.iter().map(|key| slug(key)).collect(),
        },
        named: TaskEdit::default(),
        names_after: true,
        line: u32::try_from(line + 1).unwrap_or(u32::MAX),
    };
    TASKS.iter().enumerate().map(planned).collect()
}
