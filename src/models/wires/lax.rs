//! Fields of servers that do not keep to the types that they publish: read as what they mean, so that an odd one
//! does not cost the event that it stands in. It must never fail on anything that is valid JSON.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A string; empty for null and for anything else. Of a list of parts it is their texts.
#[derive(Default)]
pub(super) struct Text<'a>(pub(in crate::models::wires) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

struct TextVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for TextVisitor<'a> {
    type Value = Text<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Text::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Text::default())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Text::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = String::new();
        while let Some(part) = seq.next_element::<&RawValue>()? {
            match serde_json::from_str::<Value>(part.get()) {
                Ok(Value::String(text)) => all.push_str(&text),
                Ok(part) => all.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default()),
                Err(error) => return Err(A::Error::custom(error)),
            }
        }
        Ok(Text(Cow::Owned(all)))
    }
}

/// A whole number, or nothing.
#[derive(Clone, Copy, Default)]
pub(super) struct Number(pub(in crate::models::wires) Option<u64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Float(number) = Float::deserialize(deserializer)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float's cast saturates"
        )]
        let whole = |number: f64| number as u64;
        Ok(Self(number.filter(|number| *number >= 0.0).map(whole)))
    }
}

/// A number, or nothing.
#[derive(Clone, Copy, Default)]
pub(super) struct Float(pub(in crate::models::wires) Option<f64>);

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FloatVisitor;
        impl<'de> Visitor<'de> for FloatVisitor {
            type Value = Float;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
            fn visit_u64<E: Error>(self, number: u64) -> Result<Float, E> {
                Ok(Float(Some(number as f64)))
            }
            #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
            fn visit_i64<E: Error>(self, number: i64) -> Result<Float, E> {
                Ok(Float(Some(number as f64)))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Float, E> {
                Ok(Float(Some(number)))
            }
            fn visit_unit<E: Error>(self) -> Result<Float, E> {
                Ok(Float(None))
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Float, E> {
                Ok(Float(None))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Float, E> {
                Ok(Float(text.parse().ok().filter(|number: &f64| number.is_finite())))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Float, A::Error> {
                // Some servers split a price into parts, with their sum beside them.
                let mut total = Float(None);
                while let Some(name) = map.next_key::<Text<'_>>()? {
                    if name.0 == "total_cost" {
                        total = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(total)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Float, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Float(None))
            }
        }
        deserializer.deserialize_any(FloatVisitor)
    }
}

/// The first elements of a list: no more are kept, so that a list of nothing cannot fill the memory. Empty where
/// it is no list, or one of its elements is not what it should be.
#[derive(Debug)]
pub(super) struct List<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> List<T, MAX> {
    /// The list that `raw` is.
    pub(super) fn of(raw: Option<&'de RawValue>) -> Vec<T> {
        let list: Option<Self> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        list.unwrap_or_default().0
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
            type Value = List<T, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < MAX {
                    let Some(element) = seq.next_element()? else { return Ok(List(kept)) };
                    kept.push(element);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(List(kept))
            }
        }
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

/// What stands in a list under a number of its own.
pub(super) trait Numbered {
    /// Its place, 0 where it says none.
    fn index(&self) -> u64;
}

/// The element with index 0, without a list being made of them; none where the list is null.
pub(super) struct First<T>(pub(super) Option<T>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de> + Numbered> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FirstVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Numbered> Visitor<'de> for FirstVisitor<T> {
            type Value = First<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(First(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut first = None;
                while let Some(element) = seq.next_element::<Option<T>>()? {
                    if first.is_none() && element.as_ref().is_some_and(|element| element.index() == 0) {
                        first = element;
                    }
                }
                Ok(First(first))
            }
        }
        deserializer.deserialize_any(FirstVisitor(PhantomData))
    }
}

/// Pieces of what may be `MAX` in all, and one more, by which a list that is too long is known: a list of nothing
/// cannot fill the memory. Nulls say nothing.
pub(super) struct Pieces<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for Pieces<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Pieces<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PiecesVisitor<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for PiecesVisitor<T, MAX> {
            type Value = Pieces<T, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Pieces::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut pieces = Vec::new();
                while let Some(piece) = seq.next_element::<Option<T>>()? {
                    pieces.extend(piece);
                    if pieces.len() > MAX {
                        while seq.next_element::<IgnoredAny>()?.is_some() {}
                    }
                }
                Ok(Pieces(pieces))
            }
        }
        deserializer.deserialize_any(PiecesVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_bounded() {
        let list = |text: &str| serde_json::from_str::<List<u8, 2>>(text).map(|list| list.0).ok();
        assert_eq!(list("[1]"), Some(vec![1]));
        assert_eq!(list("[1,2,3,{}]"), Some(vec![1, 2]));
        assert_eq!(list("{}"), None);
        assert_eq!(List::<u8, 2>::of(None), Vec::<u8>::new());
    }
}
