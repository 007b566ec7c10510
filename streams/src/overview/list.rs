//! A list of the overview. Whoever watches it learns which elements may have changed without
//! comparing all of them: a mission of ten thousand steps has forty thousand events.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::{Deref, Index, IndexMut};

/// Reads like a slice; its JSON is an array.
#[derive(Debug, Clone)]
pub struct List<T> {
    items: Vec<T>,
    /// The places that were written to since they were last asked for; `None` while nobody watches.
    touched: Option<Vec<usize>>,
}

impl<T> List<T> {
    /// From now on what is written to is noted.
    pub fn watch(&mut self) {
        self.touched.get_or_insert_default();
    }

    /// The places that were written to since this was last called, in order, each once.
    pub fn touched(&mut self) -> Vec<usize> {
        let mut touched = self.touched.as_mut().map(std::mem::take).unwrap_or_default();
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    pub(super) fn push(&mut self, item: T) {
        self.note(self.items.len());
        self.items.push(item);
    }

    fn note(&mut self, place: usize) {
        if let Some(touched) = &mut self.touched {
            touched.push(place);
        }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> Index<usize> for List<T> {
    type Output = T;
    fn index(&self, place: usize) -> &T {
        &self.items[place]
    }
}

impl<T> IndexMut<usize> for List<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        self.note(place);
        &mut self.items[place]
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), touched: None }
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { items: Vec::deserialize(deserializer)?, touched: None })
    }
}
