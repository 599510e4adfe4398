//! What attempts used, by profile, session and day; the rows outlive their runs.

use orch_core::id::{RunId, Slug, ThreadId};
use orch_core::run::{CostSource, ResourceUsage, TokenUsage};
use orch_core::time::{Time, TimeSpan};

use super::{id_list, slug_column};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

const DAY_MS: i64 = 86_400_000;

/// The columns of a sum: cost, tokens, wall time, attempts, attempts of known cost, and whether a cost is computed.
macro_rules! sums {
    () => {
        "sum(cost_micros), sum(input), sum(cached_input), sum(output), sum(wall_ms), count(DISTINCT thread_id),
        count(DISTINCT CASE WHEN cost_micros IS NOT NULL THEN thread_id END), max(CASE cost_source WHEN 'computed' THEN 1 ELSE 0 END)"
    };
}

/// Sums of entries by some columns; a column that has several values in a sum is null.
macro_rules! grouped {
    ($key:literal) => {
        concat!(
            "SELECT CASE WHEN min(day) = max(day) THEN min(day) END, CASE WHEN min(run) = max(run) THEN min(run) END,
            CASE WHEN min(profile) = max(profile) THEN min(profile) END, CASE WHEN min(task) = max(task) THEN min(task) END, ",
            sums!(),
            " FROM usage_entry WHERE day >= $1 AND (CAST($2 AS TEXT) IS NULL OR run = $2) GROUP BY ",
            $key
        )
    };
}

statements! {
    const ADD = "INSERT INTO usage_entry (thread_id, profile, session, day, run_id, run, task, agent, cost_micros, cost_source,
        input, cached_input, output, wall_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (thread_id, profile, session, day) DO UPDATE SET
        cost_micros = CASE WHEN excluded.cost_micros IS NULL THEN usage_entry.cost_micros
            ELSE coalesce(usage_entry.cost_micros, 0) + excluded.cost_micros END,
        cost_source = CASE WHEN excluded.cost_micros IS NULL THEN usage_entry.cost_source ELSE excluded.cost_source END,
        input = CASE WHEN excluded.input IS NULL THEN usage_entry.input
            ELSE coalesce(usage_entry.input, 0) + excluded.input END,
        cached_input = CASE WHEN excluded.cached_input IS NULL THEN usage_entry.cached_input
            ELSE coalesce(usage_entry.cached_input, 0) + excluded.cached_input END,
        output = CASE WHEN excluded.output IS NULL THEN usage_entry.output
            ELSE coalesce(usage_entry.output, 0) + excluded.output END,
        wall_ms = usage_entry.wall_ms + excluded.wall_ms";
    const OF_THREADS = concat!(
        "SELECT thread_id, ", sums!(), " FROM usage_entry
        WHERE thread_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) GROUP BY thread_id ORDER BY thread_id"
    );
    const OF_SESSION = "SELECT sum(cost_micros), sum(input), sum(cached_input), sum(output) FROM usage_entry
        WHERE session = $1 AND session != '' AND profile = $2";
    const OF_PROFILES = concat!(
        "SELECT profile, ", sums!(), " FROM usage_entry WHERE run_id = $1 GROUP BY profile ORDER BY profile"
    );
    const ENDED_OF_AGENTS = "SELECT agent, max(cost), count(*) - count(cost) FROM (SELECT e.agent, sum(e.cost_micros) AS cost
        FROM usage_entry e WHERE e.run_id = $1 AND e.thread_id NOT IN
        (SELECT a.thread_id FROM attempt a WHERE a.run_id = $1 AND a.ended_at IS NULL AND a.state != 'reported' AND a.thread_id IS NOT NULL)
        GROUP BY e.thread_id, e.agent) AS part_ended GROUP BY agent ORDER BY agent";
    const LIVE_OF_AGENTS = "SELECT a.agent, coalesce(sum(e.cost_micros), 0), a.thread_id FROM attempt a
        LEFT JOIN usage_entry e ON e.thread_id = a.thread_id
        WHERE a.run_id = $1 AND a.ended_at IS NULL AND a.state != 'reported' GROUP BY a.id, a.agent, a.thread_id ORDER BY a.id";
    const BY_ALL = grouped!("day, run, profile, task");
    const BY_DAY = grouped!("day");
    const BY_RUN = grouped!("run");
    const BY_PROFILE = grouped!("profile");
    const BY_TASK = grouped!("run, task");
}

/// What an entry is about.
#[derive(Clone, Copy, Debug)]
pub struct UsageSubject<'a> {
    /// The thread of the attempt.
    pub thread: ThreadId,
    /// The run.
    pub run_id: RunId,
    /// Its name.
    pub run: &'a Slug,
    /// The key of the task.
    pub task: &'a Slug,
    /// The agent that the attempt was sent to.
    pub agent: &'a Slug,
    /// The profile of the worker.
    pub profile: Option<&'a Slug>,
    /// The client's session.
    pub session: Option<&'a str>,
}

/// A sum of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// What was used, as far as it is known.
    pub spent: ResourceUsage,
    /// Where the cost comes from; unknown where that of one attempt is.
    pub source: CostSource,
    /// How long workers ran.
    pub wall: TimeSpan,
}

impl Default for UsageSum {
    fn default() -> Self {
        Self { spent: ResourceUsage::default(), source: CostSource::Unknown, wall: TimeSpan(0) }
    }
}

/// How usage is grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageGrouping {
    /// By day, run, profile and task.
    #[default]
    Everything,
    /// By UTC day.
    Day,
    /// By run.
    Run,
    /// By profile.
    Profile,
    /// By task.
    Task,
}

/// A sum of entries with what they have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// The UTC day, counted from 1970-01-01.
    pub day: Option<i64>,
    /// The run.
    pub run: Option<Slug>,
    /// The profile.
    pub profile: Option<Slug>,
    /// The key of the task.
    pub task: Option<Slug>,
    /// The sum.
    pub sum: UsageSum,
}

/// Returns the number of the UTC day of a time, from 1970-01-01.
#[must_use]
pub fn day_of(at: Time) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// Adds to the entry of a subject and a day; what is `None` stays as unknown as it was.
pub fn add_entry(
    tx: &mut Transaction<'_>,
    subject: &UsageSubject<'_>,
    more: &UsageSum,
    now: Time,
) -> Result<(), Fault> {
    let tokens = more.spent.tokens;
    let values: [SqlParameter<'_>; 14] = [
        subject.thread.0.into(),
        subject.profile.map_or("", Slug::as_str).into(),
        subject.session.unwrap_or_default().into(),
        day_of(now).into(),
        subject.run_id.0.into(),
        subject.run.as_str().into(),
        subject.task.as_str().into(),
        subject.agent.as_str().into(),
        more.spent.cost_micros.into(),
        more.source.name().into(),
        tokens.map(|tokens| tokens.input).into(),
        tokens.map(|tokens| tokens.cached_input).into(),
        tokens.map(|tokens| tokens.output).into(),
        more.wall.0.into(),
    ];
    tx.execute(ADD, &values).map(|_| ())
}

/// Reads cost and tokens from four columns.
fn spent_columns(row: &dyn SqlRow, first: usize) -> Result<ResourceUsage, Fault> {
    let tokens = match (row.int_or_null(first + 1)?, row.int_or_null(first + 2)?, row.int_or_null(first + 3)?)
    {
        (Some(input), Some(cached_input), Some(output)) => Some(TokenUsage { input, cached_input, output }),
        _ => None,
    };
    Ok(ResourceUsage { cost_micros: row.int_or_null(first)?, tokens, attempts: 0 })
}

fn sum_columns(row: &dyn SqlRow, first: usize) -> Result<UsageSum, Fault> {
    let spent = ResourceUsage { attempts: row.int(first + 5)?, ..spent_columns(row, first)? };
    let source = if row.int(first + 6)? < spent.attempts {
        CostSource::Unknown
    } else if row.int(first + 7)? != 0 {
        CostSource::Computed
    } else {
        CostSource::Reported
    };
    Ok(UsageSum { spent, source, wall: TimeSpan(row.int(first + 4)?) })
}

/// Lists the sums of several threads, in their order; threads without an entry are left out.
pub fn list_by_threads(
    tx: &mut Transaction<'_>,
    threads: &[ThreadId],
) -> Result<Vec<(ThreadId, UsageSum)>, Fault> {
    let threads = id_list(threads.iter().map(|id| id.0));
    tx.query_all(OF_THREADS, &[threads.as_str().into()], |row| {
        Ok((ThreadId(row.int(0)?), sum_columns(row, 1)?))
    })
}

/// Returns what a client's session has used, in all attempts that continued it.
pub fn load_session(tx: &mut Transaction<'_>, profile: &Slug, session: &str) -> Result<ResourceUsage, Fault> {
    let found =
        tx.query_first(OF_SESSION, &[session.into(), profile.as_str().into()], |row| spent_columns(row, 0))?;
    Ok(found.unwrap_or_default())
}

/// Lists what a run has used by profile; work of no profile has none.
pub fn list_by_profile(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<(Option<Slug>, UsageSum)>, Fault> {
    tx.query_all(OF_PROFILES, &[run.0.into()], |row| Ok((name_or_none(row, 0)?, sum_columns(row, 1)?)))
}

/// Lists the costs of a run's attempts by agent: the dearest ended attempt, and the number of ended ones of unknown cost.
pub fn list_ended_costs(
    tx: &mut Transaction<'_>,
    run: RunId,
) -> Result<Vec<(Slug, Option<i64>, i64)>, Fault> {
    tx.query_all(ENDED_OF_AGENTS, &[run.0.into()], |row| {
        Ok((slug_column(row, 0)?, row.int_or_null(1)?, row.int(2)?))
    })
}

/// Lists the agents of a run's live attempts that have not reported, each with its known cost and its thread.
pub fn list_live_costs(
    tx: &mut Transaction<'_>,
    run: RunId,
) -> Result<Vec<(Slug, i64, Option<ThreadId>)>, Fault> {
    tx.query_all(LIVE_OF_AGENTS, &[run.0.into()], |row| {
        Ok((slug_column(row, 0)?, row.int(1)?, row.int_or_null(2)?.map(ThreadId)))
    })
}

/// Sums up the entries since a day, of one run's name or of all; the order is that of the database.
pub fn list_sums(
    tx: &mut Transaction<'_>,
    grouping: UsageGrouping,
    since: i64,
    run: Option<&Slug>,
) -> Result<Vec<UsageRow>, Fault> {
    let statement = match grouping {
        UsageGrouping::Everything => BY_ALL,
        UsageGrouping::Day => BY_DAY,
        UsageGrouping::Run => BY_RUN,
        UsageGrouping::Profile => BY_PROFILE,
        UsageGrouping::Task => BY_TASK,
    };
    tx.query_all(statement, &[since.into(), run.map(Slug::as_str).into()], |row| {
        Ok(UsageRow {
            day: row.int_or_null(0)?,
            run: name_or_none(row, 1)?,
            profile: name_or_none(row, 2)?,
            task: name_or_none(row, 3)?,
            sum: sum_columns(row, 4)?,
        })
    })
}

/// Reads a name; an empty one is none.
fn name_or_none(row: &dyn SqlRow, column: usize) -> Result<Option<Slug>, Fault> {
    Ok(row.text_or_null(column)?.filter(|name| !name.is_empty()).map(Slug::from_stored))
}

/// The columns of a row that adds up usage.
#[derive(Clone, Copy)]
pub(super) struct UsageColumns {
    /// The cost.
    pub cost: usize,
    /// All tokens.
    pub tokens: usize,
    /// Cached tokens.
    pub cached: usize,
    /// Tokens of output.
    pub output: usize,
    /// Whether any cost is known, followed by whether any tokens are.
    pub known: usize,
}

/// Reads the usage of a run or a task.
pub(super) fn known_usage(row: &dyn SqlRow, columns: UsageColumns) -> Result<ResourceUsage, Fault> {
    let is_known = |column| Ok::<bool, Fault>(row.int(column)? != 0);
    let (total, output) = (row.int(columns.tokens)?, row.int(columns.output)?);
    let tokens =
        TokenUsage { input: total.saturating_sub(output), cached_input: row.int(columns.cached)?, output };
    let cost = row.int(columns.cost)?;
    Ok(ResourceUsage {
        cost_micros: is_known(columns.known)?.then_some(cost),
        tokens: is_known(columns.known + 1)?.then_some(tokens),
        attempts: 0,
    })
}

/// Returns the parameters that add usage: cost, all tokens, cached ones, output, and whether cost and tokens are known.
pub(super) fn usage_values(more: ResourceUsage) -> [SqlParameter<'static>; 6] {
    let tokens = more.tokens.unwrap_or_default();
    [
        more.known_cost().into(),
        more.known_tokens().into(),
        tokens.cached_input.into(),
        tokens.output.into(),
        more.cost_micros.is_some().into(),
        more.tokens.is_some().into(),
    ]
}
