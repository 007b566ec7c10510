//! What a reader of a page would see, as text.

use super::tree::{Kind, Page};

/// Elements whose content is not shown.
const HIDDEN: [&str; 8] = ["script", "style", "noscript", "template", "head", "iframe", "svg", "object"];
/// Elements that stand on lines of their own.
const LINES: [&str; 36] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "caption",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tr",
    "ul",
    "summary",
];
const CELLS: [&str; 2] = ["td", "th"];

impl Page {
    /// The text of an element: one line for each block, spaces as one.
    pub fn text(&self, element: usize) -> String {
        self.text_without(element, &|_| false)
    }

    /// The same, without the elements that `leaves` out.
    pub fn text_without(&self, element: usize, leaves: &dyn Fn(usize) -> bool) -> String {
        let mut text = String::new();
        // Elements that are open, whose end breaks the line.
        let mut open: Vec<usize> = Vec::new();
        let mut node = element;
        let end = self.nodes[element].end;
        while node < end {
            while open.pop_if(|open| *open <= node).is_some() {
                line(&mut text);
            }
            match &self.nodes[node].kind {
                Kind::Text(part) => words(&mut text, part),
                Kind::Element { name, .. } => {
                    if node != element && (HIDDEN.contains(&&*name.local) || leaves(node)) {
                        node = self.nodes[node].end;
                        continue;
                    }
                    if LINES.contains(&&*name.local) {
                        line(&mut text);
                        open.push(self.nodes[node].end);
                    } else if CELLS.contains(&&*name.local) && !text.is_empty() && !text.ends_with(['\n', '\t']) {
                        text.truncate(text.trim_end_matches(' ').len());
                        text.push('\t');
                    }
                }
            }
            node += 1;
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// The page's title, or its first heading.
    pub fn title(&self) -> String {
        let of =
            |name| self.named(&[name]).map(|node| self.text(node).replace('\n', " ")).find(|text| !text.is_empty());
        of("title").or_else(|| of("h1")).unwrap_or_default()
    }
}

fn line(text: &mut String) {
    text.truncate(text.trim_end_matches([' ', '\t']).len());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

fn words(text: &mut String, part: &str) {
    let space = |text: &mut String| {
        if !text.is_empty() && !text.ends_with([' ', '\n', '\t']) {
            text.push(' ');
        }
    };
    if part.starts_with(char::is_whitespace) {
        space(text);
    }
    for word in part.split_whitespace() {
        text.push_str(word);
        text.push(' ');
    }
    if !part.ends_with(char::is_whitespace) && text.ends_with(' ') && !part.is_empty() {
        text.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_reader_sees() {
        for (html, wanted) in [
            ("<p>One  <b>two</b>,\n three</p><p>four", "One two, three\nfour"),
            ("a<br>b<br><br>c", "a\nb\nc"),
            ("<script>no()</script><style>p{}</style>yes<noscript>no</noscript>", "yes"),
            ("<ul><li>1</li> <li>2 </li></ul>", "1\n2"),
            ("<table><tr><td>a</td> <td>b</td></tr><tr><th>c<td>d</table>after", "a\tb\nc\td\nafter"),
            ("x<div>y</div>z", "x\ny\nz"),
            ("<i>a</i><i>b</i> <i>c</i>", "ab c"),
            ("", ""),
        ] {
            let page = Page::parse(html).expect(html);
            assert_eq!(page.text(0), wanted, "{html}");
        }
    }

    #[test]
    fn a_title_is_the_page_s_or_its_first_heading() {
        let title = |html| Page::parse(html).expect("a page").title();
        assert_eq!(title("<title> A\n b </title><h1>C</h1>"), "A b");
        assert_eq!(title("<title></title><h1></h1><h1>C <i>d</i></h1>"), "C d");
        assert_eq!(title("<p>x"), "");
    }
}
