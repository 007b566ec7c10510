//! A copy of the code beside the build directory, built without compiling again what is the same.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

pub struct Scratch {
    code: PathBuf,
    build: PathBuf,
    recordings: PathBuf,
}

/// Nothing to copy.
const ASIDE: [&str; 3] = ["target", ".git", ".stage7"];
const RELEASE: bool = !cfg!(debug_assertions);

impl Scratch {
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        // This test is `{target}/{profile}/deps/it-…`.
        let test = env::current_exe().unwrap();
        let built = test.parent().and_then(Path::parent).unwrap();
        let place = built.parent().unwrap().join("rule-change");
        let _ = fs::remove_dir_all(&place);
        let (code, build) = (place.join("code"), place.join("build"));
        let wanted = |path: &Path| !ASIDE.iter().any(|aside| path.ends_with(aside)) && !built.starts_with(path);
        copy(root, &code, &wanted, &copy_file);
        seed(built, &build.join(built.file_name().unwrap()), &members(root));
        Self { code, build, recordings: root.join("replay/recordings") }
    }

    /// # Panics
    /// When the text isn't there exactly once: then the rule has moved, and this list must follow.
    pub fn replace(&self, file: &str, text: &str, becomes: &str) {
        let path = self.code.join(file);
        let code = fs::read_to_string(&path).unwrap();
        assert_eq!(code.matches(text).count(), 1, "`{text}` in {file}");
        fs::write(path, code.replace(text, becomes)).unwrap();
    }

    /// The file as it was; its new time makes cargo look at it.
    pub fn restore(&self, file: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        fs::write(self.code.join(file), fs::read(root.join(file)).unwrap()).unwrap();
    }

    pub fn build(&mut self) {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        // With the whole workspace chosen, its dependencies are those that it was tested with.
        command.args(["build", "--offline", "--workspace", "--example", "recheck", "--target-dir"]).arg(&self.build);
        command.args(RELEASE.then_some("--release")).current_dir(&self.code).env_remove("CARGO_TARGET_DIR");
        let built = command.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }

    /// Are all recordings decided again as they were; and the differences, a line each.
    pub fn check(&self) -> (bool, String) {
        let program = self.build.join(if RELEASE { "release" } else { "debug" }).join("examples/recheck");
        let recordings = fs::read_dir(&self.recordings).unwrap().map(|file| file.unwrap().path());
        let recordings = recordings.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
        let checked = Command::new(program).args(recordings).output().unwrap();
        let told = String::from_utf8(checked.stdout).unwrap();
        assert!(matches!(checked.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&checked.stderr));
        (checked.status.success(), told)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.build.parent().unwrap());
    }
}

/// Copies a folder, file by file.
fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&Path) -> bool, file: &dyn Fn(&Path, &Path)) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten().filter(|entry| wanted(&entry.path())) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&from, &to, wanted, file),
            kind if kind.is_file() => file(&from, &to),
            _ => {}
        }
    }
}

/// With its time: by that cargo sees that it is nothing new.
fn copy_file(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    let time = fs::metadata(from).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    fs::File::options().write(true).open(to).and_then(|file| file.set_modified(time)).unwrap();
}

/// For what nobody writes again.
fn link_file(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        copy_file(from, to);
    }
}

/// The crates of the workspace, as files call them.
fn members(root: &Path) -> BTreeSet<String> {
    let manifests = ["", "schemas", "streams", "nats", "plugins", "replay"].map(|name| root.join(name)).into_iter();
    let workers = fs::read_dir(root.join("workers")).unwrap().map(|worker| worker.unwrap().path());
    let names = manifests.chain(workers).filter_map(|folder| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = "))?;
        Some(name.trim_matches('"').replace('-', "_"))
    });
    names.collect()
}

/// Gives the new build directory what is compiled already. Libraries of others are linked, our own are
/// copied, as they are compiled again. What cargo does not find good it compiles too.
fn seed(built: &Path, to: &Path, ours: &BTreeSet<String>) {
    copy(&built.join(".fingerprint"), &to.join(".fingerprint"), &|_| true, &copy_file);
    let of_others = |path: &Path| !ours.contains(&stem(path).replace('-', "_"));
    copy(&built.join("build"), &to.join("build"), &|path| path.is_file() || of_others(path), &link_file);
    let library = |path: &Path| {
        path.extension().is_some_and(|ending| ["rlib", "rmeta", "so", "d"].iter().any(|its| ending == *its))
    };
    copy(&built.join("deps"), &to.join("deps"), &library, &|from, to| match of_others(from) {
        true => link_file(from, to),
        false => copy_file(from, to),
    });
}

/// `libserde-0f3a.rlib` and `serde-0f3a` are of `serde`.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.rsplit_once('-').map_or("", |(stem, _)| stem);
    name.strip_prefix("lib").filter(|_| path.is_file()).unwrap_or(name).into()
}
