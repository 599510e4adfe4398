//! Commands with placeholders, and the values that replace them when a worker is started.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::limit;

/// A name in braces that is replaced when a worker is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommandPlaceholder {
    /// The attempt's working directory.
    Worktree,
    /// The text of the brief.
    Brief,
    /// The path of a file that contains the brief.
    BriefFile,
    /// The session id: chosen by the wrapper for a new session, recorded for a resumed one.
    Session,
    /// The folder of the store, which the worker must be able to write.
    StoreDir,
    /// `{relay_dir}`
    RelayDir,
    /// The worktree's git directory.
    GitDir,
    /// The git directory that all worktrees share.
    GitCommonDir,
    /// The path of the program `inbox`.
    Inbox,
    /// The path of the program `orch`.
    Orch,
    /// What the attempt may cost in US dollars; it has no value where no limit applies.
    BudgetUsd,
    /// The model that the profile names; it has no value where it names none.
    Model,
    /// The folder with the profile's own files, outside the worktree.
    AttemptDir,
    /// The name of the task, like `RUN/KEY`; work that no scheduler sent has none.
    Task,
    /// The name of the attempt, like `RUN/KEY@1`; work that no scheduler sent has none.
    Attempt,
    /// The name of the run; work that no scheduler sent has none.
    Run,
}

impl CommandPlaceholder {
    /// All placeholders.
    pub const ALL: [Self; 16] = [
        Self::Worktree,
        Self::Brief,
        Self::BriefFile,
        Self::Session,
        Self::StoreDir,
        Self::RelayDir,
        Self::GitDir,
        Self::GitCommonDir,
        Self::Inbox,
        Self::Orch,
        Self::BudgetUsd,
        Self::Model,
        Self::AttemptDir,
        Self::Task,
        Self::Attempt,
        Self::Run,
    ];

    /// Returns the name between the braces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Worktree => "worktree",
            Self::Brief => "brief",
            Self::BriefFile => "brief_file",
            Self::Session => "session",
            Self::StoreDir => "store_dir",
            Self::RelayDir => "relay_dir",
            Self::GitDir => "git_dir",
            Self::GitCommonDir => "git_common_dir",
            Self::Inbox => "inbox",
            Self::Orch => "orch",
            Self::BudgetUsd => "budget_usd",
            Self::Model => "model",
            Self::AttemptDir => "attempt_dir",
            Self::Task => "task",
            Self::Attempt => "attempt",
            Self::Run => "run",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// Why a word of a command is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandWordError {
    /// The name between braces is not a placeholder's.
    #[error("`{{{0}}}` is not a placeholder; those are {known}, and a brace is written {{{{ or }}}}",
        known = list_placeholders())]
    Unknown(String),
    /// A brace has no partner.
    #[error("a brace is unbalanced: write {{{{ or }}}} for a brace")]
    UnbalancedBrace,
    /// The word contains a NUL character, which no argument can contain.
    #[error("it contains a NUL character")]
    Nul,
}

fn list_placeholders() -> String {
    CommandPlaceholder::ALL.map(|placeholder| format!("{{{}}}", placeholder.name())).join(" ")
}

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CommandWord(Vec<WordPiece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum WordPiece {
    Text(String),
    Placeholder(CommandPlaceholder),
}

impl CommandWord {
    /// Parses a text with placeholders.
    ///
    /// # Errors
    /// A placeholder is unknown, or a brace is unbalanced.
    pub fn parse(text: &str) -> Result<Self, CommandWordError> {
        if text.contains('\0') {
            return Err(CommandWordError::Nul);
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = behind;
                continue;
            }
            let end = rest.find(['{', '}']).filter(|end| brace == "{" && rest[*end..].starts_with('}'));
            let name = end.map(|end| &rest[..end]).ok_or(CommandWordError::UnbalancedBrace)?;
            let placeholder = CommandPlaceholder::from_name(name)
                .ok_or_else(|| CommandWordError::Unknown(name.to_owned()))?;
            if !plain.is_empty() {
                pieces.push(WordPiece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(WordPiece::Placeholder(placeholder));
            rest = &rest[name.len() + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() || pieces.is_empty() {
            pieces.push(WordPiece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// Returns the text with placeholders in braces.
    pub(super) fn to_source_text(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                WordPiece::Text(text) => text.clone(),
                WordPiece::Placeholder(placeholder) => format!("{{{}}}", placeholder.name()),
            })
            .collect()
    }

    /// Whether the word contains a placeholder.
    #[must_use]
    pub fn contains_placeholder(&self, placeholder: CommandPlaceholder) -> bool {
        self.0.contains(&WordPiece::Placeholder(placeholder))
    }

    /// Replaces the placeholders by their values.
    ///
    /// # Errors
    /// A placeholder has no value in this start, or the text is too long for an argument.
    pub fn expand_placeholders(&self, launch: &PlaceholderValues<'_>) -> Result<OsString, PlaceholderError> {
        let mut expanded = OsString::new();
        for piece in &self.0 {
            match piece {
                WordPiece::Text(text) => expanded.push(text),
                WordPiece::Placeholder(placeholder) => expanded.push(launch.value_of(*placeholder)?),
            }
        }
        match expanded.len() {
            bytes if bytes > limit::ARGUMENT_BYTES_MAX => Err(PlaceholderError::TooLong { bytes }),
            _ => Ok(expanded),
        }
    }
}

impl TryFrom<String> for CommandWord {
    type Error = CommandWordError;

    fn try_from(text: String) -> Result<Self, CommandWordError> {
        Self::parse(&text)
    }
}

/// The word of a command that stands for all further arguments of the profile.
const ARGUMENTS_WORD: &str = "{args}";

/// A part of a command: a word, a list of words that is left out where one of its placeholders has no value, or the
/// further arguments of the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CommandPart {
    Word(CommandWord),
    Optional(Vec<CommandWord>),
    Arguments,
}

impl CommandPart {
    fn words(&self) -> &[CommandWord] {
        match self {
            Self::Word(word) => std::slice::from_ref(word),
            Self::Optional(words) => words,
            Self::Arguments => &[],
        }
    }
}

impl<'de> Deserialize<'de> for CommandPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartVisitor;

        impl<'de> Visitor<'de> for PartVisitor {
            type Value = CommandPart;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(
                    "a string, or a list of strings that is left out where a placeholder has no value",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<CommandPart, E> {
                if text == ARGUMENTS_WORD {
                    return Ok(CommandPart::Arguments);
                }
                CommandWord::parse(text).map(CommandPart::Word).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<CommandPart, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = entries.next_element()? {
                    words.push(word);
                }
                Ok(CommandPart::Optional(words))
            }
        }

        deserializer.deserialize_any(PartVisitor)
    }
}

/// A program and its arguments, with placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<CommandPart>")]
pub struct CommandLine {
    program: CommandWord,
    arguments: Vec<CommandPart>,
}

/// A list of words that does not begin with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a command begins with a program, which must not be empty")]
pub struct CommandLineError;

impl TryFrom<Vec<CommandPart>> for CommandLine {
    type Error = CommandLineError;

    fn try_from(parts: Vec<CommandPart>) -> Result<Self, CommandLineError> {
        let mut parts = parts.into_iter();
        let empty = CommandWord(vec![WordPiece::Text(String::new())]);
        match parts.next() {
            Some(CommandPart::Word(program)) if program != empty => {
                Ok(Self { program, arguments: parts.collect() })
            }
            Some(CommandPart::Word(_) | CommandPart::Optional(_) | CommandPart::Arguments) | None => {
                Err(CommandLineError)
            }
        }
    }
}

impl CommandLine {
    /// Returns the program with placeholders in braces, for a check that it exists.
    #[must_use]
    pub fn program_text(&self) -> String {
        self.program.to_source_text()
    }

    /// Whether a word of the command contains a placeholder.
    #[must_use]
    pub fn contains_placeholder(&self, placeholder: CommandPlaceholder) -> bool {
        std::iter::once(&self.program)
            .chain(self.arguments.iter().flat_map(CommandPart::words))
            .any(|word| word.contains_placeholder(placeholder))
    }

    /// Whether the command has a place for the model.
    #[must_use]
    pub fn takes_model(&self) -> bool {
        self.contains_placeholder(CommandPlaceholder::Model)
    }

    /// Whether the command has a place for the further arguments of the profile.
    #[must_use]
    pub fn takes_arguments(&self) -> bool {
        self.arguments.contains(&CommandPart::Arguments)
    }

    /// Returns the program and the arguments with placeholders replaced.
    ///
    /// # Errors
    /// See [`CommandWord::expand_placeholders`].
    pub fn expand_placeholders(
        &self,
        launch: &PlaceholderValues<'_>,
    ) -> Result<(OsString, Vec<OsString>), PlaceholderError> {
        let mut arguments = Vec::new();
        for part in &self.arguments {
            let words = if *part == CommandPart::Arguments { launch.args } else { part.words() };
            let words = words.iter().map(|word| word.expand_placeholders(launch));
            match (part, words.collect::<Result<Vec<OsString>, PlaceholderError>>()) {
                (_, Ok(words)) => arguments.extend(words),
                (CommandPart::Optional(_), Err(PlaceholderError::Missing { .. })) => {}
                (_, Err(error)) => return Err(error),
            }
        }
        Ok((self.program.expand_placeholders(launch)?, arguments))
    }
}

/// The values of the placeholders in one start. All paths are absolute.
#[derive(Clone, Copy, Debug)]
pub struct PlaceholderValues<'a> {
    /// The attempt's working directory.
    pub worktree: &'a Path,
    /// The text of the brief.
    pub brief: &'a str,
    /// The path of a file that contains the brief.
    pub brief_file: &'a Path,
    /// The session id: a [`super::session_uuid`] for a new session, the recorded id for a resumed one.
    pub session: Option<&'a str>,
    /// The folder of the store.
    pub store_dir: &'a Path,
    /// The folder through which the worker reaches the store, unless it opens the store itself.
    pub relay_dir: Option<&'a Path>,
    /// The worktree's git directory, inside a repository.
    pub git_dir: Option<&'a Path>,
    /// The git directory that all worktrees share, inside a repository.
    pub git_common_dir: Option<&'a Path>,
    /// The path of the program `inbox`.
    pub inbox: &'a Path,
    /// The path of the program `orch`.
    pub orch: &'a Path,
    /// What the attempt may cost in US dollars, under a limit of cost.
    pub budget_usd: Option<&'a str>,
    /// The model that the profile names.
    pub model: Option<&'a str>,
    /// The folder with the profile's own files.
    pub attempt_dir: &'a Path,
    /// The names of the run, the task and the attempt, for work that a scheduler sent.
    pub names: Option<AttemptTexts<'a>>,
    /// The further arguments of the profile.
    pub args: &'a [CommandWord],
}

/// The names of an attempt, of its task and of its run.
#[derive(Clone, Copy, Debug)]
pub struct AttemptTexts<'a> {
    /// The name of the run.
    pub run: &'a str,
    /// The name of the task.
    pub task: &'a str,
    /// The name of the attempt.
    pub attempt: &'a str,
}

impl<'a> PlaceholderValues<'a> {
    fn value_of(&self, placeholder: CommandPlaceholder) -> Result<&'a OsStr, PlaceholderError> {
        let missing = PlaceholderError::Missing { placeholder: placeholder.name() };
        Ok(match placeholder {
            CommandPlaceholder::Worktree => self.worktree.as_os_str(),
            CommandPlaceholder::Brief => OsStr::new(self.brief),
            CommandPlaceholder::BriefFile => self.brief_file.as_os_str(),
            CommandPlaceholder::Session => OsStr::new(self.session.ok_or(missing)?),
            CommandPlaceholder::StoreDir => self.store_dir.as_os_str(),
            CommandPlaceholder::RelayDir => self.relay_dir.ok_or(missing)?.as_os_str(),
            CommandPlaceholder::GitDir => self.git_dir.ok_or(missing)?.as_os_str(),
            CommandPlaceholder::GitCommonDir => self.git_common_dir.ok_or(missing)?.as_os_str(),
            CommandPlaceholder::Inbox => self.inbox.as_os_str(),
            CommandPlaceholder::Orch => self.orch.as_os_str(),
            CommandPlaceholder::BudgetUsd => OsStr::new(self.budget_usd.ok_or(missing)?),
            CommandPlaceholder::Model => OsStr::new(self.model.ok_or(missing)?),
            CommandPlaceholder::AttemptDir => self.attempt_dir.as_os_str(),
            CommandPlaceholder::Task => OsStr::new(self.names.ok_or(missing)?.task),
            CommandPlaceholder::Attempt => OsStr::new(self.names.ok_or(missing)?.attempt),
            CommandPlaceholder::Run => OsStr::new(self.names.ok_or(missing)?.run),
        })
    }
}

/// Why a command's placeholders cannot be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// The placeholder has no value in this start: there is no repository, or no session to resume.
    #[error("the placeholder {{{placeholder}}} has no value here")]
    Missing {
        /// The placeholder's name.
        placeholder: &'static str,
    },
    /// The argument is longer than the system accepts; a brief can be delivered by stdin or in a file instead.
    #[error("an argument has {bytes} bytes, more than the limit of {}", limit::ARGUMENT_BYTES_MAX)]
    TooLong {
        /// The argument's length.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholder_values(brief: &str) -> PlaceholderValues<'_> {
        PlaceholderValues {
            worktree: Path::new("/repo.orch/a b"),
            brief,
            brief_file: Path::new("/store/brief"),
            session: None,
            store_dir: Path::new("/store"),
            relay_dir: Some(Path::new("/tmp/orch-1/a-th-1")),
            git_dir: Some(Path::new("/repo/.git/worktrees/a")),
            git_common_dir: None,
            inbox: Path::new("/bin/inbox"),
            orch: Path::new("/bin/orch"),
            budget_usd: None,
            model: None,
            attempt_dir: Path::new("/store/th-1.files"),
            names: Some(AttemptTexts { run: "r", task: "r/a", attempt: "r/a@1" }),
            args: &[],
        }
    }

    #[test]
    fn further_arguments_take_their_place() {
        let line: CommandLine =
            serde_json::from_str(r#"["x", ["--model", "{model}"], "{args}", "-"]"#).unwrap();
        assert!(line.takes_arguments());
        let args =
            [CommandWord::parse("--settings").unwrap(), CommandWord::parse("{attempt_dir}/s").unwrap()];
        let expand = |values: PlaceholderValues<'_>| line.expand_placeholders(&values).unwrap().1;
        assert_eq!(expand(placeholder_values("")), ["-"]);
        let values = PlaceholderValues { model: Some("m"), args: &args, ..placeholder_values("") };
        assert_eq!(expand(values), ["--model", "m", "--settings", "/store/th-1.files/s", "-"]);
    }

    #[test]
    fn placeholders_are_replaced() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("-C{worktree}", "-C/repo.orch/a b"),
            ("{brief}", "Do {it}."),
            ("{store_dir}:{git_dir}", "/store:/repo/.git/worktrees/a"),
            ("Bash({inbox} *)", "Bash(/bin/inbox *)"),
            ("{{\"a\":{{}}}} {orch}", "{\"a\":{}} /bin/orch"),
            ("{{worktree}}", "{worktree}"),
            ("{run} {task} {attempt}", "r r/a r/a@1"),
        ] {
            let expanded =
                CommandWord::parse(text).unwrap().expand_placeholders(&placeholder_values("Do {it}."));
            assert_eq!(expanded, Ok(OsString::from(expected)), "{text}");
        }
    }

    #[test]
    fn words_of_a_list_are_left_out_without_a_value() {
        let line: CommandLine =
            serde_json::from_str(r#"["claude", ["--max-budget-usd", "{budget_usd}"], "-p", ["-x"]]"#)
                .unwrap();
        assert!(line.contains_placeholder(CommandPlaceholder::BudgetUsd));
        let expand = |budget_usd| {
            let values = PlaceholderValues { budget_usd, ..placeholder_values("") };
            line.expand_placeholders(&values).unwrap().1
        };
        assert_eq!(expand(None), ["-p", "-x"]);
        assert_eq!(expand(Some("0.50")), ["--max-budget-usd", "0.50", "-p", "-x"]);
        assert!(serde_json::from_str::<CommandLine>(r#"[["claude"]]"#).is_err());
        assert!(serde_json::from_str::<CommandLine>(r#"["claude", ["{unknown}"]]"#).is_err());
    }

    #[test]
    fn unknown_placeholders_and_unbalanced_braces_are_invalid() {
        for (text, expected) in [
            ("{Worktree}", CommandWordError::Unknown("Worktree".to_owned())),
            ("x{}", CommandWordError::Unknown(String::new())),
            ("{work tree}", CommandWordError::Unknown("work tree".to_owned())),
            ("{worktree", CommandWordError::UnbalancedBrace),
            ("worktree}", CommandWordError::UnbalancedBrace),
            ("{worktree{brief}", CommandWordError::UnbalancedBrace),
            ("a\0b", CommandWordError::Nul),
        ] {
            assert_eq!(CommandWord::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_placeholder_needs_a_value() {
        let fill = |text: &str, brief: &str| {
            CommandWord::parse(text).unwrap().expand_placeholders(&placeholder_values(brief))
        };
        assert_eq!(fill("{session}", ""), Err(PlaceholderError::Missing { placeholder: "session" }));
        assert_eq!(
            fill("{git_common_dir}", ""),
            Err(PlaceholderError::Missing { placeholder: "git_common_dir" })
        );
        let long = "x".repeat(limit::ARGUMENT_BYTES_MAX + 1);
        assert_eq!(fill("{brief}", &long), Err(PlaceholderError::TooLong { bytes: long.len() }));
        assert!(fill("{brief}", &long[1..]).is_ok());
    }
}
