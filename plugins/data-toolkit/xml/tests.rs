use super::*;
use serde_json::{Value, json};

fn check(text: &str, expected: Value) {
    assert_eq!(read(text).map_err(|e| e.message), Ok(expected), "{text}");
}

fn fault(text: &str) -> String {
    let message = read(text).expect_err(text).message;
    message.strip_prefix("`data` is not XML that can be taken: ").expect("an XML fault").to_owned()
}

#[test]
fn attributes_text_and_repeated_elements_become_fields_and_lists() {
    for (text, expected) in [
        ("<a>1</a>", json!({"a": "1"})),
        ("<a/>", json!({"a": ""})),
        ("<a x='1' y=\"&lt;&#65;\"/>", json!({"a": {"@x": "1", "@y": "<A"}})),
        ("<a x='1'> t </a>", json!({"a": {"@x": "1", "#text": " t "}})),
        ("<a>\n  <b>1</b>\n  <c/>\n  <b> 2 </b>\n</a>\n", json!({"a": {"b": ["1", " 2 "], "c": ""}})),
        ("<a>\n x <b/>y\n</a>", json!({"a": {"b": "", "#text": "x y"}})),
        ("<a>&lt;&amp;&#x42;<![CDATA[<b>&amp;]]>\r\n</a>", json!({"a": "<&B<b>&amp;\n"})),
        ("<n:a xmlns:n=\"urn:x\"><n:b/></n:a>", json!({"n:a": {"@xmlns:n": "urn:x", "n:b": ""}})),
        ("<?xml version=\"1.0\"?><!DOCTYPE a SYSTEM \"x.dtd\"><!-- c --><a><?p i?>ü<!-- c --></a>", json!({"a": "ü"})),
    ] {
        check(text, expected);
    }
}

#[test]
fn what_is_not_well_formed_is_refused_with_its_place() {
    for (text, expected) in [
        ("", "line 1, column 1: there is no element"),
        ("<a>\n<b></a>", "line 2, column 4: "),
        ("<a>", "line 1, column 4: <a> is not ended"),
        ("<a/>\n<b/>", "line 2, column 1: there is a second root element; XML has one"),
        ("<a/>x", "line 1, column 5: there is text outside of the root element"),
        ("<a x='1' x='2'/>", "line 1, column 1: "),
        ("<a>a & b</a>", "line 1, column 6: "),
        ("<a>&nbsp;</a>", "line 1, column 4: there is no entity &nbsp;, only"),
        ("<a>&#0;</a>", "line 1, column 4: "),
        ("<a>&#1;</a>", "line 1, column 4: XML has no character '\\u{1}'"),
        ("<a>\u{1}</a>", "line 1, column 4: XML has no character '\\u{1}'"),
        ("<a", "line 1, column 1: "),
    ] {
        let said = fault(text);
        assert!(said.starts_with(expected), "{text}: {said}");
    }
}

#[test]
fn entities_are_neither_expanded_nor_fetched() {
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><l>&b;</l>";
    assert!(fault(laughs).contains("declarations inside of DOCTYPE are not taken"));
    let file = "<!DOCTYPE l [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><l>&f;</l>";
    assert!(fault(file).contains("declarations inside of DOCTYPE are not taken"));
    let outside = "<!DOCTYPE l SYSTEM \"http://localhost/l.dtd\"><l>&f;</l>";
    assert!(fault(outside).contains("there is no entity &f;"));
}

#[test]
fn nesting_has_a_limit_both_ways() {
    let deep = |n: usize| "<a>".repeat(n) + &"</a>".repeat(n);
    let most = read(&deep(100)).expect("as deep as may be");
    assert!(write(&most).is_ok());
    assert!(fault(&deep(101)).ends_with("elements are nested deeper than 100 levels"));
    let more = json!({"a": most});
    assert!(write(&more).expect_err("too deep").message.ends_with("it is nested deeper than 100 levels"));
}

#[test]
fn what_was_read_is_written_and_read_again() {
    for data in [
        json!({"a": "1"}),
        json!({"a": {"@x": "a\n\t\"<&>'", "#text": " \r\n <b> "}}),
        json!({"a": {"b": ["1", {"@x": "", "c": ["", "x"]}], "d:e": "ü"}}),
        json!({"a": {"b": "", "#text": "before"}}),
    ] {
        let text = write(&data).expect("writes");
        check(&text, data);
    }
}

#[test]
fn any_value_has_a_document() {
    for (data, expected) in [
        (json!({"a": {"b": [1, true, null]}}), "<a>\n  <b>1</b>\n  <b>true</b>\n  <b/>\n</a>\n"),
        (json!([{"n": "Ada"}, 2]), "<data>\n  <item>\n    <n>Ada</n>\n  </item>\n  <item>2</item>\n</data>\n"),
        (
            json!({"a": 1.5, "b": [[1], []]}),
            "<data>\n  <a>1.5</a>\n  <b>\n    <item>1</item>\n  </b>\n  <b>\n  </b>\n</data>\n",
        ),
        (json!({"a": [1]}), "<data>\n  <a>1</a>\n</data>\n"),
        (json!("x"), "<data>x</data>\n"),
        (json!({"@x": 1}), "<data x=\"1\"/>\n"),
    ] {
        let text = write(&data).expect("writes");
        assert_eq!(text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), Some(expected), "{data}");
    }
}

#[test]
fn what_xml_cannot_hold_is_named() {
    for (data, expected) in [
        (json!({"first name": 1}), "\"first name\" is no name of an element; rename it with jq first"),
        (json!({"": 1}), "\"\" is no name of an element; rename it with jq first"),
        (json!({"a:b:c": 1}), "\"a:b:c\" is no name of an element; rename it with jq first"),
        (json!({"a": {"@1": 1}}), "\"1\" is no name of an attribute; rename it with jq first"),
        (json!({"a": {"@x": []}}), "`@x` must be a text, not array"),
        (json!({"a": {"#text": {}}}), "`#text` must be a text, not object"),
        (json!({"a": "\u{0}"}), "`a` holds the character '\\0', which XML has not"),
    ] {
        let message = write(&data).expect_err(expected).message;
        assert_eq!(message, format!("the result can't be written as XML: {expected}"));
    }
}
