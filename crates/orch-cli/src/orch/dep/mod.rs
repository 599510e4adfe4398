//! `orch dep …`: which task waits for which.

mod add;
mod list;
mod rm;

use clap::Subcommand;
use orch_contract::orch::dependency::DependencyEditResponse;
use orch_contract::task::slug_texts;
use orch_core::id::Slug;
use orch_inbox::{Error, Receipt, Response, Session};
use orch_scheduler::TaskOverview;

use super::naming::NamedRun;
use super::task::ChangeOptions;
use crate::context::CommandRuntime;
use crate::human::{TextPage, escape_controls};
use crate::respond::{CommandOutcome, CommandReply, PrintableReply};
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::orch::view;

/// Say which task waits for which
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct DepArgs {
    #[command(subcommand)]
    command: DepCommand,
}

#[derive(Debug, Subcommand)]
enum DepCommand {
    Add(add::DepAddArgs),
    Rm(rm::DepRmArgs),
    List(list::DepListArgs),
}

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(
    args: DepArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    match args.command {
        DepCommand::Add(args) => add::run(args, context, run),
        DepCommand::Rm(args) => rm::run(args, context, run),
        DepCommand::List(args) => list::run(args, context, run),
    }
}

/// Changes what a task waits for.
fn change_dependencies(
    context: &mut CommandRuntime<'_>,
    manner: &ChangeOptions,
    fingerprint: RequestFingerprint,
    sentence: String,
    operation: impl FnOnce(
        &mut Session,
        Option<&Receipt<'_, TaskOverview>>,
    ) -> Result<Response<TaskOverview>, Error>,
) -> Result<CommandOutcome, AppError> {
    let mut reply = context.run_change(
        &manner.repeatable,
        fingerprint,
        |shown| DependencyEditResponse {
            task: view::task_view(shown),
            waits_for: slug_texts(&shown.waits_for),
        },
        operation,
    )?;
    view::add_long_texts(context.open_session()?, &mut reply.data.task, manner.detail.full)?;
    Ok(CommandOutcome::Reply(Box::new(DependencyReply { sentence, reply })))
}

/// An answer that people are told in the words of the request.
struct DependencyReply {
    sentence: String,
    reply: CommandReply<DependencyEditResponse>,
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

/// Keys as a person lists them: "a", "a and b", "a, b and c".
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
