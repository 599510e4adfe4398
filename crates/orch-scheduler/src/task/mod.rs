//! `orch task`: one file per command.

pub mod add;
pub mod change;
pub mod edit;
pub mod redo;
pub mod retry_operation;

pub use add::add_task;
pub use change::{TaskAction, TaskChange, TaskChangeOutcome, change_task, change_tasks};
pub use edit::edit_task;
pub use redo::{RedoChange, redo_task};
pub use retry_operation::retry_operations;

pub use crate::dep::DependencyStatus;
