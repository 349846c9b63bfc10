//! YAML with the line of every field.

use std::{collections::BTreeMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;
use tim_catalogue::{Cause, configuration};

use super::problem::{Problem, Problems};

/// A value and the line it begins at.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) value: Content,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Fields(Vec<Field>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) line: u64,
    pub(super) node: Node,
}

/// Where an object was written: the file, and the line of each of its fields.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    file: String,
    lines: BTreeMap<String, u64>,
}

impl Origin {
    pub(super) fn new(file: &str, root: &Node) -> Self {
        let mut lines = BTreeMap::new();
        root.collect_lines("", root.line, &mut lines);
        Self {
            file: file.to_owned(),
            lines,
        }
    }

    /// The file, as the user named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line of the field, or of the nearest one around it.
    pub fn line_of(&self, path: &str) -> u64 {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return *line;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None if path.is_empty() => return 1,
                None => path = "",
            }
        }
    }

    /// A problem at the line of a field.
    pub fn problem(&self, cause: &'static Cause, path: &str, message: impl Into<String>) -> Problem {
        Problem::new(cause, &self.file, self.line_of(path), message)
    }
}

/// Reads all documents of a text; empty ones are left out.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Node>, Problems> {
    let parsed: Result<Vec<Spanned<Content>>, _> = serde_saphyr::from_multiple(text);
    match parsed {
        Ok(documents) => Ok(documents
            .into_iter()
            .map(Node::from)
            .filter(|node| !matches!(node.value, Content::Null))
            .collect()),
        Err(error) => {
            let line = error.location().map_or(1, |location| location.line());
            let message = format!("not YAML: {}", first_line(&error.without_snippet().to_string()));
            Err(Problem::new(&configuration::UNREADABLE_FILE, file, line, message).into())
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The path of a field below another.
pub(super) fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

impl Node {
    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        match &self.value {
            Content::Fields(fields) => fields
                .iter()
                .find(|field| field.name == name)
                .map(|field| &field.node),
            _ => None,
        }
    }

    /// The text of a field.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match &self.get(name)?.value {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value without lines; a null field is left out, as an API server prunes it.
    pub(super) fn to_json(&self) -> Value {
        match &self.value {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Fields(fields) => fields
                .iter()
                .filter(|field| !matches!(field.node.value, Content::Null))
                .map(|field| (field.name.clone(), field.node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    fn collect_lines(&self, path: &str, line: u64, lines: &mut BTreeMap<String, u64>) {
        lines.insert(path.to_owned(), line);
        match &self.value {
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect_lines(&format!("{path}[{index}]"), item.line, lines);
                }
            }
            Content::Fields(fields) => {
                for field in fields {
                    field
                        .node
                        .collect_lines(&join(path, &field.name), field.line, lines);
                }
            }
            _ => {}
        }
    }
}

impl From<Spanned<Content>> for Node {
    fn from(spanned: Spanned<Content>) -> Self {
        Self {
            line: spanned.referenced.line(),
            value: spanned.value,
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Number::from_f64(value).map_or(Content::Null, Content::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Content, E> {
        Ok(Content::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Spanned<Content>>()? {
            items.push(item.into());
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let node: Node = access.next_value::<Spanned<Content>>()?.into();
            fields.push(Field {
                name: key.value,
                line: key.referenced.line(),
                node,
            });
        }
        Ok(Content::Fields(fields))
    }
}
