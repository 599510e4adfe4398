//! `orch dep …`: which task waits for which.

mod add;
mod list;
mod rm;

use clap::Subcommand;
use orch_app::{AppError, Reply};
use orch_contract::orch::dependency::DependencyEditResponse;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, PrintableReply};
use orch_text::{TextPage, escape_controls};

/// Say which task waits for which
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct DepArgs {
    #[command(subcommand)]
    command: DepCommand,
}

#[derive(Debug, Subcommand)]
enum DepCommand {
    Add(add::DepAddArgs),
    Rm(rm::DepRmArgs),
    List(list::DepListArgs),
}

pub(super) fn run(args: DepArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    match args.command {
        DepCommand::Add(args) => add::run(args, context),
        DepCommand::Rm(args) => rm::run(args, context),
        DepCommand::List(args) => list::run(args, context),
    }
}

/// Returns the outcome of a changed dependency; people get a sentence in the words of the request.
fn dependency_outcome(sentence: String, reply: Reply<DependencyEditResponse>) -> CommandOutcome {
    CommandOutcome::Reply(Box::new(DependencyReply { sentence, reply }))
}

/// An answer that begins with a sentence for people.
struct DependencyReply {
    sentence: String,
    reply: Reply<DependencyEditResponse>,
}

impl PrintableReply for DependencyReply {
    fn to_document(&self, command: &str, warnings: &[String]) -> serde_json::Result<String> {
        self.reply.to_document(command, warnings)
    }

    fn render_text(&self, paper: &mut TextPage) {
        paper.write_line(escape_controls(&self.sentence));
        self.reply.render_text(paper);
    }
}

/// Returns keys as a person lists them: "a", "a and b", "a, b and c".
fn list_keys(keys: &[Slug]) -> String {
    match keys {
        [] => "nothing".to_owned(),
        [one] => one.to_string(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(Slug::as_str).collect();
            format!("{} and {last}", most.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_listed_as_people_do() {
        let keys: Vec<Slug> = ["a", "b", "c"].map(|key| Slug::from_stored(key.to_owned())).to_vec();
        assert_eq!(list_keys(&keys[..0]), "nothing");
        assert_eq!(list_keys(&keys[..1]), "a");
        assert_eq!(list_keys(&keys[..2]), "a and b");
        assert_eq!(list_keys(&keys), "a, b and c");
    }
}
