use super::*;
use crate::{
    scaffold,
    signature::{Known, PrivateKey, Refused, verify},
};
use schemas::manifest::Runtime;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn begun() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("greet");
    scaffold::write("GREET", Runtime::Python, &folder).expect("it is written");
    (dir, folder)
}

fn files(package: &Package) -> Vec<&str> {
    let Code::Files(files) = &package.plugin.code else { panic!("it has files") };
    files.iter().map(|(path, _)| path.as_str()).collect()
}

#[test]
fn a_new_plugin_is_read_whole_and_without_what_tools_leave() {
    let (dir, folder) = begun();
    for path in [".git/x", "__pycache__/main.pyc", "data/words.txt"] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        fs::write(path, "x").expect("it is written");
    }
    let package = open(&folder).expect("nothing is wrong with it");
    assert_eq!(files(&package), ["README.md", "data/words.txt", "main.py", "test_main.py"]);
    assert_eq!(package.plugin.manifest.name, "GREET");
    assert!(matches!(scaffold::write("GREET", Runtime::Python, &folder), Err(scaffold::Error::Exists(_))));
    assert!(matches!(scaffold::write("greet", Runtime::Python, dir.path()), Err(scaffold::Error::Name(_))));
    assert!(matches!(scaffold::write("GREET", Runtime::Native, &folder), Err(scaffold::Error::Runtime)));
}

#[test]
fn what_is_no_plugin_is_told() {
    let (dir, folder) = begun();
    let said = |folder: &Path| open(folder).expect_err("it is no plugin").to_string();
    assert_eq!(said(dir.path()), "it holds no plugin.toml: `stage7 plugin init` makes a folder that does");
    symlink("/etc/hostname", folder.join("link")).expect("a link");
    assert!(said(&folder).starts_with("link is a link, a device or the like"));
    fs::remove_file(folder.join("link")).expect("it goes");
    File::create(folder.join("zeros")).and_then(|file| file.set_len(10 << 30)).expect("ten gigabytes of nothing");
    assert_eq!(said(&folder), "it holds more than 2000 files or 32 MiB (at zeros)");
    fs::remove_file(folder.join("zeros")).expect("it goes");
    fs::write(folder.join("plugin.sig"), "{}").expect("written");
    assert!(said(&folder).starts_with("plugin.sig can't be read: missing field"));
    fs::remove_file(folder.join("plugin.sig")).expect("it goes");
    let text = fs::read_to_string(folder.join("plugin.toml")).expect("it is there");
    fs::write(folder.join("plugin.toml"), text.replace("0.1.0", "1").replace("main.py", "gone.py")).expect("written");
    assert!(said(&folder).starts_with("plugin.toml:2:1: /version: "));
    fs::write(folder.join("plugin.toml"), b"\xff").expect("written");
    assert_eq!(said(&folder), "plugin.toml is not text");
}

#[test]
fn an_archive_is_the_same_plugin_and_always_the_same_bytes() {
    let (_dir, folder) = begun();
    let package = open(&folder).expect("a plugin");
    let archive = package.archive();
    assert_eq!(archive, open(&folder).expect("a plugin").archive());
    let again = unpack(archive.as_slice()).expect("a plugin");
    assert_eq!((again.plugin.digest(), files(&again)), (package.plugin.digest(), files(&package)));
    for end in [0, 10, archive.len() / 2, archive.len() - 1] {
        assert!(unpack(&archive[..end]).is_err(), "cut at {end}");
    }
}

/// An archive of entries: name, type, size as it is claimed, and what is there.
fn archive(entries: impl IntoIterator<Item = (Vec<u8>, EntryType, u64, Vec<u8>)>) -> Vec<u8> {
    let mut all = Vec::new();
    for (name, kind, size, bytes) in entries {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().expect("a header").name[..name.len()].copy_from_slice(&name);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        all.extend_from_slice(header.as_bytes());
        all.extend_from_slice(&bytes);
        all.resize(all.len().next_multiple_of(512), 0);
    }
    all.extend_from_slice(&[0; 1024]);
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(all.as_slice(), Compression::fast()).read_to_end(&mut packed).expect("memory");
    packed
}

fn told(entries: impl IntoIterator<Item = (Vec<u8>, EntryType, u64, Vec<u8>)>) -> String {
    unpack(archive(entries).as_slice()).expect_err("it is no plugin").to_string()
}

#[test]
fn hostile_archives_are_refused_with_what_is_wrong() {
    let file = |name: &str| (name.as_bytes().to_vec(), EntryType::Regular, 1, b"x".to_vec());
    for name in ["../x", "/etc/x", "a/../../x", "a//b", "a/./b", "a\nb", "a\\b", ""] {
        let said = told([file(name)]);
        assert!(said.contains("is no name for a file of a plugin") || name.is_empty(), "{name:?}: {said}");
    }
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        assert!(
            told([(b"x".to_vec(), kind, 0, Vec::new())]).starts_with("x is a link, a device or the like"),
            "{kind:?}"
        );
    }
    assert_eq!(told([file("x"), file("x")]), "x is in it twice");
    let much = "it holds more than 2000 files or 32 MiB (at x)";
    assert_eq!(told([(b"x".to_vec(), EntryType::Regular, 10 << 30, vec![0; 1 << 20])]), much);
    assert_eq!(told([(b"x".to_vec(), EntryType::Regular, u64::MAX >> 1, Vec::new())]), much);
    let many = (0..100_000).map(|n| (format!("f{n}").into_bytes(), EntryType::Regular, 0, Vec::new()));
    assert_eq!(told(many), "it holds more than 2000 files or 32 MiB (at f2000)");
    let folders = (0..100_000).map(|n| (format!("d{n}/").into_bytes(), EntryType::Directory, 0, Vec::new()));
    assert_eq!(told(folders), "it holds more than 2000 files or 32 MiB (at d2000/)");
    assert!(told([(b"x".to_vec(), EntryType::Regular, 4096, b"x".to_vec())]).starts_with("it is no archive"));
    assert!(unpack(b"plain".as_slice()).expect_err("no archive").to_string().starts_with("it is no archive"));
    // Packed so well that a few kilobytes are gigabytes.
    let mut bomb = Vec::new();
    let zeros = io::repeat(0).take(200 << 20);
    flate2::read::GzEncoder::new(zeros, Compression::best()).read_to_end(&mut bomb).expect("memory");
    assert_eq!(unpack(bomb.as_slice()).expect_err("a bomb").to_string(), much.replace("at x", "at its end"));
    assert!(told([(b"x".to_vec(), EntryType::GNUSparse, 0, Vec::new())]).starts_with("it is no archive"));
}

#[test]
fn any_changed_byte_is_noticed() {
    let (_dir, folder) = begun();
    let key = PrivateKey::generate().expect("randomness");
    let known = [Known { publisher: "local".into(), key: key.public(), is_revoked: false }];
    let mut package = open(&folder).expect("a plugin");
    package.signature = Some(key.sign("local", &package.plugin.statement()).expect("signed"));
    let judged = |package: &Package| {
        verify(&package.plugin.manifest.publisher, &package.plugin.statement(), package.signature.as_ref(), &known)
    };
    let sent = unpack(package.archive().as_slice()).expect("a plugin");
    assert_eq!(judged(&sent), Ok(()));
    let Code::Files(code) = package.plugin.code.clone() else { panic!("it has files") };
    let code = code.into_iter().chain([(manifest::FILE.into(), package.manifest.clone().into_bytes())]);
    let all: Files = code.collect();
    let (mut tried, mut changed) = (0, 0);
    for (n, (path, bytes)) in all.iter().enumerate() {
        for at in 0..bytes.len() {
            let mut files = all.clone();
            files[n].1[at] ^= 1;
            files.push((signature::FILE.into(), sealed(package.signature.as_ref().expect("signed")).into_bytes()));
            tried += 1;
            // What is no plugin any more can't be run either.
            let Ok(other) = Package::of(files) else { continue };
            changed += 1;
            let judged = judged(&other);
            assert!(
                matches!(judged, Err(Refused::Changed { .. } | Refused::Publisher { .. })),
                "{path} at {at}: {judged:?}"
            );
        }
    }
    assert!(tried > 1_500 && changed > 1_000, "{changed} of {tried} were plugins still");
    let mut files = all.clone();
    files.push(("more.py".into(), Vec::new()));
    let fewer = all.iter().filter(|(path, _)| path != "README.md").cloned().collect();
    let renamed = all.iter().map(|(path, bytes)| (path.replace("README", "readme"), bytes.clone())).collect();
    for files in [files, fewer, renamed] {
        let mut other = Package::of(files).expect("a plugin");
        other.signature = package.signature.clone();
        assert!(matches!(judged(&other), Err(Refused::Changed { .. })));
    }
}
