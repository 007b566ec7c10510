//! SearXNG, on a server that somebody runs: <https://docs.searxng.org/dev/search_api.html>.

use super::{Found, Search, listed};
use crate::{run::Failure, web::Request};

pub async fn search(search: &Search<'_>) -> Result<Vec<Found>, Failure> {
    let url = search.url("searxng_url", "/search", &[("q", search.query), ("format", "json")])?;
    let answer = search.web.fetch(Request::get(url)).await?;
    if answer.status == 403 {
        let remedy = "add `json` to `search.formats` in its settings.yml";
        return Err(Failure::permanent(format!("this SearXNG gives no JSON (403): {remedy}")));
    }
    Ok(listed(&answer.good()?.json()?["results"], "title", "url", "content"))
}
