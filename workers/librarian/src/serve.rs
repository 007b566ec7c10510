//! Answering `stage7.query.{tenant}`.

use crate::{
    query::{self, Query},
    store::Store,
};
use async_trait::async_trait;
use nats::{
    jetstream::JetStream,
    service::{Answer, Request, Service},
};
use schemas::{Tenant, Value};
use std::sync::Arc;
use streams::submission::Refusal;

pub struct Desk {
    js: JetStream,
    store: Arc<Store>,
}

impl Desk {
    pub fn new(js: JetStream, store: Arc<Store>) -> Self {
        Self { js, store }
    }

    async fn asked(&self, request: Request) -> Result<Value, Refusal> {
        let tenant = request.subject.rsplit('.').next().unwrap_or_default();
        let tenant: Tenant = tenant.parse().map_err(|e| Refusal::new("invalid_subject", format!("{e}")))?;
        let asked = Query::parse(&request.payload)?;
        if let Query::Record(asked) = &asked {
            return query::dead::show(&self.js, &self.store, &tenant, asked).await;
        }
        let store = Arc::clone(&self.store);
        let answer = tokio::task::spawn_blocking(move || store.read(|rows| query::answer(rows, &tenant, &asked)));
        answer.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

#[async_trait]
impl Service for Desk {
    const NAME: &'static str = "librarian";
    const ENDPOINTS: &'static [(&'static str, &'static str)] = &[("query", "stage7.query.*")];

    async fn answer(&self, _endpoint: &'static str, request: Request) -> Answer {
        match self.asked(request).await {
            Ok(answer) => Answer { headers: Vec::new(), payload: answer.to_string().into() },
            Err(refusal) => refuse(&refusal),
        }
    }

    fn broken(&self) -> Answer {
        refuse(&Refusal::new("internal", "the librarian failed at this request; the others go on"))
    }
}

fn refuse(refusal: &Refusal) -> Answer {
    let payload = serde_json::to_vec(refusal).expect("texts serialise").into();
    Answer { headers: vec![("Stage7-Error", refusal.error.code.clone())], payload }
}
