//! A page as a tree, made by the parser that browsers' rules prescribe.

use super::text;
use html5ever::{ParseOpts, parse_document, tendril::TendrilSink};
use scraper::{ElementRef, Html, HtmlTreeSink, Node};
use std::time::Duration;
use tokio::time::Instant;

/// What a page may be made of. Some pages of a few bytes unfold into many nodes.
const NODES: usize = 400_000;
const DEPTH: usize = 512;
const TIME: Duration = Duration::from_secs(5);
/// Bytes that are read between two looks at what they made.
const STEP: usize = 4096;

/// A page whose elements lie so that recursion over them is safe.
#[derive(Debug)]
pub struct Page {
    html: Html,
    /// How deep its parts lie, taken together.
    pub weight: usize,
}

impl Page {
    /// # Errors
    /// The page is no page but a trap: too many nodes, too deep, or too slow.
    pub fn parse(text: &str) -> Result<Self, String> {
        let begun = Instant::now();
        let too_deep = || format!("its elements lie more than {DEPTH} deep in each other");
        let mut parser = parse_document(HtmlTreeSink::new(Html::new_document()), as_without_scripts());
        let mut rest = text;
        while !rest.is_empty() {
            let (step, more) = rest.split_at(rest.floor_char_boundary(STEP.min(rest.len())));
            parser.process(step.into());
            let tree = &parser.tokenizer.sink.sink.0.borrow().tree;
            let newest = tree.nodes().next_back();
            if newest.is_some_and(|newest| newest.ancestors().nth(DEPTH).is_some()) {
                return Err(too_deep());
            }
            if tree.nodes().len() > NODES || begun.elapsed() > TIME {
                return Err(format!(
                    "it has more than {NODES} parts, or takes longer than {} s to read",
                    TIME.as_secs()
                ));
            }
            rest = more;
        }
        let mut html = parser.finish();
        // What a template holds is not shown: it hangs on nothing.
        let templates = html.tree.nodes().filter(|node| matches!(node.value(), Node::Fragment));
        for template in templates.map(|node| node.id()).collect::<Vec<_>>() {
            html.tree.get_mut(template).iter_mut().for_each(|template| template.detach());
        }
        let depths = || html.tree.nodes().map(|node| node.ancestors().count());
        match depths().any(|depth| depth > DEPTH) {
            true => Err(too_deep()),
            false => Ok(Self { weight: depths().sum(), html }),
        }
    }

    /// `html`, in which everything lies.
    pub fn root(&self) -> ElementRef<'_> {
        self.html.root_element()
    }

    /// All elements with this name, in order.
    pub fn named(&self, name: &str) -> impl Iterator<Item = ElementRef<'_>> {
        self.root().descendent_elements().filter(move |element| element.value().name() == name)
    }

    /// Its title, or its first heading.
    pub fn title(&self) -> String {
        let of = |name| self.named(name).map(|element| text(element).replace('\n', " ")).find(|text| !text.is_empty());
        of("title").or_else(|| of("h1")).unwrap_or_default()
    }
}

/// What `noscript` holds are elements, for no script is run.
fn as_without_scripts() -> ParseOpts {
    let mut options = ParseOpts::default();
    options.tree_builder.scripting_enabled = false;
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lies in an element, as one line.
    fn shown(element: ElementRef<'_>) -> String {
        let inner = element.children().filter_map(|child| match child.value() {
            Node::Text(text) => Some(format!("{:?}", &**text)),
            _ => Some(shown(ElementRef::wrap(child)?)),
        });
        format!("{}({})", element.value().name(), inner.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn pages_are_read_as_browsers_read_them() {
        for (html, wanted) in [
            ("", "html(head() body())"),
            ("<p>a<p>b", r#"html(head() body(p("a") p("b")))"#),
            ("<!doctype html><title>T</title><!-- no -->x", r#"html(head(title("T")) body("x"))"#),
            ("<ul><li>1<li>2</ul>", r#"html(head() body(ul(li("1") li("2"))))"#),
            ("<table>x<tr><td>1", r#"html(head() body("x" table(tbody(tr(td("1"))))))"#),
            ("<b>1<p>2</b>3", r#"html(head() body(b("1") p(b("2") "3")))"#),
            ("<template><p>no</template>y", r#"html(head(template()) body("y"))"#),
            ("a&amp;b<br>c", r#"html(head() body("a&b" br() "c"))"#),
        ] {
            assert_eq!(shown(Page::parse(html).expect(html).root()), wanted, "{html}");
        }
    }

    #[test]
    fn a_title_is_the_page_s_or_its_first_heading() {
        let title = |html| Page::parse(html).expect("a page").title();
        assert_eq!(title("<title> A\n b </title><h1>C</h1>"), "A b");
        assert_eq!(title("<title></title><h1></h1><h1>C <i>d</i></h1>"), "C d");
        assert_eq!(title("<p>x"), "");
    }

    #[test]
    fn traps_are_left() {
        let deep = "<div>".repeat(1_000_000);
        assert!(Page::parse(&deep).expect_err("deep").contains("512 deep"));
        let was_deep = "<div>".repeat(600) + &"</div>".repeat(600);
        assert!(Page::parse(&was_deep).expect_err("deep").contains("512 deep"));
        let wide = "<br>".repeat(1_000_000);
        assert!(Page::parse(&wide).expect_err("wide").contains("more than 400000 parts"));
        let unfolding: String = (0..400).map(|n| format!("<b x{n}>")).collect::<String>() + &"<p>x".repeat(1_000_000);
        Page::parse(&unfolding).expect_err("each paragraph holds all the elements again");
    }
}
