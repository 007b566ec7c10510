//! CSS selectors over a page.
//!
//! A selector is not tried on each element but worked off part by part, for all elements at once: the
//! time it takes grows with the page and with the selector, and with no power of either, whoever wrote
//! them. The crates that know selectors rest on ones under the Mozilla licence, which this tree does
//! not take.

mod parse;

use super::tree::{Kind, Page};
use std::collections::HashMap;

/// Selectors with commas between: what any of them selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(Vec<Vec<Part>>);

/// What is said of one element, and how it lies to the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    lies: Lies,
    tests: Vec<Test>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lies {
    Anywhere,
    /// ` `
    Inside,
    /// `>`
    Child,
    /// `+`
    Next,
    /// `~`
    After,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Tag(String),
    Attribute {
        name: String,
        is: Is,
        value: String,
        folds: bool,
    },
    /// Every `step`th from `first` on, among all children or those of its name, from either end.
    Nth {
        step: i32,
        first: i32,
        same: bool,
        from_end: bool,
    },
    Any(Selector),
    Not(Selector),
    Has(Selector),
    Root,
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    There,
    Equal,
    /// `~=`
    Word,
    /// `|=`
    Dashed,
    Begin,
    End,
    Hold,
}

impl Selector {
    /// The elements of a page that it selects, in order.
    pub fn select(&self, page: &Page) -> Vec<usize> {
        let chosen = self.chosen(page);
        (0..chosen.len()).filter(|node| chosen[*node]).collect()
    }

    fn chosen(&self, page: &Page) -> Vec<bool> {
        let mut chosen = vec![false; page.nodes.len()];
        for parts in &self.0 {
            let mut set = Vec::new();
            for part in parts {
                let mut here = page.elements();
                part.tests.iter().for_each(|test| test.narrow(page, &mut here));
                if part.lies != Lies::Anywhere {
                    let lie = part.lies.to(page, &set);
                    here.iter_mut().zip(lie).for_each(|(here, lies)| *here &= lies);
                }
                set = here;
            }
            chosen.iter_mut().zip(set).for_each(|(chosen, one)| *chosen |= one);
        }
        chosen
    }
}

impl Page {
    fn elements(&self) -> Vec<bool> {
        (0..self.nodes.len()).map(|node| node > 0 && self.name(node).is_some()).collect()
    }
}

impl Lies {
    /// The nodes that lie so to one of `set`.
    fn to(self, page: &Page, set: &[bool]) -> Vec<bool> {
        let mut lies = vec![false; set.len()];
        for (node, of) in page.nodes.iter().enumerate().skip(1) {
            lies[node] = match self {
                Self::Anywhere => true,
                Self::Inside => set[of.parent] || lies[of.parent],
                Self::Child => set[of.parent],
                Self::Next => of.previous.is_some_and(|previous| set[previous]),
                Self::After => of.previous.is_some_and(|previous| set[previous] || lies[previous]),
            };
        }
        lies
    }
}

impl Test {
    /// Takes out of `here` what it is not true of.
    fn narrow(&self, page: &Page, here: &mut [bool]) {
        let mut keep = |fits: &dyn Fn(usize) -> bool| {
            (0..here.len()).for_each(|node| here[node] = here[node] && fits(node));
        };
        match self {
            Self::Tag(tag) => keep(&|node| page.name(node).is_some_and(|name| name.eq_ignore_ascii_case(tag))),
            Self::Attribute { name, is, value, folds } => {
                keep(&|node| page.attribute(node, name).is_some_and(|found| is.fits(found, value, *folds)));
            }
            Self::Nth { step, first, same, from_end } => {
                let places = places(page, *same, *from_end);
                keep(&|node| is_nth(places[node], *step, *first));
            }
            Self::Any(selector) => {
                let chosen = selector.chosen(page);
                keep(&|node| chosen[node]);
            }
            Self::Not(selector) => {
                let chosen = selector.chosen(page);
                keep(&|node| !chosen[node]);
            }
            Self::Has(selector) => {
                let mut before = vec![0_usize];
                before.extend(selector.chosen(page).iter().scan(0, |sum, one| {
                    *sum += usize::from(*one);
                    Some(*sum)
                }));
                keep(&|node| before[page.nodes[node].end] > before[node + 1]);
            }
            Self::Root => keep(&|node| page.nodes[node].parent == 0),
            Self::Empty => keep(&|node| page.nodes[node].end == node + 1),
        }
    }
}

/// The place of each element among its siblings, from 1.
fn places(page: &Page, same: bool, from_end: bool) -> Vec<i32> {
    let mut counts = HashMap::new();
    let mut places = vec![0; page.nodes.len()];
    let mut count = |node: usize| {
        if let Kind::Element { name, .. } = &page.nodes[node].kind {
            let count = counts.entry((page.nodes[node].parent, same.then_some(&name.local))).or_insert(0);
            *count += 1;
            places[node] = *count;
        }
    };
    if from_end {
        (1..page.nodes.len()).rev().for_each(count)
    } else {
        (1..page.nodes.len()).for_each(&mut count)
    }
    places
}

fn is_nth(place: i32, step: i32, first: i32) -> bool {
    match place - first {
        0 => true,
        more => step != 0 && more % step == 0 && more / step > 0,
    }
}

impl Is {
    fn fits(self, found: &str, value: &str, folds: bool) -> bool {
        if folds {
            return self.fits(&found.to_ascii_lowercase(), &value.to_ascii_lowercase(), false);
        }
        match self {
            Self::There => true,
            Self::Equal => found == value,
            Self::Word => found.split_ascii_whitespace().any(|word| word == value),
            Self::Dashed => found.strip_prefix(value).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
            Self::Begin => !value.is_empty() && found.starts_with(value),
            Self::End => !value.is_empty() && found.ends_with(value),
            Self::Hold => !value.is_empty() && found.contains(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<body><h1 id=top>T</h1><p class="a b" lang=en-GB>1</p><p class=b>2<i></i></p>
        <ul><li>3<li class=a>4<li>5<li>6</ul><a href="/x.PDF" data-q='1,2'>7</a>8<section><p>9</p></section>"#;

    fn selected(selector: &str) -> String {
        let page = Page::parse(PAGE).expect("a page");
        let selector: Selector = selector.parse().unwrap_or_else(|why| panic!("{selector}: {why}"));
        selector.select(&page).into_iter().map(|node| page.text(node)).collect::<Vec<_>>().join(" ")
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
    fn what_is_no_selector_says_where_and_why() {
        for (selector, wanted) in [
            ("", "at its end: an element, `.class`, `#id`, `[attribute]` or `:pseudo-class` is missing"),
            ("p >", "at its end: an element"),
            ("p,,q", "at `,q`: an element"),
            (".", "at its end: a name is missing"),
            ("p[href", "at its end: `]` is missing"),
            ("p[href='x]", "at `'x]`: the quote is not closed"),
            ("p[=x]", "at `=x]`: a name is missing"),
            ("p:hover", "at `:hover`: `:hover` is not known; known are :first-child, "),
            ("p::before", "at `::before`: pseudo-elements select nothing"),
            ("p:nth-child(x)", "at `x)`: this is no place"),
            ("p:not(", "at its end: an element"),
            ("p:not(q", "at its end: `)` is missing"),
            ("p{}", "at `{}`: this belongs to no selector"),
        ] {
            let why = selector.parse::<Selector>().expect_err(selector);
            assert!(why.contains(wanted), "{selector}: {why}");
        }
    }

    #[test]
    fn no_selector_and_no_page_make_it_slow() {
        let page = "<div>".repeat(400) + &"<p class=x>y".repeat(50_000);
        let page = Page::parse(&page).expect("a page");
        let selector: Selector = ("div ".repeat(200) + "q ~ p:has(a):nth-child(2n)").parse().expect("a selector");
        assert_eq!(selector.select(&page), Vec::<usize>::new());
    }
}
