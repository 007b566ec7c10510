//! Reading logs on, whatever is put aside meanwhile.

use crate::trace::{Level, Line, files};
use schemas::Time;
use serde_json::Map;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// How far each file has been read.
pub struct Tail {
    dir: PathBuf,
    /// By device and number: a file keeps them when it gets another name.
    read: HashMap<(u64, u64), u64>,
    /// Of the last line of nats-server, for what it writes without one.
    last: Time,
}

impl Tail {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.into(), read: HashMap::new(), last: Time::default() }
    }

    /// What has come since the last look, in the order of time.
    pub fn next(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        for path in files(&self.dir, "stage7") {
            // A line that is none was written by nobody of ours.
            lines.extend(self.rest(&path).unwrap_or_default().lines().filter_map(Line::parse));
        }
        for path in files(&self.dir, "nats-server") {
            let text = self.rest(&path).unwrap_or_default();
            lines.extend(text.lines().map(|text| self.of_nats_server(text)));
        }
        lines.sort_by_key(|line| line.time);
        lines
    }

    /// The whole lines that are new in a file.
    fn rest(&mut self, path: &Path) -> io::Result<String> {
        let mut file = File::open(path)?;
        let about = file.metadata()?;
        let read = self.read.entry((about.dev(), about.ino())).or_default();
        if about.len() < *read {
            // Somebody emptied it.
            *read = 0;
        }
        file.seek(SeekFrom::Start(*read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        bytes.truncate(whole);
        *read += whole as u64;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn of_nats_server(&mut self, text: &str) -> Line {
        let line = Line::of_nats_server(text).unwrap_or_else(|| Line {
            time: self.last,
            level: Level::Error,
            worker: "nats-server".into(),
            mission: None,
            event: None,
            message: text.into(),
            more: Map::new(),
        });
        self.last = line.time;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn line(second: u32, message: &str) -> String {
        format!(r#"{{"time":"2026-01-02T03:04:{second:02}.000Z","level":"INFO","worker":"up","message":"{message}"}}"#)
    }

    fn messages(tail: &mut Tail) -> Vec<String> {
        tail.next().into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn lines_are_read_once_across_files_that_are_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut tail = Tail::new(dir.path());
        assert!(tail.next().is_empty());
        fs::write(path("stage7.jsonl"), format!("{}\n{}\n", line(1, "a"), line(3, "c"))).unwrap();
        fs::write(path("nats-server.log"), "[1] 2026/01/02 03:04:02.500000 [INF] b\npanic: b2\n").unwrap();
        assert_eq!(messages(&mut tail), ["a", "b", "panic: b2", "c"]);
        // Half a line is none yet.
        fs::write(path("stage7.jsonl"), format!("{}\n{}\n{}", line(1, "a"), line(3, "c"), &line(4, "d")[..9])).unwrap();
        assert!(tail.next().is_empty());
        fs::write(path("stage7.jsonl"), format!("{}\n{}\n{}\n", line(1, "a"), line(3, "c"), line(4, "d"))).unwrap();
        fs::rename(path("stage7.jsonl"), path("stage7-2026-01-02T030405.000Z-000.jsonl")).unwrap();
        fs::write(path("stage7.jsonl"), format!("no JSON\n{}\n", line(5, "e"))).unwrap();
        assert_eq!(messages(&mut tail), ["d", "e"]);
        assert!(tail.next().is_empty());
    }
}
