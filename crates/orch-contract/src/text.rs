//! Optional texts: an empty one is absent.

/// Returns the text, or `None` if it is empty: absent texts are `null`, never `""`.
pub(crate) fn none_if_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::none_if_empty;

    #[test]
    fn an_empty_text_is_absent() {
        assert_eq!((none_if_empty(""), none_if_empty(" ").as_deref()), (None, Some(" ")));
    }
}
