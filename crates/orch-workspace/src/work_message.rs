//! The work message of a new attempt, for programs and for readers.

use std::collections::BTreeMap;
use std::fmt::Write;

use orch_contract::work::{WorkPayload, WorkPayloadAnswer, WorkPayloadAttempt, WorkPayloadTree};
use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::id::{AttemptId, AttemptName, MessageId};
use orch_core::limit;
use orch_core::message::Message;
use orch_core::task::{Task, TaskText};
use orch_core::text::truncate_end;
use orch_core::worktree::Worktree;
use orch_inbox::Error;
use orch_store::Transaction;
use orch_store::table::{attempt, message, worktree};

/// The two forms of a work message.
pub struct WorkMessage {
    /// The JSON for programs.
    pub payload: String,
    /// The text for readers.
    pub body: String,
}

/// Where an attempt is worked on.
#[derive(Clone, Copy, Debug)]
pub enum WorkPlace<'a> {
    /// In a worktree of its own.
    Worktree {
        /// The worktree.
        tree: &'a Worktree,
        /// The files with conflicts that a merge has left in it.
        conflicts: &'a [String],
    },
    /// In the folder that all workers of the run share, if it is known.
    SharedFolder(Option<&'a str>),
}

impl<'a> WorkPlace<'a> {
    fn worktree(self) -> Option<&'a Worktree> {
        match self {
            Self::Worktree { tree, .. } => Some(tree),
            Self::SharedFolder(_) => None,
        }
    }

    fn conflicts(self) -> Vec<String> {
        match self {
            Self::Worktree { conflicts, .. } => conflicts.to_vec(),
            Self::SharedFolder(_) => Vec::new(),
        }
    }

    fn shared_folder(self) -> Option<String> {
        match self {
            Self::Worktree { .. } => None,
            Self::SharedFolder(folder) => folder.map(str::to_owned),
        }
    }
}

/// Writes the work message of a new attempt.
pub fn write_work_message(
    tx: &mut Transaction<'_>,
    task: &Task,
    text: &TaskText,
    judged_by: &AttemptText,
    name: &AttemptName,
    place: WorkPlace<'_>,
) -> Result<WorkMessage, Error> {
    let mut attempts = match task.attempt {
        Some(_) if name.number > 1 => attempt::list_by_task(tx, task.id, limit::EARLIER_SHOWN + 1)?,
        Some(_) | None => Vec::new(),
    };
    // The new attempt may be stored already.
    attempts.retain(|attempt| attempt.name.number < name.number);
    attempts.truncate(usize::try_from(limit::EARLIER_SHOWN).unwrap_or(usize::MAX));
    attempts.reverse();
    let reasons = load_end_reasons(tx, &attempts.iter().collect::<Vec<_>>())?;
    let ids: Vec<AttemptId> = attempts.iter().map(|attempt| attempt.id).collect();
    let (mut texts, mut trees) = (BTreeMap::new(), Vec::new());
    if !ids.is_empty() {
        (texts, trees) = (attempt::load_texts(tx, &ids)?, worktree::load_many(tx, &ids)?);
    }
    let mut answers = Vec::new();
    let mut earlier = Vec::new();
    for (attempt, reason) in attempts.into_iter().zip(reasons) {
        answers.extend(answers_of(tx, &attempt)?);
        let tree = trees.iter().find(|tree| tree.attempt == attempt.id);
        earlier.push(WorkPayloadAttempt {
            attempt: attempt.name.to_string(),
            outcome: attempt.state.name().to_owned(),
            reason,
            log_tail: texts.remove(&attempt.id).and_then(|text| text.log_tail),
            branch: tree.map(|tree| tree.branch.clone()),
            commit: tree.and_then(|tree| tree.head.as_ref()).map(ToString::to_string),
        });
    }
    let payload = WorkPayload {
        task: task.name.to_string(),
        attempt: name.to_string(),
        title: task.title.clone(),
        spec: text.spec.clone().filter(|spec| !spec.is_empty()),
        accept: text.accept.clone(),
        verify: judged_by.all_checks(),
        folder: place.shared_folder(),
        worktree: place.worktree().map(|tree| WorkPayloadTree {
            path: tree.path.clone(),
            branch: tree.branch.clone(),
            base_commit: tree.base.to_string(),
            head_commit: None,
            slot: Some(tree.slot),
        }),
        continues: place
            .worktree()
            .and_then(|tree| tree.continued_attempt(name))
            .map(|name| name.to_string()),
        conflicts: place.conflicts(),
        answers,
        earlier,
    };
    Ok(WorkMessage { payload: payload.to_json(), body: render_body(&payload) })
}

/// Loads the questions of an earlier attempt with their answers.
fn answers_of(tx: &mut Transaction<'_>, attempt: &Attempt) -> Result<Vec<WorkPayloadAnswer>, Error> {
    let Some(thread) = attempt.thread else { return Ok(Vec::new()) };
    let answered = orch_inbox::show::list_answered_questions(tx, thread)?;
    let answer = |(question, answer): (Message, Message)| WorkPayloadAnswer {
        question: question.content.body,
        answer: answer.content.body,
        from: answer.content.from.to_string(),
    };
    Ok(answered.into_iter().map(answer).collect())
}

/// Returns why an attempt ended: the reason that was given, or else its worker's message, cut to a bounded length.
pub fn end_reason(attempt: &Attempt, outcome: Option<&Message>) -> Option<String> {
    // The message of a rejected attempt reports success, and does not say why it was rejected.
    let reason = attempt.reason.as_deref().or_else(|| outcome.map(|message| message.content.body.as_str()));
    reason.map(|reason| truncate_end(reason, limit::EARLIER_TEXT_BYTES))
}

/// Loads the end reasons of several attempts in one statement.
pub fn load_end_reasons(
    tx: &mut Transaction<'_>,
    attempts: &[&Attempt],
) -> Result<Vec<Option<String>>, Error> {
    let outcomes: Vec<MessageId> = attempts.iter().filter_map(|attempt| attempt.outcome).collect();
    let messages = if outcomes.is_empty() { Vec::new() } else { message::load_many(tx, &outcomes)? };
    let reason = |attempt: &&Attempt| {
        let outcome = messages.iter().find(|message| Some(message.id) == attempt.outcome);
        end_reason(attempt, outcome)
    };
    Ok(attempts.iter().map(reason).collect())
}

fn render_body(work: &WorkPayload) -> String {
    let mut body = format!("# {}\n\nTask {}, attempt {}.\n", work.title, work.task, work.attempt);
    if let Some(spec) = &work.spec {
        push_paragraph(&mut body, &format!("\n{spec}\n"));
    }
    push_section(&mut body, "It is good when", work.accept.iter().cloned());
    push_section(&mut body, "It is checked by", work.verify.iter().cloned());
    if let Some(tree) = &work.worktree {
        push_paragraph(&mut body, &worktree_section(tree));
    }
    if let Some(continues) = &work.continues {
        let ended = work.earlier.iter().find(|earlier| earlier.attempt == *continues);
        let is_rejected = ended.is_none_or(|ended| ended.outcome == AttemptState::Rejected.name());
        let text = match is_rejected {
            true => format!("\nIt has the commits of {continues}, which was rejected.\n"),
            false => {
                format!("\nIt continues {continues}, which reached a limit, with its files as they are.\n")
            }
        };
        push_paragraph(&mut body, &text);
    }
    push_section(&mut body, "Resolve the conflicts of the merge in", work.conflicts.iter().cloned());
    let answer = |answered: &WorkPayloadAnswer| {
        format!("{}\n  {} ({})", answered.question, answered.answer, answered.from)
    };
    push_section(&mut body, "Asked and answered before", work.answers.iter().map(answer));
    push_section(&mut body, "Earlier attempts", work.earlier.iter().map(earlier_attempt_section));
    body
}

/// Says where to work, and what not to do there.
fn worktree_section(tree: &WorkPayloadTree) -> String {
    format!(
        "\nWork in {}, which is yours alone, on the branch {}; it began from {}.\n\
        Commit what is good before you report. Never use `git stash`: other worktrees share it.\n",
        tree.path, tree.branch, tree.base_commit
    )
}

fn earlier_attempt_section(earlier: &WorkPayloadAttempt) -> String {
    let reason = earlier.reason.as_deref().unwrap_or("no reason given");
    let mut text = format!("{} {}: {reason}", earlier.attempt, earlier.outcome);
    if let Some(commit) = &earlier.commit {
        let branch = earlier.branch.as_deref().map(|branch| format!(", on branch {branch}"));
        push_paragraph(&mut text, &format!("\n  Its last commit: {commit}{}", branch.unwrap_or_default()));
    }
    if let Some(tail) = earlier.log_tail.as_deref().filter(|tail| !tail.is_empty()) {
        push_paragraph(&mut text, "\n  The end of what it printed:");
        for line in tail.lines() {
            push_paragraph(&mut text, &format!("\n    {line}"));
        }
    }
    text
}

fn push_section(body: &mut String, heading: &str, lines: impl Iterator<Item = String>) {
    for (index, line) in lines.enumerate() {
        if index == 0 {
            push_paragraph(body, &format!("\n{heading}:\n"));
        }
        push_paragraph(body, &format!("- {line}\n"));
    }
}

fn push_paragraph(body: &mut String, text: &str) {
    body.write_str(text).expect("writing to a string cannot fail");
}
