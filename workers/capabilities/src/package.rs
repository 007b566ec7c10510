//! A plugin as a folder, or as an archive (tar, gzip): read whole, and never more than there may be.

use crate::{
    manifest::{self, Located},
    plugin::{Code, Files, Plugin},
    signature::{self, Signature},
};
use flate2::{Compression, GzBuilder, read::GzDecoder};
use schemas::value::is_safe_path;
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};
use tar::{Archive, EntryType, Header};

/// Files of one plugin, and how much they are all together.
const MOST_FILES: usize = 2_000;
const MOST_MB: u64 = 32;
const MOST_BYTES: u64 = MOST_MB << 20;
/// What an archive may take besides: headers and padding.
const FRAMES: u64 = 8 << 20;
/// What tools leave behind. Names that begin with a dot are left out, too.
const LEFT_OUT: [&str; 2] = ["__pycache__", "node_modules"];

/// A plugin and who vouches for it.
#[derive(Debug)]
pub struct Package {
    pub plugin: Arc<Plugin>,
    pub signature: Option<Signature>,
    /// The text of its `plugin.toml`.
    manifest: String,
}

/// What keeps something from being a plugin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it holds no {}: `stage7 plugin init` makes a folder that does", manifest::FILE)]
    NoManifest,
    #[error("{} can't be read", .0.display())]
    Io(PathBuf, #[source] io::Error),
    #[error("it is no archive (tar, gzip) that can be read to its end: {0}")]
    Archive(io::Error),
    #[error("{0} is a link, a device or the like: a plugin is of plain files and folders")]
    NoFile(String),
    #[error("{0:?} is no name for a file of a plugin: relative, `/` between its parts, none of them `..`")]
    Name(String),
    #[error("{0} is in it twice")]
    Twice(String),
    #[error("it holds more than {MOST_FILES} files or {MOST_MB} MiB (at {0})")]
    TooMuch(String),
    #[error("{} is not text", manifest::FILE)]
    Text,
    #[error("plugin.sig can't be read: {0}")]
    Signature(serde_json::Error),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Located>),
}

/// Reads a plugin: its folder, without what tools leave behind in it, or its archive.
///
/// # Errors
/// What keeps it from being a plugin.
pub fn open(path: &Path) -> Result<Package, Error> {
    let unreadable = |error| Error::Io(path.into(), error);
    if fs::metadata(path).map_err(unreadable)?.is_dir() {
        let mut all = Gathered::default();
        collect(path, "", &mut all)?;
        return Package::of(all.files);
    }
    unpack(File::open(path).map_err(unreadable)?)
}

/// Reads an archive.
///
/// # Errors
/// What keeps it from being a plugin.
pub fn unpack(archive: impl Read) -> Result<Package, Error> {
    // Whatever it claims, and however well it is packed, no more than this comes out of it.
    let plain = GzDecoder::new(archive).take(MOST_BYTES + FRAMES);
    let (mut archive, mut all, mut entries) = (Archive::new(plain), Gathered::default(), 0);
    for entry in archive.entries().map_err(Error::Archive)? {
        let mut entry = entry.map_err(Error::Archive)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        entries += 1;
        if entries > MOST_FILES {
            return Err(Error::TooMuch(name));
        }
        match entry.header().entry_type() {
            EntryType::Directory => {}
            EntryType::Regular => {
                all.room(&name, entry.size())?;
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(Error::Archive)?;
                all.add(name.strip_prefix("./").unwrap_or(&name).into(), bytes)?;
            }
            _ => return Err(Error::NoFile(name)),
        }
    }
    // To the end: only there it says whether everything was unpacked as it was packed.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(Error::Archive)?;
    match rest.limit() {
        0 => Err(Error::TooMuch("its end".into())),
        _ => Package::of(all.files),
    }
}

impl Package {
    fn of(mut files: Files) -> Result<Self, Error> {
        let mut take = |name: &str| {
            let at = files.iter().position(|(path, _)| path == name)?;
            Some(files.swap_remove(at).1)
        };
        let (text, signed) = (take(manifest::FILE).ok_or(Error::NoManifest)?, take(signature::FILE));
        let manifest = String::from_utf8(text).map_err(|_| Error::Text)?;
        let signature = signed.map(|bytes| serde_json::from_slice(&bytes).map_err(Error::Signature)).transpose()?;
        files.sort();
        let plugin = Plugin::new(&manifest, files).map_err(Error::Faults)?;
        Ok(Self { plugin: Arc::new(plugin), signature, manifest })
    }

    /// The same bytes for the same plugin, whenever and wherever it is packed.
    pub fn archive(&self) -> Vec<u8> {
        let signature = self.signature.as_ref().map(sealed);
        let mut files = vec![(manifest::FILE, self.manifest.as_bytes())];
        files.extend(signature.iter().map(|text| (signature::FILE, text.as_bytes())));
        if let Code::Files(code) = &self.plugin.code {
            files.extend(code.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
        }
        files.sort_unstable();
        let packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
        let mut archive = tar::Builder::new(packed);
        for (path, bytes) in files {
            let mut header = Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, bytes).expect("memory takes everything, and the path is safe");
        }
        archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("memory takes everything")
    }
}

/// A signature as it is written into its file.
pub fn sealed(signature: &Signature) -> String {
    format!("{}\n", serde_json::to_string_pretty(signature).expect("texts serialise"))
}

/// Files so far, of no more than there may be.
#[derive(Default)]
struct Gathered {
    files: Files,
    bytes: u64,
}

impl Gathered {
    /// Is there room for one so large?
    fn room(&self, name: &str, size: u64) -> Result<(), Error> {
        let fits = self.files.len() < MOST_FILES && size <= MOST_BYTES && self.bytes + size <= MOST_BYTES;
        if fits { Ok(()) } else { Err(Error::TooMuch(name.into())) }
    }

    fn add(&mut self, name: String, bytes: Vec<u8>) -> Result<(), Error> {
        self.room(&name, bytes.len() as u64)?;
        if !is_safe_path(&name) {
            return Err(Error::Name(name));
        }
        if self.files.iter().any(|(path, _)| *path == name) {
            return Err(Error::Twice(name));
        }
        self.bytes += bytes.len() as u64;
        self.files.push((name, bytes));
        Ok(())
    }
}

fn collect(folder: &Path, within: &str, all: &mut Gathered) -> Result<(), Error> {
    let unreadable = |error| Error::Io(folder.into(), error);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let name = entry.file_name().into_string().map_err(|name| Error::Name(name.to_string_lossy().into()))?;
        if name.starts_with('.') || LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let name = if within.is_empty() { name } else { format!("{within}/{name}") };
        let unreadable = |error| Error::Io(path.clone(), error);
        let found = fs::symlink_metadata(&path).map_err(unreadable)?;
        if found.is_dir() {
            collect(&path, &name, all)?;
        } else if found.is_file() {
            all.room(&name, found.len())?;
            all.add(name, fs::read(&path).map_err(unreadable)?)?;
        } else {
            return Err(Error::NoFile(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
