//! CSS selectors over a page.

use super::element::{Element, Patience};
use cssparser::{BasicParseErrorKind, ParseErrorKind, Parser};
use scraper::{ElementRef, selector};
use selectors::{
    SelectorList,
    matching::{
        MatchingContext, MatchingForInvalidation, MatchingMode, NeedsSelectorFlags, QuirksMode, SelectorCaches,
        matches_selector_list,
    },
    parser::{ParseRelative, SelectorParseErrorKind as Fault},
};
use std::{str::FromStr, time::Duration};

/// A selector of a few signs may look at each element from each other one.
const TIME: Duration = Duration::from_secs(5);
const KNOWN: &str = ":first-child, :last-child, :only-child, :nth-child(), :nth-last-child(), the same -of-type, \
                     :not(), :is(), :where(), :has(), :root, :empty";

/// Selectors with commas between: what any of them selects.
#[derive(Debug, Clone)]
pub struct Selector(SelectorList<selector::Simple>);

impl Selector {
    /// What it selects of an element and all that lies in it, in order.
    ///
    /// # Errors
    /// It takes too long.
    pub fn select<'a>(&self, within: ElementRef<'a>) -> Result<Vec<ElementRef<'a>>, String> {
        self.selected(within, TIME).ok_or_else(|| format!("it takes longer than {} s on this page", TIME.as_secs()))
    }

    fn selected<'a>(&self, within: ElementRef<'a>, time: Duration) -> Option<Vec<ElementRef<'a>>> {
        let patience = Patience::new(time);
        let mut caches = SelectorCaches::default();
        let mut selects = |element| {
            let mut context = MatchingContext::new(
                MatchingMode::Normal,
                None,
                &mut caches,
                QuirksMode::NoQuirks,
                NeedsSelectorFlags::No,
                MatchingForInvalidation::No,
            );
            matches_selector_list(&self.0, &Element::new(element, &patience), &mut context)
        };
        let all = within.descendent_elements().take_while(|_| !patience.is_over());
        let selected = all.filter(|element| selects(*element)).collect();
        (!patience.is_over()).then_some(selected)
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = SelectorList::parse(&selector::Parser, &mut Parser::new(text), ParseRelative::No);
        parsed.map(Self).map_err(|error| format!("`{text}` is no selector: {}", fault(error.kind)))
    }
}

fn fault(kind: ParseErrorKind<Fault>) -> String {
    let why = match kind {
        ParseErrorKind::Basic(BasicParseErrorKind::EndOfInput) => "its end is missing",
        ParseErrorKind::Basic(BasicParseErrorKind::TooManyNestedBlocks) => "its brackets lie too deep in each other",
        ParseErrorKind::Basic(_) => "there is something in it that belongs to none",
        ParseErrorKind::Custom(kind) => match kind {
            Fault::EmptySelector | Fault::DanglingCombinator => {
                "an element, `.class`, `#id`, `[attribute]` or `:pseudo-class` is missing"
            }
            Fault::UnsupportedPseudoClassOrElement => {
                return format!("of what begins with a colon, known are {KNOWN}");
            }
            Fault::NoQualifiedNameInAttributeSelector
            | Fault::UnexpectedTokenInAttributeSelector
            | Fault::BadValueInAttr
            | Fault::InvalidQualNameInAttr => "an attribute is written as `[name]` or `[name='value']`",
            Fault::InvalidState => "there is something in `:has()` or `:not()` that may not be there",
            _ => "there is something in it that belongs to none",
        },
    };
    why.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::{Page, text};

    const PAGE: &str = r#"<body><h1 id=top>T</h1><p class="a b" lang=en-GB>1</p><p class=b>2<i></i></p>
        <ul><li>3<li class=a>4<li>5<li>6</ul><a href="/x.PDF" data-q='1,2'>7</a>8<section><p>9</p></section>"#;

    fn selected(selector: &str) -> String {
        let page = Page::parse(PAGE).expect("a page");
        let selector: Selector = selector.parse().unwrap_or_else(|why| panic!("{selector}: {why}"));
        selector.select(page.root()).expect("in time").into_iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn elements_are_selected_as_css_says() {
        for (selector, wanted) in [
            ("p", "1 2 9"),
            ("P", "1 2 9"),
            ("#top", "T"),
            (".a", "1 4"),
            ("p.a.b", "1"),
            ("*.b", "1 2"),
            ("h1, .a , a", "T 1 4 7"),
            ("body > p", "1 2"),
            ("body p", "1 2 9"),
            ("body section>p", "9"),
            ("h1 + p", "1"),
            ("h1 ~ p", "1 2"),
            ("p + ul li", "3 4 5 6"),
            ("[lang]", "1"),
            ("[lang|=en]", "1"),
            ("[lang|='e']", ""),
            ("[class~=\"b\"]", "1 2"),
            ("a[href^='/']", "7"),
            ("a[href$='.pdf']", ""),
            ("a[href$='.pdf' i]", "7"),
            ("a[data-q*=\",\"]", "7"),
            ("[class=b]", "2"),
            ("li:first-child", "3"),
            ("li:last-child", "6"),
            ("li:nth-child(2)", "4"),
            ("li:nth-child(odd)", "3 5"),
            ("li:nth-child(2n)", "4 6"),
            ("li:nth-child(-n+2)", "3 4"),
            ("li:nth-child( n + 3 )", "5 6"),
            ("li:nth-last-child(2)", "5"),
            ("p:nth-of-type(2)", "2"),
            ("p:first-of-type", "1 9"),
            ("p:last-of-type", "2 9"),
            ("section p:only-child", "9"),
            ("a:only-of-type", "7"),
            ("li:not(.a):not(:last-child)", "3 5"),
            ("li:not(.a, :last-child)", "3 5"),
            (":is(h1, a)", "T 7"),
            ("p:has(i)", "2"),
            ("p:empty", ""),
            (":root > body > h1", "T"),
            ("\\70", "1 2 9"),
        ] {
            assert_eq!(selected(selector), wanted, "{selector}");
        }
        assert_eq!(selected("i:empty").len(), 0, "it is there, and has no text");
    }

    #[test]
    fn what_is_no_selector_says_why() {
        for (selector, wanted) in [
            ("", "`` is no selector: an element, `.class`, `#id`, `[attribute]` or `:pseudo-class` is missing"),
            ("p >", "an element, `.class`"),
            ("p,,q", "an element, `.class`"),
            (".", "its end is missing"),
            ("p[=x]", "an attribute is written as `[name]` or `[name='value']`"),
            ("[a!=b]", "an attribute is written as"),
            ("p:hover", "`p:hover` is no selector: of what begins with a colon, known are :first-child, "),
            ("p::before", "of what begins with a colon, known are"),
            ("p:nth-child(x)", "there is something in it that belongs to none"),
            ("p:has(a:has(b))", "there is something in `:has()` or `:not()` that may not be there"),
            ("p{}", "there is something in it that belongs to none"),
            (&":not(".repeat(200), "its brackets lie too deep in each other"),
        ] {
            let why = selector.parse::<Selector>().expect_err(selector);
            assert!(why.contains(wanted), "{selector}: {why}");
        }
    }

    #[test]
    fn no_selector_and_no_page_take_all_the_stack() {
        let page = Page::parse(&("<div>".repeat(400) + "<p>x")).expect("a page");
        let nested = "p".to_owned() + &":not(".repeat(70) + "q" + &")".repeat(70);
        for selector in ["* ".repeat(499) + "p", "* > ".repeat(249) + "p", nested] {
            let selector: Selector = selector.parse().expect("a selector");
            assert!(selector.select(page.root()).expect("in time").len() < 2);
        }
    }

    #[test]
    fn a_search_ends_when_its_time_is_up() {
        let page = Page::parse(&"<p>x".repeat(50_000)).expect("a page");
        // One element looks at all pairs of others, and each at each.
        for selector in ["html:has(p:is(q ~ p))", "p:not(q ~ p)", "p:is(p ~ p:not(q ~ p) ~ q ~ p)"] {
            let selector: Selector = selector.parse().expect("a selector");
            assert_eq!(selector.selected(page.root(), Duration::from_millis(50)), None, "{selector:?}");
        }
    }
}
