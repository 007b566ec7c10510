//! Group commit: many appends at once, one wait for the disk.

use crate::fixture::{Server, User};
use futures::future::join_all;
use nats::{
    jetstream::JetStream,
    log::{AppendError, Guard, Log},
};
use std::{collections::BTreeSet, time::Duration};
use streams::record::Record;

/// As many as a busy system has under way.
const MANY: usize = 700;

fn mission(n: usize) -> String {
    format!("stage7.mission.default.{:x}.{n:032x}.control", n % 16)
}

/// The word of a mission, under the guard that it is the mission's first.
async fn append(log: &JetStream, n: usize) -> Result<u64, AppendError> {
    let record = Record {
        subject: format!("{}.plan.noted", mission(n)),
        headers: vec![("ce-id".into(), n.to_string())],
        payload: n.to_string().into(),
        ..Record::default()
    };
    log.append(&record, &Guard { filter: format!("{}.>", mission(n)), last: 0 }).await
}

/// Every message of the log in its order, and how many of them came in a batch.
async fn stored(setup: &User) -> (Vec<String>, usize) {
    let (mut words, mut batched) = (Vec::new(), 0);
    for seq in 1.. {
        let got = setup.ask("$JS.API.DIRECT.GET.MISSIONS", &format!(r#"{{"seq":{seq}}}"#)).await.unwrap();
        let headers = got.headers.unwrap();
        if headers.get("Nats-Subject").is_none() {
            break;
        }
        batched += usize::from(headers.get("Nats-Batch-Id").is_some());
        words.push(String::from_utf8(got.payload.to_vec()).unwrap());
    }
    (words, batched)
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_is_told_the_place_of_its_own_word() {
    let server = Server::start().await;
    let log = JetStream::new(server.user("control").await.client).with_group_commit();
    let seqs = join_all((0..MANY).map(|n| append(&log, n))).await;
    let (words, batched) = stored(&server.user("setup").await).await;
    assert_eq!(words.len(), MANY);
    assert!(batched > MANY / 2, "{batched} came in batches");
    for (n, seq) in seqs.into_iter().enumerate() {
        assert_eq!(words[seq.unwrap() as usize - 1], n.to_string());
    }
    let read = log.load(&format!("{}.>", mission(MANY - 1)), 0).await.unwrap();
    assert_eq!(read[0].headers, [("ce-id".to_string(), (MANY - 1).to_string())], "the batch is no part of the word");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_guard_does_not_hold_is_refused_alone() {
    let server = Server::start().await;
    let control = server.user("control").await;
    let stale: BTreeSet<usize> = [100, 333, 699].into();
    for n in &stale {
        control.append(&format!("{}.plan.noted", mission(*n)), "earlier").await.unwrap();
    }
    let log = JetStream::new(control.client.clone()).with_group_commit();
    let told = join_all((0..MANY).map(|n| append(&log, n))).await;
    for (n, told) in told.iter().enumerate() {
        match stale.contains(&n) {
            true => assert_eq!(*told, Err(AppendError::Conflict), "{n}"),
            false => assert!(told.is_ok(), "{n}: {told:?}"),
        }
    }
    let (words, _) = stored(&server.user("setup").await).await;
    assert_eq!(words.len(), MANY, "each once: three from before, the others now");
    assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), MANY - stale.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_are_no_batches_each_goes_alone() {
    let server = Server::start().await;
    let setup = server.user("setup").await;
    let info = setup.ask("$JS.API.STREAM.INFO.MISSIONS", "").await.unwrap();
    let mut config: serde_json::Value =
        serde_json::from_slice::<serde_json::Value>(&info.payload).unwrap()["config"].take();
    config["allow_atomic"] = false.into();
    setup.ask("$JS.API.STREAM.UPDATE.MISSIONS", &config.to_string()).await.unwrap();
    let log = JetStream::new(server.user("control").await.client).with_group_commit();
    let told = join_all((0..MANY).map(|n| append(&log, n))).await;
    assert!(told.iter().all(Result::is_ok), "{:?}", told.iter().find(|told| told.is_err()));
    let (words, batched) = stored(&setup).await;
    assert_eq!((words.len(), batched), (MANY, 0));
    assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_waiting_holds_nobody_up() {
    let server = Server::start().await;
    let control = server.user("control").await;
    control.append(&format!("{}.plan.noted", mission(333)), "earlier").await.unwrap();
    let log = JetStream::new(control.client.clone()).with_group_commit();
    let mut all = Box::pin(join_all((0..MANY).map(|n| append(&log, n))));
    assert!(futures::poll!(&mut all).is_pending());
    // By now one stale guard has had them all told to go alone; nobody has heard it.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(all);
    let told = tokio::time::timeout(Duration::from_secs(20), append(&log, MANY)).await;
    assert!(matches!(told, Ok(Ok(_))), "{told:?}");
}
