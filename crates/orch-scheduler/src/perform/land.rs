//! Bringing the run's branch onto another one, which moves from exactly where it was seen, or not at all.
//!
//! What is about to happen is written down first: cut off in between, whoever comes next sees whether the branch has
//! moved. What is refused is given up, so that nothing lands later without being asked for again.

use std::path::{Path, PathBuf};

use orch_core::check::{CheckStage, CheckState, ChecksVerdict};
use orch_core::effect::EffectKind;
use orch_core::escape;
use orch_core::event::EventKind;
use orch_core::id::{Slug, TaskId};
use orch_core::refusal::TreeRefusal;
use orch_core::run::{DoneWhen, Run};
use orch_core::task::TaskState;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, check_run, task as task_table, worktree};
use serde_json::json;

use super::checks::{self, CheckSubject};
use super::effect_lease::{self, EffectLease};
use super::integrate::{MOVES_MAX, TrackedBranch, advance_branch, superseded_error};
use super::{
    branch_ref, complete_effect, load_run, open_repository, require_run_git, to_commit_id, to_stored_commit,
    tool_transaction,
};
use crate::lookup;
use crate::run::about_run;
use orch_git::{CommitId, CommitRelation, FileChangeKind, GitError, MergeOutcome, RefName, Repository};
use orch_inbox::{Error, Session};

/// How many files that are in the way are named.
const FILES_NAMED: usize = 20;

/// What is wanted, and what is about to happen, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LandingIntent {
    /// The branch to land on.
    pub onto: String,
    /// Whether a part of the run will do.
    pub partial: bool,
    /// Who wants it.
    pub who: Slug,
    /// From where to where the branch is about to move.
    moving: Option<BranchMove>,
}

/// One step of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BranchMove {
    from: CommitId,
    to: CommitId,
}

impl LandingIntent {
    /// A wish that nothing was done for yet.
    pub(crate) fn new(onto: &str, partial: bool, who: &Slug) -> Self {
        Self { onto: onto.to_owned(), partial, who: who.clone(), moving: None }
    }

    /// Whether both want the same.
    pub(crate) fn is_same_request(&self, other: &Self) -> bool {
        (&self.onto, self.partial) == (&other.onto, other.partial)
    }

    /// As text.
    pub(crate) fn encode_intent(&self) -> String {
        let step = self.moving.as_ref();
        json!({
            "onto": self.onto,
            "partial": self.partial,
            "who": self.who.as_str(),
            "from": step.map(|step| step.from.as_str()),
            "to": step.map(|step| step.to.as_str()),
        })
        .to_string()
    }

    /// Back from text.
    pub(crate) fn decode_intent(text: &str) -> Option<Self> {
        let written: serde_json::Value = serde_json::from_str(text).ok()?;
        let commit = |name: &str| written[name].as_str().and_then(CommitId::parse);
        Some(Self {
            onto: written["onto"].as_str()?.to_owned(),
            partial: written["partial"].as_bool()?,
            who: Slug::from_stored(written["who"].as_str()?.to_owned()),
            moving: commit("from").zip(commit("to")).map(|(from, to)| BranchMove { from, to }),
        })
    }
}

/// Lands the run, or says why not.
pub(crate) fn perform_landing(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let wish = taken.effect.intent.as_deref().and_then(LandingIntent::decode_intent);
    let landed = match &wish {
        Some(wish) => land_onto_branch(session, taken, wish),
        None => Ok(()),
    };
    match landed {
        Err(error @ Error::Store(_)) => Err(error),
        landed => {
            // Where it did land the effect is gone already.
            tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()))?;
            landed
        }
    }
}

fn land_onto_branch(session: &mut Session, taken: &EffectLease, wish: &LandingIntent) -> Result<(), Error> {
    let run = session.read(|tx, _| load_run(tx, taken.effect.run))?;
    let repository = open_repository(session, &run)?;
    let branch = require_run_git(&run)?.branch.clone();
    if run.policy.done_when != DoneWhen::Integrated {
        merge_accepted_attempts(session, &run, wish, &repository)?;
    }
    let tip = branch_tip(&repository, &branch)?;
    for _ in 0..MOVES_MAX {
        let target = target_branch(&repository, &wish.onto)?;
        if let Some(step) = &wish.moving
            && repository.is_ancestor(&step.to, &target.tip)?
        {
            return record_landing(session, taken, wish, step);
        }
        let (to, is_merge) = match repository.commit_relation(&target.tip, &tip)? {
            CommitRelation::UpToDate => return Ok(()),
            CommitRelation::FastForward => (tip.clone(), false),
            CommitRelation::Diverged => (merge_run_onto(&repository, &run, wish, &target.tip, &tip)?, true),
        };
        if let Some(path) = &target.checkout {
            require_clean_checkout(&repository, path, &target.tip, &to)?;
        }
        if is_merge {
            check_landing(session, &run, &to, &wish.onto)?;
        }
        let step = BranchMove { from: target.tip.clone(), to };
        let written = LandingIntent { moving: Some(step.clone()), ..wish.clone() }.encode_intent();
        if !session
            .write(WriteDurability::Power, |tx, _| taken.record_intent(tx, &written).map(TxEnd::Commit))?
        {
            return Err(superseded_error());
        }
        match advance_branch(&target, &step.to) {
            Ok(()) => return record_landing(session, taken, wish, &step),
            // Somebody else moved it: what is to land is looked at anew.
            Err(GitError::RefMoved { found: Some(_), .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(GitError::Busy.into())
}

/// Where a branch is; it must be there.
pub(crate) fn branch_tip(repository: &Repository, branch: &str) -> Result<CommitId, Error> {
    let missing = || TreeRefusal::BranchNotFound { branch: branch.to_owned() };
    let name = RefName::from_branch_name(branch).map_err(|_| missing())?;
    Ok(repository.read_ref(&name)?.ok_or_else(missing)?)
}

/// The branch to land on, and who has it checked out.
fn target_branch<'r>(repository: &'r Repository, onto: &str) -> Result<TrackedBranch<'r>, Error> {
    let tip = branch_tip(repository, onto)?;
    let name = branch_ref(onto)?;
    let checkout = repository.find_worktree_on_branch(&name)?.map(|entry| entry.path);
    Ok(TrackedBranch { repository, name, tip, checkout })
}

/// A commit that has both.
fn merge_run_onto(
    repository: &Repository,
    run: &Run,
    wish: &LandingIntent,
    onto: &CommitId,
    tip: &CommitId,
) -> Result<CommitId, Error> {
    let (branch, onto_name) = (&require_run_git(run)?.branch, &wish.onto);
    match repository.merge_trees(onto, tip)? {
        MergeOutcome::Merged { tree } => {
            let message = format!("Merge {branch} into {onto_name}\n\n{}\n", run.title);
            Ok(repository.write_merge_commit(&tree, &[onto.clone(), tip.clone()], &message)?)
        }
        MergeOutcome::Conflict(conflict) => {
            let files = conflict.files.iter().map(|path| escape::path_text(path)).collect();
            let (onto, branch) = (onto_name.clone(), branch.clone());
            Err(TreeRefusal::LandConflict { onto, branch, files }.into())
        }
    }
}

/// Refuses a checkout in which something is not committed, or would be overwritten.
fn require_clean_checkout(
    repository: &Repository,
    path: &Path,
    from: &CommitId,
    to: &CommitId,
) -> Result<(), Error> {
    let tree = repository.open_worktree(path)?;
    tree.wait_until_unlocked()?;
    if let Some(operation) = tree.operation_in_progress() {
        return Err(GitError::InProgress { path: path.to_owned(), operation }.into());
    }
    let dirty = tree.read_status()?.dirty;
    if dirty.is_empty() {
        return Ok(());
    }
    let changed = repository.changed_paths(from, to)?;
    let in_the_way: Vec<String> = dirty
        .iter()
        .filter(|file| {
            // A file that git does not know may stay where nothing comes in its place.
            let takes_place = |path: &PathBuf| path.starts_with(&file.path) || file.path.starts_with(path);
            file.change != FileChangeKind::Untracked || changed.iter().any(takes_place)
        })
        .map(|file| escape::path_text(&file.path))
        .collect();
    if in_the_way.is_empty() {
        return Ok(());
    }
    let total = in_the_way.len();
    let files = in_the_way.into_iter().take(FILES_NAMED).collect();
    let tree = path.display().to_string();
    Err(TreeRefusal::WorktreeDirty { thread: None, tree, files, total }.into())
}

/// Runs the run's checks on the merged tree.
fn check_landing(session: &mut Session, run: &Run, at: &CommitId, onto: &str) -> Result<(), Error> {
    let orders = checks::check_specs(&run.rules.verify, &[]);
    if orders.is_empty() {
        return Ok(());
    }
    let at = to_stored_commit(at);
    let subject = CheckSubject { run, attempt: None, slot: 0, stage: CheckStage::Land, commit: &at };
    let verdict = checks::run_in_scratch_worktree(session, &subject, &orders)?;
    tool_transaction(session, |stage| {
        check_run::clear_run(stage.tx, run.id, CheckStage::Land)?;
        for check in &verdict.checks {
            check_run::insert(stage.tx, check)?;
        }
        Ok(())
    })?;
    match verdict.judgement() {
        ChecksVerdict::Good => Ok(()),
        ChecksVerdict::Bad | ChecksVerdict::Unknown => {
            let subject = format!("{} merged with {onto}", run.name);
            Err(TreeRefusal::ChecksFailed { subject, checks: verdict.failed_checks() }.into())
        }
    }
}

/// Records that the branch has moved.
fn record_landing(
    session: &mut Session,
    taken: &EffectLease,
    wish: &LandingIntent,
    step: &BranchMove,
) -> Result<(), Error> {
    tool_transaction(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(());
        }
        let data = vec![
            ("onto", wish.onto.as_str().into()),
            ("commit", step.to.as_str().into()),
            ("from", step.from.as_str().into()),
            ("partial", wish.partial.into()),
        ];
        stage.append_event(EventKind::Landed, about_run(taken.effect.run), Some(wish.who.clone()), data)
    })
}

/// Merges what was accepted into the run's branch, in a run whose tasks are done before that.
fn merge_accepted_attempts(
    session: &mut Session,
    run: &Run,
    wish: &LandingIntent,
    repository: &Repository,
) -> Result<(), Error> {
    session.write(WriteDurability::Power, |tx, now| {
        effect_lease::request_effect(tx, EffectKind::Integrate, run.id, None, now)?;
        Ok(TxEnd::Commit(()))
    })?;
    complete_effect(session, EffectKind::Integrate, run.id, None)?;
    if wish.partial {
        return Ok(());
    }
    let left = session.read(|tx, _| Ok(worktree::list_unmerged_tasks(tx, run.id, TaskState::Done)?))?;
    match left.first() {
        Some(first) => Err(left_out_error(session, run, repository, *first)?),
        None => Ok(()),
    }
}

/// Why an accepted attempt is not on the run's branch.
fn left_out_error(
    session: &mut Session,
    run: &Run,
    repository: &Repository,
    id: TaskId,
) -> Result<Error, Error> {
    let (attempt, tree, ran) = session.read(|tx, _| {
        let task = task_table::load(tx, id)?.ok_or_else(|| lookup::missing_row("task", id.0))?;
        let last = task.attempt.ok_or_else(|| lookup::missing_row("attempt", id.0))?;
        let attempt = attempt::load(tx, last.id)?.ok_or_else(|| lookup::missing_row("attempt", last.id.0))?;
        let tree = worktree::load(tx, last.id)?.ok_or_else(|| lookup::missing_row("worktree", last.id.0))?;
        Ok((attempt, tree, check_run::list_by_attempt(tx, last.id)?))
    })?;
    let bad =
        ran.iter().filter(|check| check.stage == CheckStage::Merge && check.state != CheckState::Passed);
    let failed: Vec<_> = bad.map(checks::failed_check).collect();
    let subject = attempt.name.to_string();
    if !failed.is_empty() {
        return Ok(TreeRefusal::ChecksFailed { subject, checks: failed }.into());
    }
    let (tip, head) =
        (branch_tip(repository, &require_run_git(run)?.branch)?, to_commit_id(tree.accepted_commit())?);
    let files = match repository.merge_trees(&tip, &head)? {
        MergeOutcome::Conflict(conflict) => {
            conflict.files.iter().map(|path| escape::path_text(path)).collect()
        }
        MergeOutcome::Merged { .. } => Vec::new(),
    };
    Ok(TreeRefusal::MergeConflict { subject, files }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_as_it_was_written() {
        let id = |digit: &str| CommitId::parse(&digit.repeat(40)).unwrap();
        let wish = LandingIntent::new("main", true, &Slug::from_stored("lead".to_owned()));
        let moving =
            LandingIntent { moving: Some(BranchMove { from: id("1"), to: id("2") }), ..wish.clone() };
        for wish in [&wish, &moving] {
            assert_eq!(LandingIntent::decode_intent(&wish.encode_intent()).as_ref(), Some(wish));
        }
        assert!(wish.is_same_request(&moving));
        for text in ["", "lead", "{}", r#"{"onto":"a"}"#] {
            assert_eq!(LandingIntent::decode_intent(text), None, "{text}");
        }
    }
}
