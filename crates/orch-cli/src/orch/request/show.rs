//! `orch request show`.

use orch_contract::orch::request::{RequestShowResponse, RequestView};
use orch_scheduler::request::show_request;

use crate::arguments::parse_request_id;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

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
    args: &RequestShowArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let applied = show_request(context.open_session()?, &args.key)?;
    let request = RequestView {
        key: applied.key,
        applied: true,
        at: applied.at.into(),
        answer: applied
            .answer
            .as_deref()
            .and_then(|answer| serde_json::from_str(answer).ok())
            .unwrap_or_default(),
    };
    Ok(CommandReply::new(RequestShowResponse { request }).into())
}
