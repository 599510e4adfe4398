//! The scenarios that every client is tested with, and the model's scripts for them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::ClientScenario;
use super::client::Client;
use super::sandbox::{ClientSandbox, expect_equal, kill_process, run_for_reply, wait_until};
use crate::program::ProgramReply;
use crate::scripted_model::ModelScripts;

/// All scenarios.
pub const STORIES: [ClientScenario; 4] = [
    ClientScenario { title: "works, is checked and merged", tell: completes_task },
    ClientScenario { title: "asks, exits, resumes with the answer", tell: asks_question },
    ClientScenario { title: "loses its wrapper and supervisor", tell: is_orphaned },
    ClientScenario { title: "ends without a report", tell: says_nothing },
];

/// The file into which a script saves the attempt's environment variables.
const HELD: &str = "held.env";

/// Returns the model's scripts. A command that tests for the first attempt fails in that attempt only.
pub(super) fn client_scripts(client: Client) -> ModelScripts {
    let commit = client.commit_command();
    let finish =
        |text: &str| format!("echo {text} > {{name}}.txt && {commit}inbox done --result 'made {{name}}'");
    let hang = format!(
        "env | grep -E '^(INBOX|ORCH)_' > {HELD}.new; setsid tail -f /dev/null > /dev/null 2>&1 & \
        inbox progress 'It takes long.'; mv {HELD}.new {HELD}; tail -f /dev/null"
    );
    let document = json!({
        "work": [
            {"shell": "inbox show \"$INBOX_THREAD\" && inbox progress 'half way'"},
            {"shell": finish("hello")},
            {"say": "Made {name}."},
        ],
        "ask": [
            {"shell": "inbox ask 'Which port?'"},
            {"say": "The answer is awaited."},
            {"shell": finish("8080")},
            {"say": "Made {name}."},
        ],
        "hang": [
            {"shell": format!("case $ORCH_ATTEMPT in *@1) {hang};; *) {};; esac", finish("again"))},
            {"say": "Made {name}."},
        ],
        "mute": [
            {"shell": format!("case $ORCH_ATTEMPT in *@1) ls;; *) {};; esac", finish("again"))},
            {"say": "That is all."},
        ],
    });
    ModelScripts::from_document(&document).expect("these are scripts")
}

fn completes_task(ground: &ClientSandbox) -> Result<(), String> {
    ground.begin_run("work", "a")?;
    ground.start_drive()?.wait_for_success()?;
    ground.expect_done("a", "hello", &["accepted"])?;
    let (_, attempts) = ground.show_task("a")?;
    expect_equal("its result", attempts[0]["result"].as_str(), Some("made a"))?;
    expect_equal("the steps that the model was asked for", script_progress(ground), vec![0, 1, 2])
}

fn asks_question(ground: &ClientSandbox) -> Result<(), String> {
    ground.begin_run("ask", "b")?;
    let mut drive = ground.start_drive()?;
    drive.wait_for_event("question")?;
    ground.expect_no_client()?;
    let asked = ground.run_for_data(&["orch", "blocked"])?;
    expect_equal("the open question", asked["questions"][0]["question"].as_str(), Some("Which port?"))?;
    ground.run_for_data(&["orch", "answer", "b", "It is 8080."])?;
    drive.wait_for_success()?;
    ground.expect_done("b", "8080", &["accepted"])?;
    expect_equal("the steps that the model was asked for", script_progress(ground), vec![0, 1, 2, 3])?;
    let heard = ground.model_exchanges();
    let told = heard.iter().any(|heard| heard.conversation.last_said.contains("It is 8080."));
    expect_equal("whether the model was told the answer", told, true)
}

fn is_orphaned(ground: &ClientSandbox) -> Result<(), String> {
    ground.begin_run("hang", "c")?;
    let mut drive = ground.start_drive()?;
    drive.wait_for_event("running")?;
    let (_, attempts) = ground.show_task("c")?;
    let path = Path::new(attempts[0]["worktree"]["path"].as_str().unwrap_or_default()).join(HELD);
    wait_until("the long command runs", || path.exists())?;
    // A client with unread output would exit on a broken pipe, and no orphan would remain to be tested.
    wait_until("the client has reported it", || ground.client_log("c").contains(HELD))?;
    let held = holder_variables(&path)?;
    let workers = ground.run_for_data(&["orch", "ps"])?;
    let wrapper = workers["workers"][0]["pid"].as_u64().and_then(|number| u32::try_from(number).ok());
    let wrapper = wrapper.ok_or_else(|| format!("no wrapper is known: {workers}"))?;
    let worker = held.get("ORCH_WORKER").ok_or("the attempt has no tag.")?;
    let tag = format!("ORCH_WORKER={worker}");
    drive.kill()?;
    kill_process(wrapper);
    wait_until("the wrapper has ended", || !Path::new(&format!("/proc/{wrapper}/cmdline")).exists())?;
    expect_equal("whether its client still runs", ground.processes_with_text(&tag).len() >= 2, true)?;

    ground.start_drive()?.wait_for_success()?;
    expect_equal("the processes with the tag of the lost attempt", ground.processes_with_text(&tag), vec![])?;
    ground.expect_done("c", "again", &["lost", "accepted"])?;
    let mut late = ground.program_command(&["inbox", "done", "--result", "too late"]);
    late.envs(&held);
    match &run_for_reply(late) {
        ProgramReply::Refused { code, .. } => expect_equal("the late report", code.as_str(), "lease_lost")?,
        other => return Err(format!("the late report: {other:?}, and should be refused.")),
    }
    ground.expect_done("c", "again", &["lost", "accepted"])
}

fn says_nothing(ground: &ClientSandbox) -> Result<(), String> {
    ground.begin_run("mute", "d")?;
    ground.start_drive()?.wait_for_success()?;
    ground.expect_done("d", "again", &["failed", "accepted"])?;
    let (_, attempts) = ground.show_task("d")?;
    let reason = attempts[0]["reason"].as_str().unwrap_or_default();
    let reason = reason.lines().next().unwrap_or_default();
    expect_equal("why the first attempt failed", reason, "it exited without a report")
}

/// Returns the script's step at each request to the model, without consecutive repetitions.
fn script_progress(ground: &ClientSandbox) -> Vec<usize> {
    let mut steps: Vec<usize> =
        ground.model_exchanges().iter().map(|heard| heard.conversation.steps_done).collect();
    steps.dedup();
    steps
}

/// Reads the environment variables that identify an attempt's holder.
fn holder_variables(path: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}.", path.display()))?;
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}
