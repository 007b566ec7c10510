//! What a clause asks for, before it is known how.

/// A clause that can't be done, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub clause: String,
    pub reason: String,
}

/// One clause of a goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// As the person wrote it.
    pub text: String,
    pub deed: Deed,
    /// `to|as|into NAME.ext`.
    pub sink: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    Read(Vec<Operand>),
    Convert {
        what: Vec<Operand>,
        from: Option<Form>,
        to: Form,
    },
    Count {
        what: Vec<Operand>,
        units: Vec<Unit>,
    },
    Measure {
        what: Vec<Operand>,
        measure: Measure,
    },
    Analyse {
        what: Vec<Operand>,
        facet: Option<Facet>,
    },
    Query {
        what: Operand,
        jq: String,
    },
    /// Rows, or lines of a text, for which the condition holds (or doesn't, when `keep` is false).
    Filter {
        what: Vec<Operand>,
        condition: Condition,
        keep: bool,
    },
    Sort {
        what: Vec<Operand>,
        order: Order,
        take: Option<Take>,
    },
    Take {
        what: Vec<Operand>,
        take: Take,
    },
    Columns {
        what: Vec<Operand>,
        columns: Vec<String>,
    },
    Compare(Vec<Operand>),
    Fetch(String),
    Ask {
        question: String,
        reply: Reply,
    },
    /// Text from a model, or here: a labelled template.
    Write(String),
    Save(Vec<Operand>),
}

/// What a clause works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand {
    pub source: Source,
    /// `the lines of …`: a text line by line, never a table.
    pub lines: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(String),
    Quoted(String),
    Url(String),
    /// `it`, or nothing said at all.
    It,
    Both,
    /// `them`: the rows that were made last, or both things.
    Them,
    Result,
    Text,
    Data,
    Answer,
    Context,
    /// `the file`: the only one there is.
    TheFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Csv,
    Json,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Unit {
    /// A number of TEXT_ANALYSIS statistics, by its name there.
    Statistic(&'static str),
    Rows {
        condition: Option<Condition>,
        by: Option<String>,
    },
    Columns,
    /// How many different values a column has.
    Distinct(String),
    /// How often a text occurs.
    Occurrences(String),
}

/// Numbers out of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    pub kind: MeasureKind,
    pub column: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasureKind {
    Sum,
    Average,
    Lowest,
    Highest,
    /// The different values themselves.
    Distinct,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facet {
    Statistics,
    Keywords,
    Sentiment,
    Language,
    Readability,
    Summary,
}

/// Tests joined by `and`, or by `or`; never both.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub tests: Vec<Test>,
    pub any: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// `None`: the line itself.
    pub column: Option<String>,
    pub relation: Relation,
    pub negated: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    Equals(String),
    OneOf(Vec<String>),
    /// `above`: greater; otherwise less. `equal`: or equal.
    Beyond {
        above: bool,
        equal: bool,
        value: String,
    },
    Between(String, String),
    Contains(String),
    Starts(String),
    Ends(String),
    Empty,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `None`: the line itself.
    pub column: Option<String>,
    pub descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    First(usize),
    Last(usize),
}

/// What kind of answer a question wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Text,
    Number,
    Boolean,
    Choice(Vec<String>),
    Choices(Vec<String>),
}
