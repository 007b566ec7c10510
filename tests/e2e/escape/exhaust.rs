//! Taking so much that nothing is left for others: processes, memory, room, time, and not going when told.

use super::{
    Attempt, all_are_refused, each, is_well,
    language::{LANGUAGES, Language, fed},
    mark, marked, none_is_left, shared,
};
use crate::{
    process::signal,
    stage7::Stage7,
    wait::{LONG, eventually},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    io::Read,
    sync::{
        Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
};

/// Ends what was left outside: so many processes, once each has become what it is to be.
fn clear(mark: &str, count: usize) {
    let seen = || Some(marked(mark)).filter(|found| found.len() == count);
    let found = eventually(&format!("{count} processes are left outside"), || format!("{:?}", marked(mark)), seen);
    found.iter().for_each(|pid| signal(*pid, Signal::KILL));
    none_is_left(mark);
}

#[test]
fn processes_and_memory_are_bounded() {
    let stage7 = shared();
    let marks = Mutex::new(Vec::new());
    let forks = Attempt {
        name: "forks",
        given: Box::new(|_| {
            let mark = mark();
            marks.lock().unwrap().push(mark.clone());
            json!({"count": 200, "mark": mark})
        }),
        refused: &["EAGAIN"],
    };
    let memory = Attempt::same("memory", json!({"mb": 600}), &["ENOMEM", "allocation failed", "out of memory"]);
    all_are_refused(&stage7, "ESCAPE", &[forks, memory], |language, given| {
        let told = language.outside(&stage7, &[], given);
        if let Some(mark) = given["mark"].as_str() {
            clear(mark, 200);
        }
        told
    });
    // What was begun before the bound was met did not outlive the run.
    marks.into_inner().unwrap().iter().for_each(|mark| assert_eq!(marked(mark), [0; 0]));
    is_well(&stage7);
}

/// Fills a folder; outside it is one of the test's own.
fn fills<'a>(stage7: &'a Stage7, path: &'static str, kb: u32, count: u32, refused: &'a [&'a str]) -> Attempt<'a> {
    let given = move |who: &str| match who.ends_with("-outside") {
        false => json!({"path": path, "kb": kb, "count": count}),
        true => {
            let own = stage7.path(&format!("fill-{who}-{kb}{}", path.replace('/', "-")));
            fs::create_dir(&own).unwrap();
            json!({"path": own, "kb": kb, "count": count})
        }
    };
    Attempt { name: "fill", given: Box::new(given), refused }
}

fn filled(stage7: &Stage7, language: &Language, given: &Value) -> Value {
    let told = language.outside(stage7, &[], given);
    fs::remove_dir_all(given["path"].as_str().unwrap()).unwrap();
    told
}

#[test]
fn there_is_only_so_much_room() {
    let stage7 = shared();
    let attempts = [
        fills(&stage7, "/tmp", 250, 1000, &["ENOSPC"]),
        fills(&stage7, "/dev/shm", 250, 1000, &["ENOSPC"]),
        fills(&stage7, "/tmp", 1000, 1, &["EFBIG", "ENOSPC"]),
    ];
    all_are_refused(&stage7, "ESCAPE", &attempts, |language, given| filled(&stage7, language, given));
    is_well(&stage7);
}

#[test]
fn a_plugin_that_may_write_has_only_so_much_room() {
    let stage7 = shared();
    for language in &LANGUAGES {
        language.add(&stage7, "WRITES", ("[limits]", "[permissions]\nfiles = { write = true }\n\n[limits]"));
    }
    let attempts =
        [fills(&stage7, "/work", 250, 1000, &["ENOSPC"]), fills(&stage7, "/work", 1000, 1, &["EFBIG", "ENOSPC"])];
    all_are_refused(&stage7, "WRITES", &attempts, |language, given| filled(&stage7, language, given));
    for language in &LANGUAGES {
        let run = ["plugin", "run", &language.verb("WRITES"), "--input", r#"{"attempt": "inherited"}"#, "--json"];
        assert_eq!(stage7.cli(&run).code(0).line()["how"], "EBADF", "what holds its folder is not open for it");
    }
    is_well(&stage7);
}

#[test]
fn what_does_not_end_is_ended() {
    let stage7 = shared();
    let late = "was stopped: it ran longer than 3 s";
    let busy = "it used more than 3 s of processor time";
    for language in &LANGUAGES {
        language.add(&stage7, "BRIEF", ("seconds = 10", "seconds = 3"));
    }
    let attempts: [(&str, &[&str]); 5] = [
        ("sleep", &[late]),
        ("spin", &[late, busy]),
        ("stubborn", &[late]),
        ("lines", &[late, busy]),
        ("output", &["was stopped: its answer is longer than 256 KiB"]),
    ];
    each(
        LANGUAGES.iter().flat_map(|language| attempts.map(|attempt| (language, attempt))),
        |(language, (attempt, said))| {
            outside(&stage7, language, attempt);
            let (verb, mark) = (language.verb("BRIEF"), mark());
            let given = json!({"attempt": attempt, "mark": mark}).to_string();
            let ended = stage7.cli(&["plugin", "run", &verb, "--input", &given, "--json"]).code(1);
            assert_eq!(marked(&mark), [0; 0], "{verb} {attempt} left something");
            let why = ended.line()["error"]["message"].as_str().unwrap().to_string();
            assert!(why.starts_with(&verb) && said.iter().any(|said| why.contains(said)), "{attempt}: {why}");
            assert!(ended.stderr.len() < 2 << 20, "{attempt}: {} bytes of lines", ended.stderr.len());
        },
    );
    is_well(&stage7);
}

/// Beside the sandbox these go on as long as nobody kills them.
fn outside(stage7: &Stage7, language: &Language, attempt: &str) {
    let mark = mark();
    let mut child = fed(language.command(stage7, &[]), &json!({"attempt": attempt, "mark": mark}));
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    // Where it does not say what is waited for, it is ended, and so the wait is.
    let ((_over, watched), pid, its) = (mpsc::channel::<()>(), child.id(), mark.clone());
    thread::spawn(move || {
        if watched.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
            marked(&its).into_iter().chain([pid]).for_each(|pid| signal(pid, Signal::KILL));
        }
    });
    let read = |from: &mut dyn Read, size: usize| {
        let mut bytes = vec![0; size];
        from.read_exact(&mut bytes).unwrap_or_else(|error| panic!("{} {attempt}: {error}", language.name));
        String::from_utf8(bytes).unwrap()
    };
    match attempt {
        "output" => drop(read(&mut stdout, 1 << 20)),
        "lines" => drop(read(&mut stderr, 3 << 20)),
        "sleep" => assert_eq!(read(&mut stderr, 6), "asleep"),
        "spin" => assert_eq!(read(&mut stderr, 4), "busy"),
        _ => {
            assert_eq!(read(&mut stderr, 9), "stubborn\n");
            signal(pid, Signal::TERM);
            assert_eq!(read(&mut stderr, 20), "signal 15 is ignored");
        }
    }
    assert!(child.try_wait().unwrap().is_none(), "{attempt} ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    clear(&mark, 1);
}

#[test]
fn children_left_behind_are_ended() {
    let stage7 = shared();
    for language in &LANGUAGES {
        let (inside, beside) = (mark(), mark());
        let given = |mark: &str| json!({"attempt": "left", "mark": mark});
        let run = ["plugin", "run", &language.verb("ESCAPE"), "--input", &given(&inside).to_string(), "--json"];
        assert_eq!(stage7.cli(&run).code(0).line()["how"], "left");
        assert_eq!(marked(&inside), [0; 0], "{}", language.name);
        // They hold its output: it is not waited for to the end.
        let mut child = fed(language.command(&stage7, &[]), &given(&beside));
        assert!(child.wait().unwrap().success());
        clear(&beside, 3);
    }
    is_well(&stage7);
}
