//! Reads pages of the web, as far as their sites let machines read them.

mod robots;

use crate::{
    html::{ElementRef, Page, Selector, text},
    run::{Done, Failure, Run},
    web::{self, Answer, Request, Web, redirected, shown},
};
use futures::future::BoxFuture;
use serde_json::Value;
use url::Url;

const LIMIT: usize = 100;
/// Bytes of a page, unpacked.
const MOST: usize = 5 << 20;
/// Bytes of all items: elements that lie in each other say the same again.
const LONGEST: usize = 8 << 20;
const HOPS: usize = 10;
/// Attributes that hold an address.
const LINKS: [&str; 5] = ["href", "src", "action", "cite", "poster"];

/// What is wanted of a page.
struct Wanted {
    selector: Option<Selector>,
    attribute: Option<String>,
    limit: usize,
    readable: bool,
}

pub fn run<'a>(run: &'a Run, web: &'a Web) -> BoxFuture<'a, Result<Done, Failure>> {
    Box::pin(async move {
        let wanted = Wanted::of(run)?;
        let answer = visit(web, web::parse(run.text("url")?)?).await?;
        let read = tokio::task::spawn_blocking(move || wanted.read(&answer)).await;
        read.map_err(|e| Failure::permanent(format!("the page can't be read: {e}")))?
    })
}

/// Gets a page; each address on the way to it is one that the site lets machines ask for.
async fn visit(web: &Web, url: Url) -> Result<Answer, Failure> {
    let from = shown(&url);
    let mut request = Request { most: MOST, ..Request::get(url) };
    let mut judged = Vec::new();
    for _ in 0..=HOPS {
        robots::check(web, &request.url, &mut judged).await?;
        let answer = web.exchange(&request).await?;
        match redirected(&request, &answer)? {
            Some(next) => request = next,
            None if matches!(answer.status, 404 | 410) => {
                return Err(Failure::input(format!("there is no page at {} ({})", shown(&answer.url), answer.status)));
            }
            None => return answer.good()?.whole(),
        }
    }
    Err(Failure::permanent(format!("{from} redirects more than {HOPS} times")))
}

impl Wanted {
    fn of(run: &Run) -> Result<Self, Failure> {
        let text = |name: &str| run.inputs.get(name).and_then(Value::as_str);
        let selector = text("selector").map(str::parse::<Selector>).transpose();
        let selector = selector.map_err(|why| Failure::input(format!("`selector`: {why}")))?;
        let attribute = text("attribute").map(str::to_ascii_lowercase);
        if attribute.is_some() && selector.is_none() {
            return Err(Failure::input("`attribute` needs a `selector`, as `a`"));
        }
        let limit = run.inputs.get("limit").and_then(Value::as_u64).map_or(LIMIT, |limit| limit as usize);
        let readable = run.inputs.get("readable").and_then(Value::as_bool).unwrap_or_default();
        Ok(Self { selector, attribute, limit, readable })
    }

    fn read(&self, answer: &Answer) -> Result<Done, Failure> {
        let (at, media_type) = (shown(&answer.url), answer.media_type());
        if !matches!(media_type.as_str(), "text/html" | "application/xhtml+xml" | "") {
            return self.plain(answer, &media_type);
        }
        let html = answer.text();
        let trap = |why| Failure::permanent(format!("{at}: {why}"));
        let page = Page::parse(&html).map_err(trap)?;
        let selected = self.selector.as_ref().map(|selector| selector.select(page.root())).transpose();
        let selected = selected.map_err(|why| Failure::input(format!("`selector`: {why}")))?.unwrap_or_default();
        let base = base(&page, &answer.url);
        let item = |element: ElementRef<'_>| match &self.attribute {
            None => Some(text(element)),
            Some(name) if LINKS.contains(&name.as_str()) => {
                let link = element.attr(name)?;
                Some(base.join(link).map_or_else(|_| link.into(), Into::into))
            }
            Some(name) => element.attr(name).map(Into::into),
        };
        let (mut items, mut size) = (Vec::new(), 0);
        for item in selected.into_iter().filter_map(item).take(self.limit) {
            size += item.len();
            if size > LONGEST {
                let remedy = "narrow it, or lower `limit`";
                return Err(Failure::input(format!("`selector` finds more than {} MiB: {remedy}", LONGEST >> 20)));
            }
            items.push(Value::from(item));
        }
        let text = if self.readable { page.readable(&html).map_err(trap)? } else { text(page.root()) };
        Ok(Done::with([("items", items.into()), ("text", text.into()), ("title", page.title().into())]))
    }

    /// What is text but no page.
    fn plain(&self, answer: &Answer, media_type: &str) -> Result<Done, Failure> {
        let at = shown(&answer.url);
        let is_text = media_type.starts_with("text/") || media_type.ends_with("json") || media_type.ends_with("xml");
        match (is_text, &self.selector) {
            (false, _) => {
                Err(Failure::permanent(format!("{at} is {media_type}, which is no page: API_CLIENT gets it")))
            }
            (true, Some(_)) => {
                Err(Failure::input(format!("{at} is {media_type}: without elements, leave `selector` out")))
            }
            (true, None) => Ok(Done::with([
                ("items", Value::Array(Vec::new())),
                ("text", answer.text().into()),
                ("title", "".into()),
            ])),
        }
    }
}

/// What relative links are relative to.
fn base(page: &Page, url: &Url) -> Url {
    let named = page.named("base").find_map(|base| base.attr("href"));
    named.and_then(|href| url.join(href).ok()).unwrap_or_else(|| url.clone())
}
