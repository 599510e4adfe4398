//! Running supervisors.

use orch_core::id::RunId;
use orch_core::time::Time;

use super::time_column;
use crate::driver::SqlRow;
use crate::statement::statements;
use crate::{Fault, Transaction};

/// A supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervisor {
    /// The identity of its process, unique even after its process id is reused.
    pub process: String,
    /// The host that it runs on.
    pub host: String,
    /// The run that it drives; `None` is all of them.
    pub run: Option<RunId>,
    /// The file of its output, when it has no terminal.
    pub log: Option<String>,
    /// When it was started.
    pub started_at: Time,
}

statements! {
    const PUT =
        "INSERT INTO supervisor (process, host, run_id, log, started_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (process) DO NOTHING";
    const DROP = "DELETE FROM supervisor WHERE process = $1";
    const ALL =
        "SELECT process, host, run_id, log, started_at FROM supervisor ORDER BY started_at, process";
}

fn supervisor_from_row(row: &dyn SqlRow) -> Result<Supervisor, Fault> {
    Ok(Supervisor {
        process: row.text(0)?,
        host: row.text(1)?,
        run: Some(RunId(row.int(2)?)).filter(|run| run.0 > 0),
        log: row.text_or_null(3)?,
        started_at: time_column(row, 4)?,
    })
}

/// Records a supervisor that started.
pub fn upsert(tx: &mut Transaction<'_>, supervisor: &Supervisor) -> Result<(), Fault> {
    let values = [
        supervisor.process.as_str().into(),
        supervisor.host.as_str().into(),
        supervisor.run.map_or(0, |run| run.0).into(),
        supervisor.log.as_deref().into(),
        supervisor.started_at.0.into(),
    ];
    tx.execute(PUT, &values).map(|_| ())
}

/// Deletes a supervisor that has exited.
pub fn delete(tx: &mut Transaction<'_>, process: &str) -> Result<(), Fault> {
    tx.execute(DROP, &[process.into()]).map(|_| ())
}

/// Lists all supervisors, including killed ones, oldest first.
pub fn list_all(tx: &mut Transaction<'_>) -> Result<Vec<Supervisor>, Fault> {
    tx.query_all(ALL, &[], supervisor_from_row)
}
