//! How many bytes an answer costs its reader. The budgets are tests; here is what is used of them.

use orch_core::id::ThreadId;
use orch_scheduler::plan::{self, Plan};

use crate::Done;
use crate::contention::claimed;
use crate::fixture::{self, Shape, slug};
use crate::process::Programs;
use crate::scratch::Scratch;
use crate::table::{Table, heading, verdict};

/// How many tasks are shown.
const TASKS: usize = 40;

/// How many more are ready.
const MORE: usize = 20;

/// Runs the benchmark.
pub(crate) fn run(scratch: &Scratch) -> Done<()> {
    heading("size: bytes of an answer");
    let store = scratch.disk("size")?.join("orch.db");
    let mut session = fixture::open(&store)?;
    fixture::make_run(&mut session)?;
    plan::add(&mut session, None, &slug("lead"), None, &modules())?;
    let programs = Programs::beside_this()?;
    let run =
        |program: &str, words: &[&str]| -> Done<String> { Ok(programs.run(&store, program, words)?.stdout) };
    run("orch", &["dispatch", "t0", "--to", "worker"])?;
    let (thread, token) = claimed(&run("inbox", &["claim", "--as", "worker"])?)?;
    let thread = ThreadId(thread).to_string();
    let question = "Which of the two ports shall it listen on?";
    run("inbox", &["ask", &thread, question, "--token", &token, "--option", "80", "--option", "8080"])?;
    let mut table = Table::new(&["answer", "bytes", "budget", "target"]);
    let asked: [(&str, &[&str], usize); 3] = [
        ("`orch run show`, 40 tasks", &["run", "show", "--limit", "40"], 8_000),
        ("`orch ready --limit 10`", &["ready", "--limit", "10"], 2_000),
        ("`orch blocked`, one question", &["blocked"], 1_000),
    ];
    for (name, words, budget) in asked {
        let bytes = run("orch", words)?.len();
        table.row(vec![name.to_owned(), bytes.to_string(), budget.to_string(), verdict(bytes <= budget)]);
    }
    table.print();
    Ok(())
}

/// Tasks with short names: the first ones wait for the fifth before them, the others for nothing.
fn modules() -> Plan {
    let mut plan = fixture::graph(Shape::AllReady, TASKS + MORE);
    for (index, planned) in plan.tasks.iter_mut().enumerate() {
        let before = if index < TASKS { index.checked_sub(5) } else { None };
        planned.task.key = Some(slug(&format!("t{index}")));
        planned.task.title = format!("Module {index}");
        planned.task.agent = None;
        planned.task.after = before.map(|before| slug(&format!("t{before}"))).into_iter().collect();
    }
    plan
}
