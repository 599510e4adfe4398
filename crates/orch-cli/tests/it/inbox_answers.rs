//! The exact shape of answers: field names, their order, nulls.

use serde_json::Value;

use crate::test_environment::TestEnvironment;

/// The names of an object's fields, in the order of the document.
fn field_names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

const THREAD: [&str; 13] = [
    "id",
    "kind",
    "subject",
    "from",
    "to",
    "holder",
    "priority",
    "state",
    "lease",
    "question",
    "created_at",
    "updated_at",
    "message_count",
];
const MESSAGE: [&str; 8] = ["id", "thread", "from", "to", "kind", "body", "payload", "created_at"];
const MESSAGE_SHORT: [&str; 6] = ["id", "thread", "from", "to", "kind", "created_at"];

#[test]
fn objects_have_the_contracts_fields_in_its_order() {
    let place = TestEnvironment::new();
    let document = place.inbox(&["send", "--to", "q", "--as", "lead", "--subject", "s"]).run().ok_document();
    assert_eq!(field_names(&document), ["schema", "ok", "command", "data"]);
    let sent = &document["data"];
    assert_eq!(field_names(sent), ["thread", "message"]);
    assert_eq!(field_names(&sent["thread"]), THREAD);
    assert_eq!(field_names(&sent["message"]), MESSAGE_SHORT);
    assert_eq!((&sent["thread"]["holder"], &sent["thread"]["lease"]), (&Value::Null, &Value::Null));
    let claimed = place.inbox(&["claim", "--for", "q"]).ok();
    assert_eq!(field_names(&claimed), ["thread", "messages", "lease"]);
    assert_eq!(field_names(&claimed["messages"][0]), MESSAGE);
    assert_eq!(claimed["messages"][0]["body"], Value::Null);
    assert_eq!(claimed["messages"][0]["payload"], Value::Null);
    assert_eq!(field_names(&claimed["lease"]), ["token", "expires_at"]);
    assert_eq!(field_names(&claimed["thread"]["lease"]), ["expires_at", "expired"]);
    let token = claimed["lease"]["token"].as_str().unwrap();
    let told = place.inbox(&["progress", "th-1", "x", "--token", token]).ok();
    assert_eq!(field_names(&told), ["message", "unread"]);
    let renewed = place.inbox(&["renew", "th-1", "--token", token]).ok();
    assert_eq!(field_names(&renewed), ["lease", "unread"]);
    assert_eq!(field_names(&renewed["lease"]), ["expires_at"]);
    let asked = place.inbox(&["ask", "th-1", "x", "--token", token]).ok();
    assert_eq!(field_names(&asked), ["question", "answer"]);
    assert_eq!(field_names(&asked["question"]), MESSAGE);
    assert_eq!(field_names(&place.inbox(&["reply", "th-1", "x", "--as", "lead"]).ok()), ["message"]);
    assert_eq!(field_names(&place.inbox(&["wait", "--for", "lead"]).ok()), ["messages", "cursor"]);
    assert_eq!(field_names(&place.inbox(&["ack", "--for", "lead", "--through", "m-1"]).ok()), ["cursor"]);
    assert_eq!(field_names(&place.inbox(&["list"]).ok()), ["threads", "total", "next"]);
    assert_eq!(field_names(&place.inbox(&["show", "th-1"]).ok()), ["thread", "messages", "total", "next"]);
    let agents = place.inbox(&["agents"]).ok();
    assert_eq!(field_names(&agents), ["agents", "total", "next"]);
    assert_eq!(field_names(&agents["agents"][0]), ["name", "last_seen_at", "claimed", "queued", "unread"]);
    let full = place.inbox(&["done", "th-1", "--token", token, "--result", "r", "--full"]).ok();
    assert_eq!(field_names(&full), ["thread", "message"]);
    assert_eq!(field_names(&full["message"]), MESSAGE);
    let failed = place.inbox(&["show", "th-9"]).run().document();
    assert_eq!(field_names(&failed), ["schema", "ok", "command", "error"]);
    assert_eq!(field_names(&failed["error"]), ["code", "message", "hint", "retryable", "details"]);
}
