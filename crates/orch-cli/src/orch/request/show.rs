//! `orch request show`.

use orch_app::AppError;
use orch_app::orch::request::show::ShowRequest;
use orch_app::values::parse_request_id;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show whether a request was applied, and its recorded response
///
/// Responses are kept for 30 days.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch request show add-parser-1")]
pub(super) struct RequestShowArgs {
    /// The id given as `--request-id`
    #[arg(value_name = "KEY", value_parser = parse_request_id)]
    key: String,
}

pub(super) fn run(
    args: RequestShowArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    context.show(&ShowRequest { key: args.key })
}
