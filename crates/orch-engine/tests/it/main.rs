//! Stories of the engine's operations, one module per subject, on a store of their own with a clock they advance.

mod runs;
mod waits;
