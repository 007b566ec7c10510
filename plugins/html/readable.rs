//! The part of a page that is there to be read.

use super::{Page, text};
use dom_smoothie::{Config, Readability};

/// Each element is looked at with all that lies in it, several times: more would take seconds.
const HEAVIEST: usize = 20_000_000;

impl Page {
    /// The text of its article, without what stands around it; the whole page's where none is found.
    /// `html` is what the page was parsed from.
    ///
    /// # Errors
    /// It would take too long.
    pub fn readable(&self, html: &str) -> Result<String, String> {
        if self.weight > HEAVIEST {
            return Err("its parts are too many, or lie too deep, to find the article: leave `readable` out".into());
        }
        let config = Config { disable_json_ld: true, ..Config::default() };
        let article = Readability::new(html, None, Some(config)).and_then(|mut page| page.parse()).ok();
        let article = article.map(|article| Self::parse(&article.content)).transpose()?;
        let told = article.map(|article| text(article.root())).filter(|told| !told.is_empty());
        Ok(told.unwrap_or_else(|| text(self.root())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(html: &str) -> String {
        Page::parse(html).expect("a page").readable(html).expect("it is light")
    }

    #[test]
    fn the_article_is_told_without_what_stands_around_it() {
        let more = "It goes on, sentence after sentence, as articles do, and says what there is to say. ".repeat(6);
        let article = format!(
            "<p>The first paragraph of the article says something at length.</p>\
             <h2>Then</h2><p>{more}</p>\
             <table><tr><td>One <td>Two</table><p>The last one ends it, with a <a href=x>link</a> to more.</p>"
        );
        let page = format!(
            "<body><header><p>A site with a long claim that everybody has to read first.</p></header>\
             <nav><ul><li><a href=1>Home, and where all the other pages are to be found</a></ul></nav>\
             <div id=content><article><h1>Title</h1>{article}</article></div>\
             <div class=comments><p>Somebody said a lot about this, and it was not very nice to read.</p></div>\
             <footer><p>All rights are reserved by whoever made this page in the year.</p></footer>"
        );
        let wanted = format!(
            "Title\nThe first paragraph of the article says something at length.\nThen\n{}\nOne\tTwo\n\
             The last one ends it, with a link to more.",
            more.trim_end()
        );
        assert_eq!(readable(&page), wanted);
    }

    #[test]
    fn a_page_that_says_little_is_told_whole() {
        for html in ["<h1>Hi</h1><nav>Home</nav><p>Short.", "<ul><li>Hi<li>Home<li>Short.</ul>"] {
            assert_eq!(readable(html), "Hi\nHome\nShort.", "{html}");
        }
        assert_eq!(readable(""), "");
    }

    #[test]
    fn what_would_take_long_is_not_begun() {
        let html = "<div>".repeat(400) + &"<p>x".repeat(50_000);
        let why = Page::parse(&html).expect("a page").readable(&html).expect_err("it is heavy");
        assert!(why.ends_with("leave `readable` out"), "{why}");
    }
}
