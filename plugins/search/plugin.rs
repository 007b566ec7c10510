//! Searches the web, by one of several providers.

mod brave;
mod duckduckgo;
mod google;
mod searxng;

use crate::{
    html::{self, Page},
    run::{Done, Failure, Run},
    web::{self, Web},
};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use url::Url;

/// Settings that nobody chose.
pub const DEFAULTS: &[(&str, &str)] = &[
    ("provider", "duckduckgo"),
    ("duckduckgo_url", "https://html.duckduckgo.com/html/"),
    ("brave_url", "https://api.search.brave.com/res/v1/web/search"),
    ("google_url", "https://www.googleapis.com/customsearch/v1"),
];
/// Results, where nobody says how many; and at most.
const LIMIT: usize = 10;
const MOST: usize = 20;
/// Characters of a title or a snippet.
const LONGEST: usize = 2000;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    title: String,
    url: String,
    snippet: String,
}

/// A search on its way to a provider.
struct Search<'a> {
    run: &'a Run,
    web: &'a Web,
    query: &'a str,
    limit: usize,
}

pub fn run<'a>(run: &'a Run, web: &'a Web) -> BoxFuture<'a, Result<Done, Failure>> {
    Box::pin(async move {
        let limit = run.inputs.get("limit").and_then(Value::as_u64).map_or(LIMIT, |limit| limit as usize);
        let search = Search { run, web, query: run.text("query")?, limit };
        let chosen = run.inputs.get("provider").and_then(Value::as_str);
        let provider = chosen.or_else(|| run.setting("provider", DEFAULTS)).unwrap_or_default();
        let found = match provider {
            "searxng" => searxng::search(&search).await?,
            "duckduckgo" => duckduckgo::search(&search).await?,
            "brave" => brave::search(&search).await?,
            "google" => google::search(&search).await?,
            other => return Err(Failure::input(format!("`{other}` is no provider of SEARCH"))),
        };
        let shown = |found: Found| json!({"title": found.title, "url": found.url, "snippet": found.snippet});
        let is_page = |found: &Found| found.url.starts_with("https://") || found.url.starts_with("http://");
        let results: Vec<_> = found.into_iter().filter(is_page).take(limit).map(shown).collect();
        Ok(Done::with([("results", results.into()), ("provider", provider.into())]))
    })
}

impl Search<'_> {
    /// A setting that the provider can't do without.
    fn needed(&self, name: &str) -> Result<&str, Failure> {
        let remedy = format!("`stage7 plugin set SEARCH {name} …`, or choose another `provider`");
        self.run
            .setting(name, DEFAULTS)
            .ok_or_else(|| Failure::permanent(format!("SEARCH: the setting `{name}` is missing: {remedy}")))
    }

    /// The address that a setting names, with a query.
    fn url(&self, setting: &str, path: &str, query: &[(&str, &str)]) -> Result<Url, Failure> {
        let base = self.needed(setting)?;
        let base = if path.is_empty() { base } else { base.trim_end_matches('/') };
        let wrong =
            |failure: Failure| Failure::permanent(format!("SEARCH: the setting `{setting}`: {}", failure.message));
        let mut url = web::parse(&format!("{base}{path}")).map_err(wrong)?;
        let takes_key = setting != "searxng_url" && setting != "duckduckgo_url";
        if takes_key && url.scheme() != "https" && !self.web.is_private(&url) {
            return Err(wrong(Failure::input("it must begin with https://, or all could read the key")));
        }
        url.query_pairs_mut().extend_pairs(query);
        Ok(url)
    }
}

/// The results in a list of JSON objects, by the names of their fields.
fn listed(list: &Value, title: &str, url: &str, snippet: &str) -> Vec<Found> {
    let text = |of: &Value, name: &str| plain(of[name].as_str().unwrap_or_default());
    let one = |of: &Value| Found {
        title: text(of, title),
        url: of[url].as_str().unwrap_or_default().into(),
        snippet: text(of, snippet),
    };
    list.as_array().into_iter().flatten().take(MOST).map(one).collect()
}

/// A text without the tags and entities that some providers put into it.
fn plain(text: &str) -> String {
    let text: String = text.chars().take(LONGEST).collect();
    if !text.contains(['<', '&']) {
        return text.trim().into();
    }
    Page::parse(&text).map_or(text, |page| html::text(page.root()))
}
