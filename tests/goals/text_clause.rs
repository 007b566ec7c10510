//! Clauses about texts and questions.

use super::Draw;
use super::condition::quoted;
use super::table;
use super::text::{count, phrase, unlines};
use serde_json::{Map, Value, json};

const UNITS: &[(&str, &str)] = &[
    ("words", "words"),
    ("lines", "lines"),
    ("characters", "characters"),
    ("paragraphs", "paragraphs"),
    ("unique words", "unique_words"),
    ("characters without spaces", "characters_no_spaces"),
];

impl Draw {
    pub fn text_clause(&mut self) {
        let (file, text) = self.random.pick(&self.texts).clone();
        match self.random.below(11) {
            0 => self.count_one(&file, &text),
            1 => self.count_several(&file, &text),
            2 => self.count_both(),
            3 => self.count_quoted(),
            4 => self.lines(&file, &text),
            5 => self.occurrences(&file, &text),
            6 => self.copy(&file, &text),
            7 => self.compare_texts(),
            8 => self.write(),
            9 => self.analyse(&file, &text),
            _ => self.question(),
        }
    }

    fn count_one(&mut self, file: &str, text: &str) {
        let (unit, _) = *self.random.pick(UNITS);
        let ending = *self.random.pick(&["txt", "json", "md"]);
        let name = self.name(ending);
        self.say(
            &[
                "Count the <2> in <0> into <1>",
                "how many <2> are in <0> as <1>",
                "the number of <2> in <0> to <1>",
                "Read <0> and count the <2> in it, save the result as <1>",
                "write the number of <2> in <0> to <1>",
            ],
            &[file, &name, unit],
        );
        self.expect_json(&name, &json!(count(unit, text)));
    }

    fn count_several(&mut self, file: &str, text: &str) {
        let mut units = UNITS.to_vec();
        let (a, b, c) = (self.random.draw(&mut units), self.random.draw(&mut units), self.random.draw(&mut units));
        let name = self.name("json");
        self.say(
            &[
                "count the <2>, <3> and <4> in <0> as <1>",
                "Count the <2>, the <3> and the <4> of <0> and save the result as <1>",
            ],
            &[file, &name, a.0, b.0, c.0],
        );
        let counts: Map<String, Value> =
            [a, b, c].iter().map(|(unit, key)| ((*key).to_string(), json!(count(unit, text)))).collect();
        self.expect_json(&name, &Value::Object(counts));
    }

    fn count_both(&mut self) {
        let [(first, one), (second, two)] = [self.texts[0].clone(), self.texts[1].clone()];
        let (unit, _) = *self.random.pick(UNITS);
        let name = self.name("json");
        self.say(
            &["count the <3> in <0> and <1> into <2>", "Read <0> and <1>. Count the <3> in both as <2>"],
            &[&first, &second, &name, unit],
        );
        self.expect_json(&name, &json!({&first: count(unit, &one), &second: count(unit, &two)}));
    }

    fn count_quoted(&mut self) {
        let text = phrase(&mut self.random);
        let (unit, _) = *self.random.pick(UNITS);
        let name = self.name("txt");
        self.say(&["count the <2> in <0> into <1>", "How many <2> has <0> as <1>"], &[&quoted(&text), &name, unit]);
        self.expect_json(&name, &json!(count(unit, &text)));
    }

    fn lines(&mut self, file: &str, text: &str) {
        let mut lines: Vec<&str> = text.lines().collect();
        let name = self.name("txt");
        match self.random.below(4) {
            0 => {
                self.say(
                    &[
                        "keep the lines of <0> containing \"error\" as <1>",
                        "Filter <0> for lines that contain error into <1>",
                        "find the lines in <0> which contain 'error' and save them as <1>",
                    ],
                    &[file, &name],
                );
                lines.retain(|line| line.contains("error"));
            }
            1 => {
                self.say(
                    &[
                        "remove the lines of <0> that are empty and save the text as <1>",
                        "drop the lines of <0> that are blank as <1>",
                    ],
                    &[file, &name],
                );
                lines.retain(|line| !line.is_empty());
            }
            2 => {
                let down = self.random.once_in(2);
                self.say(
                    &["sort the lines of <0><2> into <1>", "Sort <0><2> and save it as <1>"],
                    &[file, &name, if down { " descending" } else { "" }],
                );
                lines.sort_unstable();
                if down {
                    lines.reverse();
                }
            }
            _ => {
                let many = 1 + self.random.below(3);
                self.say(
                    &["take the first <2> lines of <0> as <1>", "the first <2> lines of <0> into <1>"],
                    &[file, &name, &many.to_string()],
                );
                lines.truncate(many);
            }
        }
        self.expect(&name, unlines(&lines));
    }

    fn occurrences(&mut self, file: &str, text: &str) {
        let wanted = *self.random.pick(&["er", "e", "bees", "zzz", "\\", "{brace}"]);
        let name = self.name("txt");
        self.say(
            &[
                "how many times does <2> occur in <0> as <1>",
                "Count the occurrences of <2> in <0> into <1>",
                "count <2> in <0> as <1>",
            ],
            &[file, &name, &quoted(wanted)],
        );
        self.expect_json(&name, &json!(text.matches(wanted).count()));
    }

    fn copy(&mut self, file: &str, text: &str) {
        let name = self.name("md");
        match self.random.below(3) {
            0 => {
                self.say(
                    &["Read <0> and save it as <1>", "save the text of <0> as <1>", "Open <0>; write the text to <1>"],
                    &[file, &name],
                );
                self.expect(&name, text);
            }
            1 => {
                let text = phrase(&mut self.random);
                self.say(&["save <0> as <1>", "Write <0> to <1>"], &[&quoted(&text), &name]);
                self.expect(&name, text);
            }
            _ => {
                let name = self.name("json");
                self.say(&["Save the text of <0> as <1>", "read <0> and store the text in <1>"], &[file, &name]);
                self.expect_json(&name, &json!(text));
            }
        }
    }

    fn compare_texts(&mut self) {
        let [(first, one), (second, two)] = [self.texts[0].clone(), self.texts[1].clone()];
        let name = self.name("json");
        self.say(
            &["compare <0> with <1> as <2>", "Read <0> and <1> and compare both into <2>"],
            &[&first, &second, &name],
        );
        let (one, two): (Vec<&str>, Vec<&str>) = (one.lines().collect(), two.lines().collect());
        self.expect_json(&name, &table::compare(&one, &two));
    }

    /// A list without a model: the template that `docs/offline.md` shows.
    fn write(&mut self) {
        let what = *self.random.pick(&["basic todo list", "short list of things for Ada and Bob", "packing checklist"]);
        let ending = *self.random.pick(&["md", "txt"]);
        let name = self.name(ending);
        self.say(
            &["Create a <0> as <1>", "write a <0> and save it as <1>", "Please make me a <0> into <1>"],
            &[what, &name],
        );
        let title = what[..1].to_uppercase() + &what[1..];
        let label = "Template text made by the offline provider, without a language model.";
        let items = ["First", "Second", "Third"];
        let text = if ending == "md" {
            format!("# {title}\n\n> {label}\n\n") + &items.map(|nth| format!("- [ ] {nth} item\n")).concat()
        } else {
            format!("{title}\n\n({label})\n\n") + &items.map(|nth| format!("[ ] {nth} item\n")).concat()
        };
        self.expect(&name, text);
    }

    /// A number out of the whole analysis.
    fn analyse(&mut self, file: &str, text: &str) {
        let (unit, key) = *self.random.pick(UNITS);
        let name = self.name("json");
        self.say(
            &[
                "Analyse <0> and query the result with '.statistics.<2>' as <1>",
                "Read <0>, analyse the text, apply `.statistics.<2>` to the analysis and save it as <1>",
            ],
            &[file, &name, key],
        );
        self.expect_json(&name, &json!(count(unit, text)));
    }

    fn question(&mut self) {
        let question = format!("Question {}: which?", self.answers.len() + 1);
        let asked = quoted(&question);
        match self.random.below(4) {
            0 => {
                let answer = phrase(&mut self.random);
                let name = self.name("txt");
                self.say(
                    &["ask <0> and save the answer as <1>", "Ask me <0>, then write the answer to <1>"],
                    &[&asked, &name],
                );
                self.expect(&name, answer.clone());
                self.answers.push((question, json!(answer)));
            }
            1 => {
                let answer = phrase(&mut self.random);
                let name = self.name("txt");
                self.say(&["ask <0>, count the words in the answer as <1>"], &[&asked, &name]);
                self.expect_json(&name, &json!(count("words", &answer)));
                self.answers.push((question, json!(answer)));
            }
            2 => {
                let name = self.name("json");
                self.say(&["ask <0> with choices red, dark green or \"to be, or not\" and save the answer as <1>", "Ask the user <0> with the choices: red, dark green and \"to be, or not\". Save the answer as <1>"], &[&asked, &name]);
                let answer = json!(*self.random.pick(&["red", "dark green", "to be, or not"]));
                self.expect_json(&name, &answer);
                self.answers.push((question, answer));
            }
            _ => {
                let name = self.name("json");
                let number = self.random.once_in(2);
                let answer = if number { json!(self.random.below(100)) } else { json!(self.random.once_in(2)) };
                self.say(
                    &["ask <0> <2> and save the answer as <1>", "Ask me <0> <2>; save it as <1>"],
                    &[&asked, &name, if number { "as a number" } else { "yes or no" }],
                );
                self.expect_json(&name, &answer);
                self.answers.push((question, answer));
            }
        }
    }
}
