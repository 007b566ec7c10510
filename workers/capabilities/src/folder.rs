//! A run's files, on their way into the work folder and back.

use plugins::File;
use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};
use schemas::{
    manifest::Files,
    value::{Value, Values, is_safe_path},
};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::Path,
};

/// What changed in a work folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub written: BTreeMap<String, Vec<u8>>,
    pub removed: Vec<String>,
}

/// Puts the files whose bytes are there into a folder.
///
/// # Errors
/// The folder can't be written, or two paths exclude each other (`a` and `a/b`).
pub fn place<'f>(folder: &Path, files: impl IntoIterator<Item = (&'f String, &'f [u8])>) -> io::Result<()> {
    for (path, bytes) in files {
        if !is_safe_path(path) {
            return Err(io::Error::other(format!("{path:?} is not a safe path")));
        }
        let to = folder.join(path);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(to, bytes)?;
    }
    Ok(())
}

/// Whoever runs plugin code may read it, whatever our umask is.
pub fn readable(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() {
        return Ok(());
    }
    let mode = found.permissions().mode();
    if found.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o555))?;
        return fs::read_dir(path)?.try_for_each(|entry| readable(&entry?.path()));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o444))
}

/// The room that files take in memory.
pub fn room<'f>(files: impl IntoIterator<Item = &'f [u8]>) -> u64 {
    let page = rustix::param::page_size();
    files.into_iter().map(|bytes| bytes.len().next_multiple_of(page) as u64).sum()
}

/// Takes the declared files, and notes which of those that were placed are gone.
///
/// Nothing may run in the folder any more: what is looked at here must still be so when it is read.
///
/// # Errors
/// A sentence: a declared file is missing, is no plain file inside the folder, or is too large.
pub fn collect(
    folder: impl AsFd,
    placed: &BTreeMap<String, File>,
    grants: &Files,
    outputs: &Values,
    limit: u64,
) -> Result<Changes, String> {
    let (folder, mut changes) = (folder.as_fd(), Changes::default());
    for path in grants.written.iter().filter_map(|name| outputs.get(name)).flat_map(paths) {
        let bytes = take(folder, path, limit).map_err(|why| format!("declares the file {path:?}, which {why}"))?;
        if placed.get(path).and_then(|file| file.bytes.as_ref()) != Some(&bytes) {
            changes.written.insert(path.to_owned(), bytes);
        }
    }
    let gone = |path: &&String| matches!(opened(folder, path), Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP));
    changes.removed =
        placed.iter().filter(|(_, file)| file.bytes.is_some()).map(|(path, _)| path).filter(gone).cloned().collect();
    Ok(changes)
}

/// The paths that an output holds: a string, or a list of strings or of objects with `path`.
fn paths(output: &Value) -> Vec<&str> {
    match output {
        Value::String(path) => vec![path],
        Value::Array(items) => items.iter().flat_map(paths).collect(),
        Value::Object(entries) => entries.get("path").and_then(Value::as_str).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn take(folder: BorrowedFd<'_>, path: &str, limit: u64) -> Result<Vec<u8>, String> {
    if !is_safe_path(path) {
        return Err("is not a safe path".into());
    }
    let opened = opened(folder, path).map_err(|error| match error {
        Errno::NOENT => "is not there".to_string(),
        Errno::LOOP | Errno::NOTDIR | Errno::NXIO => "is not a plain file".into(),
        error => format!("can't be read: {error}"),
    })?;
    let (mut file, mut bytes) = (fs::File::from(opened), Vec::new());
    let found = file.metadata().map_err(|e| format!("can't be read: {e}"))?;
    if !found.is_file() {
        return Err("is not a plain file".into());
    }
    if found.len() > limit {
        return Err(format!("is larger than {} KiB", limit / 1024));
    }
    file.read_to_end(&mut bytes).map_err(|e| format!("can't be read: {e}"))?;
    Ok(bytes)
}

/// Opens what is there by that name. No part of the path may be a link: it could lead to the host's own files.
fn opened(folder: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let (above, name) = path.rsplit_once('/').map_or((None, path), |(above, name)| (Some(above), name));
    let mut at = folder.try_clone_to_owned().map_err(|_| Errno::MFILE)?;
    for part in above.into_iter().flat_map(|above| above.split('/')) {
        at = openat(&at, part, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    }
    // A pipe would be waited for.
    openat(&at, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, mknodat};
    use serde_json::json;
    use std::os::unix::fs::symlink;

    fn held(folder: &tempfile::TempDir) -> fs::File {
        fs::File::open(folder.path()).expect("it is there")
    }

    fn grants() -> Files {
        Files { write: true, written: vec!["out".into()], ..Files::default() }
    }

    fn outputs(out: Value) -> Values {
        [("out".to_owned(), out)].into()
    }

    #[test]
    fn declared_files_come_back_and_others_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = |text: &str| File { bytes: Some(text.into()), ..File::default() };
        let placed: BTreeMap<_, _> =
            [("a", bytes("1")), ("d/b", bytes("2")), ("c", bytes("3"))].map(|(p, f)| (p.to_owned(), f)).into();
        place(folder.path(), placed.iter().map(|(p, f)| (p, f.bytes.as_deref().expect("given")))).expect("places");
        fs::write(folder.path().join("d/b"), "changed").expect("writes");
        fs::write(folder.path().join("new"), "new").expect("writes");
        fs::write(folder.path().join("scratch"), "x").expect("writes");
        fs::remove_file(folder.path().join("c")).expect("removes");
        let out = outputs(json!(["a", {"path": "d/b"}, "new"]));
        let changes = collect(held(&folder), &placed, &grants(), &out, 100).expect("collects");
        assert_eq!(
            changes.written,
            [("d/b".to_owned(), b"changed".to_vec()), ("new".to_owned(), b"new".to_vec())].into()
        );
        assert_eq!(changes.removed, ["c"]);
    }

    #[test]
    fn no_link_leads_out() {
        let outside = tempfile::tempdir().expect("a folder");
        fs::write(outside.path().join("secret"), "s").expect("writes");
        let folder = tempfile::tempdir().expect("a folder");
        symlink(outside.path().join("secret"), folder.path().join("file")).expect("links");
        symlink(outside.path(), folder.path().join("dir")).expect("links");
        fs::create_dir(folder.path().join("real")).expect("makes");
        mknodat(CWD, folder.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).expect("makes");
        for (path, why) in [
            ("file", "is not a plain file"),
            ("dir/secret", "is not a plain file"),
            ("real", "is not a plain file"),
            ("pipe", "is not a plain file"),
            ("pipe/x", "is not a plain file"),
            ("none/x", "is not there"),
            ("none", "is not there"),
            ("../x", "is not a safe path"),
        ] {
            let fault =
                collect(held(&folder), &BTreeMap::new(), &grants(), &outputs(json!(path)), 100).expect_err(path);
            assert!(fault.ends_with(why), "{path}: {fault}");
        }
    }

    #[test]
    fn large_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("big"), vec![0; 2049]).expect("writes");
        let fault =
            collect(held(&folder), &BTreeMap::new(), &grants(), &outputs(json!("big")), 2048).expect_err("too large");
        assert!(fault.ends_with("is larger than 2 KiB"), "{fault}");
    }
}
