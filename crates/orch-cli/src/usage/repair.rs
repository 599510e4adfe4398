//! What is wrong with a command line, and the whole command as it was meant.

use clap::Command;
use clap::error::ErrorKind;
use orch_core::shell;

use super::scan::{ScannedLine, find_long, looks_like_option, takes_value};
use super::synonyms::{COMMANDS, MeantOption, OPTIONS, loses_work, takes_away};

/// What is wrong with a command line.
#[derive(Debug)]
pub(super) struct UsageProblem {
    /// A sentence that begins with the word that is wrong.
    pub(super) message: String,
    /// The option or argument that is wrong.
    pub(super) argument: Option<String>,
    /// The next command: the whole command as it was meant, or the help of it.
    pub(super) hint: String,
}

/// One thing that is wrong, and the command line without it.
struct FoundProblem {
    message: String,
    argument: Option<String>,
    /// The command line as it was meant; none where that is not known.
    corrected: Option<Vec<String>>,
    /// The command whose help explains it.
    command: String,
    /// The correction would take work away, so that only its help is a hint.
    is_risky: bool,
}

/// How often a command line is corrected until it parses.
const ROUNDS: usize = 8;

/// Returns what is wrong with a command line: an unknown command or option, or a text in several words.
pub(super) fn diagnose(parser: &Command, words: &[String]) -> Option<UsageProblem> {
    let first = find_problem(parser, words)?;
    let hint = match first.corrected.filter(|_| !first.is_risky) {
        None => format!("{} --help", first.command),
        Some(corrected) => complete_correction(parser, corrected),
    };
    Some(UsageProblem { message: first.message, argument: first.argument, hint })
}

/// Corrects what else is wrong, and returns the command if it parses, else its help.
fn complete_correction(parser: &Command, mut words: Vec<String>) -> String {
    for _ in 0..ROUNDS {
        if words[0] != parser.get_name() {
            return format!(
                "{} --help",
                words.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(" ")
            );
        }
        match find_problem(parser, &words) {
            None => break,
            Some(FoundProblem { corrected: Some(better), is_risky: false, .. }) => words = better,
            Some(other) => return format!("{} --help", other.command),
        }
    }
    if is_accepted(parser, &words) {
        return shell::join_words(words.iter().map(String::as_str));
    }
    format!("{} --help", ScannedLine::scan(parser, &words).command())
}

/// Whether the parser takes a command line.
fn is_accepted(parser: &Command, words: &[String]) -> bool {
    match parser.clone().try_get_matches_from(words) {
        Ok(_) => true,
        Err(error) => matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion),
    }
}

fn find_problem(parser: &Command, words: &[String]) -> Option<FoundProblem> {
    let line = ScannedLine::scan(parser, words);
    if line.path.get(1) == Some(&"help") {
        return None;
    }
    let positionals = line.positionals();
    if line.leaf.has_subcommands() {
        return positionals.first().map(|guess| unknown_command(parser, words, &line, *guess));
    }
    if let Some((index, name, value)) = line.first_unknown() {
        return Some(unknown_option(words, &line, index, name, value));
    }
    several_words(words, &line, &positionals)
}

/// An unknown command, and its correction.
fn unknown_command(parser: &Command, words: &[String], line: &ScannedLine<'_>, guess: usize) -> FoundProblem {
    let group = line.command();
    let typed = words[guess].as_str();
    let shown = line.path[1..].iter().chain([&typed]).copied().collect::<Vec<_>>().join(" ");
    let Some(meant) = meant_command(parser, line.leaf, &group, typed) else {
        let message = format!("unknown command '{shown}'.");
        return FoundProblem { message, argument: None, corrected: None, command: group, is_risky: false };
    };
    let rest =
        words.iter().enumerate().filter(|(index, _)| *index != guess && !line.commands.contains(index));
    let corrected = meant.split(' ').map(str::to_owned).chain(rest.map(|(_, word)| word.clone())).collect();
    let bare = meant.split(" -").next().unwrap_or(&meant).to_owned();
    FoundProblem {
        message: format!("unknown command '{shown}'. Did you mean '{meant}'?"),
        argument: None,
        corrected: Some(corrected),
        is_risky: takes_away(&bare),
        command: bare,
    }
}

fn meant_command(parser: &Command, leaf: &Command, group: &str, typed: &str) -> Option<String> {
    let guess = typed.to_lowercase().replace('_', "-");
    let fits = COMMANDS.iter().filter(|entry| entry.group == group);
    let mut fits = fits.filter(|entry| entry.guesses.split(' ').any(|known| known == guess));
    if let Some(entry) = fits.find(|entry| has_command(parser, entry.meant)) {
        return Some(entry.meant.to_owned());
    }
    let program = parser.get_name();
    if group != program && find_visible(parser, &guess).is_some() {
        return Some(format!("{program} {guess}"));
    }
    let mut groups =
        parser.get_subcommands().filter(|inner| inner.has_subcommands() && inner.get_name() != "help");
    if let Some(other) = groups.find(|inner| find_visible(inner, &guess).is_some()) {
        return Some(format!("{program} {} {guess}", other.get_name()));
    }
    let names = leaf.get_subcommands().filter(|inner| !inner.is_hide_set()).map(Command::get_name);
    let near = nearest_name(&guess, names.filter(|name| *name != "help"))?;
    Some(format!("{group} {near}"))
}

fn find_visible<'a>(command: &'a Command, name: &str) -> Option<&'a Command> {
    command.find_subcommand(name).filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
}

/// Whether the program has a command with these options; one of the other program is believed.
fn has_command(parser: &Command, meant: &str) -> bool {
    let mut words = meant.split(' ');
    if words.next() != Some(parser.get_name()) {
        return true;
    }
    let mut level = parser;
    for word in words {
        if let Some(long) = word.strip_prefix("--") {
            if long != "version" && find_long(level, long).is_none() {
                return false;
            }
        } else {
            let Some(inner) = level.find_subcommand(word) else { return false };
            level = inner;
        }
    }
    true
}

/// An unknown option, and its correction.
fn unknown_option(
    words: &[String],
    line: &ScannedLine<'_>,
    index: usize,
    name: &str,
    attached: Option<&str>,
) -> FoundProblem {
    let command = line.command();
    let value = attached.map(str::to_owned).or_else(|| {
        let next = words.get(index + 1)?;
        line.positionals().contains(&(index + 1)).then(|| next.clone())
    });
    let problem = |explanation: String, corrected: Option<Vec<String>>, is_risky: bool| FoundProblem {
        message: format!("unknown option '{name}'.{explanation}"),
        argument: Some(name.to_owned()),
        corrected,
        command: command.clone(),
        is_risky,
    };
    let is_text = name.contains(char::is_whitespace);
    match meant_option(line, name, value.as_deref()).filter(|_| !is_text) {
        Some(MeantOption::Option(long)) => {
            let option = format!("--{long}");
            let mut corrected = words.to_vec();
            corrected[index] = match attached {
                Some(value) if find_long(line.leaf, long).is_some_and(takes_value) => {
                    format!("{option}={value}")
                }
                _ => option.clone(),
            };
            problem(format!(" Did you mean '{option}'?"), Some(corrected), loses_work(long))
        }
        Some(MeantOption::Positional) => {
            let slot = last_positional(line).unwrap_or_default();
            let without = remove_option(words, index, attached.is_none() && value.is_some());
            let corrected = value.map(|value| append_text(without, value));
            problem(format!(" {slot} is given without an option."), corrected, false)
        }
        Some(MeantOption::Needless(reason)) => {
            problem(format!(" {reason}"), Some(remove_option(words, index, false)), false)
        }
        None => {
            let slots = line.leaf.get_positionals().count();
            let given = line.positionals().len();
            match line.text_argument().filter(|_| given < slots) {
                Some(_) => {
                    let slot = last_positional(line).unwrap_or_default();
                    let corrected = append_text(remove_option(words, index, false), words[index].clone());
                    problem(format!(" As {slot} it needs `--` before it."), Some(corrected), false)
                }
                None => problem(String::new(), None, false),
            }
        }
    }
}

fn last_positional(line: &ScannedLine<'_>) -> Option<String> {
    let last = line.leaf.get_positionals().last()?;
    let name = last.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    Some(name.unwrap_or_else(|| last.get_id().as_str().to_uppercase()))
}

/// Returns what an unknown option means: by its spelling, by the table, or by the nearest name.
fn meant_option<'a>(line: &ScannedLine<'a>, name: &str, value: Option<&str>) -> Option<MeantOption<'a>> {
    let guess = name.trim_start_matches('-').to_lowercase().replace('_', "-");
    let options: Vec<&'a clap::Arg> = line
        .leaf
        .get_arguments()
        .filter(|option| option.get_long().is_some() && !option.is_hide_set())
        .collect();
    let longs = || options.iter().filter_map(|option| option.get_long());
    if let Some(exact) = longs().find(|long| *long == guess) {
        return Some(MeantOption::Option(exact));
    }
    let command = line.command();
    let entries = || {
        let of_command = OPTIONS
            .iter()
            .filter(|entry| entry.commands.is_empty() || entry.commands.split(',').any(|one| one == command));
        of_command
            .filter(|entry| entry.guesses.split(' ').any(|known| known == guess))
            .map(|entry| entry.meant)
    };
    let takes = |meant: &MeantOption, with_value: bool| match meant {
        MeantOption::Option(long) => {
            options.iter().find(|option| option.get_long() == Some(long)).is_some_and(|option| {
                !with_value
                    || takes_value(option) == value.is_some()
                    || option.get_num_args().is_some_and(|count| count.min_values() == 0)
            })
        }
        MeantOption::Positional => line.leaf.get_positionals().next().is_some(),
        MeantOption::Needless(_) => true,
    };
    // An option whose shape fits the guess goes before one that lacks its value.
    if let Some(meant) =
        entries().find(|meant| takes(meant, true)).or_else(|| entries().find(|meant| takes(meant, false)))
    {
        return Some(meant);
    }
    let mut beginning = longs().filter(|long| guess.len() > 2 && long.starts_with(guess.as_str()));
    if let (Some(only), None) = (beginning.next(), beginning.next()) {
        return Some(MeantOption::Option(only));
    }
    nearest_name(&guess, longs()).map(MeantOption::Option)
}

/// Returns the words without an option, and without the value behind it.
fn remove_option(words: &[String], index: usize, with_value: bool) -> Vec<String> {
    let behind = index + 1 + usize::from(with_value);
    words[..index].iter().chain(&words[behind..]).cloned().collect()
}

/// Appends a text, behind `--` where it looks like an option.
fn append_text(mut words: Vec<String>, text: String) -> Vec<String> {
    if !words.iter().any(|word| word == "--") && looks_like_option(&text) {
        words.push("--".to_owned());
    }
    words.push(text);
    words
}

/// A text in several words without quotes.
fn several_words(words: &[String], line: &ScannedLine<'_>, positionals: &[usize]) -> Option<FoundProblem> {
    let slots = line.leaf.get_positionals().count();
    line.text_argument().filter(|_| positionals.len() > slots && slots > 0)?;
    let first = positionals[slots - 1];
    let text =
        positionals[slots - 1..].iter().map(|index| words[*index].as_str()).collect::<Vec<_>>().join(" ");
    let mut corrected = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if index == first {
            corrected.push(text.clone());
        } else if !positionals[slots..].contains(&index) {
            corrected.push(word.clone());
        }
    }
    let extra = &words[positionals[slots]];
    Some(FoundProblem {
        message: format!("unexpected argument '{extra}'. A text of several words is quoted."),
        argument: Some(extra.clone()),
        corrected: Some(corrected),
        command: line.command(),
        is_risky: false,
    })
}

/// Returns the name that was most likely mistyped: few letters differ, measured by its length.
fn nearest_name<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = match typed.chars().count() {
        0..=2 => return None,
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    let near =
        names.map(|name| (edit_distance(typed, name), name)).filter(|(distance, _)| *distance <= allowed);
    let near = near.filter(|(_, name)| name.chars().next() == typed.chars().next() || typed.len() > 4);
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Returns how many letters were left out, added, exchanged or swapped with their neighbour.
fn edit_distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let width = other.len() + 1;
    let mut table = vec![0; (one.len() + 1) * width];
    for row in 0..=one.len() {
        for column in 0..width {
            table[row * width + column] = if row == 0 || column == 0 {
                row + column
            } else {
                let differs = usize::from(one[row - 1] != other[column - 1]);
                let mut least = (table[(row - 1) * width + column] + 1)
                    .min(table[row * width + column - 1] + 1)
                    .min(table[(row - 1) * width + column - 1] + differs);
                let swaps = row > 1
                    && column > 1
                    && one[row - 1] == other[column - 2]
                    && one[row - 2] == other[column - 1];
                if swaps {
                    least = least.min(table[(row - 2) * width + column - 2] + 1);
                }
                least
            };
        }
    }
    table[one.len() * width + other.len()]
}
