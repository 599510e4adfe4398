//! `orch run init|list|show|edit|pause|resume|cancel`.

use orch_core::effect::{Effect, EffectKey, EffectKind};
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{RunId, Slug, TaskId};
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{AttemptRules, Budget, DoneWhen, Policy, Run, RunEdit, decide};
use orch_core::task::TaskState;
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{run as run_table, task as task_table};

use super::fresh_read::read_fresh;
use super::operation::Operation;
use super::perform::complete_effect;
use super::perform::effect_lease::request_effect;
use super::run_location::{GitBase, RunLocation};
use super::tool_fault::set_run_offered;
use super::unit_of_work::UnitOfWork;
use super::{TaskOverview, lookup, operation};
use orch_inbox::page::{cut_page, invalid_cursor};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// What a new run is made of.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its name; made from the title when not given.
    pub name: Option<Slug>,
    /// One line.
    pub title: String,
    /// What it is for.
    pub goal: Option<String>,
    /// When a task counts as done; where not given, `integrated` on a base and `reported` without one.
    pub done_when: Option<DoneWhen>,
    /// Its limits; its rule for when a task is done is filled in.
    pub policy: Policy,
    /// What prepares and judges its attempts.
    pub rules: AttemptRules,
    /// What it may spend.
    pub budget: Budget,
    /// Where it is begun; `None` for a run without worktrees.
    pub place: Option<RunLocation>,
}

/// A new run.
#[derive(Clone, Debug)]
pub struct CreatedRun {
    /// The run.
    pub run: Run,
    /// How many files of the checkout are not committed, and so not in what the run begins from.
    pub dirty: usize,
}

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunAction {
    /// Nothing new is dispatched; threads nobody claimed are withdrawn.
    Pause,
    /// Withdrawn threads are offered again.
    Resume,
    /// The run ends; tasks nobody works on are cancelled.
    Cancel,
}

/// A run with its tasks.
#[derive(Clone, Debug)]
pub struct RunTasks {
    /// The run.
    pub run: Run,
    /// Its tasks, oldest first.
    pub tasks: ResultPage<TaskOverview>,
}

/// Makes a run and, where it has a base, its branch.
///
/// # Errors
/// The given name is taken, the base is not there, branches are in the way, or the store failed.
pub fn create_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, CreatedRun>>,
    who: &Slug,
    request: &NewRun,
) -> Result<Response<CreatedRun>, Error> {
    let is_new = session.is_new_request(receipt)?;
    let footing = match &request.place {
        Some(place) if is_new => GitBase::resolve_location(session, place)?,
        Some(_) | None => None,
    };
    if let Some(footing) = footing.as_ref().filter(|_| !request.rules.copy.is_empty()) {
        footing.require_main_tree()?;
    }
    let dirty = footing.as_ref().map_or(0, |footing| footing.dirty);
    let default = if footing.is_some() { DoneWhen::Integrated } else { DoneWhen::Reported };
    let done_when = request.done_when.unwrap_or(default);
    if is_new && footing.is_none() && done_when != DoneWhen::Reported {
        return Err(TreeRefusal::BaseNotFound { revision: None }.into());
    }
    let wanted = ResolvedRun {
        request,
        policy: Policy { done_when, ..request.policy.clone() },
        footing: footing.as_ref(),
        is_new,
    };
    loop {
        let name = match is_new {
            true => find_free_name(session, request, footing.as_ref())?,
            // It has its name; this one is not looked at.
            false => Slug::from_title(&request.title),
        };
        let made = Operation::by_lead(receipt, who).run_with_effects(
            session,
            |stage| {
                let id = wanted.insert_run(stage, &name)?;
                if wanted.footing.is_some() {
                    return Ok(RequestDecision::Pending(id.0));
                }
                let run = lookup::load_run(stage.tx, id)?;
                Ok(RequestDecision::Complete(CreatedRun { run, dirty: 0 }))
            },
            |session, id| {
                let id = RunId(id);
                complete_effect(session, EffectKey::of_run(EffectKind::Branch, id))?;
                let run = session.read(|tx, _| lookup::load_run(tx, id))?;
                Ok(CreatedRun { run, dirty })
            },
        );
        match made {
            // Another process has just taken the name that was free: a name of our own choice is another then.
            Err(Error::Refused(Refusal::RunExists { .. })) if request.name.is_none() => {}
            other => return other,
        }
    }
}

/// A run that is wanted, with all that was looked up for it.
struct ResolvedRun<'a> {
    request: &'a NewRun,
    policy: Policy,
    footing: Option<&'a GitBase>,
    /// Whether anything was looked up at all.
    is_new: bool,
}

impl ResolvedRun<'_> {
    fn insert_run(&self, stage: &mut UnitOfWork<'_, '_>, name: &Slug) -> Result<RunId, Error> {
        let Self { request, policy, footing, is_new } = self;
        if !is_new {
            return Err(operation::request_aborted_elsewhere());
        }
        if run_table::name_exists(stage.tx, name)? {
            return Err(Refusal::RunExists { run: name.clone() }.into());
        }
        let ground = footing.map(|footing| footing.run_git(name));
        let goal = request.goal.as_deref();
        let new = run_table::NewRunRow { name, title: &request.title, goal, policy, ground: ground.as_ref() };
        let id = run_table::insert(stage.tx, new, stage.now)?;
        if request.rules != AttemptRules::default() || request.budget != Budget::default() {
            run_table::save_rules(stage.tx, id, &request.rules, &request.budget)?;
        }
        let data = vec![("title", request.title.as_str().into())];
        stage.append_event(EventKind::RunCreated, EventSubject::of_run(id), None, data)?;
        if ground.is_some() {
            request_effect(stage.tx, id, &Effect::CreateBranch, stage.now)?;
        }
        Ok(id)
    }
}

/// Lists runs, newest first.
///
/// # Errors
/// The store failed.
pub fn list_runs(session: &mut Session, page: &PageRequest) -> Result<ResultPage<Run>, Error> {
    let before = match &page.after {
        None => RunId(i64::MAX),
        Some(cursor) => {
            let name = Slug::new(cursor).map_err(|_| invalid_cursor())?;
            session.read(|tx, _| Ok(run_table::load_by_name(tx, &name)?.ok_or_else(invalid_cursor)?.id))?
        }
    };
    read_fresh(session, |tx, _| {
        let runs = run_table::list(tx, before, page.limit.saturating_add(1))?;
        let total = u64::try_from(run_table::count(tx)?).unwrap_or(0);
        Ok(cut_page(runs, page.limit, total, |run: &Run| run.name.to_string()))
    })
}

/// Shows a run and its tasks.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn show_run(session: &mut Session, run: Option<&Slug>, page: &PageRequest) -> Result<RunTasks, Error> {
    read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, run)?;
        let after = task_cursor(tx, &run, page)?;
        let tasks = task_table::list(tx, run.id, after, page.limit.saturating_add(1))?;
        let shown = lookup::task_overviews(tx, tasks)?;
        let total = u64::try_from(run.counts.total()).unwrap_or(0);
        let tasks =
            cut_page(shown, page.limit, total, |shown: &TaskOverview| shown.task.name.key.to_string());
        Ok(RunTasks { run, tasks })
    })
}

/// Changes title, goal or policy.
///
/// # Errors
/// There is no such run, it is cancelled, or the store failed.
pub fn edit_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Run>>,
    who: &Slug,
    run: Option<&Slug>,
    edit: &RunEdit,
) -> Result<Response<Run>, Error> {
    Operation::by_lead(receipt, who).run(session, |stage| {
        let before = stage.resolve_run(run)?;
        apply_run_edit(stage, &before, edit)
    })
}

/// Pauses, resumes or cancels; repeating it changes nothing.
///
/// # Errors
/// There is no such run, its state does not allow it, or the store failed.
pub fn change_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Run>>,
    who: &Slug,
    run: Option<&Slug>,
    verb: RunAction,
) -> Result<Response<Run>, Error> {
    Operation::by_lead(receipt, who).run(session, |stage| {
        let before = stage.resolve_run(run)?;
        let (after, kind) = match verb {
            RunAction::Pause => (decide::pause_run(&before, stage.now)?, EventKind::RunPaused),
            RunAction::Resume => (decide::resume_run(&before, stage.now)?, EventKind::RunResumed),
            RunAction::Cancel => (decide::cancel_run(&before, stage.now)?, EventKind::RunCancelled),
        };
        let Some(after) = after else { return Ok(before) };
        stage.request_sweep(&after)?;
        stage.replace_run(after);
        match verb {
            RunAction::Pause => set_run_offered(stage, before.id, false)?,
            RunAction::Resume => set_run_offered(stage, before.id, true)?,
            RunAction::Cancel => cancel_idle_tasks(stage, before.id)?,
        }
        stage.append_event(kind, EventSubject::of_run(before.id), None, Vec::new())?;
        Ok(stage.load_run(before.id)?.clone())
    })
}

/// The states in which tasks are listed when no state is asked for: all of them.
pub const ALL_STATES: &[TaskState] = &TaskState::ALL;

/// Changes a run in hand and tells it.
pub(crate) fn apply_run_edit(
    stage: &mut UnitOfWork<'_, '_>,
    before: &Run,
    edit: &RunEdit,
) -> Result<Run, Error> {
    let after = decide::edit_run(before, edit, stage.now)?;
    if after.rules != before.rules || after.budget != before.budget {
        run_table::save_rules(stage.tx, after.id, &after.rules, &after.budget)?;
    }
    stage.replace_run(after.clone());
    stage.append_event(EventKind::RunEdited, EventSubject::of_run(after.id), None, Vec::new())?;
    Ok(after)
}

/// The given name where it is free; else the first free one that the title makes. Branches of a run that another
/// store has known are not taken over.
fn find_free_name(session: &mut Session, request: &NewRun, footing: Option<&GitBase>) -> Result<Slug, Error> {
    let base = request.name.clone().unwrap_or_else(|| Slug::from_title(&request.title));
    let mut name = base.clone();
    let mut number = 1;
    loop {
        let taken = session.read(|tx, _| Ok(run_table::name_exists(tx, &name)?))?;
        if taken && request.name.is_some() {
            return Err(Refusal::RunExists { run: name }.into());
        }
        let branches = match footing {
            Some(footing) if !taken => footing.branch_conflict(&name)?,
            _ => None,
        };
        match branches {
            None if !taken => return Ok(name),
            // A branch that is in the way of every name, or of the one that was asked for.
            Some(error) if request.name.is_some() || number > 1_000 => return Err(error),
            Some(_) | None => {}
        }
        number += 1;
        name = base.with_number(number);
    }
}

/// The task that a page of a run's tasks begins behind.
pub(crate) fn task_cursor(tx: &mut Transaction<'_>, run: &Run, page: &PageRequest) -> Result<TaskId, Error> {
    let Some(cursor) = &page.after else { return Ok(TaskId(0)) };
    let key = Slug::new(cursor).map_err(|_| invalid_cursor())?;
    task_table::id_by_key(tx, run.id, &key)?.ok_or_else(invalid_cursor)
}

/// Cancels every task that nobody works on; claimed work goes on and may report.
pub(crate) fn cancel_idle_tasks(stage: &mut UnitOfWork<'_, '_>, run: RunId) -> Result<(), Error> {
    let mut tasks = Vec::new();
    for state in [TaskState::Waiting, TaskState::Ready, TaskState::Dispatched] {
        tasks.extend(task_table::list_in_state(stage.tx, run, state, TaskId(0), u32::MAX)?);
    }
    // The ends of chains first, so that no task is skipped on its way to being cancelled.
    tasks.sort_by_key(|task| (task.rank, task.id));
    for task in tasks {
        super::task_end::cancel_task(stage, task.id, "the run was cancelled")?;
    }
    Ok(())
}
