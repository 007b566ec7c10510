//! What whoever writes a plugin is told by trying it out.

use capabilities::{Host, package, runtime::Told, scaffold};
use schemas::manifest::Runtime;
use std::{fs, path::Path, sync::Mutex};

/// Every part and what is wrong with it, and the lines.
async fn tried(folder: &Path) -> (Vec<(String, Result<(), String>)>, Vec<String>) {
    let plugin = package::open(folder).expect("it is a plugin").plugin;
    let (parts, lines) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let told = |heard: Told<'_>| match heard {
        Told::Line(line) => lines.lock().expect("not poisoned").push(line.to_owned()),
        Told::Part(part, ended) => parts.lock().expect("not poisoned").push((part.to_owned(), ended)),
    };
    Host::new("/nonexistent", "/nonexistent").try_out(&plugin, &told).await;
    (parts.into_inner().expect("not poisoned"), lines.into_inner().expect("not poisoned"))
}

#[tokio::test]
async fn a_new_plugin_passes_and_a_broken_one_is_told_what_is_broken() {
    let dir = tempfile::tempdir().expect("a folder");
    for (runtime, name, code) in
        [(Runtime::Python, "GREET_PY", "main.py"), (Runtime::Javascript, "GREET_JS", "main.mjs")]
    {
        let folder = dir.path().join(name);
        scaffold::write(name, runtime, &folder).expect("it is written");
        let (parts, lines) = tried(&folder).await;
        assert_eq!(parts, [("its own tests".into(), Ok(())), ("example 1: A greeting".into(), Ok(()))], "{lines:#?}");
        assert!(lines.iter().any(|line| line == "greeting Ada"), "{lines:#?}");

        let code = folder.join(code);
        let text = fs::read_to_string(&code).expect("it is there");
        fs::write(&code, text.replace("Hello", "Goodbye")).expect("it is written");
        let (parts, lines) = tried(&folder).await;
        assert_eq!(parts[0].1, Err("its own tests fail (exit status: 1)".into()));
        assert!(lines.iter().any(|line| line.contains("Goodbye")), "{lines:#?}");
        let said = r#"gave {"greeting":"Goodbye, Ada!"}, where its manifest says {"greeting":"Hello, Ada!"}"#;
        assert_eq!(parts[1].1, Err(said.into()));
    }
}
