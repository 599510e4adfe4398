//! `orch task`: one file per command.

pub mod add;
pub mod change;
pub mod edit;
pub mod list;
pub mod retry_operation;
pub mod show;

pub use add::add_task;
pub use change::{TaskAction, change_task};
pub use edit::edit_task;
pub use list::{TaskListRequest, list_tasks};
pub use retry_operation::retry_operations;
pub use show::{AttemptDetail, TaskDetail, show_task};

pub use crate::dep::DependencyStatus;
