//! `orch drive --check`: whether everything is there that a supervisor needs.

use orch_contract::Code;
use orch_contract::orch::doctor::{DoctorAnswer, Finding, Level};
use orch_contract::orch::drive::DriveLine;
use orch_core::id::Slug;
use orch_scheduler::doctor::{self, Level as Found};
use orch_supervisor::supervisor::check::{self, Looked};
use orch_supervisor::supervisor::crew::Crew;

use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

pub(super) fn run(context: &mut Context<'_>, run: Option<&Slug>, crew: &Crew) -> Result<Outcome, Failure> {
    let session = context.session()?;
    let mut findings: Vec<Finding> = doctor::doctor(session)?.iter().map(store).collect();
    findings.extend(check::look(session, run, crew)?.into_iter().map(looked));
    let verdict = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    let answer = DriveLine::Checked(DoctorAnswer { findings, verdict });
    let exit = if verdict == Level::Error { Code::CheckFailed.exit_status() } else { 0 };
    Ok(Outcome::AnswerAs(Box::new(Reply::new(answer)), exit))
}

/// Refuses to begin without what is needed, and warns of what will be missed, as far as a look costs nothing.
pub(super) fn glance(context: &mut Context<'_>, run: Option<&Slug>, crew: &Crew) -> Result<(), Failure> {
    for found in check::glance(context.session()?, run, crew)? {
        match found.level {
            Found::Ok => {}
            Found::Warning => context.warn(found.message),
            Found::Error => {
                let message = format!("Nothing was started: {}", found.message);
                return Err(
                    Failure::invalid("--profile", message).hint(format!("orch drive --check{}", named(crew)))
                );
            }
        }
    }
    Ok(())
}

/// The profiles as they were named.
fn named(crew: &Crew) -> String {
    crew.seats
        .iter()
        .map(|seat| format!(" --profile {}", orch_core::shell::quoted(&seat.reference)))
        .collect()
}

fn level(found: Found) -> Level {
    match found {
        Found::Ok => Level::Ok,
        Found::Warning => Level::Warning,
        Found::Error => Level::Error,
    }
}

fn store(finding: &doctor::Finding) -> Finding {
    Finding { check: finding.check.to_owned(), level: level(finding.level), message: finding.message.clone() }
}

fn looked(looked: Looked) -> Finding {
    Finding { check: looked.check, level: level(looked.level), message: looked.message }
}
