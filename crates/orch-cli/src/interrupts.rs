//! What an interrupt does: it ends the program at once, unless a command has taken it over to end in good order.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use orch_contract::ErrorCode;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

use orch_app::AppError;

/// Whether an interrupt still ends the program at once.
static ARMED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Ends at once with the shell's usual status when interrupted or asked to stop: every change is one transaction.
pub(crate) fn exit_on_interrupt() {
    let armed = ARMED.get_or_init(|| Arc::new(AtomicBool::new(true)));
    for signal in [SIGINT, SIGTERM] {
        // Without the handler the signal still ends the program, only with the system's own status.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(armed));
    }
    // A limit on the size of files is then an error of the write that hits it, like a full disk, and not a core dump.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Takes interrupts over: from now on each makes what is returned readable, by a byte, and ends nothing.
///
/// # Errors
/// The system gives no pipe.
pub(crate) fn take_over_interrupts() -> Result<OwnedFd, AppError> {
    let read = register_handlers().map_err(|error| {
        AppError::new(ErrorCode::Internal, format!("Interrupts cannot be taken over: {error}."))
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
