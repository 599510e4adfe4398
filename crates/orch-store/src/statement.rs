//! SQL statements, each declared once, so that a test can prepare all of them on every database.

/// The text of an SQL statement, shared by all databases, with `$1`, `$2`, … for parameters.
///
/// The statements of this crate are declared by `statements!`, which also lists them for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement(&'static str);

impl Statement {
    /// Declares a statement outside the lists of this crate, for tests and tools with queries of their own.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// Returns the text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        self.0
    }
}

/// Declares the statements of a module, and lists them by name for tests.
macro_rules! statements {
    ($(#[$attribute:meta])* const $name:ident: [$count:literal] = [$($text:expr),+ $(,)?];) => {
        $(#[$attribute])*
        const $name: [$crate::Statement; $count] = [$($crate::Statement::new($text)),+];

        #[cfg(test)]
        pub(crate) const STATEMENTS: &[(&str, $crate::Statement)] =
            &[$((stringify!($name), $crate::Statement::new($text))),+];
    };
    ($($visibility:vis const $name:ident = $text:expr;)+) => {
        $($visibility const $name: $crate::Statement = $crate::Statement::new($text);)+

        #[cfg(test)]
        pub(crate) const STATEMENTS: &[(&str, $crate::Statement)] = &[$((stringify!($name), $name)),+];
    };
}

pub(crate) use statements;
