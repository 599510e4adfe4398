//! What is to be done outside the store.

use orch_core::effect::{Effect, EffectHolder, EffectKind};
use orch_core::id::{AttemptId, EffectId, RunId};
use orch_core::time::Time;

use super::{count_column, name_column, time_column};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, run_id, attempt_id, host, process, held_until, taken, intent FROM effect ",
            $rest
        )
    };
}

statements! {
    const INSERT =
        "INSERT INTO effect (kind, run_id, attempt_id, taken, created_at) VALUES ($1, $2, $3, 0, $4)
        ON CONFLICT DO NOTHING";
    const LOAD = select!("WHERE id = $1");
    const ALL = select!("WHERE (CAST($1 AS BIGINT) IS NULL OR run_id = $1) ORDER BY id");
    const OF = select!("WHERE run_id = $1 AND kind = $2 AND coalesce(attempt_id, 0) = $3");
    const HOLD = "UPDATE effect SET host = $2, process = $3, held_until = $4, taken = $5 WHERE id = $1";
    const LET_GO =
        "UPDATE effect SET host = NULL, process = NULL, held_until = NULL WHERE id = $1 AND taken = $2";
    const INTEND = "UPDATE effect SET intent = $3 WHERE id = $1 AND taken = $2";
    const FINISH = "DELETE FROM effect WHERE id = $1 AND taken = $2";
    const DROP = "DELETE FROM effect WHERE run_id = $1 AND kind = $2 AND coalesce(attempt_id, 0) = $3";
    const ANY = "SELECT EXISTS (SELECT 1 FROM effect)";
}

fn effect_from_row(row: &dyn SqlRow) -> Result<Effect, Fault> {
    let holder = match (row.text_or_null(4)?, row.text_or_null(5)?) {
        (Some(host), Some(process)) => Some(EffectHolder { host, process, until: time_column(row, 6)? }),
        _ => None,
    };
    Ok(Effect {
        id: EffectId(row.int(0)?),
        kind: name_column(row, 1, "effect", EffectKind::parse)?,
        run: RunId(row.int(2)?),
        attempt: row.int_or_null(3)?.map(AttemptId),
        holder,
        taken: count_column(row, 7)?,
        intent: row.text_or_null(8)?,
    })
}

/// Asks for an effect; one that is asked for already stays as it is.
///
/// # Errors
/// The store failed.
pub fn insert(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
    now: Time,
) -> Result<(), Fault> {
    let values = [kind.name().into(), run.0.into(), attempt.map(|attempt| attempt.0).into(), now.0.into()];
    tx.execute(INSERT, &values).map(|_| ())
}

/// Whether anything is to be done.
///
/// # Errors
/// The store failed.
pub fn any_pending(tx: &mut Transaction<'_>) -> Result<bool, Fault> {
    tx.query_number(ANY, &[]).map(|any| any != 0)
}

/// What is to be done, oldest first, of one run or of all.
///
/// # Errors
/// The store failed.
pub fn list_pending(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<Effect>, Fault> {
    tx.query_all(ALL, &[run.map(|run| run.0).into()], effect_from_row)
}

/// An effect by its key; `None` when it was done.
///
/// # Errors
/// The store failed.
pub fn load(tx: &mut Transaction<'_>, id: EffectId) -> Result<Option<Effect>, Fault> {
    tx.query_first(LOAD, &[id.0.into()], effect_from_row)
}

/// An effect by what it is about; `None` when it was done, or was never asked for.
///
/// # Errors
/// The store failed.
pub fn find_pending(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<Option<Effect>, Fault> {
    let attempt = attempt.map_or(0, |attempt| attempt.0);
    tx.query_first(OF, &[run.0.into(), kind.name().into(), attempt.into()], effect_from_row)
}

/// Writes who performs an effect, and the number that this taking has.
///
/// # Errors
/// The store failed.
pub fn acquire_lease(
    tx: &mut Transaction<'_>,
    id: EffectId,
    holder: &EffectHolder,
    taken: u32,
) -> Result<(), Fault> {
    let values: [SqlParameter<'_>; 5] = [
        id.0.into(),
        holder.host.as_str().into(),
        holder.process.as_str().into(),
        holder.until.0.into(),
        taken.into(),
    ];
    tx.execute(HOLD, &values).map(|_| ())
}

/// Gives an effect back undone; says whether this taking was the newest.
///
/// # Errors
/// The store failed.
pub fn release_lease(tx: &mut Transaction<'_>, id: EffectId, taken: u32) -> Result<bool, Fault> {
    tx.execute(LET_GO, &[id.0.into(), taken.into()]).map(|rows| rows > 0)
}

/// Writes down what is about to be done; says whether this taking is the newest.
///
/// # Errors
/// The store failed.
pub fn record_intent(
    tx: &mut Transaction<'_>,
    id: EffectId,
    taken: u32,
    intent: &str,
) -> Result<bool, Fault> {
    tx.execute(INTEND, &[id.0.into(), taken.into(), intent.into()]).map(|rows| rows > 0)
}

/// Takes an effect away that was done; says whether this taking was the newest.
///
/// # Errors
/// The store failed.
pub fn delete_performed(tx: &mut Transaction<'_>, id: EffectId, taken: u32) -> Result<bool, Fault> {
    tx.execute(FINISH, &[id.0.into(), taken.into()]).map(|rows| rows > 0)
}

/// Takes an effect away that nobody wants any more, whoever holds it.
///
/// # Errors
/// The store failed.
pub fn withdraw_effect(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<(), Fault> {
    let attempt = attempt.map_or(0, |attempt| attempt.0);
    tx.execute(DROP, &[run.0.into(), kind.name().into(), attempt.into()]).map(|_| ())
}
