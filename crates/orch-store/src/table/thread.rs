//! Threads; their state is stored in several columns.

use orch_core::id::{AttemptId, MessageId, RunId, Slug, TaskId, ThreadId};
use orch_core::lease::{Lease, LeaseLength, TokenDigest};
use orch_core::store_clock::{ClockAnchor, ClockReading, WALL_CLOCK_TOLERANCE};
use orch_core::thread::{
    AnsweredQuestion, AttemptReference, ClosingRecord, NewThread, OpenQuestion, Thread, ThreadHold,
    ThreadKind, ThreadState, ThreadStatus,
};
use orch_core::time::{Time, TimeSpan};

use super::id_high_water::highest;
use super::store_clock::{ANCHOR_COLUMNS, anchor_columns, anchor_from_row, boot_text};
use super::{
    count_column, id_list, name_column, require_present, slug_column, slug_or_null, span_or_null,
    time_column, time_or_null,
};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! columns {
    () => {
        "SELECT id, kind, subject, from_agent, to_agent, priority, lease_ms, answer_after_ms, run_id, task_id, attempt_id,
        state, withdrawn, holder, token, held_lease_ms, expires_at, question_id, default_at,
        answered_question_id, answer_id, closing_id, releases, shown_id, message_count, created_at, updated_at"
    };
}

/// How many columns that are.
const THREAD_COLUMNS: usize = 27;

macro_rules! select {
    ($rest:literal) => {
        select!("thread", $rest)
    };
    ($from:literal, $rest:literal) => {
        concat!(columns!(), " FROM ", $from, " ", $rest)
    };
}

statements! {
    const INSERT = concat!(
        "INSERT INTO thread (id, kind, subject, from_agent, to_agent, priority, lease_ms, answer_after_ms,
        run_id, task_id, attempt_id, state, withdrawn, releases, shown_id, message_count, news, created_at, updated_at)
        VALUES (1 + ",
        highest!("thread"),
        ", $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', 0, 0, 0, 1, 0, $11, $11) RETURNING id"
    );
    const NEWEST = concat!("SELECT ", highest!("thread"));
    const SAVE = "UPDATE thread SET state = $2, withdrawn = $3, holder = $4, token = $5, held_lease_ms = $6,
        expires_at = $7, lost_at = $8, question_id = $9, default_at = $10, answered_question_id = $11, answer_id = $12,
        closing_id = $13, releases = $14, shown_id = $15, message_count = $16, news = news | $17, updated_at = $18 WHERE id = $1";
    const REPRIORITIZE = "UPDATE thread SET priority = $2 WHERE id = (SELECT thread_id FROM attempt WHERE id = $1) AND state = 'queued'";
    const READDRESS = "UPDATE thread SET to_agent = $2 WHERE id = $1 AND state = 'queued'";
    const SHOW_THROUGH = "UPDATE thread SET shown_id = $2 WHERE id = $1 AND shown_id < $2";
    const SEEN = "UPDATE thread SET news = 0 WHERE id = $1 AND news = 1";
    const SEEN_MANY = "UPDATE thread SET news = 0 WHERE news = 1 AND id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))";
    const LOAD = select!("WHERE id = $1");
    const LOAD_MANY = select!("WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY id");
    const LOAD_WITH_CONTEXT = concat!(
        columns!(),
        ", ",
        anchor_columns!(),
        ", (SELECT last_seen_at FROM agent WHERE name = thread.holder),
        (SELECT count(*) FROM message m INDEXED BY message_thread WHERE m.thread_id = thread.id AND m.to_agent = thread.holder
        AND m.id > thread.shown_id AND m.id > coalesce((SELECT message_cursor FROM agent WHERE name = thread.holder), 0))
        FROM store_clock, thread WHERE store_clock.row_number = 1 AND id = $1"
    );
    const CLAIMABLE = concat!(
        columns!(),
        ", ",
        anchor_columns!(),
        ", (SELECT last_seen_at FROM agent WHERE name = $3), (SELECT last_seen_at FROM agent WHERE name = $1)
        FROM store_clock, thread WHERE store_clock.row_number = 1 AND id IN (SELECT id FROM (SELECT id FROM thread INDEXED BY thread_queue
        WHERE to_agent = $1 AND kind = 'work' AND state = 'queued' AND withdrawn = 0 ORDER BY priority, id LIMIT 1) AS part_queued
        UNION ALL SELECT id FROM (SELECT id FROM thread INDEXED BY thread_lapsing
        WHERE to_agent = $1 AND state = 'claimed' AND attempt_id IS NULL
        AND lost_at <= (SELECT CASE WHEN boot = $4 AND abs(CAST($2 AS BIGINT) - time_ms - CAST($5 AS BIGINT) + boot_ms) > CAST($6 AS BIGINT)
        THEN time_ms + CAST($5 AS BIGINT) - boot_ms ELSE CAST($2 AS BIGINT) END FROM store_clock AS part_clock WHERE row_number = 1)
        ORDER BY priority, id LIMIT 1) AS part_lapsed) ORDER BY priority, id LIMIT 1"
    );
    const QUEUED = select!(
        "INDEXED BY thread_queue WHERE to_agent = $1 AND kind = 'work' AND state = 'queued' AND withdrawn = 0 ORDER BY priority, id LIMIT 1"
    );
    const LAPSING_NEXT = "SELECT min(lost_at) FROM thread INDEXED BY thread_lapsing WHERE to_agent = $1 AND state = 'claimed' AND attempt_id IS NULL";
    const QUEUE_LENGTH = "SELECT count(*) FROM thread INDEXED BY thread_queue WHERE to_agent = $1 AND kind = 'work' AND state = 'queued' AND withdrawn = 0";
    const HELD = "SELECT count(*) FROM thread INDEXED BY thread_held WHERE holder = $1";
    const NEWS = select!("INDEXED BY thread_news WHERE news = 1 ORDER BY id");
    const OWNED_LAPSED = select!(
        "INDEXED BY thread_owned_lapsing WHERE state = 'claimed' AND attempt_id IS NOT NULL AND lost_at <= $1 ORDER BY lost_at, id"
    );
    const DEFAULTS_DUE = select!(
        "INDEXED BY thread_defaulting WHERE default_at IS NOT NULL AND default_at <= $1 ORDER BY default_at, id"
    );
    const TIMERS = concat!(
        "SELECT ",
        anchor_columns!(),
        ", EXISTS (SELECT 1 FROM thread INDEXED BY thread_news WHERE news = 1),
        (SELECT min(lost_at) FROM thread INDEXED BY thread_owned_lapsing WHERE state = 'claimed' AND attempt_id IS NOT NULL),
        (SELECT min(default_at) FROM thread INDEXED BY thread_defaulting WHERE default_at IS NOT NULL) FROM store_clock WHERE row_number = 1"
    );
    const NEXT_DEFAULT =
        "SELECT min(default_at) FROM thread INDEXED BY thread_defaulting WHERE default_at IS NOT NULL";
    const ASKING = select!(
        "INDEXED BY thread_held WHERE holder IS NOT NULL AND state = 'blocked' AND run_id = $1 ORDER BY question_id LIMIT $2"
    );
    const UNSEEN = "SELECT thread.task_id FROM agent CROSS JOIN thread INDEXED BY thread_to
        ON thread.to_agent = agent.name AND thread.state = 'queued' AND thread.run_id = $1
        WHERE agent.last_seen_at IS NULL ORDER BY thread.task_id LIMIT $2";
    const UNSEEN_COUNT = "SELECT count(*) FROM agent CROSS JOIN thread INDEXED BY thread_to
        ON thread.to_agent = agent.name AND thread.state = 'queued' AND thread.run_id = $1
        WHERE agent.last_seen_at IS NULL";
    const OPEN_OF_RUN = select!("WHERE run_id = $1 AND state = 'queued' AND id IN
        (SELECT a.thread_id FROM task t JOIN attempt a ON a.id = t.attempt_id WHERE t.run_id = $1 AND t.state = 'dispatched') ORDER BY id");
    const LIST = select!("WHERE priority * 1099511627776 + id > $2 ORDER BY priority, id LIMIT $1");
    const LIST_COUNT = "SELECT count(*) FROM thread";
    const LIST_STATE = select!("WHERE state = $3 AND priority * 1099511627776 + id > $2 ORDER BY priority, id LIMIT $1");
    const LIST_STATE_COUNT = "SELECT count(*) FROM thread WHERE state = $1";
    // Few of all threads are held.
    const LIST_HELD = select!(
        "INDEXED BY thread_held WHERE holder IS NOT NULL AND state = $3 AND priority * 1099511627776 + id > $2 ORDER BY priority, id LIMIT $1"
    );
    const LIST_HELD_COUNT =
        "SELECT count(*) FROM thread INDEXED BY thread_held WHERE holder IS NOT NULL AND state = $1";
    const LIST_FOR = select!(
        "WHERE (to_agent = $3 OR holder = $3) AND (CAST($4 AS TEXT) IS NULL OR state = $4) AND priority * 1099511627776 + id > $2 ORDER BY priority, id LIMIT $1"
    );
    const LIST_FOR_COUNT =
        "SELECT count(*) FROM thread WHERE (to_agent = $1 OR holder = $1) AND (CAST($2 AS TEXT) IS NULL OR state = $2)";
    // Join from messages to threads: an agent has read most of its messages.
    const LIST_UNREAD = select!(
        "(SELECT DISTINCT thread_id FROM message INDEXED BY message_to WHERE to_agent = $3 AND id > $5) AS unread CROSS JOIN thread",
        "ON id = thread_id WHERE (to_agent = $3 OR holder = $3) AND (CAST($4 AS TEXT) IS NULL OR state = $4) AND priority * 1099511627776 + id > $2 ORDER BY priority, id LIMIT $1"
    );
    const LIST_UNREAD_COUNT = "SELECT count(*) FROM
        (SELECT DISTINCT thread_id FROM message INDEXED BY message_to WHERE to_agent = $1 AND id > $3) AS unread CROSS JOIN thread
        ON id = thread_id WHERE (to_agent = $1 OR holder = $1) AND (CAST($2 AS TEXT) IS NULL OR state = $2)";
}

fn thread_from_row(row: &dyn SqlRow) -> Result<Thread, Fault> {
    let reference = match (row.int_or_null(8)?, row.int_or_null(9)?, row.int_or_null(10)?) {
        (Some(run), Some(task), Some(attempt)) => {
            Some(AttemptReference { run: RunId(run), task: TaskId(task), attempt: AttemptId(attempt) })
        }
        _ => None,
    };
    let head = NewThread {
        kind: name_column(row, 1, "thread", ThreadKind::parse)?,
        subject: row.text(2)?,
        from: slug_column(row, 3)?,
        to: slug_column(row, 4)?,
        priority: u8::try_from(row.int(5)?).unwrap_or(u8::MAX),
        lease_length: lease_length(row.int(6)?),
        answer_after: span_or_null(row, 7)?,
        reference,
    };
    let answered = row.int_or_null(19)?.zip(row.int_or_null(20)?);
    let answered = answered.map(|(question, answer)| AnsweredQuestion {
        question: MessageId(question),
        answer: MessageId(answer),
    });
    Ok(Thread {
        id: ThreadId(row.int(0)?),
        head,
        state: state_from_row(row)?,
        withdrawn: row.int(12)? != 0,
        answered,
        releases: count_column(row, 22)?,
        shown: MessageId(row.int(23)?),
        message_count: count_column(row, 24)?,
        created_at: time_column(row, 25)?,
        updated_at: time_column(row, 26)?,
    })
}

/// Returns the state with its data, from columns 11 to 21.
fn state_from_row(row: &dyn SqlRow) -> Result<ThreadState, Fault> {
    let status = name_column(row, 11, "thread", ThreadStatus::parse)?;
    let token = || Ok::<_, Fault>(TokenDigest(require_present(row.text_or_null(14)?, "thread", "token")?));
    let hold = || {
        Ok::<_, Fault>(ThreadHold {
            holder: require_present(slug_or_null(row, 13)?, "thread", "holder")?,
            token: token()?,
        })
    };
    let held_length =
        || Ok::<_, Fault>(lease_length(require_present(row.int_or_null(15)?, "thread", "held_lease_ms")?));
    let closing = || {
        let message = MessageId(require_present(row.int_or_null(21)?, "thread", "closing_id")?);
        Ok::<_, Fault>(ClosingRecord { token: token()?, message })
    };
    Ok(match status {
        ThreadStatus::Queued => ThreadState::Queued,
        ThreadStatus::Cancelled => ThreadState::Cancelled,
        ThreadStatus::Done => ThreadState::Done(closing()?),
        ThreadStatus::Failed => ThreadState::Failed(closing()?),
        ThreadStatus::Claimed => {
            let length = held_length()?;
            let expires_at = require_present(time_or_null(row, 16)?, "thread", "expires_at")?;
            ThreadState::Claimed { hold: hold()?, lease: Lease { length, expires_at } }
        }
        ThreadStatus::Blocked => {
            let message = MessageId(require_present(row.int_or_null(17)?, "thread", "question_id")?);
            ThreadState::Blocked {
                hold: hold()?,
                question: OpenQuestion { message, default_at: time_or_null(row, 18)? },
                length: held_length()?,
            }
        }
    })
}

fn lease_length(milliseconds: i64) -> LeaseLength {
    LeaseLength::new(TimeSpan(milliseconds)).unwrap_or(LeaseLength::DEFAULT)
}

/// Inserts a thread; the caller inserts its first message, which is counted already.
pub fn insert(tx: &mut Transaction<'_>, head: NewThread, now: Time) -> Result<Thread, Fault> {
    let reference = head.reference;
    let values: [SqlParameter<'_>; 11] = [
        head.kind.name().into(),
        head.subject.as_str().into(),
        head.from.as_str().into(),
        head.to.as_str().into(),
        head.priority.into(),
        head.lease_length.span().0.into(),
        head.answer_after.map(|span| span.0).into(),
        reference.map(|reference| reference.run.0).into(),
        reference.map(|reference| reference.task.0).into(),
        reference.map(|reference| reference.attempt.0).into(),
        now.0.into(),
    ];
    let id = ThreadId(tx.query_number(INSERT, &values)?);
    Ok(Thread::new(id, head, now))
}

/// The columns of a state.
#[derive(Default)]
struct StateColumns<'a> {
    holder: Option<&'a str>,
    token: Option<&'a str>,
    held_lease: Option<i64>,
    expires_at: Option<i64>,
    lost_at: Option<i64>,
    question: Option<i64>,
    default_at: Option<i64>,
    closing: Option<i64>,
}

impl<'a> StateColumns<'a> {
    fn from_state(state: &'a ThreadState) -> Self {
        let held = |hold: &'a ThreadHold| Self {
            holder: Some(hold.holder.as_str()),
            token: Some(hold.token.0.as_str()),
            ..Self::default()
        };
        match state {
            ThreadState::Queued | ThreadState::Cancelled => Self::default(),
            ThreadState::Claimed { hold, lease } => Self {
                held_lease: Some(lease.length.span().0),
                expires_at: Some(lease.expires_at.0),
                lost_at: Some(lease.lost_at().0),
                ..held(hold)
            },
            ThreadState::Blocked { hold, question, length } => Self {
                held_lease: Some(length.span().0),
                question: Some(question.message.0),
                default_at: question.default_at.map(|at| at.0),
                ..held(hold)
            },
            ThreadState::Done(closing) | ThreadState::Failed(closing) => Self {
                token: Some(closing.token.0.as_str()),
                closing: Some(closing.message.0),
                ..Self::default()
            },
        }
    }
}

/// Updates the mutable columns of a thread. `news` marks it as changed for its owner; only [`clear_dirty`] clears the mark.
pub fn save(tx: &mut Transaction<'_>, thread: &Thread, news: bool) -> Result<(), Fault> {
    let state = StateColumns::from_state(&thread.state);
    let values: [SqlParameter<'_>; 18] = [
        thread.id.0.into(),
        thread.state.status().name().into(),
        thread.withdrawn.into(),
        state.holder.into(),
        state.token.into(),
        state.held_lease.into(),
        state.expires_at.into(),
        state.lost_at.into(),
        state.question.into(),
        state.default_at.into(),
        thread.answered.map(|answered| answered.question.0).into(),
        thread.answered.map(|answered| answered.answer.0).into(),
        state.closing.into(),
        thread.releases.into(),
        thread.shown.0.into(),
        thread.message_count.into(),
        news.into(),
        thread.updated_at.0.into(),
    ];
    tx.execute(SAVE, &values).map(|_| ())
}

/// Clears the mark that a thread has changed.
pub fn clear_dirty(tx: &mut Transaction<'_>, id: ThreadId) -> Result<(), Fault> {
    tx.execute(SEEN, &[id.0.into()]).map(|_| ())
}

/// Changes the priority of an attempt's thread as long as no agent has claimed it.
pub fn change_queued_priority(
    tx: &mut Transaction<'_>,
    attempt: AttemptId,
    priority: u8,
) -> Result<(), Fault> {
    tx.execute(REPRIORITIZE, &[attempt.0.into(), priority.into()]).map(|_| ())
}

/// Offers a queued thread to another agent.
pub fn readdress_queued(tx: &mut Transaction<'_>, id: ThreadId, to: &Slug) -> Result<(), Fault> {
    tx.execute(READDRESS, &[id.0.into(), to.as_str().into()]).map(|_| ())
}

/// Records that the holder of a thread has read its messages up to one; the record never moves back.
pub fn acknowledge_through(tx: &mut Transaction<'_>, id: ThreadId, message: MessageId) -> Result<(), Fault> {
    tx.execute(SHOW_THROUGH, &[id.0.into(), message.0.into()]).map(|_| ())
}

/// Returns the highest thread number ever used; 0 when there was none.
pub fn newest_id(tx: &mut Transaction<'_>) -> Result<ThreadId, Fault> {
    tx.query_number(NEWEST, &[]).map(ThreadId)
}

/// Loads a thread.
pub fn load(tx: &mut Transaction<'_>, id: ThreadId) -> Result<Option<Thread>, Fault> {
    tx.query_first(LOAD, &[id.0.into()], thread_from_row)
}

/// A thread with the facts that a write of its holder needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadContext {
    /// The thread.
    pub thread: Thread,
    /// The anchor of the store's clock.
    pub anchor: Option<ClockAnchor>,
    /// When the holder was last seen.
    pub holder_seen_at: Option<Time>,
    /// The number of messages to the holder that it has neither acknowledged nor received with its claim.
    pub unread: u64,
}

/// Loads a thread with the facts that a write of its holder needs, in one statement.
pub fn load_with_context(tx: &mut Transaction<'_>, id: ThreadId) -> Result<Option<ThreadContext>, Fault> {
    tx.query_first(LOAD_WITH_CONTEXT, &[id.0.into()], |row| {
        Ok(ThreadContext {
            thread: thread_from_row(row)?,
            anchor: anchor_from_row(row, THREAD_COLUMNS)?,
            holder_seen_at: time_or_null(row, THREAD_COLUMNS + ANCHOR_COLUMNS)?,
            unread: row.int(THREAD_COLUMNS + ANCHOR_COLUMNS + 1)?.unsigned_abs(),
        })
    })
}

/// The most urgent work of a queue with the facts that claiming it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimCandidate {
    /// The thread.
    pub thread: Thread,
    /// The anchor of the store's clock.
    pub anchor: Option<ClockAnchor>,
    /// When the agent that claims was last seen.
    pub claimer_seen_at: Option<Time>,
    /// When the agent of the queue was last seen.
    pub queue_seen_at: Option<Time>,
}

/// Finds the most urgent work of a queue: queued, or left behind by a holder whose lease is lost.
pub fn find_claimable(
    tx: &mut Transaction<'_>,
    queue: &Slug,
    claimer: &Slug,
    clock: &ClockReading,
) -> Result<Option<ClaimCandidate>, Fault> {
    let boot = clock.boot.map(|boot| (boot_text(boot.boot), boot.elapsed.0));
    let values = [
        queue.as_str().into(),
        clock.wall.0.into(),
        claimer.as_str().into(),
        boot.as_ref().map_or("-", |(boot, _)| boot).into(),
        boot.as_ref().map_or(0, |(_, elapsed)| *elapsed).into(),
        WALL_CLOCK_TOLERANCE.0.into(),
    ];
    tx.query_first(CLAIMABLE, &values, |row| {
        Ok(ClaimCandidate {
            thread: thread_from_row(row)?,
            anchor: anchor_from_row(row, THREAD_COLUMNS)?,
            claimer_seen_at: time_or_null(row, THREAD_COLUMNS + ANCHOR_COLUMNS)?,
            queue_seen_at: time_or_null(row, THREAD_COLUMNS + ANCHOR_COLUMNS + 1)?,
        })
    })
}

/// Finds the most urgent queued thread of a queue.
pub fn find_queued(tx: &mut Transaction<'_>, queue: &Slug) -> Result<Option<Thread>, Fault> {
    tx.query_first(QUEUED, &[queue.as_str().into()], thread_from_row)
}

/// Returns when the next lease of a queue's unowned threads is lost.
pub fn next_lease_loss(tx: &mut Transaction<'_>, queue: &Slug) -> Result<Option<Time>, Fault> {
    let at = tx.query_first(LAPSING_NEXT, &[queue.as_str().into()], |row| time_or_null(row, 0))?;
    Ok(at.flatten())
}

/// Counts the queued threads of a queue.
pub fn queue_length(tx: &mut Transaction<'_>, queue: &Slug) -> Result<i64, Fault> {
    tx.query_number(QUEUE_LENGTH, &[queue.as_str().into()])
}

/// Counts the threads that an agent holds.
pub fn count_held(tx: &mut Transaction<'_>, holder: &Slug) -> Result<i64, Fault> {
    tx.query_number(HELD, &[holder.as_str().into()])
}

/// Lists threads that are marked as changed.
pub fn list_dirty(tx: &mut Transaction<'_>) -> Result<Vec<Thread>, Fault> {
    tx.query_all(NEWS, &[], thread_from_row)
}

/// Lists owned threads whose lease is lost.
pub fn list_owned_lapsed(tx: &mut Transaction<'_>, now: Time) -> Result<Vec<Thread>, Fault> {
    tx.query_all(OWNED_LAPSED, &[now.0.into()], thread_from_row)
}

/// Lists threads whose open question takes its default answer now.
pub fn list_due_defaults(tx: &mut Transaction<'_>, now: Time) -> Result<Vec<Thread>, Fault> {
    tx.query_all(DEFAULTS_DUE, &[now.0.into()], thread_from_row)
}

/// The changes of a store that wait to be reconciled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingChanges {
    /// Threads are marked as changed.
    pub threads: bool,
    /// Leases of owned threads are lost.
    pub lapsed: bool,
    /// Default answers are due.
    pub defaults: bool,
}

impl PendingChanges {
    /// Returns whether any change is pending.
    #[must_use]
    pub fn is_pending(self) -> bool {
        self.threads || self.lapsed || self.defaults
    }
}

/// The answer to the one question that every transaction of the scheduler begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreTimers {
    /// The anchor of the store's clock.
    pub anchor: Option<ClockAnchor>,
    /// Whether threads changed since their owner last looked.
    pub has_dirty_threads: bool,
    /// When the next lease of an owned thread is lost.
    pub next_loss: Option<Time>,
    /// When the next default answer is due.
    pub next_default: Option<Time>,
}

impl StoreTimers {
    /// Returns the changes that are pending at a time.
    #[must_use]
    pub fn pending(self, now: Time) -> PendingChanges {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        PendingChanges {
            threads: self.has_dirty_threads,
            lapsed: is_due(self.next_loss),
            defaults: is_due(self.next_default),
        }
    }

    /// Returns when the next lease of an owned thread is lost, or the next default is due.
    #[must_use]
    pub fn next(self) -> Option<Time> {
        self.next_loss.into_iter().chain(self.next_default).min()
    }
}

/// Loads the clock's anchor, the pending changes and the next timers.
pub fn load_timers(tx: &mut Transaction<'_>) -> Result<StoreTimers, Fault> {
    let timers = tx.query_first(TIMERS, &[], |row| {
        Ok(StoreTimers {
            anchor: anchor_from_row(row, 0)?,
            has_dirty_threads: row.int(ANCHOR_COLUMNS)? != 0,
            next_loss: time_or_null(row, ANCHOR_COLUMNS + 1)?,
            next_default: time_or_null(row, ANCHOR_COLUMNS + 2)?,
        })
    })?;
    Ok(timers.unwrap_or_default())
}

/// Loads when the next lease of an owned thread is lost, or the next default is due.
pub fn next_timer(tx: &mut Transaction<'_>) -> Result<Option<Time>, Fault> {
    Ok(load_timers(tx)?.next())
}

/// Returns when the next default is due.
pub fn next_default_time(tx: &mut Transaction<'_>) -> Result<Option<Time>, Fault> {
    Ok(tx.query_first(NEXT_DEFAULT, &[], |row| time_or_null(row, 0))?.flatten())
}

/// Lists the queued threads of a run's dispatched attempts.
pub fn list_queued_by_run(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<Thread>, Fault> {
    tx.query_all(OPEN_OF_RUN, &[run.0.into()], thread_from_row)
}

/// Lists a run's threads with an open question, the oldest question first.
pub fn list_with_question(tx: &mut Transaction<'_>, run: RunId, limit: u32) -> Result<Vec<Thread>, Fault> {
    tx.query_all(ASKING, &[run.0.into(), limit.into()], thread_from_row)
}

/// Tasks of a run whose work is queued for a name that was never seen, oldest first.
pub fn list_queued_for_unseen(
    tx: &mut Transaction<'_>,
    run: RunId,
    limit: u32,
) -> Result<Vec<TaskId>, Fault> {
    tx.query_all(UNSEEN, &[run.0.into(), limit.into()], |row| row.int(0).map(TaskId))
}

/// Counts the tasks that [`list_queued_for_unseen`] lists.
pub fn count_queued_for_unseen(tx: &mut Transaction<'_>, run: RunId) -> Result<i64, Fault> {
    tx.query_number(UNSEEN_COUNT, &[run.0.into()])
}

/// A filter of threads.
#[derive(Clone, Copy, Debug)]
pub struct ThreadFilter<'a> {
    /// Sent to, or held by, this agent.
    pub agent: Option<&'a Slug>,
    /// In this state.
    pub state: Option<ThreadStatus>,
    /// With messages to the agent after this one.
    pub unread_after: Option<MessageId>,
    /// Behind this position of the list, see [`list_position`].
    pub after: Option<i64>,
    /// The maximum number of messages.
    pub limit: u32,
}

/// Returns the position of a thread in lists: its priority, then its number, which stays below 2^40.
#[must_use]
pub fn list_position(thread: &Thread) -> i64 {
    (i64::from(thread.head.priority) << 40) + thread.id.0
}

/// Threads, most urgent first, then oldest, and how many there are in all.
pub fn list(tx: &mut Transaction<'_>, search: &ThreadFilter<'_>) -> Result<(Vec<Thread>, i64), Fault> {
    let state: SqlParameter<'_> = search.state.map(ThreadStatus::name).into();
    let part = [search.limit.into(), search.after.unwrap_or(-1).into()];
    let (list, count, wanted) = match (search.agent, search.state) {
        (None, None) => (LIST, LIST_COUNT, vec![]),
        (None, Some(ThreadStatus::Claimed | ThreadStatus::Blocked)) => {
            (LIST_HELD, LIST_HELD_COUNT, vec![state])
        }
        (
            None,
            Some(ThreadStatus::Queued | ThreadStatus::Done | ThreadStatus::Failed | ThreadStatus::Cancelled),
        ) => (LIST_STATE, LIST_STATE_COUNT, vec![state]),
        (Some(agent), _) => match search.unread_after {
            None => (LIST_FOR, LIST_FOR_COUNT, vec![agent.as_str().into(), state]),
            Some(after) => {
                (LIST_UNREAD, LIST_UNREAD_COUNT, vec![agent.as_str().into(), state, after.0.into()])
            }
        },
    };
    let threads = tx.query_all(list, &[&part[..], &wanted].concat(), thread_from_row)?;
    Ok((threads, tx.query_number(count, &wanted)?))
}

/// Loads several threads, in the order of their ids; ids without a row are left out.
pub fn load_many(tx: &mut Transaction<'_>, ids: &[ThreadId]) -> Result<Vec<Thread>, Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    tx.query_all(LOAD_MANY, &[ids.as_str().into()], thread_from_row)
}

/// Clears the mark of several threads that their owner has looked at.
pub fn clear_dirty_many(tx: &mut Transaction<'_>, ids: &[ThreadId]) -> Result<(), Fault> {
    let ids = id_list(ids.iter().map(|id| id.0));
    tx.execute(SEEN_MANY, &[ids.as_str().into()]).map(|_| ())
}
