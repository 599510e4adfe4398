//! The keys of checks: digests of the tree, the command, and all surroundings that a result may depend on.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use orch_core::check::key::is_key_variable;
use orch_core::check::{CheckIdentity, CheckKey};
use orch_core::id::TreeHash;

use crate::checks;
use crate::checks::{CheckSpec, CheckSubject};
use crate::run_repository::{main_worktree, to_commit_id};
use orch_git::{Repository, digest_text};
use orch_inbox::{Error, Session};

/// The keys of the checks of one commit.
pub struct CheckKeys {
    /// The tree of the commit.
    pub tree: TreeHash,
    /// The digest of all commands together.
    pub series: String,
    /// The key of each check, in order.
    pub keys: Vec<CheckKey>,
}

impl CheckKeys {
    /// Computes the keys of these checks on the subject's commit.
    pub fn compute(
        session: &Session,
        repository: &Repository,
        subject: &CheckSubject<'_>,
        specs: &[CheckSpec],
    ) -> Result<Self, Error> {
        let tree = repository.tree_of_commit(&to_commit_id(subject.commit)?)?;
        let tree = TreeHash::from_stored(tree.to_string());
        let identity = match subject.run.rules.checks.by {
            CheckIdentity::Tree => tree.as_str(),
            CheckIdentity::Commit => subject.commit.as_str(),
        };
        let surroundings = digest_surroundings(session, repository, subject)?;
        let key = |spec: &CheckSpec| digest_parts(&[identity, &spec.command, &surroundings]);
        let keys = specs.iter().map(|spec| CheckKey::from_digest(key(spec))).collect();
        let commands: Vec<&str> = specs.iter().map(|spec| spec.command.as_str()).collect();
        Ok(Self { tree, series: digest_parts(&commands), keys })
    }
}

/// Returns the digest of what the checks of one commit share: setup, copied files, variables, conversions, platform.
fn digest_surroundings(
    session: &Session,
    repository: &Repository,
    subject: &CheckSubject<'_>,
) -> Result<String, Error> {
    let rules = &subject.run.rules;
    let copied = match main_worktree(repository)? {
        Some(main) => main.describe_ignored_files(&rules.copy)?,
        None => String::new(),
    };
    let environment = checks::check_environment(session, subject);
    let counts = |(name, _): &&(OsString, OsString)| is_key_variable(name.as_bytes());
    let mut variables: Vec<String> = environment
        .as_pairs()
        .iter()
        .filter(counts)
        .map(|(name, value)| format!("{:?}={:?}", name.as_bytes(), value.as_bytes()))
        .collect();
    variables.sort_unstable();
    Ok(digest_parts(&[
        std::env::consts::OS,
        std::env::consts::ARCH,
        rules.setup.as_deref().unwrap_or_default(),
        &copied,
        &variables.join(","),
        &repository.describe_conversions()?,
    ]))
}

/// Returns the digest of several parts, each with its length, so that no other parts give the same digest.
fn digest_parts(parts: &[&str]) -> String {
    let with_lengths: String = parts.iter().map(|part| format!("{} {part}", part.len())).collect();
    digest_text(&with_lengths)
}
