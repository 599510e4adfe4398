//! Whether a store is sound, and holds exactly what was said to be in it.

use std::collections::HashMap;

use orch_store::driver::Row;
use orch_store::{Fault, Statement, Transaction, invariant};
use serde_json::Value;

use super::ledger::{Entry, Ledger, shown};
use super::order::Effect;
use super::world;
use crate::program::{Programs, Said};

const SUBJECTS: Statement = Statement::new("SELECT subject FROM thread");
const BODIES: Statement = Statement::new("SELECT substr(body, 1, 40) FROM message WHERE kind != 'late'");
const RUNS: Statement = Statement::new("SELECT title FROM run");
const TASKS: Statement = Statement::new("SELECT title FROM task");
const REASONS: Statement = Statement::new("SELECT data ->> 'reason' FROM event WHERE kind = 'recalled'");
const TOKENS: Statement = Statement::new("SELECT count(*) FROM lease_token");
const ATTEMPTS: Statement = Statement::new("SELECT count(*) FROM attempt");

/// How many commands lie between two that `orch request show` is asked about.
const ENTRIES_PER_SHOW: usize = 25;

/// The store opens without help, its file is sound, and every law holds.
pub(super) fn sound(programs: &Programs) -> Result<(), String> {
    let mut store = world::open(programs).map_err(|fault| format!("the store does not open: {fault:?}"))?;
    let defects = store.integrity().map_err(|fault| format!("{fault:?}"))?;
    if !defects.is_empty() {
        return Err(format!("the file is damaged: {defects:?}"));
    }
    let breaches: Result<_, Fault> = store.read(invariant::breaches);
    match breaches {
        Ok(breaches) if breaches.is_empty() => Ok(()),
        Ok(breaches) => Err(format!("laws are broken: {breaches:#?}")),
        Err(fault) => Err(format!("the laws cannot be asked: {fault:?}")),
    }
}

/// What the commands left in the store, by marker.
struct Traces {
    subjects: HashMap<String, usize>,
    bodies: HashMap<String, usize>,
    runs: HashMap<String, usize>,
    tasks: HashMap<String, usize>,
    reasons: HashMap<String, usize>,
    tokens: usize,
    attempts: usize,
}

impl Traces {
    fn of(tx: &mut Transaction<'_>) -> Result<Self, Fault> {
        let mut by_marker = |statement| -> Result<HashMap<String, usize>, Fault> {
            let mut counts = HashMap::new();
            for text in tx.all(statement, &[], |row: &dyn Row| row.text_or_null(0))?.into_iter().flatten() {
                let marker = text.split(' ').next().unwrap_or_default().to_owned();
                *counts.entry(marker).or_default() += 1;
            }
            Ok(counts)
        };
        let (subjects, bodies) = (by_marker(SUBJECTS)?, by_marker(BODIES)?);
        let (runs, tasks, reasons) = (by_marker(RUNS)?, by_marker(TASKS)?, by_marker(REASONS)?);
        let count = |number: i64| usize::try_from(number).unwrap_or_default();
        let tokens = count(tx.number(TOKENS, &[])?);
        let attempts = count(tx.number(ATTEMPTS, &[])?);
        Ok(Self { subjects, bodies, runs, tasks, reasons, tokens, attempts })
    }
}

/// Every command that said `ok` is there, every other one is there wholly or not at all, and none is there twice.
pub(super) fn kept(programs: &Programs, ledger: &Ledger) -> Result<(), String> {
    let mut store = world::open(programs).map_err(|fault| format!("{fault:?}"))?;
    let traces: Result<_, Fault> = store.read(Traces::of);
    let traces = traces.map_err(|fault| format!("{fault:?}"))?;
    let mut session = programs.session();
    let (mut tokens, mut attempts) = (0, 0);
    for index in 0..ledger.entries.len() {
        let entry = &ledger.entries[index];
        let recorded = ledger.applied(index, &mut session)?;
        said_and_recorded(entry, recorded.as_ref())?;
        one_effect(entry, recorded.is_some(), &traces)?;
        if index % ENTRIES_PER_SHOW == 0 {
            shown_by_the_program(programs, entry, recorded.is_some())?;
        }
        match (&entry.order.effect, &recorded) {
            (Effect::Token, Some(_)) => tokens += 1,
            (Effect::Attempts, Some(answer)) => {
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

/// Who asks the program is told the same.
fn shown_by_the_program(programs: &Programs, entry: &Entry, applied: bool) -> Result<(), String> {
    let Some(key) = &entry.order.request else { return Ok(()) };
    let ended = programs.run(&["orch", "request", "show", key]);
    let fits = match ended.said() {
        Said::Ok { data, .. } => applied && data["request"]["applied"] == true,
        Said::Refused { code, .. } => !applied && code == "request_not_found",
        Said::Nothing | Said::Nonsense(_) => false,
    };
    if fits { Ok(()) } else { Err(format!("{key} applied: {applied}; orch request show: {ended}")) }
}

/// What said `ok` has a receipt with that very answer.
fn said_and_recorded(entry: &Entry, recorded: Option<&Value>) -> Result<(), String> {
    let Some(mut said) = entry.answer.clone().filter(|_| entry.order.request.is_some()) else {
        return Ok(());
    };
    if entry.order.effect == Effect::Token {
        // A secret that the record leaves out.
        said["lease"]["token"] = Value::Null;
    }
    match recorded {
        Some(recorded) if *recorded == said => Ok(()),
        other => Err(format!("{}\n  said {said}\n  recorded {other:?}", shown(&entry.order.words))),
    }
}

/// The change and its receipt are there together, once, or neither is.
fn one_effect(entry: &Entry, applied: bool, traces: &Traces) -> Result<(), String> {
    let marker = &entry.order.marker;
    let count = |traces: &HashMap<String, usize>| traces.get(marker).copied().unwrap_or_default();
    let expected = usize::from(applied);
    let (found, expected) = match &entry.order.effect {
        Effect::Receipt | Effect::Token | Effect::Attempts => return Ok(()),
        Effect::Thread if count(&traces.bodies) != expected => (count(&traces.bodies), expected),
        Effect::Thread => (count(&traces.subjects), expected),
        Effect::MessageOrNothing if count(&traces.bodies) == 0 => return Ok(()),
        Effect::Message | Effect::MessageOrNothing => (count(&traces.bodies), expected),
        Effect::Run => (count(&traces.runs), expected),
        Effect::Tasks(tasks) => (count(&traces.tasks), tasks * expected),
        Effect::Reason => (count(&traces.reasons), expected),
    };
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "{}\n  applied: {applied}, so {expected} of its effects should be there; there are {found}",
        shown(&entry.order.words)
    ))
}
