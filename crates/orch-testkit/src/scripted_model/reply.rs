//! Encodes replies for either API, as one document or as a stream of events.

use serde_json::{Value, json};

use super::conversation::{ChatRequest, ModelApi};
use super::script::ScriptStep;

/// The number of input tokens that every reply reports.
const INPUT_TOKENS: u64 = 1_000;
const OUTPUT_TOKENS: u64 = 50;

/// A reply: its only item, and the number that makes its ids unique.
pub(super) struct ModelReply {
    api: ModelApi,
    model: String,
    number: u64,
    item: Value,
    calls: bool,
}

/// Makes the reply to a conversation; for a client without a shell tool it is a text that says so.
pub(super) fn reply_to(conversation: &ChatRequest, step: &ScriptStep, number: u64) -> ModelReply {
    let call = match (step, &conversation.shell) {
        (ScriptStep::Shell(command), Some(shell)) => {
            Some((shell.name.as_str(), shell.call_arguments(command)))
        }
        (ScriptStep::Shell(_) | ScriptStep::Say(_), _) => None,
    };
    let words = match step {
        ScriptStep::Say(words) => words.as_str(),
        ScriptStep::Shell(_) => "There is no shell here.",
    };
    let calls = call.is_some();
    let item = match (conversation.api, call) {
        (ModelApi::Responses, Some((name, arguments))) => json!({
            "type": "function_call", "id": format!("fc_{number}"), "call_id": format!("call_{number}"),
            "status": "completed", "name": name, "arguments": arguments.to_string(),
        }),
        (ModelApi::Responses, None) => json!({
            "type": "message", "id": format!("msg_{number}"), "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": words, "annotations": []}],
        }),
        (ModelApi::Messages, Some((name, arguments))) => {
            json!({"type": "tool_use", "id": format!("toolu_{number}"), "name": name, "input": arguments})
        }
        (ModelApi::Messages, None) => json!({"type": "text", "text": words}),
    };
    ModelReply { api: conversation.api, model: conversation.model.clone(), number, item, calls }
}

impl ModelReply {
    /// Encodes the reply as one document.
    pub(super) fn to_document(&self) -> Value {
        match self.api {
            ModelApi::Responses => json!({
                "id": format!("resp_{}", self.number), "object": "response", "created_at": 0,
                "model": self.model, "status": "completed", "output": [self.item],
                "usage": {
                    "input_tokens": INPUT_TOKENS, "input_tokens_details": {"cached_tokens": 0},
                    "output_tokens": OUTPUT_TOKENS, "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
                },
            }),
            ModelApi::Messages => json!({
                "id": format!("msg_{}", self.number), "type": "message", "role": "assistant",
                "model": self.model, "content": [self.item],
                "stop_reason": if self.calls { "tool_use" } else { "end_turn" }, "stop_sequence": null,
                "usage": {
                    "input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS,
                    "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                },
            }),
        }
    }

    /// Encodes the reply as the text of an event stream.
    pub(super) fn to_event_stream(&self) -> String {
        let events = match self.api {
            ModelApi::Responses => self.responses_events(),
            ModelApi::Messages => self.messages_events(),
        };
        // Every event states its kind twice: in its `event` line and in its document.
        let text = |event: &Value| {
            let kind = event["type"].as_str().unwrap_or_default();
            format!("event: {kind}\ndata: {event}\n\n")
        };
        events.iter().map(text).collect()
    }

    fn responses_events(&self) -> Vec<Value> {
        let whole = self.to_document();
        let mut begun = whole.clone();
        begun["status"] = "in_progress".into();
        begun["output"] = json!([]);
        let mut item = self.item.clone();
        item["status"] = "in_progress".into();
        let mut events = vec![
            json!({"type": "response.created", "response": begun}),
            json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        ];
        if let Some(text) = self.item["content"][0]["text"].as_str() {
            events.push(json!({
                "type": "response.output_text.delta", "output_index": 0, "content_index": 0,
                "item_id": self.item["id"], "delta": text,
            }));
        }
        events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": self.item}));
        events.push(json!({"type": "response.completed", "response": whole}));
        for (number, event) in events.iter_mut().enumerate() {
            event["sequence_number"] = number.into();
        }
        events
    }

    fn messages_events(&self) -> Vec<Value> {
        let whole = self.to_document();
        let mut begun = whole.clone();
        begun["content"] = json!([]);
        begun["stop_reason"] = Value::Null;
        let mut block = self.item.clone();
        let delta = if self.calls {
            // The arguments are sent in fragments of JSON text.
            block["input"] = json!({});
            json!({"type": "input_json_delta", "partial_json": self.item["input"].to_string()})
        } else {
            block["text"] = "".into();
            json!({"type": "text_delta", "text": self.item["text"]})
        };
        let end = json!({"stop_reason": whole["stop_reason"], "stop_sequence": null});
        vec![
            json!({"type": "message_start", "message": begun}),
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
            json!({"type": "content_block_delta", "index": 0, "delta": delta}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": end, "usage": whole["usage"]}),
            json!({"type": "message_stop"}),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_request(api: ModelApi) -> ChatRequest {
        let schema = json!({"properties": {"command": {"type": "string"}}});
        let tools = json!([{"name": "sh", "parameters": schema, "input_schema": schema}]);
        ChatRequest::from_request(api, &json!({"model": "m", "tools": tools}))
    }

    fn parse_events(stream: &str) -> Vec<Value> {
        let event = |text: &str| {
            let (kind, data) = text.split_once('\n').unwrap();
            let document: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(Some(document["type"].as_str().unwrap()), kind.strip_prefix("event: "));
            document
        };
        stream.split_terminator("\n\n").map(event).collect()
    }

    fn event_kinds(events: &[Value]) -> Vec<&str> {
        events.iter().map(|event| event["type"].as_str().unwrap()).collect()
    }

    #[test]
    fn codex_gets_a_call_in_an_item() {
        let reply =
            reply_to(&sample_request(ModelApi::Responses), &ScriptStep::Shell("ls 'a b'".to_owned()), 7);
        let events = parse_events(&reply.to_event_stream());
        let expected = [
            "response.created",
            "response.output_item.added",
            "response.output_item.done",
            "response.completed",
        ];
        assert_eq!(event_kinds(&events), expected);
        let item = &events[2]["item"];
        assert_eq!((&item["type"], &item["call_id"]), (&json!("function_call"), &json!("call_7")));
        let arguments: Value = serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(arguments, json!({"command": "ls 'a b'"}));
        assert_eq!(events[3]["response"]["output"][0], *item);
        assert_eq!(events[3]["response"]["usage"]["total_tokens"], 1_050);
    }

    #[test]
    fn codex_gets_words_in_an_item() {
        let reply = reply_to(&sample_request(ModelApi::Responses), &ScriptStep::Say("Done.".to_owned()), 1);
        let events = parse_events(&reply.to_event_stream());
        assert_eq!(events[2]["delta"], "Done.");
        assert_eq!(events[3]["item"]["content"][0]["text"], "Done.");
    }

    #[test]
    fn claude_gets_a_call_in_a_block() {
        let reply = reply_to(&sample_request(ModelApi::Messages), &ScriptStep::Shell("ls".to_owned()), 7);
        let events = parse_events(&reply.to_event_stream());
        let expected = [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(event_kinds(&events), expected);
        assert_eq!(
            events[1]["content_block"],
            json!({"type": "tool_use", "id": "toolu_7", "name": "sh", "input": {}})
        );
        assert_eq!(events[2]["delta"]["partial_json"], r#"{"command":"ls"}"#);
        assert_eq!(events[4]["delta"]["stop_reason"], "tool_use");
    }

    #[test]
    fn claude_gets_words_in_a_block() {
        let reply = reply_to(&sample_request(ModelApi::Messages), &ScriptStep::Say("Done.".to_owned()), 1);
        let events = parse_events(&reply.to_event_stream());
        assert_eq!(
            (&events[1]["content_block"]["text"], &events[2]["delta"]["text"]),
            (&json!(""), &json!("Done."))
        );
        assert_eq!(events[4]["delta"]["stop_reason"], "end_turn");
        assert_eq!(reply.to_document()["content"], json!([{"type": "text", "text": "Done."}]));
    }
}
