//! Python plugins in the real sandbox, the shipped one and hostile ones.

use crate::TRIAL;
use capabilities::{Failure, Host, Plugin, shipped};
use plugins::{Done, File, Run};
use schemas::{Class, value::Value};
use serde_json::json;
use std::{sync::Mutex, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const REST: &str = r#"
runtime = "python"
entry = "main.py"
output = { type = "object", properties = { out = {}, number = { type = "integer" } } }
limits = { seconds = 5, memory_mb = 256, processes = 4, output_kb = 64 }
"#;

/// A plugin whose code may use `inputs`, and answers with what `give` is called with.
fn plugin(permissions: &str, code: &str) -> Plugin {
    let prelude = "import json, os, sys\ninputs = json.load(sys.stdin)\ndef give(**out): json.dump(out, sys.stdout)\n";
    let files = vec![("main.py".to_owned(), format!("{prelude}{code}").into_bytes())];
    Plugin::new(&format!("{TRIAL}{REST}{permissions}"), files).expect("the manifest is right")
}

fn host() -> Host {
    Host::new("/nonexistent", "/nonexistent")
}

fn run_of(inputs: Value) -> Run {
    Run { inputs: inputs.as_object().expect("an object").clone().into_iter().collect(), ..Run::default() }
}

async fn run(code: &str) -> Result<Done, Failure> {
    host().run(&plugin("", code), run_of(json!({})), &CancellationToken::new(), &|_| {}).await
}

async fn output(code: &str) -> Value {
    run(code).await.unwrap_or_else(|e| panic!("{code}: {e}")).outputs["out"].clone()
}

async fn failure(code: &str) -> Failure {
    run(code).await.expect_err(code)
}

#[tokio::test]
async fn shipped_programs_do_what_their_examples_say() {
    let lines = Mutex::new(Vec::new());
    let log = |line: &str| lines.lock().expect("not poisoned").push(line.to_owned());
    let programs: Vec<_> = shipped().into_iter().filter(|plugin| plugin.manifest.entry.is_some()).collect();
    assert_eq!(programs.len(), 2);
    for plugin in &programs {
        for example in &plugin.manifest.examples {
            let ended = host().example(plugin, example, &log).await;
            assert_eq!(ended, Ok(()), "{}: {}", plugin.manifest.name, example.description);
        }
    }
    assert_eq!(lines.into_inner().expect("not poisoned"), ["counted 6 words"]);
}

#[tokio::test]
async fn the_host_is_out_of_sight() {
    let secret = tempfile::tempdir().expect("a folder");
    std::fs::write(secret.path().join("key"), "k").expect("writes");
    let home = std::env::home_dir().expect("a home");
    for place in [
        home.as_path(),
        secret.path(),
        "/etc/passwd".as_ref(),
        "/root".as_ref(),
        "/var".as_ref(),
        "/sys".as_ref(),
        env!("CARGO_MANIFEST_DIR").as_ref(),
    ] {
        let seen = output(&format!("give(out=os.path.exists({place:?}))")).await;
        assert_eq!(seen, false, "{}", place.display());
    }
    assert_eq!(output("give(out=[p for p in os.listdir('/proc') if p.isdigit() and int(p) > 20])").await, json!([]));
    assert_eq!(
        output("give(out=sorted(set(os.environ) - {'LC_CTYPE'}))").await,
        json!(["HOME", "LANG", "PATH", "PWD"])
    );
    assert_eq!(
        output("give(out=[os.getuid(), os.getgid(), os.uname().nodename])").await,
        json!([65534, 65534, "sandbox"])
    );
}

#[tokio::test]
async fn nothing_can_be_written_but_tmp() {
    for place in ["/x", "/usr/x", "/work/x", "/plugin/x", "/dev/x", "/plugin/main.py"] {
        let failure = failure(&format!("open({place:?}, 'w')")).await;
        assert!(failure.message.contains("Read-only") || failure.message.contains("Permission"), "{place}: {failure}");
    }
    assert_eq!(output("open('/tmp/x', 'w').write('1'); give(out=os.listdir('/tmp'))").await, json!(["x"]));
}

#[tokio::test]
async fn there_is_no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let refused = failure(&format!("import socket; socket.create_connection(('127.0.0.1', {port}), 2)")).await;
    assert!(refused.message.contains("refused") || refused.message.contains("unreachable"), "{refused}");
    let failure = failure("import socket; socket.create_connection(('1.1.1.1', 53), 2)").await;
    assert!(failure.message.contains("unreachable"), "{failure}");
}

#[tokio::test]
async fn the_kernels_corners_are_closed() {
    let call = |expression: &str| {
        format!(
            "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nr = {expression}\ngive(out=[r, ctypes.get_errno()])"
        )
    };
    // ENOSYS is 38. 0x10000000 is CLONE_NEWUSER; 40 is AF_VSOCK, 16 AF_NETLINK.
    for expression in [
        "libc.unshare(0x10000000)",
        "libc.ptrace(0, 0, 0, 0)",
        "libc.socket(40, 1, 0)",
        "libc.socket(16, 3, 0)",
        "libc.mount(None, b'/tmp', b'tmpfs', 0, None)",
        "libc.syscall(460)",
        "libc.syscall(0x40000000 + 39)",
        &format!("libc.syscall({}, 0x10000000, 0, 0, 0, 0)", libc::SYS_clone),
        "libc.ioctl(0, 0x5412, b'x')",
    ] {
        let out = output(&call(expression)).await;
        assert_eq!((&out[0], &out[1]), (&json!(-1), &json!(38)), "{expression}");
    }
    let works = "import threading, subprocess, socket\nt = threading.Thread(target=print, args=('', ), kwargs={'file': sys.stderr}); t.start(); t.join()\n\
                 a, b = socket.socketpair(); give(out=subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout)";
    assert_eq!(output(works).await, "hi\n");
}

#[tokio::test]
async fn limits_hold() {
    let slow = failure("import time; time.sleep(60)").await;
    assert_eq!(slow, Failure::new(Class::Permanent, "TRIAL was stopped: it ran longer than 5 s"));
    let much = failure("print('x' * 100_000)").await;
    assert_eq!(much, Failure::new(Class::Permanent, "TRIAL was stopped: its answer is longer than 64 KiB"));
    let memory = failure("x = 'x' * 1_000_000_000").await;
    assert!(memory.message.contains("MemoryError"), "{memory}");
    let file = failure("f = open('/tmp/x', 'wb')\nwhile True: f.write(b'x' * 10_000)").await;
    assert!(file.message.contains("File too large") || file.message.contains("64 KiB"), "{file}");
    let forks = failure("import time\nfor n in range(50):\n  if os.fork() == 0: time.sleep(60)").await;
    assert!(forks.message.contains("Resource temporarily unavailable"), "{forks}");
}

#[tokio::test]
async fn runs_beside_each_other_do_not_share_limits() {
    let code = "import time\nif os.fork() == 0:\n  time.sleep(2); os._exit(0)\nos.wait(); give(out=1)";
    let runs = futures::future::join_all((0..6).map(|_| output(code))).await;
    assert!(runs.iter().all(|out| *out == 1));
}

#[tokio::test]
async fn wrong_answers_are_told() {
    for (code, said) in [
        ("pass", "it wrote nothing on stdout"),
        ("print('hello')", "what it wrote on stdout is not one JSON object"),
        ("print('{}{}')", "what it wrote on stdout is not one JSON object"),
        ("print('{\"out\": NaN}')", "what it wrote on stdout is not one JSON object"),
        ("print('[1]')", "is JSON, but not an object"),
        ("give(number='x')", "broke its own output schema: /number: \"x\" is not of type \"integer\""),
        ("give(out=[{'stage7:ref': 'x'}])", "which is reserved"),
        ("raise ValueError('no luck')", "TRIAL failed: ValueError: no luck (exit code 1)"),
        ("os.abort()", "it was ended by signal 6"),
        ("import nosuch", "No module named 'nosuch'"),
        ("sys.stdout.buffer.write(b'\\xff')", "not one JSON object"),
    ] {
        let failure = failure(code).await;
        assert_eq!(failure.class, Class::Permanent, "{code}");
        assert!(failure.message.contains(said), "{code}: {failure}");
    }
}

#[tokio::test]
async fn exit_codes_say_what_follows() {
    let said = |code: u8| format!("print('because', file=sys.stderr); sys.exit({code})");
    assert_eq!(failure(&said(65)).await, Failure::new(Class::InvalidInput, "TRIAL failed: because"));
    assert_eq!(failure(&said(75)).await, Failure::new(Class::Transient, "TRIAL failed: because"));
    assert_eq!(failure("os.kill(os.getpid(), 9)").await.class, Class::Transient);
}

#[tokio::test]
async fn a_cancelled_run_leaves_no_process() {
    // A name in /proc/*/cmdline that only this run has.
    let mark = format!("mark-{}", std::process::id());
    let code = format!(
        "import subprocess\nsubprocess.run(['sh', '-c', 'trap \"\" TERM HUP INT; echo up >&2; sleep 100; : {mark}'])"
    );
    let (plugin, host, cancel) = (plugin("", &code), host(), CancellationToken::new());
    let log = |line: &str| {
        // Two for a moment: the shell forks before the fork becomes `sleep`.
        assert_eq!((line, running(&mark) > 0), ("up", true));
        cancel.cancel();
    };
    let ended = timeout(Duration::from_secs(4), host.run(&plugin, run_of(json!({})), &cancel, &log)).await;
    assert_eq!(ended.expect("it is ended in time"), Err(Failure::new(Class::NotStarted, "TRIAL was stopped")));
    assert_eq!(running(&mark), 0);
}

#[tokio::test]
async fn what_was_verified_can_not_be_changed_before_it_is_mounted() {
    use std::os::unix::{fs::MetadataExt, process::CommandExt};
    let mark = format!("swap-{}", std::process::id());
    let code = format!("import time; print('{mark}', file=sys.stderr); time.sleep(1); give(out=1)");
    let (plugin, host, cancel) = (plugin("", &code), host(), CancellationToken::new());
    let seen = Mutex::new(0);
    let log = |line: &str| {
        assert_eq!(line, mark);
        // Its own folder among those of other tests.
        let folders = std::fs::read_dir(std::env::temp_dir()).expect("a folder").flatten();
        let files = folders.map(|folder| folder.path().join("plugin/main.py"));
        let mut ours = files.filter(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains(&mark)));
        let file = ours.next().expect("it is there");
        let found = std::fs::metadata(&file).expect("it is there");
        assert_eq!(found.uid(), rustix::process::geteuid().as_raw());
        assert_eq!(found.mode() & 0o022, 0);
        if rustix::process::geteuid().is_root() {
            let swap = format!("echo >> {0} || mv {0} {0}.old || rm {0}", file.display());
            let mut nobody = std::process::Command::new("sh");
            let tried = nobody.args(["-c", &swap]).uid(65_534).gid(65_534).output().expect("a shell");
            assert!(!tried.status.success() && file.exists());
        }
        *seen.lock().expect("not poisoned") += 1;
    };
    host.run(&plugin, run_of(json!({})), &cancel, &log).await.expect("it runs");
    assert_eq!(seen.into_inner().expect("not poisoned"), 1);
}

/// How many processes have `mark` in their command line.
fn running(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").expect("proc").flatten();
    let line = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
    processes.map(line).filter(|line| String::from_utf8_lossy(line).contains(mark) && line.starts_with(b"sh\0")).count()
}

#[tokio::test]
async fn a_dropped_run_leaves_no_process() {
    let mark = format!("drop-{}", std::process::id());
    let code = format!("import subprocess; subprocess.run(['sh', '-c', 'sleep 100; : {mark}'])");
    let (plugin, host, cancel) = (plugin("", &code), host(), CancellationToken::new());
    let run = host.run(&plugin, run_of(json!({})), &cancel, &|_| {});
    timeout(Duration::from_secs(2), run).await.expect_err("it still runs");
    let gone = async {
        while running(&mark) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(2), gone).await.expect("nothing is left");
}

#[tokio::test]
async fn files_go_in_and_out_as_granted() {
    let file = |text: &str| File { bytes: Some(text.into()), size: text.len() as u64, ..File::default() };
    let files = || [("in/a.txt".to_owned(), file("A")), ("b.txt".to_owned(), file("B"))].into();
    let code = "seen = sorted(os.path.join(d, f) for d, _, fs in os.walk('.') for f in fs)\n";
    let seen = plugin("", &format!("{code}give(out=seen)"));
    let done = host()
        .run(&seen, Run { files: files(), ..run_of(json!({})) }, &CancellationToken::new(), &|_| {})
        .await
        .expect("runs");
    assert_eq!(done.outputs["out"], json!([]));

    let grants = "permissions.files = { read_all = true, write = true, written = [\"out\"] }\n";
    let code = format!(
        "{code}os.remove('b.txt'); os.makedirs('new'); open('new/c.txt', 'w').write('C'); open('scratch', 'w')\ngive(out=['new/c.txt', 'in/a.txt'], seen=seen)"
    );
    let done = host()
        .run(&plugin(grants, &code), Run { files: files(), ..run_of(json!({})) }, &CancellationToken::new(), &|_| {})
        .await
        .expect("runs");
    assert_eq!(done.outputs["seen"], json!(["./b.txt", "./in/a.txt"]));
    assert_eq!(
        (done.written, done.removed),
        ([("new/c.txt".to_owned(), b"C".to_vec())].into(), vec!["b.txt".to_owned()])
    );

    let link = plugin(grants, "os.symlink('/etc/shadow', 'x'); give(out='x')");
    let failure = host().run(&link, run_of(json!({})), &CancellationToken::new(), &|_| {}).await.expect_err("a link");
    assert!(failure.message.contains("not a plain file"), "{failure}");
}
