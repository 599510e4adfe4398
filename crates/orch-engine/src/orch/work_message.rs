//! The message that a worker gets: the same once for programs and once for readers.

use std::fmt::Write;

use orch_core::attempt::Attempt;
use orch_core::id::{AttemptName, MessageId};
use orch_core::limit;
use orch_core::message::{Message, MessageKind};
use orch_core::task::{Task, TaskText};
use orch_store::Transaction;
use orch_store::table::{attempt, message};
use serde_json::{Value, json};

use crate::Error;

/// The most messages of an earlier attempt that are looked through for questions.
const MESSAGES_READ: u32 = 1_000;

/// A question of an earlier attempt with its answer.
struct Answered {
    question: String,
    answer: String,
    from: String,
}

/// What earlier attempts left behind.
struct Earlier {
    attempt: Attempt,
    reason: Option<String>,
}

/// Everything a work message says.
pub(crate) struct WorkMessage {
    /// For programs.
    pub payload: String,
    /// For readers.
    pub body: String,
}

/// Writes the work message of a new attempt.
pub(crate) fn write(
    tx: &mut Transaction<'_>,
    task: &Task,
    text: &TaskText,
    name: &AttemptName,
) -> Result<WorkMessage, Error> {
    let mut attempts = match task.attempt {
        Some(_) => attempt::of_task(tx, task.id, limit::EARLIER_SHOWN)?,
        None => Vec::new(),
    };
    attempts.reverse();
    let mut answers = Vec::new();
    let mut earlier = Vec::new();
    for attempt in attempts {
        answers.extend(answers_of(tx, &attempt)?);
        earlier.push(Earlier { reason: reason_of(tx, &attempt)?, attempt });
    }
    let payload = json!({
        "task": task.name.to_string(),
        "attempt": name.to_string(),
        "title": task.title,
        "spec": text.spec.as_deref().filter(|spec| !spec.is_empty()),
        "accept": text.accept,
        "verify": text.verify,
        "worktree": Value::Null,
        "answers": answers.iter().map(answer_json).collect::<Vec<_>>(),
        "earlier": earlier.iter().map(earlier_json).collect::<Vec<_>>(),
    });
    Ok(WorkMessage { payload: payload.to_string(), body: body(task, text, name, &answers, &earlier) })
}

fn answer_json(answered: &Answered) -> Value {
    json!({ "question": answered.question, "answer": answered.answer, "from": answered.from })
}

fn earlier_json(earlier: &Earlier) -> Value {
    json!({
        "attempt": earlier.attempt.name.to_string(),
        "outcome": earlier.attempt.state.name(),
        "reason": earlier.reason,
        "log_tail": Value::Null,
    })
}

/// What an earlier attempt asked, and what it was told.
fn answers_of(tx: &mut Transaction<'_>, attempt: &Attempt) -> Result<Vec<Answered>, Error> {
    let mut open: Option<Message> = None;
    let mut answers = Vec::new();
    for message in message::of_thread(tx, attempt.thread, MessageId(0), MESSAGES_READ)? {
        match message.content.kind {
            MessageKind::Question => open = Some(message),
            MessageKind::Answer => {
                if let Some(question) = open.take() {
                    answers.push(Answered {
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

/// How an earlier attempt ended, in its worker's words where it left some; cut to a bounded length.
fn reason_of(tx: &mut Transaction<'_>, attempt: &Attempt) -> Result<Option<String>, Error> {
    let words = match attempt.outcome {
        Some(id) => message::load(tx, id)?.map(|message| message.content.body),
        None => attempt.reason.clone(),
    };
    Ok(words.map(|words| cut(&words, limit::EARLIER_TEXT_BYTES)))
}

/// The beginning of a text, cut between characters.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

fn body(
    task: &Task,
    text: &TaskText,
    name: &AttemptName,
    answers: &[Answered],
    earlier: &[Earlier],
) -> String {
    let mut body = format!("# {}\n\nTask {}, attempt {}.\n", task.title, task.name, name);
    if let Some(spec) = text.spec.as_deref().filter(|spec| !spec.is_empty()) {
        push(&mut body, &format!("\n{spec}\n"));
    }
    section(&mut body, "It is good when", text.accept.iter().map(String::as_str));
    section(&mut body, "It is checked by", text.verify.iter().map(String::as_str));
    let answered: Vec<String> = answers
        .iter()
        .map(|answered| format!("{}\n  {} ({})", answered.question, answered.answer, answered.from))
        .collect();
    section(&mut body, "Asked and answered before", answered.iter().map(String::as_str));
    let before: Vec<String> = earlier
        .iter()
        .map(|earlier| {
            let reason = earlier.reason.as_deref().unwrap_or("no reason given");
            format!("{} {}: {reason}", earlier.attempt.name, earlier.attempt.state.name())
        })
        .collect();
    section(&mut body, "Earlier attempts", before.iter().map(String::as_str));
    body
}

fn section<'a>(body: &mut String, heading: &str, lines: impl Iterator<Item = &'a str>) {
    for (index, line) in lines.enumerate() {
        if index == 0 {
            push(body, &format!("\n{heading}:\n"));
        }
        push(body, &format!("- {line}\n"));
    }
}

fn push(body: &mut String, text: &str) {
    body.write_str(text).expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("aéé", 2), "a…");
        assert_eq!(cut("abcd", 2), "ab…");
    }
}
