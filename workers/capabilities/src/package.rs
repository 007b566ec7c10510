//! A plugin's folder, read whole.

use crate::{
    manifest::{self, Located},
    plugin::{Files, Plugin},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Files of one plugin, and bytes of them all together.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: u64 = 32 << 20;
/// What tools leave behind. Names that begin with a dot are left out, too.
const LEFT_OUT: [&str; 2] = ["__pycache__", "node_modules"];

/// What keeps a folder from being a plugin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} holds no {}: `stage7 plugin init` makes a folder that does", .0.display(), manifest::FILE)]
    NoManifest(PathBuf),
    #[error("{} can't be read", .0.display())]
    Io(PathBuf, #[source] io::Error),
    #[error("{} is a link, a device or the like: a plugin is of plain files and folders", .0.display())]
    NoFile(PathBuf),
    #[error("the name of {} is not plain text", .0.display())]
    Name(PathBuf),
    #[error("{} holds more than {MOST_FILES} files or {} MiB", .0.display(), MOST_BYTES >> 20)]
    TooMuch(PathBuf),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Located>),
}

/// Reads a plugin's folder: its manifest, and every file beside it but what tools leave behind.
///
/// # Errors
/// What keeps it from being a plugin.
pub fn read(folder: &Path) -> Result<Plugin, Error> {
    let manifest = folder.join(manifest::FILE);
    if !manifest.is_file() {
        return Err(Error::NoManifest(folder.into()));
    }
    let text = fs::read_to_string(&manifest).map_err(|error| Error::Io(manifest, error))?;
    let (mut files, mut left) = (Files::new(), MOST_BYTES);
    collect(folder, "", &mut files, &mut left)?;
    files.retain(|(path, _)| path != manifest::FILE);
    files.sort();
    Plugin::new(&text, files).map_err(Error::Faults)
}

fn collect(folder: &Path, within: &str, files: &mut Files, left: &mut u64) -> Result<(), Error> {
    let unreadable = |error| Error::Io(folder.into(), error);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let name = entry.file_name().into_string().map_err(|_| Error::Name(path.clone()))?;
        if name.starts_with('.') || LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let inner = if within.is_empty() { name } else { format!("{within}/{name}") };
        let found = fs::symlink_metadata(&path).map_err(|error| Error::Io(path.clone(), error))?;
        if found.is_dir() {
            collect(&path, &inner, files, left)?;
        } else if found.is_file() {
            *left = left.checked_sub(found.len()).ok_or_else(|| Error::TooMuch(path.clone()))?;
            let bytes = fs::read(&path).map_err(|error| Error::Io(path.clone(), error))?;
            files.push((inner, bytes));
        } else {
            return Err(Error::NoFile(path));
        }
        if files.len() > MOST_FILES {
            return Err(Error::TooMuch(path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaffold;
    use schemas::manifest::Runtime;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_new_plugin_is_read_whole_and_without_what_tools_leave() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("greet");
        scaffold::write("GREET", Runtime::Python, &folder).expect("it is written");
        for path in [".git/x", "__pycache__/main.pyc", "data/words.txt"] {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, "x").expect("it is written");
        }
        let plugin = read(&folder).expect("nothing is wrong with it");
        let crate::plugin::Code::Files(files) = &plugin.code else { panic!("it has files") };
        let names: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(names, ["README.md", "data/words.txt", "main.py", "test_main.py"]);
        assert_eq!(plugin.manifest.name, "GREET");
        assert!(matches!(scaffold::write("GREET", Runtime::Python, &folder), Err(scaffold::Error::Exists(_))));
        assert!(matches!(scaffold::write("greet", Runtime::Python, dir.path()), Err(scaffold::Error::Name(_))));
        assert!(matches!(scaffold::write("GREET", Runtime::Native, &folder), Err(scaffold::Error::Runtime)));
    }

    #[test]
    fn what_is_no_plugin_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let said = |folder: &Path| read(folder).expect_err("it is no plugin").to_string();
        assert!(said(dir.path()).ends_with("holds no plugin.toml: `stage7 plugin init` makes a folder that does"));
        let folder = dir.path().join("greet");
        scaffold::write("GREET", Runtime::Javascript, &folder).expect("it is written");
        symlink("/etc/hostname", folder.join("link")).expect("a link");
        assert!(said(&folder).contains("link is a link, a device or the like"));
        fs::remove_file(folder.join("link")).expect("it goes");
        fs::File::create(folder.join("zeros"))
            .and_then(|file| file.set_len(10 << 30))
            .expect("ten gigabytes of nothing");
        assert!(said(&folder).ends_with("zeros holds more than 2000 files or 32 MiB"));
        fs::remove_file(folder.join("zeros")).expect("it goes");
        let text = fs::read_to_string(folder.join("plugin.toml")).expect("it is there");
        fs::write(folder.join("plugin.toml"), text.replace("0.1.0", "1").replace("main.mjs", "gone.mjs"))
            .expect("written");
        assert!(said(&folder).starts_with("plugin.toml:2:1: /version: "));
    }
}
