//! Native plugins that ask the internet: the host's limits hold for them, too.

use capabilities::{Failure, Host, Hosts, Plugin};
use plugins::{Run, web::Web};
use schemas::Class;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A server that takes connections and never says anything.
async fn silent() -> (TcpListener, Host, Run) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let hosts: Hosts = address.parse().expect("a host");
    let host = Host::new("/nonexistent", "/nonexistent").with_web(Web::new(hosts));
    let inputs = json!({"method": "GET", "url": format!("http://{address}/")});
    let inputs = inputs.as_object().expect("an object").clone().into_iter().collect();
    (listener, host, Run { inputs, ..Run::default() })
}

/// API_CLIENT, which may take this long.
fn api_client(seconds: u32) -> Plugin {
    let shipped = plugins::SHIPPED.iter().find(|shipped| shipped.folder == "api-client").expect("it is shipped");
    let limited = shipped.manifest.replace("seconds = 60", &format!("seconds = {seconds}"));
    Plugin::new(&limited, Vec::new()).expect("a manifest")
}

async fn run(host: &Host, seconds: u32, run: Run, cancel: &CancellationToken) -> Result<Value, Failure> {
    let done = host.run(&api_client(seconds), run, cancel, &|_| {}).await?;
    Ok(done.outputs.into_iter().collect::<serde_json::Map<_, _>>().into())
}

#[tokio::test]
async fn a_run_ends_when_its_time_is_up() {
    let (_listener, host, asked) = silent().await;
    let failure = run(&host, 1, asked, &CancellationToken::new()).await.expect_err("nobody answers");
    assert_eq!(failure, Failure::new(Class::Permanent, "API_CLIENT was stopped: it ran longer than 1 s"));
}

#[tokio::test]
async fn a_run_ends_when_it_is_cancelled() {
    let (listener, host, asked) = silent().await;
    let cancel = CancellationToken::new();
    let (failure, ()) = tokio::join!(run(&host, 60, asked, &cancel), async {
        listener.accept().await.expect("it asks");
        cancel.cancel();
    });
    assert_eq!(failure, Err(Failure::new(Class::NotStarted, "API_CLIENT was stopped")));
}

#[tokio::test]
async fn no_host_of_this_machine_is_asked_unless_it_is_allowed() {
    let (_listener, _, asked) = silent().await;
    let host = Host::new("/nonexistent", "/nonexistent");
    let failure = run(&host, 60, asked, &CancellationToken::new()).await.expect_err("refused");
    assert_eq!(failure.class, Class::Permanent);
    assert!(failure.message.contains("is an address of this machine or its networks"), "{failure}");
}
