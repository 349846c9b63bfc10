//! Bodies and parameters of requests: what they hold beside the known fields is refused with the nearest name.

use crate::admin::limits;
use crate::admin::problem::{self, Problem};
use crate::admin::routes::AdminState;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tim_catalogue::{administration as causes, configuration};
use utoipa::PartialSchema;
use utoipa::openapi::{RefOr, Schema, schema::Object};

/// The JSON body of a request. The fields are those of its schema, which is what the API describes.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

/// The parameters after the question mark.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned + PartialSchema> FromRequest<AdminState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        let bytes = limits::body(request.into_body(), state).await?;
        read(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + PartialSchema + Send> FromRequestParts<AdminState> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AdminState) -> Result<Self, Problem> {
        params(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn invalid(observed: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, &causes::INVALID_REQUEST, observed)
}

/// Refuses fields that the schema does not know, and tells which it wants and does not get.
fn check_names<'name, T: PartialSchema>(
    given: impl Iterator<Item = &'name str> + Clone,
) -> Result<(), Problem> {
    let RefOr::T(Schema::Object(Object {
        properties, required, ..
    })) = T::schema()
    else {
        return Ok(());
    };
    if let Some(name) = given.clone().find(|name| !properties.contains_key(*name)) {
        return Err(problem::unknown(name, properties.keys()));
    }
    let missing = required
        .iter()
        .find(|name| !given.clone().any(|given| given == *name));
    missing.map_or(Ok(()), |name| {
        Err(Problem::invalid(
            &configuration::MISSING_FIELD,
            name,
            "is missing",
        ))
    })
}

fn read<T: DeserializeOwned + PartialSchema>(bytes: &[u8]) -> Result<T, Problem> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| invalid(&format!("the body is not JSON: {error}")))?;
    let Value::Object(members) = &value else {
        return Err(invalid("the body is not a JSON object"));
    };
    check_names::<T>(members.keys().map(String::as_str))?;
    serde_path_to_error::deserialize(value).map_err(|error| at(&error.path().to_string(), error.inner()))
}

fn params<T: DeserializeOwned + PartialSchema>(query: &str) -> Result<T, Problem> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
        .map_err(|error| invalid(&format!("the parameters cannot be read: {error}")))?;
    check_names::<T>(pairs.iter().map(|(name, _)| name.as_str()))?;
    let pairs =
        serde::de::value::MapDeserializer::new(pairs.into_iter().map(|(name, value)| (name, Param(value))));
    serde_path_to_error::deserialize(pairs).map_err(
        |error: serde_path_to_error::Error<serde::de::value::Error>| {
            at(&error.path().to_string(), error.inner())
        },
    )
}

fn at(path: &str, error: &impl std::fmt::Display) -> Problem {
    match path {
        "." | "?" => invalid(&error.to_string()),
        path => Problem::field(path, &error.to_string()),
    }
}

/// The text of a parameter, read as what the field wants.
struct Param(String);

impl<'de> serde::de::IntoDeserializer<'de, serde::de::value::Error> for Param {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> serde::Deserializer<'de> for Param {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_u32<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let number = self.0.parse();
        visitor
            .visit_u32(number.map_err(|_| serde::de::Error::custom(format!("{:?} is not a number", self.0)))?)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(serde::de::IntoDeserializer::into_deserializer(self.0))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use utoipa::ToSchema;

    #[derive(Debug, PartialEq, Deserialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    struct Sample {
        name: String,
        device_limit: Option<u32>,
    }

    fn refused(body: &str) -> String {
        read::<Sample>(body.as_bytes()).unwrap_err().wire().1
    }

    #[test]
    fn bodies_are_read_or_refused_with_the_field() {
        let sample: Sample = read(br#"{"name": "a", "deviceLimit": 3}"#).unwrap();
        assert_eq!(sample.device_limit, Some(3));
        for (body, wanted) in [
            ("", "A104 the body is not JSON"),
            ("[1]", "A104 the body is not a JSON object"),
            (
                r#"{"deviceLimt": 3}"#,
                "C101 deviceLimt: is not a field of this request; did you mean deviceLimit?",
            ),
            (r#"{"deviceLimit": 3}"#, "C105 name: is missing"),
            (r#"{"name": 3}"#, "A104 name: invalid type"),
            (
                r#"{"name": "a", "deviceLimit": -1}"#,
                "A104 deviceLimit: invalid value",
            ),
        ] {
            let told = refused(body);
            assert!(told.contains(wanted), "{body}: {told}");
        }
    }

    #[test]
    fn parameters_are_read_or_refused_with_their_name() {
        let sample: Sample = params("name=a%20b&deviceLimit=3").unwrap();
        assert_eq!((sample.name.as_str(), sample.device_limit), ("a b", Some(3)));
        for (query, wanted) in [
            ("name=a&limit=1", "C101 limit: is not a field"),
            (
                "name=a&deviceLimit=x",
                "A104 deviceLimit: \\\"x\\\" is not a number",
            ),
            ("", "C105 name: is missing"),
            ("name=a&name=b", "duplicate field"),
        ] {
            let told = params::<Sample>(query).unwrap_err().wire().1;
            assert!(told.replace('"', "\\\"").contains(wanted), "{query}: {told}");
        }
    }
}
