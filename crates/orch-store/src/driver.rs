//! The interface that the store needs from a database.

use std::path::Path;

use orch_core::placement::FileNumber;

use crate::{Fault, Statement};

/// A parameter of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlParameter<'a> {
    /// NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// A text.
    Text(&'a str),
}

impl From<i64> for SqlParameter<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for SqlParameter<'_> {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<u8> for SqlParameter<'_> {
    fn from(number: u8) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<bool> for SqlParameter<'_> {
    fn from(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }
}

impl<'a> From<&'a str> for SqlParameter<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a, T: Into<SqlParameter<'a>>> From<Option<T>> for SqlParameter<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of a result. Columns are numbered from 0.
pub trait SqlRow {
    /// Returns an integer that may be NULL.
    fn int_or_null(&self, column: usize) -> Result<Option<i64>, Fault>;

    /// Returns a text that may be NULL.
    fn text_or_null(&self, column: usize) -> Result<Option<String>, Fault>;

    /// Returns an integer.
    fn int(&self, column: usize) -> Result<i64, Fault> {
        self.int_or_null(column)?.ok_or_else(|| null_fault(column))
    }

    /// Returns a text.
    fn text(&self, column: usize) -> Result<String, Fault> {
        self.text_or_null(column)?.ok_or_else(|| null_fault(column))
    }
}

fn null_fault(column: usize) -> Fault {
    Fault::Value { table: "answer", value: format!("nothing in column {column}") }
}

/// The durability of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteDurability {
    /// Survives loss of power: it is on the disk when the commit returns.
    Power,
    /// Survives a crash of every process, but not loss of power. For lease renewals only.
    Process,
}

/// The mode of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionMode {
    /// It reads a consistent snapshot.
    Read,
    /// It reads and writes in isolation.
    Write(WriteDurability),
}

/// The query plan of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryPlan {
    /// The statement.
    pub statement: String,
    /// The steps, as the database describes them.
    pub steps: Vec<String>,
    /// How often this connection has run it.
    pub times: u64,
}

/// How many statements and transactions a connection has run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatementCounts {
    /// Statements of every kind, including `BEGIN`, `COMMIT`, `ROLLBACK` and `PRAGMA`: each is a round trip.
    pub statements: u64,
    /// Transactions, to read or to write.
    pub transactions: u64,
    /// Write transactions.
    pub write_transactions: u64,
}

impl std::ops::Sub for StatementCounts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            statements: self.statements - earlier.statements,
            transactions: self.transactions - earlier.transactions,
            write_transactions: self.write_transactions - earlier.write_transactions,
        }
    }
}

/// One connection to a database.
pub trait DatabaseDriver: Send {
    /// Begins a transaction.
    ///
    /// # Errors
    /// Other processes kept the store locked for too long, or the database failed.
    fn begin(&mut self, mode: TransactionMode) -> Result<(), Fault>;

    /// Commits; on return the change is visible to every connection.
    ///
    /// # Errors
    /// The change was not committed.
    fn commit(&mut self) -> Result<(), Fault>;

    /// Rolls the transaction back. Failures are ignored: uncommitted changes are discarded in any case.
    fn rollback(&mut self);

    /// Runs a statement and returns how many rows it changed.
    fn execute(&mut self, statement: Statement, values: &[SqlParameter<'_>]) -> Result<u64, Fault>;

    /// Runs a query and passes each row to `each`.
    ///
    /// # Errors
    /// The database or `each` failed.
    fn query(
        &mut self,
        statement: Statement,
        values: &[SqlParameter<'_>],
        each: &mut dyn FnMut(&dyn SqlRow) -> Result<(), Fault>,
    ) -> Result<(), Fault>;

    /// Returns a number that changes when another connection commits.
    fn change_counter(&mut self) -> Result<i64, Fault>;

    /// Returns the device and inode of the database's file when it was opened.
    fn file_number(&self) -> Option<FileNumber>;

    /// Returns whether the opened path still refers to this database: a deleted or replaced file would accept
    /// changes that no other process ever sees.
    fn is_in_place(&self) -> bool;

    /// Runs a checkpoint if one is due. Called after a command has printed its output.
    fn checkpoint_if_due(&mut self);

    /// Runs the database's integrity check and returns one line per defect.
    fn check_integrity(&mut self) -> Result<Vec<String>, Fault>;

    /// Writes a consistent copy of the database to an empty file.
    fn write_copy(&mut self, target: &Path) -> Result<(), Fault>;

    /// Replaces the whole content of the database by that of a file, in one transaction.
    fn replace_content(&mut self, source: &Path) -> Result<(), Fault>;

    /// Returns the plan of each statement that this connection ran, for tests of the use of indexes.
    fn query_plans(&mut self) -> Result<Vec<QueryPlan>, Fault>;

    /// Returns the counts of this connection since it was opened.
    fn statement_counts(&self) -> StatementCounts;

    /// Switches counting on or off. A rehearsal of a write transaction is not counted.
    fn set_counting(&mut self, counting: bool);

    /// Returns the engine's name and version, for display.
    fn engine_version(&self) -> String;
}
