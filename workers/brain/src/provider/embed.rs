//! Texts as vectors.

use super::{Dialect, Failure, Kind, Provider, Speaker, estimate, http::Http};
use crate::config::ProviderConfig;
use schemas::{
    agent::{Message, Speaker as Who},
    brain::Usage,
};
use serde_json::json;
use std::time::Duration;

/// Characters that a request may have in all its texts. OpenAI takes 300,000 tokens (its reference, “Create
/// embeddings”), and no token is less than a character.
const MOST_CHARS: usize = 300_000;

/// How long a batch waits for its place.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a provider is asked for vectors.
pub enum Embedder {
    /// As it is asked for everything else.
    Speaker,
    /// Hugging Face has them beside its router's chat, as its library asks for them (`huggingface_hub`,
    /// `inference/_providers/hf_inference.py`).
    HuggingFace(Http),
    /// Why there are none.
    None(&'static str),
}

impl Embedder {
    /// # Errors
    /// A sentence: a header is none, or there is no client.
    pub fn new(config: &ProviderConfig, base: &str) -> Result<Self, String> {
        Ok(match (config.known.name, config.known.dialect) {
            ("huggingface", _) => Self::HuggingFace(Http::new(config, base.strip_suffix("v1/").unwrap_or(base))?),
            (_, Dialect::Anthropic) => {
                Self::None("Anthropic has no embeddings: ask another provider, as openai, gemini or huggingface")
            }
            (_, Dialect::Tgi) => Self::None(
                "Text Generation Inference has no embeddings: Text Embeddings Inference has, and speaks like OpenAI \
                 (OPENAI_API_URL)",
            ),
            _ => Self::Speaker,
        })
    }

    /// How many texts one request may have.
    fn most(&self, dialect: Dialect) -> usize {
        match (self, dialect) {
            // The default of its servers (Text Embeddings Inference, `--max-client-batch-size`).
            (Self::HuggingFace(_), _) => 32,
            // “at most 100 requests can be in one batch”.
            (_, Dialect::Gemini) => 100,
            // No limit is told; the answer has to be read whole.
            (_, Dialect::LlamaCpp) => 64,
            // “any array must be 2048 dimensions or less” (its reference, “Create embeddings”).
            _ => 2048,
        }
    }
}

impl Provider {
    /// A vector for each text, in the order of the texts; all have the same length.
    ///
    /// # Errors
    /// By what it means; no key is in its words.
    pub async fn embed(&self, model: &str, texts: &[String]) -> Result<(Vec<Vec<f32>>, Usage), Failure> {
        let most = self.embedder.most(self.config.known.dialect);
        let (mut vectors, mut usage) = (Vec::with_capacity(texts.len()), Usage::default());
        for batch in batches(texts, most) {
            let made = self.made(model, batch).await.map_err(|failure| self.worded(Failure { usage, ..failure }));
            let (made, tokens) = made?;
            let counted = tokens.map(|input| Usage { input, output: 0, estimated: false });
            let counted = counted.unwrap_or_else(|| estimate(&[Message::new(Who::User, batch.concat())], ""));
            usage.input += counted.input;
            usage.estimated |= counted.estimated;
            vectors.extend(made);
        }
        check(&vectors, texts.len())
            .map_err(|why| self.worded(Failure { usage, ..Failure::new(Kind::Garbled, why) }))?;
        Ok((vectors, usage))
    }

    async fn made(&self, model: &str, texts: &[String]) -> Result<(Vec<Vec<f32>>, Option<u64>), Failure> {
        let _place = self.gate.enter(PATIENCE).await.map_err(|why| Failure::new(Kind::Capped, why))?;
        let made = match (&self.embedder, &self.speaker) {
            (Embedder::None(why), _) => return Err(Failure::new(Kind::Rejected, *why)),
            (Embedder::HuggingFace(http), _) => {
                let path = format!("hf-inference/models/{model}/pipeline/feature-extraction");
                let said = http.read(http.post(&path, &json!({"inputs": texts})).await?).await?;
                let wrong = |error| Failure::new(Kind::Garbled, format!("no vector for each text: {error}"));
                (serde_json::from_value(said).map_err(wrong)?, None)
            }
            (_, Speaker::Chat(chat)) => chat.embed(model, texts).await?,
            (_, Speaker::Native(native)) => (native.embed(texts).await?, None),
        };
        match made.0.len() == texts.len() {
            true => Ok(made),
            false => {
                let why = format!("{} vectors came for {} texts", made.0.len(), texts.len());
                Err(Failure::new(Kind::Garbled, why))
            }
        }
    }
}

/// The texts in as few parts as may be, none with too many texts or, but for a single one, too many characters.
fn batches(texts: &[String], most: usize) -> impl Iterator<Item = &[String]> {
    let mut rest = texts;
    std::iter::from_fn(move || {
        let mut chars = 0;
        let fits = rest.iter().take(most).take_while(|text| {
            chars += text.chars().count();
            chars <= MOST_CHARS
        });
        let (batch, after) = rest.split_at_checked(fits.count().max(1))?;
        rest = after;
        Some(batch)
    })
}

/// Are there that many, of one length, and all of numbers?
fn check(vectors: &[Vec<f32>], many: usize) -> Result<(), String> {
    let length = vectors.first().map_or(0, Vec::len);
    if vectors.len() != many {
        return Err(format!("{} vectors came for {many} texts", vectors.len()));
    }
    match vectors
        .iter()
        .position(|vector| vector.len() != length || length == 0 || !vector.iter().all(|n| n.is_finite()))
    {
        None => Ok(()),
        Some(n) => Err(format!("vector {} of {many} is empty, of another length, or not of numbers", n + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_in_as_few_parts_as_may_be() {
        let sizes = |chars: &[usize], most: usize| -> Vec<usize> {
            let texts: Vec<_> = chars.iter().map(|n| "ü".repeat(*n)).collect();
            batches(&texts, most).map(<[String]>::len).collect()
        };
        assert_eq!(sizes(&[], 3), [0; 0]);
        assert_eq!(sizes(&[1; 7], 3), [3, 3, 1]);
        assert_eq!(sizes(&[200_000, 100_000, 1, 400_000, 1], 9), [2, 1, 1, 1]);
    }

    #[test]
    fn vectors_are_as_many_as_texts_of_one_length_and_of_numbers() {
        check(&[vec![1.0, 0.0], vec![0.5, 0.5]], 2).expect("they are right");
        check(&[], 0).expect("none for none");
        for wrong in
            [vec![vec![1.0]], vec![vec![], vec![]], vec![vec![1.0], vec![1.0, 2.0]], vec![vec![1.0], vec![f32::NAN]]]
        {
            assert!(check(&wrong, 2).is_err(), "{wrong:?}");
        }
    }
}
