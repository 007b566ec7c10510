//! Models as data: what is shipped, with the user's own file over it.

use crate::provider::Known;
use schemas::brain::Usage;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use toml::{Table, Value};

const SHIPPED: &str = include_str!("../models.toml");

/// What a model can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    Text,
    Json,
    Code,
    /// It reads images.
    Vision,
    /// It hears.
    Audio,
    /// It draws.
    Image,
    Embeddings,
}

/// What a million tokens cost, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For prompts of at most so many tokens; all others when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<u64>,
    pub input: f64,
    pub output: f64,
}

/// From 0 to 100; what is absent is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scores {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creativity: Option<f64>,
}

/// One model of one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub provider: String,
    pub name: String,
    /// Tokens that it reads at the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// Tokens that it writes at the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    #[serde(default = "text")]
    pub work: BTreeSet<Work>,
    /// Nobody said what it does: it may do more.
    #[serde(skip)]
    pub is_unknown: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Price>,
    #[serde(default)]
    pub scores: Scores,
    /// The page that says so, and when it was read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seen: String,
}

fn text() -> BTreeSet<Work> {
    [Work::Text, Work::Json, Work::Code].into()
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.name)
    }
}

impl Model {
    /// One of which nothing is known.
    pub fn unknown(provider: &str, name: &str) -> Self {
        Self {
            provider: provider.into(),
            name: name.into(),
            context: None,
            output: None,
            work: text(),
            is_unknown: true,
            prices: Vec::new(),
            scores: Scores::default(),
            from: String::new(),
            seen: String::new(),
        }
    }

    /// What so many tokens cost, in US dollars, where that is known.
    pub fn cost(&self, usage: &Usage) -> Option<f64> {
        let price = self.prices.iter().find(|price| price.up_to.is_none_or(|most| usage.input <= most))?;
        let of = |tokens: u64, price: f64| tokens as f64 * price / 1e6;
        Some(of(usage.input, price.input) + of(usage.output, price.output))
    }

    fn check(&self) -> Vec<String> {
        let right = |n: f64, most: f64| n.is_finite() && (0.0..=most).contains(&n);
        let mut faults = Vec::new();
        if Known::find(&self.provider).is_none() {
            let known: Vec<_> = crate::KNOWN.iter().map(|known| known.name).collect();
            faults.push(format!("there is no provider `{}`; known are {}", self.provider, known.join(", ")));
        }
        if self.prices.iter().any(|price| !right(price.input, 1e6) || !right(price.output, 1e6)) {
            faults.push("a price is a number from 0 up".into());
        }
        let limits: Vec<_> = self.prices.iter().map(|price| price.up_to.unwrap_or(u64::MAX)).collect();
        if limits.windows(2).any(|two| two[0] >= two[1]) {
            faults.push("prices come in the order of their `up_to`, the one for all others last".into());
        }
        let Scores { speed, accuracy, creativity } = self.scores;
        if [speed, accuracy, creativity].into_iter().flatten().any(|score| !right(score, 100.0)) {
            faults.push("a score is a number from 0 to 100".into());
        }
        faults.into_iter().map(|fault| format!("{self}: {fault}")).collect()
    }
}

/// All that are known, by provider and name.
#[derive(Debug, Clone, PartialEq)]
pub struct Models(BTreeMap<(String, String), Model>);

impl Default for Models {
    fn default() -> Self {
        Self::read("").expect("a test reads what is shipped")
    }
}

impl Models {
    /// What is shipped, with a file of the user's over it.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn read(own: &str) -> Result<Self, Vec<String>> {
        let mut merged: BTreeMap<(String, String), Table> = BTreeMap::new();
        for table in tables(SHIPPED)?.into_iter().chain(tables(own)?) {
            merged.entry(named(&table)?).or_default().extend(table);
        }
        let (mut models, mut faults) = (BTreeMap::new(), Vec::new());
        for (key, mut table) in merged {
            match table.remove("off") {
                None | Some(Value::Boolean(false)) => {}
                Some(Value::Boolean(true)) => continue,
                Some(_) => faults.push(format!("{}/{}: `off` is true or false", key.0, key.1)),
            }
            match Value::Table(table).try_into::<Model>() {
                Ok(model) => {
                    faults.extend(model.check());
                    models.insert(key, model);
                }
                Err(error) => faults.push(format!("{}/{}: {}", key.0, key.1, error.message())),
            }
        }
        if faults.is_empty() { Ok(Self(models)) } else { Err(faults) }
    }

    pub fn all(&self) -> impl Iterator<Item = &Model> {
        self.0.values()
    }

    /// What is known of a model.
    pub fn find(&self, provider: &str, name: &str) -> Option<&Model> {
        self.0.get(&(provider.to_string(), name.to_string()))
    }
}

/// The entries of a file.
fn tables(text: &str) -> Result<Vec<Table>, Vec<String>> {
    let mut file: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        vec![format!("line {line}: {}", error.message())]
    })?;
    let entries = match file.remove("model") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(vec!["models are written as [[model]]".into()]),
    };
    if let Some((other, _)) = file.iter().next() {
        return Err(vec![format!("`{other}` is not known here: each model is a [[model]]")]);
    }
    let table = |entry| match entry {
        Value::Table(table) => Ok(table),
        _ => Err(vec!["models are written as [[model]]".to_string()]),
    };
    entries.into_iter().map(table).collect()
}

fn named(table: &Table) -> Result<(String, String), Vec<String>> {
    let text = |field: &str| table.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(String::from);
    let missing = || vec![format!("a [[model]] needs `provider` and `name`, both texts: {table}")];
    text("provider").zip(text("name")).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_says_where_each_price_is_from() {
        let models = Models::read("").expect("it is right");
        assert!(models.all().count() >= 8);
        for model in models.all() {
            assert!(model.from.starts_with("https://") && model.seen.len() == 10, "{model}");
            assert!(!model.prices.is_empty() || model.scores == Scores::default(), "{model}");
        }
    }

    #[test]
    fn a_file_of_ones_own_adds_overrides_and_takes_away() {
        let own = r#"
            [[model]]
            provider = "openai"
            name = "gpt-5-mini"
            scores = { accuracy = 70 }
            [[model]]
            provider = "llamacpp"
            name = "mine.gguf"
            context = 4096
            [[model]]
            provider = "openai"
            name = "gpt-5-nano"
            off = true
        "#;
        let models = Models::read(own).expect("it is right");
        let mini = models.find("openai", "gpt-5-mini").expect("it is there");
        assert_eq!((mini.scores.accuracy, mini.prices.len(), mini.context), (Some(70.0), 1, Some(272_000)));
        let mine = models.find("llamacpp", "mine.gguf").expect("it is there");
        assert_eq!((mine.context, mine.work.len(), mine.cost(&Usage::default())), (Some(4096), 3, None));
        assert_eq!(models.find("openai", "gpt-5-nano"), None);
    }

    #[test]
    fn long_prompts_cost_more_where_the_price_says_so() {
        let models = Models::default();
        let haiku = models.find("anthropic", "claude-haiku-5-5").expect("it is shipped");
        let cost = |input, output| haiku.cost(&Usage { input, output, estimated: false }).expect("known");
        assert!((cost(100_000, 1_000_000) - 0.51).abs() < 1e-9);
        assert!((cost(100_001, 1_000_000) - 2.550_000_5).abs() < 1e-6);
    }

    #[test]
    fn all_faults_of_a_file_are_told() {
        let model = |rest: &str| format!("[[model]]\nprovider = 'openai'\nname = 'x'\n{rest}\n");
        for (own, said) in [
            ("[[model]\n", "line 1: "),
            ("colour = 1\n", "`colour` is not known here"),
            ("model = 1\n", "[[model]]"),
            ("[[model]]\nname = 'x'\n", "needs `provider` and `name`"),
            ("[[model]]\nprovider = 'acme'\nname = 'x'\n", "there is no provider `acme`; known are openai, "),
            (&model("prices = [{ input = -1, output = 0 }]"), "openai/x: a price is a number from 0 up"),
            (&model("prices = [{ input = 1, output = 1 }, { up_to = 5, input = 1, output = 1 }]"), "in the order"),
            (&model("scores = { speed = 101 }"), "from 0 to 100"),
            (&model("scores = { luck = 1 }"), "openai/x: unknown field `luck`"),
            (&model("work = ['dance']"), "openai/x: unknown variant `dance`"),
            (&model("off = 'yes'"), "openai/x: `off` is true or false"),
        ] {
            let faults = Models::read(own).expect_err(own);
            assert!(faults.iter().any(|fault| fault.contains(said)), "{own}: {faults:?}");
        }
        let two = format!("{}{}", model("scores = { speed = 101 }"), "[[model]]\nprovider = 'acme'\nname = 'y'\n");
        assert_eq!(Models::read(&two).expect_err("both").len(), 2);
    }
}
