//! Derives the schemas from the types of this crate, for the generator of `schemas/` alone.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::envelope::Envelope;
use crate::inbox;
use crate::orch::{
    agents, blocked, brief, cursor, demo, dependency, diff, dispatch, doctor, drive, events, graph,
    judgement, land, log, meter, plan, reconcile, request, run, status, task, timeline, why, word_to_worker,
    worktree,
};
use crate::schema::{DEFINITIONS, SchemaAnswer, SchemaSet, own_definitions_mut};
use crate::store::{DocumentAnswer, InitAnswer};
use crate::time::Stamp;
use crate::word::{Word, Worded};

/// A command and the schema of what it prints.
type Entry = (&'static str, Schema);

/// Derives the schema of what each command of `orch` prints.
#[must_use]
pub fn orch_schemas() -> Map<String, Value> {
    let mut all = run_schemas();
    all.extend(task_schemas());
    all.extend(work_schemas());
    all.extend(worktree_schemas());
    all.extend(vec![
        derive_schema::<InitAnswer>("orch init"),
        derive_schema::<doctor::DoctorAnswer>("orch doctor"),
        derive_schema::<request::RequestAnswer>("orch request show"),
        derive_schema::<SchemaAnswer>("orch schema"),
        derive_schema::<DocumentAnswer>("orch completions"),
        derive_schema::<DocumentAnswer>("orch prime"),
        derive_schema::<DocumentAnswer>("orch report"),
        derive_schema::<demo::DemoLine>("orch demo"),
    ]);
    by_command(all)
}

fn run_schemas() -> Vec<Entry> {
    vec![
        derive_schema::<run::RunAnswer>("orch run init"),
        derive_schema::<run::RunsAnswer>("orch run list"),
        derive_schema::<run::RunShowAnswer>("orch run show"),
        derive_schema::<run::RunAnswer>("orch run edit"),
        derive_schema::<run::RunAnswer>("orch run pause"),
        derive_schema::<run::RunAnswer>("orch run resume"),
        derive_schema::<run::RunAnswer>("orch run cancel"),
        derive_schema::<run::RunRmAnswer>("orch run rm"),
    ]
}

fn task_schemas() -> Vec<Entry> {
    vec![
        derive_schema::<plan::TaskAddAnswer>("orch task add"),
        derive_schema::<task::TasksAnswer>("orch task list"),
        derive_schema::<task::TaskShowAnswer>("orch task show"),
        derive_schema::<task::TaskAnswer>("orch task edit"),
        derive_schema::<task::TaskAnswer>("orch task cancel"),
        derive_schema::<task::TaskAnswer>("orch task retry"),
        derive_schema::<dependency::WaitsForAnswer>("orch dep add"),
        derive_schema::<dependency::WaitsForAnswer>("orch dep rm"),
        derive_schema::<dependency::DependenciesAnswer>("orch dep list"),
    ]
}

fn work_schemas() -> Vec<Entry> {
    vec![
        derive_schema::<task::TasksAnswer>("orch ready"),
        derive_schema::<dispatch::DispatchAnswer>("orch dispatch"),
        derive_schema::<task::TaskAnswer>("orch recall"),
        derive_schema::<word_to_worker::TellAnswer>("orch tell"),
        derive_schema::<reconcile::ReconcileAnswer>("orch reconcile"),
        derive_schema::<blocked::BlockedAnswer>("orch blocked"),
        derive_schema::<word_to_worker::AnswerAnswer>("orch answer"),
        derive_schema::<status::StatusAnswer>("orch status"),
        derive_schema::<why::WhyAnswer>("orch why"),
        derive_schema::<cursor::WaitAnswer>("orch wait"),
        derive_schema::<cursor::AckAnswer>("orch ack"),
        derive_schema::<events::EventsAnswer>("orch events"),
        derive_schema::<graph::GraphShown>("orch graph"),
        derive_schema::<judgement::VerifyAnswer>("orch verify"),
        derive_schema::<drive::DriveLine>("orch drive"),
        derive_schema::<drive::PsAnswer>("orch ps"),
        derive_schema::<drive::StopAnswer>("orch stop"),
        derive_schema::<task::TaskAnswer>("orch accept"),
        derive_schema::<task::TaskAnswer>("orch reject"),
        derive_schema::<judgement::IntegrateAnswer>("orch integrate"),
        derive_schema::<brief::BriefAnswer>("orch brief"),
        derive_schema::<log::LogAnswer>("orch log"),
        derive_schema::<meter::MeterAnswer>("orch meter"),
        derive_schema::<agents::AgentsAnswer>("orch agents"),
        derive_schema::<timeline::TimelineAnswer>("orch timeline"),
        derive_schema::<land::LandAnswer>("orch land"),
        derive_schema::<diff::DiffAnswer>("orch diff"),
    ]
}

fn worktree_schemas() -> Vec<Entry> {
    vec![
        derive_schema::<worktree::WorktreesAnswer>("orch worktree list"),
        derive_schema::<worktree::WorktreeShowAnswer>("orch worktree show"),
        derive_schema::<worktree::WorktreeAnswer>("orch worktree remove"),
        derive_schema::<worktree::PruneAnswer>("orch worktree prune"),
        derive_schema::<worktree::WorktreeAnswer>("orch worktree restore"),
    ]
}

/// Derives the schema of what each command of `inbox` prints.
#[must_use]
pub fn inbox_schemas() -> Map<String, Value> {
    let all = vec![
        derive_schema::<InitAnswer>("inbox init"),
        derive_schema::<inbox::SendAnswer>("inbox send"),
        derive_schema::<inbox::ListAnswer>("inbox list"),
        derive_schema::<inbox::ShowAnswer>("inbox show"),
        derive_schema::<inbox::ClaimAnswer>("inbox claim"),
        derive_schema::<inbox::RenewAnswer>("inbox renew"),
        derive_schema::<inbox::ProgressAnswer>("inbox progress"),
        derive_schema::<inbox::AskAnswer>("inbox ask"),
        derive_schema::<inbox::ReplyAnswer>("inbox reply"),
        derive_schema::<inbox::WaitAnswer>("inbox wait"),
        derive_schema::<inbox::AckAnswer>("inbox ack"),
        derive_schema::<inbox::CloseAnswer>("inbox done"),
        derive_schema::<inbox::CloseAnswer>("inbox fail"),
        derive_schema::<inbox::ThreadAnswer>("inbox release"),
        derive_schema::<inbox::ThreadAnswer>("inbox cancel"),
        derive_schema::<inbox::AgentsAnswer>("inbox agents"),
        derive_schema::<inbox::RunAnswer>("inbox run"),
        derive_schema::<SchemaAnswer>("inbox schema"),
        derive_schema::<DocumentAnswer>("inbox completions"),
    ];
    by_command(all)
}

fn by_command(entries: Vec<Entry>) -> Map<String, Value> {
    entries.into_iter().map(|(command, schema)| (command.to_owned(), schema.to_value())).collect()
}

/// The schema of the whole document that a command with this `data` prints.
fn derive_schema<T: JsonSchema>(command: &'static str) -> Entry {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    (command, settings.into_generator().into_root_schema_for::<Envelope<T>>())
}

impl SchemaSet {
    /// Moves every definition that is equal in all schemas with that name to the shared ones.
    #[must_use]
    pub fn new(mut commands: Map<String, Value>) -> Self {
        let mut definitions = Map::new();
        let mut differing = Vec::new();
        for (name, definition) in commands.values().filter_map(own_definitions).flatten() {
            match definitions.get(name) {
                None => _ = definitions.insert(name.clone(), definition.clone()),
                Some(first) if first == definition => {}
                Some(_) => differing.push(name.clone()),
            }
        }
        definitions.retain(|name, _| !differing.contains(name));
        for own in commands.values_mut().filter_map(own_definitions_mut) {
            own.iter_mut()
                .filter(|(name, _)| definitions.contains_key(*name))
                .for_each(|(_, definition)| *definition = Value::Null);
        }
        Self { definitions, commands }
    }
}

fn own_definitions(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get(DEFINITIONS)?.as_object()
}

impl<T: Worded> JsonSchema for Word<T> {
    fn schema_name() -> Cow<'static, str> {
        T::SET.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::all().into_iter().map(T::word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

impl JsonSchema for Stamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_completes_to_the_schemas_it_was_made_of() {
        let schema = |field: &str| {
            let definitions = json!({"Task": {"type": "object"}, "Success": {"required": [field]}});
            json!({"$ref": "#/$defs/Task", "$defs": definitions})
        };
        let commands =
            Map::from_iter([("orch a".to_owned(), schema("a")), ("orch b".to_owned(), schema("b"))]);
        let set = SchemaSet::new(commands.clone());
        assert_eq!(set.definitions.keys().collect::<Vec<_>>(), ["Task"]);
        assert_eq!(set.commands["orch a"]["$defs"], json!({"Task": null, "Success": {"required": ["a"]}}));
        assert_eq!(set.into_complete(), commands);
    }
}
