//! Secrets go to the host that they were granted for, and nowhere else.

use crate::{
    run::{Failure, Run},
    web::{
        self, Hosts, Request, Web,
        header::{AUTHORIZATION, HeaderName, HeaderValue},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// Puts the secret that `auth` names into a request.
///
/// # Errors
/// It was not granted for this host, or would travel for all to read.
pub fn add(request: &mut Request, auth: &Value, run: &Run, web: &Web) -> Result<(), Failure> {
    let text = |name: &str| auth.get(name).and_then(Value::as_str);
    let name = text("secret").ok_or_else(|| Failure::input("`auth.secret`, the name of a secret, is missing"))?;
    let host = web::host(&request.url);
    let remedy = |verb| format!("it is granted by `stage7 secret {verb} {name} --for API_CLIENT@{host}`");
    let known: Vec<_> = run.secrets.iter().filter(|secret| secret.name == name).collect();
    let goes_there = |to: &&str| to.parse::<Hosts>().is_ok_and(|hosts| hosts.hold(&request.url));
    let secret = known.iter().find(|secret| secret.host.as_deref().filter(goes_there).is_some());
    let secret = secret.ok_or_else(|| match known.is_empty() {
        true => Failure::input(format!("API_CLIENT has no secret `{name}` for {host}: {}", remedy("set"))),
        false => Failure::input(format!("the secret `{name}` may not be sent to {host}: {}", remedy("grant"))),
    })?;
    if request.url.scheme() != "https" && !web.is_private(&request.url) {
        return Err(Failure::input(format!("the secret `{name}` would go to {host} for all to read: use https://")));
    }
    let (header, value): (HeaderName, String) = match text("type") {
        Some("bearer") => (AUTHORIZATION, format!("Bearer {}", secret.value)),
        Some("basic") if text("user").is_some_and(|user| user.contains(':')) => {
            return Err(Failure::input("`auth.user` holds a colon, which no user's name may: it ends there"));
        }
        Some("basic") => {
            let pair = text("user").map_or_else(|| secret.value.clone(), |user| format!("{user}:{}", secret.value));
            (AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)))
        }
        Some("api_key") => {
            let name = text("name").unwrap_or("X-API-Key");
            if text("in") == Some("query") {
                request.url.query_pairs_mut().append_pair(name, &secret.value);
                return Ok(());
            }
            let header = name.parse().map_err(|_| Failure::input(format!("`auth.name`: {name:?} is no header")))?;
            (header, secret.value.clone())
        }
        other => {
            let other = other.unwrap_or_default();
            return Err(Failure::input(format!("`auth.type` is {other:?}, not bearer, basic or api_key")));
        }
    };
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| Failure::input(format!("the secret `{name}` has characters that no header may have")))?;
    value.set_sensitive(true);
    request.headers.insert(header, value);
    Ok(())
}
