//! Files and folders that are no plugins: the command says what is wrong with them, and nothing is left
//! of them.

use crate::stage7::{Layout, Stage7};
use flate2::{Compression, write::GzEncoder};

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};
use tar::{EntryType, Header};

const MUCH: &str = "it holds more than 2000 files or 32 MiB";

/// One entry of an archive: its header, whatever it claims.
fn header(name: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// An archive of entries, and of so many bytes after the last of them.
fn archive(path: &Path, entries: impl IntoIterator<Item = Header>, rest: usize) {
    let mut packed = BufWriter::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()));
    entries.into_iter().for_each(|header| packed.write_all(header.as_bytes()).unwrap());
    (0..rest >> 20).for_each(|_| packed.write_all(&[0; 1 << 20]).unwrap());
    packed.write_all(&[0; 1024]).unwrap();
    packed.into_inner().map_err(|error| error.to_string()).unwrap().finish().unwrap();
}

/// Every file below, but for the log's and what services say.
fn below(folder: &Path) -> Vec<String> {
    let mut open = vec![folder.to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match entry.file_type().unwrap().is_dir() {
                true if path.ends_with("nats") || path.ends_with("logs") => {}
                true => open.push(path),
                false => found.push(path.display().to_string()),
            }
        }
    }
    found.sort();
    found
}

/// Has it added, which is refused for that reason.
#[track_caller]
fn is_refused(stage7: &Stage7, path: &str, why: &str) {
    let temporary = stage7.path("temporary");
    let mut add = stage7.client(&["plugin", "add", path, "--json"]);
    add.env("TMPDIR", &temporary);
    let ended = stage7.ended(add).code(1);
    assert!(ended.stderr.contains(why), "{path}: {} not {why}", ended.stderr);
    let told = ended.line();
    assert!(told["error"]["message"].as_str().unwrap().contains(why), "{path}: {told}");
    assert_eq!(fs::read_dir(temporary).unwrap().count(), 0, "{path}: nothing was unpacked");
}

fn with_up() -> (Stage7, Vec<String>, usize) {
    let stage7 = Stage7::start(Layout::One);
    fs::create_dir(stage7.path("temporary")).unwrap();
    stage7.cli(&["plugin", "init", "GREET", "--runtime", "python"]).code(0);
    stage7.cli(&["plugin", "pack", "greet"]).code(0);
    let (files, plugins) = (below(&stage7.path("data")), listed(&stage7));
    (stage7, files, plugins)
}

fn listed(stage7: &Stage7) -> usize {
    stage7.cli(&["plugin", "list", "--json"]).code(0).lines().len()
}

/// Nothing of what was refused is there, and what is right is taken.
fn is_as_before((stage7, files, plugins): (Stage7, Vec<String>, usize)) {
    assert_eq!((below(&stage7.path("data")), listed(&stage7)), (files, plugins));
    assert_eq!(stage7.cli(&["plugin", "add", "greet-0.1.0.tar.gz", "--json"]).code(0).line()["verb"], "GREET");
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing() {
    let all = with_up();
    let stage7 = &all.0;
    let at = |name: &str| stage7.path("client").join(name);
    let name = "is no name for a file of a plugin";
    for (n, path) in ["../x", "/etc/x", "a/../../x", "a\\..\\x"].iter().enumerate() {
        let file = format!("name-{n}.tar.gz");
        archive(&at(&file), [header(path, EntryType::Regular, 0)], 0);
        is_refused(stage7, &file, name);
    }
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        let file = format!("kind-{}.tar.gz", kind.as_byte());
        archive(&at(&file), [header("x", kind, 0)], 0);
        is_refused(stage7, &file, "x is a link, a device or the like");
    }
    let folder = || header("x/", EntryType::Directory, 0);
    let numbered = |n: usize| header(&format!("f{n}"), EntryType::Regular, 0);
    let twice = || header("x", EntryType::Regular, 0);
    archive(&at("zeros.tar.gz"), [header("x", EntryType::Regular, 10 << 30)], 64 << 20);
    archive(&at("entries.tar.gz"), std::iter::repeat_with(folder).take(1_000_000), 0);
    archive(&at("files.tar.gz"), (0..10_000).map(numbered), 0);
    archive(&at("bomb.tar.gz"), [folder()], 1 << 30);
    archive(&at("twice.tar.gz"), [twice(), twice()], 0);
    archive(&at("empty.tar.gz"), [], 0);
    let whole = fs::read(at("greet-0.1.0.tar.gz")).unwrap();
    fs::write(at("cut.tar.gz"), &whole[..whole.len() / 2]).unwrap();
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x10;
    fs::write(at("changed.tar.gz"), changed).unwrap();
    fs::write(at("nothing.tar.gz"), "").unwrap();
    for (file, why) in [
        ("zeros.tar.gz", &*format!("{MUCH} (at x)")),
        ("entries.tar.gz", &format!("{MUCH} (at x/)")),
        ("files.tar.gz", &format!("{MUCH} (at f2000)")),
        ("bomb.tar.gz", &format!("{MUCH} (at its end)")),
        ("twice.tar.gz", "x is in it twice"),
        ("empty.tar.gz", "it holds no plugin.toml"),
        ("cut.tar.gz", "it is no archive"),
        ("changed.tar.gz", "it is no archive"),
        ("nothing.tar.gz", "it is no archive"),
        ("nowhere.tar.gz", "No such file or directory"),
    ] {
        is_refused(stage7, file, why);
    }
    assert!(!fs::exists(stage7.path("x")).unwrap() && !fs::exists("/etc/x").unwrap());
    is_as_before(all);
}

#[test]
fn malformed_manifests_are_refused_with_the_place_of_every_fault() {
    let all = with_up();
    let stage7 = &all.0;
    let manifest = fs::read_to_string(stage7.path("client/greet/plugin.toml")).unwrap();
    for (from, to, why) in [
        ("name = \"GREET\"", "name = ", "plugin.toml:1:8: "),
        ("\"GREET\"", "\"greet\"", "plugin.toml:1:1: /name: "),
        ("\"0.1.0\"", "\"new\"", "plugin.toml:2:1: /version: \"new\" is no semantic version, as 1.0.0"),
        ("\"0.1.0\"", "1.0", "/version: "),
        ("version = \"0.1.0\"\n", "", "version"),
        ("\"python\"", "\"perl\"", "/runtime: "),
        ("\"main.py\"", "\"gone.py\"", "/entry: "),
        ("\"main.py\"", "\"../main.py\"", "/entry: "),
        ("seconds = 10", "seconds = 0", "/limits/seconds: "),
        ("seconds = 10", "seconds = \"ten\"", "/limits/seconds: "),
        ("seconds = 10", "secnds = 10", "/limits/secnds: there is no such field"),
        ("[limits]", "[permissions]\nnetwork = [\"*.example.org\"]\n\n[limits]", "/permissions/network/0: "),
        ("[limits]", "[permissions]\nnetwork = [\"10.0.0.1\"]\n\n[limits]", "/permissions/network/0: "),
        ("type = \"object\"", "type = \"thing\"", "/input"),
    ] {
        assert!(manifest.contains(from), "{from}:\n{manifest}");
        stage7.file("greet/plugin.toml", manifest.replacen(from, to, 1));
        is_refused(stage7, "greet", why);
    }
    // All of them at once.
    let two = manifest.replace("\"0.1.0\"", "\"new\"").replace("seconds = 10", "secnds = 10");
    stage7.file("greet/plugin.toml", two);
    let faults = stage7.cli(&["plugin", "add", "greet", "--json"]).code(1).line()["error"].clone();
    let said = faults["message"].as_str().unwrap();
    assert!(said.contains("/version: ") && said.contains("/limits/secnds: "), "{said}");
    stage7.file("greet/plugin.toml", "\u{feff}");
    is_refused(stage7, "greet", "plugin.toml:1:");
    stage7.file("greet/plugin.toml", b"\xff\xfe");
    is_refused(stage7, "greet", "plugin.toml is not text");
    stage7.file("greet/plugin.toml", manifest);

    is_as_before(all);
}
