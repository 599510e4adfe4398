//! Growing and rewiring a run's graph: keys, counters, ranks, and what keeps it acyclic.

use std::collections::{HashMap, VecDeque};

use orch_core::dependency::{CounterDelta, may_close_cycle, rank_before};
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{Slug, TaskId, TaskName};
use orch_core::refusal::Refusal;
use orch_core::run::Run;
use orch_core::task::{NewTask, Task, TaskReadiness, TaskState, decide, dedupe_labels};
use orch_store::Transaction;
use orch_store::table::{dependency, task};

use super::lookup;
use super::unit_of_work::UnitOfWork;
use orch_inbox::Error;

/// Adds one task with its dependencies.
pub(crate) fn add_task(stage: &mut UnitOfWork<'_, '_>, run: &Run, new: &NewTask) -> Result<Task, Error> {
    orch_core::run::decide::require_not_cancelled(run)?;
    let key = match &new.key {
        Some(key) => key.clone(),
        None => next_free_key(stage, run)?,
    };
    let name = TaskName { run: run.name.clone(), key: key.clone() };
    if task::id_by_key(stage.tx, run.id, &key)?.is_some() {
        return Err(Refusal::TaskExists { task: name }.into());
    }
    let on = resolve_dependencies(stage.tx, run, &name, &new.after)?;
    let mut shift = CounterDelta::default();
    for dependency in &on {
        let one = CounterDelta::for_new_dependency(dependency.state);
        shift = CounterDelta { unmet: shift.unmet + one.unmet, broken: shift.broken + one.broken };
    }
    let (unmet, broken) = shift.apply(0, 0);
    let id = insert_task(stage, run, &key, new, GraphPlacement { unmet, broken, rank: 0 })?;
    for dependency in &on {
        dependency::insert(stage.tx, id, dependency.id)?;
        raise_rank(stage.tx, dependency.id, rank_before(0))?;
    }
    task::load(stage.tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))
}

/// Where a new task stands in its graph.
#[derive(Clone, Copy)]
pub(crate) struct GraphPlacement {
    pub unmet: u32,
    pub broken: u32,
    pub rank: u32,
}

impl GraphPlacement {
    /// The state that a new task begins in.
    pub(crate) fn initial_state(self) -> TaskState {
        TaskReadiness::from_counters(self.unmet, self.broken).task_state()
    }
}

/// Writes a new task, counts it and tells it; its edges are the caller's.
pub(crate) fn insert_task(
    stage: &mut UnitOfWork<'_, '_>,
    run: &Run,
    key: &Slug,
    new: &NewTask,
    placement: GraphPlacement,
) -> Result<TaskId, Error> {
    let GraphPlacement { unmet, broken, rank } = placement;
    let state = placement.initial_state();
    let labels = dedupe_labels(&new.labels);
    let row = task::NewTaskRow {
        run: run.id,
        key,
        title: &new.title,
        priority: new.priority,
        labels: &labels,
        agent: new.agent.as_ref(),
        state,
        unmet,
        broken,
        rank,
        max_attempts: new.max_attempts,
        allow_empty: new.allow_empty,
        text: &new.text,
    };
    let id = task::insert(stage.tx, row, stage.now)?;
    stage.count_new_task(run.id, state)?;
    let about = EventSubject { run: Some(run.id), task: Some(id), ..EventSubject::default() };
    stage.append_event(EventKind::TaskAdded, about, None, vec![("to", state.name().into())])?;
    Ok(id)
}

/// The next free key of the form `t1`, `t2`, ….
pub(crate) fn next_free_key(stage: &mut UnitOfWork<'_, '_>, run: &Run) -> Result<Slug, Error> {
    loop {
        let held = stage.load_run(run.id)?;
        held.keys_made = held.keys_made.saturating_add(1);
        let key = Slug::from_stored(format!("t{}", held.keys_made));
        if task::id_by_key(stage.tx, run.id, &key)?.is_none() {
            return Ok(key);
        }
    }
}

/// The tasks that a task is to wait for: each is there, none is itself, none comes twice.
fn resolve_dependencies(
    tx: &mut Transaction<'_>,
    run: &Run,
    name: &TaskName,
    keys: &[Slug],
) -> Result<Vec<Task>, Error> {
    let mut found: Vec<Task> = Vec::with_capacity(keys.len());
    for key in keys {
        if *key == name.key {
            let path = vec![key.clone(), key.clone()];
            return Err(Refusal::DependencyCycle { run: None, path }.into());
        }
        let on = lookup::find_task_in_run(tx, run, key)?;
        if found.iter().any(|other| other.id == on.id) {
            return Err(Refusal::DependencyExists { task: name.clone(), on: on.name }.into());
        }
        found.push(on);
    }
    Ok(found)
}

/// Makes a task that is there wait for others that are there.
pub(crate) fn add_edges(
    stage: &mut UnitOfWork<'_, '_>,
    id: TaskId,
    run: &Run,
    on: &[Slug],
) -> Result<Task, Error> {
    orch_core::run::decide::require_not_cancelled(run)?;
    let mut task = task::load(stage.tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
    decide::require_rewirable(&task)?;
    for other in resolve_dependencies(stage.tx, run, &task.name.clone(), on)? {
        if dependency::exists(stage.tx, task.id, other.id)? {
            return Err(Refusal::DependencyExists { task: task.name, on: other.name }.into());
        }
        refuse_cycle(stage.tx, &task, &other)?;
        dependency::insert(stage.tx, task.id, other.id)?;
        raise_rank(stage.tx, other.id, rank_before(task.rank))?;
        let shift = CounterDelta::for_new_dependency(other.state);
        task = stage.adjust_dependency_counters(&task, shift, EventKind::DependencyAdded, &other.name.key)?;
    }
    Ok(task)
}

/// Lets a task no longer wait for another.
pub(crate) fn remove_edge(
    stage: &mut UnitOfWork<'_, '_>,
    id: TaskId,
    run: &Run,
    on: &Slug,
) -> Result<Task, Error> {
    orch_core::run::decide::require_not_cancelled(run)?;
    let task = task::load(stage.tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
    let other = lookup::find_task_in_run(stage.tx, run, on)?;
    if !dependency::exists(stage.tx, task.id, other.id)? {
        return Err(Refusal::DependencyNotFound { task: task.name, on: other.name }.into());
    }
    decide::require_rewirable(&task)?;
    dependency::delete(stage.tx, task.id, other.id)?;
    lower_rank(stage.tx, other.id)?;
    let shift = CounterDelta::for_new_dependency(other.state).reversed();
    stage.adjust_dependency_counters(&task, shift, EventKind::DependencyRemoved, &other.name.key)
}

/// Refuses an edge that would close a cycle, with the cycle.
///
/// Searches what waits for `task`, breadth first, and only where the ranks leave room for `on` behind it.
fn refuse_cycle(tx: &mut Transaction<'_>, task: &Task, on: &Task) -> Result<(), Error> {
    if !may_close_cycle(task.rank, on.rank) {
        return Ok(());
    }
    let mut came_from: HashMap<TaskId, TaskId> = HashMap::from([(task.id, task.id)]);
    let mut queue = VecDeque::from([task.id]);
    while let Some(at) = queue.pop_front() {
        for (dependent, rank) in dependency::ranked_dependents(tx, at)? {
            if rank < on.rank || came_from.contains_key(&dependent) {
                continue;
            }
            came_from.insert(dependent, at);
            if dependent == on.id {
                let (run, path) = (Some(task.name.run.clone()), cycle_path(tx, task, on, &came_from)?);
                return Err(Refusal::DependencyCycle { run, path }.into());
            }
            queue.push_back(dependent);
        }
    }
    Ok(())
}

/// The cycle that an edge from `task` to `on` would close: each waits for the next.
fn cycle_path(
    tx: &mut Transaction<'_>,
    task: &Task,
    on: &Task,
    came_from: &HashMap<TaskId, TaskId>,
) -> Result<Vec<Slug>, Error> {
    let mut path = vec![task.name.key.clone()];
    let mut at = on.id;
    while at != task.id {
        path.push(key_of(tx, at)?);
        at = came_from[&at];
    }
    path.push(task.name.key.clone());
    Ok(path)
}

fn key_of(tx: &mut Transaction<'_>, id: TaskId) -> Result<Slug, Error> {
    Ok(task::load(tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?.name.key)
}

/// Raises a task's rank, and the ranks of what it waits for, as far as they are too low.
pub(crate) fn raise_rank(tx: &mut Transaction<'_>, id: TaskId, at_least: u32) -> Result<(), Error> {
    let mut queue = VecDeque::from([(id, at_least)]);
    while let Some((id, at_least)) = queue.pop_front() {
        let task = task::load(tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
        if task.rank >= at_least {
            continue;
        }
        task::set_rank(tx, id, at_least)?;
        let needed = rank_before(at_least);
        let low = dependency::ranked_dependencies(tx, id)?.into_iter().filter(|(_, rank)| *rank < needed);
        queue.extend(low.map(|(on, _)| (on, needed)));
    }
    Ok(())
}

/// Lowers a task's rank to what its dependents ask for, and so on for what it waits for.
fn lower_rank(tx: &mut Transaction<'_>, id: TaskId) -> Result<(), Error> {
    let mut queue = VecDeque::from([id]);
    while let Some(id) = queue.pop_front() {
        let task = task::load(tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
        let rank = dependency::longest_dependent(tx, id)?.map_or(0, rank_before);
        if rank < task.rank {
            task::set_rank(tx, id, rank)?;
            queue.extend(dependency::ranked_dependencies(tx, id)?.into_iter().map(|(on, _)| on));
        }
    }
    Ok(())
}
