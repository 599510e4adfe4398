//! Tests of the operations from outside, over real stores.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod random_work;
mod world;
