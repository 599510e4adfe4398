//! Every statement of the store is prepared on a PostgreSQL of the test's own.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::migrate::MIGRATIONS;

#[test]
fn hints_are_taken_off() {
    for (statement, expected) in [
        ("SELECT 1", "SELECT 1"),
        (
            "SELECT id FROM task INDEXED BY task_order WHERE run_id = $1",
            "SELECT id FROM task WHERE run_id = $1",
        ),
        (
            "SELECT EXISTS (SELECT 1 FROM thread INDEXED BY thread_news)",
            "SELECT EXISTS (SELECT 1 FROM thread)",
        ),
        (
            "SELECT 1 FROM agent CROSS JOIN thread INDEXED BY thread_to\n    ON to_agent = name",
            "SELECT 1 FROM agent JOIN thread\n    ON to_agent = name",
        ),
        (
            "SELECT 1 FROM a INDEXED BY a_1 JOIN b INDEXED BY b_2 ON b.a = a.id",
            "SELECT 1 FROM a JOIN b ON b.a = a.id",
        ),
        (
            "SELECT 1 FROM a WHERE id IN (SELECT value FROM json_each($2)) AND b = 1",
            "SELECT 1 FROM a WHERE id IN (SELECT value FROM json_array_elements_text(CAST(CAST($2 AS TEXT) AS json)) AS listed (value)) AND b = 1",
        ),
    ] {
        assert_eq!(spelled(Statement::new(statement)), expected);
    }
}

/// Returns the statements of this crate, each with its module and its name.
fn statements() -> Vec<(String, Statement)> {
    let mut modules = crate::table::statements();
    modules.push(("invariant", crate::invariant::STATEMENTS));
    let named = |(module, statements): (&str, &[(&str, Statement)])| {
        let name = |(name, statement): &(&str, Statement)| (format!("{module}::{name}"), *statement);
        statements.iter().map(name).collect::<Vec<_>>()
    };
    modules.into_iter().flat_map(named).collect()
}

/// Only a `Statement` can be run, and the macro that makes one also lists it; the compiler reports an unused list.
#[test]
fn every_statement_is_declared_where_it_is_listed() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source];
    let mut blocks = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // What comes after the first test is no part of the product.
            let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let is_exempt = path.ends_with("statement.rs") || path.to_string_lossy().ends_with("_tests.rs");
            assert!(is_exempt || !product.contains("Statement::new("), "{}", path.display());
            blocks += product.matches("\nstatements! {").count();
        }
    }
    let listed = crate::table::statements().iter().filter(|(_, statements)| !statements.is_empty()).count();
    assert_eq!(blocks, listed + 1);
}

#[test]
fn every_statement_is_prepared() {
    let Some(programs) = PostgresPrograms::find() else {
        let required = std::env::var("ORCH_REQUIRE_TOOLS").unwrap_or_default();
        assert!(!required.split(' ').any(|tool| tool == "postgres"), "this test needs postgres");
        say("NOT RUN: every_statement_is_prepared needs postgres, which this machine does not have.");
        return;
    };
    let cluster = PostgresCluster::start(programs);
    cluster.run(&schema(), "");
    let statements = statements();
    assert!(statements.len() > 200, "{}", statements.len());
    let mut script = String::new();
    for (number, (_, statement)) in statements.iter().enumerate() {
        writeln!(script, "PREPARE s{number} AS {};", spelled(*statement)).unwrap();
    }
    script.push_str("SELECT name, parameter_types FROM pg_prepared_statements;\n");
    let (prepared, errors) = cluster.try_run(&script);
    let types_of =
        |number: usize| prepared.lines().find_map(|line| line.strip_prefix(&format!("s{number}|")));
    let mut refused = Vec::new();
    for (number, (name, _)) in statements.iter().enumerate() {
        match types_of(number) {
            None => refused.push(format!("{name} is not prepared")),
            // A driver binds what the store knows: whole numbers and texts.
            Some(types) => {
                let types = types.trim_matches(['{', '}']).split(',').filter(|name| !name.is_empty());
                let others: Vec<&str> = types.filter(|name| !["bigint", "text"].contains(name)).collect();
                if !others.is_empty() {
                    refused.push(format!("{name} takes {others:?}"));
                }
            }
        }
    }
    assert!(refused.is_empty(), "{}\n{errors}", refused.join("\n"));
}

/// Returns the schema as PostgreSQL takes it.
fn schema() -> String {
    let mut schema = MIGRATIONS.concat();
    for (sqlite, postgres) in [
        (" INTEGER PRIMARY KEY", " BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
        (" INTEGER", " BIGINT"),
        (" STRICT, WITHOUT ROWID", ""),
        (" STRICT", ""),
    ] {
        schema = schema.replace(sqlite, postgres);
    }
    schema
}

/// Says something that also a test which passes is heard to say.
fn say(line: &str) {
    // Nothing more can be done where stderr is closed.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The programs of a PostgreSQL.
struct PostgresPrograms {
    folder: PathBuf,
    psql: PathBuf,
}

impl PostgresPrograms {
    /// Finds them on the `PATH`, else where Debian puts them; the newest version counts.
    fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
            let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
            let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
            versions.sort_by_key(version);
            folders.extend(versions.iter().rev().map(|version| version.join("bin")));
        }
        let has =
            |folder: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).exists());
        let folder = folders.iter().find(|folder| has(folder))?.clone();
        let psql = std::iter::once(&folder).chain(&folders).map(|folder| folder.join("psql"));
        let psql = psql.into_iter().find(|psql| psql.exists())?;
        Some(Self { folder, psql })
    }
}

/// A user that a server may run as: PostgreSQL refuses to run as root.
#[derive(Clone, Copy)]
struct ServerUser {
    id: u32,
    group: u32,
}

impl ServerUser {
    /// Another user, where this process is root's.
    fn find() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        let user = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            let (id, group) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
            Some((fields[0].to_owned(), Self { id, group }))
        };
        let users: Vec<_> = users.lines().filter_map(user).collect();
        let named = |wanted| users.iter().find(|(name, _)| name == wanted);
        Some(named("postgres").or_else(|| named("nobody")).expect("there is a user besides root").1)
    }

    /// Returns a command that runs as this user, in an environment of its own.
    fn command(user: Option<Self>, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        if let Some(user) = user {
            command.uid(user.id).gid(user.group);
        }
        command
    }
}

/// A cluster with one server, reached by a socket in its folder. Both end with the test.
struct PostgresCluster {
    programs: PostgresPrograms,
    user: Option<ServerUser>,
    folder: tempfile::TempDir,
    /// Stops the server when its input ends, and so also when this process dies.
    keeper: Child,
}

/// Makes a cluster, starts its server, says so, and stops it at the end of the input.
const KEEP: &str = r#"
set -eu
"$1/initdb" -D "$2/data" -U orch -A trust -E UTF8 --no-locale --no-sync >"$2/initdb.log" 2>&1
"$1/pg_ctl" -D "$2/data" -w -l "$2/server.log" \
    -o "-k '$2' -c listen_addresses= -c fsync=off -c shared_buffers=8MB" start >"$2/start.log" 2>&1
echo ready
cat >/dev/null
"$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null
"#;

impl PostgresCluster {
    fn start(programs: PostgresPrograms) -> Self {
        let user = ServerUser::find();
        let folder = Self::folder(user);
        let mut command = ServerUser::command(user, Path::new("/bin/sh"));
        command.args(["-c", KEEP, "sh"]).arg(&programs.folder).arg(folder.path());
        // A group of its own, so that a signal to the test's process group does not reach the keeper.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let logs = || {
            let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
            ["initdb.log", "start.log", "server.log"].map(read).concat()
        };
        assert_eq!(line, "ready\n", "{}", logs());
        Self { programs, user, folder, keeper }
    }

    /// Returns a new folder of this user, where the user may enter: a temporary folder may be closed to others.
    fn folder(user: Option<ServerUser>) -> tempfile::TempDir {
        // The path of a socket has 107 bytes at most.
        const PATH_BYTES_MAX: usize = 60;
        let places = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into(), "/dev/shm".into()];
        for place in places.iter().filter(|place| place.as_os_str().len() <= PATH_BYTES_MAX) {
            let Ok(folder) = tempfile::Builder::new().prefix("orch-pg-").tempdir_in(place) else { continue };
            if let Some(user) = user {
                std::os::unix::fs::chown(folder.path(), Some(user.id), Some(user.group)).unwrap();
            }
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
            let mut enter = ServerUser::command(user, Path::new("/bin/sh"));
            enter.args(["-c", "cd \"$1\" 2>/dev/null", "sh"]).arg(folder.path());
            if enter.status().unwrap().success() {
                return folder;
            }
        }
        panic!("no temporary folder can be entered by the user of the server")
    }

    /// Runs a script and returns its output and its errors.
    fn try_run(&self, script: &str) -> (String, String) {
        let mut psql = ServerUser::command(self.user, &self.programs.psql);
        psql.args(["-X", "-q", "-A", "-t", "-U", "orch", "-d", "postgres", "-h"]).arg(self.folder.path());
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || input.write_all(script.as_bytes()).unwrap());
            child.wait_with_output().unwrap()
        });
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    /// Runs a script that must succeed with this output.
    fn run(&self, script: &str, expected: &str) {
        assert_eq!(self.try_run(script), (expected.to_owned(), String::new()));
    }
}

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Nothing can be done about a server that does not end, and a failure has been told already.
        let _ = self.keeper.wait();
    }
}
