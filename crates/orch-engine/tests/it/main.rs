//! Tests of the operations from outside, over real stores.

mod random_work;
