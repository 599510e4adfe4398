//! A plan of 100,000 tasks and 300,000 dependencies in one transaction, beside a bare insert of the very same rows.

use std::path::Path;
use std::time::{Duration, Instant};

use orch_scheduler::plan::{self, TaskPlan};
use rusqlite::types::Value;
use rusqlite::{Connection, TransactionBehavior, params_from_iter};

use crate::fixture::{self, GraphShape, parse_slug};
use crate::sample::TimeSamples;
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, format_number, print_heading, print_sentence, verdict_text};
use crate::{BenchResult, clock, raw_sqlite};

/// How many tasks the plan has. In layers of a twentieth, all but the first wait for three others.
const TASKS: usize = 105_264;

/// How often each side has its turn.
const TURNS: usize = 5;

/// How many times the bare insert's time the engine may take.
const RATIO_MAX: f64 = 3.0;

/// The tables that a plan fills, in the order in which their rows are written.
const TABLES: [&str; 6] = ["agent", "run", "task", "task_text", "dependency", "event"];

/// The rows of one table.
struct TableRows {
    table: &'static str,
    rows: Vec<Vec<Value>>,
}

/// Wall and processor time of one side.
#[derive(Default)]
struct WallCpuTimes {
    wall: TimeSamples,
    cpu: TimeSamples,
}

/// Runs the benchmark.
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("plan: 100,000 tasks and 300,000 dependencies in one transaction");
    let folder = scratch.disk_folder("plan")?;
    let plan = fixture::make_plan(GraphShape::Layered, TASKS);
    let (mut engine, mut bare) = (WallCpuTimes::default(), WallCpuTimes::default());
    let mut rows = Vec::new();
    for turn in 0..TURNS {
        let made = folder.join(format!("engine-{turn}")).join("orch.db");
        engine.push(add_plan(&made, &plan)?);
        if rows.is_empty() {
            rows = read_tables(&made)?;
        }
        let copied = folder.join(format!("bare-{turn}")).join("orch.db");
        bare.push(insert_rows(&copied, &rows)?);
        compare_rows(&copied, &rows)?;
        for store in [&made, &copied] {
            std::fs::remove_dir_all(store.parent().ok_or("a store lies nowhere")?)?;
        }
    }
    print_report(&engine, &bare, &rows);
    Ok(())
}

impl WallCpuTimes {
    fn push(&mut self, (wall, cpu): (Duration, Duration)) {
        self.wall.push(wall);
        self.cpu.push(cpu);
    }
}

/// Adds the plan by the engine; the run is there already.
fn add_plan(path: &Path, plan: &TaskPlan) -> BenchResult<(Duration, Duration)> {
    let mut session = fixture::open_session(path)?;
    fixture::make_run(&mut session)?;
    let (begin, cpu) = (Instant::now(), clock::processor_time()?);
    plan::add_plan(&mut session, None, &parse_slug("lead"), None, plan)?;
    Ok((begin.elapsed(), clock::processor_time()?.saturating_sub(cpu)))
}

/// All rows that the engine wrote.
fn read_tables(path: &Path) -> BenchResult<Vec<TableRows>> {
    let connection = Connection::open(path)?;
    TABLES.into_iter().map(|table| rows_of(&connection, table)).collect()
}

fn rows_of(connection: &Connection, table: &'static str) -> BenchResult<TableRows> {
    let mut select = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = select.column_count();
    let rows = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?;
    Ok(TableRows { table, rows: rows.collect::<Result<_, _>>()? })
}

/// Inserts the rows without any thought.
fn insert_rows(path: &Path, rows: &[TableRows]) -> BenchResult<(Duration, Duration)> {
    let mut connection = raw_sqlite::open_store(path)?;
    let (begin, cpu) = (Instant::now(), clock::processor_time()?);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for TableRows { table, rows } in rows {
        let columns = rows.first().map_or(0, Vec::len);
        let places = vec!["?"; columns].join(", ");
        let mut insert = tx.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
        for row in rows {
            insert.execute(params_from_iter(row))?;
        }
    }
    tx.commit()?;
    Ok((begin.elapsed(), clock::processor_time()?.saturating_sub(cpu)))
}

/// Both stores hold the same.
fn compare_rows(path: &Path, rows: &[TableRows]) -> BenchResult<()> {
    let connection = Connection::open(path)?;
    for expected in rows {
        if rows_of(&connection, expected.table)?.rows != expected.rows {
            return Err(format!("the bare insert of {} differs", expected.table).into());
        }
    }
    Ok(())
}

fn print_report(engine: &WallCpuTimes, bare: &WallCpuTimes, rows: &[TableRows]) {
    let mut table = ReportTable::new(&["side", "wall, median ms", "longest ms", "processor, median ms"]);
    for (name, times) in [("engine", engine), ("bare insert", bare)] {
        let cells = [times.wall.median(), times.wall.max(), times.cpu.median()];
        table.push_row(std::iter::once(name.to_owned()).chain(cells.map(format_number)).collect());
    }
    table.print();
    let (wall, cpu) = (engine.wall.ratio_to(&bare.wall).median(), engine.cpu.ratio_to(&bare.cpu).median());
    let counts: Vec<String> =
        rows.iter().map(|rows| format!("{} of {}", rows.rows.len(), rows.table)).collect();
    print_sentence(&format!("Rows on both sides: {}.", counts.join(", ")));
    print_sentence(&format!(
        "Engine over bare, turn by turn: wall {}, processor {}. Target: at most {RATIO_MAX}: {}.",
        format_number(wall),
        format_number(cpu),
        verdict_text(wall <= RATIO_MAX)
    ));
}
