//! How many bytes an answer costs its reader. The budgets are tests; here is what is used of them.

use orch_core::id::ThreadId;
use orch_scheduler::plan::{self, TaskPlan};

use crate::BenchResult;
use crate::contention::parse_claim;
use crate::fixture::{self, GraphShape, parse_slug};
use crate::process::BuiltPrograms;
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, print_heading, verdict_text};

/// How many tasks are shown.
const TASKS: usize = 40;

/// How many more are ready.
const MORE: usize = 20;

/// Runs the benchmark.
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("size: bytes of an answer");
    let store = scratch.disk_folder("size")?.join("orch.db");
    let mut session = fixture::open_session(&store)?;
    fixture::make_run(&mut session)?;
    plan::add_plan(&mut session, None, &parse_slug("lead"), None, &module_plan())?;
    let programs = BuiltPrograms::beside_this()?;
    let run = |program: &str, words: &[&str]| -> BenchResult<String> {
        Ok(programs.run_program(&store, program, words)?.stdout)
    };
    run("orch", &["dispatch", "t0", "--to", "worker"])?;
    let (thread, token) = parse_claim(&run("inbox", &["claim", "--as", "worker"])?)?;
    let thread = ThreadId(thread).to_string();
    let question = "Which of the two ports shall it listen on?";
    run("inbox", &["ask", &thread, question, "--token", &token, "--option", "80", "--option", "8080"])?;
    let mut table = ReportTable::new(&["answer", "bytes", "budget", "target"]);
    let asked: [(&str, &[&str], usize); 3] = [
        ("`orch run show`, 40 tasks", &["run", "show", "--limit", "40"], 8_000),
        ("`orch ready --limit 10`", &["ready", "--limit", "10"], 2_000),
        ("`orch blocked`, one question", &["blocked"], 1_000),
    ];
    for (name, words, budget) in asked {
        let bytes = run("orch", words)?.len();
        table.push_row(vec![
            name.to_owned(),
            bytes.to_string(),
            budget.to_string(),
            verdict_text(bytes <= budget),
        ]);
    }
    table.print();
    Ok(())
}

/// Tasks with short names: the first ones wait for the fifth before them, the others for nothing.
fn module_plan() -> TaskPlan {
    let mut plan = fixture::make_plan(GraphShape::AllReady, TASKS + MORE);
    for (index, planned) in plan.tasks.iter_mut().enumerate() {
        let before = if index < TASKS { index.checked_sub(5) } else { None };
        planned.task.key = Some(parse_slug(&format!("t{index}")));
        planned.task.title = format!("Module {index}");
        planned.task.agent = None;
        planned.task.after = before.map(|before| parse_slug(&format!("t{before}"))).into_iter().collect();
    }
    plan
}
