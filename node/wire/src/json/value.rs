//! How the types of struct fields look in JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::lenient::MemberName;
use super::{Lenient, ObjectWriter, write_integer, write_text};
use crate::wire_struct::WireStruct;

/// Standard base64, padded when written; padding may be missing when read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A type that can be a member. Each `from_…` says what a JSON value of that sort becomes; nothing means
/// that it is not of this type.
pub(crate) trait JsonValue: Sized {
    /// Writes the value.
    fn write_json(&self, out: &mut Vec<u8>);

    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    fn from_integer(_: i64) -> Option<Self> {
        None
    }

    fn from_text(_: &str) -> Option<Self> {
        None
    }

    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn from_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl JsonValue for bool {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl JsonValue for $type {
            fn write_json(&self, out: &mut Vec<u8>) {
                write_integer(out, i64::from(*self));
            }

            fn from_integer(value: i64) -> Option<Self> {
                Self::try_from(value).ok()
            }
        }
    )*};
}
integer!(i8, i16, i32, i64);

impl JsonValue for String {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_text(out, self);
    }

    fn from_text(value: &str) -> Option<Self> {
        Some(value.to_owned())
    }
}

impl JsonValue for Bytes {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_text(out, &BASE64.encode(self));
    }

    fn from_text(value: &str) -> Option<Self> {
        BASE64.decode(value).ok().map(Self::from)
    }
}

impl<T: JsonValue> JsonValue for Vec<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, element) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            element.write_json(out);
        }
        out.push(b']');
    }

    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut elements = Self::new();
        while let Some(element) = list.next_element_seed(Lenient::new())? {
            elements.extend(element);
        }
        Ok(Some(elements))
    }
}

impl<T: JsonValue> JsonValue for BTreeMap<String, T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        for (key, value) in self {
            object.member(key, value);
        }
        object.end();
    }

    fn from_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut entries = Self::new();
        while let Some(key) = map.next_key::<String>()? {
            if let Some(value) = map.next_value_seed(Lenient::new())? {
                entries.insert(key, value);
            }
        }
        Ok(Some(entries))
    }
}

impl<T: WireStruct> JsonValue for T {
    fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        self.write_json_members(&mut object);
        object.end();
    }

    fn from_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut value = Self::default();
        while let Some(member) = map.next_key_seed(MemberName::<Self>::new())? {
            match member {
                Some(index) => value.read_json_member(index, &mut map)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(value))
    }
}
