//! DuckDuckGo's page for browsers without scripts: it has no API and wants no key, and gives a puzzle
//! instead of results to whom it takes for a machine that asks too much.

use super::{Found, Search};
use crate::{
    html::{Page, Selector},
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
    let select = |selector: &str| selector.parse::<Selector>().expect("a test reads it").select(&page);
    if !select("#challenge-form, .anomaly-modal__modal").is_empty() {
        let remedy = "wait, or choose another `provider`";
        return Err(Failure::transient(format!(
            "DuckDuckGo wants to see a person, for it was asked too often: {remedy}"
        )));
    }
    let (links, snippets) = (select(".result__a"), select(".result__snippet"));
    let results = select(".result:not(.result--ad):not(.result--no-result)");
    if results.is_empty() && select(".no-results, .result--no-result").is_empty() && select("form").is_empty() {
        return Err(Failure::transient("DuckDuckGo's answer is no page of results"));
    }
    let found = results.into_iter().filter_map(|result| {
        let inside = |all: &[usize]| all.iter().copied().find(|at| (result..page.nodes[result].end).contains(at));
        let link = inside(&links)?;
        let snippet = inside(&snippets).map(|at| page.text(at)).unwrap_or_default();
        Some(Found { title: page.text(link), url: target(base, page.attribute(link, "href")?)?, snippet })
    });
    Ok(found.collect())
}

/// Where a link leads: most go by a page of DuckDuckGo's own, `/l/?uddg=…`.
fn target(base: &Url, href: &str) -> Option<String> {
    let url = base.join(href).ok()?;
    let through = url.query_pairs().find(|(name, _)| name == "uddg").map(|(_, target)| target.into_owned());
    Some(through.unwrap_or_else(|| url.into()))
}
