//! From a file to a profile: types first, then sense, each fault with its line and field.
//!
//! `raw` holds the fields as they are written, `place` finds lines, and [`rules`] reads what is said of events.

mod place;
mod raw;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;

use orch_core::id::Slug;
use orch_core::time::Span;
use toml::de::DeTable;

use self::raw::RawProfile;
use super::command::{CommandLine, Placeholder, Word};
use super::error::{Origin, Problem, ProfileError};
use super::events::Events;
use super::meaning::{ExitTable, Meaning};
use super::variables::{Passing, Setting};
use super::{Actor, BriefWay, Profile, TemplateSource, limit};

/// What is wrong, and the way to the field that is.
type At = (Vec<String>, Problem);

/// Reads a profile.
pub(super) fn read(text: &str, origin: Origin) -> Result<Profile, ProfileError> {
    let toml_error = |error: &toml::de::Error, table: Option<&DeTable<'_>>| {
        let start = error.span().map_or(0, |span| span.start);
        ProfileError::Wrong {
            origin: origin.clone(),
            line: place::line_at(text, start),
            // A field that is missing in the whole file has no place.
            field: table
                .filter(|_| error.span() != Some(0..0))
                .and_then(|table| place::field_at(table, start)),
            problem: Problem::Toml { message: error.message().to_owned() },
        }
    };
    let table = DeTable::parse(text).map_err(|error| toml_error(&error, None))?;
    let raw: RawProfile = toml::from_str(text).map_err(|error| toml_error(&error, Some(table.get_ref())))?;
    profile(raw, origin.clone()).map_err(|(path, problem)| {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        wrong(text, origin, &path, problem)
    })
}

/// The error for a field of a text that could be read.
pub(super) fn wrong(text: &str, origin: Origin, path: &[&str], problem: Problem) -> ProfileError {
    let line = DeTable::parse(text).map_or(1, |table| place::line_of(text, table.get_ref(), path));
    ProfileError::Wrong { origin, line, field: Some(path.join(".")), problem }
}

fn profile(raw: RawProfile, origin: Origin) -> Result<Profile, At> {
    let name = Slug::new(&raw.name).map_err(at(&["name"]))?;
    let command = command("command", &raw.command)?;
    let events = raw.events.map(rules::events).transpose()?;
    let brief = brief_way(raw.brief.map(BriefWay::from), &command, "command")?;
    let resume = raw.resume.map(|words| resume(&words, brief, &command, events.as_ref())).transpose()?;
    Ok(Profile {
        name,
        template: template(raw.template, raw.template_file, &origin)?,
        origin,
        command,
        resume,
        brief,
        commit: raw.commit.map_or(Actor::Worker, Actor::from),
        report: raw.report.map_or(Actor::Worker, Actor::from),
        passing: passing(&raw.environment)?,
        settings: settings(raw.set)?,
        grace: raw.grace.map_or(Ok(limit::GRACE_DEFAULT), |grace| span("grace", &grace))?,
        silence: raw.silence.map(|silence| span("silence", &silence)).transpose()?,
        events,
        exit: exit(raw.exit)?,
    })
}

/// The error of a field, made from what is wrong with it.
fn at<P: Into<Problem>>(path: &[&str]) -> impl FnOnce(P) -> At {
    let path = path.iter().map(|name| (*name).to_owned()).collect();
    move |problem| (path, problem.into())
}

fn command(field: &str, words: &[String]) -> Result<CommandLine, At> {
    let mut read = Vec::with_capacity(words.len());
    for (index, word) in words.iter().enumerate() {
        read.push(Word::parse(word).map_err(at(&[field, &index.to_string()]))?);
    }
    match words.first() {
        Some(program) if !program.is_empty() => Ok(CommandLine::new(read.remove(0), read)),
        Some(_) => Err(at(&[field, "0"])(Problem::Empty)),
        None => Err(at(&[field])(Problem::Empty)),
    }
}

/// How the brief goes in: as it is said, or as the command shows.
fn brief_way(said: Option<BriefWay>, command: &CommandLine, field: &str) -> Result<BriefWay, At> {
    let argument = command.names(Placeholder::Brief);
    let file = command.names(Placeholder::BriefFile);
    let shown = match (argument, file) {
        (true, _) => BriefWay::Argument,
        (false, true) => BriefWay::File,
        (false, false) => BriefWay::Stdin,
    };
    let way = said.unwrap_or(shown);
    let (brief, fault) = match way {
        BriefWay::Stdin => (
            "stdin",
            (argument || file).then_some("`{brief}` and `{brief_file}` have no place in the command"),
        ),
        BriefWay::Argument => ("argument", (!argument).then_some("`{brief}` must stand in the command")),
        BriefWay::File if argument => ("file", Some("`{brief}` has no place in the command")),
        BriefWay::File => ("file", (!file).then_some("`{brief_file}` must stand in the command")),
    };
    match fault {
        None => Ok(way),
        Some(needed) => Err(at(&[field])(Problem::BriefWay { brief, needed })),
    }
}

fn resume(
    words: &[String],
    brief: BriefWay,
    first: &CommandLine,
    events: Option<&Events>,
) -> Result<CommandLine, At> {
    let resume = command("resume", words)?;
    brief_way(Some(brief), &resume, "resume")?;
    if !resume.names(Placeholder::Session) {
        return Err(at(&["resume"])(Problem::SessionLess));
    }
    let known = first.names(Placeholder::Session) || events.is_some_and(Events::tell_session);
    if known { Ok(resume) } else { Err(at(&["resume"])(Problem::NoSession)) }
}

fn template(text: Option<String>, file: Option<String>, origin: &Origin) -> Result<TemplateSource, At> {
    match (text, file) {
        (Some(_), Some(_)) => Err(at(&["template_file"])(Problem::TwoTemplates)),
        (Some(text), None) => Ok(TemplateSource::Text(text)),
        (None, Some(file)) if file.is_empty() => Err(at(&["template_file"])(Problem::Empty)),
        (None, Some(file)) => {
            // A file names its neighbours from where it lies itself.
            let folder = match origin {
                Origin::File(path) => path.parent().unwrap_or(Path::new("")),
                Origin::BuiltIn => Path::new(""),
            };
            Ok(TemplateSource::File(folder.join(file)))
        }
        (None, None) => Ok(TemplateSource::Standard),
    }
}

fn passing(names: &[String]) -> Result<Passing, At> {
    let mut checked = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        checked.push(Passing::name(name).map_err(at(&["environment", &index.to_string()]))?);
    }
    Ok(Passing::new(checked))
}

fn settings(set: BTreeMap<String, String>) -> Result<Vec<Setting>, At> {
    let mut settings = Vec::with_capacity(set.len());
    for (name, value) in set {
        let place = ["set", name.as_str()];
        let checked = Setting::name(&name).map_err(at(&place))?;
        let value = Word::parse(&value).map_err(at(&place))?;
        if value.names(Placeholder::Brief) {
            return Err(at(&place)(Problem::BriefInSetting));
        }
        settings.push(Setting { name: checked, value });
    }
    Ok(settings)
}

fn span(field: &str, text: &str) -> Result<Span, At> {
    match Span::parse(text).map_err(at(&[field]))? {
        Span(0) => Err(at(&[field])(Problem::NoTime)),
        span => Ok(span),
    }
}

fn exit(meanings: BTreeMap<String, raw::RawMeaning>) -> Result<ExitTable, At> {
    let mut table = BTreeMap::new();
    for (status, meaning) in meanings {
        let number = status.parse::<u8>().ok().filter(|number| number.to_string() == status);
        let Some(number) = number else { return Err(at(&["exit", &status])(Problem::Status)) };
        table.insert(i32::from(number), Meaning::from(meaning));
    }
    Ok(ExitTable(table))
}
