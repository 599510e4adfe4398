//! What must hold on a disk after a power loss: everything that an answer before it promised.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use super::power_site::{PowerSite, RUN, SiteSnapshot};
use super::power_story::{StepPromise, StoryStep};

/// A moment of a story: the steps that were answered before, and the one that was not.
pub(super) struct StoryMoment<'a> {
    /// The last answered step that promised everything, and those after it, with the one in progress.
    since_everything: &'a [StoryStep],
    /// The last answered step that promised the store, and those after it, with the one in progress.
    since_store: &'a [StoryStep],
    /// Whether nothing was done since everything was promised.
    is_quiet: bool,
}

impl<'a> StoryMoment<'a> {
    /// Finds the steps around a moment.
    pub(super) fn new(steps: &'a [StoryStep], moment: usize) -> Self {
        let answered = steps.partition_point(|step| step.answered <= moment);
        let end = (answered + 1).min(steps.len());
        let since = |is_promise: fn(StepPromise) -> bool| {
            let begin = steps[..answered].iter().rposition(|step| is_promise(step.promise)).unwrap_or(0);
            &steps[begin..end]
        };
        let since_everything = since(|promise| promise == StepPromise::Everything);
        let since_store = since(|promise| promise != StepPromise::Nothing);
        let is_quiet = since_everything[0].answered == moment;
        Self { since_everything, since_store, is_quiet }
    }

    /// Describes the moment.
    pub(super) fn description(&self) -> String {
        let what: Vec<&str> = self.since_everything.iter().map(|step| step.what.as_str()).collect();
        match what.as_slice() {
            [answered] => format!("after the answer of `{answered}`"),
            [answered, rest @ ..] => {
                format!("after the answer of `{answered}`, while or after: {}", rest.join("; "))
            }
            [] => String::new(),
        }
    }

    /// Checks the disk, which is mounted.
    ///
    /// # Errors
    /// Something that was promised is missing.
    pub(super) fn check_site(&self, site: &PowerSite) -> Result<(), String> {
        let is_risky = self.since_everything.iter().skip(1).any(|step| step.promise == StepPromise::Risk);
        let found = match site.snapshot() {
            // Git does not flush what the user packs; it refuses to read a torn `packed-refs` at all.
            Err(error) if is_risky && error.contains("packed-refs") => return Ok(()),
            found => found?,
        };
        self.check_store(&found)?;
        if is_risky {
            return Ok(());
        }
        self.check_references(site, &read_references(site)?)?;
        if self.is_quiet {
            site.git(&["fsck", "--no-dangling", "--no-progress"])?;
        }
        remove_user_locks(site);
        site.attempt("orch", &["reconcile"])?;
        self.check_references(site, &read_references(site)?)?;
        self.check_health(site)?;
        if self.has_moved_main() {
            return Ok(());
        }
        if !self.is_quiet && site.git(&["status"]).is_err() {
            // The user's own index, which no command flushed.
            std::fs::remove_file(site.repo.repository_path().join(".git/index"))
                .map_err(|error| error.to_string())?;
            site.git(&["reset", "--quiet"])?;
        }
        continue_work(site)
    }

    /// Nothing is damaged but what workers had not reported yet.
    fn check_health(&self, site: &PowerSite) -> Result<(), String> {
        let has_unreported = self.since_everything.iter().any(|step| step.promise == StepPromise::Nothing);
        let doctor = site.attempt("orch", &["doctor"])?;
        let is_bad = |finding: &&Value| {
            finding["level"] != "ok" && !(has_unreported && finding["check"] == "references")
        };
        let findings = doctor["findings"].as_array().into_iter().flatten().filter(is_bad);
        let findings: Vec<String> = findings.map(Value::to_string).collect();
        if findings.is_empty() { Ok(()) } else { Err(format!("doctor: {}", findings.join(", "))) }
    }

    /// Returns whether the user committed on `main` since everything was promised, which a power loss may undo or damage.
    fn has_moved_main(&self) -> bool {
        let main = |step: &'a StoryStep| step.after.references.get("refs/heads/main");
        let (promised, later) = (self.since_everything.first(), self.since_everything.iter().skip(1));
        later
            .filter(|step| step.promise == StepPromise::Nothing)
            .any(|step| main(step) != promised.and_then(main))
    }

    /// Each promised reference names what it named, and all of its objects can be read.
    fn check_references(&self, site: &PowerSite, found: &[(String, String)]) -> Result<(), String> {
        let (promised, later) = self.since_everything.split_first().ok_or("there is no step")?;
        let mut readable = BTreeSet::new();
        for (name, commit) in &promised.after.references {
            let mut changes = vec![];
            let mut before = Some(commit);
            for step in later {
                let after = step.after.references.get(name);
                if after != before {
                    changes.push((step.promise, after));
                    before = after;
                }
            }
            // Who moves a reference without flushing it takes the risk.
            if changes.iter().any(|(promise, _)| *promise == StepPromise::Nothing) {
                continue;
            }
            let now = found.iter().find(|(found, _)| found == name).map(|(_, commit)| commit);
            match now {
                Some(now) if changes.is_empty() && now != commit => {
                    return Err(format!("{name} was at {commit} and is at {now}"));
                }
                Some(now) => readable.extend([now.clone()]),
                None if changes.iter().any(|(_, after)| after.is_none()) => {}
                None => {
                    let why = site.git(&["rev-parse", "--verify", name]);
                    return Err(format!("{name} was at {commit} and is missing or unreadable: {why:?}"));
                }
            }
        }
        read_all_objects(site, &readable)
    }

    /// Each task has the state that an answer told.
    fn check_store(&self, found: &SiteSnapshot) -> Result<(), String> {
        let (promised, later) = self.since_store.split_first().ok_or("there is no step")?;
        let promised = &promised.after;
        if promised.has_run != found.has_run
            && later.iter().all(|step| step.after.has_run == promised.has_run)
        {
            return Err(format!("whether the store has the run {RUN}: {}", found.has_run));
        }
        if !found.has_run {
            return Ok(());
        }
        for (list, name) in [(&promised.tasks, "task"), (&promised.worktrees, "worktree of")] {
            let is_tasks = name == "task";
            for (key, state) in list {
                let of = |snapshot: &SiteSnapshot| {
                    let list = if is_tasks { &snapshot.tasks } else { &snapshot.worktrees };
                    list.get(key).cloned()
                };
                let has_changed = later.iter().any(|step| of(&step.after).as_ref() != Some(state));
                let now = of(found);
                if !has_changed && now.as_ref() != Some(state) {
                    return Err(format!("{name} {key} was {state} and is {now:?}"));
                }
            }
        }
        Ok(())
    }
}

/// Reads all references that can be read; a broken one is left out, and is not an error here.
fn read_references(site: &PowerSite) -> Result<Vec<(String, String)>, String> {
    let output = site
        .repo
        .try_run_git_in(&site.repo.repository_path(), ["for-each-ref", "--format=%(refname) %(objectname)"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pair = |line: &str| line.split_once(' ').map(|(name, commit)| (name.to_owned(), commit.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

/// Reads every object that commits need.
fn read_all_objects(site: &PowerSite, commits: &BTreeSet<String>) -> Result<(), String> {
    let mut words = vec!["rev-list", "--objects", "--no-object-names"];
    words.extend(commits.iter().map(String::as_str));
    if commits.is_empty() {
        return Ok(());
    }
    let objects = site.git(&words)?;
    let mut command = std::process::Command::new("git");
    command.env_clear().envs(site.repo.environment_variables()).current_dir(site.repo.repository_path());
    command.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("git does not start: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A git that fails says so by its status.
        let _ = stdin.write_all(objects.as_bytes()).and_then(|()| stdin.write_all(b"\n"));
    }
    let output = child.wait_with_output().map_err(|error| format!("git cannot be waited for: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("an object cannot be read: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Removes the locks of git that `orch doctor` reports and leaves to the user.
fn remove_user_locks(site: &PowerSite) {
    for name in ["packed-refs.lock", "config.lock", "HEAD.lock", "index.lock", "refs/heads/main.lock"] {
        // Mostly there is none.
        let _ = std::fs::remove_file(site.repo.repository_path().join(".git").join(name));
    }
}

/// Continues the work, also that of a worker whose worktree or branch was damaged.
fn continue_work(site: &PowerSite) -> Result<(), String> {
    for (key, state) in site.snapshot()?.tasks {
        if matches!(state.as_str(), "dispatched" | "running") {
            site.attempt("orch", &["recall", &key, "--run", RUN])?;
            site.attempt("orch", &["dispatch", &format!("{RUN}/{key}"), "--to", "w"])?;
        }
    }
    site.attempt("orch", &["run", "init", "Another goal", "--name", "after"])?;
    site.attempt("orch", &["task", "add", "Continue", "--key", "on", "--run", "after"])?;
    site.attempt("orch", &["dispatch", "after/on", "--to", "w"])?;
    Ok(())
}
