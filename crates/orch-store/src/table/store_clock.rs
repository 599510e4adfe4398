//! The anchor of the store's clock, and what moves with it: deadlines.

use orch_core::store_clock::{BootId, BootTime, ClockAnchor, ClockChange, ClockStep};
use orch_core::time::{Time, TimeSpan};

use super::{span_or_null, time_column};
use crate::driver::SqlRow;
use crate::statement::statements;
use crate::{Fault, Transaction};

/// The columns of the anchor, for a statement that reads something else too; the table has always one row.
macro_rules! anchor_columns {
    () => {
        "store_clock.boot, store_clock.boot_ms, store_clock.time_ms, store_clock.step_ms, store_clock.step_seen_ms"
    };
}
pub(super) use anchor_columns;

/// How many columns the anchor has.
pub(super) const ANCHOR_COLUMNS: usize = 5;

statements! {
    const LOAD = concat!("SELECT ", anchor_columns!(), " FROM store_clock WHERE row_number = 1");
    const SAVE = "UPDATE store_clock SET boot = $1, boot_ms = $2, time_ms = $3, step_ms = $4, step_seen_ms = $5
        WHERE row_number = 1";
    const MOVE_LEASES = "UPDATE thread SET expires_at = expires_at + $1, lost_at = lost_at + $1
        WHERE holder IS NOT NULL AND expires_at IS NOT NULL";
    const MOVE_DEFAULTS = "UPDATE thread SET default_at = default_at + $1 WHERE default_at IS NOT NULL";
    const MOVE_DELAYS = "UPDATE task SET not_before = not_before + $1 WHERE state = 'ready' AND not_before IS NOT NULL";
    const MOVE_PAUSES = "UPDATE run SET pause_until = pause_until + $1
        WHERE state IN ('open', 'paused') AND pause_until IS NOT NULL";
    const MOVE_COOLDOWNS = "UPDATE profile_cooldown SET until = until + $1, since = since + $1";
    const MOVE_EFFECT_LEASES = "UPDATE effect SET held_until = held_until + $1 WHERE held_until IS NOT NULL";
    const MOVE_RECEIPTS = "UPDATE request SET at = at + $1";
    const CUT_LEASES = "UPDATE thread SET lost_at = lost_at - expires_at + $1 + held_lease_ms, expires_at = $1 + held_lease_ms
        WHERE holder IS NOT NULL AND expires_at IS NOT NULL AND expires_at > $1 + held_lease_ms";
    const CUT_DEFAULTS = "UPDATE thread SET default_at = $1 + default_at - (SELECT created_at FROM message WHERE id = question_id)
        WHERE default_at IS NOT NULL AND (SELECT created_at FROM message WHERE id = question_id) > $1";
    const CUT_DELAYS = "UPDATE task SET not_before = $1 + not_before - updated_at, updated_at = $1
        WHERE state = 'ready' AND not_before IS NOT NULL AND updated_at > $1";
    const CUT_PAUSES = "UPDATE run SET pause_until = $1 + pause_until - paused_at, paused_at = $1
        WHERE state IN ('open', 'paused') AND pause_until IS NOT NULL AND paused_at > $1";
    const CUT_COOLDOWNS = "UPDATE profile_cooldown SET until = $1 + until - since, since = $1 WHERE since > $1";
    const CUT_RECEIPTS = "UPDATE request SET at = $1 WHERE at > $1";
}

/// Reads the anchor from the columns that begin at `first`; `None` before the first write.
pub(super) fn anchor_from_row(row: &dyn SqlRow, first: usize) -> Result<Option<ClockAnchor>, Fault> {
    let boot = row.text(first)?;
    if boot.is_empty() {
        return Ok(None);
    }
    let boot = u128::from_str_radix(&boot, 16)
        .map_err(|_| Fault::Value { table: "store_clock", value: boot.clone() })?;
    let step = span_or_null(row, first + 3)?.zip(span_or_null(row, first + 4)?);
    Ok(Some(ClockAnchor {
        time: time_column(row, first + 2)?,
        boot: BootTime { boot: BootId(boot), elapsed: TimeSpan(row.int(first + 1)?) },
        step: step.map(|(by, seen)| ClockStep { by, seen }),
    }))
}

/// Returns a boot as the store writes it.
pub(super) fn boot_text(boot: BootId) -> String {
    format!("{:032x}", boot.0)
}

/// Loads the anchor; `None` before the first write.
pub fn load_anchor(tx: &mut Transaction<'_>) -> Result<Option<ClockAnchor>, Fault> {
    Ok(tx.query_first(LOAD, &[], |row| anchor_from_row(row, 0))?.flatten())
}

/// Records a change of the clock, and moves the deadlines that it concerns.
pub fn apply_change(tx: &mut Transaction<'_>, change: &ClockChange) -> Result<(), Fault> {
    match change {
        ClockChange::Record(anchor) => save_anchor(tx, anchor),
        ClockChange::Restart(anchor) => {
            shorten_deadlines(tx, anchor.time)?;
            save_anchor(tx, anchor)
        }
        ClockChange::Adopt { anchor, by } => {
            for statement in [
                MOVE_LEASES,
                MOVE_DEFAULTS,
                MOVE_DELAYS,
                MOVE_PAUSES,
                MOVE_COOLDOWNS,
                MOVE_EFFECT_LEASES,
                MOVE_RECEIPTS,
            ] {
                tx.execute(statement, &[by.0.into()])?;
            }
            save_anchor(tx, anchor)
        }
    }
}

/// Shortens each deadline to its length, where the clock was set back while the host was down.
fn shorten_deadlines(tx: &mut Transaction<'_>, now: Time) -> Result<(), Fault> {
    for statement in [CUT_LEASES, CUT_DEFAULTS, CUT_DELAYS, CUT_PAUSES, CUT_COOLDOWNS, CUT_RECEIPTS] {
        tx.execute(statement, &[now.0.into()])?;
    }
    Ok(())
}

fn save_anchor(tx: &mut Transaction<'_>, anchor: &ClockAnchor) -> Result<(), Fault> {
    let boot = boot_text(anchor.boot.boot);
    let values = [
        boot.as_str().into(),
        anchor.boot.elapsed.0.into(),
        anchor.time.0.into(),
        anchor.step.map(|step| step.by.0).into(),
        anchor.step.map(|step| step.seen.0).into(),
    ];
    tx.execute(SAVE, &values).map(|_| ())
}
