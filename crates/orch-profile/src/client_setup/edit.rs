//! The edits of a client's files: managed files, marked blocks in texts, and entries in JSON documents.

use serde_json::{Map, Value};

/// The first and the last line of a managed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockMarks {
    /// The first line.
    pub begin: &'static str,
    /// The last line.
    pub end: &'static str,
}

/// The marks in Markdown.
pub(super) const MARKDOWN: BlockMarks =
    BlockMarks { begin: "<!-- orch setup: begin -->", end: "<!-- orch setup: end -->" };

/// The marks in TOML.
pub(super) const TOML: BlockMarks = BlockMarks { begin: "# orch setup: begin", end: "# orch setup: end" };

/// How our commands begin in a client's settings.
const OWN_COMMAND: &str = "orch hook ";

/// What is written into a file.
#[derive(Clone, Debug)]
pub enum FileEdit {
    /// The whole file.
    Whole(String),
    /// A marked block at the end of a text.
    Block(BlockMarks, String),
    /// Entries of a JSON document.
    Json(JsonEntries),
}

/// Entries of a JSON document.
#[derive(Clone, Debug, Default)]
pub struct JsonEntries {
    /// Entries of the lists in `hooks`, by the name of the event.
    pub hooks: Vec<(&'static str, Value)>,
    /// The object that holds servers, and the one named `orch` in it.
    pub server: Option<(&'static str, Value)>,
}

/// Why a file cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditProblem {
    /// It is not a JSON object without comments.
    NotJson,
    /// It holds a server named `orch` that is not ours.
    Taken,
    /// It is not UTF-8.
    NotText,
}

impl FileEdit {
    /// Returns the file with what is ours.
    pub fn install(&self, before: Option<&str>) -> Result<String, EditProblem> {
        match self {
            Self::Whole(text) => Ok(text.clone()),
            Self::Block(marks, text) => {
                let rest = without_block(before.unwrap_or_default(), *marks);
                if *marks == TOML && rest.lines().any(|line| line.trim() == "[mcp_servers.orch]") {
                    return Err(EditProblem::Taken);
                }
                let gap = if rest.is_empty() || rest.ends_with("\n\n") {
                    ""
                } else if rest.ends_with('\n') {
                    "\n"
                } else {
                    "\n\n"
                };
                Ok(format!("{rest}{gap}{}\n{text}{}\n", marks.begin, marks.end))
            }
            Self::Json(entries) => entries.install(before),
        }
    }

    /// Returns the file without what is ours; `None` where nothing is left of it.
    pub fn uninstall(&self, before: &str) -> Result<Option<String>, EditProblem> {
        match self {
            Self::Whole(_) => Ok(None),
            Self::Block(marks, _) => {
                let rest = without_block(before, *marks);
                Ok(Some(rest).filter(|rest| !rest.trim().is_empty()))
            }
            Self::Json(entries) => entries.uninstall(before),
        }
    }
}

/// Returns a text without our block and the empty line before it.
fn without_block(text: &str, marks: BlockMarks) -> String {
    let Some(mut begin) = find_line(text, marks.begin, 0) else { return text.to_owned() };
    let Some(last) = find_line(text, marks.end, begin) else { return text.to_owned() };
    // A first line that has lost its last one does not take what follows with it.
    while let Some(later) = find_line(text, marks.begin, begin + 1).filter(|later| *later < last) {
        begin = later;
    }
    let end = text[last..].find('\n').map_or(text.len(), |length| last + length + 1);
    let mut before = text[..begin].to_owned();
    if before.ends_with("\n\n") {
        before.pop();
    }
    before + &text[end..]
}

/// Returns where a line with this content begins.
fn find_line(text: &str, line: &str, from: usize) -> Option<usize> {
    text[from..].match_indices(line).map(|(at, _)| at + from).find(|at| {
        let rest = &text[at + line.len()..];
        (*at == 0 || text[..*at].ends_with('\n')) && (rest.is_empty() || rest.starts_with(['\n', '\r']))
    })
}

impl JsonEntries {
    fn install(&self, before: Option<&str>) -> Result<String, EditProblem> {
        let mut document = parse_object(before.unwrap_or_default())?;
        self.remove_from(&mut document);
        for (event, entry) in &self.hooks {
            let hooks = object_at(&mut document, "hooks").ok_or(EditProblem::NotJson)?;
            let list = hooks.entry((*event).to_owned()).or_insert_with(|| Value::Array(Vec::new()));
            list.as_array_mut().ok_or(EditProblem::NotJson)?.push(entry.clone());
        }
        if let Some((holder, server)) = &self.server {
            let servers = object_at(&mut document, holder).ok_or(EditProblem::NotJson)?;
            if servers.contains_key("orch") {
                return Err(EditProblem::Taken);
            }
            servers.insert("orch".to_owned(), server.clone());
        }
        Ok(format_document(&document))
    }

    fn uninstall(&self, before: &str) -> Result<Option<String>, EditProblem> {
        let mut document = parse_object(before)?;
        self.remove_from(&mut document);
        Ok((!document.is_empty()).then(|| format_document(&document)))
    }

    /// Removes our entries, and what became empty by that.
    fn remove_from(&self, document: &mut Map<String, Value>) {
        if let Some(Value::Object(hooks)) = document.get_mut("hooks") {
            for (event, _) in &self.hooks {
                let Some(Value::Array(list)) = hooks.get_mut(*event) else { continue };
                list.retain(|entry| !is_own_hook(entry));
                if list.is_empty() {
                    hooks.shift_remove(*event);
                }
            }
            if hooks.is_empty() {
                document.shift_remove("hooks");
            }
        }
        if let Some((holder, server)) = &self.server
            && let Some(Value::Object(servers)) = document.get_mut(*holder)
            && servers.get("orch") == Some(server)
        {
            servers.shift_remove("orch");
            if servers.is_empty() {
                document.shift_remove(*holder);
            }
        }
    }
}

/// Whether every command of an entry is ours.
fn is_own_hook(entry: &Value) -> bool {
    let commands = entry["hooks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_own =
        |hook: &Value| hook["command"].as_str().is_some_and(|command| command.starts_with(OWN_COMMAND));
    !commands.is_empty() && commands.iter().all(is_own)
}

fn parse_object(text: &str) -> Result<Map<String, Value>, EditProblem> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) | Err(_) => Err(EditProblem::NotJson),
    }
}

fn object_at<'d>(document: &'d mut Map<String, Value>, name: &str) -> Option<&'d mut Map<String, Value>> {
    document.entry(name.to_owned()).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

fn format_document(document: &Map<String, Value>) -> String {
    // A document that was parsed has a JSON form.
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn round_trip(edit: &FileEdit, before: &str) {
        let installed = edit.install(Some(before)).unwrap();
        assert_eq!(edit.install(Some(&installed)).as_ref(), Ok(&installed), "twice is once");
        let removed = edit.uninstall(&installed).unwrap().unwrap_or_default();
        assert_eq!(removed.trim_end(), before.trim_end());
    }

    #[test]
    fn a_block_comes_and_goes() {
        let edit = FileEdit::Block(MARKDOWN, "Run orch.\n".to_owned());
        for before in
            ["", "# Rules\n", "# Rules\n\nNo tabs.", "a\n\n", "<!-- orch setup: begin -->\nno end\n"]
        {
            round_trip(&edit, before);
        }
        let inside = "before\n<!-- orch setup: begin -->\nold\n<!-- orch setup: end -->\nafter\n";
        assert_eq!(edit.uninstall(inside).unwrap().unwrap(), "before\nafter\n");
    }

    #[test]
    fn entries_come_and_go_beside_those_of_others() {
        let hook = |command: &str| json!({ "hooks": [{ "type": "command", "command": command }] });
        let edit = FileEdit::Json(JsonEntries {
            hooks: vec![("Stop", hook("orch hook stop --client claude"))],
            server: Some(("mcpServers", json!({ "command": "orch" }))),
        });
        for before in [
            json!({}),
            json!({ "model": "x", "hooks": { "Stop": [hook("say done")], "Start": [] } }),
            json!({ "mcpServers": { "other": { "command": "y" } }, "z": 1 }),
        ] {
            let before = if before == json!({}) {
                String::new()
            } else {
                format_document(before.as_object().unwrap())
            };
            round_trip(&edit, &before);
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let edit = FileEdit::Json(JsonEntries {
            hooks: Vec::new(),
            server: Some(("mcpServers", json!({ "command": "orch" }))),
        });
        assert_eq!(edit.install(Some("// comment\n{}")), Err(EditProblem::NotJson));
        assert_eq!(edit.install(Some("[]")), Err(EditProblem::NotJson));
        assert_eq!(edit.install(Some("{\"mcpServers\": 1}")), Err(EditProblem::NotJson));
        let other = "{\"mcpServers\": {\"orch\": {\"command\": \"mine\"}}}";
        assert_eq!(edit.install(Some(other)), Err(EditProblem::Taken));
        let block = FileEdit::Block(TOML, "[mcp_servers.orch]\n".to_owned());
        assert_eq!(block.install(Some("[mcp_servers.orch]\ncommand = 'x'\n")), Err(EditProblem::Taken));
    }
}
