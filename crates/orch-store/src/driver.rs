//! What the store asks of a database, whichever it is.
//!
use crate::{Fault, Statement};

/// A parameter of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlParameter<'a> {
    /// Nothing.
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

/// A row of an answer. Columns count from 0.
pub trait SqlRow {
    /// A number that may be absent.
    ///
    /// # Errors
    /// The column holds something else.
    fn int_or_null(&self, column: usize) -> Result<Option<i64>, Fault>;

    /// A text that may be absent.
    ///
    /// # Errors
    /// The column holds something else.
    fn text_or_null(&self, column: usize) -> Result<Option<String>, Fault>;

    /// A number.
    ///
    /// # Errors
    /// The column holds something else.
    fn int(&self, column: usize) -> Result<i64, Fault> {
        self.int_or_null(column)?.ok_or_else(|| null_fault(column))
    }

    /// A text.
    ///
    /// # Errors
    /// The column holds something else.
    fn text(&self, column: usize) -> Result<String, Fault> {
        self.text_or_null(column)?.ok_or_else(|| null_fault(column))
    }
}

fn null_fault(column: usize) -> Fault {
    Fault::Value { table: "answer", value: format!("nothing in column {column}") }
}

/// What a write must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteDurability {
    /// Loss of power: it is on the disk when the commit returns.
    Power,
    /// The death of every process, but not loss of power. For lease renewals alone.
    Process,
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionMode {
    /// It only reads, one consistent state.
    Read,
    /// It may write, as if it were alone.
    Write(WriteDurability),
}

/// How a database carries out a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryPlan {
    /// The statement.
    pub statement: String,
    /// The steps, in the database's own words.
    pub steps: Vec<String>,
    /// How many times this connection has run it.
    pub times: u64,
}

/// How much a connection has asked of its database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatementCounts {
    /// Statements of every kind: `BEGIN`, `COMMIT`, `ROLLBACK` and `PRAGMA` count too, because each is a round trip.
    pub statements: u64,
    /// Transactions that were begun, to read or to write.
    pub transactions: u64,
    /// Those of them that were begun to write.
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
    /// Others kept the store locked for too long, or it failed.
    fn begin(&mut self, mode: TransactionMode) -> Result<(), Fault>;

    /// Commits; when it returns the change is there for everybody.
    ///
    /// # Errors
    /// The change is not there.
    fn commit(&mut self) -> Result<(), Fault>;

    /// Undoes the transaction. It cannot fail in a way that matters: what is not committed is not there.
    fn rollback(&mut self);

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// The database failed.
    fn execute(&mut self, statement: Statement, values: &[SqlParameter<'_>]) -> Result<u64, Fault>;

    /// Runs a query and hands over each row.
    ///
    /// # Errors
    /// The database, or `each`, failed.
    fn query(
        &mut self,
        statement: Statement,
        values: &[SqlParameter<'_>],
        each: &mut dyn FnMut(&dyn SqlRow) -> Result<(), Fault>,
    ) -> Result<(), Fault>;

    /// A number that changes when another connection commits.
    ///
    /// # Errors
    /// The database failed.
    fn change_counter(&mut self) -> Result<i64, Fault>;

    /// Whether the place that was opened still leads to this database: one that was deleted or replaced would take
    /// changes that nobody else ever sees.
    fn is_in_place(&self) -> bool;

    /// Housekeeping that may wait until an answer is printed: a checkpoint when one is due.
    fn checkpoint_if_due(&mut self);

    /// What the database says of its own soundness, one line per defect; empty when there is none.
    ///
    /// # Errors
    /// It cannot be asked.
    fn check_integrity(&mut self) -> Result<Vec<String>, Fault>;

    /// How the database carries out each statement that this connection ran, for tests that hold them to their indexes.
    ///
    /// # Errors
    /// It cannot be asked.
    fn query_plans(&mut self) -> Result<Vec<QueryPlan>, Fault>;

    /// How much this connection has asked of the database since it was opened.
    fn statement_counts(&self) -> StatementCounts;

    /// Whether what follows is counted. A rehearsal of a write transaction is not.
    fn set_counting(&mut self, counting: bool);

    /// The engine's name and version, for people.
    fn engine_version(&self) -> String;
}
