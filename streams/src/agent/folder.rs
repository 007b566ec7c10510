//! The mission's folder, and the names under which the person gets files.

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use schemas::{
    agent::Deliverable,
    value::{Ref, is_safe_name},
};
use std::collections::BTreeMap;

/// Files by path, and none in place of those that are gone.
pub type Changes = BTreeMap<String, Option<Ref>>;

/// Files by path, and deliverables by name.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    files: RedBlackTreeMapSync<String, Ref>,
    /// Name → hash of the bytes last given under it.
    names: HashTrieMapSync<String, String>,
    /// Path → the name under which its file was given.
    given: HashTrieMapSync<String, String>,
}

impl Folder {
    pub fn get(&self, path: &str) -> Option<&Ref> {
        self.files.get(path)
    }

    /// All files, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Ref)> {
        self.files.iter()
    }

    /// Gives a file under the wanted name, or under `name-2.ext` and so on when other bytes have
    /// that name already.
    pub fn deliver(&mut self, wanted: &str, file: Ref) -> Deliverable {
        let name = self.free(wanted, &file);
        self.names.insert_mut(name.clone(), file.sha256.clone());
        Deliverable { name, file }
    }

    /// Gives a file of the folder under its own name; a later version of it under the same.
    ///
    /// A name that is unsafe or taken makes way for the whole path, its `/` as `-`.
    pub fn deliver_file(&mut self, path: &str, file: Ref) -> Deliverable {
        let known = self.given.get(path).cloned();
        let name = known.unwrap_or_else(|| {
            let [last, whole] = candidates(path);
            match is_safe_name(&last) && self.is_free(&last, &file) {
                true => last,
                false => self.free(&whole, &file),
            }
        });
        self.given.insert_mut(path.to_string(), name.clone());
        self.names.insert_mut(name.clone(), file.sha256.clone());
        Deliverable { name, file }
    }

    fn is_free(&self, name: &str, file: &Ref) -> bool {
        self.names.get(name).is_none_or(|sha256| *sha256 == file.sha256)
    }

    fn free(&self, wanted: &str, file: &Ref) -> String {
        let (stem, ending) = match wanted.rsplit_once('.') {
            Some((stem, ending)) if !stem.is_empty() => (stem, format!(".{ending}")),
            _ => (wanted, String::new()),
        };
        let numbered = (2..).map(|n: u64| format!("{stem}-{n}{ending}"));
        std::iter::once(wanted.to_string())
            .chain(numbered)
            .find(|name| self.is_free(name, file))
            .expect("there are more numbers than names")
    }

    pub(super) fn put(&mut self, path: &str, file: &Ref) {
        self.files.insert_mut(path.to_string(), file.clone());
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.files.remove_mut(path);
    }

    /// Puts files in, and takes those away that are none.
    pub fn change(&mut self, files: &Changes) {
        for (path, file) in files {
            match file {
                Some(file) => self.put(path, file),
                None => self.remove(path),
            }
        }
    }

    /// Remembers what a step delivered, and which of it were files that its runs wrote.
    pub(super) fn delivered(&mut self, deliverables: &[Deliverable], changed: &Changes) {
        for given in deliverables {
            self.names.insert_mut(given.name.clone(), given.file.sha256.clone());
        }
        for (path, file) in changed.iter().filter_map(|(path, file)| Some((path, file.as_ref()?))) {
            let same = || deliverables.iter().filter(|given| given.file.sha256 == file.sha256);
            let own = same().find(|given| candidates(path).contains(&given.name)).or_else(|| same().next());
            if let Some(given) = own {
                self.given.insert_mut(path.clone(), given.name.clone());
            }
        }
    }
}

/// The last part of a path, and the whole of it as one safe name.
fn candidates(path: &str) -> [String; 2] {
    let last = path.rsplit_once('/').map_or(path, |(_, last)| last);
    let whole = path.replace('/', "-");
    let whole = whole.trim_start_matches(['-', '.', ' ']);
    let whole = if is_safe_name(whole) { whole } else { "file" };
    [last.to_string(), whole.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::value::{Blob, Form};

    fn file(text: &str) -> Ref {
        Blob::new(Form::File, "text/plain", text.into()).reference
    }

    #[test]
    fn a_name_is_given_once_for_the_same_bytes() {
        let mut folder = Folder::default();
        let names: Vec<_> =
            [("a.md", "1"), ("a.md", "1"), ("a.md", "2"), ("a.md", "3"), ("LICENSE", "4"), ("LICENSE", "5")]
                .map(|(name, text)| folder.deliver(name, file(text)).name)
                .into();
        assert_eq!(names, ["a.md", "a.md", "a-2.md", "a-3.md", "LICENSE", "LICENSE-2"]);
    }

    #[test]
    fn a_written_file_keeps_its_name_through_its_versions() {
        let mut folder = Folder::default();
        let names: Vec<_> = [("x/a.md", "1"), ("x/a.md", "2"), ("y/a.md", "3"), (".env", "4"), ("a.md", "5")]
            .map(|(path, text)| folder.deliver_file(path, file(text)).name)
            .into();
        assert_eq!(names, ["a.md", "a.md", "y-a.md", "env", "a-2.md"]);
    }
}
