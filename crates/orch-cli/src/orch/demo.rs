//! `orch demo`: a real job in a repository of its own, done by three shell scripts.

use std::path::PathBuf;

use clap::Command;
use orch_app::AppError;
use orch_app::environment::IsolatedEnvironment;
use orch_app::orch::demo::{DemoFolder, DemoOutcome, DemoSetup};
use orch_contract::orch::demo::DemoLine;

use super::drive::{FinalScreen, LiveScreen};
use crate::context::CommandRuntime;
use crate::interrupts;
use crate::respond::CommandOutcome;

/// Watch three workers turn a plan into a landed branch
///
/// Takes less than a minute, in FOLDER, else in the current folder if it is empty, else in a new temporary
/// folder. In a git repository of its own the demo turns the help pages of both programs into a handbook,
/// with a question, a rejected report and a merge conflict on the way. The workers are shell scripts;
/// everything else is what `orch drive` and `orch land` do.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch demo /tmp/look\n  cd /tmp/look/handbook && ../bin/orch status")]
pub(super) struct DemoArgs {
    /// An empty or new folder to work in
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn run(
    args: DemoArgs,
    context: &mut CommandRuntime<'_>,
    programs: [Command; 2],
) -> Result<CommandOutcome, AppError> {
    // An interrupt during the setup is handled as soon as the drive begins.
    let stop = interrupts::take_over_interrupts()?;
    let folder = DemoFolder::prepare_in(args.folder.as_deref(), &help_pages(programs))?;
    let outside = context.app().environment();
    let environment = IsolatedEnvironment(outside);
    let mut demo = context.for_store(&folder.store(), &environment);
    demo.print_progress(&format!("Working in {}.", folder.path().display()));
    let pages = folder.page_count();
    demo.print_progress(&format!(
        "{pages} help pages become a handbook: 9 tasks, 3 workers (shell scripts)."
    ));
    demo.print_progress("");
    let setup = DemoSetup::prepare(demo.app(), &folder)?;
    let pages = if demo.is_redrawable() { Some(setup.pages()?) } else { None };
    let mut screen = LiveScreen::new(&mut demo, pages);
    let driven = setup.supervise(stop, &mut |signal| screen.handle_signal(signal))?;
    screen.close(FinalScreen::Erased);
    match driven.finish(demo.app(), &folder, outside)? {
        DemoOutcome::Complete(end) => Ok(orch_app::Reply::new(DemoLine::End(end)).into()),
        DemoOutcome::Interrupted(lines) => {
            for line in lines {
                demo.print_progress(&line);
            }
            Ok(CommandOutcome::StreamedWithStatus(130))
        }
    }
}

/// Renders the help page of every command, which are the demo's input.
fn help_pages(programs: [Command; 2]) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for mut program in programs {
        program.build();
        collect_pages(&program, program.get_name(), &mut pages);
    }
    pages
}

fn collect_pages(command: &Command, name: &str, pages: &mut Vec<(String, String)>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        let name = format!("{name}-{}", below.get_name());
        if below.has_subcommands() {
            collect_pages(below, &name, pages);
        } else {
            pages.push((name, below.clone().render_long_help().to_string()));
        }
    }
}
