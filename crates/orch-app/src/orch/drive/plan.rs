//! The plan of a drive: its run is created, or updated when it exists.

use std::io::Read;
use std::path::{Path, PathBuf};

use orch_core::check::CheckPolicy;
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_core::run::{AttemptRules, DoneWhen, Policy, RunEdit};
use orch_core::shell;
use orch_inbox::{Error, Response};
use orch_scheduler::plan::{TaskPlan, add_plan};
use orch_scheduler::run::{NewRun, create_run, preview_run, show_run};
use orch_store::page::PageRequest;
use orch_upkeep::rm::{RemovalExtent, remove_run};
use orch_workspace::run_location::{BRANCH_PREFIX, RunLocation};

use crate::app::{App, working_folder};
use crate::error::AppError;
use crate::orch::task::plan::{left_warning, plan_error, plan_response, read_error};
use orch_plan::PlanFile;

/// The plan of a drive, and the run that it is for.
struct DrivePlan {
    plan: TaskPlan,
    base: Option<String>,
    title: String,
    name: Slug,
}

/// A plan that was checked and not added.
#[derive(Clone, Debug)]
pub struct CheckedPlan {
    /// Its run, where that exists.
    pub run: Option<Slug>,
    /// What a drive would do with it, a sentence.
    pub message: String,
}

impl App<'_> {
    /// Checks the plan of a drive and changes nothing.
    ///
    /// # Errors
    /// There is no store, or the plan cannot be read or would be refused.
    pub fn check_plan(
        &mut self,
        path: &Path,
        stdin: &mut dyn Read,
        named: Option<Slug>,
        agent: &Slug,
    ) -> Result<CheckedPlan, AppError> {
        let DrivePlan { plan, base, title, name } = self.read_drive_plan(path, stdin, named, true)?;
        self.require_outside_attempts(path)?;
        let count = plan.tasks.len();
        if !self.has_run(&name)? {
            let message = format!("The drive would create the run {name} with {count} tasks.");
            let folder = working_folder()?;
            let mut new = new_run(&plan, name, title, base, folder);
            self.apply_run_defaults(&mut new)?;
            let tasks = TaskPlan { run: RunEdit::default(), ..plan };
            preview_run(self.session()?, agent, &new, &tasks)?;
            return Ok(CheckedPlan { run: None, message });
        }
        let tasks = TaskPlan { update: true, dry_run: true, ..plan };
        add_plan(self.session()?, None, agent, Some(&name), &tasks)?;
        let message = format!("The drive would update the run {name} by a plan of {count} tasks.");
        Ok(CheckedPlan { run: Some(name), message })
    }

    /// Reads a plan, and determines its run.
    fn read_drive_plan(
        &mut self,
        path: &Path,
        stdin: &mut dyn Read,
        named: Option<Slug>,
        dry_run: bool,
    ) -> Result<DrivePlan, AppError> {
        let text = orch_plan::read_plan(path, stdin).map_err(|error| read_error(&error))?;
        let PlanFile { plan, run_name, base, specs_outside } =
            text.parse(true, dry_run).map_err(|error| plan_error(&error))?;
        self.warn_about_specs(&specs_outside);
        let title = plan.run.title.clone().unwrap_or_else(|| default_title(path));
        let name = named.or(run_name).unwrap_or_else(|| Slug::from_title(&title));
        Ok(DrivePlan { plan, base, title, name })
    }

    fn has_run(&mut self, name: &Slug) -> Result<bool, AppError> {
        let page = PageRequest { limit: 1, after: None };
        match show_run(self.session()?, Some(name), &page) {
            Ok(_) => Ok(true),
            Err(Error::Refused(Refusal::RunNotFound { .. })) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates the run of a plan, in the repository around `folder` where there is one, or updates the existing run.
    ///
    /// Returns the run's name.
    ///
    /// # Errors
    /// The plan cannot be read or is refused, or the run cannot be created.
    pub fn create_or_update_run(
        &mut self,
        path: &Path,
        stdin: &mut dyn Read,
        folder: PathBuf,
        named: Option<Slug>,
        agent: &Slug,
    ) -> Result<Slug, AppError> {
        let DrivePlan { plan, base, title, name } = self.read_drive_plan(path, stdin, named, false)?;
        self.open_or_create_session()?;
        self.require_outside_attempts(path)?;
        let page = PageRequest { limit: 1, after: None };
        let mut exists = self.has_run(&name)?;
        let mut created = None;
        if !exists {
            let mut new = new_run(&plan, name.clone(), title, base, folder);
            self.apply_run_defaults(&mut new)?;
            match create_run(self.session()?, None, agent, &new) {
                Ok(Response::Fresh(run)) => created = Some(run),
                Ok(Response::Replayed(_)) => {}
                // Another drive of this plan was faster.
                Err(Error::Refused(Refusal::RunExists { .. })) => exists = true,
                Err(error) => return Err(error.into()),
            }
        }
        let run = if exists { plan.run.clone() } else { RunEdit::default() };
        let tasks = TaskPlan { update: true, run, ..plan };
        let added = add_plan(self.session()?, None, agent, Some(&name), &tasks);
        if let Ok(Response::Fresh(planned)) = &added
            && planned.left_total > 0
        {
            let warning = left_warning(&plan_response(planned));
            self.add_warning(warning);
        }
        if let Err(error) = added {
            let session = self.session()?;
            let has_tasks =
                show_run(session, Some(&name), &page).is_ok_and(|shown| shown.run.counts.total() > 0);
            if exists || has_tasks {
                return Err(error.into());
            }
            // A run without its plan would conflict with the next try; the first error is the one to report.
            let _ = remove_run(session, None, agent, &name, RemovalExtent::KeepWork);
            let path = shell::quote_word(&path.display().to_string());
            return Err(AppError::from(error).with_hint(format!("orch drive --plan {path}")));
        }
        if let Some(created) = created {
            self.warn_about_run(&created);
        }
        Ok(name)
    }
}

/// Returns the title of a run whose plan has none.
fn default_title(path: &Path) -> String {
    path.file_stem().map_or_else(|| "plan".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn new_run(plan: &TaskPlan, name: Slug, title: String, base: Option<String>, folder: PathBuf) -> NewRun {
    let edit = &plan.run;
    let required = matches!(plan.done_when, Some(DoneWhen::Verified | DoneWhen::Integrated));
    NewRun {
        name: Some(name),
        title,
        goal: edit.goal.clone(),
        done_when: plan.done_when,
        policy: Policy {
            done_when: plan.done_when.unwrap_or(DoneWhen::Reported),
            max_active: edit.max_active.flatten(),
            max_attempts: edit.max_attempts.unwrap_or(limit::ATTEMPTS_DEFAULT),
            retry_delay: edit.retry_delay.unwrap_or(limit::RETRY_DELAY_DEFAULT),
            lease: edit.lease.unwrap_or(LeaseLength::DEFAULT),
            answer_after: edit.answer_after.flatten(),
        },
        rules: AttemptRules {
            verify: edit.verify.clone().unwrap_or_default(),
            setup: edit.setup.clone(),
            copy: edit.copy.clone().unwrap_or_default(),
            protect: edit.protect.clone().unwrap_or_default(),
            check_limit: edit.check_limit.unwrap_or(limit::CHECK_LIMIT_DEFAULT),
            checks: CheckPolicy {
                by: edit.check_by.unwrap_or_default(),
                retries: edit.check_retries.unwrap_or(limit::CHECK_RETRIES_DEFAULT),
                flaky: edit.flaky.unwrap_or_default(),
            },
            check_cache: edit.check_cache.clone().unwrap_or_default(),
            check_env: edit.check_env.clone().unwrap_or_default(),
            inherits_env: false,
            setup_key: edit.setup_key.clone().unwrap_or_default(),
            setup_may_change: edit.setup_may_change.clone().unwrap_or_default(),
            on_branch_move: edit.on_branch_move.unwrap_or_default(),
            trailers: edit.trailers.unwrap_or(true),
            run_hooks: edit.run_hooks.unwrap_or(false),
            review: edit.review.unwrap_or_default(),
            rework: edit.rework.unwrap_or(limit::REWORK_DEFAULT),
        },
        budget: edit.budget,
        folder: folder.clone(),
        place: Some(RunLocation {
            folder,
            base,
            required,
            root: None,
            branch_prefix: BRANCH_PREFIX.to_owned(),
        }),
    }
}
