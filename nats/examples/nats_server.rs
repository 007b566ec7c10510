//! Finds a nats-server by the rules of `nats::server`, fetching one if need be, and prints its path.

use nats::server::{Places, find};

#[expect(clippy::disallowed_methods, reason = "a program reads its environment")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let places = Places::from_vars(|name| std::env::var_os(name));
    let found = find(&places, &|line| eprintln!("{line}")).await?;
    println!("{}", found.path.display());
    Ok(())
}
