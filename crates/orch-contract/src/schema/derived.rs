//! Derives the schemas from the types of this crate, for the generator of `schemas/` alone.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::envelope::Envelope;
use crate::inbox;
use crate::orch::{
    agents, blocked, clean, cursor, demo, dependency, diff, dispatch, doctor, drive, events, graph,
    judgement, land, log, meter, plan, reconcile, report, request, review, run, task, tell, timeline, usage,
    why, worktree,
};
use crate::schema::{DEFINITIONS, SchemaResponse, SchemaSet, own_definitions_mut};
use crate::store::{DocumentResponse, InitResponse};
use crate::time::UtcTimestamp;
use crate::word::{WireEnum, WireWord};

/// A command and the schema of what it prints.
type CommandSchema = (&'static str, Schema);

/// Derives the schema of what each command of `orch` prints.
#[must_use]
pub fn orch_schemas() -> Map<String, Value> {
    let mut all = run_schemas();
    all.extend(task_schemas());
    all.extend(work_schemas());
    all.extend(worktree_schemas());
    all.extend(vec![
        derive_schema::<InitResponse>("orch init"),
        derive_schema::<doctor::DoctorResponse>("orch doctor"),
        derive_schema::<crate::orch::trust::TrustResponse>("orch trust"),
        derive_schema::<crate::orch::store::StoreBackupResponse>("orch store backup"),
        derive_schema::<crate::orch::store::StoreRestoreResponse>("orch store restore"),
        derive_schema::<crate::orch::profile::ProfilesResponse>("orch profile list"),
        derive_schema::<crate::orch::profile::ProfilesResponse>("orch profile show"),
        derive_schema::<crate::orch::profile::ProfilesResponse>("orch profile resume"),
        derive_schema::<request::RequestShowResponse>("orch request show"),
        derive_schema::<SchemaResponse>("orch schema"),
        derive_schema::<DocumentResponse>("orch completions"),
        derive_schema::<DocumentResponse>("orch prime"),
        derive_schema::<DocumentResponse>("orch man"),
        derive_schema::<DocumentResponse>("orch hook"),
        derive_schema::<report::ReportResponse>("orch report"),
        derive_schema::<review::ReviewResponse>("orch review"),
        derive_schema::<demo::DemoLine>("orch demo"),
    ]);
    by_command(all)
}

fn run_schemas() -> Vec<CommandSchema> {
    vec![
        derive_schema::<run::RunResponse>("orch run init"),
        derive_schema::<run::RunListResponse>("orch run list"),
        derive_schema::<run::RunShowResponse>("orch run show"),
        derive_schema::<run::RunUseResponse>("orch run use"),
        derive_schema::<crate::orch::lead::LeadResponse>("orch lead"),
        derive_schema::<crate::orch::setup::SetupResponse>("orch setup"),
        derive_schema::<crate::orch::web::WebResponse>("orch web"),
        derive_schema::<run::RunResponse>("orch run edit"),
        derive_schema::<run::RunResponse>("orch run pause"),
        derive_schema::<run::RunResponse>("orch run resume"),
        derive_schema::<run::RunResponse>("orch run cancel"),
        derive_schema::<run::RunRepairResponse>("orch run repair"),
        derive_schema::<run::RunSyncResponse>("orch run sync"),
        derive_schema::<run::RunRemoveResponse>("orch run rm"),
    ]
}

fn task_schemas() -> Vec<CommandSchema> {
    vec![
        derive_schema::<plan::TaskAddResponse>("orch task add"),
        derive_schema::<task::TaskListResponse>("orch task list"),
        derive_schema::<task::TaskShowResponse>("orch task show"),
        derive_schema::<task::TaskResponse>("orch task edit"),
        derive_schema::<task::TaskChangeResponse>("orch task cancel"),
        derive_schema::<task::TaskChangeResponse>("orch task retry"),
        derive_schema::<task::TaskChangeResponse>("orch task hold"),
        derive_schema::<task::TaskChangeResponse>("orch task unhold"),
        derive_schema::<task::TaskChangeResponse>("orch task redo"),
        derive_schema::<DocumentResponse>("orch plan export"),
        derive_schema::<dependency::DependencyEditResponse>("orch dep add"),
        derive_schema::<dependency::DependencyEditResponse>("orch dep rm"),
        derive_schema::<dependency::DependencyListResponse>("orch dep list"),
    ]
}

fn work_schemas() -> Vec<CommandSchema> {
    vec![
        derive_schema::<task::TaskListResponse>("orch ready"),
        derive_schema::<dispatch::DispatchResponse>("orch dispatch"),
        derive_schema::<task::TaskChangeResponse>("orch recall"),
        derive_schema::<tell::TellResponse>("orch tell"),
        derive_schema::<reconcile::ReconcileResponse>("orch reconcile"),
        derive_schema::<blocked::BlockedResponse>("orch blocked"),
        derive_schema::<tell::AnswerResponse>("orch answer"),
        derive_schema::<run::StatusOrRuns>("orch status"),
        derive_schema::<why::WhyResponse>("orch why"),
        derive_schema::<cursor::EventWaitResponse>("orch wait"),
        derive_schema::<cursor::EventAckResponse>("orch ack"),
        derive_schema::<events::EventsResponse>("orch events"),
        derive_schema::<graph::GraphOrDrawing>("orch graph"),
        derive_schema::<judgement::VerifyResponse>("orch verify"),
        derive_schema::<drive::DriveLine>("orch drive"),
        derive_schema::<drive::PsResponse>("orch ps"),
        derive_schema::<drive::StopResponse>("orch stop"),
        derive_schema::<task::TaskResponse>("orch accept"),
        derive_schema::<task::TaskResponse>("orch reject"),
        derive_schema::<judgement::IntegrateResponse>("orch integrate"),
        derive_schema::<run::BriefOrRuns>("orch brief"),
        derive_schema::<log::LogResponse>("orch log"),
        derive_schema::<meter::MeterResponse>("orch meter"),
        derive_schema::<usage::UsageResponse>("orch usage"),
        derive_schema::<agents::AgentsResponse>("orch agents"),
        derive_schema::<timeline::TimelineResponse>("orch timeline"),
        derive_schema::<land::LandResponse>("orch land"),
        derive_schema::<diff::DiffResponse>("orch diff"),
    ]
}

fn worktree_schemas() -> Vec<CommandSchema> {
    vec![
        derive_schema::<worktree::WorktreeListResponse>("orch worktree list"),
        derive_schema::<worktree::WorktreeShowResponse>("orch worktree show"),
        derive_schema::<worktree::WorktreeRemoveResponse>("orch worktree remove"),
        derive_schema::<worktree::PruneResponse>("orch worktree prune"),
        derive_schema::<worktree::WorktreeResponse>("orch worktree restore"),
        derive_schema::<clean::CleanResponse>("orch clean"),
        derive_schema::<clean::CleanResponse>("orch uninstall"),
    ]
}

/// Derives the schema of what each command of `inbox` prints.
#[must_use]
pub fn inbox_schemas() -> Map<String, Value> {
    let all = vec![
        derive_schema::<InitResponse>("inbox init"),
        derive_schema::<inbox::SendResponse>("inbox send"),
        derive_schema::<inbox::ThreadListResponse>("inbox list"),
        derive_schema::<inbox::ThreadShowResponse>("inbox show"),
        derive_schema::<inbox::ClaimResponse>("inbox claim"),
        derive_schema::<inbox::RenewResponse>("inbox renew"),
        derive_schema::<inbox::ProgressResponse>("inbox progress"),
        derive_schema::<inbox::SuggestResponse>("inbox suggest"),
        derive_schema::<inbox::AskResponse>("inbox ask"),
        derive_schema::<inbox::ReplyResponse>("inbox reply"),
        derive_schema::<inbox::MessageWaitResponse>("inbox wait"),
        derive_schema::<inbox::MessageAckResponse>("inbox ack"),
        derive_schema::<inbox::CloseResponse>("inbox done"),
        derive_schema::<inbox::CloseResponse>("inbox fail"),
        derive_schema::<inbox::ThreadResponse>("inbox release"),
        derive_schema::<inbox::ThreadResponse>("inbox cancel"),
        derive_schema::<inbox::InboxAgentsResponse>("inbox agents"),
        derive_schema::<inbox::WorkerRunResponse>("inbox run"),
        derive_schema::<SchemaResponse>("inbox schema"),
        derive_schema::<DocumentResponse>("inbox completions"),
        derive_schema::<DocumentResponse>("inbox man"),
    ];
    by_command(all)
}

fn by_command(entries: Vec<CommandSchema>) -> Map<String, Value> {
    entries.into_iter().map(|(command, schema)| (command.to_owned(), schema.to_value())).collect()
}

/// Returns the schema of the whole document that a command with this `data` prints.
fn derive_schema<T: JsonSchema>(command: &'static str) -> CommandSchema {
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

impl<T: WireEnum> JsonSchema for WireWord<T> {
    fn schema_name() -> Cow<'static, str> {
        T::SET.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::all().into_iter().map(T::word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

impl JsonSchema for UtcTimestamp {
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
