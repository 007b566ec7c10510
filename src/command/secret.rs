//! `stage7 secret …`: values that plugins may have and nobody sees.

use crate::{
    cli::Secret,
    client::Client,
    config::Config,
    exit::{Code, Error},
    home,
    progress::{clean, out, say},
};
use anyhow::Context;
use schemas::Value;
use serde_json::json;
use std::io::{self, IsTerminal, Read};
use streams::secret::{Content, Grant, is_name};

/// Bytes of the shortest value: a shorter one could not be told from other text and taken out of it.
const SHORTEST: usize = 6;
/// Bytes of the longest.
const LONGEST: usize = 8 * 1024;

pub async fn run(config: &Config, asked: Secret, json: bool) -> Result<Code, Error> {
    // Before anything is started: whoever types a secret should not wait to hear that it is none.
    let value = match &asked {
        Secret::Set { name, .. } => Some(read(name)?),
        _ => None,
    };
    let home = home::find_or_start(config, &super::note(json)).await?;
    let done = done(&home.client, asked, value, json).await;
    home.close().await;
    done
}

async fn done(client: &Client, asked: Secret, value: Option<String>, json: bool) -> Result<Code, Error> {
    let shown = match asked {
        Secret::Set { name, grants } => {
            vec![set(client, &name, value.as_deref().unwrap_or_default(), &grants).await?]
        }
        Secret::Grant { name, grants } => {
            vec![client.order("secret.grant", &json!({"name": name, "for": grants})).await?]
        }
        Secret::Remove { name } => {
            let mut gone = client.order("secret.remove", &json!({"name": name})).await?;
            gone["removed"] = true.into();
            vec![gone]
        }
        Secret::List => {
            let mut answer = client.read(&json!({"secrets": true})).await?;
            serde_json::from_value(answer["secrets"].take()).context("the door's answer")?
        }
    };
    shown.iter().for_each(|secret| show(secret, json));
    Ok(Code::Completed)
}

/// Seals a value here, so that nothing on its way knows it, and has it kept.
pub async fn set(client: &Client, name: &str, value: &str, grants: &[Grant]) -> Result<Value, Error> {
    let answer = client.read(&json!({"secrets": true})).await?;
    let key = answer["key"].as_str().context("the door tells the key to seal to")?;
    let content = Content { tenant: client.tenant.clone(), name: name.into(), value: value.into() };
    let content = serde_json::to_vec(&content).context("a secret")?;
    let seal = nats::seal::seal(key, &content).context("the key that the door tells")?;
    let mut order = json!({"name": name, "seal": seal});
    if !grants.is_empty() {
        order["for"] = json!(grants);
    }
    Ok(client.order("secret.set", &order).await?)
}

/// A secret value, from a person or a pipe; never from the command line, which all of the machine can read.
pub fn read(name: &str) -> Result<String, Error> {
    if !is_name(name) {
        return Err(Error::usage(format!(
            "`{name}` is no name of a secret: capital letters, digits and `_`, as API_KEY"
        )));
    }
    let mut value = match io::stdin().is_terminal() {
        true => rpassword::prompt_password(format!("{name}: ")).context("the terminal")?,
        false => {
            let mut value = String::new();
            let most = LONGEST as u64 + 2;
            io::stdin()
                .take(most)
                .read_to_string(&mut value)
                .context("standard input")
                .map_err(|e| Error::usage(format!("{e:#}")))?;
            value
        }
    };
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    match value.len() {
        0..SHORTEST => Err(Error::usage(format!(
            "the value of {name} has {} bytes: at least {SHORTEST}, or it could not be told from other text",
            value.len()
        ))),
        SHORTEST..=LONGEST if value.contains('\0') => Err(Error::usage(format!("the value of {name} holds a NUL"))),
        SHORTEST..=LONGEST => Ok(value),
        _ => Err(Error::usage(format!("the value of {name} has more than {LONGEST} bytes"))),
    }
}

fn show(secret: &Value, json: bool) {
    if json {
        return say(secret);
    }
    let text = |field: &str| clean(secret[field].as_str().unwrap_or_default());
    let grants = secret["for"].as_array().into_iter().flatten().filter_map(Value::as_str).map(clean);
    let grants: Vec<_> = grants.collect();
    let whose = match (secret["removed"] == true, grants.is_empty()) {
        (true, _) => "removed".to_string(),
        (false, true) => "for nobody yet: `stage7 secret grant`".to_string(),
        (false, false) => format!("for {}", grants.join(", ")),
    };
    out!("{:<32} {}  {whose}", text("name"), text("since"));
}
