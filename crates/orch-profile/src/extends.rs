//! A profile that extends another: what it does not say is taken from the other.

use std::ops::Range;
use std::path::Path;

use orch_core::id::Slug;
use serde::Deserialize;
use toml::{Spanned, Table, Value};

/// The field that names the extended profile.
pub(super) const EXTENDS: &str = "extends";

/// The two fields of which a profile has at most one.
const TEMPLATE_FIELDS: [&str; 2] = ["template", "template_file"];

/// The field that says which profile a text extends, with its place; all else is ignored.
#[derive(Deserialize)]
struct ExtendsField {
    extends: Option<Spanned<String>>,
}

/// Returns the name of the profile that a text extends, and where it says so; `None` also for a text that cannot be read,
/// which the reader of the profile reports.
pub(super) fn find_extended(text: &str) -> Option<(Range<usize>, Result<Slug, orch_core::id::SlugError>)> {
    let field = toml::from_str::<ExtendsField>(text).ok()?.extends?;
    Some((field.span(), Slug::new(field.get_ref())))
}

/// Returns the text of a profile, completed by the profile that it extends. `folder` is the folder of the extended one.
///
/// Tables are merged; any other value takes the place of the one it extends, lists of rules included.
pub(super) fn complete_text(text: &str, extended: &str, folder: Option<&Path>) -> Option<String> {
    let mut fields: Table = toml::from_str(text).ok()?;
    let mut complete: Table = toml::from_str(extended).ok()?;
    fields.remove(EXTENDS);
    if TEMPLATE_FIELDS.iter().any(|field| fields.contains_key(*field)) {
        TEMPLATE_FIELDS.iter().for_each(|field| drop(complete.remove(*field)));
    }
    if let (Some(Value::String(file)), Some(folder)) = (complete.get_mut(TEMPLATE_FIELDS[1]), folder) {
        *file = folder.join(&*file).to_string_lossy().into_owned();
    }
    merge_table(&mut complete, fields);
    toml::to_string(&complete).ok()
}

fn merge_table(into: &mut Table, fields: Table) {
    for (name, value) in fields {
        match (into.get_mut(&name), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge_table(inner, value),
            (_, value) => drop(into.insert(name, value)),
        }
    }
}
