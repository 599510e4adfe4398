//! The protocol: which tools there are, and calls of them, each in a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use orch_app::App;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use super::ServerOptions;
use super::tool::{HeldWork, ToolAnswer, ToolCall, ToolDefinition, ToolEffect, ToolSet, tool_error};

/// The longest wait of a call that asked for progress.
const WAIT_MAX: Duration = Duration::from_secs(100);
/// The longest wait of a call that did not: clients may give up after a minute.
const WAIT_UNSEEN_MAX: Duration = Duration::from_secs(50);
/// The time between two reports of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// A server of tools.
pub(super) struct ToolServer {
    options: ServerOptions,
    tools: Arc<ToolSet>,
    held: HeldWork,
}

impl ToolServer {
    pub(super) fn new(options: ServerOptions, tools: ToolSet) -> Self {
        Self { options, tools: Arc::new(tools), held: Arc::new(Mutex::new(None)) }
    }

    fn find_tool(&self, name: &str) -> Option<usize> {
        self.tools.tools.iter().position(|tool| tool.name == name)
    }
}

/// Describes a tool for clients.
fn describe_tool(tool: &ToolDefinition) -> Tool {
    let annotations = ToolAnnotations::new()
        .read_only(tool.effect == ToolEffect::ReadOnly)
        .destructive(tool.effect == ToolEffect::Destructive)
        .open_world(false);
    Tool::new(tool.name, tool.description, tool.schema.clone()).with_annotations(annotations)
}

fn call_result(answer: ToolAnswer, is_error: bool) -> CallToolResult {
    let content = vec![ContentBlock::text(answer.line)];
    let mut result = if is_error { CallToolResult::error(content) } else { CallToolResult::success(content) };
    result.structured_content = Some(answer.data);
    result
}

/// Runs a tool in this thread.
fn run_tool(
    options: ServerOptions,
    tool: &ToolDefinition,
    program: &str,
    arguments: Value,
    call: CallTerms,
) -> CallToolResult {
    let command = format!("{program} mcp");
    let app = App::new(command, options.rules, options.call, ToolCall::environment());
    let mut call =
        ToolCall { app, is_cancelled: call.is_cancelled, deadline: call.deadline, held: call.held };
    let result = match (tool.run)(&mut call, arguments) {
        Ok(answer) => call_result(answer, false),
        Err(error) => call_result(tool_error(error), true),
    };
    let size = result.structured_content.as_ref().map_or(0, |data| data.to_string().len());
    call.app.record_meter(u64::try_from(size).unwrap_or(u64::MAX));
    call.app.checkpoint_if_due();
    result
}

/// What a call shares with the task that waits for it.
struct CallTerms {
    is_cancelled: Arc<AtomicBool>,
    deadline: Instant,
    held: HeldWork,
}

impl ServerHandler for ToolServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(self.tools.program, env!("CARGO_PKG_VERSION")))
            .with_instructions(self.tools.instructions)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.tools.iter().map(describe_tool).collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.find_tool(name).map(|at| describe_tool(&self.tools.tools[at]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(at) = self.find_tool(&request.name) else {
            let names: Vec<&str> = self.tools.tools.iter().map(|tool| tool.name).collect();
            let message = format!("There is no tool `{}`. The tools are {}.", request.name, names.join(", "));
            return Err(ErrorData::invalid_params(message, None));
        };
        let token = context.meta.get_progress_token();
        let wait_max = if token.is_some() { WAIT_MAX } else { WAIT_UNSEEN_MAX };
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let state = CallTerms {
            is_cancelled: Arc::clone(&is_cancelled),
            deadline: Instant::now() + wait_max,
            held: Arc::clone(&self.held),
        };
        let (tools, options) = (Arc::clone(&self.tools), self.options.clone());
        let arguments =
            request.arguments.map_or_else(|| Value::Object(serde_json::Map::new()), Value::Object);
        let mut work = tokio::task::spawn_blocking(move || {
            run_tool(options, &tools.tools[at], tools.program, arguments, state)
        });
        let mut reports = 0_u32;
        loop {
            tokio::select! {
                done = &mut work => {
                    return done
                        .map(Into::into)
                        .map_err(|error| ErrorData::internal_error(format!("The call failed: {error}."), None));
                }
                () = context.ct.cancelled() => {
                    is_cancelled.store(true, Ordering::Relaxed);
                    return Err(ErrorData::internal_error("The call was cancelled.", None));
                }
                () = tokio::time::sleep(PROGRESS_INTERVAL) => {
                    reports = reports.saturating_add(1);
                    if let Some(token) = &token {
                        let progress = ProgressNotificationParam::new(token.clone(), f64::from(reports))
                            .with_message("waiting");
                        // A client that is no longer there cancels the call.
                        let _ = context.peer.notify_progress(progress).await;
                    }
                }
            }
        }
    }
}
