//! Checks docs/profiles.md: its examples are valid profiles, and it explains every field, placeholder and variable.

use std::collections::BTreeSet;
use std::error::Error as _;

use orch_process::environment::INHERITED_VARIABLES;
use orch_profile::brief::BriefTemplate;
use orch_profile::{BUILT_IN, CommandPlaceholder, ProfileReference, ProfileRegistry};

use super::files::parse_profile;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/profiles.md"));

/// Returns the TOML code blocks.
fn toml_blocks() -> Vec<&'static str> {
    let begun = DOCUMENT.split("```toml\n").skip(1);
    begun.map(|block| block.split("```\n").next().unwrap()).collect()
}

/// Returns the words in single backquotes outside code blocks.
fn quoted_words() -> BTreeSet<&'static str> {
    let outside = DOCUMENT.split("```").step_by(2);
    outside.flat_map(|text| text.lines()).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Returns the fields that the parser lists when it rejects an unknown one.
fn known_fields(before: &str) -> Vec<String> {
    let text = format!("name = 'x'\ncommand = ['a']\n{before}\nzzz = 1\n");
    let said = parse_profile(&text).unwrap_err().source().unwrap().to_string();
    let (_, known) = said.split_once("expected ").unwrap_or_else(|| panic!("{said}"));
    known
        .trim_start_matches("one of ")
        .split([',', ' '])
        .filter(|word| word.starts_with('`'))
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn examples_are_valid_profiles() {
    assert!(toml_blocks().len() >= 5);
    for block in toml_blocks() {
        if block.contains("extends = ") {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.toml");
            std::fs::write(&path, block).unwrap();
            ProfileRegistry::default().load_profile(&ProfileReference::Path(path)).unwrap();
            continue;
        }
        let whole = block.contains("command = ");
        let text = if whole { block.to_owned() } else { format!("name = 'x'\ncommand = ['a']\n{block}") };
        if let Err(error) = parse_profile(&text) {
            panic!("{error}: {}\n{text}", error.source().unwrap());
        }
    }
    for (name, text) in
        BUILT_IN.into_iter().filter(|(name, _)| ["shell", "codex", "claude", "aider"].contains(name))
    {
        assert!(toml_blocks().contains(&text), "{name} is shown as it is built in");
    }
}

#[test]
fn every_name_is_explained() {
    let quoted = quoted_words();
    let rule = "[events]\nformat = 'json-lines'\n";
    let tables = [
        "",
        rule,
        &format!("{rule}[[events.failure]]"),
        &format!("{rule}[events.tokens]"),
        &format!("{rule}[events.cost]"),
        "[events]\nformat = 'plain'\n[[events.pattern]]",
    ];
    for field in tables.into_iter().flat_map(known_fields) {
        let shown = quoted.contains(field.as_str())
            || [format!("[[events.{field}]]"), format!("[events.{field}]")]
                .iter()
                .any(|rule| quoted.contains(rule.as_str()));
        assert!(shown, "the field `{field}` is not explained");
    }
    for placeholder in CommandPlaceholder::ALL {
        let name = format!("{{{}}}", placeholder.name());
        assert!(DOCUMENT.contains(&format!("| `{name}` |")), "{name} is not explained");
    }
    for name in INHERITED_VARIABLES {
        assert!(quoted.contains(name), "{name} is not listed");
    }
}

#[test]
fn the_variables_of_a_template_exist() {
    let table = DOCUMENT.split("| name | meaning |\n").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().skip(1).take_while(|line| line.starts_with("| `")).collect();
    assert!(rows.len() >= 12);
    for row in rows {
        let names = row.split('|').nth(1).unwrap();
        for name in names.split_whitespace() {
            let name = name.trim_matches('`');
            BriefTemplate::parse(&format!("{{{{ {name} }}}}"), name)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
