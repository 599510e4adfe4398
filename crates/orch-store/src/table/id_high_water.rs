//! The highest numbers of deleted rows: a public number is never reused.

use crate::driver::SqlRow;
use crate::statement::statements;
use crate::{Fault, Transaction};

/// The highest number ever assigned in a table, as an expression.
macro_rules! highest {
    ($table:literal) => {
        concat!(
            "coalesce((SELECT id FROM floor WHERE name = '",
            $table,
            "' AND id > (SELECT coalesce(max(id), 0) FROM ",
            $table,
            ")), (SELECT coalesce(max(id), 0) FROM ",
            $table,
            "))"
        )
    };
}
pub(super) use highest;

statements! {
    const NEWEST_NUMBERS = concat!("SELECT ", highest!("thread"), ", ", highest!("message"));
    const RAISE = "INSERT INTO floor (name, id) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET id = excluded.id WHERE excluded.id > floor.id";
}

/// A sequence of public numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdSequence {
    /// Threads.
    Thread,
    /// Messages.
    Message,
}

impl IdSequence {
    fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Message => "message",
        }
    }
}

/// Records that numbers up to this one are never reused.
pub fn raise_high_water(tx: &mut Transaction<'_>, what: IdSequence, id: i64) -> Result<(), Fault> {
    tx.execute(RAISE, &[what.name().into(), id.into()]).map(|_| ())
}

/// Returns the highest numbers of threads and messages that were ever given.
pub fn newest_numbers(tx: &mut Transaction<'_>) -> Result<(i64, i64), Fault> {
    let read = |row: &dyn SqlRow| Ok((row.int(0)?, row.int(1)?));
    Ok(tx.query_first(NEWEST_NUMBERS, &[], read)?.unwrap_or_default())
}
