//! FILE_OPS: the mission's own folder. The folder is data: files come in with the run, and what
//! changes goes out with the result.

use crate::{Done, Failure, File, Run};
use serde_json::{Value, json};

pub fn run(run: &Run) -> Result<Done, Failure> {
    match run.text("operation")? {
        "read" => read(run),
        "write" => write(run),
        "append" => append(run),
        "list" => list(run),
        "copy" => copy(run),
        "delete" => delete(run),
        other => Err(Failure::input(format!(
            "`operation` can't be \"{other}\": use read, write, append, list, copy or delete"
        ))),
    }
}

fn read(run: &Run) -> Result<Done, Failure> {
    let path = path(run, "path")?;
    let text = std::str::from_utf8(bytes(run, path)?).map_err(|e| {
        Failure::input(format!("`{path}` is not text: its bytes are not UTF-8 from byte {} on", e.valid_up_to()))
    })?;
    Ok(Done::with([("content", text.into()), ("path", path.into())]))
}

fn write(run: &Run) -> Result<Done, Failure> {
    let path = path(run, "path")?;
    Ok(wrote(path, content(run)?))
}

fn append(run: &Run) -> Result<Done, Failure> {
    let path = path(run, "path")?;
    let mut whole = if run.files.contains_key(path) { bytes(run, path)?.to_vec() } else { Vec::new() };
    whole.extend(content(run)?);
    Ok(wrote(path, whole))
}

fn copy(run: &Run) -> Result<Done, Failure> {
    let (from, to) = (path(run, "path")?, path(run, "to")?);
    Ok(wrote(to, bytes(run, from)?.to_vec()))
}

fn delete(run: &Run) -> Result<Done, Failure> {
    let path = path(run, "path")?;
    file(run, path)?;
    Ok(Done { removed: vec![path.into()], ..Done::with([("path", path.into())]) })
}

fn list(run: &Run) -> Result<Done, Failure> {
    let below = match run.inputs.get("path") {
        None => None,
        Some(Value::String(whole)) if matches!(whole.as_str(), "" | "." | "./") => None,
        Some(_) => Some(format!("{}/", path(run, "path")?)),
    };
    let files: Vec<Value> = run
        .files
        .iter()
        .filter(|(path, _)| below.as_ref().is_none_or(|below| path.starts_with(below)))
        .map(|(path, file)| json!({"path": path, "size": file.size, "media_type": file.media_type}))
        .collect();
    Ok(Done::with([("files", files.into())]))
}

fn wrote(path: &str, bytes: Vec<u8>) -> Done {
    Done { written: [(path.to_owned(), bytes)].into(), ..Done::with([("path", path.into())]) }
}

/// A string as it is, anything else as JSON with two spaces and a final newline.
fn content(run: &Run) -> Result<Vec<u8>, Failure> {
    match run.inputs.get("content") {
        Some(Value::String(text)) => Ok(text.clone().into_bytes()),
        Some(value) => {
            let mut bytes = serde_json::to_vec_pretty(value).expect("a JSON value serialises");
            bytes.push(b'\n');
            Ok(bytes)
        }
        None => Err(Failure::input("`content` is missing")),
    }
}

/// An input that must be a path inside the folder.
pub fn path<'r>(run: &'r Run, name: &str) -> Result<&'r str, Failure> {
    let path = run.text(name)?;
    let safe = !path.is_empty()
        && path.len() <= 255
        && !path.chars().any(|c| c.is_control() || c == '\\' || c == '\u{202e}')
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.trim() == part);
    if safe {
        return Ok(path);
    }
    Err(Failure::input(format!(
        "`{name}` can't be {path:?}: it must be a relative path inside the mission's folder, such as notes/today.md"
    )))
}

fn file<'r>(run: &'r Run, path: &str) -> Result<&'r File, Failure> {
    run.files.get(path).ok_or_else(|| {
        let mut there: Vec<&str> = run.files.keys().take(20).map(String::as_str).collect();
        if run.files.len() > there.len() {
            there.push("…");
        }
        let there =
            if there.is_empty() { "the folder is empty".into() } else { format!("there are: {}", there.join(", ")) };
        Failure::input(format!("there is no file `{path}`; {there}"))
    })
}

/// What is in a file.
pub fn bytes<'r>(run: &'r Run, path: &str) -> Result<&'r [u8], Failure> {
    let file = file(run, path)?;
    file.bytes
        .as_deref()
        .ok_or_else(|| Failure::permanent(format!("the content of `{path}` was not given to this run")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    fn folder(files: &[(&str, &[u8])], inputs: Value) -> Result<Done, Failure> {
        let files = files.iter().map(|(path, bytes)| {
            let file = File { size: bytes.len() as u64, bytes: Some(bytes.to_vec()), ..File::default() };
            (path.to_string(), file)
        });
        let inputs = inputs.as_object().expect("an object").clone().into_iter().collect();
        run(&Run { inputs, files: files.collect(), ..Run::default() })
    }

    fn fault(files: &[(&str, &[u8])], inputs: Value) -> String {
        let failure = folder(files, inputs).expect_err("it must be refused");
        assert_eq!(failure.class, Class::InvalidInput);
        failure.message
    }

    #[test]
    fn text_is_read_exactly() {
        let done = folder(&[("a/ü.txt", "\u{feff}x\r\n".as_bytes())], json!({"operation": "read", "path": "a/ü.txt"}));
        assert_eq!(done.expect("it is there").outputs["content"], "\u{feff}x\r\n");
    }

    #[test]
    fn binary_is_not_read_as_text() {
        let message = fault(&[("x.png", b"ab\xff")], json!({"operation": "read", "path": "x.png"}));
        assert_eq!(message, "`x.png` is not text: its bytes are not UTF-8 from byte 2 on");
    }

    #[test]
    fn a_missing_file_names_those_that_exist() {
        let message = fault(&[("b.md", b""), ("a.md", b"")], json!({"operation": "read", "path": "c.md"}));
        assert_eq!(message, "there is no file `c.md`; there are: a.md, b.md");
        assert_eq!(
            fault(&[], json!({"operation": "delete", "path": "c.md"})),
            "there is no file `c.md`; the folder is empty"
        );
    }

    #[test]
    fn content_is_written_as_it_is_or_as_json() {
        for (content, bytes) in
            [(json!("x"), "x"), (json!({"b": 1, "a": []}), "{\n  \"b\": 1,\n  \"a\": []\n}\n"), (json!(null), "null\n")]
        {
            let done = folder(&[], json!({"operation": "write", "path": "o", "content": content})).expect("writes");
            assert_eq!(done.written["o"], bytes.as_bytes());
        }
    }

    #[test]
    fn append_goes_on_where_the_file_ends_and_starts_a_new_one() {
        let inputs = json!({"operation": "append", "path": "log", "content": "b\n"});
        assert_eq!(folder(&[("log", b"a\n")], inputs.clone()).expect("appends").written["log"], b"a\nb\n");
        assert_eq!(folder(&[], inputs).expect("appends").written["log"], b"b\n");
    }

    #[test]
    fn copy_keeps_every_byte_and_says_where() {
        let done = folder(&[("x", b"\xff\0")], json!({"operation": "copy", "path": "x", "to": "d/y"})).expect("copies");
        assert_eq!((done.written["d/y"].as_slice(), &done.outputs["path"]), (&b"\xff\0"[..], &json!("d/y")));
    }

    #[test]
    fn delete_removes_what_is_there() {
        let done = folder(&[("x", b"")], json!({"operation": "delete", "path": "x"})).expect("deletes");
        assert_eq!(done.removed, ["x"]);
    }

    #[test]
    fn list_knows_subfolders_and_needs_no_bytes() {
        let meta = |size| File { size, media_type: "t".into(), ..File::default() };
        let files = [("a/x".to_owned(), meta(1)), ("ab".to_owned(), meta(2))];
        let listed = |inputs: Value| {
            let inputs = inputs.as_object().expect("an object").clone().into_iter().collect();
            run(&Run { inputs, files: files.clone().into(), ..Run::default() }).expect("lists").outputs["files"].clone()
        };
        let (x, ab) =
            (json!({"path": "a/x", "size": 1, "media_type": "t"}), json!({"path": "ab", "size": 2, "media_type": "t"}));
        assert_eq!(listed(json!({"operation": "list"})), json!([x, ab]));
        assert_eq!(listed(json!({"operation": "list", "path": "a"})), json!([x]));
        assert_eq!(listed(json!({"operation": "list", "path": "."})), json!([x, ab]));
    }

    #[test]
    fn a_file_without_bytes_is_not_empty() {
        let files = [("a".to_owned(), File::default())].into();
        let inputs = [("operation".to_owned(), json!("read")), ("path".to_owned(), json!("a"))].into();
        assert_eq!(run(&Run { inputs, files, ..Run::default() }).expect_err("nothing to read").class, Class::Permanent);
    }

    #[test]
    fn paths_stay_inside_the_folder() {
        for path in ["../x", "/etc/passwd", "a/../../x", "", ".", "a//b", "a\\b", "a\0b", " a"] {
            for inputs in [
                json!({"operation": "read", "path": path}),
                json!({"operation": "write", "path": path, "content": ""}),
                json!({"operation": "append", "path": path, "content": ""}),
                json!({"operation": "delete", "path": path}),
                json!({"operation": "copy", "path": "a", "to": path}),
            ] {
                let message = fault(&[("a", b"")], inputs.clone());
                assert!(message.contains("must be a relative path"), "{inputs}: {message}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(fault(&[], json!({})), "`operation` is missing");
        assert_eq!(fault(&[], json!({"operation": "write", "path": "a"})), "`content` is missing");
        assert_eq!(fault(&[("a", b"")], json!({"operation": "copy", "path": "a"})), "`to` is missing");
        assert_eq!(fault(&[], json!({"operation": "read", "path": 7})), "`path` must be a string");
        assert!(fault(&[], json!({"operation": "chmod"})).contains("use read, write"));
    }
}
