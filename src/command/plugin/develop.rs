//! `stage7 plugin init` and `test`: for whoever writes plugins. Nothing needs to run for them.

use crate::{
    cli::Language,
    config::Config,
    exit::{Code, Error},
    progress::{clean, err, out, say},
};
use anyhow::{Context, anyhow};
use capabilities::{
    environment,
    package::{self, Error as Package},
    runtime::Told,
    scaffold,
};
use schemas::manifest::Runtime;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

pub fn begin(name: &str, language: Language, dir: Option<PathBuf>, json: bool) -> Result<Code, Error> {
    let runtime = match language {
        Language::Python => Runtime::Python,
        Language::Javascript => Runtime::Javascript,
    };
    let dir = dir.unwrap_or_else(|| name.to_lowercase().replace('_', "-").into());
    scaffold::write(name, runtime, &dir).map_err(|error| match error {
        scaffold::Error::Io(..) => Error::from(anyhow!(error)),
        _ => Error::usage(error.to_string()),
    })?;
    match json {
        true => say(&json!({"verb": name, "dir": dir})),
        false => out!("{} is begun; try it: stage7 plugin test {0}", dir.display()),
    }
    Ok(Code::Completed)
}

pub async fn test(config: &Config, dir: &Path, json: bool) -> Result<Code, Error> {
    let plugin = match package::open(dir) {
        Ok(package) => package.plugin,
        Err(Package::Faults(faults)) if json => {
            let one = |fault: &capabilities::manifest::Located| json!({"line": fault.line, "column": fault.column, "at": fault.fault.at, "message": fault.fault.message});
            say(&json!({"part": "manifest", "ok": false, "faults": faults.iter().map(one).collect::<Vec<_>>()}));
            return Ok(Code::Failed);
        }
        Err(error @ Package::Io(..)) => return Err(Error::from(anyhow!(error))),
        Err(error) => return Err(Error::failed(format!("{}: {error}", dir.display()))),
    };
    told("manifest", &Ok(()), json);
    let wrong = AtomicUsize::new(0);
    let listen = |heard: Told<'_>| match heard {
        Told::Line(line) => err!("    {}", clean(line)),
        Told::Part(part, ended) => {
            wrong.fetch_add(usize::from(ended.is_err()), Ordering::Relaxed);
            told(part, &ended, json);
        }
    };
    config.capabilities.host().try_out(&plugin, &listen).await;
    match wrong.into_inner() {
        0 => Ok(Code::Completed),
        _ => Ok(Code::Failed),
    }
}

/// Writes down which packages a plugin gets, each with its hash.
pub async fn lock(config: &Config, dir: &Path, json: bool) -> Result<Code, Error> {
    let wanted = dir.join(environment::WANTED);
    if !wanted.is_file() {
        return Err(Error::usage(format!("{} is missing: it says which packages are wanted", wanted.display())));
    }
    let host = config.capabilities.host();
    let locked = host.environments().lock(&wanted, &|line| err!("    {}", clean(line))).await;
    let locked = locked.map_err(|failure| Error::failed(failure.message))?;
    let path = dir.join(environment::LOCK);
    fs::write(&path, &locked).with_context(|| format!("{} can't be written", path.display()))?;
    match json {
        true => say(&json!({"lock": path, "packages": locked.lines().count()})),
        false => out!("{} names {} package(s)", path.display(), locked.lines().count()),
    }
    Ok(Code::Completed)
}

fn told(part: &str, ended: &Result<(), String>, json: bool) {
    match (json, ended) {
        (true, Ok(())) => say(&json!({"part": part, "ok": true})),
        (true, Err(why)) => say(&json!({"part": part, "ok": false, "reason": why})),
        (false, Ok(())) => out!("ok      {}", clean(part)),
        (false, Err(why)) => out!("FAILED  {}: {}", clean(part), clean(why)),
    }
}
