//! Bringing the run's branch onto another one, which moves from exactly where it was seen, or not at all.
//!
//! What is about to happen is written down first: cut off in between, whoever comes next sees whether the branch has
//! moved. What is refused is given up, so that nothing lands later without being asked for again.

use std::path::{Path, PathBuf};

use orch_core::check::{CheckStage, CheckState, Judgement};
use orch_core::effect::EffectKind;
use orch_core::event::EventKind;
use orch_core::id::{Slug, TaskId};
use orch_core::refusal::TreeRefusal;
use orch_core::run::{DoneWhen, Run};
use orch_core::task::TaskState;
use orch_core::visible;
use orch_store::Ending;
use orch_store::driver::Durability;
use orch_store::table::{attempt, check_run, task as task_table, worktree};
use serde_json::json;

use super::checks::{self, Subject};
use super::hold::{self, Taken};
use super::integrate::{Branch, MOVES_MAX, advance, superseded};
use super::{branch_ref, commit, commit_id, complete, decide, ground, repository, run_row};
use crate::run::about;
use crate::scope;
use orch_git::{Change, CommitId, GitError, Merge, RefName, Relation, Repository};
use orch_inbox::{Error, Session};

/// How many files that are in the way are named.
const FILES_NAMED: usize = 20;

/// What is wanted, and what is about to happen, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The branch to land on.
    pub onto: String,
    /// Whether a part of the run will do.
    pub partial: bool,
    /// Who wants it.
    pub who: Slug,
    /// From where to where the branch is about to move.
    moving: Option<Step>,
}

/// One step of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    from: CommitId,
    to: CommitId,
}

impl Wish {
    /// A wish that nothing was done for yet.
    pub(crate) fn new(onto: &str, partial: bool, who: &Slug) -> Self {
        Self { onto: onto.to_owned(), partial, who: who.clone(), moving: None }
    }

    /// Whether both want the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.onto, self.partial) == (&other.onto, other.partial)
    }

    /// As text.
    pub(crate) fn write(&self) -> String {
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
    pub(crate) fn read(text: &str) -> Option<Self> {
        let written: serde_json::Value = serde_json::from_str(text).ok()?;
        let commit = |name: &str| written[name].as_str().and_then(CommitId::parse);
        Some(Self {
            onto: written["onto"].as_str()?.to_owned(),
            partial: written["partial"].as_bool()?,
            who: Slug::stored(written["who"].as_str()?.to_owned()),
            moving: commit("from").zip(commit("to")).map(|(from, to)| Step { from, to }),
        })
    }
}

/// Lands the run, or says why not.
pub(crate) fn perform(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    let wish = taken.effect.intent.as_deref().and_then(Wish::read);
    let landed = match &wish {
        Some(wish) => land(session, taken, wish),
        None => Ok(()),
    };
    match landed {
        Err(error @ Error::Store(_)) => Err(error),
        landed => {
            // Where it did land the effect is gone already.
            decide(session, |stage| taken.finish(stage.tx).map(|_| ()))?;
            landed
        }
    }
}

fn land(session: &mut Session, taken: &Taken, wish: &Wish) -> Result<(), Error> {
    let run = session.read(|tx, _| run_row(tx, taken.effect.run))?;
    let repository = repository(session, &run)?;
    let branch = ground(&run)?.branch.clone();
    if run.policy.done_when != DoneWhen::Integrated {
        gather(session, &run, wish, &repository)?;
    }
    let tip = tip_of(&repository, &branch)?;
    for _ in 0..MOVES_MAX {
        let target = target(&repository, &wish.onto)?;
        if let Some(step) = &wish.moving
            && repository.is_ancestor(&step.to, &target.tip)?
        {
            return record(session, taken, wish, step);
        }
        let (to, is_merge) = match repository.relation(&target.tip, &tip)? {
            Relation::Contained => return Ok(()),
            Relation::FastForward => (tip.clone(), false),
            Relation::Diverged => (merged(&repository, &run, wish, &target.tip, &tip)?, true),
        };
        if let Some(path) = &target.checkout {
            require_clean(&repository, path, &target.tip, &to)?;
        }
        if is_merge {
            judge(session, &run, &to, &wish.onto)?;
        }
        let step = Step { from: target.tip.clone(), to };
        let written = Wish { moving: Some(step.clone()), ..wish.clone() }.write();
        if !session.write(Durability::Power, |tx, _| taken.intend(tx, &written).map(Ending::Keep))? {
            return Err(superseded());
        }
        match advance(&target, &step.to) {
            Ok(()) => return record(session, taken, wish, &step),
            // Somebody else moved it: what is to land is looked at anew.
            Err(GitError::RefMoved { found: Some(_), .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(GitError::Busy.into())
}

/// Where a branch is; it must be there.
pub(crate) fn tip_of(repository: &Repository, branch: &str) -> Result<CommitId, Error> {
    let missing = || TreeRefusal::BranchNotFound { branch: branch.to_owned() };
    let name = RefName::branch(branch).map_err(|_| missing())?;
    Ok(repository.read_ref(&name)?.ok_or_else(missing)?)
}

/// The branch to land on, and who has it checked out.
fn target<'r>(repository: &'r Repository, onto: &str) -> Result<Branch<'r>, Error> {
    let tip = tip_of(repository, onto)?;
    let name = branch_ref(onto)?;
    let checkout = repository.worktree_on(&name)?.map(|entry| entry.path);
    Ok(Branch { repository, name, tip, checkout })
}

/// A commit that has both.
fn merged(
    repository: &Repository,
    run: &Run,
    wish: &Wish,
    onto: &CommitId,
    tip: &CommitId,
) -> Result<CommitId, Error> {
    let (branch, onto_name) = (&ground(run)?.branch, &wish.onto);
    match repository.merge(onto, tip)? {
        Merge::Merged { tree } => {
            let message = format!("Merge {branch} into {onto_name}\n\n{}\n", run.title);
            Ok(repository.merge_commit(&tree, &[onto.clone(), tip.clone()], &message)?)
        }
        Merge::Conflict(conflict) => {
            let files = conflict.files.iter().map(|path| visible::text(path)).collect();
            let (onto, branch) = (onto_name.clone(), branch.clone());
            Err(TreeRefusal::LandConflict { onto, branch, files }.into())
        }
    }
}

/// Refuses a checkout in which something is not committed, or would be overwritten.
fn require_clean(repository: &Repository, path: &Path, from: &CommitId, to: &CommitId) -> Result<(), Error> {
    let tree = repository.worktree(path)?;
    tree.until_still()?;
    if let Some(operation) = tree.operation() {
        return Err(GitError::InProgress { path: path.to_owned(), operation }.into());
    }
    let dirty = tree.state()?.dirty;
    if dirty.is_empty() {
        return Ok(());
    }
    let changed = repository.changed_paths(from, to)?;
    let in_the_way: Vec<String> = dirty
        .iter()
        .filter(|file| {
            // A file that git does not know may stay where nothing comes in its place.
            let takes_place = |path: &PathBuf| path.starts_with(&file.path) || file.path.starts_with(path);
            file.change != Change::Untracked || changed.iter().any(takes_place)
        })
        .map(|file| visible::text(&file.path))
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
fn judge(session: &mut Session, run: &Run, at: &CommitId, onto: &str) -> Result<(), Error> {
    let orders = checks::orders(&run.rules.verify, &[]);
    if orders.is_empty() {
        return Ok(());
    }
    let at = commit(at);
    let subject = Subject { run, attempt: None, slot: 0, stage: CheckStage::Land, commit: &at };
    let verdict = checks::run_in_scratch(session, &subject, &orders)?;
    decide(session, |stage| {
        check_run::clear_run(stage.tx, run.id, CheckStage::Land)?;
        for check in &verdict.checks {
            check_run::insert(stage.tx, check)?;
        }
        Ok(())
    })?;
    match verdict.judgement() {
        Judgement::Good => Ok(()),
        Judgement::Bad | Judgement::Unknown => {
            let subject = format!("{} merged with {onto}", run.name);
            Err(TreeRefusal::ChecksFailed { subject, checks: verdict.failed() }.into())
        }
    }
}

/// Records that the branch has moved.
fn record(session: &mut Session, taken: &Taken, wish: &Wish, step: &Step) -> Result<(), Error> {
    decide(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(());
        }
        let data = vec![
            ("onto", wish.onto.as_str().into()),
            ("commit", step.to.as_str().into()),
            ("from", step.from.as_str().into()),
            ("partial", wish.partial.into()),
        ];
        stage.tell(EventKind::Landed, about(taken.effect.run), Some(wish.who.clone()), data)
    })
}

/// Merges what was accepted into the run's branch, in a run whose tasks are done before that.
fn gather(session: &mut Session, run: &Run, wish: &Wish, repository: &Repository) -> Result<(), Error> {
    session.write(Durability::Power, |tx, now| {
        hold::ask(tx, EffectKind::Integrate, run.id, None, now)?;
        Ok(Ending::Keep(()))
    })?;
    complete(session, EffectKind::Integrate, run.id, None)?;
    if wish.partial {
        return Ok(());
    }
    let left = session.read(|tx, _| Ok(worktree::unmerged(tx, run.id, TaskState::Done)?))?;
    match left.first() {
        Some(first) => Err(left_out(session, run, repository, *first)?),
        None => Ok(()),
    }
}

/// Why an accepted attempt is not on the run's branch.
fn left_out(session: &mut Session, run: &Run, repository: &Repository, id: TaskId) -> Result<Error, Error> {
    let (attempt, tree, ran) = session.read(|tx, _| {
        let task = task_table::load(tx, id)?.ok_or_else(|| scope::missing("task", id.0))?;
        let last = task.attempt.ok_or_else(|| scope::missing("attempt", id.0))?;
        let attempt = attempt::load(tx, last.id)?.ok_or_else(|| scope::missing("attempt", last.id.0))?;
        let tree = worktree::load(tx, last.id)?.ok_or_else(|| scope::missing("worktree", last.id.0))?;
        Ok((attempt, tree, check_run::of_attempt(tx, last.id)?))
    })?;
    let bad =
        ran.iter().filter(|check| check.stage == CheckStage::Merge && check.state != CheckState::Passed);
    let failed: Vec<_> = bad.map(checks::failed).collect();
    let subject = attempt.name.to_string();
    if !failed.is_empty() {
        return Ok(TreeRefusal::ChecksFailed { subject, checks: failed }.into());
    }
    let (tip, head) = (tip_of(repository, &ground(run)?.branch)?, commit_id(tree.accepted())?);
    let files = match repository.merge(&tip, &head)? {
        Merge::Conflict(conflict) => conflict.files.iter().map(|path| visible::text(path)).collect(),
        Merge::Merged { .. } => Vec::new(),
    };
    Ok(TreeRefusal::MergeConflict { subject, files }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_as_it_was_written() {
        let id = |digit: &str| CommitId::parse(&digit.repeat(40)).unwrap();
        let wish = Wish::new("main", true, &Slug::stored("lead".to_owned()));
        let moving = Wish { moving: Some(Step { from: id("1"), to: id("2") }), ..wish.clone() };
        for wish in [&wish, &moving] {
            assert_eq!(Wish::read(&wish.write()).as_ref(), Some(wish));
        }
        assert!(wish.is_same(&moving));
        for text in ["", "lead", "{}", r#"{"onto":"a"}"#] {
            assert_eq!(Wish::read(text), None, "{text}");
        }
    }
}
