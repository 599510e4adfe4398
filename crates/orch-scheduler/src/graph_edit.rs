//! Growing and rewiring a run's graph: keys, counters, ranks, and what keeps it acyclic.

use std::collections::{HashMap, VecDeque};

use orch_core::dependency::{Shift, may_close_cycle, rank_before};
use orch_core::event::{About, EventKind};
use orch_core::id::{Slug, TaskId, TaskName};
use orch_core::refusal::Refusal;
use orch_core::run::Run;
use orch_core::task::{NewTask, Standing, Task, TaskState, decide, distinct};
use orch_store::Transaction;
use orch_store::table::{dependency, task};

use super::scope;
use super::stage::Stage;
use orch_inbox::Error;

/// Adds one task with its dependencies.
pub(crate) fn add_task(stage: &mut Stage<'_, '_>, run: &Run, new: &NewTask) -> Result<Task, Error> {
    orch_core::run::decide::admits(run)?;
    let key = match &new.key {
        Some(key) => key.clone(),
        None => next_key(stage, run)?,
    };
    let name = TaskName { run: run.name.clone(), key: key.clone() };
    if task::id_by_key(stage.tx, run.id, &key)?.is_some() {
        return Err(Refusal::TaskExists { task: name }.into());
    }
    let on = resolve(stage.tx, run, &name, &new.after)?;
    let mut shift = Shift::default();
    for dependency in &on {
        let one = Shift::to(dependency.state);
        shift = Shift { unmet: shift.unmet + one.unmet, broken: shift.broken + one.broken };
    }
    let (unmet, broken) = shift.apply(0, 0);
    let id = insert(stage, run, &key, new, Placement { unmet, broken, rank: 0 })?;
    for dependency in &on {
        dependency::insert(stage.tx, id, dependency.id)?;
        raise_rank(stage.tx, dependency.id, rank_before(0))?;
    }
    task::load(stage.tx, id)?.ok_or_else(|| scope::missing("task", id.0))
}

/// Where a new task stands in its graph.
#[derive(Clone, Copy)]
pub(crate) struct Placement {
    pub unmet: u32,
    pub broken: u32,
    pub rank: u32,
}

impl Placement {
    /// The state that a new task begins in.
    pub(crate) fn state(self) -> TaskState {
        Standing::of(self.unmet, self.broken).state()
    }
}

/// Writes a new task, counts it and tells it; its edges are the caller's.
pub(crate) fn insert(
    stage: &mut Stage<'_, '_>,
    run: &Run,
    key: &Slug,
    new: &NewTask,
    placement: Placement,
) -> Result<TaskId, Error> {
    let Placement { unmet, broken, rank } = placement;
    let state = placement.state();
    let labels = distinct(&new.labels);
    let row = task::NewRow {
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
    stage.count_new(run.id, state)?;
    let about = About { run: Some(run.id), task: Some(id), ..About::default() };
    stage.tell(EventKind::TaskAdded, about, None, vec![("to", state.name().into())])?;
    Ok(id)
}

/// The next free key of the form `t1`, `t2`, ….
pub(crate) fn next_key(stage: &mut Stage<'_, '_>, run: &Run) -> Result<Slug, Error> {
    loop {
        let held = stage.run(run.id)?;
        held.keys_made = held.keys_made.saturating_add(1);
        let key = Slug::stored(format!("t{}", held.keys_made));
        if task::id_by_key(stage.tx, run.id, &key)?.is_none() {
            return Ok(key);
        }
    }
}

/// The tasks that a task is to wait for: each is there, none is itself, none comes twice.
fn resolve(tx: &mut Transaction<'_>, run: &Run, name: &TaskName, keys: &[Slug]) -> Result<Vec<Task>, Error> {
    let mut found: Vec<Task> = Vec::with_capacity(keys.len());
    for key in keys {
        if *key == name.key {
            let path = vec![key.clone(), key.clone()];
            return Err(Refusal::DependencyCycle { run: None, path }.into());
        }
        let on = scope::task_in(tx, run, key)?;
        if found.iter().any(|other| other.id == on.id) {
            return Err(Refusal::DependencyExists { task: name.clone(), on: on.name }.into());
        }
        found.push(on);
    }
    Ok(found)
}

/// Makes a task that is there wait for others that are there.
pub(crate) fn add_edges(
    stage: &mut Stage<'_, '_>,
    id: TaskId,
    run: &Run,
    on: &[Slug],
) -> Result<Task, Error> {
    orch_core::run::decide::admits(run)?;
    let mut task = task::load(stage.tx, id)?.ok_or_else(|| scope::missing("task", id.0))?;
    decide::rewire(&task)?;
    for other in resolve(stage.tx, run, &task.name.clone(), on)? {
        if dependency::exists(stage.tx, task.id, other.id)? {
            return Err(Refusal::DependencyExists { task: task.name, on: other.name }.into());
        }
        forbid_cycle(stage.tx, &task, &other)?;
        dependency::insert(stage.tx, task.id, other.id)?;
        raise_rank(stage.tx, other.id, rank_before(task.rank))?;
        let shift = Shift::to(other.state);
        task = stage.shift_counters(&task, shift, EventKind::DependencyAdded, &other.name.key)?;
    }
    Ok(task)
}

/// Lets a task no longer wait for another.
pub(crate) fn remove_edge(
    stage: &mut Stage<'_, '_>,
    id: TaskId,
    run: &Run,
    on: &Slug,
) -> Result<Task, Error> {
    orch_core::run::decide::admits(run)?;
    let task = task::load(stage.tx, id)?.ok_or_else(|| scope::missing("task", id.0))?;
    let other = scope::task_in(stage.tx, run, on)?;
    if !dependency::exists(stage.tx, task.id, other.id)? {
        return Err(Refusal::DependencyNotFound { task: task.name, on: other.name }.into());
    }
    decide::rewire(&task)?;
    dependency::delete(stage.tx, task.id, other.id)?;
    lower_rank(stage.tx, other.id)?;
    let shift = Shift::to(other.state).reversed();
    stage.shift_counters(&task, shift, EventKind::DependencyRemoved, &other.name.key)
}

/// Refuses an edge that would close a cycle, with the cycle.
///
/// Searches what waits for `task`, breadth first, and only where the ranks leave room for `on` behind it.
fn forbid_cycle(tx: &mut Transaction<'_>, task: &Task, on: &Task) -> Result<(), Error> {
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
                let (run, path) = (Some(task.name.run.clone()), cycle(tx, task, on, &came_from)?);
                return Err(Refusal::DependencyCycle { run, path }.into());
            }
            queue.push_back(dependent);
        }
    }
    Ok(())
}

/// The cycle that an edge from `task` to `on` would close: each waits for the next.
fn cycle(
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
    Ok(task::load(tx, id)?.ok_or_else(|| scope::missing("task", id.0))?.name.key)
}

/// Raises a task's rank, and the ranks of what it waits for, as far as they are too low.
pub(crate) fn raise_rank(tx: &mut Transaction<'_>, id: TaskId, at_least: u32) -> Result<(), Error> {
    let mut queue = VecDeque::from([(id, at_least)]);
    while let Some((id, at_least)) = queue.pop_front() {
        let task = task::load(tx, id)?.ok_or_else(|| scope::missing("task", id.0))?;
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
        let task = task::load(tx, id)?.ok_or_else(|| scope::missing("task", id.0))?;
        let rank = dependency::longest_dependent(tx, id)?.map_or(0, rank_before);
        if rank < task.rank {
            task::set_rank(tx, id, rank)?;
            queue.extend(dependency::ranked_dependencies(tx, id)?.into_iter().map(|(on, _)| on));
        }
    }
    Ok(())
}
