//! Reading a profile file: serde checks each field, and this file checks fields against each other.

use std::ops::Range;
use std::path::Path;

use orch_core::id::Slug;
use orch_core::time::{SpanError, TimeSpan};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_path_to_error::Segment;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::brief::BriefTemplate;
use super::command::{CommandLine, CommandPlaceholder, CommandWord};
use super::error::{FieldProblem, ProfileError, ProfileOrigin};
use super::events::EventRules;
use super::exit_meaning::ExitTable;
use super::extends::find_extended;
use super::files::AttemptFiles;
use super::limit;
use super::metering::{CostDeclaration, MeteringMode, TokenPrice};
use super::profile::{
    self, BriefDelivery, NudgeRule, Profile, ResponsibleParty, StoreAccess, TemplateSource,
};
use super::variables::{PassedVariables, VariableSettings};

/// The fields of a profile file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    #[serde(deserialize_with = "deserialize_name")]
    name: Spanned<Slug>,
    /// Read before: see [`super::extends`].
    #[serde(rename = "extends")]
    _extends: Option<String>,
    command: Spanned<CommandLine>,
    resume: Option<Spanned<CommandLine>>,
    model: Option<Spanned<String>>,
    #[serde(default)]
    args: Option<Spanned<Vec<CommandWord>>>,
    #[serde(default)]
    files: AttemptFiles,
    #[serde(default)]
    exclude: Vec<String>,
    brief: Option<BriefDelivery>,
    template: Option<String>,
    template_file: Option<Spanned<String>>,
    nudge: Option<Spanned<NudgeField>>,
    #[serde(default)]
    commit: ResponsibleParty,
    #[serde(default)]
    report: ResponsibleParty,
    #[serde(default)]
    store: StoreAccess,
    #[serde(default)]
    environment: PassedVariables,
    #[serde(default)]
    set: VariableSettings,
    grace: Option<PositiveSpan>,
    silence: Option<PositiveSpan>,
    metered: Option<MeteringMode>,
    cost: Option<CostDeclaration>,
    price: Option<TokenPrice>,
    events: Option<EventRules>,
    #[serde(default)]
    exit: ExitTable,
}

fn deserialize_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<Slug>, D::Error> {
    let text = Spanned::<String>::deserialize(deserializer)?;
    let name = Slug::new(text.get_ref()).map_err(D::Error::custom)?;
    Ok(Spanned::new(text.span(), name))
}

/// Whether a worker is asked for its report, or the text that asks it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`nudge` must be true, false or a text")]
enum NudgeField {
    Switch(bool),
    Text(String),
}

/// A duration longer than zero.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct PositiveSpan(TimeSpan);

impl TryFrom<String> for PositiveSpan {
    type Error = SpanProblem;

    fn try_from(text: String) -> Result<Self, SpanProblem> {
        match TimeSpan::parse(&text)? {
            TimeSpan(0) => Err(SpanProblem::Zero),
            span => Ok(Self(span)),
        }
    }
}

/// Why a text is not a duration longer than zero.
#[derive(Debug, thiserror::Error)]
enum SpanProblem {
    #[error(transparent)]
    Syntax(#[from] SpanError),
    #[error("a duration must be longer than zero")]
    Zero,
}

/// A problem, with its field and its place in the text.
type LocatedProblem = (&'static str, Range<usize>, FieldProblem);

impl Profile {
    /// Parses a profile file.
    ///
    /// # Errors
    /// Names the line and the field that is invalid.
    pub fn parse(text: &str, origin: ProfileOrigin) -> Result<Self, ProfileError> {
        parse_profile(&ProfileText { written: text, complete: None }, origin, None)
    }
}

/// The text of a profile.
pub(super) struct ProfileText<'a> {
    /// As it is written, for places in it.
    pub written: &'a str,
    /// Completed by the profile that it extends.
    pub complete: Option<&'a str>,
}

impl ProfileText<'_> {
    /// Returns the line, from 1, of a field: where it is written, else where the profile says what it extends.
    fn line_of(&self, names: &[String], span: Option<Range<usize>>) -> usize {
        let is_written = self.complete.is_none();
        let span = find_span(self.written, names)
            .or(span.filter(|_| is_written))
            .or_else(|| Some(find_extended(self.written)?.0));
        line_at(self.written, span.map_or(0, |span| span.start))
    }
}

/// Parses a profile file, whose name must be `expected` if that is given.
pub(super) fn parse_profile(
    source: &ProfileText<'_>,
    origin: ProfileOrigin,
    expected: Option<&Slug>,
) -> Result<Profile, ProfileError> {
    let text = source.complete.unwrap_or(source.written);
    let invalid = |names: &[String], span: Option<Range<usize>>, problem| ProfileError::Invalid {
        origin: origin.clone(),
        line: source.line_of(names, span),
        field: (!names.is_empty()).then(|| names.join(".")),
        problem,
    };
    let toml_problem = |error: &toml::de::Error| FieldProblem::Toml { message: error.message().to_owned() };
    let deserializer =
        toml::Deserializer::parse(text).map_err(|error| invalid(&[], error.span(), toml_problem(&error)))?;
    let file: ProfileFile = serde_path_to_error::deserialize(deserializer).map_err(|error| {
        invalid(&field_names(error.path()), error.inner().span(), toml_problem(error.inner()))
    })?;
    build_profile(file, origin.clone(), expected)
        .map_err(|(field, span, problem)| invalid(&[field.to_owned()], Some(span), problem))
}

/// Returns the names of the fields and the indices of the lists on a path.
fn field_names(path: &serde_path_to_error::Path) -> Vec<String> {
    let name = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        // `Spanned` is read as a struct with fields of a private name.
        Segment::Map { key } => (!key.starts_with("$__")).then(|| key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().filter_map(name).collect()
}

/// Returns the place of the last existing field on a path.
fn find_span(text: &str, names: &[String]) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let mut value = &DeValue::Table(table.into_inner());
    let mut span = None;
    for name in names {
        let found = match value {
            DeValue::Table(table) => {
                table.get_key_value(name.as_str()).map(|(key, value)| (key.span(), value))
            }
            DeValue::Array(list) => name
                .parse::<usize>()
                .ok()
                .and_then(|index| list.get(index))
                .map(|entry| (entry.span(), entry)),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => None,
        };
        let Some((start, inner)) = found else { break };
        (span, value) = (Some(start), inner.get_ref());
    }
    span
}

/// Returns the line, from 1, of an offset.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

fn build_profile(
    file: ProfileFile,
    origin: ProfileOrigin,
    expected: Option<&Slug>,
) -> Result<Profile, LocatedProblem> {
    if let Some(expected) = expected.filter(|expected| *expected != file.name.get_ref()) {
        let span = file.name.span();
        let problem = FieldProblem::OtherName { name: file.name.into_inner(), file: expected.clone() };
        return Err(("name", span, problem));
    }
    let brief = file.brief.unwrap_or_else(|| delivery_in_command(file.command.get_ref()));
    check_delivery(brief, "command", &file.command)?;
    if let Some(resume) = &file.resume {
        check_delivery(brief, "resume", resume)?;
        check_session(resume, file.command.get_ref(), file.events.as_ref())?;
    }
    check_places(&file)?;
    Ok(Profile {
        model: file.model.map(Spanned::into_inner),
        args: file.args.map(Spanned::into_inner).unwrap_or_default(),
        files: file.files,
        exclude: file.exclude,
        name: file.name.into_inner(),
        template: choose_template(file.template, file.template_file, &origin)?,
        origin,
        command: file.command.into_inner(),
        resume: file.resume.map(Spanned::into_inner),
        brief,
        nudge: choose_nudge(file.nudge)?,
        commit: file.commit,
        report: file.report,
        store: file.store,
        passing: file.environment,
        settings: file.set,
        grace: file.grace.map_or(limit::GRACE_DEFAULT, |grace| grace.0),
        silence: file.silence.map(|silence| silence.0),
        // Without a word about it, events are taken to come while the client works.
        metered: file.metered.unwrap_or_else(|| {
            let knows_usage = file.events.as_ref().is_some_and(|rules| {
                rules.has_token_rule() || profile::knows_cost(Some(rules), file.price.is_some())
            });
            if knows_usage { MeteringMode::Live } else { MeteringMode::None }
        }),
        is_free: file.cost == Some(CostDeclaration::None),
        price: file.price,
        events: file.events,
        exit: file.exit,
    })
}

/// Checks that the commands have a place for the model and for further arguments.
fn check_places(file: &ProfileFile) -> Result<(), LocatedProblem> {
    let commands = [Some(file.command.get_ref()), file.resume.as_ref().map(Spanned::get_ref)];
    let all = |has_place: fn(&CommandLine) -> bool| commands.into_iter().flatten().all(has_place);
    match (&file.model, &file.args) {
        (Some(model), _) if !all(CommandLine::takes_model) => {
            Err(("model", model.span(), FieldProblem::NoPlace { placeholder: "model" }))
        }
        (_, Some(args)) if !all(CommandLine::takes_arguments) => {
            Err(("args", args.span(), FieldProblem::NoPlace { placeholder: "args" }))
        }
        _ => Ok(()),
    }
}

/// Returns the delivery that a command's placeholders imply.
fn delivery_in_command(command: &CommandLine) -> BriefDelivery {
    if command.contains_placeholder(CommandPlaceholder::Brief) {
        BriefDelivery::Argument
    } else if command.contains_placeholder(CommandPlaceholder::BriefFile) {
        BriefDelivery::File
    } else {
        BriefDelivery::Stdin
    }
}

/// Checks that a command has the placeholders that the brief's delivery needs, and no others.
fn check_delivery(
    delivery: BriefDelivery,
    field: &'static str,
    command: &Spanned<CommandLine>,
) -> Result<(), LocatedProblem> {
    let argument = command.get_ref().contains_placeholder(CommandPlaceholder::Brief);
    let file = command.get_ref().contains_placeholder(CommandPlaceholder::BriefFile);
    let (brief, needed) = match delivery {
        BriefDelivery::Stdin if argument || file => {
            ("stdin", "the command must not contain `{brief}` or `{brief_file}`")
        }
        BriefDelivery::Argument if !argument => ("argument", "the command must contain `{brief}`"),
        BriefDelivery::File if argument => ("file", "the command must not contain `{brief}`"),
        BriefDelivery::File if !file => ("file", "the command must contain `{brief_file}`"),
        BriefDelivery::Stdin | BriefDelivery::Argument | BriefDelivery::File => return Ok(()),
    };
    Err((field, command.span(), FieldProblem::BriefDelivery { brief, needed }))
}

/// Checks that a resumed session is named, and that its id can be known.
fn check_session(
    resume: &Spanned<CommandLine>,
    command: &CommandLine,
    events: Option<&EventRules>,
) -> Result<(), LocatedProblem> {
    let names_session = |command: &CommandLine| command.contains_placeholder(CommandPlaceholder::Session);
    if !names_session(resume.get_ref()) {
        return Err(("resume", resume.span(), FieldProblem::ResumeWithoutSession));
    }
    if !names_session(command) && !events.is_some_and(EventRules::has_session_rule) {
        return Err(("resume", resume.span(), FieldProblem::NoSession));
    }
    Ok(())
}

fn choose_nudge(field: Option<Spanned<NudgeField>>) -> Result<NudgeRule, LocatedProblem> {
    let Some(field) = field else { return Ok(NudgeRule::Standard) };
    let span = field.span();
    match field.into_inner() {
        NudgeField::Switch(true) => Ok(NudgeRule::Standard),
        NudgeField::Switch(false) => Ok(NudgeRule::Off),
        NudgeField::Text(text) => match BriefTemplate::built_in().check_nudge(&text) {
            Ok(()) => Ok(NudgeRule::Text(text)),
            Err(problem) => Err(("nudge", span, FieldProblem::Nudge { problem })),
        },
    }
}

fn choose_template(
    text: Option<String>,
    file: Option<Spanned<String>>,
    origin: &ProfileOrigin,
) -> Result<TemplateSource, LocatedProblem> {
    match (text, file) {
        (Some(_), Some(file)) => Err(("template_file", file.span(), FieldProblem::TwoTemplates)),
        (Some(text), None) => Ok(TemplateSource::Text(text)),
        (None, Some(file)) if file.get_ref().is_empty() => {
            Err(("template_file", file.span(), FieldProblem::EmptyPath))
        }
        (None, Some(file)) => {
            // A relative path begins at the profile's own folder.
            let folder = match origin {
                ProfileOrigin::File(path) => path.parent().unwrap_or(Path::new("")),
                ProfileOrigin::BuiltIn => Path::new(""),
            };
            Ok(TemplateSource::File(folder.join(file.into_inner())))
        }
        (None, None) => Ok(TemplateSource::Standard),
    }
}
