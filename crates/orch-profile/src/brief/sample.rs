//! Made-up facts with everything in them, to try templates with.

use std::path::PathBuf;

use orch_core::id::{AttemptName, Slug, TaskName, ThreadId};

use super::super::Actor;
use super::{Answered, BriefFacts, BriefWorktree, Earlier};

/// Facts in which nothing is missing.
pub(super) fn facts() -> BriefFacts {
    let task = TaskName { run: Slug::stored("run".to_owned()), key: Slug::stored("task".to_owned()) };
    let attempt = |number| AttemptName { task: task.clone(), number };
    BriefFacts {
        attempt: attempt(2),
        thread: ThreadId(1),
        title: "Title".to_owned(),
        spec: Some("Spec".to_owned()),
        spec_bytes_max: usize::MAX,
        accept: vec!["It is good.".to_owned()],
        verify: vec!["true".to_owned()],
        worktree: Some(BriefWorktree {
            path: PathBuf::from("/worktree"),
            branch: "orch/run/task.2".to_owned(),
            base: "0".repeat(40),
            commit: Actor::Worker,
            allow_empty: true,
        }),
        inbox: PathBuf::from("/bin/inbox"),
        orch: PathBuf::from("/bin/orch"),
        resumable: true,
        answers: vec![Answered {
            question: "Which?".to_owned(),
            answer: "That.".to_owned(),
            from: "lead".to_owned(),
        }],
        earlier: vec![Earlier {
            attempt: attempt(1),
            outcome: "failed".to_owned(),
            reason: Some("Reason".to_owned()),
            log_tail: Some("output".to_owned()),
        }],
    }
}
