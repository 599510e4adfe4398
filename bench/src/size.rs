//! How many bytes an answer costs its reader. The budgets are tests; here is what is used of them.

use orch_core::id::ThreadId;

use crate::Done;
use crate::contention::claimed;
use crate::fixture::{self, Shape};
use crate::process::Programs;
use crate::scratch::Scratch;
use crate::table::{Table, heading, verdict};

/// How many tasks the run has.
const TASKS: usize = 40;

/// Runs the benchmark.
pub(crate) fn run(scratch: &Scratch) -> Done<()> {
    heading("size: bytes of an answer");
    let store = fixture::store(&scratch.disk("size")?, "store", Shape::Layered, TASKS)?;
    let programs = Programs::beside_this()?;
    let run =
        |program: &str, words: &[&str]| -> Done<String> { Ok(programs.run(&store, program, words)?.stdout) };
    run("orch", &["dispatch", fixture::key(0).as_str()])?;
    let (thread, token) = claimed(&run("inbox", &["claim", "--as", "worker"])?)?;
    let thread = ThreadId(thread).to_string();
    let question = "Which of the two ports shall it listen on?";
    run("inbox", &["ask", &thread, question, "--token", &token, "--option", "80", "--option", "8080"])?;
    let mut table = Table::new(&["answer", "bytes", "budget", "target"]);
    let asked: [(&str, &[&str], usize); 3] = [
        ("`orch run show`, 40 tasks", &["run", "show"], 8_000),
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
