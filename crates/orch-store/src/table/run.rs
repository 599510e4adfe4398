//! Runs, with the counts of their tasks by state.

use orch_core::check::{CheckIdentity, CheckPolicy, FlakyVerdict};
use orch_core::id::{CommitHash, RunId, Slug};
use orch_core::lease::LeaseLength;
use orch_core::run::budget::UsageLimits;
use orch_core::run::{
    AttemptRules, BaselineStatus, BranchMovePolicy, Budget, DoneWhen, LandingManner, PauseReason, Policy,
    ResourceUsage, ReviewPolicy, Run, RunGit, RunLanding, RunOutcome, RunPause, RunState, RunStatus,
    TaskCounts,
};
use orch_core::time::{Time, TimeSpan};
use serde_json::{Value, json};

use super::usage::{UsageColumns, known_usage, usage_values};
use super::{
    count_column, count_or_null, list_column as texts, list_text, name_column, require_present, slug_column,
    span_or_null, time_column, time_or_null,
};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, title, goal, state, outcome, pause_reason, pause_message, paused_at, pause_until, done_when,
            max_active, max_attempts, retry_delay_ms, lease_ms, answer_after_ms, keys_made, created_at, updated_at,
            waiting, ready, dispatched, running, blocked, reported, done, failed, skipped, cancelled,
            repository, base_commit, base_branch, branch, branch_prefix, worktree_root, baseline, verify, setup, copy, protect,
            check_limit_ms, max_wall_ms, max_cost_micros, max_tokens, faults, cost_micros, tokens,
            attempts, max_attempts_all, task_wall_ms, task_cost_micros, task_tokens,
            check_by, check_retries, flaky, check_cache, setup_key, setup_may_change,
            branch_tip, branch_seen, on_branch_move, trailers, run_hooks, landing, folder,
            check_env, inherits_env, rework,
            cached_tokens, output_tokens, cost_known, tokens_known, attempt_wall_ms, attempt_cost_micros, attempt_tokens,
            attempt_reserve_micros, review FROM run ",
            $rest
        )
    };
}

statements! {
    const INSERT = "INSERT INTO run (name, title, goal, state, done_when, max_active, max_attempts, retry_delay_ms,
        lease_ms, answer_after_ms, keys_made, waiting, ready, dispatched, running, blocked, reported, done, failed, skipped,
        cancelled, created_at, updated_at, repository, base_commit, base_branch, branch, branch_prefix, worktree_root, baseline,
        branch_tip, folder)
        VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, $8, $9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, $10, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        RETURNING id";
    const SAVE = "UPDATE run SET title = $2, goal = $3, state = $4, outcome = $5, pause_reason = $6, pause_message = $7,
        paused_at = $8, pause_until = $9, max_active = $10, max_attempts = $11, retry_delay_ms = $12, lease_ms = $13,
        answer_after_ms = $14, keys_made = $15, updated_at = $16, waiting = $17, ready = $18, dispatched = $19, running = $20,
        blocked = $21, reported = $22, done = $23, failed = $24, skipped = $25, cancelled = $26, baseline = $27, faults = $28,
        branch_tip = $29, branch_seen = $30, base_commit = $31 WHERE id = $1";
    const SAVE_RULES =
        "UPDATE run SET verify = $2, setup = $3, copy = $4, protect = $5, check_limit_ms = $6, max_wall_ms = $7,
        max_cost_micros = $8, max_tokens = $9, max_attempts_all = $10, task_wall_ms = $11, task_cost_micros = $12, task_tokens = $13,
        check_by = $14, check_retries = $15, flaky = $16,
        check_cache = $17, setup_key = $18, setup_may_change = $19,
        on_branch_move = $20, trailers = $21, run_hooks = $22, check_env = $23, inherits_env = $24, rework = $25,
        attempt_wall_ms = $26, attempt_cost_micros = $27, attempt_tokens = $28, attempt_reserve_micros = $29, review = $30 WHERE id = $1";
    const SPEND = "UPDATE run SET cost_micros = cost_micros + $2, tokens = tokens + $3, cached_tokens = cached_tokens + $4,
        output_tokens = output_tokens + $5, cost_known = CASE WHEN CAST($6 AS BIGINT) = 1 THEN 1 ELSE cost_known END,
        tokens_known = CASE WHEN CAST($7 AS BIGINT) = 1 THEN 1 ELSE tokens_known END, attempts = attempts + $8 WHERE id = $1";
    const SAVE_LANDING = "UPDATE run SET landing = $2 WHERE id = $1";
    const FORGET = "DELETE FROM run WHERE id = $1";
    const LOAD = select!("WHERE id = $1");
    const NAMED = select!("WHERE name = $1");
    const UNFINISHED = select!("INDEXED BY run_unfinished WHERE state IN ('open', 'paused') ORDER BY id");
    const NEWEST_CHANGED = select!("ORDER BY updated_at DESC, id DESC LIMIT 1");
    const LIST = select!("WHERE id < $1 ORDER BY id DESC LIMIT $2");
    const ON_GROUND = select!("WHERE repository IS NOT NULL ORDER BY id");
    const COUNT = "SELECT count(*) FROM run";
    const TAKEN = "SELECT count(*) FROM run WHERE name = $1";
}

fn run_from_row(row: &dyn SqlRow) -> Result<Run, Fault> {
    let mut counts = TaskCounts::default();
    for (index, count) in counts.0.iter_mut().enumerate() {
        *count = row.int(19 + index)?;
    }
    let lease = LeaseLength::new(TimeSpan(row.int(14)?)).unwrap_or(LeaseLength::DEFAULT);
    Ok(Run {
        id: RunId(row.int(0)?),
        name: slug_column(row, 1)?,
        title: row.text(2)?,
        goal: row.text_or_null(3)?,
        state: state_from_row(row)?,
        policy: Policy {
            done_when: name_column(row, 10, "run", DoneWhen::parse)?,
            max_active: count_or_null(row, 11)?,
            max_attempts: count_column(row, 12)?,
            retry_delay: TimeSpan(row.int(13)?),
            lease,
            answer_after: span_or_null(row, 15)?,
        },
        rules: AttemptRules {
            verify: texts(row, 36)?,
            setup: row.text_or_null(37)?,
            copy: texts(row, 38)?,
            protect: texts(row, 39)?,
            check_limit: TimeSpan(row.int(40)?),
            checks: CheckPolicy {
                by: name_column(row, 52, "run", CheckIdentity::parse)?,
                retries: count_column(row, 53)?,
                flaky: name_column(row, 54, "run", FlakyVerdict::parse)?,
            },
            check_cache: texts(row, 55)?,
            check_env: texts(row, 65)?,
            inherits_env: row.int(66)? != 0,
            setup_key: texts(row, 56)?,
            setup_may_change: texts(row, 57)?,
            on_branch_move: name_column(row, 60, "run", BranchMovePolicy::parse)?,
            trailers: row.int(61)? != 0,
            run_hooks: row.int(62)? != 0,
            rework: count_column(row, 67)?,
            review: name_column(row, 76, "run", ReviewPolicy::parse)?,
        },
        budget: budget_from_row(row)?,
        spent: ResourceUsage {
            attempts: row.int(47)?,
            ..known_usage(row, UsageColumns { cost: 45, tokens: 46, cached: 68, output: 69, known: 70 })?
        },
        ground: git_from_row(row)?,
        faults: count_column(row, 44)?,
        landing: row.text_or_null(63)?.and_then(|text| landing_from_text(&text)),
        folder: row.text_or_null(64)?,
        counts,
        keys_made: count_column(row, 16)?,
        created_at: time_column(row, 17)?,
        updated_at: time_column(row, 18)?,
    })
}

fn budget_from_row(row: &dyn SqlRow) -> Result<Budget, Fault> {
    Ok(Budget {
        run: UsageLimits {
            wall: span_or_null(row, 41)?,
            cost_micros: row.int_or_null(42)?,
            tokens: row.int_or_null(43)?,
        },
        task: UsageLimits {
            wall: span_or_null(row, 49)?,
            cost_micros: row.int_or_null(50)?,
            tokens: row.int_or_null(51)?,
        },
        attempt: UsageLimits {
            wall: span_or_null(row, 72)?,
            cost_micros: row.int_or_null(73)?,
            tokens: row.int_or_null(74)?,
        },
        max_attempts_all: count_or_null(row, 48)?,
        attempt_reserve_micros: row.int_or_null(75)?,
    })
}

fn git_from_row(row: &dyn SqlRow) -> Result<Option<RunGit>, Fault> {
    let Some(repository) = row.text_or_null(29)? else { return Ok(None) };
    let base = CommitHash::from_stored(row.text(30)?);
    Ok(Some(RunGit {
        repository,
        tip: row.text_or_null(58)?.map_or_else(|| base.clone(), CommitHash::from_stored),
        seen: row.text_or_null(59)?.map(CommitHash::from_stored),
        base,
        base_branch: row.text_or_null(31)?,
        branch: row.text(32)?,
        branch_prefix: row.text(33)?,
        root: row.text(34)?,
        baseline: name_column(row, 35, "run", BaselineStatus::parse)?,
    }))
}

fn state_from_row(row: &dyn SqlRow) -> Result<RunState, Fault> {
    Ok(match name_column(row, 4, "run", RunStatus::parse)? {
        RunStatus::Open => RunState::Open,
        RunStatus::Cancelled => RunState::Cancelled,
        RunStatus::Finished => RunState::Finished(name_column(row, 5, "run", RunOutcome::parse)?),
        RunStatus::Paused => RunState::Paused(RunPause {
            reason: name_column(row, 6, "run", PauseReason::parse)?,
            message: row.text_or_null(7)?,
            at: require_present(time_or_null(row, 8)?, "run", "paused_at")?,
            until: time_or_null(row, 9)?,
        }),
    })
}

/// The fields of a new run.
#[derive(Clone, Copy, Debug)]
pub struct NewRunRow<'a> {
    /// Its name.
    pub name: &'a Slug,
    /// Its title.
    pub title: &'a str,
    /// Its goal.
    pub goal: Option<&'a str>,
    /// Its policy.
    pub policy: &'a Policy,
    /// Its repository, base and branch.
    pub ground: Option<&'a RunGit>,
    /// The folder in which its workers are started, if it has no worktrees.
    pub folder: Option<&'a str>,
}

/// Inserts a run.
pub fn insert(tx: &mut Transaction<'_>, new: NewRunRow<'_>, now: Time) -> Result<RunId, Fault> {
    let (policy, ground) = (new.policy, new.ground);
    let values: [SqlParameter<'_>; 19] = [
        new.name.as_str().into(),
        new.title.into(),
        new.goal.into(),
        policy.done_when.name().into(),
        policy.max_active.into(),
        policy.max_attempts.into(),
        policy.retry_delay.0.into(),
        policy.lease.span().0.into(),
        policy.answer_after.map(|span| span.0).into(),
        now.0.into(),
        ground.map(|ground| ground.repository.as_str()).into(),
        ground.map(|ground| ground.base.as_str()).into(),
        ground.and_then(|ground| ground.base_branch.as_deref()).into(),
        ground.map(|ground| ground.branch.as_str()).into(),
        ground.map(|ground| ground.branch_prefix.as_str()).into(),
        ground.map(|ground| ground.root.as_str()).into(),
        ground.map(|ground| ground.baseline.name()).into(),
        ground.map(|ground| ground.tip.as_str()).into(),
        new.folder.into(),
    ];
    tx.query_number(INSERT, &values).map(RunId)
}

/// Updates the mutable columns of a run.
pub fn save(tx: &mut Transaction<'_>, run: &Run) -> Result<(), Fault> {
    let (outcome, pause) = match &run.state {
        RunState::Finished(outcome) => (Some(outcome.name()), None),
        RunState::Paused(pause) => (None, Some(pause)),
        RunState::Open | RunState::Cancelled => (None, None),
    };
    let policy = &run.policy;
    let mut values: Vec<SqlParameter<'_>> = vec![
        run.id.0.into(),
        run.title.as_str().into(),
        run.goal.as_deref().into(),
        run.state.status().name().into(),
        outcome.into(),
        pause.map(|pause| pause.reason.name()).into(),
        pause.and_then(|pause| pause.message.as_deref()).into(),
        pause.map(|pause| pause.at.0).into(),
        pause.and_then(|pause| pause.until).map(|until| until.0).into(),
        policy.max_active.into(),
        policy.max_attempts.into(),
        policy.retry_delay.0.into(),
        policy.lease.span().0.into(),
        policy.answer_after.map(|span| span.0).into(),
        run.keys_made.into(),
        run.updated_at.0.into(),
    ];
    values.extend(run.counts.0.iter().map(|count| SqlParameter::from(*count)));
    values.push(run.ground.as_ref().map(|ground| ground.baseline.name()).into());
    values.push(run.faults.into());
    values.push(run.ground.as_ref().map(|ground| ground.tip.as_str()).into());
    values.push(run.ground.as_ref().and_then(|ground| ground.seen.as_ref()).map(CommitHash::as_str).into());
    values.push(run.ground.as_ref().map(|ground| ground.base.as_str()).into());
    tx.execute(SAVE, &values).map(|_| ())
}

/// Saves the rules and the budget of a run.
pub fn save_rules(
    tx: &mut Transaction<'_>,
    id: RunId,
    rules: &AttemptRules,
    budget: &Budget,
) -> Result<(), Fault> {
    let [verify, copy, protect, check_cache, check_env, setup_key, setup_may_change] = [
        &rules.verify,
        &rules.copy,
        &rules.protect,
        &rules.check_cache,
        &rules.check_env,
        &rules.setup_key,
        &rules.setup_may_change,
    ]
    .map(|entries| list_text(entries));
    let values: [SqlParameter<'_>; 30] = [
        id.0.into(),
        verify.as_deref().into(),
        rules.setup.as_deref().into(),
        copy.as_deref().into(),
        protect.as_deref().into(),
        rules.check_limit.0.into(),
        budget.run.wall.map(|span| span.0).into(),
        budget.run.cost_micros.into(),
        budget.run.tokens.into(),
        budget.max_attempts_all.into(),
        budget.task.wall.map(|span| span.0).into(),
        budget.task.cost_micros.into(),
        budget.task.tokens.into(),
        rules.checks.by.name().into(),
        rules.checks.retries.into(),
        rules.checks.flaky.name().into(),
        check_cache.as_deref().into(),
        setup_key.as_deref().into(),
        setup_may_change.as_deref().into(),
        rules.on_branch_move.name().into(),
        i64::from(rules.trailers).into(),
        i64::from(rules.run_hooks).into(),
        check_env.as_deref().into(),
        i64::from(rules.inherits_env).into(),
        rules.rework.into(),
        budget.attempt.wall.map(|span| span.0).into(),
        budget.attempt.cost_micros.into(),
        budget.attempt.tokens.into(),
        budget.attempt_reserve_micros.into(),
        rules.review.name().into(),
    ];
    tx.execute(SAVE_RULES, &values).map(|_| ())
}

/// Records the last landing of a run.
pub fn save_landing(tx: &mut Transaction<'_>, id: RunId, landing: &RunLanding) -> Result<(), Fault> {
    let text = json!({
        "onto": landing.onto,
        "commit": landing.commit.as_str(),
        "manner": landing.manner.name(),
        "reason": landing.reason,
        "partial": landing.partial,
        "tasks": landing.tasks,
        "by": landing.by.as_str(),
        "at": landing.at.0,
    });
    tx.execute(SAVE_LANDING, &[id.0.into(), text.to_string().as_str().into()]).map(|_| ())
}

/// Reads a landing; an unreadable one is treated as none.
fn landing_from_text(text: &str) -> Option<RunLanding> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(RunLanding {
        onto: value["onto"].as_str()?.to_owned(),
        commit: CommitHash::from_stored(value["commit"].as_str()?.to_owned()),
        manner: LandingManner::parse(value["manner"].as_str()?)?,
        reason: value["reason"].as_str().map(str::to_owned),
        partial: value["partial"].as_bool()?,
        tasks: value["tasks"].as_i64()?,
        by: Slug::from_stored(value["by"].as_str()?.to_owned()),
        at: Time(value["at"].as_i64()?),
    })
}

/// Adds to the usage of a run.
pub fn add_usage(tx: &mut Transaction<'_>, id: RunId, more: ResourceUsage) -> Result<(), Fault> {
    let [cost, tokens, cached, output, cost_known, tokens_known] = usage_values(more);
    let values = [id.0.into(), cost, tokens, cached, output, cost_known, tokens_known, more.attempts.into()];
    tx.execute(SPEND, &values).map(|_| ())
}

/// Deletes the row of a run; the caller deletes its other rows.
pub fn delete(tx: &mut Transaction<'_>, id: RunId) -> Result<(), Fault> {
    tx.execute(FORGET, &[id.0.into()]).map(|_| ())
}

/// Loads a run by its key.
pub fn load(tx: &mut Transaction<'_>, id: RunId) -> Result<Option<Run>, Fault> {
    tx.query_first(LOAD, &[id.0.into()], run_from_row)
}

/// Loads a run by its name.
pub fn load_by_name(tx: &mut Transaction<'_>, name: &Slug) -> Result<Option<Run>, Fault> {
    tx.query_first(NAMED, &[name.as_str().into()], run_from_row)
}

/// Lists open and paused runs, oldest first.
pub fn list_unfinished(tx: &mut Transaction<'_>) -> Result<Vec<Run>, Fault> {
    tx.query_all(UNFINISHED, &[], run_from_row)
}

/// Loads the run that changed last.
pub fn load_last_changed(tx: &mut Transaction<'_>) -> Result<Option<Run>, Fault> {
    tx.query_first(NEWEST_CHANGED, &[], run_from_row)
}

/// Lists runs before one, newest first.
pub fn list(tx: &mut Transaction<'_>, before: RunId, limit: u32) -> Result<Vec<Run>, Fault> {
    tx.query_all(LIST, &[before.0.into(), limit.into()], run_from_row)
}

/// Lists the runs that have worktrees, oldest first.
pub fn list_with_git(tx: &mut Transaction<'_>) -> Result<Vec<Run>, Fault> {
    tx.query_all(ON_GROUND, &[], run_from_row)
}

/// Counts all runs.
pub fn count(tx: &mut Transaction<'_>) -> Result<i64, Fault> {
    tx.query_number(COUNT, &[])
}

/// Returns whether a run with this name exists.
pub fn name_exists(tx: &mut Transaction<'_>, name: &Slug) -> Result<bool, Fault> {
    tx.query_number(TAKEN, &[name.as_str().into()]).map(|count| count > 0)
}
