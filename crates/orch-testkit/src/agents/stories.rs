//! What every client lives through, and what the model tells it to do there.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::Story;
use super::client::Client;
use super::ground::{Ground, kill, said, same, until};
use crate::model::Scripts;
use crate::program::Said;

/// All of them.
pub const STORIES: [Story; 4] = [
    Story { title: "works, is checked and merged", tell: works },
    Story { title: "asks, ends, goes on with the answer", tell: asks },
    Story { title: "loses its wrapper and supervisor", tell: is_orphaned },
    Story { title: "ends without a report", tell: says_nothing },
];

/// The file that says what an attempt was given.
const HELD: &str = "held.env";

/// What the model says. A command that looks for the first attempt does there what goes wrong.
pub(super) fn scripts(client: Client) -> Scripts {
    let commit = client.commit();
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
    Scripts::read(&document).expect("these are scripts")
}

fn works(ground: &Ground) -> Result<(), String> {
    ground.begin("work", "a")?;
    ground.drive()?.succeeds()?;
    ground.is_done("a", "hello", &["accepted"])?;
    let (_, attempts) = ground.task("a")?;
    same("its result", attempts[0]["result"].as_str(), Some("made a"))?;
    same("the steps that the model was asked for", steps(ground), vec![0, 1, 2])
}

fn asks(ground: &Ground) -> Result<(), String> {
    ground.begin("ask", "b")?;
    let mut drive = ground.drive()?;
    drive.hears("question")?;
    ground.waits_without_client()?;
    let asked = ground.data(&["orch", "blocked"])?;
    same("the open question", asked["questions"][0]["question"].as_str(), Some("Which port?"))?;
    ground.data(&["orch", "answer", "b", "It is 8080."])?;
    drive.succeeds()?;
    ground.is_done("b", "8080", &["accepted"])?;
    same("the steps that the model was asked for", steps(ground), vec![0, 1, 2, 3])?;
    let heard = ground.heard();
    let told = heard.iter().any(|heard| heard.conversation.last_said.contains("It is 8080."));
    same("whether the model was told the answer", told, true)
}

fn is_orphaned(ground: &Ground) -> Result<(), String> {
    ground.begin("hang", "c")?;
    let mut drive = ground.drive()?;
    drive.hears("running")?;
    let (_, attempts) = ground.task("c")?;
    let path = Path::new(attempts[0]["worktree"]["path"].as_str().unwrap_or_default()).join(HELD);
    until("the long command runs", || path.exists())?;
    // A client that has still to tell of it would end for want of a listener, and nobody would be left.
    until("the client has told of it", || ground.log("c").contains(HELD))?;
    let held = held(&path)?;
    let workers = ground.data(&["orch", "ps"])?;
    let wrapper = workers["workers"][0]["pid"].as_u64().and_then(|number| u32::try_from(number).ok());
    let wrapper = wrapper.ok_or_else(|| format!("no wrapper is known: {workers}"))?;
    let worker = held.get("ORCH_WORKER").ok_or("the attempt has no tag.")?;
    let tag = format!("ORCH_WORKER={worker}");
    drive.kill()?;
    kill(wrapper);
    until("the wrapper has ended", || !Path::new(&format!("/proc/{wrapper}/cmdline")).exists())?;
    same("whether its client goes on by itself", ground.bearers(&tag).len() >= 2, true)?;

    ground.drive()?.succeeds()?;
    same("the processes with the tag of the lost attempt", ground.bearers(&tag), vec![])?;
    ground.is_done("c", "again", &["lost", "accepted"])?;
    let mut late = ground.command(&["inbox", "done", "--result", "too late"]);
    late.envs(&held);
    match &said(late) {
        Said::Refused { code, .. } => same("the late report", code.as_str(), "lease_lost")?,
        other => return Err(format!("the late report: {other:?}, and should be refused.")),
    }
    ground.is_done("c", "again", &["lost", "accepted"])
}

fn says_nothing(ground: &Ground) -> Result<(), String> {
    ground.begin("mute", "d")?;
    ground.drive()?.succeeds()?;
    ground.is_done("d", "again", &["failed", "accepted"])?;
    let (_, attempts) = ground.task("d")?;
    let reason = attempts[0]["reason"].as_str().unwrap_or_default();
    let reason = reason.lines().next().unwrap_or_default();
    same("why the first attempt failed", reason, "it exited without a report")
}

/// How far the script was, each time that the model was asked; again and again counts once.
fn steps(ground: &Ground) -> Vec<usize> {
    let mut steps: Vec<usize> = ground.heard().iter().map(|heard| heard.conversation.steps_done).collect();
    steps.dedup();
    steps
}

/// The variables that an attempt was given, which say who it is.
fn held(path: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}.", path.display()))?;
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}
