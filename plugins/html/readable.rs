//! The part of a page that is there to be read.

use super::tree::Page;

/// What stands around a text.
const AROUND: [&str; 8] = ["nav", "aside", "footer", "header", "form", "button", "menu", "dialog"];
/// Words in the class or id of what stands around a text.
const SIGNS: [&str; 12] = [
    "comment",
    "sidebar",
    "advert",
    "promo",
    "related",
    "share",
    "social",
    "cookie",
    "banner",
    "breadcrumb",
    "newsletter",
    "menu",
];
const PARAGRAPHS: [&str; 5] = ["p", "pre", "blockquote", "td", "li"];
/// Characters from which on a paragraph says something.
const SAYS: usize = 25;

impl Page {
    /// The text of the element in whose paragraphs most is said, without what stands around it; the
    /// whole page's where nobody says much.
    pub fn readable(&self) -> String {
        let mut scores = vec![0_usize; self.nodes.len()];
        let mut past = 0;
        for node in self.named(&PARAGRAPHS) {
            if node < past {
                continue;
            }
            past = self.nodes[node].end;
            if self.lies_around(node) {
                continue;
            }
            let said = self.text(node).chars().count();
            let linked: usize = (node..past)
                .filter(|inner| self.name(*inner) == Some("a"))
                .map(|link| self.text(link).chars().count())
                .sum();
            if said >= SAYS && linked * 2 < said {
                let parent = self.nodes[node].parent;
                scores[parent] += said * 2;
                scores[self.nodes[parent].parent] += said;
            }
        }
        let best = (0..scores.len()).rev().max_by_key(|node| scores[*node]).filter(|best| scores[*best] > 0);
        self.text_without(best.unwrap_or(0), &|node| self.is_around(node))
    }

    fn lies_around(&self, node: usize) -> bool {
        let mut at = node;
        while at > 0 {
            if self.is_around(at) {
                return true;
            }
            at = self.nodes[at].parent;
        }
        false
    }

    fn is_around(&self, node: usize) -> bool {
        let signs = |name| {
            let words = self.attribute(node, name).unwrap_or_default().to_ascii_lowercase();
            SIGNS.iter().any(|sign| words.contains(sign))
        };
        match self.name(node) {
            Some("html" | "body" | "main" | "article") | None => false,
            Some(name) => AROUND.contains(&name) || signs("class") || signs("id"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_article_is_told_without_what_stands_around_it() {
        let article = "<p>The first paragraph of the article says something at length.</p>\
                       <div class=share-buttons>Share</div><h2>Then</h2>\
                       <p>The second one goes on about it, with a <a href=x>link</a> to more.</p>";
        let page = format!(
            "<body><header><p>A site with a long claim that everybody has to read first.</p></header>\
             <nav><ul><li><a href=1>Home, and where all the other pages are to be found</a></ul></nav>\
             <div id=content><article><h1>Title</h1>{article}</article></div>\
             <div class=comments><p>Somebody said a lot about this, and it was not very nice to read.</p></div>\
             <footer><p>All rights are reserved by whoever made this page in the year.</p></footer>"
        );
        assert_eq!(
            Page::parse(&page).expect("a page").readable(),
            "Title\nThe first paragraph of the article says something at length.\nThen\n\
             The second one goes on about it, with a link to more."
        );
    }

    #[test]
    fn a_page_that_says_little_is_told_whole() {
        assert_eq!(Page::parse("<h1>Hi</h1><nav>Home</nav><p>Short.").expect("a page").readable(), "Hi\nShort.");
    }
}
