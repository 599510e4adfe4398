//! Storms: random commands as real processes, killed at random moments, several at once.
//!
//! Each command carries a marker and a request id. A storm knows what every command was told, and at its end asks
//! the store whether that is true: what said `ok` is there, what was killed is there wholly or not at all and may be
//! repeated, nothing is there twice, and every law of docs/invariants.md holds.
//!
//! A seed brings the same commands and the same moments; what the machine makes of them differs a little each time.

mod deck;
mod ledger;
mod order;
mod verdict;
mod world;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::deck::Deck;
use self::ledger::Ledger;
use self::order::{Kind, Order};
use self::world::World;
use crate::chance::Chance;
use crate::program::{Ended, Programs, Running};

/// The most commands under way at once.
const AT_ONCE_MAX: usize = 8;

/// How many of a hundred commands are meant to be killed.
const KILLED_PERCENT: usize = 80;

/// Before anything was measured.
const USUAL_TIME: Duration = Duration::from_millis(15);

/// How many bursts lie between two looks at all laws.
const BURSTS_BETWEEN_LOOKS: usize = 25;

/// A storm to be.
#[derive(Clone, Debug)]
pub struct Storm {
    /// What is killed, and the store it works on; there must be none yet.
    pub programs: Programs,
    /// What brings it back.
    pub seed: u64,
    /// How many processes are killed before it is over.
    pub kills: usize,
    /// When it is over all the same.
    pub at_most: Duration,
}

/// What a storm did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Processes started.
    pub commands: usize,
    /// Those that said `ok`.
    pub answered: usize,
    /// Those that were refused by the state of things.
    pub refused: usize,
    /// Those that were killed.
    pub kills: usize,
    /// Killed before they changed anything.
    pub killed_before: usize,
    /// Killed between their change and their answer.
    pub killed_between: usize,
    /// Killed after their answer.
    pub killed_after: usize,
    /// Killed ones that were repeated at the end until they answered.
    pub repeated: usize,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
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

impl std::fmt::Display for Tally {
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

/// A storm broke something.
#[derive(Debug)]
pub struct Broken {
    /// The storm's seed.
    pub seed: u64,
    /// What it had done.
    pub tally: Tally,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the storm of seed {} after {}:\n{}", self.seed, self.tally, self.message)
    }
}

impl Storm {
    /// Kills, then asks. `progress` is told after each burst.
    ///
    /// # Errors
    /// Something was lost, doubled or damaged.
    pub fn rage(&self, progress: &mut dyn FnMut(&Tally)) -> Result<Tally, Broken> {
        let mut tally = Tally::default();
        match self.rage_and_ask(&mut tally, progress) {
            Ok(()) => Ok(tally),
            Err(message) => Err(Broken { seed: self.seed, tally, message }),
        }
    }

    fn rage_and_ask(&self, tally: &mut Tally, progress: &mut dyn FnMut(&Tally)) -> Result<(), String> {
        let mut chance = Chance::new(self.seed);
        let folder = self.programs.store().parent().map_or_else(PathBuf::new, PathBuf::from);
        let mut deck = Deck::new(self.seed, folder);
        let mut ledger = Ledger::default();
        let mut usual = Usual::default();
        let mut tokens = HashMap::new();
        let begin = Instant::now();
        let _ = self.programs.data(&["inbox", "init"]);
        let mut bursts = 0;
        while tally.kills < self.kills && begin.elapsed() < self.at_most {
            let world = World::look(&self.programs, std::mem::take(&mut tokens));
            let world = world.map_err(|fault| format!("the store does not open: {fault:?}"))?;
            let chosen = choose(&mut chance, &mut deck, &mut ledger, &world)?;
            tokens = world.tokens;
            let ended = self.burst(&chosen, &ledger, &mut chance, &mut usual);
            for (index, ended) in &ended {
                ledger.note(*index, ended, tally)?;
            }
            ledger.learn(&mut self.programs.session(), &ended, &mut tokens, tally)?;
            bursts += 1;
            if bursts % BURSTS_BETWEEN_LOOKS == 0 {
                verdict::sound(&self.programs)?;
            }
            progress(tally);
        }
        verdict::sound(&self.programs)?;
        verdict::kept(&self.programs, &ledger)?;
        self.repeat_lost(&mut ledger, tally)?;
        verdict::sound(&self.programs)?;
        verdict::kept(&self.programs, &ledger)
    }

    /// Starts commands at once and kills most of them.
    fn burst(
        &self,
        chosen: &[usize],
        ledger: &Ledger,
        chance: &mut Chance,
        usual: &mut Usual,
    ) -> Vec<(usize, Ended)> {
        let fates: Vec<_> = chosen
            .iter()
            .map(|index| {
                let order = &ledger.entries[*index].order;
                let at = moment(chance, usual.of(order.kind));
                (*index, order, chance.percent(KILLED_PERCENT).then_some(at))
            })
            .collect();
        let ended = self.at_once(fates);
        for (index, ended) in &ended {
            if !ended.was_killed() {
                usual.learn(ledger.entries[*index].order.kind, ended.took);
            }
        }
        ended
    }

    fn at_once(&self, fates: Vec<(usize, &Order, Option<Duration>)>) -> Vec<(usize, Ended)> {
        std::thread::scope(|scope| {
            let start = |(index, order, fate)| (index, scope.spawn(move || self.one(order, fate)));
            let threads: Vec<_> = fates.into_iter().map(start).collect();
            threads.into_iter().filter_map(|(index, thread)| Some((index, thread.join().ok()?))).collect()
        })
    }

    fn one(&self, order: &Order, fate: Option<Duration>) -> Ended {
        let words: Vec<&str> = order.words.iter().map(String::as_str).collect();
        let running = Running::start(self.programs.command(&words));
        match fate {
            Some(after) => running.end_or_kill(after),
            None => running.end(),
        }
    }

    /// Repeats what was killed without an answer, twice: the second time the answer must be the first one's.
    fn repeat_lost(&self, ledger: &mut Ledger, tally: &mut Tally) -> Result<(), String> {
        let lost = ledger.lost();
        tally.repeated = lost.len();
        for some in lost.chunks(AT_ONCE_MAX / 2) {
            for _ in 0..2 {
                let orders = some.iter().map(|index| (*index, &ledger.entries[*index].order, None)).collect();
                let ended = self.at_once(orders);
                for (index, ended) in &ended {
                    ledger.note(*index, ended, tally)?;
                }
                // What was applied and is refused now is found here.
                ledger.learn(&mut self.programs.session(), &ended, &mut HashMap::new(), tally)?;
            }
        }
        Ok(())
    }
}

/// When a command is killed: at any time, or half of the time near its end, where more is at stake.
fn moment(chance: &mut Chance, usual: Duration) -> Duration {
    if chance.percent(50) {
        return chance.up_to(usual.mul_f64(1.5));
    }
    usual / 2 + chance.up_to(usual)
}

/// New commands, and now and then one that was killed before it answered.
fn choose(
    chance: &mut Chance,
    deck: &mut Deck,
    ledger: &mut Ledger,
    world: &World,
) -> Result<Vec<usize>, String> {
    let mut lost = ledger.lost();
    let mut chosen = Vec::new();
    for _ in 0..=chance.below(AT_ONCE_MAX) {
        let again =
            if lost.is_empty() || !chance.percent(15) { None } else { Some(chance.below(lost.len())) };
        chosen.push(match again {
            Some(place) => lost.swap_remove(place),
            None => ledger.add(deck.draw(chance, world).map_err(|error| error.to_string())?),
        });
    }
    Ok(chosen)
}

/// How long each command takes here when it is left alone.
#[derive(Default)]
struct Usual(HashMap<Kind, Duration>);

impl Usual {
    fn of(&self, kind: Kind) -> Duration {
        // Those that wait are killed while they begin to, not after a long wait.
        if kind.waits() { USUAL_TIME * 4 } else { self.0.get(&kind).copied().unwrap_or(USUAL_TIME) }
    }

    fn learn(&mut self, kind: Kind, took: Duration) {
        let usual = self.0.entry(kind).or_insert(took);
        *usual = (*usual * 7 + took) / 8;
    }
}
