//! docs/cli/: one page per command of both programs, from what their parsers say of themselves.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::GeneratedPage;

/// Where they lie; nothing else does.
pub(super) const FOLDER: &str = "docs/cli";

const MARK: &str = "<!-- Made by `cargo xtask docs` from the command's own help; do not edit. -->";

/// Makes a page for each command, and one that lists them.
pub(super) fn command_pages(programs: Vec<Command>) -> Vec<GeneratedPage> {
    let mut index = format!("# Commands\n\n{MARK}\n");
    let mut pages = Vec::new();
    for mut program in programs {
        program.build();
        let name = program.get_name().to_owned();
        let _ = write!(index, "\n## {name}\n\n{}", command_description(&program));
        let _ = write!(index, "\nOptions of every command:\n\n{}", option_list(&program, Arg::is_global_set));
        let _ = write!(index, "\n| command | what it does |\n| --- | --- |\n");
        for (path, command) in leaf_commands(&program, &name) {
            let file = format!("{}.md", path.replace(' ', "-"));
            let brief = command.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(index, "| [{path}]({file}) | {} |", escape_cell(&brief));
            pages
                .push(GeneratedPage { path: format!("{FOLDER}/{file}"), text: command_page(&path, command) });
        }
        if let Some(examples) = program.get_after_help() {
            let _ = write!(index, "\n{}", example_section(&examples.to_string()));
        }
    }
    pages.push(GeneratedPage { path: format!("{FOLDER}/README.md"), text: index });
    pages
}

/// The commands that do something, in the order of the help, each with its full name.
fn leaf_commands<'a>(parent: &'a Command, path: &str) -> Vec<(String, &'a Command)> {
    let mut found = Vec::new();
    for command in
        parent.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        let path = format!("{path} {}", command.get_name());
        if command.is_subcommand_required_set()
            || command.is_arg_required_else_help_set() && command.has_subcommands()
        {
            found.extend(leaf_commands(command, &path));
        } else {
            found.push((path.clone(), command));
            found.extend(leaf_commands(command, &path));
        }
    }
    found
}

fn command_page(path: &str, command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    let mut text = format!("# {path}\n\n{MARK}\n\n{}\n```text\n{usage}\n```\n", command_description(command));
    let own = |argument: &Arg| !argument.is_global_set();
    let positionals = option_list(command, |argument| argument.is_positional() && own(argument));
    let flags = option_list(command, |argument| !argument.is_positional() && own(argument));
    for (title, list) in [("Arguments", positionals), ("Options", flags)] {
        if !list.is_empty() {
            let _ = write!(text, "\n## {title}\n\n{list}");
        }
    }
    if let Some(examples) = command.get_after_long_help().or(command.get_after_help()) {
        let _ = write!(text, "\n{}", example_section(&examples.to_string()));
    }
    let program = path.split(' ').next().unwrap_or(path);
    let _ =
        write!(text, "\nThe options of every command are listed under [{program}](README.md#{program}).\n");
    text
}

/// What a command does: its long text, else its short one, one sentence per line.
fn command_description(command: &Command) -> String {
    let text = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let mut lines = String::new();
    for paragraph in text.trim().split("\n\n") {
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(&split_sentences(&paragraph.replace('\n', " ")));
        lines.push('\n');
    }
    lines
}

/// Puts each sentence on a line of its own.
fn split_sentences(paragraph: &str) -> String {
    let mut text = String::new();
    let mut rest = paragraph.trim();
    while let Some(at) =
        rest.match_indices(". ").map(|(at, _)| at).find(|at| rest[at + 2..].starts_with(char::is_uppercase))
    {
        text.push_str(&rest[..=at]);
        text.push('\n');
        rest = rest[at + 2..].trim_start();
    }
    text.push_str(rest);
    text
}

/// A list of the arguments for which this holds.
fn option_list(command: &Command, wanted: impl Fn(&Arg) -> bool) -> String {
    let mut list = String::new();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set() && wanted(argument)) {
        if matches!(argument.get_id().as_str(), "help" | "version") {
            continue;
        }
        let help =
            argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        let mut facts = argument_facts(argument);
        let help = help.replace('\n', " ");
        let stop = if facts.is_empty() || help.trim_end().ends_with('.') { "" } else { "." };
        facts.insert(0, format!("{}{stop}", help.trim()));
        let _ = writeln!(list, "- `{}`: {}", argument_spelling(argument), facts.join(" "));
    }
    list
}

/// What else there is to say of an argument: its choices, its default, its variable.
fn argument_facts(argument: &Arg) -> Vec<String> {
    let mut facts = Vec::new();
    if argument.get_action().takes_values() {
        let choices = argument.get_possible_values();
        let shown = choices.iter().filter(|value| !value.is_hide_set());
        let names: Vec<String> = shown.map(|value| format!("`{}`", value.get_name())).collect();
        if !names.is_empty() {
            facts.push(format!("One of {}.", names.join(", ")));
        }
        let defaults: Vec<&str> =
            argument.get_default_values().iter().filter_map(|value| value.to_str()).collect();
        if !defaults.is_empty() && !argument.is_hide_default_value_set() {
            facts.push(format!("Default: `{}`.", defaults.join(" ")));
        }
    }
    if let Some(variable) = argument.get_env().and_then(|variable| variable.to_str()) {
        facts.push(format!("Also `{variable}`."));
    }
    facts
}

/// An argument as it is typed.
fn argument_spelling(argument: &Arg) -> String {
    let names: Vec<String> = argument
        .get_value_names()
        .map(|names| names.iter().map(|name| format!("<{name}>")).collect())
        .unwrap_or_default();
    let range = argument.get_num_args();
    let several = range.is_some_and(|range| range.max_values() > names.len().max(1))
        || matches!(argument.get_action(), clap::ArgAction::Append);
    let mut values = if argument.get_action().takes_values() { names.join(" ") } else { String::new() };
    if range.is_some_and(|range| range.min_values() == 0) && !values.is_empty() {
        values = format!("[{values}]");
    }
    if several && !values.is_empty() {
        values.push('…');
    }
    let mut spelled: Vec<String> =
        argument.get_short().map(|short| format!("-{short}")).into_iter().collect();
    spelled.extend(argument.get_long().map(|long| format!("--{long}")));
    if spelled.is_empty() { values } else { format!("{} {values}", spelled.join(", ")).trim_end().to_owned() }
}

/// What stands below the options: titles in capitals, prose, and indented lines, which become blocks.
fn example_section(text: &str) -> String {
    let (mut page, mut block, mut language) = (String::new(), Vec::new(), "text");
    for line in text.trim_end().lines() {
        if let Some(inside) = line.strip_prefix("  ") {
            block.push(inside);
        } else if line.is_empty() {
            block.push("");
        } else {
            close_block(&mut page, &mut block, language);
            let title =
                line.strip_suffix(':').filter(|title| title.chars().all(|letter| !letter.is_lowercase()));
            language = if title.is_some() { "sh" } else { "text" };
            match title {
                Some(title) => page.push_str(&format!("## {}\n\n", sentence_case(title))),
                None => page.push_str(&format!("{}\n\n", split_sentences(line))),
            }
        }
    }
    close_block(&mut page, &mut block, language);
    format!("{}\n", page.trim_end())
}

/// Ends a block, where there is one.
fn close_block(page: &mut String, block: &mut Vec<&str>, language: &str) {
    let lines = block.join("\n");
    if !lines.trim().is_empty() {
        let _ = write!(page, "```{language}\n{}\n```\n\n", lines.trim_matches('\n'));
    }
    block.clear();
}

/// A title in capitals as one of a document.
fn sentence_case(title: &str) -> String {
    let lower = title.to_lowercase();
    let mut letters = lower.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// A text that fits a table.
fn escape_cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_command() -> Command {
        let add = Command::new("add")
            .about("Add a thing")
            .long_about("Add a thing\n\nIt is added at once. Nothing else\nhappens.")
            .arg(Arg::new("name").value_name("NAME").required(true).help("What it is called"))
            .arg(
                Arg::new("after")
                    .long("after")
                    .value_name("KEY")
                    .action(clap::ArgAction::Append)
                    .help("Behind this one"),
            )
            .arg(Arg::new("wait").long("wait").value_name("D").num_args(0..=1).help("Wait"))
            .after_help("EXAMPLE:\n  tool thing add a <<'EOF'\n  text\n  EOF");
        let hidden = Command::new("secret").hide(true);
        let things = Command::new("thing").subcommand_required(true).subcommand(add);
        Command::new("tool")
            .about("A tool")
            .arg(
                Arg::new("json")
                    .long("json")
                    .global(true)
                    .action(clap::ArgAction::SetTrue)
                    .help("Print JSON"),
            )
            .subcommand(things)
            .subcommand(hidden)
    }

    #[test]
    fn each_command_has_a_page() {
        let pages = command_pages(vec![sample_command()]);
        let paths: Vec<&str> = pages.iter().map(|page| page.path.as_str()).collect();
        assert_eq!(paths, ["docs/cli/tool-thing-add.md", "docs/cli/README.md"]);
        let page = &pages[0].text;
        for part in [
            "# tool thing add\n",
            "Add a thing\n\nIt is added at once.\nNothing else happens.\n",
            "- `<NAME>`: What it is called\n",
            "- `--after <KEY>…`: Behind this one\n",
            "- `--wait [<D>]`: Wait\n",
            "## Example\n\n```sh\ntool thing add a <<'EOF'\ntext\nEOF\n```\n",
        ] {
            assert!(page.contains(part), "{part}\n---\n{page}");
        }
        assert!(!page.contains("--json"), "{page}");
        assert!(pages[1].text.contains("- `--json`: Print JSON\n"), "{}", pages[1].text);
        assert!(pages[1].text.contains("| [tool thing add](tool-thing-add.md) | Add a thing |\n"));
    }
}
