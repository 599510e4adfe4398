//! The program `orch`: one file per command, groups as folders.

mod accept;
mod ack;
mod agents;
mod answer;
mod blocked;
mod brief;
mod clean;
mod demo;
mod dep;
mod diff;
mod dispatch;
mod doctor;
mod drive;
mod events;
mod graph;
mod groups;
mod hook;
mod init;
mod integrate;
mod land;
mod lead;
mod log;
mod mcp;
mod meter;
#[cfg(test)]
mod parity;
mod plan;
mod prime;
mod profile;
mod ps;
mod ready;
mod recall;
mod reconcile;
mod reject;
mod report;
mod request;
mod review;
mod run;
mod setup;
mod status;
mod stop;
mod store;
mod task;
mod tell;
mod timeline;
mod trust;
mod uninstall;
mod usage;
mod verify;
mod wait;
mod web;
mod why;
mod worktree;

use clap::{Parser, Subcommand};
use orch_core::id::Slug;

use crate::arguments::{GLOBAL, GlobalOptions, parse_slug};
use crate::context::{CommandRuntime, ProgramIdentity};
use crate::inbox::InboxCli;
use crate::program::CliProgram;
use crate::respond::CommandOutcome;
use crate::self_description::{self, CompletionsArgs, ManArgs, SchemaArgs};
use orch_app::{AppError, CallerRules};

/// Plan a goal as a graph of tasks, dispatch them to workers, check and merge their work
///
/// A lead creates a run, adds tasks and dependencies, and dispatches ready tasks to workers.
/// Workers use the program `inbox`.
#[derive(Debug, Parser)]
#[command(name = "orch", version)]
#[command(after_help = EXAMPLE)]
pub struct OrchCli {
    #[command(flatten)]
    globals: GlobalOptions,
    /// The run [default: the only unfinished one] [env: ORCH_RUN]
    #[arg(short = 'R', long, global = true, value_name = "RUN", value_parser = parse_slug, help_heading = GLOBAL)]
    run: Option<Slug>,
    #[command(subcommand)]
    command: Option<OrchCommand>,
}

const EXAMPLE: &str = "\
EXAMPLES:
  orch run init 'Ship the parser'
  orch task add 'Write it' --key write
  orch task add 'Test it' --key test --after write
  orch dispatch --all --to w1,w2
  orch wait

An agent learns both programs by `orch prime`.";

#[derive(Debug, Subcommand)]
// A command's options are built when the command is parsed: building all of them takes longer than reading the store.
#[command(defer = true)]
enum OrchCommand {
    Init(init::InitArgs),
    Doctor(doctor::DoctorArgs),
    Trust(trust::TrustArgs),
    Store(store::StoreArgs),
    Run(run::RunArgs),
    Task(task::TaskArgs),
    Plan(plan::PlanArgs),
    Dep(dep::DepArgs),
    Ready(ready::ReadyArgs),
    Dispatch(dispatch::DispatchArgs),
    Recall(recall::RecallArgs),
    Tell(tell::TellArgs),
    Reconcile(reconcile::ReconcileArgs),
    Verify(verify::VerifyArgs),
    Accept(accept::AcceptArgs),
    Reject(reject::RejectArgs),
    Integrate(integrate::IntegrateArgs),
    Land(land::LandArgs),
    Diff(diff::DiffArgs),
    Report(report::ReportArgs),
    Review(review::ReviewArgs),
    Drive(Box<drive::DriveArgs>),
    Profile(profile::ProfileArgs),
    Ps(ps::PsArgs),
    Stop(stop::StopArgs),
    Worktree(worktree::WorktreeArgs),
    Clean(clean::CleanArgs),
    Uninstall(uninstall::UninstallArgs),
    Blocked(blocked::BlockedArgs),
    Answer(answer::AnswerArgs),
    Status(status::StatusArgs),
    Why(why::WhyArgs),
    Wait(wait::WaitArgs),
    Ack(ack::AckArgs),
    Events(events::EventsArgs),
    Brief(brief::BriefArgs),
    Log(log::LogArgs),
    Meter(meter::MeterArgs),
    Usage(usage::UsageArgs),
    Timeline(timeline::TimelineArgs),
    Agents(agents::AgentsArgs),
    Graph(graph::GraphArgs),
    Request(request::RequestArgs),
    Prime(prime::PrimeArgs),
    Demo(demo::DemoArgs),
    Setup(setup::SetupArgs),
    Lead(lead::LeadArgs),
    Mcp(mcp::LeadServerArgs),
    Web(web::WebArgs),
    Hook(hook::HookArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl CliProgram for OrchCli {
    const DEFAULT_COMMAND: Option<&str> = Some("orch status");

    const IDENTITY: ProgramIdentity = ProgramIdentity {
        program: "orch",
        caller: CallerRules { agent_variable: "ORCH_AGENT", agent_default: Some("lead") },
    };

    fn arrange_help(parser: clap::Command) -> clap::Command {
        groups::group_commands(parser)
    }

    fn global_options(&self) -> &GlobalOptions {
        &self.globals
    }

    fn run(self, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
        context.app().set_run_option(self.run);
        let Some(command) = self.command else { return status::run_alone(context) };
        match command {
            OrchCommand::Init(args) => init::run(args, context),
            OrchCommand::Doctor(args) => doctor::run(args, context),
            OrchCommand::Trust(args) => trust::run(args, context),
            OrchCommand::Store(args) => store::run(args, context),
            OrchCommand::Run(args) => run::run(args, context),
            OrchCommand::Task(args) => task::run(args, context),
            OrchCommand::Plan(args) => plan::run(args, context),
            OrchCommand::Dep(args) => dep::run(args, context),
            OrchCommand::Ready(args) => ready::run(args, context),
            OrchCommand::Dispatch(args) => dispatch::run(args, context),
            OrchCommand::Recall(args) => recall::run(args, context),
            OrchCommand::Tell(args) => tell::run(args, context),
            OrchCommand::Reconcile(args) => reconcile::run(args, context),
            OrchCommand::Verify(args) => verify::run(args, context),
            OrchCommand::Accept(args) => accept::run(args, context),
            OrchCommand::Reject(args) => reject::run(args, context),
            OrchCommand::Integrate(args) => integrate::run(args, context),
            OrchCommand::Land(args) => land::run(args, context),
            OrchCommand::Diff(args) => diff::run(args, context),
            OrchCommand::Report(args) => report::run(args, context),
            OrchCommand::Review(args) => review::run(args, context),
            OrchCommand::Drive(args) => drive::run(*args, context),
            OrchCommand::Profile(args) => profile::run(args, context),
            OrchCommand::Ps(args) => ps::run(args, context),
            OrchCommand::Stop(args) => stop::run(args, context),
            OrchCommand::Worktree(args) => worktree::run(args, context),
            OrchCommand::Clean(args) => clean::run(args, context),
            OrchCommand::Uninstall(args) => uninstall::run(args, context),
            OrchCommand::Blocked(args) => blocked::run(args, context),
            OrchCommand::Answer(args) => answer::run(args, context),
            OrchCommand::Status(args) => status::run(args, context),
            OrchCommand::Why(args) => why::run(args, context),
            OrchCommand::Wait(args) => wait::run(args, context),
            OrchCommand::Ack(args) => ack::run(args, context),
            OrchCommand::Events(args) => events::run(args, context),
            OrchCommand::Brief(args) => brief::run(args, context),
            OrchCommand::Meter(args) => meter::run(args, context),
            OrchCommand::Usage(args) => usage::run(args, context),
            OrchCommand::Log(args) => log::run(args, context),
            OrchCommand::Timeline(args) => timeline::run(args, context),
            OrchCommand::Agents(args) => agents::run(args, context),
            OrchCommand::Graph(args) => graph::run(args, context),
            OrchCommand::Request(args) => request::run(args, context),
            OrchCommand::Setup(args) => setup::run(args, context),
            OrchCommand::Lead(args) => lead::run(args, context),
            OrchCommand::Mcp(args) => mcp::run(args, context),
            OrchCommand::Web(args) => web::run(args, context),
            OrchCommand::Hook(args) => hook::run(args, context),
            OrchCommand::Demo(args) => {
                demo::run(args, context, [Self::full_parser(), InboxCli::full_parser()])
            }
            OrchCommand::Prime(args) => prime::run(args, context),
            OrchCommand::Schema(args) => {
                Ok(self_description::schema_response(&args, "orch", orch_contract::schema::orch_schemas())?
                    .into())
            }
            OrchCommand::Completions(args) => {
                Ok(self_description::completion_script(&args, Self::IDENTITY.program))
            }
            OrchCommand::Man(args) => self_description::write_manual(&args, Self::quick_parser()),
        }
    }
}
