//! The cost of operations on worktrees, in statements, transactions and git commands, with real git.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use orch_core::id::Slug;
use orch_core::run::{AttemptRules, Budget, DoneWhen};
use orch_inbox::Session;
use orch_inbox::world::HostEnvironment;
use orch_process::EnvironmentVariables;
use orch_scheduler::perform::check_settings::CheckSettings;
use orch_scheduler::reconcile::reconcile_runs;
use orch_scheduler::run::{NewRun, RunAction, change_run, create_run};
use orch_scheduler::verify::{VerifyRequest, verify_attempt};
use orch_scheduler::{AttemptSelector, dispatch, integrate, land, lookup};
use orch_store::driver::StatementCounts;
use orch_store::table::check_result;
use orch_testkit::test_session::{default_policy, expect_fresh, parse_slug, task_ref};
use orch_testkit::{TestRepo, TestSession};
use orch_workspace::check_cache::CheckReuse;
use orch_workspace::run_location::{BRANCH_PREFIX, RunLocation};

/// A session in a repository, with a run `r` whose attempts have worktrees.
struct TreeSession {
    repo: TestRepo,
    desk: TestSession,
}

impl TreeSession {
    fn new(verify: &[&str], tasks: &[&str]) -> Self {
        let repo = TestRepo::new();
        let mut desk = TestSession::new();
        let mut variables = repo.environment_variables();
        for (name, value) in &mut variables {
            if *name == "PATH" {
                *value = install_counting_git(&repo, value);
            }
        }
        let environment = variables
            .into_iter()
            .fold(EnvironmentVariables::empty(), |all, (name, value)| all.with_variable(name, value));
        desk.session = desk.session.with_world(HostEnvironment::new(environment));
        let new = NewRun {
            name: Some(parse_slug("r")),
            title: "r".to_owned(),
            goal: None,
            done_when: Some(DoneWhen::Integrated),
            policy: default_policy(),
            rules: AttemptRules {
                verify: verify.iter().map(|command| (*command).to_owned()).collect(),
                ..AttemptRules::default()
            },
            budget: Budget::default(),
            folder: std::env::temp_dir(),
            place: Some(RunLocation {
                folder: repo.repository_path(),
                base: None,
                required: true,
                root: None,
                branch_prefix: BRANCH_PREFIX.to_owned(),
            }),
        };
        create_run(&mut desk.session, None, &desk.lead, &new).expect("the run can be made");
        desk.add_tasks("r", tasks);
        Self { repo, desk }
    }

    /// What an operation costs on this connection.
    fn cost<T>(&mut self, work: impl FnOnce(&mut TestSession) -> T) -> (StatementCounts, T) {
        let before = self.desk.session.statement_counts();
        let outcome = work(&mut self.desk);
        (self.desk.session.statement_counts() - before, outcome)
    }

    /// Dispatches a task, and reports a commit of one file for it.
    fn report(&mut self, key: &str) {
        let dispatched = self.desk.dispatch_task(key, "w").expect("it is ready");
        let tree = PathBuf::from(dispatched.worktree.expect("the run has worktrees").path);
        let held = self.desk.claim_thread("w", dispatched.attempt.thread.expect("it was sent")).unwrap();
        std::fs::write(tree.join(key), key).unwrap();
        self.repo.run_git_in(&tree, ["add", "--all"]);
        self.repo.run_git_in(&tree, ["commit", "--quiet", "--message", key]);
        self.desk.close_done(&held).expect("the tree is as its thread asks");
    }

    /// The git commands that an operation runs, without the one that asks for git's version.
    fn gits<T>(&mut self, work: impl FnOnce(&mut TestSession) -> T) -> Vec<String> {
        let log = self.repo.sibling_path("gits");
        std::fs::write(&log, "").unwrap();
        work(&mut self.desk);
        let text = std::fs::read_to_string(&log).unwrap();
        text.lines().filter(|line| *line != "version").map(str::to_owned).collect()
    }

    fn lead(&self) -> Slug {
        self.desk.lead.clone()
    }
}

/// Puts a git before the installed one that writes the arguments of each command to a file, except settings and the
/// repository; returns the search path.
fn install_counting_git(repo: &TestRepo, path: &OsStr) -> OsString {
    let real = std::env::split_paths(path).map(|folder| folder.join("git")).find(|git| git.exists()).unwrap();
    let (folder, log) = (repo.sibling_path("counting"), repo.sibling_path("gits"));
    std::fs::create_dir_all(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\nwords=\nskip=\nfor word; do\n [ -n \"$skip\" ] && skip= && continue\n case $word in\n  -c) skip=1;;\n  --git-dir=*|--work-tree=*) ;;\n  *) words=\"$words $word\";;\n esac\ndone\necho \"${{words# }}\" >> '{}'\nexec '{}' \"$@\"\n",
        log.display(),
        real.display()
    );
    let file = folder.join("git");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(path))).unwrap()
}

/// Asserts that a cost is within its ceiling, in write transactions and statements.
fn assert_within(what: &str, cost: StatementCounts, write_transactions: u64, statements: u64) {
    assert!(cost.write_transactions <= write_transactions, "{what}: {cost:?}");
    assert!(cost.statements <= statements, "{what}: {cost:?}");
}

#[test]
fn a_dispatch_prepares_its_worktree_in_two_write_transactions() {
    let mut place = TreeSession::new(&["true"], &["a", "b"]);
    let (first, _) = place.cost(|desk| desk.dispatch_task("a", "w").unwrap());
    // Before the first dispatch of a run, its baseline checks are requested, run and recorded.
    assert_within("the first dispatch", first, 4, 64);
    let (second, _) = place.cost(|desk| desk.dispatch_task("b", "w").unwrap());
    assert_within("a dispatch", second, 2, 38);
}

#[test]
fn dispatching_all_costs_a_constant_and_a_few_statements_per_task() {
    let keys: Vec<String> = (0..20).map(|number| format!("t{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut costs = Vec::new();
    for count in [10, 20] {
        let mut desk = TestSession::with_tasks(&keys[..count]);
        let lead = desk.lead.clone();
        let request = dispatch::DispatchAllRequest {
            run: None,
            to: vec![parse_slug("w")],
            limit: 100,
            agents: orch_core::known_agents::KnownAgents::default(),
        };
        let before = desk.session.statement_counts();
        let done = dispatch::dispatch_all_ready(&mut desk.session, None, &lead, &request).unwrap();
        assert_eq!(expect_fresh(done).dispatched.len(), count);
        costs.push(desk.session.statement_counts() - before);
    }
    let per_task = (costs[1].statements - costs[0].statements) / 10;
    assert!(per_task <= 6, "{per_task} statements for each task: {costs:?}");
    assert!(costs[0].statements - 10 * per_task <= 25, "{costs:?}");
}

#[test]
fn integrating_costs_five_transactions_for_each_attempt() {
    let mut place = TreeSession::new(&["true"], &["a", "b", "c"]);
    for key in ["a", "b", "c"] {
        place.report(key);
    }
    let lead = place.lead();
    let attempt = AttemptSelector { task: task_ref("a"), number: None };
    let reported = VerifyRequest { attempt, again: false, reuse: CheckReuse::Known };
    let (cost, _) = place.cost(|desk| verify_attempt(&mut desk.session, None, &lead, &reported).unwrap());
    assert_within("a verification", cost, 2, 62);
    let (cost, done) = place.cost(|desk| {
        integrate::integrate_run(&mut desk.session, None, &lead, None, CheckSettings::default(), false)
            .unwrap()
    });
    assert_eq!(expect_fresh(done).integrated.len(), 3);
    // Four write transactions for each attempt that is verified and merged here, and one on another connection that
    // removes its worktree; the first attempt was verified before.
    assert_within("an integration of three", cost, 14, 218);
    let request = landing_request();
    let (cost, _) = place.cost(|desk| land::land_run(&mut desk.session, None, &lead, &request).unwrap());
    assert_within("a landing", cost, 4, 68);
}

/// The git commands of merging so many attempts without checks, of a run with so many other tasks.
fn gits_of_merging(attempts: usize, others: usize) -> Vec<String> {
    let keys: Vec<String> = (0..attempts + others).map(|number| format!("t{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut place = TreeSession::new(&[], &keys);
    for key in &keys[..attempts] {
        place.report(key);
    }
    let lead = place.lead();
    place.gits(|desk| {
        let session = &mut desk.session;
        let done =
            integrate::integrate_run(session, None, &lead, None, CheckSettings::default(), false).unwrap();
        assert_eq!(expect_fresh(done).integrated.len(), attempts);
    })
}

#[test]
fn merging_costs_few_git_commands_for_each_attempt() {
    // The bare commands are nine, with which nothing would be looked at again before it is deleted.
    for (others, most) in [(0, 12), (20, 17)] {
        let (few, many) = (gits_of_merging(2, others), gits_of_merging(6, others));
        let each = (many.len() - few.len()).div_ceil(4);
        assert!(each <= most, "{each} git commands for each attempt: {many:#?}");
        assert!(few.len() <= 2 * most + 8, "{few:#?}");
    }
}

#[test]
fn a_dispatch_costs_few_git_commands() {
    let mut place = TreeSession::new(&[], &["a", "b", "c"]);
    let fresh = place.gits(|desk| desk.dispatch_task("a", "w").unwrap());
    assert!(fresh.len() <= 7, "{fresh:#?}");
    place.report("b");
    let lead = place.lead();
    let session = &mut place.desk.session;
    integrate::integrate_run(session, None, &lead, None, CheckSettings::default(), false).unwrap();
    let reused = place.gits(|desk| desk.dispatch_task("c", "w").unwrap());
    assert!(reused.iter().any(|words| words.starts_with("worktree move")), "{reused:#?}");
    assert!(reused.len() <= 9, "{reused:#?}");
}

fn landing_request() -> land::LandRequest {
    land::LandRequest {
        run: None,
        onto: Some("main".to_owned()),
        partial: false,
        manner: land::LandingChoice::Checked,
        run_hooks: false,
        reuse: CheckReuse::Known,
        resolve: false,
    }
}

#[test]
fn known_results_live_as_long_as_a_check_may_need_them() {
    for is_cancelled in [false, true] {
        let mut place = TreeSession::new(&["true"], &["a"]);
        place.report("a");
        let lead = place.lead();
        let session = &mut place.desk.session;
        if !is_cancelled {
            integrate::integrate_run(session, None, &lead, None, CheckSettings::default(), false).unwrap();
        }
        let attempt = AttemptSelector { task: task_ref("a"), number: None };
        let reported = VerifyRequest { attempt, again: false, reuse: CheckReuse::Known };
        assert_eq!(verify_attempt(session, None, &lead, &reported).is_ok(), is_cancelled);
        let count = |session: &mut Session| {
            session.query(|tx| {
                let run = lookup::find_run(tx, None)?.id;
                Ok(check_result::count(tx, run)?)
            })
        };
        assert!(count(session).unwrap() > 0, "a landing may need them");
        if is_cancelled {
            change_run(session, None, &lead, None, RunAction::Cancel).unwrap();
            reconcile_runs(session, None, None, false).unwrap();
        } else {
            land::land_run(session, None, &lead, &landing_request()).unwrap();
        }
        assert_eq!(count(session).unwrap(), 0);
    }
}
