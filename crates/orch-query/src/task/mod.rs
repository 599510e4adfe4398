//! `orch task list` and `orch task show`.

pub mod list;
pub mod show;

pub use list::{TaskListRequest, list_tasks};
pub use show::{AttemptDetail, TaskDetail, show_task};
