//! A client of the server API that knows nothing of our codec: the `thrift` crate reads and writes, values are trees, and
//! what the numbers mean stands in the tests, from the specification.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thrift::protocol::{
    TCompactInputProtocol, TCompactOutputProtocol, TFieldIdentifier, TInputProtocol, TListIdentifier,
    TMessageIdentifier, TMessageType, TOutputProtocol, TStructIdentifier, TType,
};
use thrift::transport::{TBufferedReadTransport, TBufferedWriteTransport};

/// A value; fields of structs by number.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Struct(Vec<(i16, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl Value {
    pub fn field(&self, number: i16) -> Option<&Self> {
        let Self::Struct(fields) = self else { return None };
        fields
            .iter()
            .find(|(id, _)| *id == number)
            .map(|(_, value)| value)
    }

    pub fn text(&self, number: i16) -> Option<&str> {
        match self.field(number)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn texts(&self, number: i16) -> Vec<&str> {
        let Some(Self::List(list)) = self.field(number) else {
            panic!("no list {number} in {self:?}");
        };
        let text = |value: &'_ Self| match value {
            Self::Text(text) => Some(text.as_str().to_owned()),
            _ => None,
        };
        let texts: Vec<String> = list.iter().filter_map(text).collect();
        texts.into_iter().map(|text| &*text.leak()).collect()
    }

    fn kind(&self) -> TType {
        match self {
            Self::Bool(_) => TType::Bool,
            Self::I8(_) => TType::I08,
            Self::I16(_) => TType::I16,
            Self::I32(_) => TType::I32,
            Self::I64(_) => TType::I64,
            Self::Text(_) => TType::String,
            Self::List(_) => TType::List,
            Self::Map(_) => TType::Map,
            Self::Struct(_) => TType::Struct,
        }
    }

    fn write(&self, out: &mut impl TOutputProtocol) -> thrift::Result<()> {
        match self {
            Self::Bool(value) => out.write_bool(*value),
            Self::I8(value) => out.write_i8(*value),
            Self::I16(value) => out.write_i16(*value),
            Self::I32(value) => out.write_i32(*value),
            Self::I64(value) => out.write_i64(*value),
            Self::Text(text) => out.write_string(text),
            Self::List(list) => {
                let kind = list.first().map_or(TType::String, Self::kind);
                let length = i32::try_from(list.len()).unwrap();
                out.write_list_begin(&TListIdentifier::new(kind, length))?;
                for value in list {
                    value.write(out)?;
                }
                out.write_list_end()
            }
            Self::Map(_) => panic!("no test sends one"),
            Self::Struct(fields) => {
                out.write_struct_begin(&TStructIdentifier::new("s"))?;
                for (number, value) in fields {
                    out.write_field_begin(&TFieldIdentifier::new("f", value.kind(), *number))?;
                    value.write(out)?;
                    out.write_field_end()?;
                }
                out.write_field_stop()?;
                out.write_struct_end()
            }
        }
    }

    fn read(kind: TType, from: &mut impl TInputProtocol) -> thrift::Result<Self> {
        Ok(match kind {
            TType::Bool => Self::Bool(from.read_bool()?),
            TType::I08 => Self::I8(from.read_i8()?),
            TType::I16 => Self::I16(from.read_i16()?),
            TType::I32 => Self::I32(from.read_i32()?),
            TType::I64 => Self::I64(from.read_i64()?),
            TType::String => Self::Text(String::from_utf8_lossy(&from.read_bytes()?).into_owned()),
            TType::List => {
                let head = from.read_list_begin()?;
                let list = (0..head.size).map(|_| Self::read(head.element_type, from));
                Self::List(list.collect::<thrift::Result<_>>()?)
            }
            TType::Map => {
                let head = from.read_map_begin()?;
                let mut pairs = Vec::new();
                for _ in 0..head.size {
                    let key = Self::read(head.key_type.unwrap(), from)?;
                    pairs.push((key, Self::read(head.value_type.unwrap(), from)?));
                }
                Self::Map(pairs)
            }
            TType::Struct => {
                from.read_struct_begin()?;
                let mut fields = Vec::new();
                loop {
                    let head = from.read_field_begin()?;
                    if head.field_type == TType::Stop {
                        break;
                    }
                    fields.push((head.id.unwrap(), Self::read(head.field_type, from)?));
                    from.read_field_end()?;
                }
                from.read_struct_end()?;
                Self::Struct(fields)
            }
            other => panic!("no result has a {other:?}"),
        })
    }
}

/// Texts as arguments from number 1 on.
pub fn texts(given: &[&str]) -> Value {
    let fields = (1_i16..)
        .zip(given)
        .map(|(number, text)| (number, Value::from(*text)));
    Value::Struct(fields.collect())
}

/// A struct as the only argument.
pub fn only(fields: Vec<(i16, Value)>) -> Value {
    Value::Struct(vec![(1, Value::Struct(fields))])
}

/// The text of an exception, or the result.
pub type Answer = Result<Value, String>;

fn stream(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// A connection.
pub struct ThriftClient {
    input: TCompactInputProtocol<TBufferedReadTransport<Box<dyn Read + Send>>>,
    output: TCompactOutputProtocol<TBufferedWriteTransport<Box<dyn Write + Send>>>,
    sequence: i32,
}

/// TLS over a stream: both directions change one state, and no test reads while it writes.
type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

struct Shared(Arc<Mutex<Tls>>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().read(buffer)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.lock().unwrap().flush()
    }
}

impl ThriftClient {
    pub fn connect(port: u16) -> Self {
        let stream = stream(port);
        Self::over(Box::new(stream.try_clone().unwrap()), Box::new(stream))
    }

    /// The same over TLS.
    pub fn connect_tls(port: u16, config: Arc<rustls::ClientConfig>) -> Self {
        let address = std::net::IpAddr::from([127, 0, 0, 1]).into();
        let tls = rustls::ClientConnection::new(config, address).unwrap();
        let tls = Arc::new(Mutex::new(Tls::new(tls, stream(port))));
        Self::over(Box::new(Shared(Arc::clone(&tls))), Box::new(Shared(tls)))
    }

    fn over(input: Box<dyn Read + Send>, output: Box<dyn Write + Send>) -> Self {
        Self {
            input: TCompactInputProtocol::new(TBufferedReadTransport::new(input)),
            output: TCompactOutputProtocol::new(TBufferedWriteTransport::new(output)),
            sequence: 0,
        }
    }

    /// A connection that has said who it is.
    pub fn authenticated(port: u16) -> Self {
        Self::connect(port).known()
    }

    /// Says who it is.
    pub fn known(mut self) -> Self {
        let client = &mut self;
        let ack = client.auth("console", "let me in");
        assert_eq!(ack.field(1), Some(&Value::Bool(true)), "{ack:?}");
        self
    }

    pub fn auth(&mut self, name: &str, password: &str) -> Value {
        let domain = Value::from("tlnet.top");
        let bean = vec![(1, name.into()), (2, password.into()), (3, domain)];
        self.call("Auth", only(bean)).unwrap()
    }

    /// Calls a method with a struct of arguments.
    pub fn call(&mut self, method: &str, arguments: Value) -> Answer {
        self.try_call(method, &arguments).unwrap()
    }

    pub fn try_call(&mut self, method: &str, arguments: &Value) -> thrift::Result<Answer> {
        // What waits is done on a thread of its own, and other tasks of the test go on.
        tokio::task::block_in_place(|| {
            self.sequence += 1;
            let head = TMessageIdentifier::new(method, TMessageType::Call, self.sequence);
            self.output.write_message_begin(&head)?;
            arguments.write(&mut self.output)?;
            self.output.write_message_end()?;
            self.output.flush()?;
            let answer = self.input.read_message_begin()?;
            assert_eq!(
                (answer.name.as_str(), answer.sequence_number),
                (method, self.sequence)
            );
            let body = Value::read(TType::Struct, &mut self.input)?;
            self.input.read_message_end()?;
            Ok(match answer.message_type {
                TMessageType::Reply => Ok(body.field(0).cloned().unwrap()),
                _ => Err(body.text(1).unwrap_or_default().to_owned()),
            })
        })
    }

    /// Calls a method that succeeds with an ack; the ack.
    pub fn done(&mut self, method: &str, arguments: Value) -> Value {
        let ack = self.call(method, arguments).unwrap();
        assert_eq!(ack.field(1), Some(&Value::Bool(true)), "{method}: {ack:?}");
        ack
    }

    /// Calls a method that is refused; the code.
    pub fn refused(&mut self, method: &str, arguments: Value) -> i32 {
        let ack = self.call(method, arguments).unwrap();
        match (ack.field(1), ack.field(3)) {
            (Some(Value::Bool(false)), Some(Value::I32(code))) => *code,
            _ => panic!("{method} was not refused: {ack:?}"),
        }
    }
}
