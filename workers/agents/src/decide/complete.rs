//! The end of a step: its outputs, and the files that the person gets.

use super::{Desk, faulted, input};
use schemas::{
    Class, Value,
    agent::{Deliverable, StepCompleted},
    value::{self, Blob, Ref, Values},
};
use streams::{
    agent::{Folder, Task, task::Outputs},
    decide::Due,
};

/// A run gave its outputs: they are the step's, and not repeated.
pub fn ran(desk: &Desk, task: &Task, run: &Outputs) -> Due {
    let mut folder = desk.state.folder().clone();
    end(desk, task, &run.outputs, &mut folder, |completed, folder| {
        completed.run = Some(run.run);
        let written = run.files.iter().map(|(path, file)| folder.deliver_file(path, file.clone()));
        completed.deliverables.extend(written);
    })
}

/// The agent itself has the outputs.
pub fn said(desk: &Desk, task: &Task, outputs: Values) -> Due {
    with_files(desk, task, outputs, Vec::new())
}

/// The same, with files besides those that the plan names.
pub fn with_files(desk: &Desk, task: &Task, mut outputs: Values, files: Vec<Deliverable>) -> Due {
    // A plan may call the only thing an agent gives by a name of its own.
    let names = desk.step(task).map(|step| &step.outputs).filter(|names| names.len() == 1);
    if let (Some(name), Some(value)) = (names.and_then(|names| names.keys().next()), outputs.values().next().cloned()) {
        outputs.entry(name.clone()).or_insert(value);
    }
    let mut folder = desk.state.folder().clone();
    let mut due = end(desk, task, &outputs, &mut folder, |completed, folder| {
        let files = files.into_iter().map(|given| folder.deliver(&given.name, given.file));
        completed.deliverables.extend(files);
        completed.runs = task.talk.runs();
        let written = task.talk.files().into_iter().filter_map(|(path, file)| Some((path, file?)));
        completed.deliverables.extend(written.map(|(path, file)| folder.deliver_file(&path, file)));
    });
    if let schemas::Fact::StepCompleted(completed) = &mut due.fact {
        let (small, blobs) = input::outline(outputs);
        completed.outputs = small;
        due.blobs.extend(blobs);
    }
    due
}

fn end(
    desk: &Desk,
    task: &Task,
    outputs: &Values,
    folder: &mut Folder,
    more: impl FnOnce(&mut StepCompleted, &mut Folder),
) -> Due {
    let mut completed = StepCompleted {
        step: task.step.clone(),
        attempt: task.attempt,
        agent: task.agent.clone(),
        run: None,
        runs: Vec::new(),
        outputs: Values::new(),
        deliverables: Vec::new(),
    };
    let mut blobs = Vec::new();
    for (name, output) in desk.step(task).iter().flat_map(|step| &step.outputs) {
        let Some(file) = &output.deliverable else { continue };
        let Some(value) = outputs.get(name) else {
            let given = input::quoted(outputs.keys());
            let given = if given.is_empty() { "nothing" } else { &given };
            let message =
                format!("output `{name}`, which becomes the file `{file}`, is missing: {} gave {given}", task.verb);
            return faulted(task, Class::Permanent, message);
        };
        let (reference, blob) = stored(value, file);
        completed.deliverables.push(folder.deliver(file, reference));
        blobs.extend(blob);
    }
    more(&mut completed, folder);
    Due::new(completed, task.entity(), Some(task.cause.id)).with_blobs(blobs)
}

/// The reference under which a person gets a value, and the bytes unless they are stored already.
fn stored(value: &Value, name: &str) -> (Ref, Option<Blob>) {
    let media_type = value::media_type(name).to_string();
    // The bytes of a large value are stored in the one form that its file has too.
    if let Some(reference) = Ref::from_value(value) {
        return (Ref { media_type, ..reference }, None);
    }
    let mut blob = Blob::of_value(value);
    blob.reference.media_type = media_type;
    (blob.reference.clone(), Some(blob))
}
