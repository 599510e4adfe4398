//! A field that is a string or a list of strings.

use serde::Deserialize;
use serde::de::{self, Deserializer, Error as _};

/// Deserializes a string, or a list of at least one string, into values that are parsed from strings.
pub(crate) fn deserialize_one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct OneOrManyVisitor<T>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for OneOrManyVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a string or a list of strings")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            T::deserialize(de::value::StrDeserializer::new(text)).map(|value| vec![value])
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
            let mut values = Vec::new();
            while let Some(value) = entries.next_element()? {
                values.push(value);
            }
            if values.is_empty() { Err(A::Error::custom("the list must not be empty")) } else { Ok(values) }
        }
    }

    deserializer.deserialize_any(OneOrManyVisitor(std::marker::PhantomData))
}
