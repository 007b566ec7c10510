//! Answering `stage7.query.{tenant}`.

use crate::{
    archive::{Archivist, Order},
    query::{self, Query},
    store::Store,
};
use async_trait::async_trait;
use nats::{
    jetstream::JetStream,
    service::{Answer, Request, Service},
};
use schemas::Tenant;
use serde::Serialize;
use std::sync::Arc;
use streams::submission::Refusal;

pub struct Desk {
    js: JetStream,
    store: Arc<Store>,
    archivist: Arc<Archivist>,
}

impl Desk {
    pub fn new(js: JetStream, store: Arc<Store>, archivist: Arc<Archivist>) -> Self {
        Self { js, store, archivist }
    }

    async fn dispatch(&self, request: Request) -> Result<Answer, Refusal> {
        let tenant = request.subject.rsplit('.').next().unwrap_or_default();
        let tenant: Tenant = tenant.parse().map_err(|e| Refusal::new("invalid_subject", format!("{e}")))?;
        if let Some(order) = Order::parse(&request.payload) {
            return Ok(answer(&self.archivist.obey(&tenant, order?).await?));
        }
        let asked = Query::parse(&request.payload)?;
        if let Query::Record(asked) = &asked {
            return query::dead::show(&self.js, &self.store, &tenant, asked).await.map(|shown| answer(&shown));
        }
        let store = Arc::clone(&self.store);
        let page = tokio::task::spawn_blocking(move || store.read(|rows| query::answer(rows, &tenant, &asked)));
        page.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).map(|page| answer(&page))
    }
}

#[async_trait]
impl Service for Desk {
    const NAME: &'static str = "librarian";
    const SHARED: bool = false;
    const ENDPOINTS: &'static [(&'static str, &'static str)] = &[("query", "stage7.query.*")];

    async fn answer(&self, _endpoint: &'static str, request: Request) -> Answer {
        self.dispatch(request).await.unwrap_or_else(|refusal| refuse(&refusal))
    }

    fn broken(&self) -> Answer {
        refuse(&broken())
    }
}

fn broken() -> Refusal {
    Refusal::new("internal", "the librarian failed at this request; the others go on")
}

fn answer(given: &impl Serialize) -> Answer {
    Answer { headers: Vec::new(), payload: serde_json::to_vec(given).expect("rows serialise").into() }
}

fn refuse(refusal: &Refusal) -> Answer {
    let payload = serde_json::to_vec(refusal).expect("texts serialise").into();
    Answer { headers: vec![("Stage7-Error", refusal.error.code.clone())], payload }
}
