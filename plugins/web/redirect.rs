//! Where an answer leads, and what goes along.

use super::{Answer, Request, parse};
use crate::run::Failure;
use reqwest::{
    Method,
    header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderName, LOCATION, USER_AGENT},
};

/// All that another host is told; everything else may be a secret.
const TOLD: [HeaderName; 4] = [ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT];

/// The request that a redirect asks for; none when the answer is no redirect.
///
/// # Errors
/// It leads to what is no address of the web.
pub fn redirected(request: &Request, answer: &Answer) -> Result<Option<Request>, Failure> {
    let location = answer.headers.get(LOCATION).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    let (301..=303 | 307 | 308, Some(location)) = (answer.status, location) else { return Ok(None) };
    let from = &request.url;
    let url = from.join(location).map_err(|e| e.to_string()).and_then(|url| parse(url.as_str()).map_err(|e| e.message));
    let mut next = request.clone();
    next.url = url.map_err(|why| Failure::permanent(format!("{} redirects wrongly: {why}", super::shown(from))))?;
    let becomes_get = match answer.status {
        303 => request.method != Method::HEAD,
        301 | 302 => request.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        next.method = Method::GET;
        next.body = None;
        next.headers.remove(CONTENT_TYPE);
    }
    if next.url.origin() != from.origin() {
        next.headers =
            next.headers.iter().filter(|(name, _)| TOLD.contains(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderMap, HeaderValue};

    fn led(from: &str, method: Method, status: u16, to: &str) -> Result<Option<Request>, Failure> {
        let mut request = Request::new(method, from.parse().expect("a URL"));
        for name in ["authorization", "cookie", "x-api-key", "accept", "content-type"] {
            request.headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        request.body = Some(b"body".to_vec());
        let headers: HeaderMap = [(LOCATION, to.parse().expect("a header"))].into_iter().collect();
        redirected(&request, &Answer { url: request.url.clone(), status, headers, body: Vec::new(), cut: false })
    }

    #[test]
    fn another_host_is_told_no_secret() {
        for (to, told) in [
            ("/b", 5),
            ("https://a.example:443/c", 5),
            ("http://a.example/b", 2),
            ("https://a.example:444/b", 2),
            ("//b.example/", 2),
        ] {
            let next = led("https://a.example/a", Method::GET, 307, to).expect("right").expect("a redirect");
            assert_eq!(next.headers.len(), told, "{to}");
        }
    }

    #[test]
    fn a_redirect_keeps_or_drops_method_and_body() {
        for (method, status, becomes) in [
            (Method::POST, 301, Method::GET),
            (Method::POST, 302, Method::GET),
            (Method::PUT, 302, Method::PUT),
            (Method::PUT, 303, Method::GET),
            (Method::POST, 307, Method::POST),
            (Method::POST, 308, Method::POST),
        ] {
            let next = led("https://a.example/a", method, status, "b").expect("right").expect("a redirect");
            assert_eq!((next.url.path(), next.body.is_some()), ("/b", becomes != Method::GET), "{status}");
            assert_eq!(next.method, becomes);
        }
        assert_eq!(led("https://a.example/a", Method::GET, 304, "/b").expect("right").map(|next| next.url), None);
    }

    #[test]
    fn a_redirect_leads_to_the_web_only() {
        for to in ["file:///etc/passwd", "ftp://a.example/", "https://me:secret@b.example/", "https://"] {
            let failure = led("https://a.example/a?key=k", Method::GET, 302, to).expect_err(to);
            assert!(failure.message.starts_with("https://a.example/a redirects wrongly: "), "{failure}");
        }
    }
}
