//! What is to be done outside the store.

use orch_core::effect::{Effect, EffectKind, Holder};
use orch_core::id::{AttemptId, EffectId, RunId};
use orch_core::time::Time;

use super::{named, small, time};
use crate::driver::{Row, Value};
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

fn row(row: &dyn Row) -> Result<Effect, Fault> {
    let holder = match (row.text_or_null(4)?, row.text_or_null(5)?) {
        (Some(host), Some(process)) => Some(Holder { host, process, until: time(row, 6)? }),
        _ => None,
    };
    Ok(Effect {
        id: EffectId(row.int(0)?),
        kind: named(row, 1, "effect", EffectKind::parse)?,
        run: RunId(row.int(2)?),
        attempt: row.int_or_null(3)?.map(AttemptId),
        holder,
        taken: small(row, 7)?,
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
    tx.run(INSERT, &values).map(|_| ())
}

/// Whether anything is to be done.
///
/// # Errors
/// The store failed.
pub fn any(tx: &mut Transaction<'_>) -> Result<bool, Fault> {
    tx.number(ANY, &[]).map(|any| any != 0)
}

/// What is to be done, oldest first, of one run or of all.
///
/// # Errors
/// The store failed.
pub fn all(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<Effect>, Fault> {
    tx.all(ALL, &[run.map(|run| run.0).into()], row)
}

/// An effect by its key; `None` when it was done.
///
/// # Errors
/// The store failed.
pub fn load(tx: &mut Transaction<'_>, id: EffectId) -> Result<Option<Effect>, Fault> {
    tx.first(LOAD, &[id.0.into()], row)
}

/// An effect by what it is about; `None` when it was done, or was never asked for.
///
/// # Errors
/// The store failed.
pub fn of(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<Option<Effect>, Fault> {
    let attempt = attempt.map_or(0, |attempt| attempt.0);
    tx.first(OF, &[run.0.into(), kind.name().into(), attempt.into()], row)
}

/// Writes who performs an effect, and the number that this taking has.
///
/// # Errors
/// The store failed.
pub fn hold(tx: &mut Transaction<'_>, id: EffectId, holder: &Holder, taken: u32) -> Result<(), Fault> {
    let values: [Value<'_>; 5] = [
        id.0.into(),
        holder.host.as_str().into(),
        holder.process.as_str().into(),
        holder.until.0.into(),
        taken.into(),
    ];
    tx.run(HOLD, &values).map(|_| ())
}

/// Gives an effect back undone; says whether this taking was the newest.
///
/// # Errors
/// The store failed.
pub fn let_go(tx: &mut Transaction<'_>, id: EffectId, taken: u32) -> Result<bool, Fault> {
    tx.run(LET_GO, &[id.0.into(), taken.into()]).map(|rows| rows > 0)
}

/// Writes down what is about to be done; says whether this taking is the newest.
///
/// # Errors
/// The store failed.
pub fn intend(tx: &mut Transaction<'_>, id: EffectId, taken: u32, intent: &str) -> Result<bool, Fault> {
    tx.run(INTEND, &[id.0.into(), taken.into(), intent.into()]).map(|rows| rows > 0)
}

/// Takes an effect away that was done; says whether this taking was the newest.
///
/// # Errors
/// The store failed.
pub fn finish(tx: &mut Transaction<'_>, id: EffectId, taken: u32) -> Result<bool, Fault> {
    tx.run(FINISH, &[id.0.into(), taken.into()]).map(|rows| rows > 0)
}

/// Takes an effect away that nobody wants any more, whoever holds it.
///
/// # Errors
/// The store failed.
pub fn withdraw(
    tx: &mut Transaction<'_>,
    kind: EffectKind,
    run: RunId,
    attempt: Option<AttemptId>,
) -> Result<(), Fault> {
    let attempt = attempt.map_or(0, |attempt| attempt.0);
    tx.run(DROP, &[run.0.into(), kind.name().into(), attempt.into()]).map(|_| ())
}
