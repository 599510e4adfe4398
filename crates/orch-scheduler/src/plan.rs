//! `orch task add --file`: a whole plan, all or nothing.

use std::collections::{HashMap, HashSet};

use orch_core::dependency::{CounterDelta, rank_before};
use orch_core::graph::layout_graph;
use orch_core::id::{Slug, TaskId, TaskName};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::run::{DoneWhen, Run, RunEdit, decide as run_decide};
use orch_core::task::{NewTask, Task, TaskEdit, TaskState, decide as task_decide, dedupe_labels};
use orch_store::Transaction;
use orch_store::table::{dependency, task};

use super::graph_edit::{self, GraphPlacement};
use super::operation::Operation;
use super::run::apply_run_edit;
use super::task::apply_task_edit;
use super::unit_of_work::UnitOfWork;
use super::{TaskOverview, lookup};
use orch_inbox::{Error, Receipt, Response, Session};

/// A plan as the door read it.
#[derive(Clone, Debug, Default)]
pub struct TaskPlan {
    /// What the plan says of the run itself.
    pub run: RunEdit,
    /// When a task of the run counts as done; it must be what the run was made with.
    pub done_when: Option<DoneWhen>,
    /// The tasks, in the order of the file; every key may be named before its own line.
    pub tasks: Vec<PlannedTask>,
    /// Tasks that are there already are changed; else they are refused.
    pub update: bool,
    /// Nothing is kept; the answer is what it would be.
    pub dry_run: bool,
}

/// One task of a plan.
#[derive(Clone, Debug)]
pub struct PlannedTask {
    /// What it is when it is new.
    pub task: NewTask,
    /// The fields that the plan names, for a task that is there already.
    pub named: TaskEdit,
    /// Whether the plan names its dependencies, so that an update replaces them.
    pub names_after: bool,
    /// Where it stands in the file, from 1, for messages.
    pub line: u32,
}

/// What a plan came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOutcome {
    /// Tasks added.
    pub added: u64,
    /// Tasks changed.
    pub changed: u64,
    /// Dependencies added.
    pub dependencies: u64,
    /// Levels of the plan's own graph: the length of its longest chain, in tasks.
    pub levels: u32,
    /// How many of the plan's tasks are ready.
    pub ready: u64,
    /// The first 20.
    pub tasks: Vec<TaskOverview>,
}

/// Adds a plan.
///
/// A refusal that belongs to one task carries its place in [`Refusal::InPlan`].
///
/// # Errors
/// A key is taken, a dependency is unknown, there is a cycle, the run is cancelled, or the store failed.
pub fn add_plan(
    session: &mut Session,
    receipt: Option<&Receipt<'_, PlanOutcome>>,
    who: &Slug,
    run: Option<&Slug>,
    plan: &TaskPlan,
) -> Result<Response<PlanOutcome>, Error> {
    Operation::by_lead(receipt, who).run_or_preview(session, plan.dry_run, |unit| apply_plan(unit, run, plan))
}

/// How many tasks an answer shows.
const SHOWN: usize = 20;

/// Adds and changes what the plan says.
fn apply_plan(
    stage: &mut UnitOfWork<'_, '_>,
    run: Option<&Slug>,
    plan: &TaskPlan,
) -> Result<PlanOutcome, Error> {
    let mut run = stage.resolve_run(run)?;
    run_decide::require_not_cancelled(&run)?;
    if plan.done_when.is_some_and(|rule| rule != run.policy.done_when) {
        return Err(Refusal::Invalid { argument: "done_when", problem: ArgumentProblem::Fixed }.into());
    }
    if !plan.run.is_empty() {
        run = apply_run_edit(stage, &run, &plan.run)?;
    }
    let sorted = ResolvedPlan::new(stage, &run, plan)?;
    let mut ids: Vec<Option<TaskId>> = sorted.there.clone();
    let levels = layout_graph(plan.tasks.len(), &sorted.edges, &[])
        .map_err(|cycle| sorted.cycle_error(plan, &cycle.0))?;
    let mut planned = PlanOutcome {
        added: 0,
        changed: 0,
        dependencies: 0,
        levels: sorted.count_levels(plan).unwrap_or(levels.levels),
        ready: 0,
        tasks: Vec::new(),
    };
    add_new_tasks(stage, &run, plan, &sorted, &levels.ranks, &mut ids, &mut planned)?;
    for (index, planned_task) in
        plan.tasks.iter().enumerate().filter(|(index, _)| sorted.there[*index].is_some())
    {
        update_task(stage, &run, planned_task, sorted.there[index], &mut planned)?;
    }
    if sorted.there.iter().any(Option::is_some) {
        planned.ready = count_ready_tasks(stage, &ids)?;
    }
    summarize_first_tasks(stage, &ids, &mut planned)?;
    Ok(planned)
}

/// A plan with its names resolved.
struct ResolvedPlan {
    /// The key of each task.
    keys: Vec<Slug>,
    /// The task that is there already, for each task of the plan.
    there: Vec<Option<TaskId>>,
    /// The place of each key.
    places: HashMap<Slug, usize>,
    /// Edges of new tasks inside the plan, as pairs of places: the first waits for the second.
    edges: Vec<(usize, usize)>,
    /// What each new task waits for that is no part of the plan, or is there already.
    outside: HashMap<usize, Vec<Task>>,
}

impl ResolvedPlan {
    fn new(stage: &mut UnitOfWork<'_, '_>, run: &Run, plan: &TaskPlan) -> Result<Self, Error> {
        let (keys, places) = Self::assign_keys(stage, run, plan)?;
        let there = vec![None; keys.len()];
        let mut sorted = Self { keys, there, places, edges: Vec::new(), outside: HashMap::new() };
        if run.counts.total() > 0 {
            for (index, key) in sorted.keys.iter().enumerate() {
                sorted.there[index] = task::id_by_key(stage.tx, run.id, key)?;
                if sorted.there[index].is_some() && !plan.update {
                    let task = TaskName { run: run.name.clone(), key: key.clone() };
                    return Err(plan_refusal(&plan.tasks[index], "key", Refusal::TaskExists { task }));
                }
            }
        }
        for index in 0..sorted.keys.len() {
            if sorted.there[index].is_none() {
                sorted.resolve_dependencies(stage.tx, run, plan, index)?;
            }
        }
        Ok(sorted)
    }

    /// Gives every task its key, and every key its place.
    fn assign_keys(
        stage: &mut UnitOfWork<'_, '_>,
        run: &Run,
        plan: &TaskPlan,
    ) -> Result<(Vec<Slug>, HashMap<Slug, usize>), Error> {
        let mut places = HashMap::with_capacity(plan.tasks.len());
        let given =
            plan.tasks.iter().enumerate().filter_map(|(index, task)| Some((index, task.task.key.clone()?)));
        for (index, key) in given {
            if places.insert(key.clone(), index).is_some() {
                let task = TaskName { run: run.name.clone(), key };
                return Err(plan_refusal(&plan.tasks[index], "key", Refusal::KeyTwice { task }));
            }
        }
        let mut keys = Vec::with_capacity(plan.tasks.len());
        for (index, planned) in plan.tasks.iter().enumerate() {
            let key = match &planned.task.key {
                Some(key) => key.clone(),
                None => loop {
                    let key = graph_edit::next_free_key(stage, run)?;
                    if !places.contains_key(&key) {
                        places.insert(key.clone(), index);
                        break key;
                    }
                },
            };
            keys.push(key);
        }
        Ok((keys, places))
    }

    /// Resolves what a new task waits for.
    fn resolve_dependencies(
        &mut self,
        tx: &mut Transaction<'_>,
        run: &Run,
        plan: &TaskPlan,
        index: usize,
    ) -> Result<(), Error> {
        let planned = &plan.tasks[index];
        let name = |key: &Slug| TaskName { run: run.name.clone(), key: key.clone() };
        let mut seen = HashSet::with_capacity(planned.task.after.len());
        for key in &planned.task.after {
            if !seen.insert(key) {
                let refusal = Refusal::DependencyExists { task: name(&self.keys[index]), on: name(key) };
                return Err(plan_refusal(planned, "after", refusal));
            }
            match self.places.get(key) {
                Some(place) if self.there[*place].is_none() => self.edges.push((index, *place)),
                _ => {
                    let on = task::load_by_key(tx, run.id, key)?;
                    let on = on.ok_or_else(|| {
                        plan_refusal(planned, "after", Refusal::TaskNotFound { task: name(key) })
                    })?;
                    self.outside.entry(index).or_default().push(on);
                }
            }
        }
        Ok(())
    }

    /// How deep the plan's own graph is where some of its tasks are there already; it may hold a cycle then, of
    /// edges that an update leaves alone.
    fn count_levels(&self, plan: &TaskPlan) -> Option<u32> {
        if self.there.iter().all(Option::is_none) {
            return None;
        }
        let waiting = plan.tasks.iter().enumerate();
        let edges: Vec<(usize, usize)> = waiting
            .flat_map(|(index, planned)| planned.task.after.iter().map(move |key| (index, key)))
            .filter_map(|(index, key)| Some((index, *self.places.get(key)?)))
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

/// Adds the tasks that are not there, then their edges.
///
/// New tasks are only waited for by new ones, so counters and ranks are known before the first row is written.
fn add_new_tasks(
    stage: &mut UnitOfWork<'_, '_>,
    run: &Run,
    plan: &TaskPlan,
    sorted: &ResolvedPlan,
    ranks: &[u32],
    ids: &mut [Option<TaskId>],
    planned: &mut PlanOutcome,
) -> Result<(), Error> {
    let standings = place_new_tasks(plan, sorted, ranks);
    for (index, new) in plan.tasks.iter().enumerate().filter(|(index, _)| sorted.there[*index].is_none()) {
        if new.task.title.is_empty() {
            // Only an update may leave the title out, and only of a task that is there.
            return Err(plan_refusal(
                new,
                "title",
                Refusal::Invalid { argument: "title", problem: ArgumentProblem::Empty },
            ));
        }
        ids[index] =
            Some(graph_edit::insert_task(stage, run, &sorted.keys[index], &new.task, standings[index])?);
        planned.added += 1;
        planned.ready += u64::from(standings[index].initial_state() == TaskState::Ready);
    }
    for (task, on) in &sorted.edges {
        if let (Some(task), Some(on)) = (ids[*task], ids[*on]) {
            dependency::insert(stage.tx, task, on)?;
            planned.dependencies += 1;
        }
    }
    let mut outside: Vec<_> = sorted.outside.iter().collect();
    outside.sort_unstable_by_key(|(index, _)| **index);
    for (index, others) in outside {
        for on in others {
            if let Some(task) = ids[*index] {
                dependency::insert(stage.tx, task, on.id)?;
                graph_edit::raise_rank(stage.tx, on.id, rank_before(ranks[*index]))?;
                planned.dependencies += 1;
            }
        }
    }
    Ok(())
}

/// Counters and rank of every new task. A task behind one that is skipped at once is skipped as well.
fn place_new_tasks(plan: &TaskPlan, sorted: &ResolvedPlan, ranks: &[u32]) -> Vec<GraphPlacement> {
    let mut placed: Vec<GraphPlacement> =
        ranks.iter().map(|rank| GraphPlacement { unmet: 0, broken: 0, rank: *rank }).collect();
    for (index, others) in &sorted.outside {
        for on in others {
            let shift = CounterDelta::for_new_dependency(on.state);
            (placed[*index].unmet, placed[*index].broken) =
                shift.apply(placed[*index].unmet, placed[*index].broken);
        }
    }
    let mut dependents: Vec<Vec<usize>> =
        vec![Vec::new(); if sorted.outside.is_empty() { 0 } else { plan.tasks.len() }];
    for (task, on) in &sorted.edges {
        placed[*task].unmet += 1;
        if let Some(waiting) = dependents.get_mut(*on) {
            waiting.push(*task);
        }
    }
    // Ranks fall along every edge, so this order meets each task after all that it waits for.
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

/// Changes a task that is there already, unless it is live or finished. A skipped one is changed: that is how it is
/// repaired.
fn update_task(
    stage: &mut UnitOfWork<'_, '_>,
    run: &Run,
    wanted: &PlannedTask,
    id: Option<TaskId>,
    planned: &mut PlanOutcome,
) -> Result<(), Error> {
    let Some(id) = id else { return Ok(()) };
    let before = task::load(stage.tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
    if task_decide::require_rewirable(&before).is_err() {
        return Ok(());
    }
    let mut changed = false;
    let news = changed_fields(stage.tx, &before, &wanted.named)?;
    if !news.is_empty() {
        apply_task_edit(stage, &before, &news).map_err(|error| locate_refusal(wanted, "key", error))?;
        changed = true;
    }
    if wanted.names_after {
        let now = dependency::dependency_keys(stage.tx, id)?;
        for gone in now.iter().filter(|key| !wanted.task.after.contains(key)) {
            graph_edit::remove_edge(stage, id, run, gone)
                .map_err(|error| locate_refusal(wanted, "after", error))?;
            changed = true;
        }
        let new: Vec<Slug> = wanted.task.after.iter().filter(|key| !now.contains(key)).cloned().collect();
        if !new.is_empty() {
            graph_edit::add_edges(stage, id, run, &new)
                .map_err(|error| locate_refusal(wanted, "after", error))?;
            planned.dependencies += new.len() as u64;
            changed = true;
        }
    }
    planned.changed += u64::from(changed);
    Ok(())
}

/// What of an edit differs from what is there.
fn changed_fields(tx: &mut Transaction<'_>, task: &Task, edit: &TaskEdit) -> Result<TaskEdit, Error> {
    let text = task::load_text(tx, task.id)?;
    let mut news = edit.clone();
    news.title = news.title.filter(|title| *title != task.title);
    news.priority = news.priority.filter(|priority| *priority != task.priority);
    news.labels = news.labels.filter(|labels| dedupe_labels(labels) != task.labels);
    news.agent = news.agent.filter(|agent| *agent != task.agent);
    news.max_attempts = news.max_attempts.filter(|max| Some(*max) != task.max_attempts);
    news.allow_empty = news.allow_empty.filter(|allow| *allow != task.allow_empty);
    news.spec = news.spec.filter(|spec| Some(spec) != text.spec.as_ref());
    news.accept = news.accept.filter(|accept| *accept != text.accept);
    news.verify = news.verify.filter(|verify| *verify != text.verify);
    Ok(news)
}

/// Says where in the plan a refusal belongs.
fn locate_refusal(wanted: &PlannedTask, field: &'static str, error: Error) -> Error {
    match error {
        Error::Refused(refusal) => plan_refusal(wanted, field, refusal),
        other => other,
    }
}

/// Shows the first tasks.
fn summarize_first_tasks(
    stage: &mut UnitOfWork<'_, '_>,
    ids: &[Option<TaskId>],
    planned: &mut PlanOutcome,
) -> Result<(), Error> {
    for id in ids.iter().flatten().take(SHOWN) {
        let task = task::load(stage.tx, *id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
        planned.tasks.push(lookup::task_overview(stage.tx, task)?);
    }
    Ok(())
}

/// Counts what is ready by now: tasks that were there already, and new ones that changes of those moved.
fn count_ready_tasks(stage: &mut UnitOfWork<'_, '_>, ids: &[Option<TaskId>]) -> Result<u64, Error> {
    let mut ready = 0;
    for id in ids.iter().flatten() {
        ready += u64::from(task::is_ready(stage.tx, *id)?);
    }
    Ok(ready)
}
