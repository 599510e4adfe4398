//! Made-up facts with everything in them, to try templates with.

use std::path::PathBuf;

use orch_core::id::{AttemptName, Slug, TaskName, ThreadId};

use super::super::ResponsibleParty;
use super::{BriefFacts, BriefWorktree, PriorAttempt, QuestionWithAnswer};

/// Facts in which nothing is missing.
pub(super) fn sample_facts() -> BriefFacts {
    let task =
        TaskName { run: Slug::from_stored("run".to_owned()), key: Slug::from_stored("task".to_owned()) };
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
            commit: ResponsibleParty::Worker,
            allow_empty: true,
        }),
        inbox: PathBuf::from("/bin/inbox"),
        orch: PathBuf::from("/bin/orch"),
        resumable: true,
        answers: vec![QuestionWithAnswer {
            question: "Which?".to_owned(),
            answer: "That.".to_owned(),
            from: "lead".to_owned(),
        }],
        earlier: vec![PriorAttempt {
            attempt: attempt(1),
            outcome: "failed".to_owned(),
            reason: Some("Reason".to_owned()),
            log_tail: Some("output".to_owned()),
        }],
    }
}
