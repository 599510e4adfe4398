//! A command line word by word: which command it names, which words are options, their values, and texts.

use clap::{Arg, ArgAction, Command};

/// A command line, taken apart by the options of its command.
#[derive(Debug)]
pub(super) struct ScannedLine<'a> {
    /// The command, as far as its words name one.
    pub(super) leaf: &'a Command,
    /// The indices of the words that name the command, the program first.
    pub(super) commands: Vec<usize>,
    /// The canonical names from the program down.
    pub(super) path: Vec<&'a str>,
    /// The other words, in their order.
    pub(super) words: Vec<ScannedWord<'a>>,
}

/// A word behind the command, or an option together with its value.
#[derive(Clone, Debug)]
pub(super) struct ScannedWord<'a> {
    /// The index of the word.
    pub(super) index: usize,
    /// What it is.
    pub(super) role: WordRole<'a>,
}

/// What a word is to the command.
#[derive(Clone, Debug)]
pub(super) enum WordRole<'a> {
    /// An option that the command has; `value` is the index of the word that is its value.
    Known {
        /// The index of a value of its own.
        value: Option<usize>,
        /// Short options or their value are attached, as in `-Rship`.
        is_cluster: bool,
    },
    /// An option that the command does not have: its name, and its value where `=` attaches one.
    Unknown(&'a str, Option<&'a str>),
    /// The separator `--`.
    Separator,
    /// A positional argument.
    Positional,
}

impl<'a> ScannedLine<'a> {
    /// Takes a command line apart; the first word is the program.
    pub(super) fn scan(program: &'a Command, words: &'a [String]) -> Self {
        let mut line =
            Self { leaf: program, commands: vec![0], path: vec![program.get_name()], words: Vec::new() };
        let mut index = 1;
        let mut is_content = false;
        while index < words.len() {
            let word = words[index].as_str();
            let role = if is_content {
                WordRole::Positional
            } else if word == "--" {
                is_content = true;
                WordRole::Separator
            } else if let Some(role) = line.option_role(words, index) {
                role
            } else if let Some(inner) = line.find_command(word) {
                line.leaf = inner;
                line.path.push(inner.get_name());
                line.commands.push(index);
                index += 1;
                continue;
            } else {
                WordRole::Positional
            };
            let next = match role {
                WordRole::Known { value: Some(value), .. } => value + 1,
                _ => index + 1,
            };
            line.words.push(ScannedWord { index, role });
            index = next;
        }
        line
    }

    /// Returns the first word that is an option which the command does not have.
    pub(super) fn first_unknown(&self) -> Option<(usize, &'a str, Option<&'a str>)> {
        self.words.iter().find_map(|word| match word.role {
            WordRole::Unknown(name, value) => Some((word.index, name, value)),
            _ => None,
        })
    }

    /// Returns the indices of the positional arguments.
    pub(super) fn positionals(&self) -> Vec<usize> {
        let words = self.words.iter().filter(|word| matches!(word.role, WordRole::Positional));
        words.map(|word| word.index).collect()
    }

    /// Returns the command's name, from the program down.
    pub(super) fn command(&self) -> String {
        self.path.join(" ")
    }

    /// Whether short options are written as one word.
    pub(super) fn has_clusters(&self) -> bool {
        self.words.iter().any(|word| matches!(word.role, WordRole::Known { is_cluster: true, .. }))
    }

    /// Returns the positional argument that takes a text, where the command has one.
    pub(super) fn text_argument(&self) -> Option<&'a Arg> {
        self.leaf.get_positionals().filter(|argument| argument.is_allow_hyphen_values_set()).last()
    }

    /// Returns the command of this name below the commands found so far, unless other words came between.
    fn find_command(&self, word: &str) -> Option<&'a Command> {
        let has_positional = self.words.iter().any(|word| matches!(word.role, WordRole::Positional));
        self.leaf.find_subcommand(word).filter(|_| !has_positional)
    }

    fn option_role(&self, words: &'a [String], index: usize) -> Option<WordRole<'a>> {
        let word = words[index].as_str();
        if !looks_like_option(word) {
            return None;
        }
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        if let Some(long) = name.strip_prefix("--") {
            let known = find_long(self.leaf, long);
            return Some(match known {
                None => WordRole::Unknown(name, attached),
                Some(_) if attached.is_some() => WordRole::Known { value: None, is_cluster: false },
                Some(option) => {
                    WordRole::Known { value: value_index(option, words, index), is_cluster: false }
                }
            });
        }
        let letters: Vec<char> = word.chars().skip(1).collect();
        for (place, letter) in letters.iter().enumerate() {
            let Some(option) = find_short(self.leaf, *letter) else {
                // The first letter decides whether the word is an option at all.
                return Some(WordRole::Unknown(if place == 0 { name } else { word }, attached));
            };
            if takes_value(option) {
                let is_attached = place + 1 < letters.len();
                let value = if is_attached { None } else { value_index(option, words, index) };
                return Some(WordRole::Known { value, is_cluster: letters.len() > 1 });
            }
        }
        Some(WordRole::Known { value: None, is_cluster: letters.len() > 1 })
    }
}

/// Whether a text must stand behind `--`, because an option could be written so.
pub(super) fn looks_like_option(word: &str) -> bool {
    let mut rest = word.chars().skip(1);
    match rest.next() {
        _ if !word.starts_with('-') => false,
        Some('-') => word.len() > 2 && rest.next() != Some('-'),
        Some(letter) => letter.is_alphabetic(),
        None => false,
    }
}

/// Returns the words with every short option as a word of its own, where the command has it.
pub(super) fn split_clusters(line: &ScannedLine<'_>, words: &[String]) -> Vec<String> {
    let is_cluster = |index: usize| {
        let mut scanned = line.words.iter().filter(|word| word.index == index);
        scanned.any(|word| matches!(word.role, WordRole::Known { is_cluster: true, .. }))
    };
    let mut split = Vec::with_capacity(words.len() + 1);
    for (index, word) in words.iter().enumerate() {
        if !is_cluster(index) {
            split.push(word.clone());
            continue;
        }
        let mut rest = word[1..].chars();
        while let Some(letter) = rest.next() {
            split.push(format!("-{letter}"));
            if find_short(line.leaf, letter).is_some_and(takes_value) {
                let value = rest.as_str();
                if !value.is_empty() {
                    split.push(value.strip_prefix('=').unwrap_or(value).to_owned());
                }
                break;
            }
        }
    }
    split
}

/// Returns the option of this long name.
pub(super) fn find_long<'a>(command: &'a Command, long: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|option| {
        option.get_long() == Some(long)
            || option.get_all_aliases().is_some_and(|aliases| aliases.contains(&long))
    })
}

fn find_short(command: &Command, letter: char) -> Option<&Arg> {
    command.get_arguments().find(|option| option.get_short() == Some(letter))
}

/// Whether an option has a value.
pub(super) fn takes_value(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Set | ArgAction::Append)
}

fn value_index(option: &Arg, words: &[String], index: usize) -> Option<usize> {
    let next = words.get(index + 1).filter(|_| takes_value(option))?;
    let is_value = option.is_allow_hyphen_values_set() || next == "-" || !next.starts_with('-');
    is_value.then_some(index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_an_option_is_told_from_one_that_does_not() {
        for option in ["--title", "--title=R", "--x y", "-x", "-x or -y?", "-é", "-ab", "--1", "-- foo"] {
            assert!(looks_like_option(option), "{option}");
        }
        for content in
            ["- item", "---", "--- a/file", "-1", "-1 left", "-", "--", "", "x", "->", "-_-", "a -x"]
        {
            assert!(!looks_like_option(content), "{content}");
        }
    }
}
