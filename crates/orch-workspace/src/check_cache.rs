//! Whether and how often checks run: a known result is taken over, a failure counts once it is confirmed, and what is
//! found becomes known.
//!
//! [`run_known_checks`] is the entry of everything that judges a commit; where and how a single check runs is decided
//! in [`checks`](super::checks) and `check_tree`.

use std::collections::HashMap;

use orch_core::check::series::{is_unchanged_report, next_series_step};
use orch_core::check::{CheckKey, CheckRun, CheckStage, CheckState, KnownCheck, SeriesStep};
use orch_core::time::Time;
use orch_store::table::check_result;

use crate::check_key::CheckKeys;
use crate::check_tree::CheckTree;
use crate::checks::{CheckReport, CheckSpec, CheckSubject, CheckTurn, KnownResult, RanCheck};
use crate::run_repository::open_repository;
use orch_git::Repository;
use orch_inbox::{Error, Session};

/// Which known results are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckReuse {
    /// All of them.
    #[default]
    Known,
    /// Those that were found since this time, when new results were asked for.
    Since(Time),
}

impl CheckReuse {
    /// Returns what an operation that begins now takes over.
    #[must_use]
    pub fn beginning_now(session: &Session, no_check_cache: bool) -> Self {
        if no_check_cache { Self::Since(session.clock_now()) } else { Self::Known }
    }

    fn takes(self, known: &KnownCheck) -> bool {
        match self {
            Self::Known => true,
            Self::Since(time) => known.at >= time,
        }
    }
}

/// Runs those of the checks on the subject's commit whose results are not known.
///
/// All of them count, so that the next attempt sees every failure; only one whose result is unknown ends the series.
pub fn run_known_checks(
    session: &mut Session,
    subject: &CheckSubject<'_>,
    specs: &[CheckSpec],
    reuse: CheckReuse,
) -> Result<CheckReport, Error> {
    if specs.is_empty() {
        return Ok(CheckReport::default());
    }
    let repository = open_repository(session, subject.run)?;
    let keys = CheckKeys::compute(session, &repository, subject, specs)?;
    let found =
        session.query(|tx| Ok(check_result::find(tx, subject.run.id, &keys.keys, Time(i64::MIN))?))?;
    let earlier: HashMap<CheckKey, KnownCheck> = found.into_iter().collect();
    let mut series = CheckSeries {
        subject,
        reuse,
        keys: &keys,
        earlier: &earlier,
        repository: &repository,
        tree: None,
        report: CheckReport::default(),
    };
    if !series.take_over_unchanged(specs) {
        series.run_to_end(session, specs)?;
    }
    series.finish()
}

/// The checks of one commit as they run.
struct CheckSeries<'a> {
    subject: &'a CheckSubject<'a>,
    reuse: CheckReuse,
    keys: &'a CheckKeys,
    /// What was known before, whether it may be taken over or not.
    earlier: &'a HashMap<CheckKey, KnownCheck>,
    repository: &'a Repository,
    /// The tree that is prepared, once a check must run.
    tree: Option<CheckTree<'a>>,
    report: CheckReport,
}

impl<'a> CheckSeries<'a> {
    /// Takes over the known results of a report whose checks have failed on the same key before; `false` for any other.
    fn take_over_unchanged(&mut self, specs: &[CheckSpec]) -> bool {
        let (keys, earlier) = (self.keys, self.earlier);
        let is_judged_again = self.subject.stage != CheckStage::Attempt || self.reuse != CheckReuse::Known;
        let known = keys.keys.iter().filter_map(|key| earlier.get(key));
        let Some(failed) = is_unchanged_report(known, &keys.series, self.subject.run.rules.checks) else {
            return false;
        };
        if is_judged_again {
            return false;
        }
        self.report.unchanged_since = Some(failed.attempt.clone());
        for (spec, key) in specs.iter().zip(&keys.keys) {
            if let Some(known) = earlier.get(key) {
                self.take_over(spec, known);
            }
        }
        true
    }

    fn run_to_end(&mut self, session: &Session, specs: &[CheckSpec]) -> Result<(), Error> {
        let (keys, earlier) = (self.keys, self.earlier);
        for (index, (spec, key)) in specs.iter().zip(&keys.keys).enumerate() {
            if let Some(known) = earlier.get(key).filter(|known| self.may_take_over(known)) {
                self.take_over(spec, known);
                continue;
            }
            let ran = self.run_confirmed(session, spec, index)?;
            let (state, is_known) = (ran.check.state, is_certain(ran.check.state));
            if is_known {
                self.note_result(key, &ran);
            }
            let RanCheck { mut check, tail, .. } = ran;
            // It counts from now on, and the contradiction is shown.
            check.flaky |= is_known && earlier.get(key).is_some_and(|known| known.state != state);
            self.push(check, Some(tail).filter(|_| state != CheckState::Passed));
            if !is_known {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether a known result stands for a run of the check.
    /// The checks of a base run again only when they are asked for, so their failures are looked into.
    fn may_take_over(&self, known: &KnownCheck) -> bool {
        let has_passed = known.counted_state(self.subject.run.rules.checks) == CheckState::Passed;
        self.reuse.takes(known) && (has_passed || self.subject.stage != CheckStage::Baseline)
    }

    /// Runs a check, and a failed one again in a tree as clean as the first time.
    fn run_confirmed(
        &mut self,
        session: &Session,
        spec: &CheckSpec,
        index: usize,
    ) -> Result<RanCheck, Error> {
        let subject = self.subject;
        let (mut states, mut failure) = (Vec::new(), None);
        loop {
            let turn = CheckTurn { index, run: states.len() };
            let ran = self.tree(session)?.run(session, subject, spec, turn)?;
            states.push(ran.check.state);
            match next_series_step(&states, subject.run.rules.checks) {
                SeriesStep::RunAgain => failure = Some(ran),
                SeriesStep::Conclude { state, flaky } => {
                    return Ok(match failure.filter(|_| flaky) {
                        Some(failure) => flaky_end(failure, ran, state),
                        None => ran,
                    });
                }
            }
        }
    }

    /// Returns the tree, which is acquired for the first check that must run.
    fn tree(&mut self, session: &Session) -> Result<&mut CheckTree<'a>, Error> {
        match &mut self.tree {
            Some(tree) => Ok(tree),
            empty => Ok(empty.insert(CheckTree::acquire(session, self.repository, self.subject)?)),
        }
    }

    /// Adds a known result to the report.
    fn take_over(&mut self, spec: &CheckSpec, known: &KnownCheck) {
        let subject = self.subject;
        let state = known.counted_state(subject.run.rules.checks);
        let check = CheckRun {
            run: subject.run.id,
            attempt: subject.attempt.map(|(id, _)| id),
            stage: subject.stage,
            source: spec.source,
            command: spec.command.clone(),
            commit: subject.commit.clone(),
            tree: None,
            state,
            exit_status: known.exit_status,
            message: known.message.clone(),
            env_not_passed: known.env_not_passed.clone(),
            reused: true,
            flaky: known.flaky,
            duration: known.duration,
            log: known.log.clone(),
            at: known.at,
        };
        self.push(check, known.tail.clone().filter(|_| state != CheckState::Passed));
    }

    /// Adds a check to the report, with the tail of the output of one that did not pass.
    fn push(&mut self, check: CheckRun, tail: Option<String>) {
        let tree = Some(self.keys.tree.clone());
        self.report.checks.push(CheckRun { tree, ..check });
        if self.report.tail.is_none() {
            self.report.tail = tail;
        }
    }

    /// Keeps a result for the next check with its key.
    fn note_result(&mut self, key: &CheckKey, ran: &RanCheck) {
        let RanCheck { check, tail, .. } = ran;
        let known = KnownCheck {
            state: check.state,
            flaky: check.flaky,
            exit_status: check.exit_status,
            message: check.message.clone(),
            duration: check.duration,
            log: check.log.clone(),
            tail: Some(tail.clone()).filter(|_| check.state != CheckState::Passed),
            env_not_passed: check.env_not_passed.clone(),
            attempt: None,
            series: self.keys.series.clone(),
            at: check.at,
        };
        self.report.results.push(KnownResult { key: key.clone(), known });
    }

    fn finish(mut self) -> Result<CheckReport, Error> {
        if let Some(tree) = self.tree.take() {
            tree.release(self.subject.run)?;
        }
        Ok(self.report)
    }
}

/// Returns the result of a check that failed and then passed on the same tree.
fn flaky_end(failure: RanCheck, success: RanCheck, counted: CheckState) -> RanCheck {
    let words = failure.check.message.unwrap_or_else(|| {
        failure.check.exit_status.map_or("failed".to_owned(), |status| format!("exited with status {status}"))
    });
    let message = Some(format!("{words}, and passed when it ran again on the same tree"));
    let (check, tail) = match counted {
        CheckState::Passed => (success.check, success.tail),
        CheckState::Failed | CheckState::TimedOut | CheckState::CouldNotStart => {
            (CheckRun { message: None, ..failure.check }, failure.tail)
        }
    };
    let check = CheckRun { state: counted, flaky: true, message, ..check };
    RanCheck { check, tail, is_doubtful: false }
}

/// Whether a result says something about the tree.
fn is_certain(state: CheckState) -> bool {
    match state {
        CheckState::Passed | CheckState::Failed => true,
        CheckState::TimedOut | CheckState::CouldNotStart => false,
    }
}
