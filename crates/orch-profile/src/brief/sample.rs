//! Sample facts, in which every field has a value, for trying a template.

use std::path::PathBuf;

use orch_core::id::{AttemptName, Slug, TaskName, ThreadId};

use super::super::profile::ResponsibleParty;
use super::facts::{BriefFacts, BriefWorktree, NudgeFacts, PriorAttempt, QuestionWithAnswer};

/// Returns facts in which every field has a value.
pub(super) fn sample_facts() -> BriefFacts {
    let task =
        TaskName { run: Slug::from_stored("run".to_owned()), key: Slug::from_stored("task".to_owned()) };
    BriefFacts {
        attempt: AttemptName { task, number: 2 },
        thread: ThreadId(1),
        title: "Title".to_owned(),
        spec: Some("Spec".to_owned()),
        spec_bytes_max: usize::MAX,
        accept: vec!["It is good.".to_owned()],
        verify: vec!["true".to_owned()],
        folder: None,
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
            attempt: "run/task@1".to_owned(),
            outcome: "failed".to_owned(),
            reason: Some("Reason".to_owned()),
            log_tail: Some("output".to_owned()),
            branch: Some("orch/run/task.1".to_owned()),
        }],
    }
}

/// Returns facts for a nudge in which every field has a value.
pub(super) fn sample_nudge_facts() -> NudgeFacts {
    let BriefFacts { attempt, thread, inbox, .. } = sample_facts();
    NudgeFacts {
        attempt,
        thread,
        inbox,
        has_commits: true,
        uncommitted: vec!["file".to_owned()],
        commit: ResponsibleParty::Worker,
        refused: Some("no_changes".to_owned()),
    }
}
