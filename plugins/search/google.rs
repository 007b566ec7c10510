//! Google's Custom Search, with a key and an engine:
//! <https://developers.google.com/custom-search/v1/reference/rest/v1/cse/list>.

use super::{Found, Search, listed};
use crate::{run::Failure, web::Request};

/// Results that it gives at once.
const MOST: usize = 10;

pub async fn search(search: &Search<'_>) -> Result<Vec<Found>, Failure> {
    let (key, engine) = (search.needed("google_key")?, search.needed("google_engine")?);
    let count = search.limit.min(MOST).to_string();
    let query = [("key", key), ("cx", engine), ("q", search.query), ("num", &count)];
    let told = search.web.fetch(Request::get(search.url("google_url", "", &query)?)).await?.good()?.json()?;
    Ok(listed(&told["items"], "title", "link", "snippet"))
}
