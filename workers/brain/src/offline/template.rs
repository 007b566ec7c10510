//! Template text: what the writer without a model can honestly give.

/// What GENERATE was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Markdown,
    Code,
    Html,
}

impl Format {
    /// By its name in GENERATE's `format`; text when it is another or none.
    pub fn of(name: Option<&str>) -> Self {
        match name {
            Some("markdown") => Self::Markdown,
            Some("code") => Self::Code,
            Some("html") => Self::Html,
            _ => Self::Text,
        }
    }
}

/// Says what it is wherever it is read.
pub const LABEL: &str = "Template text made by the offline provider, without a language model.";

enum Block {
    Heading(&'static str),
    Task(&'static str),
    Paragraph(&'static str),
}
use Block::{Heading, Paragraph, Task};

/// Labelled template text for a prompt; the same prompt gives the same text.
pub fn write(prompt: &str, format: Format) -> String {
    let mut title = title(prompt);
    if let Some(first) = title.chars().next() {
        title.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    }
    let blocks = blocks(&title.to_lowercase());
    match format {
        Format::Markdown => {
            let body: String = blocks
                .iter()
                .map(|block| match block {
                    Heading(text) => format!("\n## {text}\n\n"),
                    Task(text) => format!("- [ ] {text}\n"),
                    Paragraph(text) => format!("{text}\n"),
                })
                .collect();
            format!("# {title}\n\n> {LABEL}\n\n{}", body.trim_start())
        }
        Format::Text => {
            let body: String = blocks
                .iter()
                .map(|block| match block {
                    Heading(text) => format!("\n{text}\n\n"),
                    Task(text) => format!("[ ] {text}\n"),
                    Paragraph(text) => format!("{text}\n"),
                })
                .collect();
            format!("{title}\n\n({LABEL})\n\n{}", body.trim_start())
        }
        Format::Html => {
            let body: String = blocks
                .iter()
                .map(|block| match block {
                    Heading(text) => format!("<h2>{text}</h2>\n"),
                    Task(text) => format!("<p><input type=\"checkbox\"> {text}</p>\n"),
                    Paragraph(text) => format!("<p>{text}</p>\n"),
                })
                .collect();
            let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            format!(
                "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<h1>{title}</h1>\n<p><em>{LABEL}</em></p>\n{body}"
            )
        }
        Format::Code => format!("# {title}\n# {LABEL}\n# Nothing is implemented: code needs a model.\n"),
    }
}

/// What is to be written, without `write me a`: one line, at most 80 characters.
pub fn title(prompt: &str) -> String {
    let line = prompt.trim().lines().next().unwrap_or_default();
    let mut words = line.split_whitespace().peekable();
    let skip = |words: &mut std::iter::Peekable<_>, any: &[&str]| {
        words.next_if(|word: &&str| any.contains(&word.to_lowercase().as_str()));
    };
    skip(&mut words, &["write", "create", "generate", "draft", "compose", "make", "produce", "prepare"]);
    skip(&mut words, &["me", "us"]);
    skip(&mut words, &["a", "an", "the", "some", "my", "our"]);
    let rest = words.collect::<Vec<_>>().join(" ");
    let cut: String = rest.trim_end_matches(['.', '!', '?', ':']).chars().take(80).collect();
    if cut.trim().is_empty() { "Text".into() } else { cut.trim().into() }
}

fn blocks(title: &str) -> Vec<Block> {
    let has = |words: &[&str]| title.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word));
    if has(&["list", "todo", "checklist", "agenda", "tasks"]) {
        vec![Task("First item"), Task("Second item"), Task("Third item")]
    } else if has(&["letter", "email", "mail", "message", "invitation"]) {
        vec![
            Paragraph("Dear …,"),
            Paragraph(""),
            Paragraph("(why you are writing)"),
            Paragraph(""),
            Paragraph("(what you would like to happen, and by when)"),
            Paragraph(""),
            Paragraph("Kind regards"),
            Paragraph("…"),
        ]
    } else {
        vec![
            Heading("Introduction"),
            Paragraph("(what this is about, and for whom)"),
            Heading("Main part"),
            Paragraph("(the points to be made, one paragraph each)"),
            Heading("Conclusion"),
            Paragraph("(what follows from it)"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_carries_the_label_and_the_title() {
        for format in ["text", "markdown", "code", "html"].map(|name| Format::of(Some(name))) {
            let text = write("Create a basic todo list", format);
            assert!(text.contains(LABEL) && text.contains("Basic todo list"), "{text}");
            assert!(text.ends_with('\n'));
        }
    }

    #[test]
    fn a_prompt_can_not_break_out_of_the_page() {
        let page = write("Write a <script>alert(1)</script> & more", Format::Html);
        assert!(page.contains("<h1>&lt;script&gt;alert(1)&lt;/script&gt; &amp; more</h1>"), "{page}");
    }

    #[test]
    fn titles_leave_the_order_out() {
        assert_eq!(title("Write me a letter to Ada.\nPlease"), "letter to Ada");
        assert_eq!(title("  "), "Text");
    }
}
