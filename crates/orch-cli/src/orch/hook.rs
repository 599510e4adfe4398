//! `orch hook`: a client's question to its lead's or worker's session.

use std::io::Read;
use std::time::Duration;

use orch_app::environment::ProcessEnvironment;
use orch_app::hook::{HookEvent, HookInput};
use orch_app::orch::brief::{BYTES_MAX, ShowBrief};
use orch_app::{App, AppError};
use orch_contract::orch::run::BriefOrRuns;
use serde_json::{Value, json};

use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, document_size};

/// The most bytes that are read of what a client says.
const INPUT_BYTES_MAX: u64 = 1024 * 1024;

/// How long a hook may take; one that waits in the background ends with its session.
const TIME_MAX: Duration = Duration::from_secs(2);

/// The exit status by which Claude Code's background hooks wake their session.
const WAKE_STATUS: u8 = 2;

/// Answer a hook of an agent's client
///
/// Clients run this; `orch setup` installs it. It reads the client's JSON from stdin and prints the answer that the
/// client expects, or nothing: outside a store, for a session that neither leads a run nor holds work, after any
/// error, and with ORCH_HOOKS=off.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch hook stop --client claude <<< '{\"session_id\": \"s1\"}'")]
pub(super) struct HookArgs {
    /// What happened in the session
    #[arg(value_name = "EVENT", value_enum)]
    event: HookEventName,
    /// The client
    #[arg(long, value_name = "CLIENT", value_enum)]
    client: HookClient,
}

/// The events by the names that `orch setup` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum HookEventName {
    SessionStart,
    Stop,
    Wake,
}

/// The clients that have hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum HookClient {
    Claude,
    Codex,
    Gemini,
    Opencode,
}

pub(super) fn run(args: HookArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let event = match args.event {
        HookEventName::SessionStart => HookEvent::SessionStart,
        HookEventName::Stop => HookEvent::Stop,
        HookEventName::Wake => HookEvent::Wake,
    };
    if event == HookEvent::Wake {
        let text = answer_text(event, context.app());
        if text.is_empty() {
            return Ok(CommandOutcome::Streamed);
        }
        context.print_progress(&text);
        return Ok(CommandOutcome::StreamedWithStatus(WAKE_STATUS));
    }
    let text = answer_in_time(event, context.app());
    if text.is_empty() {
        return Ok(CommandOutcome::Streamed);
    }
    Ok(CommandOutcome::Document(format!("{}\n", client_answer(args.client, event, &text))))
}

/// Returns what the session is told; nothing if that takes too long.
fn answer_in_time(event: HookEvent, app: &App<'_>) -> String {
    let (rules, options, command) =
        (app.caller_rules(), app.call_options().clone(), app.command().to_owned());
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut app = App::new(command, rules, options, &ProcessEnvironment);
        // When the time is over there is no receiver.
        let _ = send.send(answer_text(event, &mut app));
    });
    receive.recv_timeout(TIME_MAX).unwrap_or_default()
}

/// Reads what the client says, and returns what the session is told.
fn answer_text(event: HookEvent, app: &mut App<'_>) -> String {
    let mut bytes = Vec::new();
    // What cannot be read names no session.
    let _ = std::io::stdin().take(INPUT_BYTES_MAX).read_to_end(&mut bytes);
    let Ok(answer) = app.answer_hook(event, &HookInput::parse(&bytes)) else { return String::new() };
    let brief = answer.brief_of.and_then(|run| {
        let measure = |brief: &_, warnings: &[String]| document_size("orch brief", brief, warnings);
        let shown = app.answer(&ShowBrief { run: Some(run), measure: &measure }, None).ok()?;
        match shown.data {
            BriefOrRuns::Brief(brief) => Some(crate::respond::plain_text(&*brief)),
            BriefOrRuns::Runs(_) => None,
        }
    });
    let mut text = brief.unwrap_or_default();
    text.truncate((0..=BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
    text + &answer.text
}

/// Returns the answer in the form that a client reads.
fn client_answer(client: HookClient, event: HookEvent, text: &str) -> Value {
    match (client, event) {
        (HookClient::Opencode, _) => json!({ "prompt": text }),
        (_, HookEvent::SessionStart) => {
            json!({ "hookSpecificOutput": { "hookEventName": "SessionStart", "additionalContext": text } })
        }
        (_, HookEvent::Stop | HookEvent::Wake) => json!({ "decision": "block", "reason": text }),
    }
}
