//! One command from its start to its end, over a process that does nothing.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use orch_core::id::ThreadId;

use crate::contention::{BODY, RESULT, SUBJECT, parse_claim};
use crate::fixture::{self, GraphShape, task_key};
use crate::process::BuiltPrograms;
use crate::sample::{TimeSamples, to_milliseconds};
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, format_number, print_heading, print_sentence, verdict_text};
use crate::{BenchResult, disk};

/// How often every command is run.
const ROUNDS: usize = 150;

/// Rounds before the first that counts: until then the write-ahead log has its full size.
const WARM_UP: usize = 40;

/// How many tasks the store holds.
const TASKS: usize = 1_000;

/// What a command may take over an empty process and its `fdatasync`, in milliseconds.
const OVER_MAX_MS: f64 = 3.0;

/// What a run of a command did to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoreActivity {
    /// Nothing durable.
    Read,
    /// One commit into the write-ahead log that need not survive loss of power: a lease renewal.
    Renewal,
    /// One commit into the write-ahead log.
    Write,
    /// One commit at the log's new beginning, whose header is made durable first.
    WriteAfterReset,
    /// One commit, and after the answer the log was brought into the database.
    Checkpoint,
}

impl StoreActivity {
    const ALL: [Self; 5] = [Self::Read, Self::Renewal, Self::Write, Self::WriteAfterReset, Self::Checkpoint];

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Renewal => "write, not synced",
            Self::Write => "write",
            Self::WriteAfterReset => "write after a reset",
            Self::Checkpoint => "write that checkpoints",
        }
    }

    /// How many `fdatasync` it is allowed; none is stated for the checkpointing command.
    fn allowed_syncs(self) -> Option<u32> {
        match self {
            Self::Read | Self::Renewal => Some(0),
            Self::Write => Some(1),
            Self::WriteAfterReset => Some(2),
            Self::Checkpoint => None,
        }
    }
}

/// All runs of one command that did the same to the store.
struct CommandRow {
    name: String,
    kind: StoreActivity,
    wall: TimeSamples,
    cpu: TimeSamples,
    over_empty: TimeSamples,
    cpu_over_empty: TimeSamples,
    peak: u64,
}

/// The benchmark under way.
struct CommandBench {
    programs: BuiltPrograms,
    store: PathBuf,
    probe: disk::SyncProbe,
    syncs: TimeSamples,
    empty: [f64; 2],
    rows: Vec<CommandRow>,
    counting: bool,
}

/// Runs the benchmark.
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("command: one command over an empty process");
    let folder = scratch.disk_folder("command")?;
    let store = fixture::make_store(&folder, "store", GraphShape::Layered, TASKS)?;
    let mut bench = CommandBench {
        programs: BuiltPrograms::beside_this()?,
        store,
        probe: disk::SyncProbe::new(&folder)?,
        syncs: TimeSamples::default(),
        empty: [0.0; 2],
        rows: Vec::new(),
        counting: false,
    };
    for round in 0..WARM_UP + ROUNDS {
        bench.counting = round >= WARM_UP;
        bench.run_round(round)?;
    }
    bench.print_report();
    Ok(())
}

impl CommandBench {
    /// Every command once, each beside an empty process and a sync of its own.
    fn run_round(&mut self, round: usize) -> BenchResult<()> {
        let number = round.to_string();
        self.time_command("orch", &["ready", "--limit", "10"])?;
        self.time_command("orch", &["status"])?;
        self.time_command("orch", &["task", "show", task_key(TASKS / 2).as_str()])?;
        self.time_command("orch", &["blocked"])?;
        self.time_command("orch", &["task", "add", "One more part", "--key", &format!("more-{number}")])?;
        let first = self.time_command("orch", &["ready", "--limit", "1"])?;
        let first: serde_json::Value = serde_json::from_str(&first)?;
        let next = first["data"]["tasks"][0]["key"].as_str().ok_or("nothing is ready")?.to_owned();
        self.time_command("orch", &["dispatch", &next, "--to", "worker"])?;
        self.time_command(
            "inbox",
            &["send", "--to", "other", "--from", "lead", "--subject", SUBJECT, "--body", BODY],
        )?;
        self.time_command("inbox", &["list", "--for", "worker", "--limit", "10"])?;
        let (thread, token) = parse_claim(&self.time_command("inbox", &["claim", "--as", "worker"])?)?;
        let thread = ThreadId(thread).to_string();
        let token = ["--token", token.as_str()];
        self.time_command(
            "inbox",
            &[&["progress", &thread, "Half done.", "--percent", "50"], &token[..]].concat(),
        )?;
        self.time_command("inbox", &[&["renew", &thread], &token[..]].concat())?;
        self.time_command("inbox", &["show", &thread])?;
        self.time_command("inbox", &[&["done", &thread, "--result", RESULT], &token[..]].concat())?;
        self.time_command("orch", &["reconcile"])?;
        Ok(())
    }

    fn time_command(&mut self, program: &str, arguments: &[&str]) -> BenchResult<String> {
        let empty = self.programs.run_program(&self.store, "empty-process", &[])?;
        let sync = self.probe.time_sync()?;
        let before = StoreFileStamps::read_stamps(&self.store)?;
        let ran = self.programs.run_program(&self.store, program, arguments)?;
        let kind = match before.activity_until(&StoreFileStamps::read_stamps(&self.store)?) {
            StoreActivity::Write if arguments[0] == "renew" => StoreActivity::Renewal,
            kind => kind,
        };
        if self.counting {
            self.syncs.push(sync);
            self.empty = [empty.wall, empty.cpu].map(to_milliseconds);
            self.add_run("empty process", StoreActivity::Read, &empty);
            let words =
                arguments.iter().take_while(|word| word.chars().all(|letter| letter.is_ascii_lowercase()));
            let name = words.take(2).fold(program.to_owned(), |name, word| name + " " + word);
            self.add_run(&name, kind, &ran);
        }
        Ok(ran.stdout)
    }

    fn add_run(&mut self, name: &str, kind: StoreActivity, ran: &crate::process::ProcessUsage) {
        let place = self.rows.iter().position(|row| row.name == name && row.kind == kind);
        let place = place.unwrap_or_else(|| {
            let [wall, cpu, over_empty, cpu_over_empty] = <[TimeSamples; 4]>::default();
            self.rows.push(CommandRow {
                name: name.to_owned(),
                kind,
                wall,
                cpu,
                over_empty,
                cpu_over_empty,
                peak: 0,
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[place];
        row.wall.push(ran.wall);
        row.cpu.push(ran.cpu);
        row.over_empty.push_number(to_milliseconds(ran.wall) - self.empty[0]);
        row.cpu_over_empty.push_number(to_milliseconds(ran.cpu) - self.empty[1]);
        row.peak = row.peak.max(ran.peak);
    }

    fn print_report(&self) {
        let mut table = ReportTable::new(&[
            "command",
            "what it did",
            "runs",
            "wall, median ms",
            "p99 ms",
            "over empty, median ms",
            "and less its fdatasync",
            "processor, median ms",
            "over empty",
            "peak MiB",
            "target",
        ]);
        let sync = self.syncs.median();
        let mut rows: Vec<&CommandRow> = self.rows.iter().collect();
        rows.sort_by_key(|row| StoreActivity::ALL.iter().position(|kind| *kind == row.kind));
        for row in rows {
            let rest =
                row.kind.allowed_syncs().map(|syncs| row.over_empty.median() - f64::from(syncs) * sync);
            let target = rest.filter(|_| row.name != "empty process");
            table.push_row(vec![
                row.name.clone(),
                row.kind.name().to_owned(),
                row.wall.count().to_string(),
                format_number(row.wall.median()),
                format_number(row.wall.p99()),
                format_number(row.over_empty.median()),
                rest.map_or("–".to_owned(), format_number),
                format_number(row.cpu.median()),
                format_number(row.cpu_over_empty.median()),
                format_number(row.peak as f64 / 1_048_576.0),
                target.map_or("–".to_owned(), |rest| verdict_text(rest <= OVER_MAX_MS)),
            ]);
        }
        table.print();
        print_sentence(&format!(
            "fdatasync in the same run: median {} ms, p99 {} ms.",
            format_number(sync),
            format_number(self.syncs.p99())
        ));
        print_sentence(&format!(
            "Target: at most {OVER_MAX_MS} ms over an empty process; a durable write one fdatasync more, two right after a reset of the log."
        ));
    }
}

/// What of a store's files tells what a command did.
#[derive(PartialEq, Eq)]
struct StoreFileStamps {
    database_written: SystemTime,
    log_written: SystemTime,
    log_salt: Vec<u8>,
}

impl StoreFileStamps {
    fn read_stamps(store: &Path) -> BenchResult<Self> {
        let mut log = store.as_os_str().to_owned();
        log.push("-wal");
        let written = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified());
        let mut header = [0; 32];
        // A log that was just made has no header yet.
        if std::fs::metadata(&log)?.len() >= header.len() as u64 {
            std::io::Read::read_exact(&mut std::fs::File::open(&log)?, &mut header)?;
        }
        Ok(Self {
            database_written: written(store)?,
            log_written: written(Path::new(&log))?,
            log_salt: header[16..24].to_vec(),
        })
    }

    /// What happened from here to there.
    fn activity_until(&self, after: &Self) -> StoreActivity {
        if self.database_written != after.database_written {
            StoreActivity::Checkpoint
        } else if self.log_salt != after.log_salt {
            StoreActivity::WriteAfterReset
        } else if self.log_written != after.log_written {
            StoreActivity::Write
        } else {
            StoreActivity::Read
        }
    }
}
