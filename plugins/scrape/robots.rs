//! What a site lets machines ask for: `robots.txt`, RFC 9309.

use crate::{
    run::Failure,
    web::{AGENT, Request, Web, host, redirected, shown},
};
use url::{Origin, Url};

/// Bytes of the file that are read; what comes after is as if it were not there.
const MOST: usize = 500 * 1024;
/// Redirects that are followed, as the RFC wants it.
const HOPS: usize = 5;

/// Lines of a file that are for us: may we, and the paths that it says so of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(Vec<(bool, String)>);

/// May this address be asked for? `judged` holds what is known of sites so far.
///
/// # Errors
/// It may not, or nobody says so.
pub async fn check(web: &Web, url: &Url, judged: &mut Vec<(Origin, Rules)>) -> Result<(), Failure> {
    let origin = url.origin();
    let rules = match judged.iter().find(|(of, _)| *of == origin) {
        Some((_, rules)) => rules.clone(),
        None => {
            let rules = fetch(web, url).await?;
            judged.push((origin, rules.clone()));
            rules
        }
    };
    match rules.allow(url) {
        true => Ok(()),
        false => {
            Err(Failure::permanent(format!("the robots.txt of {} asks machines not to read {}", host(url), url.path())))
        }
    }
}

async fn fetch(web: &Web, url: &Url) -> Result<Rules, Failure> {
    let at = url.join("/robots.txt").map_err(|e| Failure::input(e.to_string()))?;
    let mut request = Request { most: MOST, ..Request::get(at) };
    for _ in 0..=HOPS {
        let answer = web.exchange(&request).await?;
        if let Some(next) = redirected(&request, &answer)? {
            request = next;
            continue;
        }
        return match answer.status {
            200..300 => Ok(Rules::parse(&String::from_utf8_lossy(&answer.body))),
            429 | 500.. => Err(Failure::transient(format!(
                "{} answered {}: while nobody says what machines may read, they may read nothing",
                shown(&answer.url),
                answer.status
            ))),
            // There is none.
            _ => Ok(Rules::default()),
        };
    }
    Ok(Rules::default())
}

impl Rules {
    /// The rules of all groups that name us, or else of those for everybody.
    pub fn parse(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let (mut ours, mut theirs) = (None, Vec::new());
        // The group is for us, for everybody; and the last line named somebody.
        let (mut us, mut all, mut naming) = (false, false, false);
        for line in text.split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            match key.as_str() {
                "user-agent" => {
                    if !naming {
                        (us, all) = (false, false);
                    }
                    naming = true;
                    all |= value == "*";
                    // `stage7/1.0` names us, too.
                    let name = value.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).next();
                    if name.is_some_and(|name| name.eq_ignore_ascii_case(AGENT)) {
                        us = true;
                        ours.get_or_insert_with(Vec::new);
                    }
                }
                "allow" | "disallow" => {
                    naming = false;
                    let rule = || (key == "allow", normal(value));
                    if value.is_empty() {
                        continue;
                    }
                    if let Some(ours) = ours.as_mut().filter(|_| us) {
                        ours.push(rule());
                    }
                    if all {
                        theirs.push(rule());
                    }
                }
                _ => {}
            }
        }
        Self(ours.unwrap_or(theirs))
    }

    /// The longest path that fits decides; of two that are as long, the one that allows.
    pub fn allow(&self, url: &Url) -> bool {
        let path = normal(&url[url::Position::BeforePath..url::Position::AfterQuery]);
        let fitting = self.0.iter().filter(|(_, pattern)| fits(pattern, &path));
        path == "/robots.txt"
            || fitting.max_by_key(|(allow, pattern)| (pattern.len(), *allow)).is_none_or(|(allow, _)| *allow)
    }
}

/// A path with each octet written in one way only.
fn normal(path: &str) -> String {
    let mut all = String::with_capacity(path.len());
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let octet = hex.filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        at += if octet.is_some() { 3 } else { 1 };
        match octet {
            Some(octet) if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) => all.push(octet.into()),
            Some(octet) => all.push_str(&format!("%{octet:02X}")),
            None if bytes[at - 1].is_ascii() => all.push(bytes[at - 1].into()),
            None => all.push_str(&format!("%{:02X}", bytes[at - 1])),
        }
    }
    all
}

/// `*` stands for anything, `$` at the end for the end. Each part is taken where it first comes, so
/// no pattern takes long.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, to_end) = pattern.strip_suffix('$').map_or((pattern, false), |pattern| (pattern, true));
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<_> = parts.collect();
    for (n, part) in parts.iter().enumerate() {
        if to_end && n + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    !to_end || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(robots: &str, path: &str) -> bool {
        Rules::parse(robots).allow(&Url::parse(&format!("https://a.example{path}")).expect("a URL"))
    }

    #[test]
    fn rules_are_read_as_the_rfc_says() {
        let us = |rules: &str| format!("User-agent: *\nDisallow: /\n\nUser-Agent: Stage7\n{rules}");
        for (robots, path, allows) in [
            ("", "/", true),
            ("user-agent: *\ndisallow: /", "/x", false),
            ("user-agent: *\ndisallow:", "/x", true),
            ("user-agent: other\ndisallow: /", "/x", true),
            ("User-Agent: other\nUser-agent: stage7\nDisallow: /x", "/x/y", false),
            ("user-agent: stage7/2.0\ndisallow: /x", "/x", false),
            ("user-agent: stage70\ndisallow: /x", "/x", true),
            ("\u{feff}user-agent: *\r\ndisallow: /x # why\r\n", "/x", false),
            ("disallow: /x\nuser-agent: *\ndisallow: /y", "/x", true),
            ("user-agent: *\ncrawl-delay: 1\ndisallow: /y", "/y", false),
            ("nonsense\nuser-agent: *\ndisallow: /y", "/y", false),
            // Two groups of the same name are one.
            (
                "user-agent: stage7\ndisallow: /a\nuser-agent: b\ndisallow: /\nuser-agent: stage7\ndisallow: /c",
                "/c",
                false,
            ),
            (&us("Disallow: /private"), "/public", true),
            (&us("Disallow: /private"), "/private/x", false),
            (&us("Allow: /a\nDisallow: /a/b"), "/a/b/c", false),
            (&us("Disallow: /a\nAllow: /a/b"), "/a/b/c", true),
            (&us("Disallow: /a\nAllow: /a"), "/a", true),
            (&us("Disallow: /*.gif$"), "/x/y.gif", false),
            (&us("Disallow: /*.gif$"), "/x/y.gif?z", true),
            (&us("Disallow: /*?secret="), "/x?secret=1", false),
            (&us("Disallow: /a*b*c"), "/a1b2", true),
            (&us("Disallow: /a$"), "/ab", true),
            (&us("Disallow: /%7Ejoe"), "/~joe/x", false),
            (&us("Disallow: /ü"), "/%C3%BC", false),
            (&us("Disallow: /a%2fb"), "/a%2Fb", false),
            (&us("Disallow: /a%2fb"), "/a/b", true),
            (&us("Disallow: /"), "/robots.txt", true),
        ] {
            assert_eq!(allowed(robots, path), allows, "{robots:?} {path}");
        }
    }
}
