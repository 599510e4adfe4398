//! Reads that see the store as if it had just been reconciled.

use orch_core::time::Time;
use orch_store::driver::WriteDurability;
use orch_store::{Fault, Transaction, TxEnd};

use crate::unit_of_work::UnitOfWork;
use orch_inbox::{Error, Session};

/// Reads the store as if it had just been reconciled; writes only if changes are pending.
pub fn read_fresh<T>(
    session: &mut Session,
    work: impl Fn(&mut Transaction<'_>, Time) -> Result<T, Error>,
) -> Result<T, Error> {
    if !session.is_writable() {
        return session.read(work);
    }
    let current = session.read(|tx, now| {
        if tx.timers()?.pending(now).is_pending() { Ok(None) } else { work(tx, now).map(Some) }
    })?;
    if let Some(outcome) = current {
        return Ok(outcome);
    }
    let reconciled = session.write(WriteDurability::Power, |tx, now| {
        UnitOfWork::begin_reconciled(tx, now, None)?.save_and_close()?;
        // An error of the reader must not roll back the reconciliation.
        Ok(TxEnd::Commit(work(tx, now)))
    });
    match reconciled {
        // A store that cannot be written is read as it is.
        Err(Error::Store(Fault::ReadOnly { .. })) => session.read(work),
        reconciled => reconciled?,
    }
}
