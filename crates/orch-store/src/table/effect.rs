//! Pending effects: operations outside the store, each with the lease of the process that performs it.

use orch_core::effect::{
    BranchStep, ClearingMode, Effect, EffectHolder, EffectKey, EffectKind, LandingMode, LandingPlan,
    PendingEffect, RecordedMerge, SyncPlan, SyncStep,
};
use orch_core::id::{AttemptId, CommitHash, EffectId, RunId, Slug};
use orch_core::operation_failure::{OperationFailure, OperationFaultCause, OperationRetries};
use orch_core::run::LandingManner;
use orch_core::time::Time;
use serde_json::{Value, json};

use super::{count_column, id_list, name_column, time_column, time_or_null};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, run_id, attempt_id, host, process, held_until, taken, intent, tries, waits, retry_at,
            failure FROM effect ",
            $rest
        )
    };
}

statements! {
    const ASK = "INSERT INTO effect (kind, run_id, attempt_id, taken, intent, created_at) VALUES ($1, $2, $3, 0, $4, $5)
        ON CONFLICT DO NOTHING";
    const REQUEST =
        "INSERT INTO effect (kind, run_id, attempt_id, host, process, held_until, taken, intent, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8)
        ON CONFLICT (run_id, kind, coalesce(attempt_id, 0)) DO UPDATE SET host = excluded.host,
        process = excluded.process, held_until = excluded.held_until, taken = effect.taken + 1,
        intent = coalesce(excluded.intent, effect.intent) WHERE effect.host IS NULL
        RETURNING id, kind, run_id, attempt_id, host, process, held_until, taken, intent, tries, waits, retry_at,
        failure";
    const LOAD = select!("WHERE id = $1");
    const ALL = select!("WHERE (CAST($1 AS BIGINT) IS NULL OR run_id = $1) ORDER BY id");
    const FIND = select!("WHERE run_id = $1 AND kind = $2 AND coalesce(attempt_id, 0) = $3");
    const ACQUIRE = "UPDATE effect SET host = $2, process = $3, held_until = $4, taken = $5 WHERE id = $1";
    const RELEASE =
        "UPDATE effect SET host = NULL, process = NULL, held_until = NULL WHERE id = $1 AND taken = $2";
    const SAVE_PAYLOAD = "UPDATE effect SET intent = $3 WHERE id = $1 AND taken = $2";
    const COMPLETE = "DELETE FROM effect WHERE id = $1 AND taken = $2";
    const WITHDRAW = "DELETE FROM effect WHERE run_id = $1 AND kind = $2 AND coalesce(attempt_id, 0) = $3";
    const ANY = "SELECT EXISTS (SELECT 1 FROM effect)";
    const SAVE_FAILURE = "UPDATE effect SET host = NULL, process = NULL, held_until = NULL, tries = $3, waits = $4,
        retry_at = $5, failure = $6 WHERE id = $1 AND taken = $2";
    const FORGET_FAILURES = "UPDATE effect SET tries = 0, waits = 0, retry_at = NULL, failure = NULL WHERE run_id = $1
        AND (CAST($2 AS BIGINT) IS NULL OR id = $2) AND failure IS NOT NULL";
    const END_DELAYS = "UPDATE effect SET retry_at = NULL WHERE run_id = $1 AND retry_at IS NOT NULL";
    const FAILED = select!("WHERE run_id = $1 AND failure IS NOT NULL ORDER BY id");
    const HELD = select!(
        "WHERE host IS NOT NULL AND run_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY id"
    );
    const ALL_FAILED = select!("WHERE run_id > 0 AND failure IS NOT NULL");
    const MANY_FAILED = select!(
        "WHERE failure IS NOT NULL AND run_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY id"
    );
}

/// The value of the column `intent` for a repair that keeps the branch where others moved it.
const ADOPT: &str = "adopt";

fn effect_from_row(row: &dyn SqlRow) -> Result<PendingEffect, Fault> {
    let holder = match (row.text_or_null(4)?, row.text_or_null(5)?) {
        (Some(host), Some(process)) => Some(EffectHolder { host, process, until: time_column(row, 6)? }),
        _ => None,
    };
    let kind = name_column(row, 1, "effect", EffectKind::parse)?;
    let attempt = row.int_or_null(3)?.map(AttemptId);
    let text = row.text_or_null(8)?;
    Ok(PendingEffect {
        id: EffectId(row.int(0)?),
        run: RunId(row.int(2)?),
        effect: effect_from_columns(kind, attempt, text).ok_or_else(|| Fault::Value {
            table: "effect",
            value: format!("a {} of no attempt", kind.name()),
        })?,
        holder,
        lease_number: count_column(row, 7)?,
        retries: OperationRetries {
            failures: count_column(row, 9)?,
            waits: count_column(row, 10)?,
            retry_at: time_or_null(row, 11)?,
            last: row.text_or_null(12)?.map(|text| failure_from_text(&text)),
        },
    })
}

/// Returns a failure as the column `failure` holds it.
fn failure_text(failure: &OperationFailure) -> String {
    let OperationFailure { cause, message, command, exit_status, last_lines, path } = failure;
    json!({
        "cause": cause.name(),
        "message": message,
        "command": command,
        "exit_status": exit_status,
        "last_lines": last_lines,
        "path": path,
    })
    .to_string()
}

/// Reads a failure; an unreadable text is taken for the message.
fn failure_from_text(text: &str) -> OperationFailure {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let string = |name: &str| value[name].as_str().map(str::to_owned);
    let lines = value["last_lines"].as_array().map_or(&[][..], Vec::as_slice);
    OperationFailure {
        cause: value["cause"]
            .as_str()
            .and_then(OperationFaultCause::parse)
            .unwrap_or(OperationFaultCause::Other),
        message: string("message").unwrap_or_else(|| text.to_owned()),
        command: string("command"),
        exit_status: value["exit_status"].as_i64().and_then(|status| i32::try_from(status).ok()),
        last_lines: lines.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect(),
        path: string("path"),
    }
}

/// Reads an effect from its columns; `None` where the attempt that it needs is missing.
/// An unreadable payload is treated as a missing one.
fn effect_from_columns(
    kind: EffectKind,
    attempt: Option<AttemptId>,
    payload: Option<String>,
) -> Option<Effect> {
    let json = |text: String| serde_json::from_str::<Value>(&text).unwrap_or_default();
    Some(match kind {
        EffectKind::Branch => Effect::CreateBranch,
        EffectKind::Prepare => {
            Effect::PrepareWorktree { attempt: attempt?, lead: payload.map(Slug::from_stored) }
        }
        EffectKind::Baseline => Effect::CheckBaseline,
        EffectKind::Verify => {
            let since = payload.and_then(|text| text.parse().ok()).map(Time);
            Effect::VerifyAttempt { attempt: attempt?, since }
        }
        EffectKind::Integrate => {
            Effect::IntegrateRun { merging: payload.map(json).as_ref().and_then(merge_from_json) }
        }
        EffectKind::Clear => {
            let mode = payload.as_deref().and_then(ClearingMode::parse).unwrap_or(ClearingMode::Remove);
            Effect::ClearWorktree { attempt: attempt?, mode }
        }
        EffectKind::Restore => Effect::RestoreWorktree { attempt: attempt?, to: payload },
        EffectKind::Land => Effect::LandRun(payload.map(json).as_ref().and_then(landing_from_json)),
        EffectKind::Sync => Effect::SyncRun(payload.map(json).as_ref().and_then(sync_from_json)),
        EffectKind::Sweep => Effect::SweepWorktrees,
        EffectKind::Repair => Effect::RepairBranch { adopt: payload.as_deref() == Some(ADOPT) },
        EffectKind::Remove => removal_from_text(payload.as_deref().unwrap_or_default()),
    })
}

/// The word behind the agent of a removal that deletes salvaged work too; an agent's name has no space.
const PURGE: &str = "purge";

/// Reads the removal of a run: the agent that requested it, and whether it deletes salvaged work too.
fn removal_from_text(text: &str) -> Effect {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let requested_by = Some(name).filter(|name| !name.is_empty());
    Effect::RemoveRun {
        requested_by: requested_by.map(|name| Slug::from_stored(name.to_owned())),
        purge: rest == PURGE,
    }
}

/// Returns the payload of an effect as the column `intent` holds it.
fn payload_text(effect: &Effect) -> Option<String> {
    match effect {
        Effect::CreateBranch
        | Effect::CheckBaseline
        | Effect::VerifyAttempt { since: None, .. }
        | Effect::SweepWorktrees
        | Effect::RepairBranch { adopt: false }
        | Effect::IntegrateRun { merging: None }
        | Effect::ClearWorktree { mode: ClearingMode::Remove, .. }
        | Effect::LandRun(None)
        | Effect::SyncRun(None) => None,
        Effect::PrepareWorktree { lead: name, .. }
        | Effect::RemoveRun { requested_by: name, purge: false } => name.as_ref().map(ToString::to_string),
        Effect::RemoveRun { requested_by: name, purge: true } => {
            Some(format!("{} {PURGE}", name.as_ref().map_or("", Slug::as_str)))
        }
        Effect::VerifyAttempt { since: Some(since), .. } => Some(since.0.to_string()),
        Effect::IntegrateRun { merging: Some(merge) } => {
            Some(json!({ "attempt": merge.attempt.0, "commit": merge.commit.as_str() }).to_string())
        }
        Effect::ClearWorktree { mode, .. } => Some(mode.name().to_owned()),
        Effect::RepairBranch { adopt: true } => Some(ADOPT.to_owned()),
        Effect::RestoreWorktree { to, .. } => to.clone(),
        Effect::SyncRun(Some(plan)) => Some(sync_text(plan)),
        Effect::LandRun(Some(landing)) => {
            let step = landing.step.as_ref();
            let text = json!({
                "onto": landing.onto,
                "partial": landing.partial,
                "hooks": landing.run_hooks,
                "mode": mode_text(&landing.mode),
                "reason": landing.mode.reason(),
                "pushed": match &landing.mode {
                    LandingMode::Pushed { commit, .. } => Some(commit.as_str()),
                    LandingMode::Checked | LandingMode::Unverified { .. } => None,
                },
                "who": landing.requested_by.as_str(),
                "from": step.map(|step| step.from.as_str()),
                "to": step.map(|step| step.to.as_str()),
            });
            Some(text.to_string())
        }
    }
}

/// Returns a synchronization as JSON.
fn sync_text(plan: &SyncPlan) -> String {
    let step = plan.step.as_ref();
    json!({
        "with": plan.from,
        "who": plan.requested_by.as_str(),
        "from": step.map(|step| step.step.from.as_str()),
        "to": step.map(|step| step.step.to.as_str()),
        "base": step.map(|step| step.base.as_str()),
        "checked": step.is_some_and(|step| step.checked),
    })
    .to_string()
}

fn sync_from_json(value: &Value) -> Option<SyncPlan> {
    let step = commit_from_json(&value["from"]).zip(commit_from_json(&value["to"]));
    let step = step.zip(commit_from_json(&value["base"])).map(|((from, to), base)| SyncStep {
        step: BranchStep { from, to },
        base,
        checked: value["checked"].as_bool().unwrap_or(false),
    });
    Some(SyncPlan {
        from: value["with"].as_str()?.to_owned(),
        requested_by: Slug::from_stored(value["who"].as_str()?.to_owned()),
        step,
    })
}

fn merge_from_json(value: &Value) -> Option<RecordedMerge> {
    Some(RecordedMerge {
        attempt: AttemptId(value["attempt"].as_i64()?),
        commit: commit_from_json(&value["commit"])?,
    })
}

fn landing_from_json(value: &Value) -> Option<LandingPlan> {
    let step = commit_from_json(&value["from"]).zip(commit_from_json(&value["to"]));
    Some(LandingPlan {
        onto: value["onto"].as_str()?.to_owned(),
        partial: value["partial"].as_bool()?,
        run_hooks: value["hooks"].as_bool().unwrap_or(false),
        mode: mode_from_json(value)?,
        requested_by: Slug::from_stored(value["who"].as_str()?.to_owned()),
        step: step.map(|(from, to)| BranchStep { from, to }),
    })
}

fn mode_text(mode: &LandingMode) -> &'static str {
    match mode {
        LandingMode::Checked => LandingManner::Checked.name(),
        LandingMode::Unverified { .. } => LandingManner::Unverified.name(),
        LandingMode::Pushed { .. } => LandingManner::Pushed.name(),
    }
}

/// Reads how a run lands; an older program wrote nothing about it.
fn mode_from_json(value: &Value) -> Option<LandingMode> {
    let reason = value["reason"].as_str().map(str::to_owned);
    Some(match value["mode"].as_str().map(LandingManner::parse) {
        None => LandingMode::Checked,
        Some(manner) => match manner? {
            LandingManner::Checked => LandingMode::Checked,
            LandingManner::Unverified => LandingMode::Unverified { reason: reason? },
            LandingManner::Pushed => {
                LandingMode::Pushed { commit: commit_from_json(&value["pushed"])?, reason }
            }
        },
    })
}

fn commit_from_json(value: &Value) -> Option<CommitHash> {
    value.as_str().map(|text| CommitHash::from_stored(text.to_owned()))
}

/// Asks for an effect without acquiring its lease; one that is pending stays as it is.
pub fn insert(tx: &mut Transaction<'_>, run: RunId, effect: &Effect, now: Time) -> Result<(), Fault> {
    let payload = payload_text(effect);
    let values: [SqlParameter<'_>; 5] = [
        effect.kind().name().into(),
        run.0.into(),
        effect.attempt().map(|attempt| attempt.0).into(),
        payload.as_deref().into(),
        now.0.into(),
    ];
    tx.execute(ASK, &values).map(|_| ())
}

/// Asks for an effect and acquires its lease; `None` when the effect is pending and another holder has the lease.
pub fn insert_held(
    tx: &mut Transaction<'_>,
    run: RunId,
    effect: &Effect,
    holder: &EffectHolder,
    now: Time,
) -> Result<Option<PendingEffect>, Fault> {
    let payload = payload_text(effect);
    let values: [SqlParameter<'_>; 8] = [
        effect.kind().name().into(),
        run.0.into(),
        effect.attempt().map(|attempt| attempt.0).into(),
        holder.host.as_str().into(),
        holder.process.as_str().into(),
        holder.until.0.into(),
        payload.as_deref().into(),
        now.0.into(),
    ];
    tx.query_first(REQUEST, &values, effect_from_row)
}

/// Returns whether any effect is pending.
pub fn any_pending(tx: &mut Transaction<'_>) -> Result<bool, Fault> {
    tx.query_number(ANY, &[]).map(|any| any != 0)
}

/// Lists the pending effects of one run or of all, oldest first.
pub fn list_pending(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<PendingEffect>, Fault> {
    tx.query_all(ALL, &[run.map(|run| run.0).into()], effect_from_row)
}

/// Loads a pending effect by its row.
pub fn load(tx: &mut Transaction<'_>, id: EffectId) -> Result<Option<PendingEffect>, Fault> {
    tx.query_first(LOAD, &[id.0.into()], effect_from_row)
}

/// Finds a pending effect by its key; `None` when it was performed or never asked for.
pub fn find_pending(tx: &mut Transaction<'_>, key: EffectKey) -> Result<Option<PendingEffect>, Fault> {
    tx.query_first(FIND, &key_values(key), effect_from_row)
}

/// Records the holder of an effect's lease under a new lease number.
pub fn acquire_lease(
    tx: &mut Transaction<'_>,
    id: EffectId,
    holder: &EffectHolder,
    lease_number: u32,
) -> Result<(), Fault> {
    let values: [SqlParameter<'_>; 5] = [
        id.0.into(),
        holder.host.as_str().into(),
        holder.process.as_str().into(),
        holder.until.0.into(),
        lease_number.into(),
    ];
    tx.execute(ACQUIRE, &values).map(|_| ())
}

/// Releases an effect's lease without completing the effect; `false` when a newer lease exists.
pub fn release_lease(tx: &mut Transaction<'_>, id: EffectId, lease_number: u32) -> Result<bool, Fault> {
    tx.execute(RELEASE, &[id.0.into(), lease_number.into()]).map(|rows| rows > 0)
}

/// Releases an effect's lease after a failure, and saves its retries; `false` when a newer lease exists.
pub fn save_failure(
    tx: &mut Transaction<'_>,
    id: EffectId,
    lease_number: u32,
    retries: &OperationRetries,
) -> Result<bool, Fault> {
    let last = retries.last.as_ref().map(failure_text);
    let values: [SqlParameter<'_>; 6] = [
        id.0.into(),
        lease_number.into(),
        retries.failures.into(),
        retries.waits.into(),
        retries.retry_at.map(|at| at.0).into(),
        last.as_deref().into(),
    ];
    tx.execute(SAVE_FAILURE, &values).map(|rows| rows > 0)
}

/// Forgets the failures of the effects of a run, or of one of them, so that they are tried at once.
pub fn forget_failures(tx: &mut Transaction<'_>, run: RunId, effect: Option<EffectId>) -> Result<u64, Fault> {
    tx.execute(FORGET_FAILURES, &[run.0.into(), effect.map(|effect| effect.0).into()])
}

/// Ends the delays of the effects of a run that failed and are tried again, so that they are tried at once.
pub fn end_delays(tx: &mut Transaction<'_>, run: RunId) -> Result<u64, Fault> {
    tx.execute(END_DELAYS, &[run.0.into()])
}

/// Lists the effects of a run that failed when they were last tried, oldest first.
pub fn list_failed(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<PendingEffect>, Fault> {
    tx.query_all(FAILED, &[run.0.into()], effect_from_row)
}

/// Lists the effects of all runs that failed when they were last tried, oldest first.
pub fn list_all_failed(tx: &mut Transaction<'_>) -> Result<Vec<PendingEffect>, Fault> {
    let mut failed = tx.query_all(ALL_FAILED, &[], effect_from_row)?;
    failed.sort_by_key(|effect| effect.id);
    Ok(failed)
}

/// Lists the effects of several runs that failed when they were last tried, oldest first.
pub fn list_failed_many(tx: &mut Transaction<'_>, runs: &[RunId]) -> Result<Vec<PendingEffect>, Fault> {
    let runs = id_list(runs.iter().map(|run| run.0));
    tx.query_all(MANY_FAILED, &[runs.as_str().into()], effect_from_row)
}

/// Lists the effects of several runs that have a performer, oldest first.
pub fn list_held(tx: &mut Transaction<'_>, runs: &[RunId]) -> Result<Vec<PendingEffect>, Fault> {
    let runs = id_list(runs.iter().map(|run| run.0));
    tx.query_all(HELD, &[runs.as_str().into()], effect_from_row)
}

/// Records what is about to be done in the effect's payload; `false` when a newer lease exists.
pub fn save_payload(
    tx: &mut Transaction<'_>,
    id: EffectId,
    lease_number: u32,
    effect: &Effect,
) -> Result<bool, Fault> {
    let payload = payload_text(effect);
    tx.execute(SAVE_PAYLOAD, &[id.0.into(), lease_number.into(), payload.as_deref().into()])
        .map(|rows| rows > 0)
}

/// Deletes an effect that was performed; `false` when a newer lease exists.
pub fn delete_performed(tx: &mut Transaction<'_>, id: EffectId, lease_number: u32) -> Result<bool, Fault> {
    tx.execute(COMPLETE, &[id.0.into(), lease_number.into()]).map(|rows| rows > 0)
}

/// Deletes a pending effect that is no longer wanted, even while its lease is held.
pub fn withdraw_effect(tx: &mut Transaction<'_>, key: EffectKey) -> Result<(), Fault> {
    tx.execute(WITHDRAW, &key_values(key)).map(|_| ())
}

fn key_values(key: EffectKey) -> [SqlParameter<'static>; 3] {
    [key.run.0.into(), key.kind.name().into(), key.attempt.map_or(0, |attempt| attempt.0).into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(effect: &Effect) -> Option<Effect> {
        effect_from_columns(effect.kind(), effect.attempt(), payload_text(effect))
    }

    #[test]
    fn every_effect_is_read_as_it_was_written() {
        let (attempt, commit) = (AttemptId(4), |digit: &str| CommitHash::from_stored(digit.repeat(40)));
        let lead = || Slug::from_stored("lead".to_owned());
        let name = || Some(lead());
        let landing = LandingPlan {
            onto: "main".to_owned(),
            run_hooks: true,
            partial: true,
            mode: LandingMode::Checked,
            requested_by: Slug::from_stored("lead".to_owned()),
            step: None,
        };
        let step = Some(BranchStep { from: commit("1"), to: commit("2") });
        for effect in [
            Effect::CreateBranch,
            Effect::PrepareWorktree { attempt, lead: name() },
            Effect::CheckBaseline,
            Effect::VerifyAttempt { attempt, since: None },
            Effect::VerifyAttempt { attempt, since: Some(Time(7)) },
            Effect::IntegrateRun { merging: None },
            Effect::IntegrateRun { merging: Some(RecordedMerge { attempt, commit: commit("3") }) },
            Effect::ClearWorktree { attempt, mode: ClearingMode::Remove },
            Effect::ClearWorktree { attempt, mode: ClearingMode::Park },
            Effect::ClearWorktree { attempt, mode: ClearingMode::Discard },
            Effect::RestoreWorktree { attempt, to: Some("/w".to_owned()) },
            Effect::LandRun(Some(landing.clone())),
            Effect::LandRun(Some(LandingPlan {
                mode: LandingMode::Unverified { reason: "urgent".to_owned() },
                ..landing.clone()
            })),
            Effect::LandRun(Some(LandingPlan {
                mode: LandingMode::Pushed { commit: commit("5"), reason: Some("squashed".to_owned()) },
                ..landing.clone()
            })),
            Effect::LandRun(Some(LandingPlan { step: step.clone(), ..landing })),
            Effect::SyncRun(Some(SyncPlan { from: "main".to_owned(), requested_by: lead(), step: None })),
            Effect::SyncRun(Some(SyncPlan {
                from: "main".to_owned(),
                requested_by: lead(),
                step: step.map(|step| SyncStep { step, base: commit("6"), checked: true }),
            })),
            Effect::SweepWorktrees,
            Effect::RemoveRun { requested_by: name(), purge: false },
            Effect::RemoveRun { requested_by: name(), purge: true },
            Effect::RemoveRun { requested_by: None, purge: true },
        ] {
            assert_eq!(round_trip(&effect).as_ref(), Some(&effect));
        }
    }

    #[test]
    fn every_failure_is_read_as_it_was_written() {
        let failure = OperationFailure {
            cause: OperationFaultCause::Locked,
            message: "Git failed.".to_owned(),
            command: Some("git update-ref".to_owned()),
            exit_status: Some(128),
            last_lines: vec!["one".to_owned(), "two".to_owned()],
            path: Some("/r/.git/x.lock".to_owned()),
        };
        assert_eq!(failure_from_text(&failure_text(&failure)), failure);
        let bare = OperationFailure { command: None, exit_status: None, path: None, ..failure };
        assert_eq!(failure_from_text(&failure_text(&bare)), bare);
        assert_eq!(failure_from_text("?").message, "?");
    }

    #[test]
    fn an_unreadable_payload_is_no_payload() {
        for text in ["", "lead", "{}", r#"{"onto":"a"}"#] {
            let read = |kind| effect_from_columns(kind, None, Some(text.to_owned()));
            assert_eq!(read(EffectKind::Land), Some(Effect::LandRun(None)), "{text}");
            assert_eq!(read(EffectKind::Sync), Some(Effect::SyncRun(None)), "{text}");
            assert_eq!(read(EffectKind::Integrate), Some(Effect::IntegrateRun { merging: None }), "{text}");
        }
        assert_eq!(effect_from_columns(EffectKind::Clear, None, None), None);
    }
}
