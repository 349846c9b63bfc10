//! One description per struct, from which both encodings follow.
//!
//! [`wire_struct!`] takes the table of the specification (number, name, type, required or optional) and
//! makes the Rust struct with its thrift and JSON forms.

use bytes::Bytes;
use serde::de::MapAccess;

use crate::json::{self, JsonValue, ObjectWriter};
use crate::thrift::{FieldHeader, Kind, Reader, ThriftValue, Writer};
use crate::{DecodeError, Encoding};

/// Room for a usual payload, so that most are written without growing the buffer.
const PAYLOAD_CAPACITY: usize = 256;

/// A struct of the protocol.
///
/// Optional fields are left out when unset; required ones are always written, and have their default value
/// when the other side left them out. Unknown fields and fields of another type are skipped.
pub trait WireStruct: Default + Sized + sealed::Sealed {
    /// Names of the JSON members, in the order of the field numbers.
    const MEMBERS: &'static [&'static str];

    /// Writes all set fields.
    #[doc(hidden)]
    fn write_thrift_fields(&self, writer: &mut Writer);

    /// Reads the field if it is one of ours and has the right kind; says whether it did.
    #[doc(hidden)]
    fn read_thrift_field(
        &mut self,
        header: FieldHeader,
        reader: &mut Reader<'_>,
    ) -> Result<bool, DecodeError>;

    /// Writes all set members.
    #[doc(hidden)]
    fn write_json_members(&self, object: &mut ObjectWriter<'_>);

    /// Reads the value of the member at that place of the table.
    #[doc(hidden)]
    fn read_json_member<'de, A: MapAccess<'de>>(&mut self, index: usize, map: &mut A)
    -> Result<(), A::Error>;

    /// The payload of a frame. Encode once per encoding: the frames of several sessions differ only in their
    /// header, see [`crate::frame::server_frame`].
    #[must_use]
    fn encode_payload(&self, encoding: Encoding) -> Bytes {
        match encoding {
            Encoding::Thrift => {
                let mut writer = Writer::with_capacity(PAYLOAD_CAPACITY);
                ThriftValue::write(self, &mut writer);
                writer.into_bytes().into()
            }
            Encoding::Json => {
                let mut out = Vec::with_capacity(PAYLOAD_CAPACITY);
                self.write_json(&mut out);
                out.into()
            }
        }
    }

    /// Reads the payload of a frame. Binary fields share the payload's memory. Bytes after the end of a
    /// thrift struct are ignored, as old Java clients send some.
    ///
    /// # Errors
    /// When the payload is not in that encoding; see [`DecodeError::wire_code`] for what to answer.
    fn decode_payload(payload: &Bytes, encoding: Encoding) -> Result<Self, DecodeError> {
        match encoding {
            Encoding::Thrift => {
                let mut reader = Reader::of_shared(payload);
                Ok(<Self as ThriftValue>::read(&mut reader, Kind::Struct)?.unwrap_or_default())
            }
            Encoding::Json => json::read(payload),
        }
    }
}

pub(crate) mod sealed {
    //! Keeps the structs of the protocol to this crate.

    /// Only this crate can implement it.
    pub trait Sealed {}
}

/// Makes a struct of the protocol from the table of its fields:
/// `required` or `optional`, number, JSON name, Rust name, type.
macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[$field_meta:meta])*
                $presence:ident $id:literal $member:literal $field:ident: $type:ty
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Default)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                pub $field: $crate::wire_struct::field_type!($presence, $type),
            )*
        }

        impl $crate::wire_struct::sealed::Sealed for $name {}

        impl $crate::wire_struct::WireStruct for $name {
            const MEMBERS: &'static [&'static str] = &[$($member),*];

            fn write_thrift_fields(&self, writer: &mut $crate::thrift::Writer) {
                let mut previous = 0;
                $(
                    if let Some(value) = $crate::wire_struct::field_ref!($presence, self.$field) {
                        writer.field(previous, $id, $crate::thrift::ThriftValue::kind(value));
                        $crate::thrift::ThriftValue::write(value, writer);
                        previous = $id;
                    }
                )*
                let _ = previous;
            }

            fn read_thrift_field(
                &mut self,
                header: $crate::thrift::FieldHeader,
                reader: &mut $crate::thrift::Reader<'_>,
            ) -> Result<bool, $crate::DecodeError> {
                match header.id {
                    $(
                        $id if <$type as $crate::thrift::ThriftValue>::accepts(header.kind) => {
                            if let Some(value) = $crate::thrift::ThriftValue::read(reader, header.kind)? {
                                self.$field = $crate::wire_struct::field_value!($presence, value);
                            }
                            Ok(true)
                        }
                    )*
                    _ => Ok(false),
                }
            }

            fn write_json_members(&self, object: &mut $crate::json::ObjectWriter<'_>) {
                $(
                    if let Some(value) = $crate::wire_struct::field_ref!($presence, self.$field) {
                        object.member($member, value);
                    }
                )*
            }

            fn read_json_member<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                index: usize,
                map: &mut A,
            ) -> Result<(), A::Error> {
                let mut here = 0_usize;
                $(
                    if index == here {
                        if let Some(value) = map.next_value_seed($crate::json::Lenient::<$type>::new())? {
                            self.$field = $crate::wire_struct::field_value!($presence, value);
                        }
                        return Ok(());
                    }
                    here += 1;
                )*
                let _ = here;
                Ok(())
            }
        }

        #[cfg(test)]
        impl $crate::structs::sample::Sample for $name {
            fn sample(random: &mut rand::rngs::StdRng) -> Self {
                Self { $($field: $crate::structs::sample::Sample::sample(random)),* }
            }
        }
    };
}

/// The Rust type of a field.
macro_rules! field_type {
    (required, $type:ty) => { $type };
    (optional, $type:ty) => { Option<$type> };
}

/// The value to write, if there is one.
macro_rules! field_ref {
    (required, $place:expr) => {
        Some(&$place)
    };
    (optional, $place:expr) => {
        $place.as_ref()
    };
}

/// A value that was read, as the field keeps it.
macro_rules! field_value {
    (required, $value:expr) => {
        $value
    };
    (optional, $value:expr) => {
        Some($value)
    };
}

pub(crate) use {field_ref, field_type, field_value, wire_struct};
