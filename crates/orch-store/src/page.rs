//! Parts of long lists.

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The most entries to return.
    pub limit: u32,
    /// The cursor behind which to go on, from an earlier page's `next`.
    pub after: Option<String>,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultPage<T> {
    /// The entries.
    pub items: Vec<T>,
    /// How many the whole list has.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}
