//! The commands of `orch` in groups, for its help.

use std::fmt::Write as _;

use clap::Command;

/// The commands under a heading.
struct CommandGroup {
    heading: &'static str,
    commands: &'static str,
}

/// Every visible command is in one group.
const GROUPS: &[CommandGroup] = &[
    CommandGroup { heading: "Plan", commands: "run task dep plan ready graph" },
    CommandGroup {
        heading: "Work",
        commands: "drive dispatch recall tell blocked answer wait ack ps profile stop",
    },
    CommandGroup {
        heading: "Look",
        commands: "status brief why events log diff timeline agents usage meter",
    },
    CommandGroup { heading: "Judge and land", commands: "verify accept reject integrate review report land" },
    CommandGroup {
        heading: "Store and files",
        commands: "init doctor trust store reconcile worktree clean uninstall request",
    },
    CommandGroup { heading: "Other doors", commands: "setup lead mcp web hook" },
    CommandGroup { heading: "Learn", commands: "prime demo schema completions man help" },
];

/// The heading of commands that no group has.
const REST: &str = "More";

/// The help of the program: what it is, its commands in groups, its options, examples.
const TEMPLATE: &str =
    "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}";

/// Returns the parser with its commands in groups in the help.
pub(super) fn group_commands(parser: Command) -> Command {
    let text = grouped_commands(&parser);
    parser.help_template(TEMPLATE).before_help(text.clone()).before_long_help(text)
}

fn grouped_commands(parser: &Command) -> String {
    let mut rest: Vec<&Command> = parser.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let mut text = String::new();
    for group in GROUPS {
        let names = group.commands.split(' ');
        let commands: Vec<&Command> = names.filter_map(|name| parser.find_subcommand(name)).collect();
        rest.retain(|command| !commands.iter().any(|grouped| grouped.get_name() == command.get_name()));
        write_group(&mut text, group.heading, &commands);
    }
    if !rest.is_empty() {
        write_group(&mut text, REST, &rest);
    }
    text
}

fn write_group(text: &mut String, heading: &str, commands: &[&Command]) {
    let _ = writeln!(text, "{heading}:");
    for command in commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "  {:<12} {about}", command.get_name());
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::OrchCli;
    use super::*;
    use crate::program::CliProgram as _;

    #[test]
    fn every_command_stands_in_a_group() {
        let text = grouped_commands(&OrchCli::full_parser());
        assert!(!text.contains(REST), "{text}");
        let names = GROUPS.iter().flat_map(|group| group.commands.split(' '));
        for name in names {
            assert_eq!(text.matches(&format!("\n  {name} ")).count(), 1, "{name}: {text}");
        }
    }
}
