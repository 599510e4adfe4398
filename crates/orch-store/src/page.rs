//! Pages of long lists.

/// A request for a page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The most entries to return.
    pub limit: u32,
    /// The cursor to start after: the `next` of the previous page.
    pub after: Option<String>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultPage<T> {
    /// The entries.
    pub items: Vec<T>,
    /// The length of the whole list.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}
