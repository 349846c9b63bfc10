//! Reads JSON text in which a member may have the wrong type.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::JsonValue;
use crate::DecodeError;
use crate::wire_struct::WireStruct;

/// Reads a struct from text that must be one JSON object (or `null`, an empty one).
pub(crate) fn read<T: WireStruct>(text: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let broken = |error: serde_json::Error| DecodeError::Json {
        reason: error.to_string(),
    };
    let value = TopLevel(PhantomData)
        .deserialize(&mut deserializer)
        .map_err(broken)?;
    deserializer.end().map_err(broken)?;
    Ok(value)
}

/// Accepts only an object, so that a list or a number at the top is an error and not an empty struct.
struct TopLevel<T>(PhantomData<T>);

impl<'de, T: WireStruct> DeserializeSeed<'de> for TopLevel<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: WireStruct> Visitor<'de> for TopLevel<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        Ok(T::from_object(map)?.unwrap_or_default())
    }
}

/// Reads any JSON value; nothing when it is null or not of type `T`.
pub(crate) struct Lenient<T>(PhantomData<T>);

impl<T> Lenient<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: JsonValue> DeserializeSeed<'de> for Lenient<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: JsonValue> Visitor<'de> for Lenient<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Option<T>, E> {
        Ok(T::from_bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Option<T>, E> {
        Ok(T::from_integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Option<T>, E> {
        Ok(i64::try_from(value).ok().and_then(T::from_integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Option<T>, E> {
        // Browsers have no integers; 2^53 is where their numbers stop being exact.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let whole = value.fract() == 0.0 && value.abs() <= EXACT;
        Ok(if whole {
            T::from_integer(value as i64)
        } else {
            None
        })
    }

    fn visit_str<E>(self, value: &str) -> Result<Option<T>, E> {
        Ok(T::from_text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Option<T>, A::Error> {
        T::from_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::from_object(map)
    }
}

/// Finds which member of a struct a name means, without keeping the name.
pub(super) struct MemberName<T>(PhantomData<T>);

impl<T> MemberName<T> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: WireStruct> DeserializeSeed<'de> for MemberName<T> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T: WireStruct> Visitor<'_> for MemberName<T> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        // Any case is accepted: timjs writes `vNode` for `VNode` (section 6).
        Ok(T::MEMBERS
            .iter()
            .position(|member| member.eq_ignore_ascii_case(name)))
    }
}
