//! Goals drawn at random from the clause table of `docs/offline.md`, over random files, with the
//! bytes that must come out. Knows neither the planner nor the plugins: whatever is expected here
//! was computed here.

#[path = "condition.rs"]
mod condition;
#[path = "random.rs"]
pub mod random;
#[path = "table.rs"]
mod table;
#[path = "table_clause.rs"]
mod table_clause;
#[path = "text.rs"]
mod text;
#[path = "text_clause.rs"]
mod text_clause;

use random::Random;
use serde_json::Value;
use std::collections::BTreeMap;
use table::Table;

/// A goal, what goes with it, and what must come of it.
pub struct Case {
    pub goal: String,
    /// Path and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// A question's text and what the person says to it.
    pub answers: Vec<(String, Value)>,
    /// All deliverables, by name.
    pub expected: BTreeMap<String, Vec<u8>>,
}

/// A case in the making.
struct Draw {
    random: Random,
    tables: Vec<Table>,
    /// Name and content of text files.
    texts: Vec<(String, String)>,
    said: Vec<String>,
    answers: Vec<(String, Value)>,
    expected: BTreeMap<String, Vec<u8>>,
}

/// The case of this seed: one to four clauses over up to six files.
pub fn draw(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let tables = tables(&mut random);
    let texts = texts(&mut random);
    let mut draw = Draw { random, tables, texts, said: Vec::new(), answers: Vec::new(), expected: BTreeMap::new() };
    for _ in 0..1 + draw.random.below(4) {
        draw.clause();
    }
    let goal = draw.goal();
    let bom = if draw.random.once_in(8) { "\u{feff}" } else { "" };
    let mut files: Vec<(String, Vec<u8>)> =
        draw.texts.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
    files.extend(draw.tables.iter().map(|table| (table.file.clone(), format!("{bom}{}", table.text).into_bytes())));
    Case { goal, files, answers: draw.answers, expected: draw.expected }
}

/// Two CSV files that have rows in common, another one, and one of JSON.
fn tables(random: &mut Random) -> Vec<Table> {
    let mut names = vec!["a", "people", "my data", "Käse-2024", "sub/prices", "orders"];
    let mut name = |random: &mut Random, ending: &str| format!("{}.{ending}", random.draw(&mut names));
    let (first, second, third, fourth) =
        (name(random, "csv"), name(random, "csv"), name(random, "csv"), name(random, "json"));
    let one = table::csv(random, &first);
    let two = table::variant(random, &one, &second);
    vec![one, two, table::csv(random, &third), table::json(random, &fourth)]
}

fn texts(random: &mut Random) -> Vec<(String, String)> {
    let mut names = vec!["README.md", "a.txt", "notes (old).txt", "Menü.md", "LICENSE"];
    (0..2).map(|_| (random.draw(&mut names).to_string(), text::text(random))).collect()
}

impl Draw {
    fn clause(&mut self) {
        if self.random.below(5) < 3 { self.table_clause() } else { self.text_clause() }
    }

    /// The clauses as sentences, or joined: each ends with a name or a full stop, so any will do.
    fn goal(&mut self) -> String {
        let mut goal = String::new();
        for (nth, said) in self.said.iter().enumerate() {
            if nth > 0 {
                goal += *self.random.pick(&[". ", "; ", ", then ", ", and ", " and ", ".\n", "\n", ", "]);
            }
            goal += said;
        }
        let ends = ["", ".", " please."];
        goal + *self.random.pick(&ends)
    }

    /// One of several wordings; `{}` is where the first, second… part goes.
    fn say(&mut self, wordings: &[&str], parts: &[&str]) {
        let mut said = (*self.random.pick(wordings)).to_string();
        for (nth, part) in parts.iter().enumerate() {
            // Marks that no part holds, so that a part is never filled in itself.
            said = said.replace(&format!("<{nth}>"), &part.replace('<', "\u{1}"));
        }
        self.said.push(said.replace('\u{1}', "<"));
    }

    /// A name for a deliverable that no other one and no file has.
    fn name(&mut self, ending: &str) -> String {
        let stem = *self.random.pick(&["out", "result", "Liste", "my-file", "x_1"]);
        let nth = self.expected.len();
        format!("{stem}{nth}.{ending}")
    }

    fn expect(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        let before = self.expected.insert(name.into(), bytes.into());
        assert!(before.is_none(), "{name} is drawn twice");
    }

    fn expect_json(&mut self, name: &str, value: &Value) {
        let bytes = serde_json::to_vec_pretty(value).expect("plain data");
        self.expect(name, [bytes, b"\n".to_vec()].concat());
    }

    /// Rows under a name that ends in `.json` or `.csv`.
    fn expect_rows(&mut self, name: &str, rows: &[table::Row]) {
        if name.ends_with(".csv") {
            self.expect(name, table::as_csv(rows))
        } else {
            self.expect_json(name, &table::as_value(rows))
        }
    }
}
