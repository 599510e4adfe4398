//! `orch dep …`: which task waits for which.

mod add;
mod list;
mod rm;

use clap::Subcommand;
use orch_contract::orch::dependency::WaitsForAnswer;
use orch_contract::task::texts;
use orch_core::id::Slug;
use orch_inbox::{Answer, Error, Receipt, Session};
use orch_scheduler::TaskShown;

use super::naming::NamedRun;
use super::task::Manner;
use super::view;
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::human::{Paper, harmless};
use crate::respond::{Outcome, Printable, Reply};

/// Say which task waits for which
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(add::Args),
    Rm(rm::Args),
    List(list::Args),
}

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    match args.command {
        Command::Add(args) => add::run(args, context, run),
        Command::Rm(args) => rm::run(args, context, run),
        Command::List(args) => list::run(args, context, run),
    }
}

/// Changes what a task waits for.
fn change(
    context: &mut Context<'_>,
    manner: &Manner,
    fingerprint: Fingerprint,
    sentence: String,
    operation: impl FnOnce(&mut Session, Option<&Receipt<'_, TaskShown>>) -> Result<Answer<TaskShown>, Error>,
) -> Result<Outcome, Failure> {
    let mut reply = context.change(
        &manner.repeatable,
        fingerprint,
        |shown| WaitsForAnswer { task: view::brief(shown), waits_for: texts(&shown.waits_for) },
        operation,
    )?;
    view::widen(context.session()?, &mut reply.data.task, manner.detail.full)?;
    Ok(Outcome::Answer(Box::new(Told { sentence, reply })))
}

/// An answer that people are told in the words of the request.
struct Told {
    sentence: String,
    reply: Reply<WaitsForAnswer>,
}

impl Printable for Told {
    fn document(&self, command: &str, warnings: &[String]) -> serde_json::Result<String> {
        self.reply.document(command, warnings)
    }

    fn text(&self, paper: &mut Paper) {
        paper.line(harmless(&self.sentence));
        self.reply.text(paper);
    }
}

/// Keys as a person lists them: "a", "a and b", "a, b and c".
fn listed(keys: &[Slug]) -> String {
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
        let keys: Vec<Slug> = ["a", "b", "c"].map(|key| Slug::stored(key.to_owned())).to_vec();
        assert_eq!(listed(&keys[..0]), "nothing");
        assert_eq!(listed(&keys[..1]), "a");
        assert_eq!(listed(&keys[..2]), "a and b");
        assert_eq!(listed(&keys), "a, b and c");
    }
}
