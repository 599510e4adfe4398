//! Changes of a run's dependency graph: keys, counters, ranks and the refusal of cycles.

use std::collections::{BTreeMap, HashMap, VecDeque};

use orch_core::dependency::{CounterDelta, may_close_cycle, rank_before};
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{Slug, TaskId, TaskName};
use orch_core::refusal::Refusal;
use orch_core::run::Run;
use orch_core::run::decide::require_checkable;
use orch_core::task::{NewTask, Task, TaskReadiness, TaskState, decide, dedupe_labels};
use orch_store::Transaction;
use orch_store::table::{dependency, task};

use crate::lookup;
use crate::unit_of_work::UnitOfWork;
use orch_inbox::Error;

/// Adds one task with its dependencies.
pub(crate) fn add_task(unit: &mut UnitOfWork<'_, '_>, run: &Run, new: &NewTask) -> Result<Task, Error> {
    orch_core::run::decide::require_not_cancelled(run)?;
    let key = match &new.key {
        Some(key) => key.clone(),
        None => next_free_keys(unit, run, 1, |_| false)?.remove(0),
    };
    let name = TaskName { run: run.name.clone(), key: key.clone() };
    let existing = load_named(unit.tx, run, std::iter::once(&key).chain(&new.after))?;
    if existing.contains_key(&key) {
        return Err(Refusal::TaskExists { task: name }.into());
    }
    let on = resolve_dependencies(run, &name, &new.after, &existing)?;
    let mut delta = CounterDelta::default();
    for dependency in &on {
        let one = CounterDelta::for_new_dependency(dependency.state);
        delta = CounterDelta { unmet: delta.unmet + one.unmet, broken: delta.broken + one.broken };
    }
    let (unmet, broken) = delta.apply(0, 0);
    let id = insert_task(unit, run, &key, new, GraphPlacement { unmet, broken, rank: 0 })?;
    if !on.is_empty() {
        let ids: Vec<TaskId> = on.iter().map(|dependency| dependency.id).collect();
        dependency::insert_many(unit.tx, id, &ids)?;
        raise_ranks(unit.tx, ids.into_iter().map(|id| (id, rank_before(0))))?;
    }
    lookup::load_task(unit.tx, id)
}

/// Loads the tasks of a run that have one of these keys, by key.
pub(crate) fn load_named<'a>(
    tx: &mut Transaction<'_>,
    run: &Run,
    keys: impl Iterator<Item = &'a Slug>,
) -> Result<HashMap<Slug, Task>, Error> {
    if run.counts.total() == 0 {
        return Ok(HashMap::new());
    }
    let keys: Vec<&Slug> = keys.collect();
    let tasks = task::load_by_keys(tx, run.id, &keys)?;
    Ok(tasks.into_iter().map(|task| (task.name.key.clone(), task)).collect())
}

/// The position of a new task in the graph.
#[derive(Clone, Copy)]
pub(crate) struct GraphPlacement {
    pub unmet: u32,
    pub broken: u32,
    pub rank: u32,
}

impl GraphPlacement {
    /// Returns the initial state of the task.
    pub(crate) fn initial_state(self) -> TaskState {
        TaskReadiness::from_counters(self.unmet, self.broken).task_state()
    }
}

/// Inserts a task, counts it and appends its event; the caller inserts its edges.
pub(crate) fn insert_task(
    unit: &mut UnitOfWork<'_, '_>,
    run: &Run,
    key: &Slug,
    new: &NewTask,
    placement: GraphPlacement,
) -> Result<TaskId, Error> {
    require_checkable(run, &new.text.verify)?;
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
    let id = task::insert(unit.tx, row, unit.now)?;
    unit.count_new_task(run.id, state)?;
    let about = EventSubject { run: Some(run.id), task: Some(id), ..EventSubject::default() };
    unit.append_event(EventKind::TaskAdded, about, None, vec![("to", state.name().into())])?;
    Ok(id)
}

/// Returns the next free keys of the form `t1`, `t2`, … that are not reserved.
pub(crate) fn next_free_keys(
    unit: &mut UnitOfWork<'_, '_>,
    run: &Run,
    count: usize,
    is_reserved: impl Fn(&Slug) -> bool,
) -> Result<Vec<Slug>, Error> {
    let mut keys = Vec::with_capacity(count);
    while keys.len() < count {
        let missing = u32::try_from(count - keys.len()).unwrap_or(u32::MAX);
        let cached = unit.load_run(run.id)?;
        let first = cached.keys_made;
        cached.keys_made = first.saturating_add(missing);
        let last = cached.keys_made;
        let candidates: Vec<Slug> =
            (first + 1..=last).map(|number| Slug::from_stored(format!("t{number}"))).collect();
        let taken = load_named(unit.tx, run, candidates.iter())?;
        keys.extend(candidates.into_iter().filter(|key| !taken.contains_key(key) && !is_reserved(key)));
    }
    Ok(keys)
}

/// Resolves the dependencies of a task: each exists, none is the task itself, and none is named twice.
fn resolve_dependencies(
    run: &Run,
    name: &TaskName,
    keys: &[Slug],
    existing: &HashMap<Slug, Task>,
) -> Result<Vec<Task>, Error> {
    let mut found: Vec<Task> = Vec::with_capacity(keys.len());
    for key in keys {
        if *key == name.key {
            let path = vec![key.clone(), key.clone()];
            return Err(Refusal::DependencyCycle { run: None, path }.into());
        }
        let task = TaskName { run: run.name.clone(), key: key.clone() };
        let on = existing.get(key).ok_or(Refusal::TaskNotFound { task })?;
        if found.iter().any(|other| other.id == on.id) {
            return Err(Refusal::DependencyExists { task: name.clone(), on: on.name.clone() }.into());
        }
        found.push(on.clone());
    }
    Ok(found)
}

/// Adds dependencies between existing tasks.
pub(crate) fn add_edges(
    unit: &mut UnitOfWork<'_, '_>,
    id: TaskId,
    run: &Run,
    on: &[Slug],
) -> Result<Task, Error> {
    orch_core::run::decide::require_not_cancelled(run)?;
    let mut task = unit.load_task(id)?;
    decide::require_rewirable(&task)?;
    let existing = load_named(unit.tx, run, on.iter())?;
    let present = dependency::dependency_keys(unit.tx, id)?;
    for other in resolve_dependencies(run, &task.name.clone(), on, &existing)? {
        if present.contains(&other.name.key) {
            return Err(Refusal::DependencyExists { task: task.name, on: other.name }.into());
        }
        // An edge before this one may have raised the rank.
        let other = unit.load_task(other.id)?;
        refuse_cycle(unit.tx, &task, &other)?;
        dependency::insert_many(unit.tx, task.id, &[other.id])?;
        raise_ranks(unit.tx, [(other.id, rank_before(task.rank))])?;
        let delta = CounterDelta::for_new_dependency(other.state);
        task = unit.adjust_dependency_counters(&task, delta, EventKind::DependencyAdded, &other.name.key)?;
    }
    Ok(task)
}

/// Removes a dependency.
pub(crate) fn remove_edge(
    unit: &mut UnitOfWork<'_, '_>,
    id: TaskId,
    run: &Run,
    on: &Slug,
) -> Result<Task, Error> {
    orch_core::run::decide::require_not_cancelled(run)?;
    let task = unit.load_task(id)?;
    let other = lookup::find_task_in_run(unit.tx, run, on)?;
    if !dependency::exists(unit.tx, task.id, other.id)? {
        return Err(Refusal::DependencyNotFound { task: task.name, on: other.name }.into());
    }
    decide::require_rewirable(&task)?;
    dependency::delete(unit.tx, task.id, other.id)?;
    lower_rank(unit.tx, other.id)?;
    let delta = CounterDelta::for_new_dependency(other.state).reversed();
    unit.adjust_dependency_counters(&task, delta, EventKind::DependencyRemoved, &other.name.key)
}

/// Refuses a dependency that would close a cycle.
///
/// Searches the dependents of `task` breadth first, as far as their ranks allow `on` behind them.
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

/// Returns the cycle that an edge from `task` to `on` would close: each task depends on the next.
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
    Ok(lookup::load_task(tx, id)?.name.key)
}

/// Raises the ranks of some tasks, and of their transitive dependencies, where they are too low.
pub(crate) fn raise_ranks(
    tx: &mut Transaction<'_>,
    ranks: impl IntoIterator<Item = (TaskId, u32)>,
) -> Result<(), Error> {
    let mut level: BTreeMap<TaskId, u32> = BTreeMap::new();
    for (id, at_least) in ranks {
        let rank = level.entry(id).or_default();
        *rank = at_least.max(*rank);
    }
    while !level.is_empty() {
        let low: Vec<(TaskId, u32)> = task::load_many(tx, &level.keys().copied().collect::<Vec<_>>())?
            .into_iter()
            .filter_map(|task| {
                level.get(&task.id).filter(|at_least| task.rank < **at_least).map(|at| (task.id, *at))
            })
            .collect();
        level.clear();
        for (id, at_least) in low {
            task::set_rank(tx, id, at_least)?;
            let needed = rank_before(at_least);
            for (on, rank) in dependency::ranked_dependencies(tx, id)? {
                if rank < needed {
                    let raised = level.entry(on).or_default();
                    *raised = needed.max(*raised);
                }
            }
        }
    }
    Ok(())
}

/// Lowers a task's rank to what its dependents require, and those of its transitive dependencies.
fn lower_rank(tx: &mut Transaction<'_>, id: TaskId) -> Result<(), Error> {
    let mut queue = VecDeque::from([id]);
    while let Some(id) = queue.pop_front() {
        let task = lookup::load_task(tx, id)?;
        let rank = dependency::longest_dependent(tx, id)?.map_or(0, rank_before);
        if rank < task.rank {
            task::set_rank(tx, id, rank)?;
            queue.extend(dependency::ranked_dependencies(tx, id)?.into_iter().map(|(on, _)| on));
        }
    }
    Ok(())
}
