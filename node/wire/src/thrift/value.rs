//! How the types of struct fields look in the compact protocol.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Kind, Reader, Writer};
use crate::DecodeError;
use crate::wire_struct::WireStruct;

/// A type that can be a field.
pub(crate) trait ThriftValue: Sized {
    /// The kind to announce for this value.
    fn kind(&self) -> Kind;

    /// Whether a field of that kind can be read as this type; if not, it is skipped.
    fn accepts(kind: Kind) -> bool;

    /// Reads a value of an accepted kind. Nothing when what is inside has another type; it is skipped then.
    fn read(reader: &mut Reader<'_>, kind: Kind) -> Result<Option<Self>, DecodeError>;

    /// Writes the value.
    fn write(&self, writer: &mut Writer);
}

/// A type that can also be in a list or a map. Bools cannot here: they look different there, and tim has none.
pub(crate) trait ThriftElement: ThriftValue {
    /// The kind of all its values.
    const KIND: Kind;
}

impl ThriftValue for bool {
    fn kind(&self) -> Kind {
        if *self { Kind::True } else { Kind::False }
    }

    fn accepts(kind: Kind) -> bool {
        matches!(kind, Kind::True | Kind::False)
    }

    fn read(_: &mut Reader<'_>, kind: Kind) -> Result<Option<Self>, DecodeError> {
        Ok(Some(kind == Kind::True))
    }

    fn write(&self, _: &mut Writer) {}
}

/// The methods that are the same for every type with one kind.
macro_rules! one_kind {
    ($kind:ident) => {
        fn kind(&self) -> Kind {
            Kind::$kind
        }

        fn accepts(kind: Kind) -> bool {
            kind == Kind::$kind
        }
    };
}

impl ThriftValue for i8 {
    one_kind!(I8);

    fn read(reader: &mut Reader<'_>, _: Kind) -> Result<Option<Self>, DecodeError> {
        Ok(Some(reader.byte()?.cast_signed()))
    }

    fn write(&self, writer: &mut Writer) {
        writer.byte(self.cast_unsigned());
    }
}

macro_rules! zigzag {
    ($type:ty, $kind:ident) => {
        impl ThriftValue for $type {
            one_kind!($kind);

            fn read(reader: &mut Reader<'_>, _: Kind) -> Result<Option<Self>, DecodeError> {
                reader.small().map(Some)
            }

            fn write(&self, writer: &mut Writer) {
                writer.i64(i64::from(*self));
            }
        }
    };
}
zigzag!(i16, I16);
zigzag!(i32, I32);
zigzag!(i64, I64);

impl ThriftElement for i64 {
    const KIND: Kind = Kind::I64;
}

impl ThriftValue for String {
    one_kind!(Binary);

    fn read(reader: &mut Reader<'_>, _: Kind) -> Result<Option<Self>, DecodeError> {
        Ok(Some(reader.text()?.to_owned()))
    }

    fn write(&self, writer: &mut Writer) {
        writer.binary(self.as_bytes());
    }
}

impl ThriftElement for String {
    const KIND: Kind = Kind::Binary;
}

impl ThriftValue for Bytes {
    one_kind!(Binary);

    fn read(reader: &mut Reader<'_>, _: Kind) -> Result<Option<Self>, DecodeError> {
        reader.binary_shared().map(Some)
    }

    fn write(&self, writer: &mut Writer) {
        writer.binary(self);
    }
}

impl ThriftElement for Bytes {
    const KIND: Kind = Kind::Binary;
}

impl<T: ThriftElement> ThriftValue for Vec<T> {
    one_kind!(List);

    fn read(reader: &mut Reader<'_>, _: Kind) -> Result<Option<Self>, DecodeError> {
        let (kind, count) = reader.list()?;
        if count > 0 && !T::accepts(kind) {
            reader.skip_elements(kind, count)?;
            return Ok(None);
        }
        reader.enter()?;
        let mut list = Self::new();
        for _ in 0..count {
            reader.charge(size_of::<T>())?;
            list.extend(T::read(reader, kind)?);
        }
        reader.leave();
        Ok(Some(list))
    }

    fn write(&self, writer: &mut Writer) {
        writer.list(T::KIND, self.len());
        for element in self {
            element.write(writer);
        }
    }
}

impl<T: ThriftElement> ThriftValue for BTreeMap<String, T> {
    one_kind!(Map);

    fn read(reader: &mut Reader<'_>, _: Kind) -> Result<Option<Self>, DecodeError> {
        let mut map = Self::new();
        let Some((key_kind, value_kind, count)) = reader.map()? else {
            return Ok(Some(map));
        };
        if key_kind != Kind::Binary || !T::accepts(value_kind) {
            reader.skip_pairs(key_kind, value_kind, count)?;
            return Ok(None);
        }
        reader.enter()?;
        for _ in 0..count {
            reader.charge(size_of::<(String, T)>())?;
            let key = reader.text()?.to_owned();
            if let Some(value) = T::read(reader, value_kind)? {
                map.insert(key, value);
            }
        }
        reader.leave();
        Ok(Some(map))
    }

    fn write(&self, writer: &mut Writer) {
        writer.map(Kind::Binary, T::KIND, self.len());
        for (key, value) in self {
            writer.binary(key.as_bytes());
            value.write(writer);
        }
    }
}

impl<T: WireStruct> ThriftValue for T {
    one_kind!(Struct);

    fn read(reader: &mut Reader<'_>, _: Kind) -> Result<Option<Self>, DecodeError> {
        reader.enter()?;
        let mut value = Self::default();
        let mut previous = 0;
        while let Some(header) = reader.field(previous)? {
            previous = header.id;
            if !value.read_thrift_field(header, reader)? {
                reader.skip(header.kind)?;
            }
        }
        reader.leave();
        Ok(Some(value))
    }

    fn write(&self, writer: &mut Writer) {
        self.write_thrift_fields(writer);
        writer.stop();
    }
}

impl<T: WireStruct> ThriftElement for T {
    const KIND: Kind = Kind::Struct;
}
