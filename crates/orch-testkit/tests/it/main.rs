//! Tests of the product against the oracle.

mod simulate;
