//! Brave, with a key: <https://api-dashboard.search.brave.com/documentation>.

use super::{Found, Search, listed};
use crate::{
    run::Failure,
    web::{
        Request,
        header::{ACCEPT, HeaderValue},
    },
};

/// Results that it gives at once.
const MOST: usize = 20;

pub async fn search(search: &Search<'_>) -> Result<Vec<Found>, Failure> {
    let mut key = HeaderValue::try_from(search.needed("brave_key")?)
        .map_err(|_| Failure::permanent("SEARCH: the setting `brave_key` has characters that no key has"))?;
    key.set_sensitive(true);
    let count = search.limit.min(MOST).to_string();
    let mut request = Request::get(search.url("brave_url", "", &[("q", search.query), ("count", &count)])?);
    request.headers.insert("x-subscription-token", key);
    request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let told = search.web.fetch(request).await?.good()?.json()?;
    Ok(listed(&told["web"]["results"], "title", "url", "description"))
}
