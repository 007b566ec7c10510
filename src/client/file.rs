//! Files in and out, in chunks under the hash of the whole.

use super::{Client, Error};
use crate::exit;
use anyhow::Context;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use nats::log::{CHUNK, chunks};
use schemas::{
    MissionId,
    goal::{self, MAX_FILE, MAX_FILES},
    user::FileAdded,
    value::{Form, Ref, is_safe_path, media_type, sha256},
};
use serde_json::json;
use std::{
    collections::HashMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

/// Chunks on their way at once.
const PIPELINE: usize = 8;

/// A file that is to be sent, and its name in the mission's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub path: PathBuf,
    pub name: String,
}

/// Looks at every file before anything is sent. A file is called as the goal calls it, else by its
/// file name.
///
/// # Errors
/// The first that is missing, a directory, unreadable, too large, or called like another.
pub fn check(paths: &[PathBuf], goal: &str) -> Result<Vec<Upload>, exit::Error> {
    let (mut uploads, mut names, mut all) = (Vec::new(), HashMap::new(), 0_u64);
    for path in paths {
        let shown = path.display();
        let wrong = |why: String| exit::Error::usage(format!("--file {shown}: {why}"));
        let found = fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
        if !found.is_file() {
            return Err(wrong(if found.is_dir() {
                "is a directory; name the files in it".into()
            } else {
                "is no regular file".into()
            }));
        }
        if found.len() > MAX_FILE {
            return Err(wrong(format!(
                "has {} bytes; a file may have {MAX_FILE} ({} MiB)",
                found.len(),
                MAX_FILE >> 20
            )));
        }
        File::open(path).map_err(|error| wrong(error.to_string()))?;
        all += found.len();
        let name =
            name_of(path, goal).ok_or_else(|| wrong("is called what no file of a mission may be called".into()))?;
        if let Some(other) = names.insert(name.clone(), path) {
            return Err(wrong(format!("is called `{name}`, and so is {}", other.display())));
        }
        uploads.push(Upload { path: path.clone(), name });
    }
    if all > MAX_FILES {
        return Err(exit::Error::usage(format!(
            "the files have {all} bytes together; a mission may have {MAX_FILES} ({} MiB)",
            MAX_FILES >> 20
        )));
    }
    Ok(uploads)
}

fn name_of(path: &Path, goal: &str) -> Option<String> {
    let given = path.to_str()?;
    let given = given.strip_prefix("./").unwrap_or(given);
    let name = if is_safe_path(given) && goal.contains(given) { given } else { path.file_name()?.to_str()? };
    is_safe_path(name).then(|| name.to_string())
}

impl Client {
    /// Sends a file; what is there already is not stored twice.
    ///
    /// # Errors
    /// The file can't be read (any more), or the door refuses it.
    pub async fn put(&self, upload: &Upload) -> Result<goal::File, exit::Error> {
        let failed = |why: String| exit::Error::usage(format!("--file {}: {why}", upload.path.display()));
        let bytes = tokio::fs::read(&upload.path).await.map_err(|error| failed(error.to_string()))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(failed(format!("has grown beyond {MAX_FILE} bytes")));
        }
        let stored = Some(self.put_bytes(bytes.into()).await?);
        Ok(goal::File { name: upload.name.clone(), data_base64: None, stored })
    }

    /// Sends bytes; what is there already is not stored twice.
    ///
    /// # Errors
    /// The door refuses them.
    pub async fn put_bytes(&self, bytes: Bytes) -> Result<goal::Stored, exit::Error> {
        let (hash, size) = (sha256(&bytes), bytes.len() as u64);
        if size > MAX_FILE {
            return Err(exit::Error::usage(format!("{size} bytes are to be sent; a file may have {MAX_FILE}")));
        }
        let put = |n: u64| {
            let from = n as usize * CHUNK;
            let chunk = bytes.slice(from..bytes.len().min(from + CHUNK));
            let subject = format!("stage7.put.{}.{hash}.{n}", self.tenant);
            async move { self.ask(&subject, chunk).await }
        };
        stream::iter(0..chunks(size)).map(put).buffer_unordered(PIPELINE).try_for_each(|_| async { Ok(()) }).await?;
        Ok(goal::Stored { sha256: hash, size })
    }

    /// Puts a file into a mission's folder, under its own name; gives that name.
    ///
    /// # Errors
    /// It can't be read, or the door refuses it.
    pub async fn give(&self, mission: MissionId, path: &Path) -> Result<String, exit::Error> {
        let uploads = check(&[path.into()], "")?;
        let Upload { name, path } = uploads.into_iter().next().context("one file")?;
        let bytes = tokio::fs::read(&path).await.with_context(|| path.display().to_string())?;
        let goal::Stored { sha256, size } = self.put_bytes(bytes.into()).await?;
        let file = Ref { sha256, form: Form::File, size, media_type: media_type(&name).into() };
        self.command(mission, "file.added", &json!(FileAdded { path: name.clone(), file })).await?;
        Ok(name)
    }

    /// The bytes of a hash, checked.
    ///
    /// # Errors
    /// They are gone, or others.
    pub async fn get(&self, hash: &str, size: u64) -> Result<Bytes, Error> {
        let mut all = BytesMut::new();
        let get = |n: u64| {
            let subject = format!("stage7.get.{}.{hash}.{n}", self.tenant);
            async move { self.ask(&subject, Bytes::new()).await }
        };
        let mut parts = stream::iter(0..chunks(size)).map(get).buffered(PIPELINE);
        while let Some(chunk) = parts.try_next().await? {
            all.extend_from_slice(&chunk);
        }
        if all.len() as u64 != size || sha256(&all) != hash {
            return Err(Error::Broken(format!("file {hash}: what came has another length or hash")));
        }
        Ok(all.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(paths: &[PathBuf]) -> String {
        let error = check(paths, "x").unwrap_err();
        assert_eq!(error.code, exit::Code::Usage);
        error.to_string()
    }

    #[test]
    fn what_can_not_be_sent_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a.csv"), "x").unwrap();
        fs::create_dir(path("d")).unwrap();
        fs::write(path("d/a.csv"), "y").unwrap();
        File::create(path("large")).unwrap().set_len(2 << 30).unwrap();
        assert!(told(&[path("missing.csv")]).contains("missing.csv"));
        assert!(told(&[path("d")]).contains("directory"));
        assert!(told(&[path("large")]).contains("67108864"));
        assert!(told(&[path("a.csv"), path("d/a.csv")]).contains("`a.csv`"));
        assert!(told(&["/dev/null".into()]).contains("no regular file"));
        assert_eq!(check(&[path("a.csv")], "x").unwrap()[0].name, "a.csv");
    }

    #[test]
    fn a_file_is_called_as_the_goal_calls_it() {
        assert_eq!(name_of(Path::new("./docs/a.md"), "read docs/a.md").as_deref(), Some("docs/a.md"));
        assert_eq!(name_of(Path::new("docs/a.md"), "read a.md").as_deref(), Some("a.md"));
        assert_eq!(name_of(Path::new("/tmp/a.md"), "read /tmp/a.md").as_deref(), Some("a.md"));
        assert_eq!(name_of(Path::new("../a.md"), "read ../a.md").as_deref(), Some("a.md"));
    }
}
