//! Services: shared by instances, shown to whoever asks, and safe from their callers.

use crate::fixture::Server;
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use nats::{
    jetstream::JetStream,
    service::{Answer, Request, Service, ask, present, serve},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use streams::topology::access::{USERS, Zone};
use tokio_util::sync::CancellationToken;

/// How often the request that outlives its service was begun.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// How often one that works alone was asked.
static BEGUN_ALONE: AtomicUsize = AtomicUsize::new(0);

/// Says who it is and what it was asked; breaks when asked to.
struct Echo(&'static str);

#[async_trait]
impl Service for Echo {
    const NAME: &'static str = "librarian";
    const ENDPOINTS: &'static [(&'static str, &'static str)] = &[("query", "stage7.query.*")];

    async fn answer(&self, endpoint: &'static str, request: Request) -> Answer {
        let text = String::from_utf8(request.payload.to_vec()).expect("text");
        assert_ne!(text, "break");
        BEGUN.fetch_add(usize::from(text.starts_with("twenty")), Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(text.len() as u64 * 10)).await;
        Answer {
            headers: vec![("Who", self.0.into())],
            payload: format!("{endpoint} {} {text}", request.subject).into(),
        }
    }
    fn broken(&self) -> Answer {
        Answer { payload: "broken".into(), ..Answer::default() }
    }
}

/// One of which one works at a time; it never comes to an answer while it is frozen.
struct Lone {
    is_frozen: bool,
}

#[async_trait]
impl Service for Lone {
    const NAME: &'static str = "librarian";
    const SHARED: bool = false;
    const ENDPOINTS: &'static [(&'static str, &'static str)] = &[("query", "stage7.query.*")];

    async fn answer(&self, _endpoint: &'static str, _request: Request) -> Answer {
        BEGUN_ALONE.fetch_add(1, Ordering::SeqCst);
        if self.is_frozen {
            std::future::pending::<()>().await;
        }
        Answer { payload: "here".into(), ..Answer::default() }
    }
    fn broken(&self) -> Answer {
        Answer { payload: "broken".into(), ..Answer::default() }
    }
}

async fn open(server: &Server, who: &'static str, stop: &CancellationToken) {
    let log = JetStream::new(server.managed.connect("librarian").await.unwrap());
    let stop = stop.clone();
    tokio::spawn(async move { serve(&log, Arc::new(Echo(who)), stop).await.unwrap() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_answers_survives_a_panic_and_is_shared() {
    let server = Server::start().await;
    let door = JetStream::new(server.managed.connect("door").await.unwrap());
    let said = |text: &'static str| ask(&door, "stage7.query.default", Bytes::from(text), Duration::from_secs(5));
    // Nobody is there yet: it is asked again until somebody is.
    let early = tokio::spawn({
        let door = door.clone();
        async move { ask(&door, "stage7.query.default", "early".into(), Duration::from_secs(5)).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stop = CancellationToken::new();
    open(&server, "a", &stop).await;
    assert_eq!(early.await.unwrap().unwrap(), "query stage7.query.default early");
    open(&server, "b", &stop).await;
    assert_eq!(said("break").await.unwrap(), "broken");
    let client = door.client();
    let both = async {
        let mut who = BTreeSet::new();
        while who.len() < 2 {
            let answer = client.request("stage7.query.default", "x".into()).await.unwrap();
            assert_eq!(answer.payload, "query stage7.query.default x");
            who.insert(answer.headers.unwrap().get("Who").unwrap().to_string());
        }
    };
    tokio::time::timeout(Duration::from_secs(30), both).await.expect("both take their share");

    let inbox = client.new_inbox();
    let mut pongs = client.subscribe(inbox.clone()).await.unwrap();
    client.publish_with_reply("$SRV.PING.librarian", inbox, "".into()).await.unwrap();
    for _ in 0..2 {
        let pong = tokio::time::timeout(Duration::from_secs(5), pongs.next()).await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&pong.payload).contains("\"name\":\"librarian\""));
    }

    // What was begun is finished.
    let begun = tokio::spawn({
        let door = door.clone();
        async move { door.client().request("stage7.query.default", "twenty characters ..".into()).await }
    });
    while BEGUN.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    assert_eq!(begun.await.unwrap().unwrap().payload, "query stage7.query.default twenty characters ..");
    assert!(ask(&door, "stage7.query.default", "late".into(), Duration::from_millis(500)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_instance_keeps_no_request_from_the_one_that_took_over() {
    let server = Server::start().await;
    let door = JetStream::new(server.managed.connect("door").await.unwrap());
    let stop = CancellationToken::new();
    let ask = async |patience| ask(&door, "stage7.query.default", Bytes::new(), Duration::from_millis(patience)).await;
    let open = async |is_frozen| {
        let log = JetStream::new(server.managed.connect("librarian").await.unwrap());
        let stop = stop.clone();
        tokio::spawn(async move { serve(&log, Arc::new(Lone { is_frozen }), stop).await });
    };
    open(true).await;
    while BEGUN_ALONE.load(Ordering::SeqCst) == 0 {
        assert!(ask(300).await.is_err(), "it is frozen");
    }
    open(false).await;
    while ask(300).await.is_err() {}
    for _ in 0..20 {
        assert_eq!(ask(30_000).await.unwrap(), "here");
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_worker_can_be_shown_and_is_found_across_the_accounts() {
    let server = Server::start().await;
    let door = JetStream::new(server.managed.connect("door").await.unwrap());
    for user in USERS.iter().filter(|user| !user.service.is_empty() && user.name != "door") {
        let log = JetStream::new(server.managed.connect(user.name).await.unwrap());
        let shown = present(&log, user.service, "test0001").await.unwrap();
        let asked = match user.zone {
            Zone::Brain | Zone::Capability => format!("$SRV.{}.INFO.{}", user.name, user.service),
            _ => format!("$SRV.INFO.{}", user.service),
        };
        // Asked until the server has taken the subscription.
        let info = ask(&door, &asked, Bytes::new(), Duration::from_secs(30)).await;
        let info: serde_json::Value = serde_json::from_slice(&info.unwrap()).unwrap();
        assert_eq!((&info["name"], &info["metadata"]["workerversion"]), (&user.service.into(), &"test0001".into()));
        shown.leave().await;
        // Of another account the server can't say that nobody is there.
        let answered = async || {
            let asked = door.client().request(asked.clone(), "".into());
            matches!(tokio::time::timeout(Duration::from_millis(300), asked).await, Ok(Ok(_)))
        };
        while answered().await {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_to_inboxes_only() {
    let server = Server::start().await;
    let stop = CancellationToken::new();
    open(&server, "a", &stop).await;
    let door = JetStream::new(server.managed.connect("door").await.unwrap());
    ask(&door, "stage7.query.default", "x".into(), Duration::from_secs(5)).await.unwrap();
    // The librarian may write there, so the server would let its answer through.
    let trap = "stage7.registry.librarian.trap.set";
    door.client().publish_with_reply("stage7.query.default", trap, "".into()).await.unwrap();
    ask(&door, "stage7.query.default", "later".into(), Duration::from_secs(5)).await.unwrap();
    assert!(door.last_from("REGISTRY", trap).await.unwrap().is_none());
    stop.cancel();
}
