//! Rules about dependencies: between crates, between transport and scheduling, and on drivers, stdout and the system.

use toml::Table;

use super::{TidyViolation, crate_name, is_shipped};
use crate::source::UsedPath;
use crate::tree::SourceFile;

/// The dependencies that a crate may have.
struct AllowedDependencies {
    room: &'static str,
    /// Crates of this workspace.
    ours: &'static [&'static str],
    /// Third-party crates; the commit that adds one here gives the reasons.
    others: &'static [&'static str],
}

/// What operations on top of the scheduler stand on.
const BELOW_OPERATIONS: [&str; 8] = [
    "orch-contract",
    "orch-core",
    "orch-store",
    "orch-inbox",
    "orch-git",
    "orch-process",
    "orch-workspace",
    "orch-scheduler",
];

/// The allowed dependencies, as in ARCHITECTURE.md.
const WALLS: [AllowedDependencies; 18] = [
    AllowedDependencies { room: "orch-core", ours: &[], others: &["serde", "thiserror"] },
    AllowedDependencies {
        room: "orch-store",
        ours: &["orch-core"],
        others: &["getrandom", "rusqlite", "rustix", "serde_json", "thiserror"],
    },
    AllowedDependencies {
        room: "orch-process",
        ours: &[],
        others: &["process-wrap", "rustix", "sha2", "thiserror"],
    },
    AllowedDependencies {
        room: "orch-git",
        ours: &[],
        others: &["getrandom", "rustix", "sha2", "thiserror"],
    },
    AllowedDependencies {
        room: "orch-inbox",
        ours: &["orch-core", "orch-store", "orch-git", "orch-process"],
        others: &["getrandom", "rustix", "serde_json", "sha2", "thiserror"],
    },
    AllowedDependencies {
        room: "orch-scheduler",
        // The contract has the payload of a work message, which the scheduler writes and the wrapper reads.
        ours: &[
            "orch-contract",
            "orch-core",
            "orch-store",
            "orch-inbox",
            "orch-git",
            "orch-process",
            "orch-workspace",
        ],
        others: &["rustix", "serde", "serde_json", "thiserror"],
    },
    AllowedDependencies {
        room: "orch-workspace",
        ours: &["orch-contract", "orch-core", "orch-store", "orch-inbox", "orch-git", "orch-process"],
        others: &["rustix", "serde", "serde_json", "thiserror"],
    },
    AllowedDependencies {
        room: "orch-query",
        ours: &BELOW_OPERATIONS,
        others: &["serde", "serde_json", "thiserror"],
    },
    AllowedDependencies {
        room: "orch-upkeep",
        ours: &BELOW_OPERATIONS,
        others: &["serde", "serde_json", "thiserror"],
    },
    AllowedDependencies {
        room: "orch-plan",
        ours: &["orch-core", "orch-git", "orch-scheduler"],
        others: &["serde", "serde_json", "serde_path_to_error", "thiserror", "toml"],
    },
    AllowedDependencies {
        room: "orch-profile",
        ours: &["orch-core", "orch-process"],
        others: &[
            "minijinja",
            "regex-lite",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "thiserror",
            "toml",
        ],
    },
    AllowedDependencies {
        room: "orch-supervisor",
        ours: &[
            "orch-contract",
            "orch-core",
            "orch-store",
            "orch-inbox",
            "orch-query",
            "orch-scheduler",
            "orch-workspace",
            "orch-git",
            "orch-process",
            "orch-profile",
        ],
        others: &["getrandom", "rustix", "serde", "serde_json", "thiserror", "toml"],
    },
    AllowedDependencies {
        room: "orch-contract",
        ours: &["orch-core"],
        others: &["humantime", "schemars", "serde", "serde_json", "thiserror"],
    },
    AllowedDependencies {
        room: "orch-app",
        ours: &[
            "orch-upkeep",
            "orch-contract",
            "orch-core",
            "orch-git",
            "orch-inbox",
            "orch-plan",
            "orch-process",
            "orch-profile",
            "orch-query",
            "orch-scheduler",
            "orch-workspace",
            "orch-store",
            "orch-supervisor",
        ],
        others: &["serde", "serde_json", "serde_path_to_error", "sha2", "thiserror", "toml"],
    },
    AllowedDependencies {
        room: "orch-text",
        ours: &["orch-app", "orch-contract", "orch-core"],
        others: &["anstyle", "serde_json", "unicode-width"],
    },
    AllowedDependencies {
        room: "orch-cli",
        ours: &["orch-app", "orch-contract", "orch-core", "orch-serve", "orch-text"],
        others: &[
            "anstyle",
            "clap",
            "clap_complete",
            "clap_mangen",
            "serde",
            "serde_json",
            "signal-hook",
            "terminal_size",
            "thiserror",
            "unicode-width",
        ],
    },
    AllowedDependencies {
        room: "orch-serve",
        ours: &["orch-app", "orch-contract", "orch-core", "orch-text"],
        others: &[
            "axum",
            "futures-util",
            "minijinja",
            "rmcp",
            "schemars",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "tokio",
        ],
    },
    AllowedDependencies {
        room: "orch-testkit",
        ours: &[
            "orch-app",
            "orch-upkeep",
            "orch-contract",
            "orch-core",
            "orch-git",
            "orch-inbox",
            "orch-process",
            "orch-profile",
            "orch-query",
            "orch-scheduler",
            "orch-workspace",
            "orch-store",
            "orch-supervisor",
        ],
        others: &["proptest", "rustix", "serde_json", "tempfile"],
    },
];

/// The modules of scheduling, which transport must not use.
const ORCH_HALF: [&str; 7] = ["attempt", "dependency", "orch", "reconcile", "run", "schedule", "task"];

/// The folders of transport.
const INBOX_HALF: [&str; 4] = [
    "crates/orch-core/src/thread/",
    "crates/orch-core/src/message/",
    "crates/orch-core/src/lease/",
    "crates/orch-inbox/src/",
];

/// The modules of `std` that the pure core must not use.
const IMPURE: [&str; 7] = ["env", "fs", "io", "net", "process", "thread", "time"];

/// Crates that only the tests of a crate may depend on: git's tests run commands as the inbox does.
const TEST_DEPENDENCIES: [(&str, &str); 2] = [("orch-git", "orch-process"), ("orch-scheduler", "orch-query")];

/// Checks manifests and code.
pub(super) fn check_dependencies(files: &[SourceFile]) -> Vec<TidyViolation> {
    let mut violations = Vec::new();
    for file in files {
        if file.path.ends_with("Cargo.toml") {
            violations.extend(check_manifest(file));
        }
        if file.has_extension("rs") {
            violations.extend(check_driver(file));
            violations.extend(check_halves(file));
        }
        if is_shipped(file) {
            violations.extend(check_output(file));
            violations.extend(check_purity(file));
        }
    }
    violations
}

/// Checks that a manifest names only allowed dependencies.
fn check_manifest(file: &SourceFile) -> Vec<TidyViolation> {
    let Some(room) = crate_name(&file.path) else { return Vec::new() };
    let Ok(table) = file.text.parse::<Table>() else {
        return vec![TidyViolation::at_line(file, 1, "the manifest is not TOML.")];
    };
    let Some(wall) = WALLS.iter().find(|wall| wall.room == room) else {
        return vec![TidyViolation::at_line(
            file,
            1,
            format!("`{room}` has no entry: add it to xtask/src/tidy/dependency_rules.rs."),
        )];
    };
    let mut violations = Vec::new();
    let names = |section: &str| -> Vec<String> {
        table
            .get(section)
            .and_then(toml::Value::as_table)
            .map(|names| names.keys().cloned().collect())
            .unwrap_or_default()
    };
    for name in names("dependencies").into_iter().chain(names("build-dependencies")) {
        let known = if name.starts_with("orch-") { wall.ours } else { wall.others };
        if !known.contains(&name.as_str()) {
            let line = file.text.lines().position(|line| line.starts_with(&name)).map_or(1, |line| line + 1);
            violations.push(TidyViolation::at_line(
                file,
                line,
                format!("`{room}` may not depend on `{name}`."),
            ));
        }
    }
    for name in names("dev-dependencies") {
        let is_known =
            wall.ours.contains(&name.as_str()) || TEST_DEPENDENCIES.contains(&(room, name.as_str()));
        if name.starts_with("orch-") && name != "orch-testkit" && !is_known {
            let message = format!("the tests of `{room}` may not depend on `{name}`, only on orch-testkit.");
            violations.push(TidyViolation::at_line(file, 1, message));
        }
    }
    violations
}

/// Checks that only the database's file and the migrations use its driver.
fn check_driver(file: &SourceFile) -> Vec<TidyViolation> {
    let allowed = ["crates/orch-store/src/sqlite", "crates/orch-store/src/migrate"];
    if allowed.iter().any(|start| file.path.starts_with(start))
        || file.path.starts_with("xtask/")
        || file.path.starts_with("bench/")
    {
        return Vec::new();
    }
    let names_driver = |path: &&UsedPath| path.names[0] == "rusqlite";
    count_violations(file, names_driver, |_| {
        "only sqlite*.rs and migrate*.rs of orch-store may name the driver.".to_owned()
    })
}

/// Checks that transport uses nothing of runs, tasks and graphs.
fn check_halves(file: &SourceFile) -> Vec<TidyViolation> {
    if !INBOX_HALF.iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    let knows = |path: &&UsedPath| known_by_path(path).is_some_and(|name| ORCH_HALF.contains(&name));
    count_violations(file, knows, |path| {
        format!("the inbox half may not know `{}`.", known_by_path(path).unwrap_or_default())
    })
}

/// Returns the module of orch-core or of the file's own crate that a path starts with.
fn known_by_path(path: &UsedPath) -> Option<&str> {
    let names: Vec<&str> = path.names.iter().map(String::as_str).collect();
    match names[..] {
        ["orch_core" | "crate", name, ..] | ["super", "super", name, ..] => Some(name),
        _ => None,
    }
}

/// Checks that only `respond.rs` writes to stdout.
fn check_output(file: &SourceFile) -> Vec<TidyViolation> {
    if file.path == "crates/orch-cli/src/respond.rs" {
        return Vec::new();
    }
    let writes = |path: &&UsedPath| {
        ["print!", "println!"].contains(&path.names[0].as_str())
            || path.names.iter().any(|name| name == "stdout")
    };
    product_violations(file, writes, |_| "only crates/orch-cli/src/respond.rs may touch stdout.".to_owned())
}

/// Checks that the core uses no clock, files or processes.
fn check_purity(file: &SourceFile) -> Vec<TidyViolation> {
    if crate_name(&file.path) != Some("orch-core") {
        return Vec::new();
    }
    let impure = |path: &&UsedPath| path.names[0] == "std" && IMPURE.contains(&path.names[1].as_str());
    product_violations(file, impure, |path| {
        format!("the core is pure: it may not use `{}`.", path.names.join("::"))
    })
}

/// Returns a violation for each path of this kind.
fn count_violations(
    file: &SourceFile,
    is_wrong: impl Fn(&&UsedPath) -> bool,
    message: impl Fn(&UsedPath) -> String,
) -> Vec<TidyViolation> {
    let wrong = file.source().paths.iter().filter(|path| is_wrong(path));
    wrong.map(|path| TidyViolation::at_line(file, path.line, message(path))).collect()
}

/// Returns a violation for each path of this kind outside tests.
fn product_violations(
    file: &SourceFile,
    is_wrong: impl Fn(&&UsedPath) -> bool,
    message: impl Fn(&UsedPath) -> String,
) -> Vec<TidyViolation> {
    count_violations(file, |path| !path.test && is_wrong(path), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check_dependencies(&[SourceFile::new(path, text)]).len()
    }

    #[test]
    fn manifests_stay_behind_their_walls() {
        for (room, dependency, allowed) in [
            ("orch-core", "serde_json", false),
            ("orch-core", "orch-store", false),
            ("orch-core", "thiserror", true),
            ("orch-store", "rusqlite", true),
            ("orch-scheduler", "rusqlite", false),
            ("orch-cli", "orch-app", true),
            ("orch-cli", "orch-scheduler", false),
            ("orch-cli", "orch-testkit", false),
            ("orch-contract", "orch-store", false),
            ("orch-new", "serde", false),
        ] {
            let text = format!("[dependencies]\n{dependency}.workspace = true\n");
            let found = count(&format!("crates/{room}/Cargo.toml"), &text);
            assert_eq!(found == 0, allowed, "{room} {dependency}");
        }
        assert_eq!(
            count("crates/orch-core/Cargo.toml", "[dev-dependencies]\norch-testkit = { path = \"x\" }\n"),
            0
        );
        assert_eq!(
            count("crates/orch-core/Cargo.toml", "[dev-dependencies]\norch-cli = { path = \"x\" }\n"),
            1
        );
        assert_eq!(count("crates/orch-core/Cargo.toml", "[dev-dependencies]\nproptest = \"1\"\n"), 0);
    }

    #[test]
    fn code_stays_behind_its_walls() {
        for (path, text, allowed) in [
            ("crates/orch-store/src/sqlite.rs", "use rusqlite::Connection;", true),
            ("crates/orch-store/src/task.rs", "use rusqlite::Connection;", false),
            ("crates/orch-store/src/task.rs", "// not rusqlite::Connection", true),
            ("crates/orch-core/src/thread/mod.rs", "use crate::{id::TaskId, lease::Lease};", true),
            ("crates/orch-core/src/thread/mod.rs", "use crate::{id::TaskId, task::Task};", false),
            ("crates/orch-inbox/src/claim.rs", "use orch_core::attempt::Attempt;", false),
            ("crates/orch-inbox/src/claim.rs", "use crate::orch::TaskRef;", false),
            ("crates/orch-cli/src/respond.rs", "println!(\"x\");", true),
            ("crates/orch-cli/src/inbox/claim.rs", "println!(\"x\");", false),
            ("crates/orch-cli/src/inbox/claim.rs", "eprintln!(\"x\");", true),
            ("crates/orch-core/src/id.rs", "use std::time::Instant;", false),
            ("crates/orch-core/src/id.rs", "use std::fmt;\n#[cfg(test)]\nmod tests { use std::fs; }", true),
        ] {
            assert_eq!(count(path, text) == 0, allowed, "{path}: {text}");
        }
    }
}
