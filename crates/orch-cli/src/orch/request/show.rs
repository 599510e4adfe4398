//! `orch request show`.

use orch_contract::orch::request::{Request, RequestAnswer};
use orch_scheduler::request::show;

use crate::arguments::request_key;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// Say whether a request was applied, and what it was answered
///
/// Answers are kept for 30 days.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch request show add-parser-1")]
pub(super) struct Args {
    /// The request's id, as `--request-id` had it
    #[arg(value_name = "KEY", value_parser = request_key)]
    key: String,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    let applied = show(context.session()?, &args.key)?;
    let request = Request {
        key: applied.key,
        applied: true,
        at: applied.at.into(),
        answer: applied
            .answer
            .as_deref()
            .and_then(|answer| serde_json::from_str(answer).ok())
            .unwrap_or_default(),
    };
    Ok(Reply::new(RequestAnswer { request }).into())
}
