//! A page as a tree, made by the parser that browsers' rules prescribe.

use html5ever::{
    Attribute, ParseOpts, QualName,
    interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink},
    parse_document,
    tendril::{StrTendril, TendrilSink},
};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};
use tokio::time::Instant;

/// What a page may be made of. Some pages of a few bytes unfold into many nodes.
const NODES: usize = 400_000;
const DEPTH: u32 = 512;
const TIME: Duration = Duration::from_secs(5);
/// Bytes that are read between two looks at what they made.
const STEP: usize = 4096;

/// Elements and texts in the order of the page; the first is the page itself.
#[derive(Debug)]
pub struct Page {
    pub nodes: Vec<Node>,
}

/// A node; what lies inside comes right after it.
#[derive(Debug)]
pub struct Node {
    pub parent: usize,
    /// Where what lies inside ends.
    pub end: usize,
    /// The element before it that has the same parent.
    pub previous: Option<usize>,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    Element { name: Rc<QualName>, attributes: Vec<Attribute> },
    Text(StrTendril),
}

impl Page {
    /// # Errors
    /// The page is no page but a trap: too many nodes, too deep, or too slow.
    pub fn parse(text: &str) -> Result<Self, String> {
        let begun = Instant::now();
        let mut parser = parse_document(Sink::default(), ParseOpts::default());
        let mut rest = text;
        while !rest.is_empty() {
            let (step, more) = rest.split_at(rest.floor_char_boundary(STEP.min(rest.len())));
            parser.process(step.into());
            let sink = &parser.tokenizer.sink.sink;
            if sink.deepest.get() > DEPTH {
                return Err(format!("its elements lie more than {DEPTH} deep in each other"));
            }
            if sink.nodes.borrow().len() > NODES || begun.elapsed() > TIME {
                return Err(format!(
                    "it has more than {NODES} parts, or takes longer than {} s to read",
                    TIME.as_secs()
                ));
            }
            rest = more;
        }
        Ok(parser.finish())
    }

    pub fn name(&self, node: usize) -> Option<&str> {
        match &self.nodes[node].kind {
            Kind::Element { name, .. } => Some(&name.local),
            Kind::Text(_) => None,
        }
    }

    pub fn attribute(&self, node: usize, wanted: &str) -> Option<&str> {
        let Kind::Element { attributes, .. } = &self.nodes[node].kind else { return None };
        attributes.iter().find(|attribute| &*attribute.name.local == wanted).map(|attribute| &*attribute.value)
    }

    /// All elements with one of these names, in order.
    pub fn named(&self, names: &[&str]) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |node| self.name(*node).is_some_and(|name| names.contains(&name)))
    }
}

/// What the parser builds; links are indices.
#[derive(Debug, Default)]
struct Sink {
    nodes: RefCell<Vec<Part>>,
    deepest: Cell<u32>,
    document: Cell<Option<usize>>,
}

/// The parser's word for a node.
#[derive(Debug, Clone)]
struct Handle {
    at: usize,
    name: Rc<QualName>,
}

#[derive(Debug, Default)]
struct Part {
    parent: Option<usize>,
    previous: Option<usize>,
    next: Option<usize>,
    first: Option<usize>,
    last: Option<usize>,
    depth: u32,
    /// None: the document, a comment.
    kind: Option<Kind>,
}

impl Sink {
    fn add(&self, kind: Option<Kind>) -> Handle {
        let name = match &kind {
            Some(Kind::Element { name, .. }) => Rc::clone(name),
            _ => Rc::new(QualName::new(None, "".into(), "".into())),
        };
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Part { kind, ..Part::default() });
        Handle { at: nodes.len() - 1, name }
    }

    fn detach(&self, at: usize) {
        let mut nodes = self.nodes.borrow_mut();
        let (parent, previous, next) = (nodes[at].parent.take(), nodes[at].previous.take(), nodes[at].next.take());
        match (previous, parent) {
            (Some(previous), _) => nodes[previous].next = next,
            (None, Some(parent)) => nodes[parent].first = next,
            (None, None) => {}
        }
        match (next, parent) {
            (Some(next), _) => nodes[next].previous = previous,
            (None, Some(parent)) => nodes[parent].last = previous,
            (None, None) => {}
        }
    }

    /// Puts a node or a text among the children of `parent`, before `next` or at the end.
    fn insert(&self, parent: usize, next: Option<usize>, child: NodeOrText<Handle>) {
        let before = |nodes: &[Part]| next.map_or(nodes[parent].last, |next| nodes[next].previous);
        let at = match child {
            NodeOrText::AppendNode(handle) => {
                self.detach(handle.at);
                handle.at
            }
            NodeOrText::AppendText(text) => {
                let mut nodes = self.nodes.borrow_mut();
                if let Some(previous) = before(&nodes)
                    && let Some(Kind::Text(all)) = &mut nodes[previous].kind
                {
                    return all.push_tendril(&text);
                }
                drop(nodes);
                self.add(Some(Kind::Text(text))).at
            }
        };
        let mut nodes = self.nodes.borrow_mut();
        let previous = before(&nodes);
        let depth = nodes[parent].depth + 1;
        self.deepest.set(self.deepest.get().max(depth));
        let part = &mut nodes[at];
        (part.parent, part.previous, part.next, part.depth) = (Some(parent), previous, next, depth);
        match previous {
            Some(previous) => nodes[previous].next = Some(at),
            None => nodes[parent].first = Some(at),
        }
        match next {
            Some(next) => nodes[next].previous = Some(at),
            None => nodes[parent].last = Some(at),
        }
    }
}

impl TreeSink for Sink {
    type Handle = Handle;
    type Output = Page;
    type ElemName<'a> = &'a QualName;

    fn get_document(&self) -> Handle {
        let name = Rc::new(QualName::new(None, "".into(), "".into()));
        match self.document.get() {
            Some(at) => Handle { at, name },
            None => {
                let document = self.add(Some(Kind::Element { name, attributes: Vec::new() }));
                self.document.set(Some(document.at));
                document
            }
        }
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> Handle {
        self.add(Some(Kind::Element { name: Rc::new(name), attributes }))
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        self.insert(parent.at, None, child);
    }

    fn append_before_sibling(&self, sibling: &Handle, child: NodeOrText<Handle>) {
        let parent = self.nodes.borrow()[sibling.at].parent;
        if let Some(parent) = parent {
            self.insert(parent, Some(sibling.at), child);
        }
    }

    fn append_based_on_parent_node(&self, element: &Handle, before: &Handle, child: NodeOrText<Handle>) {
        let has_parent = self.nodes.borrow()[element.at].parent.is_some();
        if has_parent { self.append_before_sibling(element, child) } else { self.append(before, child) }
    }

    fn remove_from_parent(&self, target: &Handle) {
        self.detach(target.at);
    }

    fn reparent_children(&self, from: &Handle, to: &Handle) {
        loop {
            let first = self.nodes.borrow()[from.at].first;
            let Some(at) = first else { return };
            self.insert(to.at, None, NodeOrText::AppendNode(Handle { at, name: Rc::clone(&to.name) }));
        }
    }

    fn add_attrs_if_missing(&self, target: &Handle, more: Vec<Attribute>) {
        if let Some(Kind::Element { attributes, .. }) = &mut self.nodes.borrow_mut()[target.at].kind {
            let known: Vec<_> = attributes.iter().map(|attribute| attribute.name.clone()).collect();
            attributes.extend(more.into_iter().filter(|attribute| !known.contains(&attribute.name)));
        }
    }

    /// What a template holds is not shown: it hangs on nothing.
    fn get_template_contents(&self, _: &Handle) -> Handle {
        self.add(None)
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        self.add(None)
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        self.add(None)
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> &'a QualName {
        &target.name
    }

    fn same_node(&self, one: &Handle, other: &Handle) -> bool {
        one.at == other.at
    }

    fn parse_error(&self, _: Cow<'static, str>) {}
    fn set_quirks_mode(&self, _: QuirksMode) {}
    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    /// Puts the parts in the order of the page.
    fn finish(self) -> Page {
        let mut parts = self.nodes.into_inner();
        let mut nodes: Vec<Node> = Vec::with_capacity(parts.len());
        // A part, its parent among the nodes, and the element before it.
        let (mut at, mut parent, mut previous) = (self.document.get(), 0, None);
        while let Some(part) = at {
            let here = nodes.len();
            let (first, next) = (parts[part].first, parts[part].next);
            let kind = parts[part].kind.take();
            let is_element = matches!(kind, Some(Kind::Element { .. }));
            if let Some(kind) = kind {
                nodes.push(Node { parent, end: here + 1, previous, kind });
            }
            if let Some(first) = first.filter(|_| is_element) {
                (at, parent, previous) = (Some(first), here, None);
                continue;
            }
            if is_element {
                previous = Some(here);
            }
            at = next;
            let mut up = part;
            while at.is_none() {
                let Some(above) = parts[up].parent else { break };
                nodes[parent].end = nodes.len();
                (previous, up, at) = (Some(parent), above, parts[above].next);
                parent = nodes[parent].parent;
            }
        }
        Page { nodes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as one line.
    fn shown(page: &Page, node: usize) -> String {
        let mut inner = Vec::new();
        let mut child = node + 1;
        while child < page.nodes[node].end {
            assert_eq!(page.nodes[child].parent, node);
            inner.push(shown(page, child));
            child = page.nodes[child].end;
        }
        match &page.nodes[node].kind {
            Kind::Text(text) => format!("{:?}", &**text),
            Kind::Element { name, .. } => format!("{}({})", name.local, inner.join(" ")),
        }
    }

    #[test]
    fn pages_are_read_as_browsers_read_them() {
        for (html, wanted) in [
            ("<p>a<p>b", r#"html(head() body(p("a") p("b")))"#),
            ("<!doctype html><title>T</title><!-- no -->x", r#"html(head(title("T")) body("x"))"#),
            ("<ul><li>1<li>2</ul>", r#"html(head() body(ul(li("1") li("2"))))"#),
            ("<table>x<tr><td>1", r#"html(head() body("x" table(tbody(tr(td("1"))))))"#),
            ("<b>1<p>2</b>3", r#"html(head() body(b("1") p(b("2") "3")))"#),
            ("<template><p>no</template>y", r#"html(head(template()) body("y"))"#),
            ("a&amp;b<br>c", r#"html(head() body("a&b" br() "c"))"#),
        ] {
            let page = Page::parse(html).expect(html);
            assert_eq!(shown(&page, 1), wanted, "{html}");
            assert_eq!(page.nodes[0].end, page.nodes.len());
        }
    }

    #[test]
    fn the_element_before_is_known() {
        let page = Page::parse("<i></i>text<b></b><u></u>").expect("a page");
        let at = |name| page.named(&[name]).next().expect(name);
        assert_eq!(page.nodes[at("i")].previous, None);
        assert_eq!(page.nodes[at("b")].previous, Some(at("i")));
        assert_eq!(page.nodes[at("u")].previous, Some(at("b")));
    }

    #[test]
    fn traps_are_left() {
        let deep = "<div>".repeat(1_000_000);
        assert!(Page::parse(&deep).expect_err("deep").contains("512 deep"));
        let wide = "<br>".repeat(1_000_000);
        assert!(Page::parse(&wide).expect_err("wide").contains("more than 400000 parts"));
        let unfolding: String = (0..400).map(|n| format!("<b x{n}>")).collect::<String>() + &"<p>x".repeat(1_000_000);
        Page::parse(&unfolding).expect_err("each paragraph holds all the elements again");
    }
}
