//! Scripts: the model's replies, step by step.

use std::collections::BTreeMap;

use serde_json::Value;

/// The prefix of a script's name in the text of a task.
const MARK: &str = "MOCK:";

/// The reply to a request without a script, such as a request for a title.
const ASIDE: &str = "Very well.";

/// The reply after the last step of a script.
const OVER: &str = "Nothing is left to do.";

/// One reply of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptStep {
    /// A command for the client's shell tool.
    Shell(String),
    /// A text, which ends the client's turn.
    Say(String),
}

/// The script that a task requests, and the value of `{name}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptMarker {
    /// The script.
    pub script: String,
    /// The name.
    pub name: String,
}

impl ScriptMarker {
    /// Finds the first marker in a text.
    #[must_use]
    pub fn find_in(text: &str) -> Option<Self> {
        text.match_indices(MARK).find_map(|(at, _)| {
            let rest = &text[at + MARK.len()..];
            let script = leading_word(rest);
            let name = leading_word(rest[script.len()..].strip_prefix(' ')?);
            let both = !script.is_empty() && !name.is_empty();
            both.then(|| Self { script: script.to_owned(), name: name.to_owned() })
        })
    }
}

/// Returns the letters, digits and dashes that a text begins with.
fn leading_word(text: &str) -> &str {
    let end = text.find(|character: char| !(character.is_ascii_alphanumeric() || character == '-'));
    &text[..end.unwrap_or(text.len())]
}

/// Scripts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelScripts(BTreeMap<String, Vec<ScriptStep>>);

impl ModelScripts {
    /// Parses `{"NAME": [{"shell": "COMMAND"}, {"say": "WORDS"}]}`.
    ///
    /// # Errors
    /// The document has another shape.
    pub fn from_document(document: &Value) -> Result<Self, String> {
        let scripts = document.as_object().ok_or("scripts are an object of lists.")?;
        let read = |(name, steps): (&String, &Value)| {
            let steps = steps.as_array().ok_or_else(|| format!("the script {name} is no list."))?;
            let steps: Option<Vec<ScriptStep>> = steps.iter().map(parse_step).collect();
            let steps =
                steps.ok_or_else(|| format!("a step of {name} is neither a `shell` nor a `say` alone."))?;
            Ok((name.clone(), steps))
        };
        scripts.iter().map(read).collect::<Result<_, String>>().map(Self)
    }

    /// Returns the reply to a marker after a number of completed steps.
    #[must_use]
    pub fn step_for(&self, marker: Option<&ScriptMarker>, steps_done: usize) -> ScriptStep {
        let Some(marker) = marker else { return ScriptStep::Say(ASIDE.to_owned()) };
        let Some(steps) = self.0.get(&marker.script) else {
            return ScriptStep::Say(format!("There is no script {}.", marker.script));
        };
        let filled = |text: &str| text.replace("{name}", &marker.name);
        match steps.get(steps_done) {
            Some(ScriptStep::Shell(command)) => ScriptStep::Shell(filled(command)),
            Some(ScriptStep::Say(words)) => ScriptStep::Say(filled(words)),
            None => ScriptStep::Say(OVER.to_owned()),
        }
    }
}

fn parse_step(document: &Value) -> Option<ScriptStep> {
    let fields = document.as_object().filter(|fields| fields.len() == 1)?;
    let (kind, text) = fields.iter().next()?;
    let text = text.as_str()?.to_owned();
    match kind.as_str() {
        "shell" => Some(ScriptStep::Shell(text)),
        "say" => Some(ScriptStep::Say(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_marker_is_a_script_and_a_name() {
        let marker = |script: &str, name: &str| {
            Some(ScriptMarker { script: script.to_owned(), name: name.to_owned() })
        };
        for (text, found) in [
            ("Do it.\nMOCK:happy a-1\nNow.", marker("happy", "a-1")),
            ("say `MOCK:` and then MOCK:ask b.", marker("ask", "b")),
            ("MOCK:happy", None),
            ("MOCK:happy \n", None),
            ("MOCK: a", None),
            ("", None),
        ] {
            assert_eq!(ScriptMarker::find_in(text), found, "{text}");
        }
    }

    #[test]
    fn a_script_goes_on_where_it_was_left() {
        let scripts = json!({"happy": [{"shell": "echo {name}"}, {"say": "Made {name}."}]});
        let scripts = ModelScripts::from_document(&scripts).unwrap();
        let marker = ScriptMarker::find_in("MOCK:happy a").unwrap();
        for (done, answer) in [
            (0, ScriptStep::Shell("echo a".to_owned())),
            (1, ScriptStep::Say("Made a.".to_owned())),
            (2, ScriptStep::Say(OVER.to_owned())),
        ] {
            assert_eq!(scripts.step_for(Some(&marker), done), answer, "{done}");
        }
        assert_eq!(scripts.step_for(None, 0), ScriptStep::Say(ASIDE.to_owned()));
        let stranger = ScriptMarker::find_in("MOCK:other a").unwrap();
        assert_eq!(
            scripts.step_for(Some(&stranger), 0),
            ScriptStep::Say("There is no script other.".to_owned())
        );
    }

    #[test]
    fn what_is_no_script_is_refused() {
        for document in [
            json!([]),
            json!({"a": {}}),
            json!({"a": [{"sing": "la"}]}),
            json!({"a": [{"say": 1}]}),
            json!({"a": [{"say": "b", "shell": "c"}]}),
        ] {
            assert!(ModelScripts::from_document(&document).is_err(), "{document}");
        }
    }
}
