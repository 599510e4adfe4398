//! Check trees: the clean checkouts in which checks run, kept in a pool for each run.
//!
//! A check tree holds the files of one commit, the copied ignored files and the output of the setup, and nothing else.
//! Before each check everything else is removed from it, except what `--check-cache` names.
//! Its git folder is its own, so that index flags, settings and hooks of a worker do not reach it.
//! The setup runs again when what it depends on has changed, or when a check has changed its output.

use std::path::{Path, PathBuf};

use orch_core::check::{CheckRun, CheckState};
use orch_core::escape;
use orch_core::run::{Run, RunStatus};

use crate::checks;
use crate::checks::{CheckPlace, CheckSpec, CheckSubject, CheckTurn, RanCheck};
use crate::disk_space::require_disk_space;
use crate::run_repository::{main_worktree, require_run_git, to_commit_id};
use orch_git::{
    CommitId, CopiedFiles, GitError, IsolatedCheckout, Repository, Worktree, WrittenFiles,
    canonicalize_existing, delete_checkout_settings, digest_text, exists_at, list_isolated_checkouts,
    remove_empty_folders,
};
use orch_inbox::{Error, Session};
use orch_process::limit::CHECK_GRACE;
use orch_process::{Tag, terminate_tagged};

/// The variable that tags the processes of a check.
const TAG_NAME: &str = "ORCH_CHECK";

/// A check tree that this process uses.
pub struct CheckTree<'r> {
    repository: &'r Repository,
    checkout: IsolatedCheckout<'r>,
    commit: CommitId,
    /// On what the output of the setup depends.
    key: String,
    /// Where the logs of its commands are written.
    logs: PathBuf,
    /// The commands that have run here since it was acquired.
    commands: Vec<String>,
    /// What is deleted when it is released, where it was acquired for a trial.
    trial: Option<TrialFolders>,
}

/// The folders that a trial has made.
struct TrialFolders {
    /// The folder of the saved settings.
    settings: Option<PathBuf>,
    /// The folder of the run's check trees, and those above it that were missing.
    roots: Vec<PathBuf>,
    /// Whether the checkout is new.
    is_new: bool,
}

/// The result of preparing a check tree.
enum TreePreparation {
    /// It is ready.
    Ready,
    /// The setup did not succeed.
    SetupFailed(RanCheck),
}

impl<'r> CheckTree<'r> {
    /// Acquires a check tree of the run, preferably one in which the setup need not run again.
    pub fn acquire(
        session: &Session,
        repository: &'r Repository,
        subject: &CheckSubject<'_>,
    ) -> Result<Self, Error> {
        let commit = to_commit_id(subject.commit)?;
        let key = setup_key(repository, subject.run, &commit)?;
        let checkout = acquire_checkout(session, repository, subject.run, &key)?;
        terminate_leftovers(&checkout);
        let logs = checks::log_folder(session, subject.run, subject.attempt.map(|(_, name)| name));
        Ok(Self { repository, checkout, commit, key, logs, commands: Vec::new(), trial: None })
    }

    /// Acquires a check tree that leaves nothing when it is released, except where there was one before.
    pub fn acquire_for_trial(
        session: &Session,
        repository: &'r Repository,
        subject: &CheckSubject<'_>,
    ) -> Result<Self, Error> {
        let root = Path::new(&require_run_git(subject.run)?.root);
        let settings = settings_folder(session, subject.run);
        let is_missing = |folder: &&Path| !exists_at(folder);
        let before = list_isolated_checkouts(root);
        let roots = root.ancestors().take_while(is_missing).map(Path::to_owned).collect();
        let settings = Some(settings).filter(|folder| is_missing(&folder.as_path()));
        let tree = Self::acquire(session, repository, subject)?;
        let top = tree.checkout.folder();
        let is_new = !before.iter().any(|folder| canonicalize_existing(folder) == top);
        let logs = top.join("trial-logs");
        Ok(Self { logs, trial: Some(TrialFolders { settings, roots, is_new }), ..tree })
    }

    /// Runs a check on exactly what the commit holds.
    ///
    /// A check that a signal ended runs again: what its own processes do to it happens again, what others did does not.
    /// Whenever a check runs again, nothing is left of its earlier run, not even in the cache.
    pub fn run(
        &mut self,
        session: &Session,
        subject: &CheckSubject<'_>,
        spec: &CheckSpec,
        turn: CheckTurn,
    ) -> Result<RanCheck, Error> {
        loop {
            let is_again = self.commands.contains(&spec.command);
            let cache = if is_again { &[][..] } else { &subject.run.rules.check_cache[..] };
            if let TreePreparation::SetupFailed(setup) = self.make_ready(session, subject, cache)? {
                return Ok(setup);
            }
            self.commands.push(spec.command.clone());
            let ran = checks::run_check_in(session, subject, self.place(), spec, turn);
            if is_again || !ran.is_doubtful {
                return Ok(ran);
            }
        }
    }

    /// Releases the tree; a run that is over needs it no more.
    pub fn release(self, run: &Run) -> Result<(), Error> {
        let Self { checkout, logs, trial, .. } = self;
        let is_new = trial.as_ref().is_some_and(|trial| trial.is_new);
        if is_over(run) || is_new {
            checkout.delete()?;
        } else if trial.is_some() {
            delete_checkout_settings(&logs)?;
        }
        let Some(TrialFolders { settings, roots, .. }) = trial else { return Ok(()) };
        if let Some(settings) = settings {
            delete_checkout_settings(&settings)?;
        }
        remove_empty_folders(&roots);
        Ok(())
    }

    fn place(&self) -> CheckPlace<'_> {
        CheckPlace { folder: self.checkout.top_level(), logs: &self.logs }
    }

    /// Restores the state before any check: by cleaning, or where that is not enough by setting up again.
    fn make_ready(
        &self,
        session: &Session,
        subject: &CheckSubject<'_>,
        cache: &[String],
    ) -> Result<TreePreparation, Error> {
        if let Some((key, written)) = self.checkout.load_record()
            && key == self.key
        {
            if written.find_change(self.checkout.top_level()).is_none() {
                self.checkout.check_out(&self.commit, &written, cache)?;
                return Ok(TreePreparation::Ready);
            }
            self.checkout.discard_content()?;
        }
        self.set_up(session, subject, cache)
    }

    /// Checks the commit out, copies the ignored files that it needs, and runs the setup.
    fn set_up(
        &self,
        session: &Session,
        subject: &CheckSubject<'_>,
        cache: &[String],
    ) -> Result<TreePreparation, Error> {
        let rules = &subject.run.rules;
        self.checkout.forget_record()?;
        self.checkout.check_out(&self.commit, &WrittenFiles::default(), cache)?;
        if let Some(main) = main_worktree(self.repository)? {
            self.checkout.copy_ignored_from(&main, &rules.copy)?;
        }
        if let Some(command) = &rules.setup {
            let setup = checks::run_setup_in(session, subject, self.place(), command);
            if setup.check.state != CheckState::Passed {
                return Ok(TreePreparation::SetupFailed(setup));
            }
            let restored = self.checkout.restore_files(&self.commit, allowed_changes(subject.run));
            if let Some(refused) = refuse_setup_changes(restored, setup)? {
                return Ok(TreePreparation::SetupFailed(refused));
            }
        }
        let written = self.checkout.record_written(&self.commit, &rules.check_cache)?;
        self.checkout.save_record(&self.key, &written)?;
        Ok(TreePreparation::Ready)
    }
}

/// The tag of the checks in a folder.
pub fn check_tag(folder: &str) -> Tag<'_> {
    Tag { name: TAG_NAME, value: folder }
}

/// Saves the settings of the repository that check trees of the run will have, before any worker can change them.
pub fn save_settings(session: &Session, repository: &Repository, run: &Run) -> Result<(), Error> {
    Ok(repository.save_checkout_settings(&settings_folder(session, run))?)
}

/// The patterns of tracked files that the setup may change; `None` is all.
pub fn allowed_changes(run: &Run) -> Option<&[String]> {
    Some(run.rules.setup_may_change.as_slice()).filter(|patterns| !patterns.is_empty())
}

/// Turns a setup that changed tracked files without permission into a failed one.
pub fn refuse_setup_changes(
    restored: Result<Vec<PathBuf>, GitError>,
    setup: RanCheck,
) -> Result<Option<RanCheck>, Error> {
    let files = match restored {
        Err(GitError::NotClean { files, .. }) => files,
        restored => return restored.map(|_| None).map_err(Error::from),
    };
    let names: Vec<String> = files.iter().map(|file| escape::path_text(&file.path)).collect();
    let names = escape::join_names(names.iter().map(String::as_str));
    let message = format!("the setup changed tracked files that --setup-may-change does not name: {names}");
    let check = CheckRun { state: CheckState::CouldNotStart, message: Some(message), ..setup.check };
    Ok(Some(RanCheck { check, ..setup }))
}

/// Copies the ignored files that a new worktree needs from the main worktree.
pub fn copy_ignored_files(
    repository: &Repository,
    tree: &Worktree<'_>,
    globs: &[String],
) -> Result<CopiedFiles, Error> {
    if globs.is_empty() {
        return Ok(CopiedFiles::default());
    }
    match main_worktree(repository)? {
        Some(main) if main.top_level() != tree.top_level() => Ok(tree.copy_ignored_from(&main, globs)?),
        _ => Ok(CopiedFiles::default()),
    }
}

/// The check trees of a run that no check needs: all of them once the run is over.
pub fn list_unneeded(run: &Run) -> Result<Vec<PathBuf>, Error> {
    if !is_over(run) {
        return Ok(Vec::new());
    }
    Ok(list_isolated_checkouts(Path::new(&require_run_git(run)?.root)))
}

/// Deletes a check tree; `false` if a check is running in it.
pub fn delete_check_tree(repository: &Repository, folder: &Path) -> Result<bool, Error> {
    let Some(checkout) = repository.try_isolated_checkout(folder, folder)? else { return Ok(false) };
    terminate_leftovers(&checkout);
    checkout.delete()?;
    Ok(true)
}

/// Deletes the check trees and the saved settings of a run that is removed.
pub fn delete_all(session: &Session, repository: &Repository, run: &Run) -> Result<(), Error> {
    for folder in list_isolated_checkouts(Path::new(&require_run_git(run)?.root)) {
        if !delete_check_tree(repository, &folder)? {
            return Err(GitError::Busy.into());
        }
    }
    Ok(delete_checkout_settings(&settings_folder(session, run))?)
}

/// Returns a digest of what the setup and the copied files of a check tree depend on.
pub fn setup_key(repository: &Repository, run: &Run, commit: &CommitId) -> Result<String, Error> {
    let rules = &run.rules;
    let copied = match main_worktree(repository)? {
        Some(main) => main.describe_ignored_files(&rules.copy)?,
        None => String::new(),
    };
    let inputs = match &rules.setup {
        None => String::new(),
        Some(_) if rules.setup_key.is_empty() => repository.tree_of_commit(commit)?.to_string(),
        Some(_) => repository.describe_files_matching(commit, &rules.setup_key)?,
    };
    let parts = [
        rules.setup.as_deref().unwrap_or_default(),
        &inputs,
        &copied,
        &rules.setup_may_change.join("\n"),
        &rules.check_cache.join("\n"),
        // The values of the other variables differ between terminals, and rarely matter.
        &rules.check_env.join("\n"),
    ];
    Ok(digest_text(&parts.join("\0")))
}

fn is_over(run: &Run) -> bool {
    matches!(run.state.status(), RunStatus::Finished | RunStatus::Cancelled)
}

fn settings_folder(session: &Session, run: &Run) -> PathBuf {
    session.store_folder().join("checkout-settings").join(run.id.0.to_string())
}

/// Opens a free checkout: the first that was set up for this key, else the first free one, else a new one.
fn acquire_checkout<'r>(
    session: &Session,
    repository: &'r Repository,
    run: &Run,
    key: &str,
) -> Result<IsolatedCheckout<'r>, Error> {
    let root = Path::new(&require_run_git(run)?.root);
    require_disk_space(root)?;
    save_settings(session, repository, run)?;
    Ok(repository.acquire_isolated_checkout(root, &settings_folder(session, run), key)?)
}

/// Terminates what a check has left here whose own process was killed.
fn terminate_leftovers(checkout: &IsolatedCheckout<'_>) {
    let folder = checkout.top_level().display().to_string();
    let _ = terminate_tagged(check_tag(&folder), CHECK_GRACE);
}
