//! `orch report`: a report on a run, in Markdown.

pub(super) mod markdown;

use orch_contract::orch::report::ReportResponse;
use orch_contract::{TokensView, UsdAmount};
use orch_core::id::Slug;
use orch_query::report::load_report;
use serde::Serialize;

use super::view::profile_usage_views;
use crate::app::App;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Reports on a run, in Markdown.
#[derive(Debug, Serialize)]
pub struct ReportRun {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
}

impl Request for ReportRun {
    const COMMAND: &'static str = "orch report";
    type View = ReportResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<ReportResponse> {
        let report = load_report(app.session()?, self.run.as_ref())?;
        Ok(Reply::new(ReportResponse {
            document: markdown::render_report(&report),
            cost_usd: report.run.spent.cost_micros.map(UsdAmount),
            tokens: TokensView::of_usage(report.run.spent),
            profiles: profile_usage_views(&report.profiles),
        }))
    }
}
