//! `orch usage`: what attempts used.

use orch_contract::UtcTimestamp;
use orch_contract::orch::usage::{UsageResponse, UsageRowView};
use orch_contract::{TokensView, UsdAmount};
use orch_core::id::Slug;
use orch_core::time::{Time, TimeSpan};
use orch_query::usage::{UsageRequest, list_usage};
use orch_store::table::usage::{UsageGrouping, UsageRow};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// What rows of usage are added up by.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum UsageKey {
    /// The UTC day.
    Day,
    /// The run.
    Run,
    /// The profile.
    Profile,
    /// The task.
    Task,
}

/// Shows what attempts used.
#[derive(Debug, Serialize)]
pub struct ShowUsage {
    /// Only of runs with this name.
    pub run: Option<Slug>,
    /// Only days that are not older than this.
    pub since: Option<TimeSpan>,
    /// What rows are added up by; by all of them when absent.
    pub by: Option<UsageKey>,
    /// Which part of the list.
    pub paging: Paging,
}

impl Request for ShowUsage {
    const COMMAND: &'static str = "orch usage";
    type View = UsageResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<UsageResponse> {
        let request = UsageRequest {
            since: self.since,
            grouping: match self.by {
                None => UsageGrouping::Everything,
                Some(UsageKey::Day) => UsageGrouping::Day,
                Some(UsageKey::Run) => UsageGrouping::Run,
                Some(UsageKey::Profile) => UsageGrouping::Profile,
                Some(UsageKey::Task) => UsageGrouping::Task,
            },
            run: self.run.clone(),
            page: self.paging.page_request(),
        };
        let page = list_usage(app.session()?, &request)?;
        let rows = page.items.iter().map(row_view).collect();
        Ok(Reply::new(UsageResponse { rows, total: page.total, next: page.next }))
    }
}

fn row_view(row: &UsageRow) -> UsageRowView {
    let run = row.run.as_ref().map(Slug::to_string);
    let task = row.task.as_ref().map(|key| match &run {
        Some(run) => format!("{run}/{key}"),
        None => key.to_string(),
    });
    UsageRowView {
        day: row.day.map(day_text),
        run,
        profile: row.profile.as_ref().map(Slug::to_string),
        task,
        cost_usd: row.sum.spent.cost_micros.map(UsdAmount),
        cost_source: row.sum.source.into(),
        tokens: TokensView::of_usage(row.sum.spent),
        attempts: row.sum.spent.attempts,
    }
}

/// Formats a day, counted from 1970-01-01, like `2026-11-22`.
fn day_text(day: i64) -> String {
    let start = UtcTimestamp(Time(day.saturating_mul(86_400_000))).to_string();
    start.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_date() {
        assert_eq!(day_text(0), "1970-01-01");
        assert_eq!(day_text(20_788), "2026-12-01");
    }
}
