//! What came back, and what it says.

use super::shown;
use crate::run::Failure;
use encoding_rs::{Encoding, UTF_8};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use url::Url;

/// How far into a page its own word for its encoding is looked for.
const PRESCAN: usize = 1024;

/// An answer with any status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Where it is from.
    pub url: Url,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// There was more of it.
    pub cut: bool,
}

impl Answer {
    /// The same, where nothing of it is missing.
    ///
    /// # Errors
    /// It was too long.
    pub fn whole(self) -> Result<Self, Failure> {
        match self.cut {
            false => Ok(self),
            true => Err(Failure::permanent(format!(
                "the answer of {} is longer than {} MiB",
                shown(&self.url),
                self.body.len() >> 20
            ))),
        }
    }

    /// The same, where the server says that all went well.
    ///
    /// # Errors
    /// It says something else: a busy one may think otherwise later.
    pub fn good(self) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let message = format!("{} answered {}{}", shown(&self.url), self.status, self.reason());
        match self.status {
            408 | 425 | 429 | 500.. => Err(Failure::transient(message)),
            _ => Err(Failure::permanent(message)),
        }
    }

    /// What its body says of what went wrong, where it says so in one of the usual places.
    fn reason(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let places = ["/error/message", "/error/detail", "/reason", "/message", "/error"];
        let said = places.iter().find_map(|place| body.pointer(place)?.as_str());
        said.map(|said| format!(": {}", said.chars().filter(|c| !c.is_control()).take(300).collect::<String>()))
            .unwrap_or_default()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|e| Failure::transient(format!("{} did not answer with JSON: {e}", shown(&self.url))))
    }

    /// Its media type in lower case, without parameters; empty when it has none.
    pub fn media_type(&self) -> String {
        let named = self.content_type();
        named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text: its first bytes, the header, and in pages a `meta` say in which encoding it
    /// is, in this order; else it is UTF-8.
    pub fn text(&self) -> String {
        let head = &self.body[..self.body.len().min(PRESCAN)];
        let meta = || match self.media_type().contains("html") {
            // A page that says so in single bytes is not in two of them.
            true => charset(&String::from_utf8_lossy(head)).map(Encoding::output_encoding),
            false => None,
        };
        let encoding = charset(self.content_type()).or_else(meta).unwrap_or(UTF_8);
        encoding.decode(&self.body).0.into_owned()
    }
}

/// The first encoding that a text names.
fn charset(text: &str) -> Option<&'static Encoding> {
    let text = text.to_ascii_lowercase();
    text.match_indices("charset").find_map(|(at, word)| {
        let named =
            text[at + word.len()..].trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let end = named.find(|c: char| c.is_whitespace() || "\"'>;/".contains(c)).unwrap_or(named.len());
        Encoding::for_label(&named.as_bytes()[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    fn answer(status: u16, content_type: &'static str, body: &[u8]) -> Answer {
        let headers = [(CONTENT_TYPE, content_type.parse().expect("a header"))].into_iter().collect();
        let url = "https://a.example/x?key=secret".parse().expect("a URL");
        Answer { url, status, headers, body: body.into(), cut: false }
    }

    #[test]
    fn texts_are_read_in_their_encoding() {
        for (content_type, body, wanted) in [
            ("text/html", "<p>ü".as_bytes(), "<p>ü"),
            ("text/html; charset=ISO-8859-1", b"<p>\xfc", "<p>ü"),
            ("text/html; charset=\"windows-1251\"", b"<p>\xef", "<p>п"),
            ("text/html", b"<meta charset='latin1'><p>\xfc", "<meta charset='latin1'><p>ü"),
            (
                "text/html",
                b"<meta http-equiv=content-type content='text/html; charset=shift_jis'>\x82\xa0",
                "<meta http-equiv=content-type content='text/html; charset=shift_jis'>あ",
            ),
            ("text/html; charset=utf-8", b"<meta charset=latin1>\xc3\xbc", "<meta charset=latin1>ü"),
            ("text/html; charset=nonsense", b"<meta charset=latin1>\xfc", "<meta charset=latin1>ü"),
            ("text/html; charset=latin1", b"\xef\xbb\xbfx\xc3\xbc", "xü"),
            ("text/html", b"\xff\xfea\0", "a"),
            ("text/plain", b"charset=latin1 \xc3\xbc", "charset=latin1 ü"),
            ("text/html", b"\xfc", "\u{fffd}"),
        ] {
            assert_eq!(answer(200, content_type, body).text(), wanted, "{content_type}");
        }
    }

    #[test]
    fn a_bad_status_says_why_and_keeps_the_query_to_itself() {
        for (status, body, class, wanted) in [
            (
                429,
                r#"{"error": true, "reason": "Too many"}"#,
                Class::Transient,
                "https://a.example/x answered 429: Too many",
            ),
            (503, "<html>", Class::Transient, "https://a.example/x answered 503"),
            (403, r#"{"error": {"message": "N\u001bo"}}"#, Class::Permanent, "https://a.example/x answered 403: No"),
            (304, "", Class::Permanent, "https://a.example/x answered 304"),
        ] {
            let failure = answer(status, "application/json", body.as_bytes()).good().expect_err("bad");
            assert_eq!((failure.class, failure.message.as_str()), (class, wanted));
        }
        assert!(answer(204, "text/plain", b"").good().is_ok());
    }
}
