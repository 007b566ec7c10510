//! The numbered rules of ARCHITECTURE.md, each shown by a test of its number and name.

mod decider;
mod effect;

/// `Level, not edge.` as a test's name has it: `level_not_edge`.
fn slug(title: &str) -> String {
    let title = title.replace(['\'', '’'], "");
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

/// The rules in a section of a document: number and name of each.
fn rules(document: &str, section: &str) -> Vec<String> {
    let text = document.split(&format!("\n## {section}\n")).nth(1).expect("the section is there");
    let text = text.split("\n## ").next().expect("it has a beginning");
    let rule = |line: &str| {
        let (number, rest) = line.split_once(". **")?;
        Some(format!("rule_{:02}_{}", number.parse::<u32>().ok()?, slug(rest.split_once("**")?.0)))
    };
    text.lines().filter_map(rule).collect()
}

#[test]
fn every_rule_of_the_architecture_has_its_test() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let document = std::fs::read_to_string(path).unwrap();
    for (section, count, tests) in [
        ("Deciders", 11, concat!(include_str!("rule/decider.rs"), include_str!("rule/decider/server.rs"))),
        ("Effects", 5, include_str!("rule/effect.rs")),
    ] {
        let rules = rules(&document, section);
        assert!(rules.len() >= count, "{section}: found only {rules:?}");
        for rule in rules {
            assert!(tests.contains(&format!("fn {rule}")), "{section}: no test is called {rule}…");
        }
    }
}

#[test]
fn a_rule_without_a_test_would_be_noticed() {
    let document = "# A\n\n## Deciders\n\n1. **Level, not edge.** So.\nMore.\n12. **A new one**: so.\n\n## Effects\n\n1. **Other.**\n";
    assert_eq!(rules(document, "Deciders"), ["rule_01_level_not_edge", "rule_12_a_new_one"]);
}
