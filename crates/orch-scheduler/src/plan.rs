//! `orch task add --file`: adds a whole plan or nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use orch_core::dependency::{CounterDelta, rank_before};
use orch_core::graph::layout_graph;
use orch_core::id::{Slug, TaskId, TaskName};
use orch_core::limit;
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::run::{DoneWhen, Run, RunEdit, decide as run_decide};
use orch_core::task::{NewTask, Task, TaskEdit, TaskState, TaskText, decide as task_decide, dedupe_labels};
use orch_store::table::{dependency, task};

use crate::graph_edit;
use crate::graph_edit::GraphPlacement;
use crate::operation::Operation;
use crate::run::apply_run_edit;
use crate::task::edit::apply_task_edit;
use crate::task_end::cancel_task;
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
    /// Whether tasks of the run that the plan lacks are cancelled.
    pub prune: bool,
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
    /// How many tasks were cancelled because the plan lacks them.
    pub pruned: u64,
    /// The first 20 tasks of the plan.
    pub tasks: Vec<TaskOverview>,
    /// The first changes, in the order of the plan; cancelled tasks last.
    pub changes: Vec<PlanChange>,
    /// What the plan wants and what was left out.
    pub left: Vec<PlanRemainder>,
    /// How many tasks were left out.
    pub left_total: u64,
}

/// A change that a plan makes to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// The task.
    pub task: TaskName,
    /// The change.
    pub kind: PlanChangeKind,
    /// The fields that change.
    pub fields: Vec<&'static str>,
}

/// The kinds of changes that a plan makes to tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanChangeKind {
    /// The task is new.
    Add,
    /// The task changes.
    Edit,
    /// The plan lacks the task, and it is cancelled.
    Cancel,
}

impl PlanChangeKind {
    /// Returns the name of the kind.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Edit => "edit",
            Self::Cancel => "cancel",
        }
    }
}

/// A task that is not as the plan wants it, because its state forbids the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRemainder {
    /// The task.
    pub task: TaskName,
    /// Its state.
    pub state: TaskState,
    /// The fields that differ; empty where the plan lacks the task.
    pub fields: Vec<&'static str>,
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

/// How many changes and remainders the outcome lists.
const LISTED: usize = limit::LIST_DEFAULT as usize;

impl PlanOutcome {
    fn list_change(&mut self, task: TaskName, kind: PlanChangeKind, fields: Vec<&'static str>) {
        if self.changes.len() < LISTED {
            self.changes.push(PlanChange { task, kind, fields });
        }
    }

    fn list_remainder(&mut self, task: &Task, fields: Vec<&'static str>) {
        self.left_total += 1;
        if self.left.len() < LISTED {
            self.left.push(PlanRemainder { task: task.name.clone(), state: task.state, fields });
        }
    }
}

/// Adds and changes the tasks of a plan.
pub(crate) fn apply_plan(
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
        pruned: 0,
        tasks: Vec::new(),
        changes: Vec::new(),
        left: Vec::new(),
        left_total: 0,
    };
    add_new_tasks(unit, &run, plan, &resolved, &levels.ranks, &mut ids, &mut planned)?;
    update_existing_tasks(unit, &run, plan, &resolved, &mut planned)?;
    if plan.prune {
        cancel_missing_tasks(unit, &run, &resolved, &mut planned)?;
    }
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
        let name = TaskName { run: run.name.clone(), key: resolved.keys[index].clone() };
        planned.list_change(name, PlanChangeKind::Add, Vec::new());
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
    let mut updates = Vec::new();
    for (wanted, before) in plan.tasks.iter().zip(&resolved.there) {
        let Some(before) = before else { continue };
        let text = texts.get(&before.id).cloned().unwrap_or_default();
        let present = dependencies.remove(&before.id).unwrap_or_default();
        let update = TaskUpdate::find(wanted, before, &text, &present);
        let fields = update.fields();
        if fields.is_empty() {
            continue;
        }
        if task_decide::require_rewirable(before).is_err() {
            planned.list_remainder(before, fields);
            continue;
        }
        planned.changed += 1;
        planned.list_change(before.name.clone(), PlanChangeKind::Edit, fields);
        updates.push(update);
    }
    // Dependencies that go away make room for those that come: the order of the plan's lines does not matter.
    for update in &updates {
        update.edit_and_remove(unit, run)?;
    }
    for update in &updates {
        planned.dependencies += update.add(unit, run)?;
    }
    Ok(())
}

/// What a plan changes in an existing task.
struct TaskUpdate<'a> {
    wanted: &'a PlannedTask,
    before: &'a Task,
    edit: TaskEdit,
    removed: Vec<Slug>,
    added: Vec<Slug>,
}

impl<'a> TaskUpdate<'a> {
    fn find(wanted: &'a PlannedTask, before: &'a Task, text: &TaskText, present: &[Slug]) -> Self {
        let missing_in = |keys: &[Slug], others: &[Slug]| {
            keys.iter().filter(|key| !others.contains(key)).cloned().collect::<Vec<Slug>>()
        };
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        if wanted.names_after {
            removed = missing_in(present, &wanted.task.after);
            added = missing_in(&wanted.task.after, present);
        }
        Self { wanted, before, edit: changed_fields(before, text, &wanted.named), removed, added }
    }

    /// Returns the names of the fields that change.
    fn fields(&self) -> Vec<&'static str> {
        let edit = &self.edit;
        let changes = [
            ("title", edit.title.is_some()),
            ("spec", edit.spec.is_some()),
            ("after", !self.removed.is_empty() || !self.added.is_empty()),
            ("priority", edit.priority.is_some()),
            ("accept", edit.accept.is_some()),
            ("verify", edit.verify.is_some()),
            ("labels", edit.labels.is_some()),
            ("agent", edit.agent.is_some()),
            ("max_attempts", edit.max_attempts.is_some()),
            ("allow_empty", edit.allow_empty.is_some()),
            ("review", edit.review.is_some()),
        ];
        changes.into_iter().filter(|(_, changes)| *changes).map(|(name, _)| name).collect()
    }

    fn edit_and_remove(&self, unit: &mut UnitOfWork<'_, '_>, run: &Run) -> Result<(), Error> {
        if !self.edit.is_empty() {
            apply_task_edit(unit, self.before, &self.edit)
                .map_err(|error| locate_refusal(self.wanted, "key", error))?;
        }
        for removed in &self.removed {
            graph_edit::remove_edge(unit, self.before.id, run, removed)
                .map_err(|error| locate_refusal(self.wanted, "after", error))?;
        }
        Ok(())
    }

    /// Adds the new dependencies, and returns their number.
    fn add(&self, unit: &mut UnitOfWork<'_, '_>, run: &Run) -> Result<u64, Error> {
        if !self.added.is_empty() {
            graph_edit::add_edges(unit, self.before.id, run, &self.added)
                .map_err(|error| locate_refusal(self.wanted, "after", error))?;
        }
        Ok(self.added.len() as u64)
    }
}

/// How many tasks are looked at in one statement.
const PRUNE_PAGE: u32 = 1_000;

/// Cancels the tasks that the plan lacks, except those that are live or finished.
fn cancel_missing_tasks(
    unit: &mut UnitOfWork<'_, '_>,
    run: &Run,
    resolved: &ResolvedPlan,
    planned: &mut PlanOutcome,
) -> Result<(), Error> {
    let kept: HashSet<&Slug> = resolved.keys.iter().collect();
    let mut after = TaskId(0);
    loop {
        let page = task::list(unit.tx, run.id, after, PRUNE_PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for missing in page.iter().filter(|task| !kept.contains(&task.name.key)) {
            match missing.state {
                TaskState::Waiting | TaskState::Ready | TaskState::Skipped => {
                    cancel_task(unit, missing.id, "the plan no longer has it")?;
                    planned.pruned += 1;
                    planned.list_change(missing.name.clone(), PlanChangeKind::Cancel, Vec::new());
                }
                TaskState::Done | TaskState::Cancelled => {}
                TaskState::Dispatched
                | TaskState::Running
                | TaskState::Blocked
                | TaskState::Reported
                | TaskState::Failed => planned.list_remainder(missing, Vec::new()),
            }
        }
    }
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
    changed.review = changed.review.filter(|review| Some(*review) != text.review);
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
