//! `orch run init|list|show|edit|pause|resume|cancel`.

use std::path::PathBuf;

use orch_core::effect::{Effect, EffectKey, EffectKind};
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{RunId, Slug, TaskId};
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{AttemptRules, Budget, DoneWhen, PauseReason, Policy, Run, RunEdit, decide};
use orch_core::task::TaskState;
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{effect, run as run_table, task as task_table};

use crate::fresh_read::read_fresh;
use crate::operation::Operation;
use crate::perform::complete_effect;
use crate::perform::effect_lease::request_effect;
use crate::plan::{PlanOutcome, TaskPlan, apply_plan};
use crate::run_branch::{is_branch_back, notice_branch_moves};
use crate::run_cancel::cancel_run;
use crate::tool_fault::set_run_offered;
use crate::unit_of_work::UnitOfWork;
use crate::{TaskOverview, lookup, operation};
use orch_inbox::page::{cut_page, invalid_cursor};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_workspace::run_location::{GitBase, RunLocation, find_shared_folder};

/// The settings of a new run.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The name; derived from the title when not given.
    pub name: Option<Slug>,
    /// The title, one line.
    pub title: String,
    /// The goal.
    pub goal: Option<String>,
    /// When a task counts as done; by default `integrated` on a base, and `reported` without one.
    pub done_when: Option<DoneWhen>,
    /// The limits; `done_when` is filled in.
    pub policy: Policy,
    /// How attempts are prepared and checked.
    pub rules: AttemptRules,
    /// The budget.
    pub budget: Budget,
    /// The location of the base; `None` for a run without worktrees.
    pub place: Option<RunLocation>,
    /// The folder in which the run is created.
    pub folder: PathBuf,
}

/// A new run.
#[derive(Clone, Debug)]
pub struct CreatedRun {
    /// The run.
    pub run: Run,
    /// How many uncommitted files of the checkout are missing in the base.
    pub dirty: usize,
}

/// A change of a run's state by the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunAction {
    /// Stops dispatching, and withdraws unclaimed threads.
    Pause,
    /// Does what a pause does, after `orch stop`.
    Stop,
    /// Starts dispatching again, and offers withdrawn threads.
    Resume,
    /// Ends the run, and cancels the tasks without a worker.
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

/// Creates a run and, if it has a base, its branch.
///
/// # Errors
/// The name is taken, the base does not exist, or branches conflict with those of the run.
pub fn create_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, CreatedRun>>,
    who: &Slug,
    request: &NewRun,
) -> Result<Response<CreatedRun>, Error> {
    let is_new = session.is_new_request(receipt)?;
    let git_base = find_base(session, request, is_new)?;
    let dirty = git_base.as_ref().map_or(0, |git_base| git_base.dirty);
    let wanted = ResolvedRun::new(session, request, git_base.as_ref(), is_new)?;
    loop {
        let name = match is_new {
            true => find_free_name(session, request, git_base.as_ref())?,
            // A repeated request has its name already, and does not use this one.
            false => Slug::from_title(&request.title),
        };
        let made = Operation::by_lead(receipt, who).run_with_effects(
            session,
            |unit| {
                let id = wanted.insert_run(unit, &name)?;
                if wanted.git_base.is_some() {
                    return Ok(RequestDecision::Pending(id.0));
                }
                let run = lookup::load_run(unit.tx, id)?;
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
            // Another process has just taken the free name: choose another one.
            Err(Error::Refused(Refusal::RunExists { .. })) if request.name.is_none() => {}
            other => return other,
        }
    }
}

/// Checks that a run could be created with a plan, and returns what the plan would add; nothing is changed.
///
/// # Errors
/// Those of [`create_run`] and of adding the plan.
pub fn preview_run(
    session: &mut Session,
    who: &Slug,
    request: &NewRun,
    plan: &TaskPlan,
) -> Result<Response<PlanOutcome>, Error> {
    let git_base = find_base(session, request, true)?;
    let wanted = ResolvedRun::new(session, request, git_base.as_ref(), true)?;
    let name = find_free_name(session, request, git_base.as_ref())?;
    Operation::by_lead(None, who).run_or_preview(session, true, |unit| {
        wanted.insert_run(unit, &name)?;
        apply_plan(unit, Some(&name), plan)
    })
}

/// Finds the commit that a run begins from, in a repository that can have its worktrees.
fn find_base(session: &mut Session, request: &NewRun, is_new: bool) -> Result<Option<GitBase>, Error> {
    let git_base = match &request.place {
        Some(place) if is_new => GitBase::resolve_location(session, place)?,
        Some(_) | None => None,
    };
    if let Some(git_base) = git_base.as_ref().filter(|_| !request.rules.copy.is_empty()) {
        git_base.require_main_tree()?;
    }
    Ok(git_base)
}

/// A request for a new run, with everything that was looked up for it.
struct ResolvedRun<'a> {
    request: &'a NewRun,
    policy: Policy,
    git_base: Option<&'a GitBase>,
    /// The folder that its workers share, for a run without worktrees.
    folder: Option<String>,
    /// Whether the request is new, so that anything was looked up.
    is_new: bool,
}

impl<'a> ResolvedRun<'a> {
    /// Checks what needs no transaction.
    fn new(
        session: &mut Session,
        request: &'a NewRun,
        git_base: Option<&'a GitBase>,
        is_new: bool,
    ) -> Result<Self, Error> {
        let default = if git_base.is_some() { DoneWhen::Integrated } else { DoneWhen::Reported };
        let done_when = request.done_when.unwrap_or(default);
        if is_new && git_base.is_none() && done_when != DoneWhen::Reported {
            return Err(TreeRefusal::BaseNotFound { revision: None }.into());
        }
        let shares_folder = is_new && git_base.is_none();
        if shares_folder && !request.rules.verify.is_empty() {
            return Err(TreeRefusal::ChecksWithoutWorktree.into());
        }
        Ok(Self {
            request,
            policy: Policy { done_when, ..request.policy.clone() },
            git_base,
            folder: shares_folder.then(|| find_shared_folder(session, &request.folder).display().to_string()),
            is_new,
        })
    }

    fn insert_run(&self, unit: &mut UnitOfWork<'_, '_>, name: &Slug) -> Result<RunId, Error> {
        let Self { request, policy, git_base, folder, is_new } = self;
        if !is_new {
            return Err(operation::request_aborted_elsewhere());
        }
        if run_table::name_exists(unit.tx, name)? {
            return Err(Refusal::RunExists { run: name.clone() }.into());
        }
        let ground = git_base.map(|git_base| git_base.run_git(name));
        let goal = request.goal.as_deref();
        let new = run_table::NewRunRow {
            name,
            title: &request.title,
            goal,
            policy,
            ground: ground.as_ref(),
            folder: folder.as_deref(),
        };
        let id = run_table::insert(unit.tx, new, unit.now)?;
        if request.rules != AttemptRules::default() || request.budget != Budget::default() {
            run_table::save_rules(unit.tx, id, &request.rules, &request.budget)?;
        }
        let data = vec![("title", request.title.as_str().into())];
        unit.append_event(EventKind::RunCreated, EventSubject::of_run(id), None, data)?;
        if ground.is_some() {
            request_effect(unit.tx, id, &Effect::CreateBranch, unit.now)?;
        }
        Ok(id)
    }
}

/// Lists runs, newest first.
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
/// The run does not exist, or it is not named and there are several.
pub fn show_run(session: &mut Session, run: Option<&Slug>, page: &PageRequest) -> Result<RunTasks, Error> {
    let shown = load_run_tasks(session, run, page)?;
    if notice_branch_moves(session, [&shown.run]) { load_run_tasks(session, run, page) } else { Ok(shown) }
}

fn load_run_tasks(session: &mut Session, run: Option<&Slug>, page: &PageRequest) -> Result<RunTasks, Error> {
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

/// Edits the title, goal or policy of a run.
///
/// # Errors
/// The run does not exist, or is cancelled.
pub fn edit_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Run>>,
    who: &Slug,
    run: Option<&Slug>,
    edit: &RunEdit,
) -> Result<Response<Run>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let before = unit.resolve_run(run)?;
        apply_run_edit(unit, &before, edit)
    })
}

/// Pauses, resumes or cancels a run; it is idempotent.
///
/// # Errors
/// The run does not exist, or its state does not allow the change.
pub fn change_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Run>>,
    who: &Slug,
    run: Option<&Slug>,
    verb: RunAction,
) -> Result<Response<Run>, Error> {
    if verb == RunAction::Cancel {
        return cancel_run(session, receipt, who, run);
    }
    let branch_is_back = verb == RunAction::Resume && may_resume_branch(session, run);
    Operation::by_lead(receipt, who).run(session, |unit| {
        let before = unit.resolve_run(run)?;
        let mut data = Vec::new();
        let mut pause = |reason: PauseReason| {
            data.push(("reason", reason.name().into()));
            decide::pause_run(&before, reason, unit.now)
        };
        let (after, kind) = match verb {
            RunAction::Pause => (pause(PauseReason::User)?, EventKind::RunPaused),
            RunAction::Stop => (pause(PauseReason::Stop)?, EventKind::RunPaused),
            RunAction::Resume => {
                (decide::resume_run(&before, branch_is_back, unit.now)?, EventKind::RunResumed)
            }
            RunAction::Cancel => unreachable!("a run is cancelled in pieces"),
        };
        let Some(after) = after else { return Ok(before) };
        unit.request_sweep(&after)?;
        unit.replace_run(after);
        match verb {
            RunAction::Pause | RunAction::Stop | RunAction::Cancel => {
                set_run_offered(unit, before.id, false)?;
            }
            RunAction::Resume => {
                set_run_offered(unit, before.id, true)?;
                // What failed is tried again at once.
                effect::forget_failures(unit.tx, before.id, None)?;
            }
        }
        unit.append_event(kind, EventSubject::of_run(before.id), None, data)?;
        Ok(unit.load_run(before.id)?.clone())
    })
}

/// Whether a run that its branch paused may be resumed: the branch is back.
///
/// Otherwise the present position of the branch is recorded, so that the refusal tells where it is now.
fn may_resume_branch(session: &mut Session, run: Option<&Slug>) -> bool {
    let Ok(run) = session.query(|tx| lookup::find_run(tx, run)) else { return false };
    if run.state.pause_reason() != Some(PauseReason::BranchMoved) {
        return false;
    }
    let is_back = is_branch_back(session, &run);
    if !is_back {
        notice_branch_moves(session, [&run]);
    }
    is_back
}

/// The states of tasks that are listed by default: all of them.
pub const ALL_STATES: &[TaskState] = &TaskState::ALL;

/// Edits a run within a unit of work, and appends the event.
pub(crate) fn apply_run_edit(
    unit: &mut UnitOfWork<'_, '_>,
    before: &Run,
    edit: &RunEdit,
) -> Result<Run, Error> {
    let after = decide::edit_run(before, edit, unit.now)?;
    if after.rules != before.rules || after.budget != before.budget {
        run_table::save_rules(unit.tx, after.id, &after.rules, &after.budget)?;
    }
    unit.replace_run(after.clone());
    unit.append_event(EventKind::RunEdited, EventSubject::of_run(after.id), None, Vec::new())?;
    if after.state != before.state {
        unit.append_event(EventKind::RunResumed, EventSubject::of_run(after.id), None, Vec::new())?;
        set_run_offered(unit, after.id, true)?;
    }
    Ok(after)
}

/// Returns the given name, or the first free name that the title allows.
///
/// A name is not free if there are branches of a run with this name, even of another store.
fn find_free_name(
    session: &mut Session,
    request: &NewRun,
    git_base: Option<&GitBase>,
) -> Result<Slug, Error> {
    let base = request.name.clone().unwrap_or_else(|| Slug::from_title(&request.title));
    let mut name = base.clone();
    let mut number = 1;
    loop {
        let taken = session.read(|tx, _| Ok(run_table::name_exists(tx, &name)?))?;
        if taken && request.name.is_some() {
            return Err(Refusal::RunExists { run: name }.into());
        }
        let branches = match git_base {
            Some(git_base) if !taken => git_base.branch_conflict(&name)?,
            _ => None,
        };
        match branches {
            None if !taken => return Ok(name),
            // The branch conflicts with every name, or with the given one.
            Some(error) if request.name.is_some() || number > 1_000 => return Err(error),
            Some(_) | None => {}
        }
        number += 1;
        name = base.with_number(number);
    }
}

/// Parses the cursor of a page: the key of the last task of the page before.
pub fn task_cursor(tx: &mut Transaction<'_>, run: &Run, page: &PageRequest) -> Result<TaskId, Error> {
    let Some(cursor) = &page.after else { return Ok(TaskId(0)) };
    let key = Slug::new(cursor).map_err(|_| invalid_cursor())?;
    task_table::id_by_key(tx, run.id, &key)?.ok_or_else(invalid_cursor)
}
