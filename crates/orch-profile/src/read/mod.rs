//! From a file to a profile: types first, then sense, each fault with its line and field.
//!
//! `raw` holds the fields as they are written, `place` finds lines, and [`event_rules`] reads what is said of events.

mod event_rules;
mod position;
mod raw;

use std::collections::BTreeMap;
use std::path::Path;

use orch_core::id::Slug;
use orch_core::time::TimeSpan;
use toml::de::DeTable;

use self::raw::RawProfile;
use super::command::{CommandLine, CommandPlaceholder, CommandWord};
use super::error::{FieldProblem, ProfileError, ProfileOrigin};
use super::events::EventRules;
use super::exit_meaning::{ExitMeaning, ExitTable};
use super::variables::{PassedVariables, VariableSetting};
use super::{BriefDelivery, Profile, ResponsibleParty, TemplateSource, limit};

/// What is wrong, and the way to the field that is.
type FieldFault = (Vec<String>, FieldProblem);

/// Reads a profile.
pub(super) fn read_profile(text: &str, origin: ProfileOrigin) -> Result<Profile, ProfileError> {
    let toml_error = |error: &toml::de::Error, table: Option<&DeTable<'_>>| {
        let start = error.span().map_or(0, |span| span.start);
        ProfileError::Wrong {
            origin: origin.clone(),
            line: position::line_at(text, start),
            // A field that is missing in the whole file has no place.
            field: table
                .filter(|_| error.span() != Some(0..0))
                .and_then(|table| position::field_at(table, start)),
            problem: FieldProblem::Toml { message: error.message().to_owned() },
        }
    };
    let table = DeTable::parse(text).map_err(|error| toml_error(&error, None))?;
    let raw: RawProfile = toml::from_str(text).map_err(|error| toml_error(&error, Some(table.get_ref())))?;
    convert_profile(raw, origin.clone()).map_err(|(path, problem)| {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        field_error(text, origin, &path, problem)
    })
}

/// The error for a field of a text that could be read.
pub(super) fn field_error(
    text: &str,
    origin: ProfileOrigin,
    path: &[&str],
    problem: FieldProblem,
) -> ProfileError {
    let line = DeTable::parse(text).map_or(1, |table| position::line_of(text, table.get_ref(), path));
    ProfileError::Wrong { origin, line, field: Some(path.join(".")), problem }
}

fn convert_profile(raw: RawProfile, origin: ProfileOrigin) -> Result<Profile, FieldFault> {
    let name = Slug::new(&raw.name).map_err(fault_in_field(&["name"]))?;
    let command = parse_command("command", &raw.command)?;
    let events = raw.events.map(event_rules::convert_event_rules).transpose()?;
    let brief = resolve_brief_delivery(raw.brief.map(BriefDelivery::from), &command, "command")?;
    let resume =
        raw.resume.map(|words| parse_resume_command(&words, brief, &command, events.as_ref())).transpose()?;
    Ok(Profile {
        name,
        template: parse_template_source(raw.template, raw.template_file, &origin)?,
        origin,
        command,
        resume,
        brief,
        commit: raw.commit.map_or(ResponsibleParty::Worker, ResponsibleParty::from),
        report: raw.report.map_or(ResponsibleParty::Worker, ResponsibleParty::from),
        passing: parse_passed_names(&raw.environment)?,
        settings: parse_settings(raw.set)?,
        grace: raw.grace.map_or(Ok(limit::GRACE_DEFAULT), |grace| parse_positive_span("grace", &grace))?,
        silence: raw.silence.map(|silence| parse_positive_span("silence", &silence)).transpose()?,
        events,
        exit: parse_exit_table(raw.exit)?,
    })
}

/// The error of a field, made from what is wrong with it.
fn fault_in_field<P: Into<FieldProblem>>(path: &[&str]) -> impl FnOnce(P) -> FieldFault {
    let path = path.iter().map(|name| (*name).to_owned()).collect();
    move |problem| (path, problem.into())
}

fn parse_command(field: &str, words: &[String]) -> Result<CommandLine, FieldFault> {
    let mut read = Vec::with_capacity(words.len());
    for (index, word) in words.iter().enumerate() {
        read.push(CommandWord::parse(word).map_err(fault_in_field(&[field, &index.to_string()]))?);
    }
    match words.first() {
        Some(program) if !program.is_empty() => Ok(CommandLine::new(read.remove(0), read)),
        Some(_) => Err(fault_in_field(&[field, "0"])(FieldProblem::Empty)),
        None => Err(fault_in_field(&[field])(FieldProblem::Empty)),
    }
}

/// How the brief goes in: as it is said, or as the command shows.
fn resolve_brief_delivery(
    said: Option<BriefDelivery>,
    command: &CommandLine,
    field: &str,
) -> Result<BriefDelivery, FieldFault> {
    let argument = command.contains_placeholder(CommandPlaceholder::Brief);
    let file = command.contains_placeholder(CommandPlaceholder::BriefFile);
    let shown = match (argument, file) {
        (true, _) => BriefDelivery::Argument,
        (false, true) => BriefDelivery::File,
        (false, false) => BriefDelivery::Stdin,
    };
    let way = said.unwrap_or(shown);
    let (brief, fault) = match way {
        BriefDelivery::Stdin => (
            "stdin",
            (argument || file).then_some("`{brief}` and `{brief_file}` have no place in the command"),
        ),
        BriefDelivery::Argument => ("argument", (!argument).then_some("`{brief}` must stand in the command")),
        BriefDelivery::File if argument => ("file", Some("`{brief}` has no place in the command")),
        BriefDelivery::File => ("file", (!file).then_some("`{brief_file}` must stand in the command")),
    };
    match fault {
        None => Ok(way),
        Some(needed) => Err(fault_in_field(&[field])(FieldProblem::BriefDelivery { brief, needed })),
    }
}

fn parse_resume_command(
    words: &[String],
    brief: BriefDelivery,
    first: &CommandLine,
    events: Option<&EventRules>,
) -> Result<CommandLine, FieldFault> {
    let resume = parse_command("resume", words)?;
    resolve_brief_delivery(Some(brief), &resume, "resume")?;
    if !resume.contains_placeholder(CommandPlaceholder::Session) {
        return Err(fault_in_field(&["resume"])(FieldProblem::ResumeWithoutSession));
    }
    let known = first.contains_placeholder(CommandPlaceholder::Session)
        || events.is_some_and(EventRules::has_session_rule);
    if known { Ok(resume) } else { Err(fault_in_field(&["resume"])(FieldProblem::NoSession)) }
}

fn parse_template_source(
    text: Option<String>,
    file: Option<String>,
    origin: &ProfileOrigin,
) -> Result<TemplateSource, FieldFault> {
    match (text, file) {
        (Some(_), Some(_)) => Err(fault_in_field(&["template_file"])(FieldProblem::TwoTemplates)),
        (Some(text), None) => Ok(TemplateSource::Text(text)),
        (None, Some(file)) if file.is_empty() => Err(fault_in_field(&["template_file"])(FieldProblem::Empty)),
        (None, Some(file)) => {
            // A file names its neighbours from where it lies itself.
            let folder = match origin {
                ProfileOrigin::File(path) => path.parent().unwrap_or(Path::new("")),
                ProfileOrigin::BuiltIn => Path::new(""),
            };
            Ok(TemplateSource::File(folder.join(file)))
        }
        (None, None) => Ok(TemplateSource::Standard),
    }
}

fn parse_passed_names(names: &[String]) -> Result<PassedVariables, FieldFault> {
    let mut checked = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        checked.push(
            PassedVariables::check_name(name)
                .map_err(fault_in_field(&["environment", &index.to_string()]))?,
        );
    }
    Ok(PassedVariables::new(checked))
}

fn parse_settings(set: BTreeMap<String, String>) -> Result<Vec<VariableSetting>, FieldFault> {
    let mut settings = Vec::with_capacity(set.len());
    for (name, value) in set {
        let place = ["set", name.as_str()];
        let checked = VariableSetting::check_name(&name).map_err(fault_in_field(&place))?;
        let value = CommandWord::parse(&value).map_err(fault_in_field(&place))?;
        if value.contains_placeholder(CommandPlaceholder::Brief) {
            return Err(fault_in_field(&place)(FieldProblem::BriefInSetting));
        }
        settings.push(VariableSetting { name: checked, value });
    }
    Ok(settings)
}

fn parse_positive_span(field: &str, text: &str) -> Result<TimeSpan, FieldFault> {
    match TimeSpan::parse(text).map_err(fault_in_field(&[field]))? {
        TimeSpan(0) => Err(fault_in_field(&[field])(FieldProblem::NoTime)),
        span => Ok(span),
    }
}

fn parse_exit_table(meanings: BTreeMap<String, raw::RawMeaning>) -> Result<ExitTable, FieldFault> {
    let mut table = BTreeMap::new();
    for (status, meaning) in meanings {
        let number = status.parse::<u8>().ok().filter(|number| number.to_string() == status);
        let Some(number) = number else {
            return Err(fault_in_field(&["exit", &status])(FieldProblem::Status));
        };
        table.insert(i32::from(number), ExitMeaning::from(meaning));
    }
    Ok(ExitTable(table))
}
