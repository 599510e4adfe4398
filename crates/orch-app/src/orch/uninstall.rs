//! `orch uninstall`: removes everything that orch has written for a repository.

use std::path::{Path, PathBuf};

use orch_contract::orch::clean::{CleanResponse, KeptResourceView};
use orch_contract::{ErrorCode, ErrorView};
use orch_core::id::Slug;
use orch_core::refusal::TreeRefusal;
use orch_process::deletion::{delete_empty_folder, delete_with_contents, is_something_at};
use orch_query::ps::list_processes;
use orch_scheduler::run::list_runs;
use orch_store::page::PageRequest;
use orch_upkeep::clean::clean_attic;
use orch_upkeep::rm::{RemovalExtent, plan_removal, remove_run};
use orch_workspace::run_remains::{RemainingReference, orphaned_references};
use serde::Serialize;

use super::clean::removed_resource;
use crate::app::App;
use crate::error::AppError;
use crate::request::{Answer, Reply, Request, RequestKey};

/// How many runs are read at once.
const RUNS_PER_PAGE: u32 = 100;

/// The files and folders of a store, for one in a folder with other files.
const STORE_CONTENTS: [&str; 8] =
    ["orch.db", "orch.db-wal", "orch.db-shm", "logs", "meter", "wake", "relays", "sessions"];

/// Removes all runs with their worktrees and branches, and the store.
#[derive(Debug, Serialize)]
pub struct UninstallStore {
    /// The lead who decides.
    pub agent: Slug,
    /// Removes also work that has not landed.
    pub discard_unlanded: bool,
    /// Answers what would be removed, and removes nothing.
    pub dry_run: bool,
}

impl Request for UninstallStore {
    const COMMAND: &'static str = "orch uninstall";
    type View = CleanResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<CleanResponse> {
        require_idle(app)?;
        let runs = all_runs(app)?;
        let mut planned = CleanResponse { dry_run: self.dry_run, removes: Vec::new(), keeps: Vec::new() };
        for run in &runs {
            self.plan_run(app, run, &mut planned)?;
        }
        let setups = app.remove_project_setups(true)?;
        let session = app.session()?;
        let store = session.store_folder().to_owned();
        let orphaned = orphaned_references(session)?;
        for reference in &orphaned.references {
            self.plan_reference(reference, &mut planned)?;
        }
        for path in &setups {
            planned.removes.push(removed_resource("setup", None, path.display().to_string()));
        }
        let contents = store_contents(&store);
        for path in &contents {
            planned.removes.push(removed_resource("store", None, path.display().to_string()));
        }
        if self.dry_run {
            return Ok(Reply::new(planned));
        }
        for run in &runs {
            remove_run(session, None, &self.agent, run, RemovalExtent::PurgeAll)?;
        }
        clean_attic(session, None, &self.agent, None)?;
        orphaned.delete()?;
        app.remove_project_setups(false)?;
        app.close_session();
        for path in &contents {
            delete_with_contents(path).map_err(|source| {
                AppError::from(orch_inbox::Error::File { doing: "delete", path: path.clone(), source })
            })?;
        }
        // A folder with other files stays.
        let _ = delete_empty_folder(&store);
        Ok(Reply::new(planned))
    }
}

impl UninstallStore {
    fn plan_run(&self, app: &mut App<'_>, run: &Slug, planned: &mut CleanResponse) -> Result<(), AppError> {
        let (run, remains) = plan_removal(app.session()?, run)?;
        let unlanded = remains.unlanded_parts();
        if !unlanded.is_empty() && !self.discard_unlanded && !self.dry_run {
            return Err(refused(TreeRefusal::UnlandedWork { run: run.name, parts: unlanded }));
        }
        planned.removes.push(removed_resource("run", None, run.name.to_string()));
        planned.removes.extend(
            remains.trees.iter().map(|one| {
                removed_resource("worktree", Some(one.attempt.to_string()), one.tree.path.clone())
            }),
        );
        let references = remains.references.iter();
        planned.removes.extend(
            references.map(|one| removed_resource("reference", None, one.tip.reference.as_str().to_owned())),
        );
        planned
            .keeps
            .extend(unlanded.into_iter().map(|part| self.unlanded_resource(part.path, &part.problem)));
        Ok(())
    }

    /// Plans the removal of a reference that a removed run has left.
    fn plan_reference(
        &self,
        reference: &RemainingReference,
        planned: &mut CleanResponse,
    ) -> Result<(), AppError> {
        let name = reference.tip.reference.as_str().to_owned();
        planned.removes.push(removed_resource("reference", None, name.clone()));
        if reference.unlanded == 0 {
            return Ok(());
        }
        let problem = reference.describe_unlanded();
        if !self.discard_unlanded && !self.dry_run {
            let message = format!("{name} {problem}.");
            let hint = "orch uninstall --discard-unlanded";
            return Err(ErrorView::new(ErrorCode::WorktreeConflict, message).with_hint(hint).into());
        }
        planned.keeps.push(self.unlanded_resource(name, &problem));
        Ok(())
    }

    fn unlanded_resource(&self, what: String, problem: &str) -> KeptResourceView {
        let why =
            if self.discard_unlanded { "is lost" } else { "stops the removal without --discard-unlanded" };
        KeptResourceView { what, why: format!("It {problem}, which {why}.") }
    }
}

fn refused(refusal: TreeRefusal) -> AppError {
    let error = AppError::from(orch_inbox::Error::from(refusal));
    error.with_hint("orch uninstall --dry-run".to_owned())
}

/// Refuses as long as a supervisor or a worker is at work.
fn require_idle(app: &mut App<'_>) -> Result<(), AppError> {
    let session = app.session()?;
    session.require_writable()?;
    let processes = list_processes(session, None)?;
    let count = processes.workers.len() + processes.supervisors.len();
    if count == 0 {
        return Ok(());
    }
    let what = if count == 1 { "A process is" } else { "Processes are" };
    let message = format!("{what} at work for this store.");
    Err(ErrorView::new(ErrorCode::AttemptLive, message).with_hint("orch stop").into())
}

fn all_runs(app: &mut App<'_>) -> Result<Vec<Slug>, AppError> {
    let mut runs = Vec::new();
    let mut page = PageRequest { limit: RUNS_PER_PAGE, after: None };
    loop {
        let found = list_runs(app.session()?, &page)?;
        runs.extend(found.items.into_iter().map(|run| run.name));
        match found.next {
            Some(next) => page.after = Some(next),
            None => return Ok(runs),
        }
    }
}

/// Returns the paths to delete: the store's folder if it is orch's own, else what the store has written there.
fn store_contents(store: &Path) -> Vec<PathBuf> {
    let is_own = matches!(store.file_name().and_then(|name| name.to_str()), Some("orch" | ".orch"));
    if is_own {
        return vec![store.to_owned()];
    }
    STORE_CONTENTS.iter().map(|name| store.join(name)).filter(|path| is_something_at(path)).collect()
}
