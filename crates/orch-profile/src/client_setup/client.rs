//! What each client reads, and where.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::edit::{FileEdit, JsonEntries, MARKDOWN, TOML};

/// A client that can be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupClient {
    /// Claude Code.
    Claude,
    /// Codex.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// opencode.
    Opencode,
}

/// Whose sessions are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupScope {
    /// All sessions of the user.
    User,
    /// The sessions in this repository.
    Project,
}

impl SetupClient {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Claude, Self::Codex, Self::Gemini, Self::Opencode];

    /// Returns the client's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
        }
    }
}

impl SetupScope {
    /// Returns the scope's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
        }
    }
}

/// A file of a client, and what is written into it.
#[derive(Clone, Debug)]
pub struct ClientFile {
    /// What it is for, like `skill`.
    pub purpose: &'static str,
    /// Its path.
    pub path: PathBuf,
    /// What is written into it.
    pub edit: FileEdit,
}

/// What a session reads when it looks for skills.
const SKILL: &str = "\
---
name: orch
description: Split a goal into tasks that several agents do at once in git worktrees, or work on such a task. Use when work should be done in parallel, to watch a run of orch, or when INBOX_THREAD is set.
---

`orch` plans tasks, hands them to workers, checks and merges their commits; `inbox` is what a worker reports with.

- To lead: run `orch prime` and follow it. `orch` alone shows where a run stands and what to type next.
- To work on a task: run `orch prime worker` and follow it.
- When something stands still: `orch why TASK` and `orch blocked`.
";

/// What an instructions file says.
const INSTRUCTIONS: &str = "\
Work that several agents can do at once is planned and merged with `orch`: run `orch prime` before you lead it, and
`orch prime worker` before you work on a task of it.
";

/// How opencode's sessions are told what they have to do.
const PLUGIN: &str = r#"// Written by `orch setup opencode`; `orch setup opencode --remove` removes it.
export const Orch = async ({ $, client }) => ({
  event: async ({ event }) => {
    if (event.type !== "session.idle") return;
    const session = event.properties.sessionID;
    const input = JSON.stringify({ session_id: session });
    const answer = await $`echo ${input} | orch hook stop --client opencode`.quiet().nothrow().text();
    if (!answer.trim()) return;
    const { prompt } = JSON.parse(answer);
    await client.session.prompt({ path: { id: session }, body: { parts: [{ type: "text", text: prompt }] } });
  },
});
"#;

/// Where a client's files are: the user's home, or the top of the repository.
#[derive(Clone, Copy, Debug)]
pub struct ClientPlace<'a> {
    /// Whose sessions.
    pub scope: SetupScope,
    /// The home, or the top of the repository.
    pub folder: &'a Path,
}

impl ClientPlace<'_> {
    /// Returns a path for the user's sessions, or for those in the repository.
    fn join(self, user: &str, project: &str) -> PathBuf {
        self.folder.join(match self.scope {
            SetupScope::User => user,
            SetupScope::Project => project,
        })
    }
}

/// Lists the files of a client; without hooks, what holds only hooks is left out.
#[must_use]
pub fn list_files(client: SetupClient, place: ClientPlace<'_>, with_hooks: bool) -> Vec<ClientFile> {
    let mut files = match client {
        SetupClient::Claude => claude_files(place),
        SetupClient::Codex => codex_files(place),
        SetupClient::Gemini => gemini_files(place),
        SetupClient::Opencode => opencode_files(place),
    };
    if !with_hooks {
        files.retain(|file| !matches!(file.purpose, "hooks" | "plugin"));
        for file in &mut files {
            if let FileEdit::Json(entries) = &mut file.edit {
                entries.hooks.clear();
            }
        }
    }
    files
}

fn skill_file(folder: PathBuf) -> ClientFile {
    ClientFile {
        purpose: "skill",
        path: folder.join("orch/SKILL.md"),
        edit: FileEdit::Whole(SKILL.to_owned()),
    }
}

fn instructions_file(path: PathBuf) -> ClientFile {
    ClientFile { purpose: "instructions", path, edit: FileEdit::Block(MARKDOWN, INSTRUCTIONS.to_owned()) }
}

fn settings_file(
    purpose: &'static str,
    path: PathBuf,
    hooks: Vec<(&'static str, Value)>,
    server: Option<(&'static str, Value)>,
) -> ClientFile {
    ClientFile { purpose, path, edit: FileEdit::Json(JsonEntries { hooks, server }) }
}

fn lead_server() -> Value {
    json!({ "command": "orch", "args": ["mcp"] })
}

fn claude_files(place: ClientPlace<'_>) -> Vec<ClientFile> {
    let wake = json!({
        "type": "command", "command": "orch hook wake --client claude", "asyncRewake": true, "timeout": 3600,
    });
    let hooks = vec![
        ("SessionStart", hook_entry(SetupClient::Claude, "session-start", 5)),
        ("Stop", hook_entry(SetupClient::Claude, "stop", 5)),
        ("Stop", json!({ "hooks": [wake] })),
    ];
    let servers = place.join(".claude.json", ".mcp.json");
    vec![
        skill_file(place.join(".claude/skills", ".claude/skills")),
        settings_file("hooks", place.join(".claude/settings.json", ".claude/settings.json"), hooks, None),
        settings_file("mcp", servers, Vec::new(), Some(("mcpServers", lead_server()))),
        instructions_file(place.join(".claude/CLAUDE.md", "CLAUDE.md")),
    ]
}

fn codex_files(place: ClientPlace<'_>) -> Vec<ClientFile> {
    let hooks = vec![
        ("SessionStart", hook_entry(SetupClient::Codex, "session-start", 5)),
        ("Stop", hook_entry(SetupClient::Codex, "stop", 5)),
    ];
    let server = "[mcp_servers.orch]\ncommand = \"orch\"\nargs = [\"mcp\"]\n\
        env_vars = [\"ORCH_STORE\", \"ORCH_RUN\", \"ORCH_AGENT\"]\n";
    vec![
        skill_file(place.join(".agents/skills", ".agents/skills")),
        settings_file("hooks", place.join(".codex/hooks.json", ".codex/hooks.json"), hooks, None),
        ClientFile {
            purpose: "mcp",
            path: place.join(".codex/config.toml", ".codex/config.toml"),
            edit: FileEdit::Block(TOML, server.to_owned()),
        },
        instructions_file(place.join(".codex/AGENTS.md", "AGENTS.md")),
    ]
}

fn gemini_files(place: ClientPlace<'_>) -> Vec<ClientFile> {
    // Its timeouts are in milliseconds.
    let hooks = vec![
        ("SessionStart", hook_entry(SetupClient::Gemini, "session-start", 5_000)),
        ("AfterAgent", hook_entry(SetupClient::Gemini, "stop", 5_000)),
    ];
    let settings = place.join(".gemini/settings.json", ".gemini/settings.json");
    vec![
        skill_file(place.join(".gemini/skills", ".agents/skills")),
        settings_file("settings", settings, hooks, Some(("mcpServers", lead_server()))),
        instructions_file(place.join(".gemini/GEMINI.md", "GEMINI.md")),
    ]
}

fn opencode_files(place: ClientPlace<'_>) -> Vec<ClientFile> {
    let server = json!({ "type": "local", "command": ["orch", "mcp"], "enabled": true });
    let plugins = place.join(".config/opencode/plugins", ".opencode/plugins");
    let settings = place.join(".config/opencode/opencode.json", "opencode.json");
    vec![
        skill_file(place.join(".agents/skills", ".agents/skills")),
        ClientFile {
            purpose: "plugin",
            path: plugins.join("orch.js"),
            edit: FileEdit::Whole(PLUGIN.to_owned()),
        },
        settings_file("mcp", settings, Vec::new(), Some(("mcp", server))),
        instructions_file(place.join(".config/opencode/AGENTS.md", "AGENTS.md")),
    ]
}

/// Returns an entry of a client's list of hooks.
fn hook_entry(client: SetupClient, event: &str, timeout: u32) -> Value {
    let command = format!("orch hook {event} --client {}", client.name());
    json!({ "hooks": [{ "type": "command", "command": command, "timeout": timeout }] })
}

/// What a person still has to do in the client, and what it cannot do.
pub fn list_notes(client: SetupClient, with_hooks: bool) -> Vec<String> {
    let note = match client {
        SetupClient::Codex if with_hooks => {
            "Codex runs no new hook before a person has chosen to trust it: start codex once and accept them."
        }
        SetupClient::Claude if with_hooks => {
            "Sessions that run already read the hooks when they are started again."
        }
        SetupClient::Opencode if with_hooks => "`opencode run` ends before its plugin can hold it back.",
        _ => return Vec::new(),
    };
    vec![note.to_owned()]
}
