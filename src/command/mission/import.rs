//! A mission from a file into the archive.

use crate::{
    client::Client,
    exit::{Code, Error},
    progress::{out, say},
};
use nats::archive::{MOST, pack, unpack};
use replay::History;
use serde_json::json;
use std::{fs, path::Path};

/// # Errors
/// The file is no export, with the line that is wrong; or there is such a mission, and another.
pub async fn run(client: &Client, file: &Path, json: bool) -> Result<Code, Error> {
    let wrong = |why: String| Error::usage(format!("{}: {why}", file.display()));
    let found = fs::metadata(file).map_err(|error| wrong(error.to_string()))?;
    if found.len() > MOST {
        return Err(wrong(format!("has {} bytes; an export has at most {MOST} ({} MiB)", found.len(), MOST >> 20)));
    }
    let text = unpack(&fs::read(file).map_err(|error| wrong(error.to_string()))?).map_err(wrong)?;
    // What is wrong is told here, before anything is sent; the librarian looks once more.
    let history = History::parse(&text).map_err(|malformed| wrong(malformed.to_string()))?;
    if history.entries.is_empty() {
        return Err(wrong("it holds no events of a mission".into()));
    }
    let packed = pack(&text.lines().map(String::from).collect::<Vec<_>>());
    let stored = client.put_bytes(packed.into()).await?;
    let answer = client.order("mission.import", &json!(stored)).await?;
    let mission = answer["mission"].as_str().unwrap_or_default();
    match (json, answer["already"] == true) {
        (true, _) => say(&answer),
        (false, false) => out!("mission {mission} is imported: {} events", answer["events"]),
        (false, true) => out!("mission {mission} is here already, and is the same"),
    }
    Ok(Code::Completed)
}
