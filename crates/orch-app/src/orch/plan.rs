//! `orch plan export`: writes a run as the plan file that `orch task add --file` reads.

use orch_core::id::Slug;
use orch_core::limit;
use orch_core::run::{AttemptRules, Run};
use orch_core::time::TimeSpan;
use orch_query::plan_export::{ExportedPlan, ExportedTask, export_plan};
use serde_json::{Map, Number, Value, json};

use crate::app::App;
use crate::error::AppError;

/// The form of an exported plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object per line, the run first.
    JsonLines,
    /// One JSON document.
    JsonDocument,
}

impl App<'_> {
    /// Returns the plan file of a run.
    ///
    /// # Errors
    /// The run does not exist.
    pub fn export_plan(&mut self, run: Option<&Slug>, format: ExportFormat) -> Result<String, AppError> {
        let ExportedPlan { run, tasks } = export_plan(self.session()?, run)?;
        let tasks = tasks.iter().map(task_fields);
        Ok(match format {
            ExportFormat::JsonLines => {
                let lines = std::iter::once(json!({"run": run_fields(&run)})).chain(tasks);
                lines.map(|line| format!("{line}\n")).collect()
            }
            ExportFormat::JsonDocument => {
                let document = json!({"run": run_fields(&run), "tasks": tasks.collect::<Vec<Value>>()});
                format!("{document:#}\n")
            }
        })
    }
}

/// The fields of an object, without those that say nothing.
#[derive(Default)]
struct PlanFields(Map<String, Value>);

impl PlanFields {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let says_nothing = match &value {
            Value::Null => true,
            Value::Array(list) => list.is_empty(),
            Value::String(text) => text.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
        };
        if !says_nothing {
            self.0.insert(name.to_owned(), value);
        }
    }
}

fn duration(span: TimeSpan) -> String {
    format!("{}ms", span.0)
}

fn dollars(micros: i64) -> Option<Number> {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000).parse().ok()
}

fn run_fields(run: &Run) -> Value {
    let (policy, rules, budget) = (&run.policy, &run.rules, &run.budget);
    let defaults = AttemptRules::default();
    let mut fields = PlanFields::default();
    fields.set("name", run.name.as_str());
    fields.set("title", run.title.as_str());
    fields.set("goal", run.goal.clone());
    fields.set("done_when", policy.done_when.name());
    fields.set("max_active", policy.max_active);
    fields.set("max_attempts", policy.max_attempts);
    fields.set("retry_delay", duration(policy.retry_delay));
    fields.set("lease", duration(policy.lease.span()));
    fields.set("answer_after", policy.answer_after.map(duration));
    fields.set("verify", rules.verify.clone());
    fields.set("setup", rules.setup.clone());
    fields.set("copy", rules.copy.clone());
    fields.set("protect", rules.protect.clone());
    fields.set("check_env", rules.check_env.clone());
    fields.set("check_cache", rules.check_cache.clone());
    fields.set("setup_key", rules.setup_key.clone());
    fields.set("setup_may_change", rules.setup_may_change.clone());
    if rules.check_limit != defaults.check_limit {
        fields.set("check_limit", duration(rules.check_limit));
    }
    if rules.checks != defaults.checks {
        fields.set("check_by", rules.checks.by.name());
        fields.set("check_retries", rules.checks.retries);
        fields.set("flaky", rules.checks.flaky.name());
    }
    if rules.review != defaults.review {
        fields.set("review", rules.review.name());
    }
    if rules.on_branch_move != defaults.on_branch_move {
        fields.set("on_branch_move", rules.on_branch_move.name());
    }
    if rules.trailers != defaults.trailers {
        fields.set("trailers", rules.trailers);
    }
    if rules.run_hooks != defaults.run_hooks {
        fields.set("run_hooks", rules.run_hooks);
    }
    fields.set("max_all_attempts", budget.max_attempts_all);
    for (prefix, limits) in [("", budget.run), ("task_", budget.task), ("attempt_", budget.attempt)] {
        fields.set(&format!("{prefix}max_wall"), limits.wall.map(duration));
        fields.set(&format!("{prefix}max_cost"), limits.cost_micros.and_then(dollars));
        fields.set(&format!("{prefix}max_tokens"), limits.tokens);
    }
    fields.set("attempt_reserve", budget.attempt_reserve_micros.and_then(dollars));
    Value::Object(fields.0)
}

fn task_fields(exported: &ExportedTask) -> Value {
    let ExportedTask { task, text, after } = exported;
    let names = |slugs: &[Slug]| slugs.iter().map(|slug| slug.as_str().into()).collect::<Vec<Value>>();
    let mut fields = PlanFields::default();
    fields.set("key", task.name.key.as_str());
    fields.set("title", task.title.as_str());
    fields.set("spec", text.spec.clone());
    fields.set("after", names(after));
    if task.priority != limit::PRIORITY_DEFAULT {
        fields.set("priority", task.priority);
    }
    fields.set("accept", text.accept.clone());
    fields.set("verify", text.verify.clone());
    fields.set("labels", names(&task.labels));
    fields.set("agent", task.agent.as_ref().map(Slug::to_string));
    fields.set("max_attempts", task.max_attempts);
    if task.allow_empty {
        fields.set("allow_empty", true);
    }
    fields.set("review", text.review.map(|review| review.name().to_owned()));
    Value::Object(fields.0)
}
