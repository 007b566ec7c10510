//! Everything is killed while missions are archived.

use crate::{
    growth::{Probe, archived, archives},
    log::Log,
    plan::{goal, query, read},
    stage7::{Layout, Stage7},
    wait::LONG,
};
use serde_json::json;
use std::time::Instant;
use tokio::runtime::Runtime;

const MISSIONS: usize = 24;
const KILLS: usize = 3;

#[test]
fn kills_in_the_midst_of_archiving_leave_no_mission_torn() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    archives(&stage7, "off");
    stage7.run();
    stage7.ready();
    let user = stage7.user();
    let steps = |n: usize| {
        vec![
            query("q", json!(n), "."),
            if n.is_multiple_of(3) { read("r", "missing.txt") } else { query("p", json!(n), ".") },
        ]
    };
    let missions: Vec<String> = (0..MISSIONS).map(|n| user.submit(&goal(steps(n)))).collect();
    let ended = |(n, mission): (usize, &String)| {
        stage7.until_is(&user, mission, if n.is_multiple_of(3) { "failed" } else { "completed" });
        stage7.export(mission)
    };
    let before: Vec<Log> = missions.iter().enumerate().map(ended).collect();
    stage7.stop();

    archives(&stage7, "0");
    let runtime = Runtime::new().unwrap();
    for kill in 1..=KILLS + 1 {
        let enough = if kill > KILLS { MISSIONS } else { kill * MISSIONS / (KILLS + 2) };
        stage7.run();
        let done = runtime.block_on(async {
            let (probe, begin) = (Probe::new(&stage7).await, Instant::now());
            loop {
                let done = archived(&probe.log).await;
                if done >= enough {
                    return done;
                }
                assert!(begin.elapsed() < LONG, "{done} of {enough} archived\n{}", stage7.logs());
            }
        });
        println!("{done} archived");
        if kill <= KILLS {
            stage7.kill();
        }
    }
    stage7.ready();
    let rows = stage7.cli(&["mission", "list", "--json"]).code(0).lines();
    assert_eq!(rows.len(), MISSIONS);
    assert!(rows.iter().all(|row| row["archived"].is_string()), "{rows:#?}");
    for (mission, before) in missions.iter().zip(&before) {
        assert_eq!(stage7.export(mission).0, before.0, "{mission}");
        let left = runtime.block_on(async { Probe::new(&stage7).await.left(mission).await });
        assert_eq!(left, 0, "{mission} is not in the log any more");
    }
}
