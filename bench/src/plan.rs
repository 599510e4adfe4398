//! A plan of 100,000 tasks and 300,000 dependencies in one transaction, beside a bare insert of the very same rows.

use std::path::Path;
use std::time::{Duration, Instant};

use orch_scheduler::plan::{self, Plan};
use rusqlite::types::Value;
use rusqlite::{Connection, TransactionBehavior, params_from_iter};

use crate::fixture::{self, Shape, slug};
use crate::sample::Samples;
use crate::scratch::Scratch;
use crate::table::{Table, heading, number, say, verdict};
use crate::{Done, bare, clock};

/// How many tasks the plan has. In layers of a twentieth, all but the first wait for three others.
const TASKS: usize = 105_264;

/// How often each side has its turn.
const TURNS: usize = 5;

/// How many times the bare insert's time the engine may take.
const RATIO_MAX: f64 = 3.0;

/// The tables that a plan fills, in the order in which their rows are written.
const TABLES: [&str; 6] = ["agent", "run", "task", "task_text", "dependency", "event"];

/// The rows of one table.
struct Rows {
    table: &'static str,
    rows: Vec<Vec<Value>>,
}

/// Wall and processor time of one side.
#[derive(Default)]
struct Times {
    wall: Samples,
    cpu: Samples,
}

/// Runs the benchmark.
pub(crate) fn run(scratch: &Scratch) -> Done<()> {
    heading("plan: 100,000 tasks and 300,000 dependencies in one transaction");
    let folder = scratch.disk("plan")?;
    let plan = fixture::graph(Shape::Layered, TASKS);
    let (mut engine, mut bare) = (Times::default(), Times::default());
    let mut rows = Vec::new();
    for turn in 0..TURNS {
        let made = folder.join(format!("engine-{turn}")).join("orch.db");
        engine.push(add(&made, &plan)?);
        if rows.is_empty() {
            rows = read(&made)?;
        }
        let copied = folder.join(format!("bare-{turn}")).join("orch.db");
        bare.push(insert(&copied, &rows)?);
        compare(&copied, &rows)?;
        for store in [&made, &copied] {
            std::fs::remove_dir_all(store.parent().ok_or("a store lies nowhere")?)?;
        }
    }
    report(&engine, &bare, &rows);
    Ok(())
}

impl Times {
    fn push(&mut self, (wall, cpu): (Duration, Duration)) {
        self.wall.push(wall);
        self.cpu.push(cpu);
    }
}

/// Adds the plan by the engine; the run is there already.
fn add(path: &Path, plan: &Plan) -> Done<(Duration, Duration)> {
    let mut session = fixture::open(path)?;
    fixture::make_run(&mut session)?;
    let (begin, cpu) = (Instant::now(), clock::processor()?);
    plan::add(&mut session, None, &slug("lead"), None, plan)?;
    Ok((begin.elapsed(), clock::processor()?.saturating_sub(cpu)))
}

/// All rows that the engine wrote.
fn read(path: &Path) -> Done<Vec<Rows>> {
    let connection = Connection::open(path)?;
    TABLES.into_iter().map(|table| rows_of(&connection, table)).collect()
}

fn rows_of(connection: &Connection, table: &'static str) -> Done<Rows> {
    let mut select = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = select.column_count();
    let rows = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?;
    Ok(Rows { table, rows: rows.collect::<Result<_, _>>()? })
}

/// Inserts the rows without any thought.
fn insert(path: &Path, rows: &[Rows]) -> Done<(Duration, Duration)> {
    let mut connection = bare::open(path)?;
    let (begin, cpu) = (Instant::now(), clock::processor()?);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for Rows { table, rows } in rows {
        let columns = rows.first().map_or(0, Vec::len);
        let places = vec!["?"; columns].join(", ");
        let mut insert = tx.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
        for row in rows {
            insert.execute(params_from_iter(row))?;
        }
    }
    tx.commit()?;
    Ok((begin.elapsed(), clock::processor()?.saturating_sub(cpu)))
}

/// Both stores hold the same.
fn compare(path: &Path, rows: &[Rows]) -> Done<()> {
    let connection = Connection::open(path)?;
    for expected in rows {
        if rows_of(&connection, expected.table)?.rows != expected.rows {
            return Err(format!("the bare insert of {} differs", expected.table).into());
        }
    }
    Ok(())
}

fn report(engine: &Times, bare: &Times, rows: &[Rows]) {
    let mut table = Table::new(&["side", "wall, median ms", "longest ms", "processor, median ms"]);
    for (name, times) in [("engine", engine), ("bare insert", bare)] {
        let cells = [times.wall.median(), times.wall.max(), times.cpu.median()];
        table.row(std::iter::once(name.to_owned()).chain(cells.map(number)).collect());
    }
    table.print();
    let (wall, cpu) = (engine.wall.over(&bare.wall).median(), engine.cpu.over(&bare.cpu).median());
    let counts: Vec<String> =
        rows.iter().map(|rows| format!("{} of {}", rows.rows.len(), rows.table)).collect();
    say(&format!("Rows on both sides: {}.", counts.join(", ")));
    say(&format!(
        "Engine over bare, turn by turn: wall {}, processor {}. Target: at most {RATIO_MAX}: {}.",
        number(wall),
        number(cpu),
        verdict(wall <= RATIO_MAX)
    ));
}
