//! Clauses about tables.

use super::Draw;
use super::condition::{condition, named};
use super::table::{self, Row, Table, number, text};
use serde_json::{Map, Value, json};

impl Draw {
    pub fn table_clause(&mut self) {
        let table = self.random.pick(&self.tables).clone();
        match self.random.below(11) {
            0 => self.convert(&table),
            1 => self.count_rows(&table),
            2 => self.count_by(&table),
            3 => self.measure(&table),
            4 => self.filter(&table),
            5 => self.sort(&table),
            6 => self.top(&table),
            7 => self.columns(&table),
            8 => self.compare(),
            9 => self.chain(),
            _ => self.query(&table),
        }
    }

    fn convert(&mut self, table: &Table) {
        let to = if table.file.ends_with(".csv") { "json" } else { "csv" };
        let base = table.file.rsplit('/').next().expect("a name");
        let own = format!("{}.{to}", base.rsplit_once('.').expect("an ending").0);
        if self.random.once_in(3) && !self.expected.contains_key(&own) {
            let form = to.to_uppercase();
            self.say(
                &["Convert <0> to <1>", "turn the file <0> into <1>", "Transform <0> from <2> to <1>"],
                &[&table.file, &form, if to == "csv" { "JSON" } else { "CSV" }],
            );
            return self.expect_rows(&own, &table.rows);
        }
        let name = self.name(to);
        self.say(
            &[
                "Convert <0> to <1>",
                "please convert <0> into <1>",
                "Read <0> and convert it to <2> as <1>",
                "convert <0> to <2> and save the result as <1>",
            ],
            &[&table.file, &name, &to.to_uppercase()],
        );
        self.expect_rows(&name, &table.rows);
    }

    fn count_rows(&mut self, table: &Table) {
        let ending = *self.random.pick(&["txt", "json"]);
        let name = self.name(ending);
        if self.random.once_in(2) {
            self.say(
                &[
                    "Count the rows in <0> into <1>",
                    "how many rows are there in <0> as <1>",
                    "the number of records in <0> to <1>",
                    "Read <0>, count the rows in it and save the count as <1>",
                    "save the number of rows in <0> as <1>",
                ],
                &[&table.file, &name],
            );
            return self.expect_json(&name, &json!(table.rows.len()));
        }
        let condition = condition(&mut self.random, table);
        let many = table.rows.iter().filter(|row| (condition.holds)(row)).count();
        self.say(
            &[
                "count the rows in <0> where <2> as <1>",
                "How many rows does <0> have where <2> as <1>",
                "Count the rows where <2> in <0> into <1>",
            ],
            &[&table.file, &name, &condition.said],
        );
        self.expect_json(&name, &json!(many));
    }

    fn count_by(&mut self, table: &Table) {
        let column = self.random.pick(&table.columns).clone();
        let mut fields: Vec<String> = table.rows.iter().map(|row| text(row.get(&column))).collect();
        fields.sort();
        let said = named(&mut self.random, &column);
        let name = self.name("json");
        if self.random.once_in(2) {
            self.say(
                &[
                    "count the rows in <0> by <2> into <1>",
                    "Count the records of <0> per <2> and save the result as <1>",
                ],
                &[&table.file, &name, &said],
            );
            let mut counts = Map::new();
            for field in fields {
                let before = counts.get(&field).and_then(Value::as_u64).unwrap_or(0);
                counts.insert(field, json!(before + 1));
            }
            return self.expect_json(&name, &Value::Object(counts));
        }
        fields.dedup();
        fields.retain(|field| !field.is_empty());
        if self.random.once_in(2) {
            self.say(
                &[
                    "count the distinct values of <2> in <0> into <1>",
                    "the number of different values of <2> in <0> as <1>",
                ],
                &[&table.file, &name, &said],
            );
            self.expect_json(&name, &json!(fields.len()));
        } else {
            self.say(
                &["List the unique values of <2> in <0> as <1>", "find the distinct values of <2> in <0> into <1>"],
                &[&table.file, &name, &said],
            );
            self.expect_json(&name, &json!(fields));
        }
    }

    fn measure(&mut self, table: &Table) {
        let found: Vec<f64> = table.rows.iter().filter_map(|row| number(row.get("price"))).collect();
        if found.is_empty() {
            return self.count_rows(table);
        }
        let name = self.name("txt");
        // Fractions are sums of powers of two: no order of adding gives another sum.
        let sum: f64 = found.iter().sum();
        let (word, value) = match self.random.below(4) {
            0 => ("sum", sum),
            1 => ("average", sum / found.len() as f64),
            2 => ("lowest", found.iter().copied().fold(f64::INFINITY, f64::min)),
            _ => ("highest", found.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        };
        self.say(
            &[
                "what is the <2> price in <0> as <1>",
                "Calculate the <2> of price in <0> into <1>",
                "the <2> of the price in <0> to <1>",
            ],
            &[&table.file, &name, word],
        );
        // A sum with a fraction in it is a fraction, however it ends.
        let whole = table
            .rows
            .iter()
            .filter(|row| number(row.get("price")).is_some())
            .all(|row| !text(row.get("price")).contains('.'));
        let value = match word {
            "average" => json!(value),
            "sum" if !whole => json!(value),
            _ if value.fract() == 0.0 => json!(value as i64),
            _ => json!(value),
        };
        self.expect_json(&name, &value);
    }

    fn filter(&mut self, table: &Table) {
        let condition = condition(&mut self.random, table);
        let ending = *self.random.pick(&["json", "csv"]);
        let name = self.name(ending);
        let parts = [table.file.as_str(), &name, &condition.said];
        let out = self.random.once_in(4);
        if out {
            self.say(
                &["remove the rows of <0> where <2> as <1>", "Filter out the rows of <0> where <2> and save it as <1>"],
                &parts,
            );
        } else {
            self.say(
                &[
                    "filter <0> where <2> into <1>",
                    "Keep only the rows of <0> where <2> and save the result as <1>",
                    "find the rows in <0> where <2>, save them as <1>",
                    "Read <0>. Filter it where <2>. Save the result to <1>",
                    "show me the rows where <2> in <0> as <1>",
                    "filter the rows of <0> for rows where <2> as <1>",
                ],
                &parts,
            );
        }
        let rows: Vec<Row> = table.rows.iter().filter(|row| (condition.holds)(row) != out).cloned().collect();
        self.expect_rows(&name, &rows);
    }

    fn sort(&mut self, table: &Table) {
        let (first, second) = (self.random.pick(&table.columns).clone(), self.random.pick(&table.columns).clone());
        let (down, two) = (self.random.once_in(2), self.random.once_in(2));
        let mut said = named(&mut self.random, &first)
            + if down { " descending" } else { *self.random.pick(&["", " ascending", " in ascending order"]) };
        let mut rows = table.rows.clone();
        if two {
            said += &format!(" then by {}", named(&mut self.random, &second));
            table::sort(&mut rows, &second, false);
        }
        table::sort(&mut rows, &first, down);
        let ending = *self.random.pick(&["json", "csv"]);
        let name = self.name(ending);
        self.say(
            &[
                "sort <0> by <2> into <1>",
                "Sort the rows of <0> by <2> and save it as <1>",
                "read <0>, sort it by <2>, save the result as <1>",
                "order <0> by <2> as <1>",
            ],
            &[&table.file, &name, &said],
        );
        self.expect_rows(&name, &rows);
    }

    fn top(&mut self, table: &Table) {
        let column = self.random.pick(&table.columns).clone();
        let many = 1 + self.random.below(5);
        let name = self.name("json");
        let said = named(&mut self.random, &column);
        let parts = [table.file.as_str(), &name, &said, &many.to_string()];
        let mut rows = table.rows.clone();
        match self.random.below(4) {
            0 => {
                self.say(
                    &[
                        "the top <3> rows of <0> by <2> into <1>",
                        "get the top <3> of <0> by <2> as <1>",
                        "Sort <0> by <2> descending and keep the first <3> rows as <1>",
                    ],
                    &parts,
                );
                table::sort(&mut rows, &column, true);
            }
            1 => {
                self.say(
                    &["the bottom <3> rows of <0> by <2> into <1>", "list the lowest <3> of <0> by <2> as <1>"],
                    &parts,
                );
                table::sort(&mut rows, &column, false);
            }
            2 => {
                self.say(&["take the last <3> rows of <0> as <1>", "the last <3> records of <0> into <1>"], &parts);
                rows = rows.split_off(rows.len().saturating_sub(many));
            }
            _ => self
                .say(&["take the first <3> rows of <0> as <1>", "show the first <3> entries of <0> into <1>"], &parts),
        }
        rows.truncate(many);
        self.expect_rows(&name, &rows);
    }

    fn columns(&mut self, table: &Table) {
        let second = self.random.pick(&table.columns[1..]).clone();
        let said = named(&mut self.random, &second);
        let ending = *self.random.pick(&["json", "csv"]);
        let name = self.name(ending);
        self.say(
            &[
                "select name and <2> from <0> as <1>",
                "Keep only the columns name, <2> of <0> and save the result as <1>",
                "extract the name and <2> columns from <0> into <1>",
            ],
            &[&table.file, &name, &said],
        );
        let pick = |row: &Row| {
            ["name", &second]
                .map(|name| (name.to_string(), row.get(name).cloned().unwrap_or(Value::Null)))
                .into_iter()
                .collect()
        };
        let rows: Vec<Row> = table.rows.iter().map(pick).collect();
        self.expect_rows(&name, &rows);
    }

    fn compare(&mut self) {
        let (first, second) = (self.tables[0].clone(), self.tables[1].clone());
        let name = self.name("json");
        self.say(
            &[
                "compare <0> and <1> into <2>",
                "Compare <0> with <1> and save the result as <2>",
                "Read <0> and <1>, then compare both and save the comparison as <2>",
                "find the differences between <0> and <1> as <2>",
            ],
            &[&first.file, &second.file, &name],
        );
        self.expect_json(&name, &table::compare(&first.rows, &second.rows));
    }

    /// Filtered, then sorted, then cut: each clause works on the result of the one before. Over
    /// CSV, where every row has every column.
    fn chain(&mut self) {
        let table = self.tables[self.random.below(3)].clone();
        let condition = condition(&mut self.random, &table);
        let column = self.random.pick(&table.columns).clone();
        let (many, down) = (1 + self.random.below(4), self.random.once_in(2));
        let ending = *self.random.pick(&["json", "csv"]);
        let name = self.name(ending);
        let by = named(&mut self.random, &column) + if down { " descending" } else { "" };
        self.say(
            &[
                "filter <0> where <2>, sort it by <3>, keep the first <4> and save them as <1>",
                "Load <0>. Filter it where <2>. Sort the result by <3>. Take the first <4> rows as <1>",
                "read <0>; keep the rows where <2>; sort them by <3>; keep the first <4> and save it to <1>",
            ],
            &[&table.file, &name, &condition.said, &by, &many.to_string()],
        );
        let mut rows: Vec<Row> = table.rows.iter().filter(|row| (condition.holds)(row)).cloned().collect();
        table::sort(&mut rows, &column, down);
        rows.truncate(many);
        self.expect_rows(&name, &rows);
    }

    fn query(&mut self, table: &Table) {
        let name = self.name("json");
        let (jq, value) = match self.random.below(3) {
            0 => ("length", json!(table.rows.len())),
            1 => (
                "[.[] | .name]",
                table.rows.iter().map(|row| row.get("name").cloned().unwrap_or(Value::Null)).collect(),
            ),
            _ => ("map(has(\"price\")) | all", json!(table.rows.iter().all(|row| row.contains_key("price")))),
        };
        self.say(
            &[
                "query <0> with '<2>' as <1>",
                "run the jq query `<2>` on <0> and save the result as <1>",
                "apply '<2>' to <0> into <1>",
            ],
            &[&table.file, &name, jq],
        );
        self.expect_json(&name, &value);
    }
}
