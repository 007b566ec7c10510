//! What a reader of a page would see, as text.

use scraper::{ElementRef, Node};

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

/// The text of an element: one line for each block, spaces as one.
pub fn text(element: ElementRef<'_>) -> String {
    let mut text = String::new();
    append(&mut text, element);
    text.truncate(text.trim_end().len());
    text
}

fn append(text: &mut String, element: ElementRef<'_>) {
    for child in element.children() {
        if let Node::Text(part) = child.value() {
            words(text, part);
        }
        let Some(inner) = ElementRef::wrap(child) else { continue };
        let name = inner.value().name();
        if HIDDEN.contains(&name) {
            continue;
        }
        let is_line = LINES.contains(&name);
        if is_line {
            line(text);
        } else if CELLS.contains(&name) && !text.is_empty() && !text.ends_with(['\n', '\t']) {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\t');
        }
        append(text, inner);
        if is_line {
            line(text);
        }
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
    use crate::html::Page;

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
            assert_eq!(text(page.root()), wanted, "{html}");
        }
    }
}
