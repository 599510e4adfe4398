//! `orch meter`: how much output the commands printed, from a file beside the store to which each command adds a line.
//!
//! A query must not write to the database. The file is best effort: a line that cannot be written is left out.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use orch_core::id::Slug;

use orch_inbox::{Error, Session};
use orch_process::ownership::{create_private_folder, follow_folder_owner};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::lookup;

/// The size at which the lines of a file are added up.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// How many lines remain then; the cheapest are added up to one.
const LINES_KEPT: usize = 2_000;

/// The agent and command of that line.
const OTHERS: &str = "*";

/// The cost of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputCost {
    /// The number of calls.
    pub calls: u64,
    /// The number of printed bytes.
    pub bytes: u64,
}

impl OutputCost {
    fn add_cost(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The cost of output in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMeter {
    /// The run.
    pub run: Slug,
    /// The total.
    pub total: OutputCost,
    /// The cost by agent, the most expensive first.
    pub agents: Vec<(String, OutputCost)>,
    /// The cost by command, the most expensive first.
    pub commands: Vec<(String, OutputCost)>,
}

/// Costs by agent and command.
type CostTable = BTreeMap<(String, String), OutputCost>;

/// Loads the costs of a run.
///
/// # Errors
/// The run does not exist.
pub fn load_meter(session: &mut Session, run: Option<&Slug>) -> Result<RunMeter, Error> {
    let run = read_fresh(session, |tx, _| Ok(lookup::find_run(tx, run)?.name))?;
    let text = std::fs::read_to_string(meter_file(session.store_folder(), &run)).unwrap_or_default();
    let (mut total, mut agents, mut commands) = (OutputCost::default(), BTreeMap::new(), BTreeMap::new());
    for ((agent, command), cost) in parse_costs(&text) {
        total.add_cost(cost);
        agents.entry(agent).or_insert_with(OutputCost::default).add_cost(cost);
        commands.entry(command).or_insert_with(OutputCost::default).add_cost(cost);
    }
    Ok(RunMeter { run, total, agents: sort_by_cost(agents), commands: sort_by_cost(commands) })
}

/// Returns the run that the output of this thread's last operation is charged to.
///
/// `named` is the run that the caller named; without one the default run is charged if `has_default`.
/// The store is queried only if the operation has not found the run already.
#[must_use]
pub fn charged_run(session: &mut Session, named: Option<Slug>, has_default: bool) -> Option<Slug> {
    let found = lookup::take_found_run();
    let folder = session.store_folder().to_owned();
    let mut find = |name: Option<&Slug>| session.query(|tx| Ok(lookup::find_run(tx, name)?.name)).ok();
    let charged = match named {
        Some(named) if found.as_ref() == Some(&named) => Some(named),
        // The name of a run that does not exist must not become a file.
        Some(named) if meter_file(&folder, &named).exists() => Some(named),
        Some(named) => find(Some(&named)),
        None if has_default => found.or_else(|| find(None)),
        None => None,
    };
    lookup::take_found_run();
    charged
}

/// Records the output of a command; an error is ignored.
pub fn record_cost(store_folder: &Path, run: &Slug, agent: &Slug, command: &str, bytes: u64) {
    let path = meter_file(store_folder, run);
    let written = append_lines(&path, &format_line(agent.as_str(), command, OutputCost { calls: 1, bytes }));
    if written.is_ok_and(|length| length > FILE_BYTES_MAX) {
        fold_file(&path);
    }
}

fn meter_file(store_folder: &Path, run: &Slug) -> PathBuf {
    store_folder.join("meter").join(format!("{run}.tsv"))
}

fn format_line(agent: &str, command: &str, cost: OutputCost) -> String {
    format!("{agent}\t{command}\t{}\t{}\n", cost.calls, cost.bytes)
}

/// Appends lines with one write; returns the size of the file.
fn append_lines(path: &Path, lines: &str) -> std::io::Result<u64> {
    let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let mut file = match (open(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == std::io::ErrorKind::NotFound => {
            create_private_folder(folder)?;
            open()?
        }
        (opened, _) => opened?,
    };
    follow_folder_owner(path)?;
    file.write_all(lines.as_bytes())?;
    Ok(file.metadata()?.len())
}

/// Adds up the lines of a file, which is renamed first so that other processes start a new one.
fn fold_file(path: &Path) {
    let aside = path.with_extension(format!("{}.folded", std::process::id()));
    if std::fs::rename(path, &aside).is_err() {
        return;
    }
    let text = std::fs::read_to_string(&aside).unwrap_or_default();
    if append_lines(path, &fold_costs(parse_costs(&text))).is_ok() {
        let _ = std::fs::remove_file(&aside);
    }
}

/// Formats one line for each agent and command, up to a bounded number.
fn fold_costs(costs: CostTable) -> String {
    let mut ordered = sort_by_cost(costs);
    let mut others = OutputCost::default();
    ordered.split_off(ordered.len().min(LINES_KEPT)).into_iter().for_each(|(_, cost)| others.add_cost(cost));
    let mut lines: String =
        ordered.iter().map(|((agent, command), cost)| format_line(agent, command, *cost)).collect();
    if others.calls > 0 {
        lines.push_str(&format_line(OTHERS, OTHERS, others));
    }
    lines
}

/// Parses lines; invalid ones are skipped.
fn parse_costs(text: &str) -> CostTable {
    let mut costs = CostTable::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let (Some(agent), Some(command)) = (fields.next(), fields.next()) else { continue };
        let numbers = (fields.next().map(str::parse), fields.next().map(str::parse));
        let (Some(Ok(calls)), Some(Ok(bytes))) = numbers else { continue };
        costs
            .entry((agent.to_owned(), command.to_owned()))
            .or_default()
            .add_cost(OutputCost { calls, bytes });
    }
    costs
}

fn sort_by_cost<K: Ord>(costs: BTreeMap<K, OutputCost>) -> Vec<(K, OutputCost)> {
    let mut ordered: Vec<(K, OutputCost)> = costs.into_iter().collect();
    ordered.sort_by_key(|(_, cost)| std::cmp::Reverse(cost.bytes));
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stays_small_and_keeps_its_total() {
        let folder = tempfile::tempdir().unwrap();
        let run = Slug::new("r").unwrap();
        let mut bytes = 0;
        for number in 0..20_000_u64 {
            let agent = Slug::new(&format!("w{}", number % 3_000)).unwrap();
            record_cost(folder.path(), &run, &agent, "inbox progress", number);
            bytes += number;
        }
        let path = meter_file(folder.path(), &run);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() as u64 <= FILE_BYTES_MAX + 100, "{} bytes", text.len());
        let mut sum = OutputCost::default();
        parse_costs(&text).into_values().for_each(|cost| sum.add_cost(cost));
        assert_eq!(sum, OutputCost { calls: 20_000, bytes });
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn invalid_lines_are_skipped() {
        let costs = parse_costs("a\tb\t1\t2\n\nnonsense\na\tb\tx\t2\na\tb\t1\t3");
        assert_eq!(
            costs.into_iter().collect::<Vec<_>>(),
            [(("a".into(), "b".into()), OutputCost { calls: 2, bytes: 5 })]
        );
        record_cost(Path::new("/dev/null/no"), &Slug::new("r").unwrap(), &Slug::new("a").unwrap(), "x", 1);
    }
}
