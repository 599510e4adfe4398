//! `orch meter`: what our own output cost whoever read it, from a file beside the store that each command adds a line to.
//!
//! Reading a run must not write to the database, so this is kept apart, and nothing of it is a promise: a line that
//! cannot be written is left out.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use orch_core::id::Slug;

use super::fresh_read::read_fresh;
use super::lookup;
use orch_inbox::{Error, Session};

/// How large a file becomes before its lines are added up.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// How many lines are left then; what cost least is told as one.
const LINES_KEPT: usize = 2_000;

/// The agent and command of what is told as one.
const OTHERS: &str = "*";

/// What something cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputCost {
    /// How often we were called.
    pub calls: u64,
    /// How much we printed.
    pub bytes: u64,
}

impl OutputCost {
    fn add_cost(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// What our output cost in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMeter {
    /// The run.
    pub run: Slug,
    /// In all.
    pub total: OutputCost,
    /// For each agent, the dearest first.
    pub agents: Vec<(String, OutputCost)>,
    /// For each command, the dearest first.
    pub commands: Vec<(String, OutputCost)>,
}

/// By agent and command.
type CostTable = BTreeMap<(String, String), OutputCost>;

/// Adds up what was written down.
///
/// # Errors
/// There is no such run, or the store failed.
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

/// The run that is meant when none is named, for whoever writes down what it cost.
#[must_use]
pub fn default_run(session: &mut Session) -> Option<Slug> {
    session.read(|tx, _| Ok(lookup::find_run(tx, None)?.name)).ok()
}

/// Whether there is a run of this name.
#[must_use]
pub fn run_exists(session: &mut Session, run: &Slug) -> bool {
    session.read(|tx, _| Ok(lookup::find_run(tx, Some(run))?.name)).is_ok()
}

/// Writes down what a command printed; what cannot be written is left out.
pub fn record_cost(store_folder: &Path, run: &Slug, agent: &Slug, command: &str, bytes: u64) {
    let path = meter_file(store_folder, run);
    // Somebody's first line makes the folder.
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

/// Adds lines by one write, and says how long the file is.
fn append_lines(path: &Path, lines: &str) -> std::io::Result<u64> {
    let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let mut file = match (open(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == std::io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            open()?
        }
        (opened, _) => opened?,
    };
    file.write_all(lines.as_bytes())?;
    Ok(file.metadata()?.len())
}

/// Adds the lines of a file up. It is put aside first, so that others go on with a new one.
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

/// One line for each agent and command, of a bounded number.
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

/// Reads lines; what is none is passed over.
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
    fn a_file_stays_small_and_keeps_its_sum() {
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
    fn what_is_no_line_is_passed_over() {
        let costs = parse_costs("a\tb\t1\t2\n\nnonsense\na\tb\tx\t2\na\tb\t1\t3");
        assert_eq!(
            costs.into_iter().collect::<Vec<_>>(),
            [(("a".into(), "b".into()), OutputCost { calls: 2, bytes: 5 })]
        );
        record_cost(Path::new("/dev/null/no"), &Slug::new("r").unwrap(), &Slug::new("a").unwrap(), "x", 1);
    }
}
