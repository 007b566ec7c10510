//! Deliverables into a folder, each whole and with the hash that the log says.

use crate::{client::Client, exit::Error};
use schemas::value::is_safe_path;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};
use streams::overview::Overview;

/// Makes the folder, and sees that something can be written there, before anything is begun.
///
/// # Errors
/// It can't.
pub fn prepare(out: &Path) -> Result<(), Error> {
    let probe = || {
        fs::create_dir_all(out)?;
        let path = out.join(format!(".stage7-{}", std::process::id()));
        fs::write(&path, b"probe")?;
        fs::remove_file(path)
    };
    probe().map_err(|error: io::Error| Error::usage(format!("--out {}: {error}", out.display())))
}

/// Fetches all deliverables into `out/{mission}/`; gives their paths, in their order.
///
/// # Errors
/// One can't be fetched or written.
pub async fn fetch(client: &Client, now: &Overview, out: &Path) -> Result<Vec<String>, Error> {
    let Some(id) = now.id else { return Ok(Vec::new()) };
    let dir = out.join(id.to_string());
    let mut paths = Vec::new();
    for file in &now.deliverables {
        // Checked by whoever said it; but this is our disk.
        if !is_safe_path(&file.name) {
            return Err(Error::failed(format!(
                "the deliverable {:?} has no safe name: it stays in the log",
                file.name
            )));
        }
        let bytes = client.get(&file.sha256, file.size).await?;
        let path = dir.join(&file.name);
        write(&path, &bytes).map_err(|error| {
            Error::failed(format!(
                "{}: {error}\nThe deliverables are kept; fetch them with: stage7 mission watch {id} --out DIR",
                path.display()
            ))
        })?;
        paths.push(path.display().to_string());
    }
    Ok(paths)
}

/// Whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let aside: PathBuf = dir.join(format!(".stage7-{}", std::process::id()));
    let written =
        fs::File::create(&aside).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(aside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Code;

    #[test]
    fn a_folder_that_can_not_be_written_is_told_first() {
        let dir = tempfile::tempdir().unwrap();
        prepare(&dir.path().join("a/b")).unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = prepare(&file).unwrap_err();
        assert!(error.code == Code::Usage && error.to_string().contains("file"), "{error}");
    }

    #[test]
    fn what_was_there_before_stays_when_writing_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        fs::create_dir(dir.path().join("d")).unwrap();
        assert!(write(&dir.path().join("d"), b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left behind");
    }
}
