//! A goal, checked before it is stored.

use crate::unwritten;
use nats::{
    jetstream::JetStream,
    service::{Request, store},
};
use schemas::{Tenant, Value};
use serde_json::json;
use streams::{
    record::Record,
    subject,
    submission::{Refusal, Submission},
};

/// Stores a well-formed goal and answers with the mission that it will be.
pub async fn submit(log: &JetStream, tenant: &Tenant, request: &Request) -> Result<Value, Refusal> {
    let submission = Submission::read(tenant, &request.headers, &request.payload)?;
    // Nothing but the event: other headers are orders to the stream.
    let told = |name: &str| name.to_ascii_lowercase().starts_with("ce-") || name.eq_ignore_ascii_case("content-type");
    let record = Record {
        seq: 0,
        subject: subject::goal(tenant),
        headers: request.headers.iter().filter(|(name, _)| told(name)).cloned().collect(),
        payload: request.payload.clone(),
    };
    store(log, &record).await.map_err(unwritten)?;
    let mission = submission.mission();
    Ok(json!({"mission": mission, "subject": subject::view(tenant, mission)}))
}
