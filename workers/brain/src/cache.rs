//! Answers that are given again to the same request, where that is wanted. They lie in Redis where one is set, so that
//! all brains have them, else in this brain's memory.

use crate::{provider::Tool, shared::Redis};
use schemas::{
    Tenant, Value,
    agent::{Message, ToolCall},
    value::sha256,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Bytes of an answer that is kept, and of all that memory holds.
const LARGEST: usize = 1 << 20;
const MEMORY: usize = 64 << 20;

/// Answers, each for so long.
pub struct Cache {
    life: Duration,
    redis: Option<Arc<Redis>>,
    own: Mutex<Own>,
}

/// What a model said, as it is checked again when it is given again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub model: String,
    pub text: String,
    #[serde(default)]
    pub calls: Vec<ToolCall>,
}

/// All that an answer depends on.
#[derive(Serialize)]
pub struct Request<'a> {
    /// What one tenant asked is no other's affair.
    pub tenant: &'a Tenant,
    pub provider: &'a str,
    pub address: &'a str,
    pub model: Option<&'a str>,
    /// Images by their SHA-256.
    pub messages: &'a [Message],
    pub tools: &'a [Tool],
    pub schema: Option<&'a Value>,
}

impl Request<'_> {
    pub fn key(&self) -> String {
        sha256(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }
}

/// What memory holds, the oldest first.
#[derive(Default)]
struct Own {
    answers: HashMap<String, (Instant, Vec<u8>)>,
    order: VecDeque<(String, Instant)>,
    bytes: usize,
}

impl Own {
    fn put(&mut self, key: &str, kept: Vec<u8>, now: Instant, until: Instant) {
        self.bytes += kept.len();
        self.order.push_back((key.into(), until));
        if let Some((_, old)) = self.answers.insert(key.into(), (until, kept)) {
            self.bytes -= old.len();
        }
        // All live equally long: whatever is over stands first.
        while let Some((oldest, until)) = self.order.front().cloned()
            && (until <= now || self.bytes > MEMORY)
        {
            self.order.pop_front();
            // What was put anew since stands further back, too.
            if self.answers.get(&oldest).is_some_and(|(own, _)| *own == until)
                && let Some((_, old)) = self.answers.remove(&oldest)
            {
                self.bytes -= old.len();
            }
        }
    }

    fn get(&self, key: &str, now: Instant) -> Option<Vec<u8>> {
        self.answers.get(key).filter(|(until, _)| *until > now).map(|(_, kept)| kept.clone())
    }
}

impl Cache {
    pub fn new(life: Duration, redis: Option<Arc<Redis>>) -> Self {
        Self { life, redis, own: Mutex::default() }
    }

    /// What was answered before.
    pub async fn get(&self, key: &str) -> Option<Kept> {
        let there = match &self.redis {
            Some(redis) => redis.ask::<Option<Vec<u8>>>(redis::cmd("GET").arg(name(key))).await.flatten(),
            None => None,
        };
        let kept =
            there.or_else(|| self.own.lock().unwrap_or_else(PoisonError::into_inner).get(key, Instant::now()))?;
        serde_json::from_slice(&kept).inspect_err(|error| garbled(key, &error.to_string())).ok()
    }

    pub async fn put(&self, key: &str, kept: &Kept) {
        let kept = serde_json::to_vec(kept).unwrap_or_default();
        if kept.len() > LARGEST {
            return;
        }
        if let Some(redis) = &self.redis {
            let mut set = redis::cmd("SET");
            set.arg(name(key)).arg(&kept).arg("PX").arg(self.life.as_millis().max(1) as u64);
            if redis.ask::<String>(&set).await.is_some() {
                return;
            }
        }
        let now = Instant::now();
        self.own.lock().unwrap_or_else(PoisonError::into_inner).put(key, kept, now, now + self.life);
    }
}

/// Says that what was kept is no answer; then the model is asked.
pub fn garbled(key: &str, why: &str) {
    tracing::warn!(key = name(key), why, "a cached answer can't be used");
}

fn name(key: &str) -> String {
    format!("stage7:answer:{key}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::{
        agent::Speaker,
        value::{Blob, Form},
    };
    use serde_json::json;

    #[test]
    fn a_request_is_another_one_when_any_part_of_it_is() {
        let (tenant, other): (Tenant, Tenant) = (Tenant::default(), "other".parse().expect("a tenant"));
        let said = [Message::new(Speaker::System, "Be brief."), Message::new(Speaker::User, "Why?")];
        let image = |bytes: &[u8]| Blob::new(Form::File, "image/png", bytes.to_vec()).reference;
        let shown = |bytes| [said[0].clone(), Message { images: vec![image(bytes)], ..said[1].clone() }];
        let (one, two) = (shown(b"one"), shown(b"two"));
        let told = [said[0].clone(), Message::new(Speaker::Assistant, "Why?")];
        let tool = |description: &str| [Tool { name: "T".into(), description: description.into(), input: json!({}) }];
        let (tools, others) = (tool("does"), tool("does not"));
        let (schema, wider) = (json!({"type": "object"}), json!({"type": ["object", "array"]}));
        let whole = || Request {
            tenant: &tenant,
            provider: "openai",
            address: "http://a/v1/",
            model: Some("m"),
            messages: &said,
            tools: &[],
            schema: None,
        };
        let all = [
            whole(),
            Request { tenant: &other, ..whole() },
            Request { provider: "openrouter", ..whole() },
            Request { address: "http://b/v1/", ..whole() },
            Request { model: Some("n"), ..whole() },
            Request { model: None, ..whole() },
            Request { messages: &said[1..], ..whole() },
            Request { messages: &told, ..whole() },
            Request { messages: &one, ..whole() },
            Request { messages: &two, ..whole() },
            Request { tools: &tools, ..whole() },
            Request { tools: &others, ..whole() },
            Request { schema: Some(&schema), ..whole() },
            Request { schema: Some(&wider), ..whole() },
        ];
        let keys: std::collections::BTreeSet<_> = all.iter().map(Request::key).collect();
        assert_eq!(keys.len(), all.len());
        assert_eq!(whole().key(), all[0].key());
    }

    #[test]
    fn memory_forgets_what_is_over_and_the_oldest_when_it_is_full() {
        let (mut own, now) = (Own::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        own.put("a", vec![1], now, later(10));
        own.put("b", vec![2], later(1), later(11));
        own.put("a", vec![3], later(2), later(12));
        assert_eq!((own.get("a", later(11)), own.get("b", later(11)), own.bytes), (Some(vec![3]), None, 2));
        own.put("c", vec![4], later(11), later(21));
        assert_eq!((own.answers.len(), own.bytes), (2, 2), "b is over");
        own.put("d", vec![0; MEMORY], later(12), later(22));
        assert_eq!((own.get("c", later(12)), own.get("d", later(12)).map(|kept| kept.len())), (None, Some(MEMORY)));
        assert_eq!((own.answers.len(), own.order.len(), own.bytes), (1, 1, MEMORY));
    }
}
