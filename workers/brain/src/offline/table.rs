//! The clause table: what the grammar knows, for refusals and for `docs/offline.md`.

use schemas::catalogue::Catalogue;

/// A kind of clause.
pub struct Entry {
    pub name: &'static str,
    /// How it is said; capitals stand for what the person puts in.
    pub form: &'static str,
    /// All of them must be installed.
    pub verbs: &'static [&'static str],
    /// Words with which such a clause starts, beside its name.
    also: &'static [&'static str],
}

pub const TABLE: &[Entry] = &[
    Entry { name: "read", form: "read FILE", verbs: &["FILE_OPS"], also: &["open", "load"] },
    Entry {
        name: "convert",
        form: "convert FILE to JSON|CSV [as NAME]",
        verbs: &["DATA_TOOLKIT"],
        also: &["transform", "turn", "change"],
    },
    Entry {
        name: "count",
        form: "count the words|lines|characters|sentences|paragraphs in TEXT, count the rows in TABLE [where CONDITION] [by COLUMN], sum|average|lowest|highest COLUMN in TABLE",
        verbs: &["TEXT_ANALYSIS", "DATA_TOOLKIT"],
        also: &["how", "number", "sum", "average"],
    },
    Entry {
        name: "analyse",
        form: "analyse TEXT|TABLE, get the keywords|sentiment|language|readability|statistics|summary of TEXT",
        verbs: &["TEXT_ANALYSIS", "DATA_TOOLKIT"],
        also: &["analyze", "examine", "describe", "summarise", "summarize"],
    },
    Entry { name: "query", form: "query DATA with 'JQ'", verbs: &["DATA_TOOLKIT"], also: &["run", "apply", "jq"] },
    Entry {
        name: "filter",
        form: "filter TABLE where COLUMN = | > | contains … VALUE [and …], keep the lines of TEXT containing 'WORD', select COLUMNS from TABLE",
        verbs: &["DATA_TOOLKIT"],
        also: &["keep", "remove", "select", "find", "show"],
    },
    Entry {
        name: "sort",
        form: "sort TABLE by COLUMN [descending] [then by …], get the top N of TABLE by COLUMN, sort the lines of TEXT",
        verbs: &["DATA_TOOLKIT"],
        also: &["order", "rank", "top"],
    },
    Entry { name: "compare", form: "compare A and B", verbs: &["DATA_TOOLKIT"], also: &["diff"] },
    Entry { name: "fetch", form: "fetch URL", verbs: &["SCRAPE"], also: &["download", "scrape"] },
    Entry {
        name: "ask",
        form: "ask \"QUESTION\" [with choices A, B, C | as a number | yes or no]",
        verbs: &["ASK_USER_QUESTION"],
        also: &["prompt"],
    },
    Entry {
        name: "write",
        form: "write|create a … [to NAME] (a labelled template)",
        verbs: &["GENERATE"],
        also: &["create", "generate", "draft", "compose", "make"],
    },
    Entry {
        name: "save",
        form: "save it|the result|the text|the answer as NAME.txt|.md|.csv|.json",
        verbs: &[],
        also: &["store", "put", "export"],
    },
];

/// Every clause with its form; those whose verbs aren't installed say so.
pub fn known(catalogue: &Catalogue) -> Vec<String> {
    TABLE
        .iter()
        .map(|entry| {
            let missing: Vec<&str> =
                entry.verbs.iter().copied().filter(|verb| catalogue.verb(verb).is_none()).collect();
            match missing.as_slice() {
                [] => entry.form.into(),
                missing => format!("{} (needs {}, not installed)", entry.form, missing.join(" and ")),
            }
        })
        .collect()
}

/// How the clause is said that this one seems to be; empty when it seems to be none.
pub fn hint(clause: &str) -> String {
    let first = clause.split_whitespace().next().unwrap_or_default().to_lowercase();
    let found = TABLE.iter().find(|entry| entry.name == first || entry.also.contains(&first.as_str()));
    found.map(|entry| format!(" (say: {})", entry.form)).unwrap_or_default()
}
