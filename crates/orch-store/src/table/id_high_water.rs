//! The highest numbers of deleted rows: a public number is never reused.

use crate::statement::statements;
use crate::{Fault, Transaction};

statements! {
    const RAISE = "INSERT INTO floor (name, id) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET id = excluded.id WHERE excluded.id > floor.id";
}

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
