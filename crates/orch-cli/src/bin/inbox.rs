//! The program `inbox`.

fn main() -> std::process::ExitCode {
    orch_cli::entry::main::<orch_cli::inbox::Inbox>()
}
