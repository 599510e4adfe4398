//! The program `inbox`.

fn main() -> std::process::ExitCode {
    orch_cli::entry::run_to_exit_code::<orch_cli::inbox::InboxCli>()
}
