//! A plan that is driven: its run is made, or found where it was made before.

use std::path::{Path, PathBuf};

use orch_contract::RunView;
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::{AttemptRules, Budget, DoneWhen, Policy, RunEdit};
use orch_scheduler::plan::{TaskPlan, add_plan};
use orch_scheduler::rm::remove_run;
use orch_scheduler::run::{NewRun, create_run, show_run};
use orch_scheduler::run_location::{BRANCH_PREFIX, RunLocation};
use orch_store::page::PageRequest;

use crate::context::CommandRuntime;
use crate::orch::run::init::warn_about_run;
use crate::orch::task::{plan_refused, plan_unreadable};
use orch_app::AppError;
use orch_app::plan_file::{self, PlanFile};

/// Makes the plan's run, in the repository around this folder where there is one, or brings the one that was made
/// before up to date; returns its name.
///
/// # Errors
/// The plan cannot be read or is refused, the run cannot be made, or the store failed.
pub(in crate::orch) fn create_or_update_run(
    path: &Path,
    folder: PathBuf,
    named: Option<Slug>,
    who: &Slug,
    context: &mut CommandRuntime<'_>,
) -> Result<Slug, AppError> {
    let text =
        plan_file::read_plan(path, &mut std::io::stdin().lock()).map_err(|error| plan_unreadable(&error))?;
    let PlanFile { plan, run_name, base } = text.parse(true, false).map_err(|error| plan_refused(&error))?;
    let title = plan.run.title.clone().unwrap_or_else(|| title_of(path));
    let name = named.or(run_name).unwrap_or_else(|| Slug::from_title(&title));
    let (session, _) = context.open_or_create_session()?;
    let page = PageRequest { limit: 1, after: None };
    let there = show_run(session, Some(&name), &page).is_ok();
    let mut begun = None;
    if !there {
        let new = new_run(&plan, name.clone(), title, base, folder);
        let made = create_run(session, None, who, &new)?;
        if let orch_inbox::Response::Fresh(made) = made {
            begun = Some((RunView::from_run(&made.run), made.dirty));
        }
    }
    let rest =
        TaskPlan { update: there, run: if there { plan.run.clone() } else { RunEdit::default() }, ..plan };
    if let Err(error) = add_plan(session, None, who, Some(&name), &rest) {
        if !there {
            // A run without the plan that it was made for is in the way of the next try; what went wrong is told first.
            let _ = remove_run(session, None, who, &name);
            let again = orch_core::shell::quote_word(&path.display().to_string());
            return Err(AppError::from(error).with_hint(format!("orch drive --plan {again}")));
        }
        return Err(error.into());
    }
    if let Some((run, dirty)) = begun {
        warn_about_run(context, &run, dirty);
    }
    Ok(name)
}

/// What a plan's run is called when the plan does not say.
fn title_of(path: &Path) -> String {
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
        },
        budget: Budget {
            max_wall: edit.max_wall.flatten(),
            max_cost_micros: edit.max_cost_micros.flatten(),
            max_tokens: edit.max_tokens.flatten(),
            max_attempts_all: edit.max_attempts_all.flatten(),
            task_wall: edit.task_wall.flatten(),
            task_cost_micros: edit.task_cost_micros.flatten(),
            task_tokens: edit.task_tokens.flatten(),
        },
        place: Some(RunLocation {
            folder,
            base,
            required,
            root: None,
            branch_prefix: BRANCH_PREFIX.to_owned(),
        }),
    }
}
