//! Interrupts: they end the program at once, unless a command handles them for a graceful end.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use orch_contract::ErrorCode;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

use orch_app::AppError;

/// Whether an interrupt ends the program at once.
static ARMED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Lets SIGINT and SIGTERM end the program at once, with the shell's usual status: every change is one transaction.
pub(crate) fn exit_on_interrupt() {
    let armed = ARMED.get_or_init(|| Arc::new(AtomicBool::new(true)));
    for signal in [SIGINT, SIGTERM] {
        // Without the handler the signal ends the program too, with the system's own status.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(armed));
    }
    // A limit on the size of files is then an error of the write, like a full disk, and not a core dump.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Takes interrupts over: from now on each writes a byte to the returned descriptor and ends nothing.
///
/// # Errors
/// No pipe can be created.
pub(crate) fn take_over_interrupts() -> Result<OwnedFd, AppError> {
    let read = register_handlers().map_err(|error| {
        AppError::new(ErrorCode::Internal, format!("The handler of interrupts cannot be installed: {error}."))
    })?;
    if let Some(armed) = ARMED.get() {
        armed.store(false, Ordering::SeqCst);
    }
    Ok(read.into())
}

fn register_handlers() -> io::Result<PipeReader> {
    let (read, write) = io::pipe()?;
    for signal in [SIGINT, SIGTERM] {
        signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
    }
    Ok(read)
}
