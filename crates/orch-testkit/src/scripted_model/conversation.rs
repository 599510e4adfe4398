//! Parses a request to the model: which script it plays, the step it has reached, and the client's shell tool.

use serde_json::{Map, Value, json};

use super::script::ScriptMarker;

/// The API of the model that a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelApi {
    /// OpenAI's Responses API, used by Codex.
    Responses,
    /// Anthropic's Messages API, used by Claude Code.
    Messages,
}

/// The tool with which a client runs a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellTool {
    /// The tool's name.
    pub name: String,
    /// The JSON schema of the tool's arguments.
    schema: Value,
}

/// The parts of a request that a script needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatRequest {
    /// The API of the request.
    pub api: ModelApi,
    /// The requested model.
    pub model: String,
    /// Whether the client expects the reply as a stream of events.
    pub streams: bool,
    /// The script to play; `None` for requests that do not belong to the task.
    pub marker: Option<ScriptMarker>,
    /// The number of completed steps of the script.
    pub steps_done: usize,
    /// The user's last message.
    pub last_said: String,
    /// The output of the last command.
    pub last_output: String,
    /// The client's shell tool.
    pub shell: Option<ShellTool>,
}

/// One part of a conversation, in either API.
enum ChatPart {
    Said(String),
    Answered,
    Output(String),
}

impl ChatRequest {
    /// Parses a request.
    #[must_use]
    pub fn from_request(api: ModelApi, request: &Value) -> Self {
        let parts = match api {
            ModelApi::Responses => responses_parts(request),
            ModelApi::Messages => messages_parts(request),
        };
        let mut conversation = Self {
            api,
            model: request["model"].as_str().unwrap_or("mock").to_owned(),
            streams: request["stream"] == true,
            marker: None,
            steps_done: 0,
            last_said: String::new(),
            last_output: String::new(),
            shell: find_shell(request),
        };
        for part in parts {
            match part {
                ChatPart::Said(text) => {
                    // Steps count from the task's message; what the client sends before it is not part of the
                    // script.
                    if conversation.marker.is_none() {
                        conversation.marker = ScriptMarker::find_in(&text);
                        conversation.steps_done = 0;
                    }
                    conversation.last_said = text;
                }
                ChatPart::Answered => conversation.steps_done += 1,
                ChatPart::Output(text) => {
                    conversation.steps_done += 1;
                    conversation.last_output = text;
                }
            }
        }
        // Clients request titles and summaries with the task's text, but without tools.
        if conversation.shell.is_none() {
            conversation.marker = None;
        }
        conversation
    }
}

impl ShellTool {
    /// Returns the tool's arguments that run a command.
    #[must_use]
    pub fn call_arguments(&self, command: &str) -> Value {
        let properties = &self.schema["properties"];
        let name = if properties["cmd"].is_object() { "cmd" } else { "command" };
        let value = if properties[name]["type"] == "array" {
            json!(["bash", "-c", command])
        } else {
            Value::from(command)
        };
        let mut arguments = Map::new();
        arguments.insert(name.to_owned(), value);
        // Codex returns from a longer command before the command has ended.
        if properties["yield_time_ms"].is_object() {
            arguments.insert("yield_time_ms".to_owned(), Value::from(YIELD_MS));
        }
        let needed = self.schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        for other in needed.iter().filter_map(Value::as_str) {
            arguments.entry(other).or_insert_with(|| Value::from("a step of a script"));
        }
        Value::Object(arguments)
    }
}

/// How long Codex waits for a command, in milliseconds: the maximum that it permits.
const YIELD_MS: u64 = 30_000;

/// Finds the tool whose arguments contain a command.
fn find_shell(request: &Value) -> Option<ShellTool> {
    let takes_command = |schema: &Value| {
        let properties = &schema["properties"];
        properties["cmd"].is_object() || properties["command"].is_object()
    };
    let tools = request["tools"].as_array()?;
    tools.iter().find_map(|tool| {
        let schema =
            if tool["input_schema"].is_object() { &tool["input_schema"] } else { &tool["parameters"] };
        let name = tool["name"].as_str().filter(|_| takes_command(schema))?;
        Some(ShellTool { name: name.to_owned(), schema: schema.clone() })
    })
}

/// Parses the Responses API's list of items: one for each message, tool call and tool output.
fn responses_parts(request: &Value) -> Vec<ChatPart> {
    let part = |item: &Value| {
        let kind = item["type"].as_str().unwrap_or("message");
        if kind.ends_with("_call_output") {
            return Some(ChatPart::Output(text_of(&item["output"])));
        }
        let text = text_of(&item["content"]);
        match (kind, item["role"].as_str()) {
            ("message", Some("user")) => Some(ChatPart::Said(text)),
            ("message", Some("assistant")) => Some(ChatPart::Answered),
            _ => None,
        }
    };
    match &request["input"] {
        Value::String(text) => vec![ChatPart::Said(text.clone())],
        input => input.as_array().into_iter().flatten().filter_map(part).collect(),
    }
}

/// Parses the Messages API's list of messages, which consist of blocks; a tool call counts as a step when its
/// result is present.
fn messages_parts(request: &Value) -> Vec<ChatPart> {
    let mut parts = Vec::new();
    for message in request["messages"].as_array().into_iter().flatten() {
        let content = &message["content"];
        let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
        let of_kind = |kind: &str| blocks.iter().any(|block| block["type"] == kind);
        if message["role"] == "assistant" {
            if !of_kind("tool_use") {
                parts.push(ChatPart::Answered);
            }
            continue;
        }
        let results = blocks.iter().filter(|block| block["type"] == "tool_result");
        parts.extend(results.map(|block| ChatPart::Output(text_of(&block["content"]))));
        if content.is_string() || of_kind("text") {
            parts.push(ChatPart::Said(text_of(content)));
        }
    }
    parts
}

/// Returns all text of a content, which is a string or a list of blocks.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
            texts.join("\n")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codex_request(input: &Value) -> ChatRequest {
        let schema = json!({"properties": {"cmd": {"type": "string"}, "yield_time_ms": {"type": "number"}},
            "required": ["cmd"]});
        let tools = json!([{"type": "web_search"}, {"type": "function", "name": "exec_command", "parameters": schema}]);
        let request = json!({"model": "m", "stream": true, "input": input, "tools": tools});
        ChatRequest::from_request(ModelApi::Responses, &request)
    }

    fn claude_request(messages: &Value) -> ChatRequest {
        let schema =
            json!({"properties": {"command": {"type": "string"}}, "required": ["command", "description"]});
        let tools = json!([{"name": "Read", "input_schema": {"properties": {}}}, {"name": "Bash", "input_schema": schema}]);
        let request = json!({"model": "m", "stream": true, "messages": messages, "tools": tools});
        ChatRequest::from_request(ModelApi::Messages, &request)
    }

    #[test]
    fn codex_tells_how_far_it_is() {
        let user = |text: &str| json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]});
        let call =
            json!({"type": "function_call", "call_id": "c", "name": "exec_command", "arguments": "{}"});
        let output = json!({"type": "function_call_output", "call_id": "c", "output": "four"});
        let said = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Ok."}]});
        let all = [user("context"), user("MOCK:ask b"), call, output, said, user("It is blue.")];
        for (length, steps) in [(1, 0), (2, 0), (3, 0), (4, 1), (5, 2), (6, 2)] {
            let conversation = codex_request(&json!(all[..length]));
            assert_eq!(conversation.steps_done, steps, "{length}");
            assert_eq!(conversation.marker.is_some(), length > 1);
        }
        let conversation = codex_request(&json!(all));
        assert_eq!(
            (conversation.last_said.as_str(), conversation.last_output.as_str()),
            ("It is blue.", "four")
        );
        let arguments = conversation.shell.unwrap().call_arguments("ls");
        assert_eq!(arguments, json!({"cmd": "ls", "yield_time_ms": 30_000}));
    }

    #[test]
    fn claude_tells_how_far_it_is() {
        let all = [
            json!({"role": "user", "content": [{"type": "text", "text": "MOCK:ask b"}]}),
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "four"}]}),
            json!({"role": "assistant", "content": [{"type": "text", "text": "Ok."}]}),
            json!({"role": "user", "content": "It is blue."}),
        ];
        for (length, steps) in [(1, 0), (2, 0), (3, 1), (4, 2), (5, 2)] {
            assert_eq!(claude_request(&json!(all[..length])).steps_done, steps, "{length}");
        }
        let conversation = claude_request(&json!(all));
        assert_eq!(
            (conversation.last_said.as_str(), conversation.last_output.as_str()),
            ("It is blue.", "four")
        );
        let arguments = conversation.shell.unwrap().call_arguments("ls");
        assert_eq!(arguments, json!({"command": "ls", "description": "a step of a script"}));
    }

    #[test]
    fn who_offers_no_shell_plays_no_script() {
        let request = json!({"messages": [{"role": "user", "content": "A title for: MOCK:ask b"}]});
        let conversation = ChatRequest::from_request(ModelApi::Messages, &request);
        assert_eq!((conversation.marker, conversation.streams), (None, false));
    }

    #[test]
    fn an_older_shell_takes_words() {
        let schema = json!({"properties": {"command": {"type": "array"}}});
        let shell = ShellTool { name: "shell".to_owned(), schema };
        assert_eq!(shell.call_arguments("ls"), json!({"command": ["bash", "-c", "ls"]}));
    }
}
