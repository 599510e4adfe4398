//! The program `orch`; called as `inbox`, as the demo's workers do, it is that one.

fn main() -> std::process::ExitCode {
    orch_cli::entry::run_by_file_name()
}
