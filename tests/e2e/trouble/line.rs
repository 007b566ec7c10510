//! The line between the workers and the server.

use super::{in_order, mixed, until};
use crate::{
    ledger::Ledger,
    stage7::{Layout, Stage7},
    user::{SOURCE, new_id},
    wait::eventually,
    witness::{Witness, completed},
};
use schemas::{MissionId, cloudevent};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

const LOST: Duration = Duration::from_secs(30);
/// How often a stretch of line looks how the line is.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// Nothing comes through, and nobody is told; what was sent comes later.
    Silent,
    /// Connections end, and new ones with them.
    Cut,
}

/// A way to the server that can be lost.
struct Line {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Line {
    fn to(server: &str) -> Self {
        let server = server.trim_start_matches("nats://").to_string();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::Whole));
        let shown = state.clone();
        spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if *shown.lock().unwrap() == State::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to, state) = (from.try_clone().unwrap(), to.try_clone().unwrap(), shown.clone());
                    spawn(move || carry(from, to, &state));
                }
            }
        });
        Self { url, state }
    }

    fn is(&self, state: State) {
        *self.state.lock().unwrap() = state;
    }
}

/// Carries bytes one way until either end, or the line, is gone.
fn carry(mut from: TcpStream, mut to: TcpStream, state: &Mutex<State>) {
    from.set_read_timeout(Some(LOOK)).unwrap();
    let mut bytes = [0; 16 * 1024];
    loop {
        match *state.lock().unwrap() {
            State::Whole => {}
            State::Silent => {
                sleep(LOOK);
                continue;
            }
            State::Cut => break,
        }
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(n) if to.write_all(&bytes[..n]).is_err() => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// The line is lost for half a minute in the middle of a mission, and a goal comes in meanwhile.
fn lost(state: State) {
    let ledger = Ledger::new();
    let env = ledger.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut stage7 = Stage7::prepared(Layout::Split, &env);
    let line = Line::to(&stage7.address().0);
    stage7.lead_workers_through(line.url.clone());
    stage7.run();
    stage7.ready();
    let (witness, user) = (Witness::of(&stage7), stage7.user());
    let mission = user.submit(&mixed("lost", 24));
    until(&stage7, &witness, &mission, 5);

    line.is(state);
    let begun = Instant::now();
    // The server takes goals whether anybody can hear of them or not.
    let id = new_id();
    assert!(user.publish(cloudevent::goal(SOURCE, &id, &mixed("meanwhile", 6)).to_string()));
    let meanwhile = MissionId::of_goal(&"default".parse().unwrap(), SOURCE, &id).to_string();
    let told = stage7.cli(&["mission", "show", &mission]).code(1);
    assert!(told.stderr.contains("no answer"), "a person is told: {}", told.stderr);
    let at_rest = completed(&witness.words(&mission, 0));
    assert!(at_rest < 24, "the mission was over too soon");
    sleep(LOST.saturating_sub(begun.elapsed()));
    line.is(State::Whole);

    for (mission, steps) in [(&mission, 24), (&meanwhile, 6)] {
        let all = || (completed(&witness.words(mission, 0)) == steps).then_some(());
        eventually("what waited is done", || stage7.logs(), all);
        stage7.until_is(&user, mission, "completed");
        in_order(&stage7, mission);
    }
    let executed = ledger.calls().into_iter().chain(ledger.runs());
    for (mark, executions) in executed {
        assert!(executions.len() <= 2, "at most once more, where it was under way: {mark} {executions:?}");
    }
}

#[test]
fn a_line_that_is_silent_for_half_a_minute_loses_nothing() {
    lost(State::Silent);
}

#[test]
fn a_line_that_is_cut_for_half_a_minute_loses_nothing() {
    lost(State::Cut);
}
