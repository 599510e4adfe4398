//! Running checks on a commit, one after the other, each with a log of its own.
//!
//! Every check runs in a checkout that the tool made, never in a worker's worktree.

use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::check::key::is_key_variable;
use orch_core::check::{
    CheckKey, CheckRun, CheckSource, CheckStage, CheckState, CheckVariable, ChecksVerdict, KnownCheck,
    find_mentioned_names, judge_checks,
};
use orch_core::id::{AttemptId, AttemptName, CommitHash};
use orch_core::limit;
use orch_core::refusal::{FailedCheck, MissingVariables};
use orch_core::run::{AttemptRules, Run};
use orch_core::time::TimeSpan;
use orch_store::Transaction;
use orch_store::table::{check_result, check_run};

use crate::check_tree::{CheckTree, check_tag};
use crate::run_repository::open_repository;
use orch_inbox::{Error, Session};
use orch_process::limit::CHECK_GRACE;
use orch_process::{CheckCommand, CheckOutcome, EnvironmentVariables, read_check_log, run_check};

/// How large the log of one check may become.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How many variables are named that a failed check mentions.
const ENV_NOT_PASSED_MAX: usize = 20;

/// The exit statuses of a shell whose command was ended by SIGHUP, SIGINT, SIGKILL or SIGTERM.
const DOUBTFUL_STATUSES: [i32; 4] = [129, 130, 137, 143];

/// A check that is to run.
#[derive(Clone, Debug)]
pub struct CheckSpec {
    /// Who asked for it.
    pub source: CheckSource,
    /// The command, for `sh -c`.
    pub command: String,
}

/// The commit that checks run on, with the run and the attempt that they judge.
#[derive(Clone, Debug)]
pub struct CheckSubject<'a> {
    /// The run.
    pub run: &'a Run,
    /// The attempt, where the checks judge one.
    pub attempt: Option<(AttemptId, &'a AttemptName)>,
    /// A small number from which checks derive ports and database names.
    pub slot: u32,
    /// When in an attempt's life they run.
    pub stage: CheckStage,
    /// The commit.
    pub commit: &'a CommitHash,
    /// Stops the check that runs as soon as this is readable.
    pub stop: Option<BorrowedFd<'a>>,
}

/// A check that has run.
pub struct RanCheck {
    /// Its result.
    pub check: CheckRun,
    /// The tail of its output.
    pub tail: String,
    /// Whether a signal ended it, or a process of it, that may have come from outside.
    pub is_doubtful: bool,
}

/// The results of several checks.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// The result of each check.
    pub checks: Vec<CheckRun>,
    /// The tail of the output of the first check that did not pass.
    pub tail: Option<String>,
    /// What was found out for the keys of the checks.
    pub results: Vec<KnownResult>,
    /// The attempt whose checks failed before on what this report has again, where that was found.
    pub unchanged_since: Option<Option<AttemptName>>,
}

/// A result that is known for the key of a check from now on.
#[derive(Clone, Debug)]
pub struct KnownResult {
    /// The key.
    pub key: CheckKey,
    /// The result.
    pub known: KnownCheck,
}

/// Which run of which check of a series.
#[derive(Clone, Copy, Debug)]
pub struct CheckTurn {
    /// The place of the check in the series.
    pub index: usize,
    /// How often it ran before.
    pub run: usize,
}

impl CheckReport {
    /// Judges all of them together.
    pub fn verdict(&self) -> ChecksVerdict {
        judge_checks(self.checks.iter().map(|check| check.state))
    }

    /// Whether the checks ran on a commit with this tree.
    pub fn is_about(&self, tree: &str) -> bool {
        self.checks.iter().all(|check| check.tree.as_ref().is_some_and(|found| found.as_str() == tree))
    }

    /// Returns the report for another commit with the same tree.
    #[must_use]
    pub fn at_commit(self, commit: &CommitHash) -> Self {
        let checks =
            self.checks.into_iter().map(|check| CheckRun { commit: commit.clone(), ..check }).collect();
        Self { checks, ..self }
    }

    /// The checks that did not pass.
    pub fn failed_checks(&self, run: &Run) -> Vec<FailedCheck> {
        let failed = self.checks.iter().filter(|check| check.state != CheckState::Passed);
        failed.map(|check| failed_check(run, check)).collect()
    }

    /// The checks that did not pass, in sentences.
    pub fn failure_summary(&self, run: &Run) -> String {
        let sentences: Vec<String> = self.failed_checks(run).iter().map(ToString::to_string).collect();
        sentences.join(" ")
    }

    /// Records the result of each check, and makes it known for its key.
    pub fn save(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        for check in &self.checks {
            check_run::insert(tx, check)?;
        }
        self.save_results(tx)
    }

    /// Makes the results known for their keys.
    pub fn save_results(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        let Some(first) = self.checks.first() else { return Ok(()) };
        for KnownResult { key, known } in &self.results {
            check_result::save(tx, first.run, first.attempt, key, known)?;
        }
        Ok(())
    }

    /// The sentence on a report that has again what failed before; empty for any other.
    pub fn unchanged_sentence(&self) -> String {
        match &self.unchanged_since {
            None => String::new(),
            Some(Some(attempt)) => {
                format!("The report is unchanged: these checks failed on it for {attempt}. ")
            }
            Some(None) => "The report is unchanged: these checks failed on it before. ".to_owned(),
        }
    }
}

/// Converts a check of a run that did not pass to the form that refusals have.
pub fn failed_check(run: &Run, check: &CheckRun) -> FailedCheck {
    let missing = (!check.env_not_passed.is_empty()).then(|| MissingVariables {
        run: run.name.clone(),
        names: check.env_not_passed.clone(),
        passed: run.rules.check_env.clone(),
    });
    FailedCheck {
        stage: check.stage,
        command: check.command.clone(),
        state: check.state,
        exit_status: check.exit_status,
        message: check.message.clone(),
        log: check.log.clone(),
        missing,
    }
}

/// Runs the checks on the subject's commit, in a clean checkout of it, and leaves nothing: no record, no log, no checkout.
/// All of them run; only one that cannot start ends the series, because then nothing is known.
pub fn try_checks(
    session: &Session,
    subject: &CheckSubject<'_>,
    specs: &[CheckSpec],
) -> Result<CheckReport, Error> {
    if specs.is_empty() {
        return Ok(CheckReport::default());
    }
    let repository = open_repository(session, subject.run)?;
    let mut report = CheckReport::default();
    let mut tree = CheckTree::acquire_for_trial(session, &repository, subject)?;
    for (index, spec) in specs.iter().enumerate() {
        let RanCheck { check, tail, .. } = tree.run(session, subject, spec, CheckTurn { index, run: 0 })?;
        let passed = check.state == CheckState::Passed;
        let unknown = matches!(check.state, CheckState::TimedOut | CheckState::CouldNotStart);
        report.checks.push(CheckRun { log: None, ..check });
        if !passed && report.tail.is_none() {
            report.tail = Some(tail);
        }
        if unknown {
            break;
        }
    }
    tree.release(subject.run)?;
    Ok(report)
}

/// Where a command runs, and where its log is written.
#[derive(Clone, Copy, Debug)]
pub struct CheckPlace<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// The folder of the logs.
    pub logs: &'a Path,
}

/// Runs the setup command of a worktree.
pub fn run_setup_in(
    session: &Session,
    subject: &CheckSubject<'_>,
    place: CheckPlace<'_>,
    command: &str,
) -> RanCheck {
    let spec = CheckSpec { source: CheckSource::Setup, command: command.to_owned() };
    run_check_in(session, subject, place, &spec, CheckTurn { index: 0, run: 0 })
}

/// Runs a command in a folder that is ready for it.
pub fn run_check_in(
    session: &Session,
    subject: &CheckSubject<'_>,
    place: CheckPlace<'_>,
    spec: &CheckSpec,
    turn: CheckTurn,
) -> RanCheck {
    let CheckPlace { folder, logs } = place;
    let stage = subject.stage.name();
    let name = match (spec.source, turn) {
        (CheckSource::Setup, _) => format!("{stage}-setup.log"),
        (CheckSource::Run | CheckSource::Task | CheckSource::Tool, CheckTurn { index, run: 0 }) => {
            format!("{stage}-{}.log", index + 1)
        }
        (CheckSource::Run | CheckSource::Task | CheckSource::Tool, CheckTurn { index, run }) => {
            format!("{stage}-{}.{}.log", index + 1, run + 1)
        }
    };
    let log = logs.join(name);
    let environment = check_environment(session, subject);
    let limit = Duration::from_millis(u64::try_from(subject.run.rules.check_limit.0).unwrap_or(0));
    let ran = run_check(&CheckCommand {
        command: &spec.command,
        folder,
        environment: &environment,
        tag: check_tag(&folder.display().to_string()),
        limit,
        grace: CHECK_GRACE,
        log: &log,
        log_bytes_max: LOG_BYTES_MAX,
        secrets: session.world().secrets(),
        stop: subject.stop,
    });
    let (state, exit_status, message) = describe_outcome(&ran.outcome);
    // A failed setup says nothing about the commit.
    let state = match (spec.source, state) {
        (CheckSource::Setup, CheckState::Failed | CheckState::TimedOut) => CheckState::CouldNotStart,
        (_, state) => state,
    };
    let message = message.or_else(|| {
        (spec.source == CheckSource::Setup && state == CheckState::CouldNotStart)
            .then(|| format!("the setup exited with status {}", exit_status.unwrap_or(-1)))
    });
    let check = CheckRun {
        run: subject.run.id,
        attempt: subject.attempt.map(|(id, _)| id),
        stage: subject.stage,
        source: spec.source,
        command: spec.command.clone(),
        commit: subject.commit.clone(),
        tree: None,
        env_not_passed: find_missing_variables(session, &environment, spec, state, &log),
        reused: false,
        flaky: false,
        state,
        exit_status,
        message,
        duration: TimeSpan(i64::try_from(ran.duration_ms).unwrap_or(i64::MAX)),
        log: Some(log.display().to_string()),
        at: session.clock_now(),
    };
    RanCheck { check, tail: output_tail(&ran.tail), is_doubtful: is_doubtful(&ran.outcome) }
}

/// The state of a check that ended in this way, with its exit status, or what ended it.
fn describe_outcome(outcome: &CheckOutcome) -> (CheckState, Option<i32>, Option<String>) {
    match outcome {
        CheckOutcome::Exited(0) => (CheckState::Passed, Some(0), None),
        CheckOutcome::Exited(status) => (CheckState::Failed, Some(*status), None),
        CheckOutcome::Signalled { signal, .. } => {
            (CheckState::Failed, None, Some(format!("was ended by signal {signal}")))
        }
        CheckOutcome::TimedOut => (CheckState::TimedOut, None, None),
        CheckOutcome::Interrupted => (CheckState::CouldNotStart, None, Some("it was interrupted".to_owned())),
        CheckOutcome::CouldNotStart(fault) => (CheckState::CouldNotStart, None, Some(fault.to_string())),
    }
}

/// Whether a signal ended a check, or a process of it, that may have come from outside.
fn is_doubtful(outcome: &CheckOutcome) -> bool {
    match outcome {
        CheckOutcome::Exited(status) => DOUBTFUL_STATUSES.contains(status),
        CheckOutcome::Signalled { is_own, .. } => !is_own,
        CheckOutcome::TimedOut | CheckOutcome::Interrupted | CheckOutcome::CouldNotStart(_) => false,
    }
}

/// The tail of an output, within the bound, cut between characters.
fn output_tail(tail: &str) -> String {
    let from = tail.len().saturating_sub(limit::LOG_TAIL_BYTES);
    let from = (from..=tail.len()).find(|from| tail.is_char_boundary(*from)).unwrap_or(tail.len());
    tail[from..].trim_end().to_owned()
}

/// Returns the variables that a check did not get and that its command or output mentions; none for one that passed.
fn find_missing_variables(
    session: &Session,
    environment: &EnvironmentVariables,
    spec: &CheckSpec,
    state: CheckState,
    log: &Path,
) -> Vec<String> {
    if state == CheckState::Passed {
        return Vec::new();
    }
    let own = session.world().environment().as_pairs().iter().map(|(name, _)| name);
    let missing = own
        .filter(|name| is_key_variable(name.as_bytes()))
        .filter_map(|name| name.to_str())
        .filter(|name| environment.get(name).is_none());
    let mentioned = find_mentioned_names(missing, &[&spec.command, &read_check_log(log)]);
    mentioned.into_iter().take(ENV_NOT_PASSED_MAX).map(str::to_owned).collect()
}

/// The environment of a check: what every worker gets of the one of this process, and what the run passes.
pub fn check_environment(session: &Session, subject: &CheckSubject<'_>) -> EnvironmentVariables {
    let environment = session.world().environment().clone();
    let environment = environment.without_prefix("ORCH_").without_prefix("INBOX_");
    let environment = pass_variables(environment, &subject.run.rules);
    let environment = environment
        .with_variable("ORCH_RUN", subject.run.name.as_str())
        .with_variable("ORCH_SLOT", subject.slot.to_string())
        .with_variable("ORCH_STAGE", subject.stage.name());
    match subject.attempt {
        Some((_, name)) => environment
            .with_variable("ORCH_TASK", name.task.to_string())
            .with_variable("ORCH_ATTEMPT", name.to_string()),
        None => environment,
    }
}

/// Reduces an environment to what the checks of a run get of it.
fn pass_variables(environment: EnvironmentVariables, rules: &AttemptRules) -> EnvironmentVariables {
    let (mut patterns, mut settings) = (Vec::new(), Vec::new());
    for variable in rules.check_env.iter().filter_map(|text| CheckVariable::parse(text).ok()) {
        match variable {
            CheckVariable::Passed(pattern) => patterns.push(pattern),
            CheckVariable::Set { name, value } => settings.push((name, value)),
        }
    }
    let passed = if rules.inherits_env { environment } else { environment.only_inherited(&patterns) };
    settings.into_iter().fold(passed, |passed, (name, value)| passed.with_variable(name, value))
}

/// The folder for the logs of a run's checks, or of one attempt's.
pub fn log_folder(session: &Session, run: &Run, attempt: Option<&AttemptName>) -> PathBuf {
    let folder = session.store_folder().join("logs").join(run.name.as_str());
    match attempt {
        Some(name) => folder.join(format!("{}.{}", name.task.key, name.number)),
        None => folder,
    }
}

/// The checks of a run and a task, the run's first.
pub fn check_specs(run_verify: &[String], task_verify: &[String]) -> Vec<CheckSpec> {
    let spec = |source| move |command: &String| CheckSpec { source, command: command.clone() };
    run_verify
        .iter()
        .map(spec(CheckSource::Run))
        .chain(task_verify.iter().map(spec(CheckSource::Task)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_cut_between_characters() {
        assert_eq!(output_tail("short\n"), "short");
        let long = "é".repeat(limit::LOG_TAIL_BYTES);
        let end = output_tail(&format!("x{long}"));
        assert_eq!(end, "é".repeat(limit::LOG_TAIL_BYTES / 2));
    }
}
