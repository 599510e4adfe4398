//! `orch task add --file`: adds a whole plan or nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use orch_core::dependency::{CounterDelta, rank_before};
use orch_core::graph::layout_graph;
use orch_core::id::{Slug, TaskId, TaskName};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::run::{DoneWhen, Run, RunEdit, decide as run_decide};
use orch_core::task::{NewTask, Task, TaskEdit, TaskState, TaskText, decide as task_decide, dedupe_labels};
use orch_store::table::{dependency, task};

use crate::graph_edit;
use crate::graph_edit::GraphPlacement;
use crate::operation::Operation;
use crate::run::apply_run_edit;
use crate::task::edit::apply_task_edit;
use crate::unit_of_work::UnitOfWork;
use crate::{TaskOverview, lookup};
use orch_inbox::{Error, Receipt, Response, Session};

/// A plan as it was read from a file.
#[derive(Clone, Debug, Default)]
pub struct TaskPlan {
    /// Changes of the run itself.
    pub run: RunEdit,
    /// The run's rule for done tasks, which must be the one that the run was created with.
    pub done_when: Option<DoneWhen>,
    /// The tasks in the order of the file; a key may be used before its own line.
    pub tasks: Vec<PlannedTask>,
    /// Whether existing tasks are changed; otherwise they are refused.
    pub update: bool,
    /// Whether the plan is only tried.
    pub dry_run: bool,
}

/// One task of a plan.
#[derive(Clone, Debug)]
pub struct PlannedTask {
    /// The task, if it is new.
    pub task: NewTask,
    /// The fields that the plan contains, for an existing task.
    pub named: TaskEdit,
    /// Whether the plan contains its dependencies, so that an update replaces them.
    pub names_after: bool,
    /// Its position in the file, from 1, for messages.
    pub line: u32,
}

/// The outcome of adding a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOutcome {
    /// How many tasks were added.
    pub added: u64,
    /// How many tasks were changed.
    pub changed: u64,
    /// How many dependencies were added.
    pub dependencies: u64,
    /// The length of the longest chain in the plan, in tasks.
    pub levels: u32,
    /// How many of the plan's tasks are ready.
    pub ready: u64,
    /// The first 20 tasks of the plan.
    pub tasks: Vec<TaskOverview>,
}

/// Adds a plan.
///
/// A refusal that belongs to one task carries its position in [`Refusal::InPlan`].
///
/// # Errors
/// A key is taken, a dependency does not exist, there is a cycle, or the run is cancelled.
pub fn add_plan(
    session: &mut Session,
    receipt: Option<&Receipt<'_, PlanOutcome>>,
    who: &Slug,
    run: Option<&Slug>,
    plan: &TaskPlan,
) -> Result<Response<PlanOutcome>, Error> {
    Operation::by_lead(receipt, who).run_or_preview(session, plan.dry_run, |unit| apply_plan(unit, run, plan))
}

/// How many tasks the outcome shows.
const SHOWN: usize = 20;

/// Adds and changes the tasks of a plan.
fn apply_plan(
    unit: &mut UnitOfWork<'_, '_>,
    run: Option<&Slug>,
    plan: &TaskPlan,
) -> Result<PlanOutcome, Error> {
    let mut run = unit.resolve_run(run)?;
    run_decide::require_not_cancelled(&run)?;
    if plan.done_when.is_some_and(|rule| rule != run.policy.done_when) {
        return Err(Refusal::Invalid { argument: "done_when", problem: ArgumentProblem::Fixed }.into());
    }
    if !plan.run.is_empty() {
        run = apply_run_edit(unit, &run, &plan.run)?;
    }
    let resolved = ResolvedPlan::new(unit, &run, plan)?;
    let mut ids: Vec<Option<TaskId>> =
        resolved.there.iter().map(|task| task.as_ref().map(|task| task.id)).collect();
    let levels = layout_graph(plan.tasks.len(), &resolved.edges, &[])
        .map_err(|cycle| resolved.cycle_error(plan, &cycle.0))?;
    let mut planned = PlanOutcome {
        added: 0,
        changed: 0,
        dependencies: 0,
        levels: resolved.count_levels(plan).unwrap_or(levels.levels),
        ready: 0,
        tasks: Vec::new(),
    };
    add_new_tasks(unit, &run, plan, &resolved, &levels.ranks, &mut ids, &mut planned)?;
    update_existing_tasks(unit, &run, plan, &resolved, &mut planned)?;
    let ids: Vec<TaskId> = ids.into_iter().flatten().collect();
    // Changes of existing tasks may have moved others.
    if resolved.there.iter().any(Option::is_some) {
        planned.ready = task::count_ready(unit.tx, &ids)?;
    }
    let shown = &ids[..ids.len().min(SHOWN)];
    let mut tasks = task::load_many(unit.tx, shown)?;
    tasks.sort_by_key(|task| shown.iter().position(|id| *id == task.id));
    planned.tasks = lookup::task_overviews(unit.tx, tasks)?;
    Ok(planned)
}

/// A plan with its names resolved.
struct ResolvedPlan {
    /// The key of each task.
    keys: Vec<Slug>,
    /// The existing task, for each task of the plan.
    there: Vec<Option<Task>>,
    /// The index of each key.
    indices: HashMap<Slug, usize>,
    /// The edges between new tasks, as pairs of indices: the first depends on the second.
    edges: Vec<(usize, usize)>,
    /// The existing tasks that each new task depends on.
    outside: BTreeMap<usize, Vec<Task>>,
}

impl ResolvedPlan {
    fn new(unit: &mut UnitOfWork<'_, '_>, run: &Run, plan: &TaskPlan) -> Result<Self, Error> {
        let (keys, indices) = Self::assign_keys(unit, run, plan)?;
        let after = plan.tasks.iter().flat_map(|planned| &planned.task.after);
        let existing = graph_edit::load_named(unit.tx, run, keys.iter().chain(after))?;
        let there: Vec<Option<Task>> = keys.iter().map(|key| existing.get(key).cloned()).collect();
        if let Some(index) = there.iter().position(Option::is_some).filter(|_| !plan.update) {
            let task = TaskName { run: run.name.clone(), key: keys[index].clone() };
            return Err(plan_refusal(&plan.tasks[index], "key", Refusal::TaskExists { task }));
        }
        let mut resolved = Self { keys, there, indices, edges: Vec::new(), outside: BTreeMap::new() };
        for index in 0..resolved.keys.len() {
            if resolved.there[index].is_none() {
                resolved.resolve_dependencies(run, plan, index, &existing)?;
            }
        }
        Ok(resolved)
    }

    /// Assigns a key to every task, and an index to every key.
    fn assign_keys(
        unit: &mut UnitOfWork<'_, '_>,
        run: &Run,
        plan: &TaskPlan,
    ) -> Result<(Vec<Slug>, HashMap<Slug, usize>), Error> {
        let mut indices = HashMap::with_capacity(plan.tasks.len());
        for (index, planned) in plan.tasks.iter().enumerate() {
            let Some(key) = &planned.task.key else { continue };
            if indices.insert(key.clone(), index).is_some() {
                let task = TaskName { run: run.name.clone(), key: key.clone() };
                return Err(plan_refusal(planned, "key", Refusal::KeyTwice { task }));
            }
        }
        let unnamed = plan.tasks.len() - indices.len();
        let mut free =
            graph_edit::next_free_keys(unit, run, unnamed, |key| indices.contains_key(key))?.into_iter();
        let mut keys = Vec::with_capacity(plan.tasks.len());
        for (index, planned) in plan.tasks.iter().enumerate() {
            let Some(key) = planned.task.key.clone().or_else(|| free.next()) else { continue };
            indices.insert(key.clone(), index);
            keys.push(key);
        }
        Ok((keys, indices))
    }

    /// Resolves the dependencies of a new task.
    fn resolve_dependencies(
        &mut self,
        run: &Run,
        plan: &TaskPlan,
        index: usize,
        existing: &HashMap<Slug, Task>,
    ) -> Result<(), Error> {
        let planned = &plan.tasks[index];
        let name = |key: &Slug| TaskName { run: run.name.clone(), key: key.clone() };
        let mut seen = HashSet::with_capacity(planned.task.after.len());
        for key in &planned.task.after {
            if !seen.insert(key) {
                let refusal = Refusal::DependencyExists { task: name(&self.keys[index]), on: name(key) };
                return Err(plan_refusal(planned, "after", refusal));
            }
            match self.indices.get(key) {
                Some(on) if self.there[*on].is_none() => self.edges.push((index, *on)),
                _ => {
                    let on = existing.get(key).cloned().ok_or_else(|| {
                        plan_refusal(planned, "after", Refusal::TaskNotFound { task: name(key) })
                    })?;
                    self.outside.entry(index).or_default().push(on);
                }
            }
        }
        Ok(())
    }

    /// Returns the longest chain of a plan with existing tasks.
    ///
    /// Such a plan may contain a cycle of edges that the update does not change.
    fn count_levels(&self, plan: &TaskPlan) -> Option<u32> {
        if self.there.iter().all(Option::is_none) {
            return None;
        }
        let dependents = plan.tasks.iter().enumerate();
        let edges: Vec<(usize, usize)> = dependents
            .flat_map(|(index, planned)| planned.task.after.iter().map(move |key| (index, key)))
            .filter_map(|(index, key)| Some((index, *self.indices.get(key)?)))
            .collect();
        layout_graph(plan.tasks.len(), &edges, &[]).ok().map(|layout| layout.levels)
    }

    fn cycle_error(&self, plan: &TaskPlan, cycle: &[usize]) -> Error {
        let path = cycle.iter().map(|index| self.keys[*index].clone()).collect();
        let first = cycle.first().copied().unwrap_or(0);
        plan_refusal(&plan.tasks[first], "after", Refusal::DependencyCycle { run: None, path })
    }
}

fn plan_refusal(planned: &PlannedTask, field: &'static str, refusal: Refusal) -> Error {
    Refusal::InPlan { line: planned.line, field, refusal: Box::new(refusal) }.into()
}

/// Inserts the new tasks, then their dependencies.
///
/// Only new tasks depend on new tasks, so counters and ranks are known before the first insert.
fn add_new_tasks(
    unit: &mut UnitOfWork<'_, '_>,
    run: &Run,
    plan: &TaskPlan,
    resolved: &ResolvedPlan,
    ranks: &[u32],
    ids: &mut [Option<TaskId>],
    planned: &mut PlanOutcome,
) -> Result<(), Error> {
    let placements = place_new_tasks(plan, resolved, ranks);
    for (index, new) in plan.tasks.iter().enumerate().filter(|(index, _)| resolved.there[*index].is_none()) {
        if new.task.title.is_empty() {
            // Only an update of an existing task may omit the title.
            return Err(plan_refusal(
                new,
                "title",
                Refusal::Invalid { argument: "title", problem: ArgumentProblem::Empty },
            ));
        }
        ids[index] =
            Some(graph_edit::insert_task(unit, run, &resolved.keys[index], &new.task, placements[index])?);
        planned.added += 1;
        planned.ready += u64::from(placements[index].initial_state() == TaskState::Ready);
    }
    insert_edges(unit, resolved, ranks, ids, planned)
}

/// Inserts the dependencies of the new tasks, with one statement for each of them.
fn insert_edges(
    unit: &mut UnitOfWork<'_, '_>,
    resolved: &ResolvedPlan,
    ranks: &[u32],
    ids: &[Option<TaskId>],
    planned: &mut PlanOutcome,
) -> Result<(), Error> {
    let mut edges: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
    for (task, on) in &resolved.edges {
        if let (Some(task), Some(on)) = (ids[*task], ids[*on]) {
            edges.entry(task).or_default().push(on);
        }
    }
    let mut raised = Vec::new();
    for (index, others) in &resolved.outside {
        let Some(task) = ids[*index] else { continue };
        edges.entry(task).or_default().extend(others.iter().map(|on| on.id));
        raised.extend(others.iter().map(|on| (on.id, rank_before(ranks[*index]))));
    }
    for (task, on) in &edges {
        dependency::insert_many(unit.tx, *task, on)?;
        planned.dependencies += on.len() as u64;
    }
    graph_edit::raise_ranks(unit.tx, raised)
}

/// Computes the counters and the rank of every new task. A task that depends on a skipped one is skipped as well.
fn place_new_tasks(plan: &TaskPlan, resolved: &ResolvedPlan, ranks: &[u32]) -> Vec<GraphPlacement> {
    let mut placed: Vec<GraphPlacement> =
        ranks.iter().map(|rank| GraphPlacement { unmet: 0, broken: 0, rank: *rank }).collect();
    for (index, others) in &resolved.outside {
        for on in others {
            let shift = CounterDelta::for_new_dependency(on.state);
            (placed[*index].unmet, placed[*index].broken) =
                shift.apply(placed[*index].unmet, placed[*index].broken);
        }
    }
    let mut dependents: Vec<Vec<usize>> =
        vec![Vec::new(); if resolved.outside.is_empty() { 0 } else { plan.tasks.len() }];
    for (task, on) in &resolved.edges {
        placed[*task].unmet += 1;
        if let Some(dependents) = dependents.get_mut(*on) {
            dependents.push(*task);
        }
    }
    // A task has a lower rank than its dependencies, so this order visits dependencies first.
    let mut order: Vec<usize> = (0..dependents.len()).collect();
    order.sort_unstable_by_key(|index| std::cmp::Reverse(ranks[*index]));
    for index in order {
        if placed[index].broken > 0 {
            for task in std::mem::take(&mut dependents[index]) {
                placed[task].broken += 1;
            }
        }
    }
    placed
}

/// Changes the existing tasks of a plan, except those that are live or finished. A change can repair a skipped task.
fn update_existing_tasks(
    unit: &mut UnitOfWork<'_, '_>,
    run: &Run,
    plan: &TaskPlan,
    resolved: &ResolvedPlan,
    planned: &mut PlanOutcome,
) -> Result<(), Error> {
    let existing: Vec<TaskId> = resolved.there.iter().flatten().map(|task| task.id).collect();
    if existing.is_empty() {
        return Ok(());
    }
    let texts: HashMap<TaskId, TaskText> = task::load_texts(unit.tx, &existing)?.into_iter().collect();
    let mut dependencies: HashMap<TaskId, Vec<Slug>> = HashMap::new();
    for (task, key) in dependency::dependency_keys_many(unit.tx, &existing)? {
        dependencies.entry(task).or_default().push(key);
    }
    for (wanted, before) in plan.tasks.iter().zip(&resolved.there) {
        let Some(before) = before else { continue };
        if task_decide::require_rewirable(before).is_err() {
            continue;
        }
        let text = texts.get(&before.id).cloned().unwrap_or_default();
        let present = dependencies.remove(&before.id).unwrap_or_default();
        let changed = update_task(unit, run, wanted, (before, &text, &present), planned)?;
        planned.changed += u64::from(changed);
    }
    Ok(())
}

/// Changes an existing task to what a plan wants; returns whether anything differed.
fn update_task(
    unit: &mut UnitOfWork<'_, '_>,
    run: &Run,
    wanted: &PlannedTask,
    (before, text, present): (&Task, &TaskText, &[Slug]),
    planned: &mut PlanOutcome,
) -> Result<bool, Error> {
    let mut changed = false;
    let edit = changed_fields(before, text, &wanted.named);
    if !edit.is_empty() {
        apply_task_edit(unit, before, &edit).map_err(|error| locate_refusal(wanted, "key", error))?;
        changed = true;
    }
    if !wanted.names_after {
        return Ok(changed);
    }
    for removed in present.iter().filter(|key| !wanted.task.after.contains(key)) {
        graph_edit::remove_edge(unit, before.id, run, removed)
            .map_err(|error| locate_refusal(wanted, "after", error))?;
        changed = true;
    }
    let added: Vec<Slug> = wanted.task.after.iter().filter(|key| !present.contains(key)).cloned().collect();
    if !added.is_empty() {
        graph_edit::add_edges(unit, before.id, run, &added)
            .map_err(|error| locate_refusal(wanted, "after", error))?;
        planned.dependencies += added.len() as u64;
        changed = true;
    }
    Ok(changed)
}

/// Returns the fields of an edit that differ from the task.
fn changed_fields(task: &Task, text: &TaskText, edit: &TaskEdit) -> TaskEdit {
    let mut changed = edit.clone();
    changed.title = changed.title.filter(|title| *title != task.title);
    changed.priority = changed.priority.filter(|priority| *priority != task.priority);
    changed.labels = changed.labels.filter(|labels| dedupe_labels(labels) != task.labels);
    changed.agent = changed.agent.filter(|agent| *agent != task.agent);
    changed.max_attempts = changed.max_attempts.filter(|max| Some(*max) != task.max_attempts);
    changed.allow_empty = changed.allow_empty.filter(|allow| *allow != task.allow_empty);
    changed.spec = changed.spec.filter(|spec| Some(spec) != text.spec.as_ref());
    changed.accept = changed.accept.filter(|accept| *accept != text.accept);
    changed.verify = changed.verify.filter(|verify| *verify != text.verify);
    changed
}

/// Adds the position in the plan to a refusal.
fn locate_refusal(wanted: &PlannedTask, field: &'static str, error: Error) -> Error {
    match error {
        Error::Refused(refusal) => plan_refusal(wanted, field, refusal),
        other => other,
    }
}
