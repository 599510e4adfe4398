//! The product against the oracle.

mod simulate;
