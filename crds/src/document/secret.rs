//! Secrets among the documents: what a cluster refers to, on a machine without an API server.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use tim_catalogue::configuration;

use super::{
    Origin, Problems,
    node::{Content, Node},
};

/// A Secret. Its values are never displayed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// Its namespace, if the document says one.
    pub namespace: Option<String>,
    /// Keys and their values, decoded.
    pub data: BTreeMap<String, Vec<u8>>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Secret")
            .field("name", &self.name)
            .field("namespace", &self.namespace)
            .field("keys", &self.data.keys().collect::<Vec<_>>())
            .finish()
    }
}

pub(super) fn from_node(root: &Node, origin: &Origin) -> Result<Secret, Problems> {
    let metadata = root.get("metadata");
    let Some(name) = metadata.and_then(|metadata| metadata.text("name")) else {
        return Err(origin
            .problem(
                &configuration::MISSING_FIELD,
                "metadata",
                "metadata.name is missing",
            )
            .into());
    };
    let mut secret = Secret {
        name: name.to_owned(),
        namespace: metadata
            .and_then(|metadata| metadata.text("namespace"))
            .map(str::to_owned),
        data: BTreeMap::new(),
    };
    // As in Kubernetes, `stringData` is written over `data`.
    for (part, encoded) in [("data", true), ("stringData", false)] {
        let Some(Content::Fields(fields)) = root.get(part).map(|node| &node.value) else {
            continue;
        };
        for field in fields {
            let path = format!("{part}.{}", field.name);
            let wrong =
                |what: &str| origin.problem(&configuration::INVALID_VALUE, &path, format!("{path} {what}"));
            let Content::Text(text) = &field.node.value else {
                return Err(wrong("must be a string").into());
            };
            let value = if encoded {
                STANDARD
                    .decode(text.split_whitespace().collect::<String>())
                    .map_err(|_| wrong("must be base64; plain text belongs under stringData"))?
            } else {
                text.clone().into_bytes()
            };
            secret.data.insert(field.name.clone(), value);
        }
    }
    Ok(secret)
}
