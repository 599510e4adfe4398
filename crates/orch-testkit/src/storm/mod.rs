//! Storms: random commands run as concurrent processes and are killed at random moments.
//!
//! Each command carries a marker and a request id. A storm records the outcome that each command reported. At
//! its end it checks the store: a command that reported `ok` was applied; a killed one was applied completely
//! or not at all and can be repeated; none was applied twice; and every law of docs/invariants.md holds.
//!
//! A seed reproduces the commands and the kill times, but not the exact timing of the processes.

mod command;
mod command_generator;
mod ledger;
mod snapshot;
mod verdict;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::command::{CommandKind, StormCommand};
use self::command_generator::CommandGenerator;
use self::ledger::CommandLedger;
use self::snapshot::StoreSnapshot;
use crate::program::{ProcessOutput, RunningProcess, TestPrograms};
use crate::seeded_rng::SeededRng;

/// The maximum number of concurrent commands.
const AT_ONCE_MAX: usize = 8;

/// The percentage of commands to kill.
const KILLED_PERCENT: usize = 80;

/// The assumed duration of a command before one was measured.
const USUAL_TIME: Duration = Duration::from_millis(15);

/// The number of bursts between two checks of all laws.
const BURSTS_BETWEEN_LOOKS: usize = 25;

/// The parameters of a storm.
#[derive(Clone, Debug)]
pub struct KillStorm {
    /// The programs to kill, and the path of their store, which must not exist yet.
    pub programs: TestPrograms,
    /// The seed, which reproduces the storm.
    pub seed: u64,
    /// The number of kills after which the storm ends.
    pub kills: usize,
    /// The time after which the storm ends in any case.
    pub at_most: Duration,
}

/// Counts of what a storm did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StormTally {
    /// Processes started.
    pub commands: usize,
    /// Commands that reported `ok`.
    pub answered: usize,
    /// Commands that were refused because of the store's state.
    pub refused: usize,
    /// Commands that were killed.
    pub kills: usize,
    /// Commands killed before their change.
    pub killed_before: usize,
    /// Commands killed between their change and their answer.
    pub killed_between: usize,
    /// Commands killed after their answer.
    pub killed_after: usize,
    /// Killed commands that were repeated at the end until they answered.
    pub repeated: usize,
}

impl StormTally {
    /// Returns the sums of two tallies.
    #[must_use]
    pub fn merged_with(&self, other: &Self) -> Self {
        Self {
            commands: self.commands + other.commands,
            answered: self.answered + other.answered,
            refused: self.refused + other.refused,
            kills: self.kills + other.kills,
            killed_before: self.killed_before + other.killed_before,
            killed_between: self.killed_between + other.killed_between,
            killed_after: self.killed_after + other.killed_after,
            repeated: self.repeated + other.repeated,
        }
    }
}

impl std::fmt::Display for StormTally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            commands,
            answered,
            refused,
            kills,
            killed_before,
            killed_between,
            killed_after,
            repeated,
        } = self;
        write!(
            formatter,
            "{commands} commands, {answered} ok, {refused} refused, {kills} killed \
            ({killed_before} before their change, {killed_between} between change and answer, {killed_after} after), \
            {repeated} repeated"
        )
    }
}

/// A defect that a storm found.
#[derive(Debug)]
pub struct StormFailure {
    /// The storm's seed.
    pub seed: u64,
    /// The storm's counts up to the failure.
    pub tally: StormTally,
    /// The defect.
    pub message: String,
}

impl std::fmt::Display for StormFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the storm of seed {} after {}:\n{}", self.seed, self.tally, self.message)
    }
}

impl KillStorm {
    /// Runs the storm and then checks the store; calls `progress` after each burst.
    ///
    /// # Errors
    /// A change was lost, applied twice or damaged.
    pub fn run_storm(&self, progress: &mut dyn FnMut(&StormTally)) -> Result<StormTally, StormFailure> {
        let mut tally = StormTally::default();
        match self.run_and_verify(&mut tally, progress) {
            Ok(()) => Ok(tally),
            Err(message) => Err(StormFailure { seed: self.seed, tally, message }),
        }
    }

    fn run_and_verify(
        &self,
        tally: &mut StormTally,
        progress: &mut dyn FnMut(&StormTally),
    ) -> Result<(), String> {
        let mut chance = SeededRng::new(self.seed);
        let folder = self.programs.store().parent().map_or_else(PathBuf::new, PathBuf::from);
        let mut deck = CommandGenerator::new(self.seed, folder);
        let mut ledger = CommandLedger::default();
        let mut usual = UsualDurations::default();
        let mut tokens = HashMap::new();
        let begin = Instant::now();
        let _ = self.programs.run_for_data(&["inbox", "init"]);
        let mut bursts = 0;
        while tally.kills < self.kills && begin.elapsed() < self.at_most {
            let world = StoreSnapshot::read_store(&self.programs, std::mem::take(&mut tokens));
            let world = world.map_err(|fault| format!("the store does not open: {fault:?}"))?;
            let chosen = choose_commands(&mut chance, &mut deck, &mut ledger, &world)?;
            tokens = world.tokens;
            let ended = self.run_burst(&chosen, &ledger, &mut chance, &mut usual);
            for (index, ended) in &ended {
                ledger.record_end(*index, ended, tally)?;
            }
            ledger.learn_applied(&mut self.programs.open_session(), &ended, &mut tokens, tally)?;
            bursts += 1;
            if bursts % BURSTS_BETWEEN_LOOKS == 0 {
                verdict::check_soundness(&self.programs)?;
            }
            progress(tally);
        }
        verdict::check_soundness(&self.programs)?;
        verdict::check_commands(&self.programs, &ledger)?;
        self.repeat_lost(&mut ledger, tally)?;
        verdict::check_soundness(&self.programs)?;
        verdict::check_commands(&self.programs, &ledger)
    }

    /// Starts several commands at once and kills most of them.
    fn run_burst(
        &self,
        chosen: &[usize],
        ledger: &CommandLedger,
        chance: &mut SeededRng,
        usual: &mut UsualDurations,
    ) -> Vec<(usize, ProcessOutput)> {
        let fates: Vec<_> = chosen
            .iter()
            .map(|index| {
                let order = &ledger.entries[*index].order;
                let at = kill_moment(chance, usual.usual_duration(order.kind));
                (*index, order, chance.is_within_percent(KILLED_PERCENT).then_some(at))
            })
            .collect();
        let ended = self.run_concurrently(fates);
        for (index, ended) in &ended {
            if !ended.was_killed() {
                usual.record_duration(ledger.entries[*index].order.kind, ended.took);
            }
        }
        ended
    }

    fn run_concurrently(
        &self,
        fates: Vec<(usize, &StormCommand, Option<Duration>)>,
    ) -> Vec<(usize, ProcessOutput)> {
        std::thread::scope(|scope| {
            let start = |(index, order, fate)| (index, scope.spawn(move || self.run_command(order, fate)));
            let threads: Vec<_> = fates.into_iter().map(start).collect();
            threads.into_iter().filter_map(|(index, thread)| Some((index, thread.join().ok()?))).collect()
        })
    }

    fn run_command(&self, order: &StormCommand, fate: Option<Duration>) -> ProcessOutput {
        let words: Vec<&str> = order.words.iter().map(String::as_str).collect();
        let running = RunningProcess::start(self.programs.program_command(&words));
        match fate {
            Some(after) => running.wait_or_kill(after),
            None => running.wait_output(),
        }
    }

    /// Repeats each command that was killed without an answer, twice: the second answer must equal the first.
    fn repeat_lost(&self, ledger: &mut CommandLedger, tally: &mut StormTally) -> Result<(), String> {
        let lost = ledger.lost_commands();
        tally.repeated = lost.len();
        for some in lost.chunks(AT_ONCE_MAX / 2) {
            for _ in 0..2 {
                let orders = some.iter().map(|index| (*index, &ledger.entries[*index].order, None)).collect();
                let ended = self.run_concurrently(orders);
                for (index, ended) in &ended {
                    ledger.record_end(*index, ended, tally)?;
                }
                // Detects commands that were applied and are refused when repeated.
                ledger.learn_applied(
                    &mut self.programs.open_session(),
                    &ended,
                    &mut HashMap::new(),
                    tally,
                )?;
            }
        }
        Ok(())
    }
}

/// Draws when a command is killed: at any time, or half of the time close to its commit and exit.
fn kill_moment(chance: &mut SeededRng, usual: Duration) -> Duration {
    if chance.is_within_percent(50) {
        return chance.duration_up_to(usual.mul_f64(1.5));
    }
    usual / 2 + chance.duration_up_to(usual)
}

/// Chooses new commands and sometimes one that was killed before it answered.
fn choose_commands(
    chance: &mut SeededRng,
    deck: &mut CommandGenerator,
    ledger: &mut CommandLedger,
    world: &StoreSnapshot,
) -> Result<Vec<usize>, String> {
    let mut lost = ledger.lost_commands();
    let mut chosen = Vec::new();
    for _ in 0..=chance.number_below(AT_ONCE_MAX) {
        let again = if lost.is_empty() || !chance.is_within_percent(15) {
            None
        } else {
            Some(chance.number_below(lost.len()))
        };
        chosen.push(match again {
            Some(place) => lost.swap_remove(place),
            None => ledger.add_command(deck.next_command(chance, world).map_err(|error| error.to_string())?),
        });
    }
    Ok(chosen)
}

/// The average duration of each kind of command when it is not killed.
#[derive(Default)]
struct UsualDurations(HashMap<CommandKind, Duration>);

impl UsualDurations {
    fn usual_duration(&self, kind: CommandKind) -> Duration {
        // Commands that wait are killed at the beginning of their wait.
        if kind.may_wait() { USUAL_TIME * 4 } else { self.0.get(&kind).copied().unwrap_or(USUAL_TIME) }
    }

    fn record_duration(&mut self, kind: CommandKind, took: Duration) {
        let usual = self.0.entry(kind).or_insert(took);
        *usual = (*usual * 7 + took) / 8;
    }
}
