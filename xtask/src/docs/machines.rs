//! docs/state-machines.md: every machine as a diagram, a list of its moves, and the full table of state × event.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use orch_core::attempt::state as attempt;
use orch_core::run::state as run;
use orch_core::task::state as task;
use orch_core::thread::state as thread;

use super::GeneratedPage;

/// One machine, seen from outside: what it does is asked, never repeated here.
struct StateMachine {
    name: &'static str,
    about: &'static str,
    source: &'static str,
    states: Vec<&'static str>,
    /// The initial state.
    initial: Vec<&'static str>,
    /// The final states.
    last: Vec<&'static str>,
    events: Vec<&'static str>,
    /// The next state for each state and event, both in the order above.
    moves: Vec<Vec<Option<&'static str>>>,
}

/// Makes the document.
pub(super) fn machines_page() -> GeneratedPage {
    let mut text = String::from(HEAD);
    for machine in [thread_machine(), task_machine(), attempt_machine(), run_machine()] {
        text.push_str(&machine_section(&machine));
    }
    GeneratedPage { path: "docs/state-machines.md".to_owned(), text }
}

const HEAD: &str = "# State machines

<!-- Made by `cargo xtask docs` from the `next` functions of orch-core; do not edit. -->

Each machine is one function from a state and an event to the next state, or to a refusal that names both.
Every pair is decided: a dot in a table means that the event is refused there.
How a task follows the thread of its attempt is told in [ARCHITECTURE.md](../ARCHITECTURE.md).
";

fn thread_machine() -> StateMachine {
    let states = thread::ThreadStatus::ALL;
    StateMachine {
        name: "Thread",
        about: "A work item in the inbox. Closed states are final: a new try is a new thread.",
        source: "crates/orch-core/src/thread/state.rs",
        states: states.map(thread::ThreadStatus::name).to_vec(),
        initial: vec![thread::ThreadStatus::Queued.name()],
        last: state_names(&states, thread::ThreadStatus::is_closed, thread::ThreadStatus::name),
        events: thread::ThreadEvent::ALL.map(thread::ThreadEvent::name).to_vec(),
        moves: transition_table(&states, &thread::ThreadEvent::ALL, |state, event| {
            thread::next_thread_status(state, event).ok().map(thread::ThreadStatus::name)
        }),
    }
}

fn task_machine() -> StateMachine {
    let states = task::TaskState::ALL;
    StateMachine {
        name: "Task",
        about: "A unit of work in a run. `wait`, `become ready` and `skip` come from its dependencies alone.",
        source: "crates/orch-core/src/task/state.rs",
        states: states.map(task::TaskState::name).to_vec(),
        initial: [task::TaskReadiness::Waiting, task::TaskReadiness::Ready, task::TaskReadiness::Skipped]
            .map(|standing| standing.task_state().name())
            .to_vec(),
        last: state_names(&states, task::TaskState::is_finished, task::TaskState::name),
        events: task::TaskEvent::ALL.map(task::TaskEvent::name).to_vec(),
        moves: transition_table(&states, &task::TaskEvent::ALL, |state, event| {
            task::next_task_state(state, event).ok().map(task::TaskState::name)
        }),
    }
}

fn attempt_machine() -> StateMachine {
    let states = attempt::AttemptState::ALL;
    StateMachine {
        name: "Attempt",
        about: "One try at a task. An ended attempt never moves again; attempt numbers are never reused.",
        source: "crates/orch-core/src/attempt/state.rs",
        states: states.map(attempt::AttemptState::name).to_vec(),
        initial: vec![attempt::AttemptState::Preparing.name(), attempt::AttemptState::Dispatched.name()],
        last: state_names(&states, |state| !state.is_live(), attempt::AttemptState::name),
        events: attempt::AttemptEvent::ALL.map(attempt::AttemptEvent::name).to_vec(),
        moves: transition_table(&states, &attempt::AttemptEvent::ALL, |state, event| {
            attempt::next_attempt_state(state, event).ok().map(attempt::AttemptState::name)
        }),
    }
}

fn run_machine() -> StateMachine {
    let states = run::RunStatus::ALL;
    StateMachine {
        name: "Run",
        about: "One goal. Repeating pause, resume or cancel stays where it is; a finished run opens again when it gets work.",
        source: "crates/orch-core/src/run/state.rs",
        states: states.map(run::RunStatus::name).to_vec(),
        initial: vec![run::RunStatus::Open.name()],
        last: state_names(&states, |state| !state.is_unfinished(), run::RunStatus::name),
        events: run::RunEvent::ALL.map(run::RunEvent::name).to_vec(),
        moves: transition_table(&states, &run::RunEvent::ALL, |state, event| {
            run::next_run_status(state, event).ok().map(run::RunStatus::name)
        }),
    }
}

/// The names of the states for which this holds.
fn state_names<S: Copy>(
    states: &[S],
    holds: impl Fn(S) -> bool,
    name: impl Fn(S) -> &'static str,
) -> Vec<&'static str> {
    states.iter().copied().filter(|state| holds(*state)).map(name).collect()
}

/// Asks the machine about every pair.
fn transition_table<S: Copy, E: Copy>(
    states: &[S],
    events: &[E],
    next: impl Fn(S, E) -> Option<&'static str>,
) -> Vec<Vec<Option<&'static str>>> {
    states.iter().map(|state| events.iter().map(|event| next(*state, *event)).collect()).collect()
}

impl StateMachine {
    /// The events that lead from one state to another, for each such pair, in the order of the states.
    fn grouped_transitions(&self) -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
        let mut arrows = Vec::new();
        for (from, row) in self.states.iter().zip(&self.moves) {
            let mut by_target: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
            for (event, to) in self.events.iter().zip(row) {
                let place = to.and_then(|to| self.states.iter().position(|state| *state == to));
                if let Some(place) = place {
                    by_target.entry(place).or_default().push(event);
                }
            }
            arrows.extend(by_target.into_iter().map(|(place, events)| (*from, self.states[place], events)));
        }
        arrows
    }
}

fn machine_section(machine: &StateMachine) -> String {
    let mut text = String::new();
    let (name, about, source) = (machine.name, machine.about, machine.source);
    let about = about.replace(". ", ".\n").replace("; ", ";\n");
    let _ = write!(
        text,
        "\n## {name}\n\n{about}\nSource: [{source}](../{source}).\n\n```mermaid\nstateDiagram-v2\n"
    );
    for state in &machine.initial {
        let _ = writeln!(text, "    [*] --> {state}");
    }
    for (from, to, events) in machine.grouped_transitions() {
        let _ = writeln!(text, "    {from} --> {to}: {}", events.join(", "));
    }
    for state in &machine.last {
        let _ = writeln!(text, "    {state} --> [*]");
    }
    text.push_str("```\n\n| from | event | to |\n| --- | --- | --- |\n");
    for (from, to, events) in machine.grouped_transitions() {
        let _ = writeln!(text, "| {from} | {} | {to} |", events.join(", "));
    }
    let columns = machine.states.join(" | ");
    let _ =
        write!(text, "\n| event \\ state | {columns} |\n|{}\n", " --- |".repeat(machine.states.len() + 1));
    for (place, event) in machine.events.iter().enumerate() {
        let cells: Vec<&str> = machine.moves.iter().map(|row| row[place].unwrap_or("·")).collect();
        let _ = writeln!(text, "| {event} | {} |", cells.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_written_once() {
        for machine in [thread_machine(), task_machine(), attempt_machine(), run_machine()] {
            let legal = machine.moves.iter().flatten().flatten().count();
            let told: usize = machine.grouped_transitions().iter().map(|(_, _, events)| events.len()).sum();
            assert_eq!(told, legal, "{}", machine.name);
            assert_eq!(machine.moves.len(), machine.states.len());
        }
    }
}
