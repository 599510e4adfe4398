//! What the buttons of a page do: each is a command of `orch`, performed by the same request.

use orch_app::AppError;
use orch_app::orch::review::ReviewRun;
use orch_app::orch::run::pause::PauseRun;
use orch_app::orch::run::resume::ResumeRun;
use orch_contract::ErrorCode;
use orch_core::shell;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::mcp::LeadPermissions;
use crate::mcp::lead;
use crate::mcp::tool::{ToolCall, ToolResult, read_arguments};

/// A button of a page, with the fields of its form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageAction {
    tool: String,
    #[serde(default)]
    arguments: ActionFields,
}

/// The fields of a form; empty ones count as absent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionFields {
    run: Option<String>,
    task: Option<String>,
    text: Option<String>,
    onto: Option<String>,
    /// The commit that the person saw at the tip of the run's branch.
    tip: Option<String>,
}

impl ActionFields {
    fn text(&self) -> Option<&str> {
        self.text.as_deref().filter(|text| !text.trim().is_empty())
    }
}

impl PageAction {
    /// Returns the command that it stands for.
    pub(super) fn command(&self) -> String {
        let fields = &self.arguments;
        let named = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut words = vec!["orch".to_owned()];
        match self.tool.as_str() {
            "pause" | "resume" => words.extend(["run".to_owned(), self.tool.clone(), named(&fields.run)]),
            "integrate" => words.extend([self.tool.clone(), named(&fields.run)]),
            "land" => words.extend([
                self.tool.clone(),
                named(&fields.run),
                "--onto".to_owned(),
                named(&fields.onto),
            ]),
            "retry" | "cancel" | "hold" | "unhold" => {
                words.extend(["task".to_owned(), self.tool.clone(), named(&fields.task)]);
            }
            "reject" => {
                words.extend([
                    self.tool.clone(),
                    named(&fields.task),
                    "--reason".to_owned(),
                    named(&fields.text),
                ]);
            }
            tool => {
                words.extend([tool.to_owned(), named(&fields.task)]);
                words.extend(fields.text().map(str::to_owned));
            }
        }
        shell::join_words(words.iter().map(String::as_str))
    }

    /// Performs it.
    pub(super) fn perform(&self, call: &mut ToolCall) -> ToolResult {
        let fields = &self.arguments;
        let tasks: Vec<&String> = fields.task.iter().collect();
        match self.tool.as_str() {
            "answer" => run_tool(call, "answer", json!({ "task": fields.task, "text": fields.text })),
            "integrate" => run_tool(call, "integrate", json!({ "run": fields.run })),
            "land" => {
                self.check_tip(call)?;
                run_tool(call, "land", json!({ "run": fields.run, "onto": fields.onto }))
            }
            "pause" => {
                let (agent, run) = (call.lead()?, call.run(fields.run.as_deref())?);
                call.answer(&PauseRun { agent, run })
            }
            "resume" => {
                let (agent, run) = (call.lead()?, call.run(fields.run.as_deref())?);
                call.answer(&ResumeRun { agent, run })
            }
            "retry" | "recall" | "cancel" | "hold" | "unhold" | "tell" | "accept" | "reject" => {
                run_tool(call, "steer", json!({ "action": self.tool, "tasks": tasks, "text": fields.text() }))
            }
            other => Err(AppError::invalid_argument("tool", format!("The page has no action {other}."))),
        }
    }

    /// Refuses a landing of other commits than those that the person saw.
    fn check_tip(&self, call: &mut ToolCall) -> Result<(), AppError> {
        let run = call.run(self.arguments.run.as_deref())?;
        let review = call.app.answer(&ReviewRun { run }, None)?.data;
        if self.arguments.tip.is_some() && review.tip_commit == self.arguments.tip {
            return Ok(());
        }
        let tip = review.tip_commit.as_deref().unwrap_or("nowhere");
        let message =
            format!("The run's branch is at {tip} now, which is not what this page showed. Read it again.");
        Err(AppError::new(ErrorCode::BranchMoved, message).with_hint(format!("orch review {}", review.run)))
    }
}

/// Runs a tool of a lead.
fn run_tool(call: &mut ToolCall, name: &str, arguments: Value) -> ToolResult {
    let tools = lead::tools(LeadPermissions { accept: true, land: true });
    let tool = tools.tools.iter().find(|tool| tool.name == name);
    let run = tool
        .map(|tool| tool.run)
        .ok_or_else(|| AppError::new(ErrorCode::Internal, format!("There is no tool {name}.")))?;
    run(call, arguments)
}

/// Reads an action.
pub(super) fn read_action(value: Value) -> Result<PageAction, AppError> {
    read_arguments(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_button_names_its_command() {
        for (value, command) in [
            (json!({"tool": "answer", "arguments": {"task": "r/a", "text": "8 0"}}), "orch answer r/a '8 0'"),
            (json!({"tool": "pause", "arguments": {"run": "r"}}), "orch run pause r"),
            (json!({"tool": "retry", "arguments": {"task": "r/a"}}), "orch task retry r/a"),
            (
                json!({"tool": "reject", "arguments": {"task": "r/a", "text": "no"}}),
                "orch reject r/a --reason no",
            ),
            (
                json!({"tool": "land", "arguments": {"run": "r", "onto": "main", "tip": "c0"}}),
                "orch land r --onto main",
            ),
        ] {
            assert_eq!(read_action(value).unwrap().command(), command);
        }
        assert!(read_action(json!({"tool": "answer", "arguments": {"more": 1}})).is_err());
    }
}
