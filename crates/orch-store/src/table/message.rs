//! Messages, immutable once written.

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::time::Time;

use super::id_high_water::highest;
use super::{id_list, list_column, list_text, name_column, slug_column, time_column};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, thread_id, from_agent, to_agent, kind, created_at, percent, artifacts, options, default_answer, body, payload FROM message ",
            $rest
        )
    };
}

statements! {
    const INSERT = concat!(
        "INSERT INTO message
        (id, thread_id, from_agent, to_agent, kind, created_at, percent, artifacts, options, default_answer, body, payload)
        VALUES (1 + ",
        highest!("message"),
        ", $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id"
    );
    const LOAD = select!("WHERE id = $1");
    const LOAD_MANY = select!("WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY id");
    const OF_THREAD = select!("WHERE thread_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    const LAST_OF_THREAD = select!("WHERE thread_id = $1 ORDER BY id DESC LIMIT $2");
    const LAST_OF_KIND = select!("WHERE thread_id = $1 AND kind = $2 ORDER BY id DESC LIMIT 1");
    const COUNT_OF_KIND = "SELECT count(*) FROM message INDEXED BY message_thread WHERE thread_id = $1 AND kind = $2";
    const TO_AGENT = select!("WHERE to_agent = $1 AND id > $2 ORDER BY id LIMIT $3");
    const TO_AGENT_OF_KIND = select!("WHERE to_agent = $1 AND id > $2 AND kind = $4 ORDER BY id LIMIT $3");
    // An agent may be a shared queue with many messages: a thread has fewer.
    const TO_AGENT_IN_THREAD = select!(
        "INDEXED BY message_thread WHERE thread_id = $4 AND to_agent = $1 AND id > $2 ORDER BY id LIMIT $3"
    );
    const TO_AGENT_IN_THREAD_OF_KIND = select!(
        "INDEXED BY message_thread WHERE thread_id = $4 AND to_agent = $1 AND id > $2 AND kind = $5 ORDER BY id LIMIT $3"
    );
    const NEWEST_TO_AGENT_IN_THREAD = select!(
        "INDEXED BY message_thread WHERE thread_id = $1 AND to_agent = $2 AND id > $3 ORDER BY id DESC LIMIT $4"
    );
    const COUNT_TO_AGENT = "SELECT count(*) FROM message WHERE to_agent = $1 AND id > $2";
    const COUNT_TO_AGENT_IN_THREAD = "SELECT count(*) FROM message INDEXED BY message_thread WHERE thread_id = $1 AND to_agent = $2 AND id > $3";
    const NEWEST = concat!("SELECT ", highest!("message"));
    const QUESTION_OF = select!(
        "WHERE thread_id = $1 AND kind = 'question' AND from_agent = $2 AND body = $3 ORDER BY id DESC LIMIT 1"
    );
    const AFTER_QUESTION =
        select!("WHERE thread_id = $1 AND id > $2 AND kind IN ('question', 'answer') ORDER BY id LIMIT 1");
    const LATE_TWIN = select!(
        "WHERE thread_id = $1 AND kind = 'late' AND from_agent = $2 AND body = $3 ORDER BY id DESC LIMIT 1"
    );
}

fn message_from_row(row: &dyn SqlRow) -> Result<Message, Fault> {
    let percent = row.int_or_null(6)?.and_then(|percent| u8::try_from(percent).ok());
    let extra = MessageExtras {
        payload: row.text_or_null(11)?,
        artifacts: list_column(row, 7)?,
        options: list_column(row, 8)?,
        default: row.text_or_null(9)?,
        percent,
    };
    let content = MessageDraft {
        from: slug_column(row, 2)?,
        to: slug_column(row, 3)?,
        kind: name_column(row, 4, "message", MessageKind::parse)?,
        body: row.text(10)?,
        extra,
    };
    Ok(Message {
        id: MessageId(row.int(0)?),
        thread: ThreadId(row.int(1)?),
        content,
        created_at: time_column(row, 5)?,
    })
}

/// Inserts a message; the caller updates the thread's message count.
pub fn insert(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    content: MessageDraft,
    now: Time,
) -> Result<Message, Fault> {
    let MessageDraft { from, to, kind, body, extra } = &content;
    let (artifacts, options) = (list_text(&extra.artifacts), list_text(&extra.options));
    let values: [SqlParameter<'_>; 11] = [
        thread.0.into(),
        from.as_str().into(),
        to.as_str().into(),
        kind.name().into(),
        now.0.into(),
        extra.percent.into(),
        artifacts.as_deref().into(),
        options.as_deref().into(),
        extra.default.as_deref().into(),
        body.as_str().into(),
        extra.payload.as_deref().into(),
    ];
    let id = MessageId(tx.query_number(INSERT, &values)?);
    Ok(Message { id, thread, content, created_at: now })
}

/// Loads a message.
pub fn load(tx: &mut Transaction<'_>, id: MessageId) -> Result<Option<Message>, Fault> {
    tx.query_first(LOAD, &[id.0.into()], message_from_row)
}

/// Lists a thread's messages after one, oldest first.
pub fn list_by_thread(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    after: MessageId,
    limit: u32,
) -> Result<Vec<Message>, Fault> {
    tx.query_all(OF_THREAD, &[thread.0.into(), after.0.into(), limit.into()], message_from_row)
}

/// Returns a thread's newest messages, oldest first.
pub fn last_of_thread(tx: &mut Transaction<'_>, thread: ThreadId, limit: u32) -> Result<Vec<Message>, Fault> {
    let mut messages = tx.query_all(LAST_OF_THREAD, &[thread.0.into(), limit.into()], message_from_row)?;
    messages.reverse();
    Ok(messages)
}

/// Returns a thread's newest message of a kind.
pub fn last_of_kind(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    kind: MessageKind,
) -> Result<Option<Message>, Fault> {
    tx.query_first(LAST_OF_KIND, &[thread.0.into(), kind.name().into()], message_from_row)
}

/// A filter of messages.
#[derive(Clone, Copy, Debug)]
pub struct MessageFilter<'a> {
    /// The recipient.
    pub to: &'a Slug,
    /// Only messages after this one.
    pub after: MessageId,
    /// Only messages of this thread.
    pub thread: Option<ThreadId>,
    /// Only messages of this kind.
    pub kind: Option<MessageKind>,
    /// The maximum number of messages.
    pub limit: u32,
}

/// Lists messages to an agent, oldest first.
pub fn list_matching(tx: &mut Transaction<'_>, search: &MessageFilter<'_>) -> Result<Vec<Message>, Fault> {
    let common: [SqlParameter<'_>; 3] =
        [search.to.as_str().into(), search.after.0.into(), search.limit.into()];
    match (search.thread, search.kind) {
        (None, None) => tx.query_all(TO_AGENT, &common, message_from_row),
        (None, Some(kind)) => {
            tx.query_all(TO_AGENT_OF_KIND, &[&common[..], &[kind.name().into()]].concat(), message_from_row)
        }
        (Some(thread), None) => {
            tx.query_all(TO_AGENT_IN_THREAD, &[&common[..], &[thread.0.into()]].concat(), message_from_row)
        }
        (Some(thread), Some(kind)) => {
            let values = [&common[..], &[thread.0.into(), kind.name().into()]].concat();
            tx.query_all(TO_AGENT_IN_THREAD_OF_KIND, &values, message_from_row)
        }
    }
}

/// Counts the messages of a kind in a thread.
pub fn count_of_kind(tx: &mut Transaction<'_>, thread: ThreadId, kind: MessageKind) -> Result<i64, Fault> {
    tx.query_number(COUNT_OF_KIND, &[thread.0.into(), kind.name().into()])
}

/// Counts the messages to an agent after one.
pub fn count_to(tx: &mut Transaction<'_>, to: &Slug, after: MessageId) -> Result<i64, Fault> {
    tx.query_number(COUNT_TO_AGENT, &[to.as_str().into(), after.0.into()])
}

/// Lists the newest messages to an agent in a thread after one, oldest first, and how many there are in all.
pub fn list_unread(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    to: &Slug,
    after: MessageId,
    limit: u32,
) -> Result<(Vec<Message>, i64), Fault> {
    let count =
        tx.query_number(COUNT_TO_AGENT_IN_THREAD, &[thread.0.into(), to.as_str().into(), after.0.into()])?;
    if count == 0 {
        return Ok((Vec::new(), 0));
    }
    let values = [thread.0.into(), to.as_str().into(), after.0.into(), limit.into()];
    let mut messages = tx.query_all(NEWEST_TO_AGENT_IN_THREAD, &values, message_from_row)?;
    messages.reverse();
    Ok((messages, count))
}

/// Returns the highest message number ever used; 0 when there was none.
pub fn newest_id(tx: &mut Transaction<'_>) -> Result<MessageId, Fault> {
    tx.query_number(NEWEST, &[]).map(MessageId)
}

/// Finds a sender's newest question with this text.
pub fn find_question(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    from: &Slug,
    body: &str,
) -> Result<Option<Message>, Fault> {
    tx.query_first(QUESTION_OF, &[thread.0.into(), from.as_str().into(), body.into()], message_from_row)
}

/// Finds the answer to a question: the next question or answer after it, if that is an answer.
pub fn find_answer(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    question: MessageId,
) -> Result<Option<Message>, Fault> {
    let next = tx.query_first(AFTER_QUESTION, &[thread.0.into(), question.0.into()], message_from_row)?;
    Ok(next.filter(|message| message.content.kind == MessageKind::Answer))
}

/// Finds a late message of a sender with this text, to which a repeated late write attaches.
pub fn find_late_duplicate(
    tx: &mut Transaction<'_>,
    thread: ThreadId,
    from: &Slug,
    body: &str,
) -> Result<Option<Message>, Fault> {
    tx.query_first(LATE_TWIN, &[thread.0.into(), from.as_str().into(), body.into()], message_from_row)
}

/// Loads several messages, in the order of their ids; ids without a row are left out.
pub fn load_many(tx: &mut Transaction<'_>, ids: &[MessageId]) -> Result<Vec<Message>, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    tx.query_all(LOAD_MANY, &[ids.as_str().into()], message_from_row)
}
