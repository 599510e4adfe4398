//! Checks that a store is intact and holds exactly the effects of the applied commands.

use std::collections::HashMap;

use orch_store::driver::SqlRow;
use orch_store::{Fault, Statement, Transaction, invariant};
use serde_json::Value;

use super::command::CommandEffect;
use super::ledger::{CommandLedger, RecordedCommand, command_text};
use super::snapshot;
use crate::program::{ProgramReply, TestPrograms};

const SUBJECTS: Statement = Statement::new("SELECT subject FROM thread");
const BODIES: Statement = Statement::new("SELECT substr(body, 1, 40) FROM message WHERE kind != 'late'");
const RUNS: Statement = Statement::new("SELECT title FROM run");
const TASKS: Statement = Statement::new("SELECT title FROM task");
const REASONS: Statement = Statement::new("SELECT data ->> 'reason' FROM event WHERE kind = 'recalled'");
const TOKENS: Statement = Statement::new("SELECT count(*) FROM lease_token");
const ATTEMPTS: Statement = Statement::new("SELECT count(*) FROM attempt");

/// `orch request show` is run for one command out of this many.
const ENTRIES_PER_SHOW: usize = 25;

/// Checks that the store opens without a repair, its file is intact, and every law holds.
pub(super) fn check_soundness(programs: &TestPrograms) -> Result<(), String> {
    let mut store =
        snapshot::open_store(programs).map_err(|fault| format!("the store does not open: {fault:?}"))?;
    let defects = store.check_integrity().map_err(|fault| format!("{fault:?}"))?;
    if !defects.is_empty() {
        return Err(format!("the file is damaged: {defects:?}"));
    }
    let breaches: Result<_, Fault> = store.read(invariant::find_violations);
    match breaches {
        Ok(breaches) if breaches.is_empty() => Ok(()),
        Ok(breaches) => Err(format!("laws are broken: {breaches:#?}")),
        Err(fault) => Err(format!("the laws cannot be asked: {fault:?}")),
    }
}

/// The effects of commands found in the store, counted by marker.
struct StoreTraces {
    subjects: HashMap<String, usize>,
    bodies: HashMap<String, usize>,
    runs: HashMap<String, usize>,
    tasks: HashMap<String, usize>,
    reasons: HashMap<String, usize>,
    tokens: usize,
    attempts: usize,
}

impl StoreTraces {
    fn read_traces(tx: &mut Transaction<'_>) -> Result<Self, Fault> {
        let mut by_marker = |statement| -> Result<HashMap<String, usize>, Fault> {
            let mut counts = HashMap::new();
            for text in
                tx.query_all(statement, &[], |row: &dyn SqlRow| row.text_or_null(0))?.into_iter().flatten()
            {
                let marker = text.split(' ').next().unwrap_or_default().to_owned();
                *counts.entry(marker).or_default() += 1;
            }
            Ok(counts)
        };
        let (subjects, bodies) = (by_marker(SUBJECTS)?, by_marker(BODIES)?);
        let (runs, tasks, reasons) = (by_marker(RUNS)?, by_marker(TASKS)?, by_marker(REASONS)?);
        let count = |number: i64| usize::try_from(number).unwrap_or_default();
        let tokens = count(tx.query_number(TOKENS, &[])?);
        let attempts = count(tx.query_number(ATTEMPTS, &[])?);
        Ok(Self { subjects, bodies, runs, tasks, reasons, tokens, attempts })
    }
}

/// Checks that every command that reported `ok` was applied, that every other one was applied completely or
/// not at all, and that none was applied twice.
pub(super) fn check_commands(programs: &TestPrograms, ledger: &CommandLedger) -> Result<(), String> {
    let mut store = snapshot::open_store(programs).map_err(|fault| format!("{fault:?}"))?;
    let traces: Result<_, Fault> = store.read(StoreTraces::read_traces);
    let traces = traces.map_err(|fault| format!("{fault:?}"))?;
    let mut session = programs.open_session();
    let (mut tokens, mut attempts) = (0, 0);
    for index in 0..ledger.entries.len() {
        let entry = &ledger.entries[index];
        let recorded = ledger.recorded_reply(index, &mut session)?;
        check_receipt(entry, recorded.as_ref())?;
        check_one_effect(entry, recorded.is_some(), &traces)?;
        if index % ENTRIES_PER_SHOW == 0 {
            check_request_show(programs, entry, recorded.is_some())?;
        }
        match (&entry.order.effect, &recorded) {
            (CommandEffect::Token, Some(_)) => tokens += 1,
            (CommandEffect::Attempts, Some(answer)) => {
                attempts += answer["dispatched"].as_array().map_or(1, Vec::len);
            }
            _ => {}
        }
    }
    if (tokens, attempts) != (traces.tokens, traces.attempts) {
        return Err(format!(
            "applied claims gave {tokens} tokens and there are {}; applied dispatches made {attempts} attempts and there are {}",
            traces.tokens, traces.attempts
        ));
    }
    Ok(())
}

/// Checks that `orch request show` reports the recorded outcome.
fn check_request_show(programs: &TestPrograms, entry: &RecordedCommand, applied: bool) -> Result<(), String> {
    let Some(key) = &entry.order.request else { return Ok(()) };
    let ended = programs.run_command(&["orch", "request", "show", key]);
    let fits = match ended.program_reply() {
        ProgramReply::Ok { data, .. } => applied && data["request"]["applied"] == true,
        ProgramReply::Refused { code, .. } => !applied && code == "request_not_found",
        ProgramReply::Nothing | ProgramReply::Unparsable(_) => false,
    };
    if fits { Ok(()) } else { Err(format!("{key} applied: {applied}; orch request show: {ended}")) }
}

/// Checks that the receipt of a command that reported `ok` holds the answer it printed.
fn check_receipt(entry: &RecordedCommand, recorded: Option<&Value>) -> Result<(), String> {
    let Some(mut said) = entry.answer.clone().filter(|_| entry.order.request.is_some()) else {
        return Ok(());
    };
    if entry.order.effect == CommandEffect::Token {
        // The receipt does not store the secret.
        said["lease"]["token"] = Value::Null;
    }
    match recorded {
        Some(recorded) if *recorded == said => Ok(()),
        other => Err(format!("{}\n  said {said}\n  recorded {other:?}", command_text(&entry.order.words))),
    }
}

/// Checks that a change and its receipt exist together, once, or not at all.
fn check_one_effect(entry: &RecordedCommand, applied: bool, traces: &StoreTraces) -> Result<(), String> {
    let marker = &entry.order.marker;
    let count = |traces: &HashMap<String, usize>| traces.get(marker).copied().unwrap_or_default();
    let expected = usize::from(applied);
    let (found, expected) = match &entry.order.effect {
        CommandEffect::Receipt | CommandEffect::Token | CommandEffect::Attempts => return Ok(()),
        CommandEffect::Thread if count(&traces.bodies) != expected => (count(&traces.bodies), expected),
        CommandEffect::Thread => (count(&traces.subjects), expected),
        CommandEffect::MessageOrNothing if count(&traces.bodies) == 0 => return Ok(()),
        CommandEffect::Message | CommandEffect::MessageOrNothing => (count(&traces.bodies), expected),
        CommandEffect::Run => (count(&traces.runs), expected),
        CommandEffect::Tasks(tasks) => (count(&traces.tasks), tasks * expected),
        CommandEffect::Reason => (count(&traces.reasons), expected),
    };
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "{}\n  applied: {applied}, so {expected} of its effects are expected, but {found} were found",
        command_text(&entry.order.words)
    ))
}
