//! Commands with placeholders, and what stands for them at a start.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::limit;

/// A name in braces that a start replaces. There are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommandPlaceholder {
    /// The folder that the attempt works in.
    Worktree,
    /// The brief itself.
    Brief,
    /// A file that holds the brief.
    BriefFile,
    /// The session: chosen by us at the first start, the client's own at a resumption.
    Session,
    /// The folder of the store, which a sandbox must let the worker write.
    StoreDir,
    /// The worktree's own git folder.
    GitDir,
    /// The git folder that all worktrees share.
    GitCommonDir,
    /// Our program `inbox`.
    Inbox,
    /// Our program `orch`.
    Orch,
}

impl CommandPlaceholder {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Worktree,
        Self::Brief,
        Self::BriefFile,
        Self::Session,
        Self::StoreDir,
        Self::GitDir,
        Self::GitCommonDir,
        Self::Inbox,
        Self::Orch,
    ];

    /// The name between the braces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Worktree => "worktree",
            Self::Brief => "brief",
            Self::BriefFile => "brief_file",
            Self::Session => "session",
            Self::StoreDir => "store_dir",
            Self::GitDir => "git_dir",
            Self::GitCommonDir => "git_common_dir",
            Self::Inbox => "inbox",
            Self::Orch => "orch",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// Why a word of a command makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandWordError {
    /// The name between braces is none of ours.
    #[error("`{{{0}}}` is no placeholder; those are {known}, and a brace is written {{{{ or }}}}",
        known = list_placeholders())]
    Unknown(String),
    /// A brace stands alone.
    #[error("a brace stands alone: write {{{{ or }}}} for a brace")]
    LooseBrace,
    /// It holds a character that no argument can hold.
    #[error("it holds a NUL character")]
    Nul,
}

fn list_placeholders() -> String {
    CommandPlaceholder::ALL.map(|placeholder| format!("{{{}}}", placeholder.name())).join(" ")
}

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandWord(Vec<WordPiece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum WordPiece {
    Text(String),
    Placeholder(CommandPlaceholder),
}

impl CommandWord {
    /// Reads a text with placeholders.
    ///
    /// # Errors
    /// A name is unknown, or a brace stands alone.
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
            let name = end.map(|end| &rest[..end]).ok_or(CommandWordError::LooseBrace)?;
            let place = CommandPlaceholder::from_name(name)
                .ok_or_else(|| CommandWordError::Unknown(name.to_owned()))?;
            if !plain.is_empty() {
                pieces.push(WordPiece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(WordPiece::Placeholder(place));
            rest = &rest[name.len() + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() || pieces.is_empty() {
            pieces.push(WordPiece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// Its text, with placeholders by their names.
    pub(super) fn to_source_text(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                WordPiece::Text(text) => text.clone(),
                WordPiece::Placeholder(place) => format!("{{{}}}", place.name()),
            })
            .collect()
    }

    /// Whether this placeholder stands in it.
    #[must_use]
    pub fn contains_placeholder(&self, placeholder: CommandPlaceholder) -> bool {
        self.0.contains(&WordPiece::Placeholder(placeholder))
    }

    /// The text of this start.
    ///
    /// # Errors
    /// There is nothing that could stand for a placeholder, or the text is too long for an argument.
    pub fn expand_placeholders(&self, launch: &PlaceholderValues<'_>) -> Result<OsString, PlaceholderError> {
        let mut filled = OsString::new();
        for piece in &self.0 {
            match piece {
                WordPiece::Text(text) => filled.push(text),
                WordPiece::Placeholder(place) => filled.push(launch.value_of(*place)?),
            }
        }
        match filled.len() {
            bytes if bytes > limit::ARGUMENT_BYTES_MAX => Err(PlaceholderError::TooLong { bytes }),
            _ => Ok(filled),
        }
    }
}

/// A program and its arguments, with placeholders. There is always a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    program: CommandWord,
    arguments: Vec<CommandWord>,
}

impl CommandLine {
    pub(super) const fn new(program: CommandWord, arguments: Vec<CommandWord>) -> Self {
        Self { program, arguments }
    }

    /// The program as it stands in the profile, for looking whether it is there.
    #[must_use]
    pub fn program_text(&self) -> String {
        self.program.to_source_text()
    }

    /// Whether this placeholder stands in one of its words.
    #[must_use]
    pub fn contains_placeholder(&self, placeholder: CommandPlaceholder) -> bool {
        std::iter::once(&self.program)
            .chain(&self.arguments)
            .any(|word| word.contains_placeholder(placeholder))
    }

    /// The program and the arguments of this start.
    ///
    /// # Errors
    /// As [`CommandWord::expand_placeholders`].
    pub fn expand_placeholders(
        &self,
        launch: &PlaceholderValues<'_>,
    ) -> Result<(OsString, Vec<OsString>), PlaceholderError> {
        let arguments =
            self.arguments.iter().map(|word| word.expand_placeholders(launch)).collect::<Result<_, _>>()?;
        Ok((self.program.expand_placeholders(launch)?, arguments))
    }
}

/// What stands for the placeholders at one start. All paths are absolute.
#[derive(Clone, Copy, Debug)]
pub struct PlaceholderValues<'a> {
    /// The folder that the attempt works in.
    pub worktree: &'a Path,
    /// What the worker is told.
    pub brief: &'a str,
    /// A file that holds the same.
    pub brief_file: &'a Path,
    /// The session: [`super::session_uuid`] where the profile lets us choose, the recorded one at a resumption.
    pub session: Option<&'a str>,
    /// The folder of the store.
    pub store_dir: &'a Path,
    /// The worktree's own git folder, inside a repository.
    pub git_dir: Option<&'a Path>,
    /// The git folder that all worktrees share, inside a repository.
    pub git_common_dir: Option<&'a Path>,
    /// Our program `inbox`.
    pub inbox: &'a Path,
    /// Our program `orch`.
    pub orch: &'a Path,
}

impl<'a> PlaceholderValues<'a> {
    fn value_of(&self, place: CommandPlaceholder) -> Result<&'a OsStr, PlaceholderError> {
        let missing = PlaceholderError::Missing { placeholder: place.name() };
        Ok(match place {
            CommandPlaceholder::Worktree => self.worktree.as_os_str(),
            CommandPlaceholder::Brief => OsStr::new(self.brief),
            CommandPlaceholder::BriefFile => self.brief_file.as_os_str(),
            CommandPlaceholder::Session => OsStr::new(self.session.ok_or(missing)?),
            CommandPlaceholder::StoreDir => self.store_dir.as_os_str(),
            CommandPlaceholder::GitDir => self.git_dir.ok_or(missing)?.as_os_str(),
            CommandPlaceholder::GitCommonDir => self.git_common_dir.ok_or(missing)?.as_os_str(),
            CommandPlaceholder::Inbox => self.inbox.as_os_str(),
            CommandPlaceholder::Orch => self.orch.as_os_str(),
        })
    }
}

/// Why a command cannot be written out for a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// This start has nothing of the kind: there is no repository, or no session to resume.
    #[error("nothing stands for {{{placeholder}}} here")]
    Missing {
        /// What the profile asks for.
        placeholder: &'static str,
    },
    /// The system takes no argument of this length; a brief can go in by stdin or in a file instead.
    #[error("an argument has {bytes} bytes, more than {}", limit::ARGUMENT_BYTES_MAX)]
    TooLong {
        /// Its length.
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
            git_dir: Some(Path::new("/repo/.git/worktrees/a")),
            git_common_dir: None,
            inbox: Path::new("/bin/inbox"),
            orch: Path::new("/bin/orch"),
        }
    }

    #[test]
    fn words_are_filled() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("-C{worktree}", "-C/repo.orch/a b"),
            ("{brief}", "Do {it}."),
            ("{store_dir}:{git_dir}", "/store:/repo/.git/worktrees/a"),
            ("Bash({inbox} *)", "Bash(/bin/inbox *)"),
            ("{{\"a\":{{}}}} {orch}", "{\"a\":{}} /bin/orch"),
            ("{{worktree}}", "{worktree}"),
        ] {
            let filled =
                CommandWord::parse(text).unwrap().expand_placeholders(&placeholder_values("Do {it}."));
            assert_eq!(filled, Ok(OsString::from(expected)), "{text}");
        }
    }

    #[test]
    fn unknown_names_and_loose_braces_are_wrong() {
        for (text, expected) in [
            ("{Worktree}", CommandWordError::Unknown("Worktree".to_owned())),
            ("x{}", CommandWordError::Unknown(String::new())),
            ("{work tree}", CommandWordError::Unknown("work tree".to_owned())),
            ("{worktree", CommandWordError::LooseBrace),
            ("worktree}", CommandWordError::LooseBrace),
            ("{worktree{brief}", CommandWordError::LooseBrace),
            ("a\0b", CommandWordError::Nul),
        ] {
            assert_eq!(CommandWord::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_start_must_have_what_the_command_names() {
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
