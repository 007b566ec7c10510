//! What belongs to others: files, processes, what stage7 itself keeps.

use super::{Attempt, all_are_refused, is_well, language::LANGUAGES, mark, marked, none_is_left, shared};
use rustix::process::geteuid;
use serde_json::json;
use std::{
    fs,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::Mutex,
};

const CANARY: &str = "the canary sings";

/// A process of the user that plugin code is; it ends with the test.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn victim(mark: &str) -> Victim {
    let mut command = Command::new("sleep");
    command.args(["3600", mark]);
    if geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    Victim(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn nothing_of_others_is_read() {
    let stage7 = shared();
    let canary = stage7.file("canary.txt", CANARY);
    let path = |name: &str| stage7.path(name).display().to_string();
    let keys = fs::read_dir(stage7.path("data/keys/plugins")).unwrap().flatten();
    let key = keys.map(|entry| entry.path().display().to_string()).find(|path| !path.ends_with(".pub.pem")).unwrap();
    let home = std::env::home_dir().unwrap().display().to_string();
    let (mark, up) = (mark(), stage7.pid("up"));
    let victim = victim(&mark);
    let missing: &[&str] = &["ENOENT"];
    let of = |name: &'static str, path: &str| Attempt::same(name, json!({"path": path}), missing);
    let attempts = [
        of("read", &canary),
        of("link", &canary),
        of("read", &format!("/proc/self/root{canary}")),
        of("read", &format!("/proc/{up}/root{canary}")),
        of("read", &path("data/creds/default.nk")),
        of("read", &key),
        of("read", &path("data/up.json")),
        of("look", &path("data/nats/store")),
        of("look", &home),
        of("read", "/etc/passwd"),
        of("look", "/var/lib"),
        of("look", "/sys/kernel"),
        of("read", &format!("/proc/{up}/environ")),
        of("read", &format!("/proc/{}/cmdline", victim.0.id())),
        Attempt::same("processes", json!({"mark": mark}), &["ESRCH"]),
        // The first process is another one inside.
        Attempt {
            name: "read",
            given: Box::new(|who| {
                let of = if who.ends_with("-outside") { "self" } else { "1" };
                json!({"path": format!("/proc/{of}/root{canary}")})
            }),
            refused: &["ENOENT", "EACCES"],
        },
    ];
    all_are_refused(&stage7, "ESCAPE", &attempts, |language, given| language.outside(&stage7, &[], given));

    // Nothing was left open for it; a shell that leaves something open shows that it would be found.
    let leaky = ["sh", "-c", "exec \"$@\" 9<\"$0\"", &canary];
    let inherited = Attempt::same("inherited", json!({}), &["EBADF"]);
    all_are_refused(&stage7, "ESCAPE", &[inherited], |language, given| language.outside(&stage7, &leaky, given));
    is_well(&stage7);
}

#[test]
fn nothing_is_written_outside() {
    let stage7 = shared();
    let at = |who: &str, name: &str| stage7.path("client").join(format!("{name}-{who}"));
    let to = |name: &'static str, refused: &'static [&'static str]| Attempt {
        name: "write",
        given: Box::new(move |who| json!({"path": at(who, name)})),
        refused,
    };
    // Places that are there, and must stay as they are: outside it is the test's own place that is written to.
    let fixed = |path: &'static str| Attempt {
        name: "write",
        given: Box::new(move |who| match who.ends_with("-outside") {
            true => json!({"path": at(who, "fixed")}),
            false => json!({"path": path}),
        }),
        refused: &["EROFS", "EACCES", "ENOENT"],
    };
    let attempts = [
        to("new", &["ENOENT"]),
        fixed("/escaped"),
        fixed("/usr/escaped"),
        fixed("/etc/escaped"),
        fixed("/work/escaped"),
        fixed("/plugin/main.py"),
        fixed("/dev/escaped"),
        fixed("/proc/sys/kernel/hostname"),
    ];
    all_are_refused(&stage7, "ESCAPE", &attempts, |language, given| language.outside(&stage7, &[], given));
    for language in &LANGUAGES {
        let verb = language.verb("ESCAPE");
        let there = |who: &str| fs::exists(at(who, "new")).unwrap();
        assert_eq!((there(&verb), there(&format!("{verb}-outside"))), (false, true));
    }
    for path in ["/escaped", "/usr/escaped", "/etc/escaped", "/dev/escaped"] {
        assert!(!fs::exists(path).unwrap(), "{path}");
    }
    is_well(&stage7);
}

#[test]
fn nobody_elses_process_is_ended() {
    let stage7 = shared();
    let (marks, victims) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let kill = Attempt {
        name: "kill",
        given: Box::new(|who| {
            let mark = mark();
            let victim = victim(&mark);
            let given = json!({"pid": victim.0.id()});
            marks.lock().unwrap().push((who.to_string(), mark));
            victims.lock().unwrap().push(victim);
            given
        }),
        refused: &["ESRCH"],
    };
    all_are_refused(&stage7, "ESCAPE", &[kill], |language, given| language.outside(&stage7, &[], given));
    for (who, mark) in marks.into_inner().unwrap() {
        match who.ends_with("-outside") {
            true => none_is_left(&mark),
            false => assert_eq!(marked(&mark).len(), 1, "{who} killed it"),
        }
    }
    is_well(&stage7);
}

#[test]
fn no_link_is_handed_in_for_a_file() {
    let stage7 = shared();
    let canary = stage7.file("canary-2.txt", CANARY);
    for language in &LANGUAGES {
        language.add(
            &stage7,
            "HANDS_IN",
            ("[limits]", "[permissions.files]\nwrite = true\nwritten = [\"how\"]\n\n[limits]"),
        );
        let verb = language.verb("HANDS_IN");
        let given = json!({"attempt": "publish", "path": canary}).to_string();
        let refused = stage7.cli(&["plugin", "run", &verb, "--input", &given, "--json"]).code(1);
        let why = refused.line()["error"]["message"].as_str().unwrap().to_string();
        assert!(why.ends_with("is not a plain file"), "{why}");
        assert!(!refused.stdout.contains(CANARY) && !refused.stderr.contains(CANARY));
    }
}
