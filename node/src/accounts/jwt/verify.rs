//! Whether a token is the issuer's, for us, and good now. No I/O, and no clock of its own.

use super::keys::Known;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};
use tim_config::{JsonWebTokens, JwtAlgorithm};

/// Longest token in bytes.
const TOKEN_BYTES_MAX: usize = 8_192;

/// Who a token says logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) domain: Option<String>,
}

/// What of a token's head decides about its key.
#[derive(Debug)]
pub(super) struct Header {
    algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

fn algorithm(configured: JwtAlgorithm) -> Algorithm {
    match configured {
        JwtAlgorithm::HS256 => Algorithm::HS256,
        JwtAlgorithm::HS384 => Algorithm::HS384,
        JwtAlgorithm::HS512 => Algorithm::HS512,
        JwtAlgorithm::RS256 => Algorithm::RS256,
        JwtAlgorithm::RS384 => Algorithm::RS384,
        JwtAlgorithm::RS512 => Algorithm::RS512,
        JwtAlgorithm::PS256 => Algorithm::PS256,
        JwtAlgorithm::ES256 => Algorithm::ES256,
        JwtAlgorithm::ES384 => Algorithm::ES384,
    }
}

/// The head of a token that may be verified at all.
pub(super) fn header(config: &JsonWebTokens, token: &str) -> Option<Header> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    let allowed = config
        .algorithms
        .iter()
        .any(|allowed| algorithm(*allowed) == header.alg);
    allowed.then_some(Header {
        algorithm: header.alg,
        key_id: header.kid,
    })
}

/// Who it says logs in, if everything about it is right; `now` in Unix seconds.
pub(super) fn identity(
    config: &JsonWebTokens,
    keys: &Known,
    header: &Header,
    token: &str,
    now: i64,
) -> Option<Identity> {
    let name = format!("{:?}", header.algorithm);
    let mut fitting = keys.keys.iter().filter(|key| {
        let named = key.id.is_none() || header.key_id.is_none() || key.id == header.key_id;
        named && key.algorithm.as_ref().is_none_or(|own| *own == name)
    });
    let claims = fitting.find_map(|key| {
        let mut signature = Validation::new(header.algorithm);
        // The claims are looked at below, by the clock that we are given.
        signature.validate_exp = false;
        signature.validate_aud = false;
        signature.required_spec_claims.clear();
        let token = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &signature);
        token.ok().map(|token| token.claims)
    })?;
    is_good(config, &claims, now).then_some(())?;
    let text = |claim: &str| match claims.get(claim)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let domain = match config.domain_claim.as_str() {
        "" => None,
        claim => Some(text(claim)?),
    };
    Some(Identity {
        name: text(&config.account_claim)?,
        domain,
    })
}

/// Of the issuer, for us, not over and already begun.
fn is_good(config: &JsonWebTokens, claims: &Map<String, Value>, now: i64) -> bool {
    let is = |value: &Value, wanted: &str| value.as_str() == Some(wanted);
    let issued = claims.get("iss").is_some_and(|issuer| is(issuer, &config.issuer));
    let for_us = claims.get("aud").is_some_and(|audience| match audience {
        Value::Array(all) => all.iter().any(|one| is(one, &config.audience)),
        one => is(one, &config.audience),
    });
    let leeway = i64::try_from(config.leeway_seconds).unwrap_or(0);
    let time = |claim: &str| claims.get(claim).map(|time| time.as_f64().unwrap_or(f64::NAN));
    // Whole seconds are exact; what is no number compares as false.
    #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 have 31 bits")]
    let (latest, earliest) = ((now - leeway) as f64, (now + leeway) as f64);
    let lasts = time("exp").is_some_and(|end| end > latest);
    let begun = time("nbf").is_none_or(|begin| begin <= earliest);
    issued && for_us && lasts && begun
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, encode};
    use serde_json::json;

    const NOW: i64 = 1_700_000_000;

    fn config() -> JsonWebTokens {
        JsonWebTokens {
            issuer: "id".to_owned(),
            audience: "chat".to_owned(),
            algorithms: vec![JwtAlgorithm::HS256],
            domain_claim: "org".to_owned(),
            ..JsonWebTokens::default()
        }
    }

    fn claims() -> Value {
        json!({"iss": "id", "aud": ["mail", "chat"], "sub": "alice", "org": "d", "exp": NOW + 60})
    }

    fn token(algorithm: Algorithm, secret: &[u8], claims: &Value) -> String {
        let header = jsonwebtoken::Header::new(algorithm);
        encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    fn looked_at(token: &str) -> Option<Identity> {
        let (config, keys) = (config(), Known::secret(b"secret"));
        let header = header(&config, token)?;
        identity(&config, &keys, &header, token, NOW)
    }

    #[test]
    fn a_good_token_says_who_logs_in() {
        let told = looked_at(&token(Algorithm::HS256, b"secret", &claims()));
        let alice = Identity {
            name: "alice".to_owned(),
            domain: Some("d".to_owned()),
        };
        assert_eq!(told, Some(alice));
    }

    #[test]
    fn every_wrong_claim_keeps_out() {
        for (claim, value) in [
            ("iss", json!("other")),
            ("iss", Value::Null),
            ("aud", json!("mail")),
            ("aud", json!([])),
            ("exp", json!(NOW - 31)),
            ("exp", Value::Null),
            ("exp", json!("tomorrow")),
            ("nbf", json!(NOW + 31)),
            ("sub", Value::Null),
            ("sub", json!("")),
            ("org", Value::Null),
        ] {
            let mut claims = claims();
            claims[claim] = value.clone();
            assert_eq!(
                looked_at(&token(Algorithm::HS256, b"secret", &claims)),
                None,
                "{claim} {value}"
            );
        }
        let mut late = claims();
        late["exp"] = json!(NOW - 29);
        assert!(
            looked_at(&token(Algorithm::HS256, b"secret", &late)).is_some(),
            "within the leeway"
        );
    }

    #[test]
    fn another_key_algorithm_or_text_keeps_out() {
        let good = token(Algorithm::HS256, b"secret", &claims());
        let (head, signature) = good.rsplit_once('.').unwrap();
        let (_, body) = head.split_once('.').unwrap();
        // {"alg":"none"}
        let unsigned = format!("eyJhbGciOiJub25lIn0.{body}.");
        for wrong in [
            token(Algorithm::HS256, b"guess", &claims()),
            token(Algorithm::HS512, b"secret", &claims()),
            format!("{head}x.{signature}"),
            unsigned,
            "a.b.c".to_owned(),
            "x".repeat(TOKEN_BYTES_MAX + 1),
        ] {
            assert_eq!(looked_at(&wrong), None, "{wrong}");
        }
    }
}
