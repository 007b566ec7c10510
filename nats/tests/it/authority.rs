//! Who may do what, on the shipped configuration, tried by everybody: fixed by the accounts, not by
//! good manners. Each attempt is counted by what the server did, and the log is looked at before and
//! after. `--nocapture` shows them one by one.

mod attempt;
mod wire;
mod world;

mod api;
mod batch;
mod delivery;
mod forged;
mod gap;
mod header;
mod listen;
mod reply;
mod tenant;
mod word;

use crate::fixture::{Server, next};

const M: &str = "stage7.mission.default.0.m1";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_tenants_rights_submits_and_watches_and_no_more() {
    let server = Server::start().await;
    let (tenant, door) = (server.user("default").await, server.user("door").await);
    let mut view = tenant.client.subscribe("stage7.view.default.>").await.unwrap();
    let mut live = tenant.client.subscribe("stage7.live.default.>").await.unwrap();
    tenant.client.flush().await.unwrap();
    assert!(tenant.append("stage7.goal.default", "a goal").await.is_some(), "JetStream says the goal is safe");
    let read = r#"{"seq":1,"batch":10,"next_by_subj":"stage7.goal.default"}"#;
    assert_eq!(door.ask("$JS.API.DIRECT.GET.GOALS", read).await.unwrap().payload, "a goal");

    let stored = server.user("control").await.append(&format!("{M}.control.mission.created"), "x").await.unwrap();
    let answer = format!("{M}.brain.llm.completed.agent.c1");
    server.user("brain").await.append(&answer, "y").await.unwrap();
    let seen = next(&mut view).await;
    assert_eq!(seen.subject.as_str(), "stage7.view.default.m1.control.mission.created");
    assert_eq!(seen.headers.unwrap().get("Nats-Sequence").unwrap().as_str(), stored.to_string());
    assert_eq!(next(&mut view).await.subject.as_str(), "stage7.view.default.m1.brain.llm.completed.agent.c1");
    let capability = server.user("capability").await;
    capability.client.publish("stage7.live.default.m1.log", "line".into()).await.unwrap();
    assert_eq!(next(&mut live).await.payload, "line");

    let mut asked = door.client.subscribe("stage7.submit.*").await.unwrap();
    // Whoever is answered has been heard, what it said before too.
    door.ask("$JS.API.DIRECT.GET.GOALS", read).await.unwrap();
    let (answer, ()) = tokio::join!(tenant.ask("stage7.submit.default", "{}"), async {
        let request = next(&mut asked).await;
        let told = request.headers.as_ref().unwrap().get("Nats-Request-Info").unwrap().as_str().to_string();
        assert!(told.contains(&server.managed.ring().seed("default").unwrap().public()), "the door is told who asks");
        door.client.publish(request.reply.unwrap(), "yes".into()).await.unwrap();
        door.client.flush().await.unwrap();
    });
    assert_eq!(answer.unwrap().payload, "yes");

    tenant.refusals().await;
    for subject in [
        "stage7.goal.other",
        "stage7.submit.other",
        "stage7.query.x",
        "$JS.API.STREAM.INFO.MISSIONS",
        "$JS.API.DIRECT.GET.MISSIONS",
    ] {
        tenant.client.publish(subject, "x".into()).await.unwrap();
        assert!(!tenant.refusals().await.is_empty(), "a tenant publishing {subject}");
    }
    for subject in ["stage7.view.>", "stage7.mission.>", "stage7.registry.>", "stage7.live.other.>", "_R_.>"] {
        let _refused = tenant.client.subscribe(subject).await.unwrap();
        assert!(!tenant.refusals().await.is_empty(), "a tenant subscribing {subject}");
    }
}
