//! The work message of an attempt: a JSON payload for programs, and a text for readers.

use std::collections::BTreeMap;
use std::fmt::Write;

use orch_core::attempt::{Attempt, AttemptText};
use orch_core::id::{AttemptId, AttemptName, CommitHash, MessageId};
use orch_core::limit;
use orch_core::message::{Message, MessageKind};
use orch_core::task::{Task, TaskText};
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::table::{attempt, message, worktree};
use serde_json::{Value, json};

use orch_inbox::Error;

/// The most messages of an earlier attempt that are searched for questions.
const MESSAGES_READ: u32 = 1_000;

/// A question of an earlier attempt with its answer.
struct EarlierAnswer {
    question: String,
    answer: String,
    from: String,
}

/// An earlier attempt with its result.
struct EarlierAttempt {
    attempt: Attempt,
    reason: Option<String>,
    log_tail: Option<String>,
    tree: Option<Worktree>,
}

/// The parts of the message besides the task's own texts.
struct MessageParts<'a> {
    judged_by: &'a AttemptText,
    name: &'a AttemptName,
    tree: Option<&'a Worktree>,
    answers: &'a [EarlierAnswer],
    earlier: &'a [EarlierAttempt],
}

/// A work message.
pub(crate) struct WorkMessage {
    /// The payload for programs.
    pub payload: String,
    /// The text for readers.
    pub body: String,
}

/// Writes the work message of a new attempt.
pub(crate) fn write_work_message(
    tx: &mut Transaction<'_>,
    task: &Task,
    text: &TaskText,
    judged_by: &AttemptText,
    name: &AttemptName,
    tree: Option<&Worktree>,
) -> Result<WorkMessage, Error> {
    let mut attempts = match task.attempt {
        Some(_) => attempt::list_by_task(tx, task.id, limit::EARLIER_SHOWN + 1)?,
        None => Vec::new(),
    };
    // The attempt of this message may exist already.
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
        let log_tail = texts.remove(&attempt.id).and_then(|text| text.log_tail);
        let tree = trees.iter().find(|tree| tree.attempt == attempt.id).cloned();
        earlier.push(EarlierAttempt { reason, log_tail, tree, attempt });
    }
    let payload = json!({
        "task": task.name.to_string(),
        "attempt": name.to_string(),
        "title": task.title,
        "spec": text.spec.as_deref().filter(|spec| !spec.is_empty()),
        "accept": text.accept,
        "verify": judged_by.all_checks(),
        "worktree": tree.map(worktree_json),
        "answers": answers.iter().map(answer_json).collect::<Vec<_>>(),
        "earlier": earlier.iter().map(earlier_json).collect::<Vec<_>>(),
    });
    Ok(WorkMessage {
        payload: payload.to_string(),
        body: render_body(
            task,
            text,
            &MessageParts { judged_by, name, tree, answers: &answers, earlier: &earlier },
        ),
    })
}

fn worktree_json(tree: &Worktree) -> Value {
    json!({
        "path": tree.path,
        "branch": tree.branch,
        "base_commit": tree.base.as_str(),
        "head_commit": Value::Null,
        "slot": tree.slot,
    })
}

fn answer_json(answered: &EarlierAnswer) -> Value {
    json!({ "question": answered.question, "answer": answered.answer, "from": answered.from })
}

fn earlier_json(earlier: &EarlierAttempt) -> Value {
    json!({
        "attempt": earlier.attempt.name.to_string(),
        "outcome": earlier.attempt.state.name(),
        "reason": earlier.reason,
        "log_tail": earlier.log_tail,
        "branch": earlier.tree.as_ref().map(|tree| tree.branch.as_str()),
        "commit": earlier.tree.as_ref().and_then(|tree| tree.head.as_ref()).map(CommitHash::as_str),
    })
}

/// Loads the questions of an earlier attempt with their answers.
fn answers_of(tx: &mut Transaction<'_>, attempt: &Attempt) -> Result<Vec<EarlierAnswer>, Error> {
    let mut open: Option<Message> = None;
    let mut answers = Vec::new();
    let Some(thread) = attempt.thread else { return Ok(answers) };
    for message in message::list_by_thread(tx, thread, MessageId(0), MESSAGES_READ)? {
        match message.content.kind {
            MessageKind::Question => open = Some(message),
            MessageKind::Answer => {
                if let Some(question) = open.take() {
                    answers.push(EarlierAnswer {
                        question: question.content.body,
                        answer: message.content.body,
                        from: message.content.from.to_string(),
                    });
                }
            }
            MessageKind::Work
            | MessageKind::Note
            | MessageKind::Progress
            | MessageKind::Result
            | MessageKind::Failure
            | MessageKind::Cancel
            | MessageKind::Late => {}
        }
    }
    Ok(answers)
}

/// Returns why an attempt ended: the reason that was given, or else its worker's message, cut to a bounded length.
pub(crate) fn end_reason(attempt: &Attempt, outcome: Option<&Message>) -> Option<String> {
    // The message of a rejected attempt reports success, and does not say why it was rejected.
    let reason = attempt.reason.as_deref().or_else(|| outcome.map(|message| message.content.body.as_str()));
    reason.map(|reason| truncate_text(reason, limit::EARLIER_TEXT_BYTES))
}

/// Loads the end reasons of several attempts in one statement.
pub(crate) fn load_end_reasons(
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

/// Truncates a text between characters.
fn truncate_text(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

fn render_body(task: &Task, text: &TaskText, parts: &MessageParts<'_>) -> String {
    let mut body = format!("# {}\n\nTask {}, attempt {}.\n", task.title, task.name, parts.name);
    if let Some(spec) = text.spec.as_deref().filter(|spec| !spec.is_empty()) {
        push_paragraph(&mut body, &format!("\n{spec}\n"));
    }
    push_section(&mut body, "It is good when", text.accept.iter().map(String::as_str));
    let verify = parts.judged_by.all_checks();
    push_section(&mut body, "It is checked by", verify.iter().map(String::as_str));
    if let Some(tree) = parts.tree {
        push_paragraph(&mut body, &worktree_section(tree));
    }
    let answered: Vec<String> = parts
        .answers
        .iter()
        .map(|answered| format!("{}\n  {} ({})", answered.question, answered.answer, answered.from))
        .collect();
    push_section(&mut body, "Asked and answered before", answered.iter().map(String::as_str));
    let before: Vec<String> = parts.earlier.iter().map(earlier_attempt_section).collect();
    push_section(&mut body, "Earlier attempts", before.iter().map(String::as_str));
    body
}

/// Formats where to work, and what not to do there.
fn worktree_section(tree: &Worktree) -> String {
    format!(
        "\nWork in {}, which is yours alone, on the branch {}; it began from {}.\n\
        Commit what is good before you report. Never use `git stash`: other worktrees share it.\n",
        tree.path, tree.branch, tree.base
    )
}

/// Formats an earlier attempt.
fn earlier_attempt_section(earlier: &EarlierAttempt) -> String {
    let reason = earlier.reason.as_deref().unwrap_or("no reason given");
    let mut text = format!("{} {}: {reason}", earlier.attempt.name, earlier.attempt.state.name());
    if let Some(head) = earlier.tree.as_ref().and_then(|tree| tree.head.as_ref()) {
        push_paragraph(&mut text, &format!("\n  Its last commit: {head}"));
    }
    if let Some(tail) = earlier.log_tail.as_deref().filter(|tail| !tail.is_empty()) {
        push_paragraph(&mut text, "\n  The end of what it printed:");
        for line in tail.lines() {
            push_paragraph(&mut text, &format!("\n    {line}"));
        }
    }
    text
}

fn push_section<'a>(body: &mut String, heading: &str, lines: impl Iterator<Item = &'a str>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_truncated_between_characters() {
        assert_eq!(truncate_text("abc", 3), "abc");
        assert_eq!(truncate_text("aéé", 2), "a…");
        assert_eq!(truncate_text("abcd", 2), "ab…");
    }
}
