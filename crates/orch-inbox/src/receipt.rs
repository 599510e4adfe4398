//! Repeating a request: the answer of the first time is recorded with the change and given again.

/// What a door knows of a request that may be repeated.
#[derive(Clone, Copy)]
pub struct Receipt<'a, T> {
    /// The caller's request id.
    pub key: &'a str,
    /// A digest of the command and its arguments, after defaults and file contents.
    pub fingerprint: &'a str,
    /// Turns the outcome into the answer's `data`, which is what is recorded.
    pub encode: &'a dyn Fn(&T) -> String,
}

/// An outcome, or the recorded answer of the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response<T> {
    /// The change was made now.
    Fresh(T),
    /// The change was made before; this is the `data` that was answered then, as JSON.
    Replayed(String),
}
