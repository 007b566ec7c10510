//! DuckDuckGo's page for browsers without scripts: it has no API and wants no key, and gives a puzzle
//! instead of results to whom it takes for a machine that asks too much.

use super::{Found, MOST, Search};
use crate::{
    html::{self, Page, Selector},
    run::Failure,
    web::Request,
};
use url::Url;

pub async fn search(search: &Search<'_>) -> Result<Vec<Found>, Failure> {
    let answer = search.web.fetch(Request::get(search.url("duckduckgo_url", "", &[("q", search.query)])?)).await?;
    let base = answer.url.clone();
    let text = answer.good()?.text();
    let read = tokio::task::spawn_blocking(move || results(&text, &base)).await;
    read.map_err(|e| Failure::permanent(format!("DuckDuckGo's page can't be read: {e}")))?
}

fn results(text: &str, base: &Url) -> Result<Vec<Found>, Failure> {
    let page =
        Page::parse(text).map_err(|why| Failure::permanent(format!("DuckDuckGo's page can't be read: {why}")))?;
    let select = |selector: &str, within| {
        let selector: Selector = selector.parse().expect("a test reads it");
        let slow = |why| Failure::permanent(format!("DuckDuckGo's page can't be read: {why}"));
        selector.select(within).map_err(slow)
    };
    let root = page.root();
    if !select("#challenge-form, .anomaly-modal__modal", root)?.is_empty() {
        let remedy = "wait, or choose another `provider`";
        return Err(Failure::transient(format!(
            "DuckDuckGo wants to see a person, for it was asked too often: {remedy}"
        )));
    }
    let results = select(".result:not(.result--ad, .result--no-result)", root)?;
    if results.is_empty() && select(".no-results, .result--no-result, form", root)?.is_empty() {
        return Err(Failure::transient("DuckDuckGo's answer is no page of results"));
    }
    let mut found = Vec::new();
    for result in results.into_iter().take(MOST) {
        let snippet =
            select(".result__snippet", result)?.first().map(|snippet| html::text(*snippet)).unwrap_or_default();
        let link = select(".result__a", result)?.first().copied();
        let leads = link.and_then(|link| Some((html::text(link), target(base, link.attr("href")?)?)));
        found.extend(leads.map(|(title, url)| Found { title, url, snippet }));
    }
    Ok(found)
}

/// Where a link leads: most go by a page of DuckDuckGo's own, `/l/?uddg=…`.
fn target(base: &Url, href: &str) -> Option<String> {
    let url = base.join(href).ok()?;
    let through = url.query_pairs().find(|(name, _)| name == "uddg").map(|(_, target)| target.into_owned());
    Some(through.unwrap_or_else(|| url.into()))
}
