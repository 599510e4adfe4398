//! The program `orch`.

fn main() -> std::process::ExitCode {
    orch_cli::entry::main::<orch_cli::orch::Orch>()
}
