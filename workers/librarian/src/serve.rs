//! Answering `stage7.query.{tenant}`.

use crate::{query, store::Store};
use async_trait::async_trait;
use nats::service::{Answer, Request, Service};
use schemas::Tenant;
use std::sync::Arc;
use streams::submission::Refusal;

pub struct Desk {
    store: Arc<Store>,
}

impl Desk {
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Service for Desk {
    const NAME: &'static str = "librarian";
    const ENDPOINTS: &'static [(&'static str, &'static str)] = &[("query", "stage7.query.*")];

    async fn answer(&self, _endpoint: &'static str, request: Request) -> Answer {
        let store = Arc::clone(&self.store);
        let asked = tokio::task::spawn_blocking(move || {
            let tenant = request.subject.rsplit('.').next().unwrap_or_default();
            let tenant: Tenant = tenant.parse().map_err(|e| Refusal::new("invalid_subject", format!("{e}")))?;
            let asked = query::Query::parse(&request.payload)?;
            store.read(|rows| query::answer(rows, &tenant, &asked))
        });
        match asked.await {
            Ok(Ok(page)) => {
                Answer { headers: Vec::new(), payload: serde_json::to_vec(&page).expect("rows serialise").into() }
            }
            Ok(Err(refusal)) => refuse(&refusal),
            Err(_) => self.broken(),
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
