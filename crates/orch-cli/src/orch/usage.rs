//! `orch usage`.

use orch_app::AppError;
use orch_app::orch::usage::{ShowUsage, UsageKey};
use orch_app::values::parse_duration;
use orch_core::time::TimeSpan;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show what attempts cost, and how many tokens they used
///
/// Usage is kept by UTC day, run, profile and task, and stays when a run is removed. A cost is reported by the
/// client, or computed from its tokens by the prices of its profile; what is not known is shown as unknown.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch usage --since 7d --by day\n  orch usage --by profile\n  orch usage --run ship --by task"
)]
pub(super) struct UsageArgs {
    /// Only days that are not older than this, such as 12h or 30d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    since: Option<TimeSpan>,
    /// Add rows up by one of these [default: a row for each day, run, profile and task]
    #[arg(long, value_name = "KEY", value_parser = ["day", "run", "profile", "task"])]
    by: Option<String>,
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(args: UsageArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run()?;
    let by = args.by.as_deref().map(|key| match key {
        "day" => UsageKey::Day,
        "run" => UsageKey::Run,
        "profile" => UsageKey::Profile,
        _ => UsageKey::Task,
    });
    context.show(&ShowUsage { run, since: args.since, by, paging: args.paging.paging() })
}
