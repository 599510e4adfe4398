//! Texts of people: the empty one is absent.

/// The text, unless it is empty: what is absent is `null`, never `""`.
pub(crate) fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn an_empty_text_is_absent() {
        assert_eq!((said(""), said(" ").as_deref()), (None, Some(" ")));
    }
}
