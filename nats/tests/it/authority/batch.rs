//! Batches, by which many words go into the log at once: they hold nothing that their sender may not
//! say, and no guard is weaker in one.

use super::{
    M,
    attempt::{Attempt, Outcome, Tally},
    world::World,
};

/// Who writes into the log, and under which token.
const WRITERS: [(&str, &str); 7] = [
    ("control", "control"),
    ("agent", "agent"),
    ("brain", "brain"),
    ("capability", "capability"),
    ("timekeeper", "timer"),
    ("librarian", "librarian"),
    ("door", "user"),
];

fn word(token: &str) -> String {
    format!("{M}.{token}.note.said")
}

/// One message of a batch of `name`.
fn part(subject: &str, name: &str, n: usize, last: bool) -> Attempt {
    let part = Attempt::on(subject).header("Nats-Batch-Id", name).header("Nats-Batch-Sequence", &n.to_string());
    if last { part.header("Nats-Batch-Commit", "1") } else { part }
}

/// Every writer sends what `of` gives for its name and token: nothing of it is stored.
async fn stores_nothing(what: &str, least: usize, of: impl Fn(&str, &str) -> Vec<Attempt> + Sync) {
    let world = World::start().await;
    let mut tally = Tally::default();
    let tried = world.unchanged(what, || {
        world.all_try(|name| {
            WRITERS.iter().filter(|(writer, _)| *writer == name).flat_map(|(_, own)| of(name, own)).collect()
        })
    });
    for (name, attempt, outcome) in tried {
        tally.outcome(name, &attempt, &outcome);
        assert!(!matches!(outcome, Outcome::Stored(_)), "{name}: {attempt}: {outcome}");
    }
    tally.print(what, least);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_anothers_word_in_it_stores_nothing() {
    stores_nothing("batches with another's word", 100, |name, own| {
        let others = WRITERS.iter().filter(|(writer, _)| *writer != name);
        let elsewhere = ["stage7.goal.default", "stage7.registry.setup.role.set.k", "stage7.timer.set.x"];
        let subjects = others.map(|(_, token)| word(token)).chain(elsewhere.map(String::from));
        let batch = |(n, subject): (usize, String)| {
            let batch = format!("{name}-{n}");
            [part(&word(own), &batch, 1, false), part(&subject, &batch, 2, true)]
        };
        subjects.enumerate().flat_map(batch).collect()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stale_guard_refuses_the_whole_batch() {
    let guarded = |part: Attempt, last: &str| part.header("Nats-Expected-Last-Subject-Sequence", last);
    stores_nothing("batches with a stale guard", 20, |name, own| {
        vec![
            guarded(part(&format!("{M}.{own}.one.said"), name, 1, false), "0"),
            guarded(part(&format!("{M}.{own}.two.said"), name, 2, false), "77"),
            guarded(part(&format!("{M}.{own}.three.said"), name, 3, true), "0"),
        ]
    })
    .await;
}

/// So that the others fail for their reason, and not because there are no batches.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_own_words_is_stored() {
    let world = World::start().await;
    let tried = world.all_try(|name| {
        let Some((_, own)) = WRITERS.iter().find(|(writer, _)| *writer == name) else { return Vec::new() };
        vec![part(&word(own), name, 1, false), part(&word(own), name, 2, true)]
    });
    for (name, attempt, outcome) in tried.iter().filter(|(_, attempt, _)| attempt.headers.contains("Commit")) {
        assert!(matches!(outcome, Outcome::Stored(_)), "{name}: {attempt}: {outcome}");
    }
    assert_eq!(tried.len(), 2 * WRITERS.len());
}
