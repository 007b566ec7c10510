//! JavaScript plugins in the real sandbox.

use crate::TRIAL;
use capabilities::{Failure, Host, Plugin};
use plugins::{Done, Run};
use schemas::{Class, value::Value};
use serde_json::json;
use tokio_util::sync::CancellationToken;

const REST: &str = r#"
runtime = "javascript"
entry = "main.mjs"
output = { type = "object", properties = { out = {} } }
limits = { seconds = 5, memory_mb = 64, processes = 24, output_kb = 64 }
"#;

async fn run(code: &str) -> Result<Done, Failure> {
    let prelude = "import fs from 'node:fs';\nconst inputs = JSON.parse(fs.readFileSync(0, 'utf8'));\n\
                   const give = out => process.stdout.write(JSON.stringify({out}));\n";
    let files = vec![("main.mjs".to_owned(), format!("{prelude}{code}").into_bytes())];
    let plugin = Plugin::new(&format!("{TRIAL}{REST}"), files).expect("the manifest is right");
    let inputs = [("text".to_owned(), json!("ä"))].into();
    Host::new("/nonexistent", "/nonexistent")
        .run(&plugin, Run { inputs, ..Run::default() }, &CancellationToken::new(), &|_| {})
        .await
}

async fn output(code: &str) -> Value {
    run(code).await.unwrap_or_else(|e| panic!("{code}: {e}")).outputs["out"].clone()
}

async fn failure(code: &str) -> Failure {
    run(code).await.expect_err(code)
}

#[tokio::test]
async fn a_program_is_given_its_inputs_and_little_else() {
    assert_eq!(output("give(inputs.text + inputs.text.length)").await, "ä1");
    let home = std::env::home_dir().expect("a home");
    for place in ["/root", "/etc/passwd", "/var", "/sys", env!("CARGO_MANIFEST_DIR"), &home.to_string_lossy()] {
        assert_eq!(output(&format!("give(fs.existsSync({place:?}))")).await, false, "{place}");
    }
    assert_eq!(output("give(Object.keys(process.env).sort())").await, json!(["HOME", "LANG", "PATH", "PWD"]));
    assert_eq!(output("give(process.getuid())").await, 65_534);
    for place in ["/x", "/usr/x", "/work/x", "/plugin/x", "/plugin/main.mjs"] {
        let failure = failure(&format!("fs.writeFileSync({place:?}, 'x')")).await;
        assert!(failure.message.contains("EROFS") || failure.message.contains("EACCES"), "{place}: {failure}");
    }
}

#[tokio::test]
async fn there_is_no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let connect = format!(
        "import net from 'node:net';\nnet.connect({port}, '127.0.0.1', () => give('connected')).on('error', e => give(e.code))"
    );
    assert_eq!(output(&connect).await, "ECONNREFUSED");
    let fetched = "await fetch('http://192.0.2.1/').then(() => give('fetched'), e => give(String(e.cause?.code)))";
    assert_eq!(output(fetched).await, "ENETUNREACH");
    let looked_up = "import dns from 'node:dns/promises';\nawait dns.resolve('example.org').then(() => give('found'), e => give(e.code))";
    let said = output(looked_up).await;
    assert!(["ECONNREFUSED", "ESERVFAIL", "EREFUSED"].iter().any(|code| said == *code), "{said}");
}

#[tokio::test]
async fn limits_hold() {
    let slow = failure("for (;;) {}").await;
    assert!(slow.message.contains("ran longer than 5 s") || slow.message.contains("processor time"), "{slow}");
    let much = failure("process.stdout.write('x'.repeat(100_000))").await;
    assert_eq!(much, Failure::new(Class::Permanent, "TRIAL was stopped: its answer is longer than 64 KiB"));
    let heap = failure("const all = []; for (;;) all.push(new Array(10_000).fill(1.5))").await;
    assert!(heap.message.contains("JavaScript heap out of memory"), "{heap}");
    let buffers = failure("const all = []; for (;;) all.push(Buffer.alloc(16 << 20, 1))").await;
    assert!(buffers.message.contains("memory"), "{buffers}");
    let file = failure("for (;;) fs.appendFileSync('/tmp/x', Buffer.alloc(10_000))").await;
    assert!(file.message.contains("EFBIG") || file.message.contains("64 KiB"), "{file}");
}

#[tokio::test]
async fn exit_codes_and_errors_say_what_follows() {
    let said = |code: u8| format!("console.error('because'); process.exit({code})");
    assert_eq!(failure(&said(65)).await, Failure::new(Class::InvalidInput, "TRIAL failed: because"));
    assert_eq!(failure(&said(75)).await, Failure::new(Class::Transient, "TRIAL failed: because"));
    let thrown = failure("throw new Error('no luck')").await;
    assert_eq!(thrown.class, Class::Permanent);
    assert!(thrown.message.contains("no luck"), "{thrown}");
}
