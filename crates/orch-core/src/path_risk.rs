//! Which changed files a reviewer should read first, judged by their paths alone.

named_enum! {
    /// Why a changed file deserves attention: it acts on more than the program that it belongs to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum PathRisk {
        /// A name that keys, certificates and passwords have.
        Secret = "secret",
        /// A pipeline of a continuous integration service, which runs with its secrets.
        Pipeline = "pipeline",
        /// Instructions or settings that agents obey.
        AgentInstructions = "agent_instructions",
        /// Hooks, attributes, submodules, ignored files and owners: what git and its hosts obey.
        GitConfiguration = "git_configuration",
        /// Commands that run when the program is built, installed or entered.
        Build = "build",
        /// The list of libraries, or their exact versions.
        Dependencies = "dependencies",
        /// Tests that lost more lines than they gained.
        FewerTests = "fewer_tests",
        /// No text: a reader cannot see what changed.
        Binary = "binary",
    }
}

/// Folders whose files are all of one risk, relative to the top of the repository.
const RISKY_FOLDERS: [(&str, PathRisk); 14] = [
    (".github/workflows/", PathRisk::Pipeline),
    (".github/actions/", PathRisk::Pipeline),
    (".gitlab/", PathRisk::Pipeline),
    (".circleci/", PathRisk::Pipeline),
    (".buildkite/", PathRisk::Pipeline),
    (".woodpecker/", PathRisk::Pipeline),
    (".forgejo/", PathRisk::Pipeline),
    (".claude/", PathRisk::AgentInstructions),
    (".codex/", PathRisk::AgentInstructions),
    (".cursor/", PathRisk::AgentInstructions),
    (".gemini/", PathRisk::AgentInstructions),
    (".husky/", PathRisk::GitConfiguration),
    (".cargo/", PathRisk::Build),
    (".devcontainer/", PathRisk::Build),
];

/// File names, in lower case, wherever they are.
const RISKY_NAMES: [(PathRisk, &[&str]); 6] = [
    (PathRisk::Secret, &[".env", ".netrc", ".npmrc", ".pypirc", "id_rsa", "id_ed25519", "credentials"]),
    (
        PathRisk::Pipeline,
        &[
            ".gitlab-ci.yml",
            ".travis.yml",
            ".drone.yml",
            "jenkinsfile",
            "azure-pipelines.yml",
            "bitbucket-pipelines.yml",
            "cloudbuild.yaml",
        ],
    ),
    (
        PathRisk::AgentInstructions,
        &["agents.md", "claude.md", "gemini.md", ".cursorrules", ".mcp.json", "copilot-instructions.md"],
    ),
    (
        PathRisk::GitConfiguration,
        &[
            ".gitattributes",
            ".gitmodules",
            ".gitignore",
            "codeowners",
            ".pre-commit-config.yaml",
            "lefthook.yml",
        ],
    ),
    (
        PathRisk::Build,
        &[
            "build.rs",
            "makefile",
            "gnumakefile",
            "cmakelists.txt",
            "dockerfile",
            "containerfile",
            "justfile",
            "setup.py",
            "conftest.py",
            ".envrc",
            "rust-toolchain.toml",
        ],
    ),
    (
        PathRisk::Dependencies,
        &[
            "cargo.toml",
            "cargo.lock",
            "package.json",
            "package-lock.json",
            "pnpm-lock.yaml",
            "yarn.lock",
            "bun.lock",
            "go.mod",
            "go.sum",
            "pyproject.toml",
            "poetry.lock",
            "uv.lock",
            "requirements.txt",
            "gemfile",
            "gemfile.lock",
            "composer.json",
            "composer.lock",
            "pom.xml",
            "build.gradle",
            "build.gradle.kts",
            "flake.nix",
            "flake.lock",
            "mix.exs",
            "mix.lock",
        ],
    ),
];

/// Endings of file names, in lower case.
const RISKY_ENDINGS: [(&str, PathRisk); 8] = [
    (".pem", PathRisk::Secret),
    (".key", PathRisk::Secret),
    (".p12", PathRisk::Secret),
    (".pfx", PathRisk::Secret),
    (".keystore", PathRisk::Secret),
    (".dockerfile", PathRisk::Build),
    (".mk", PathRisk::Build),
    (".csproj", PathRisk::Dependencies),
];

/// Returns why a changed file should be read first, or `None` for an ordinary one.
///
/// `path` is relative to the top of the repository, with `/` between its parts; `lines` are the added and removed lines,
/// `None` for a file that is not text.
#[must_use]
pub fn judge_path(path: &str, lines: Option<(u64, u64)>) -> Option<PathRisk> {
    let path = path.to_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let by_folder = RISKY_FOLDERS.iter().find(|(folder, _)| path.starts_with(folder)).map(|(_, risk)| *risk);
    let by_name = || RISKY_NAMES.iter().find(|(_, names)| names.contains(&name)).map(|(risk, _)| *risk);
    let by_ending = || RISKY_ENDINGS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, risk)| *risk);
    let by_start = || name.starts_with(".env.").then_some(PathRisk::Secret);
    by_folder.or_else(by_name).or_else(by_ending).or_else(by_start).or_else(|| match lines {
        None => Some(PathRisk::Binary),
        Some((added, removed)) => (removed > added && is_test(&path)).then_some(PathRisk::FewerTests),
    })
}

/// Whether a path, in lower case, looks like one of tests.
fn is_test(path: &str) -> bool {
    path.split(['/', '.', '_', '-'])
        .any(|part| matches!(part, "test" | "tests" | "spec" | "specs" | "__tests__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_act_on_more_than_their_program_are_named() {
        for (path, lines, risk) in [
            ("src/lib.rs", Some((10, 2)), None),
            ("src/latest.rs", Some((1, 20)), None),
            (".github/workflows/ci.yml", Some((1, 0)), Some(PathRisk::Pipeline)),
            ("sub/.github/workflows/ci.yml", Some((1, 0)), None),
            ("crates/a/Cargo.toml", Some((1, 0)), Some(PathRisk::Dependencies)),
            ("crates/a/build.rs", Some((1, 0)), Some(PathRisk::Build)),
            ("AGENTS.md", Some((1, 0)), Some(PathRisk::AgentInstructions)),
            (".claude/settings.json", Some((1, 0)), Some(PathRisk::AgentInstructions)),
            (".gitmodules", Some((1, 0)), Some(PathRisk::GitConfiguration)),
            (".env.production", Some((1, 0)), Some(PathRisk::Secret)),
            ("deploy/site.key", Some((1, 0)), Some(PathRisk::Secret)),
            ("tests/parse.rs", Some((3, 9)), Some(PathRisk::FewerTests)),
            ("tests/parse.rs", Some((9, 3)), None),
            ("src/parse_test.go", Some((0, 1)), Some(PathRisk::FewerTests)),
            ("logo.png", None, Some(PathRisk::Binary)),
        ] {
            assert_eq!(judge_path(path, lines), risk, "{path}");
        }
    }
}
