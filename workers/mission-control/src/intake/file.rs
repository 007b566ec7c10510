//! The files of a goal: bytes that come with it, and bytes that must be there.

use super::Obstacle;
use nats::{
    jetstream::JetStream,
    log::{Log, ReadError},
};
use schemas::{
    Fault,
    goal::{File, MAX_FILE, MAX_FILES},
    value::{Blob, Form, Ref, media_type},
};
use std::collections::BTreeMap;
use streams::submission::{Refusal, Submission};

/// A mission's folder as it begins.
pub type References = BTreeMap<String, Ref>;

/// What a goal's files come to.
pub struct Files {
    pub references: References,
    /// Bytes that came inline, to be stored before the word that names them.
    pub blobs: Vec<Blob>,
}

/// Reads every file of the goal, and looks whether the bytes of those given by reference are
/// there, complete, and have that hash.
pub async fn collect(log: &JetStream, submission: &Submission) -> Result<Files, Obstacle> {
    let mut files = Files { references: BTreeMap::new(), blobs: Vec::new() };
    let mut faults = sizes(&submission.goal.files);
    if faults.is_empty() {
        for (i, file) in submission.goal.files.iter().enumerate() {
            match read(log, submission, file, &mut files).await {
                Ok(()) => {}
                Err(ReadError::Artifact { why, .. }) => {
                    faults.push(Fault::new(format!("/files/{i}/ref"), format!("put its bytes first: {why}")))
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(Obstacle::Refused(Refusal::of_faults("invalid_files", faults))) }
}

/// Files that are too large, alone or together; seen before any is fetched.
fn sizes(files: &[File]) -> Vec<Fault> {
    let size = |file: &File| match &file.stored {
        Some(stored) => stored.size,
        // Four characters of base64 are three bytes.
        None => file.data_base64.as_ref().map_or(0, |text| text.len() as u64 / 4 * 3),
    };
    let mut faults: Vec<Fault> = files
        .iter()
        .enumerate()
        .filter(|(_, file)| size(file) > MAX_FILE)
        .map(|(i, file)| Fault::new(format!("/files/{i}"), format!("has {} bytes, {MAX_FILE} are allowed", size(file))))
        .collect();
    let all = files.iter().map(size).fold(0, u64::saturating_add);
    if all > MAX_FILES {
        faults.push(Fault::new("/files", format!("have {all} bytes together, {MAX_FILES} are allowed")));
    }
    faults
}

async fn read(log: &JetStream, submission: &Submission, file: &File, files: &mut Files) -> Result<(), ReadError> {
    let media_type = media_type(&file.name);
    let reference = match (file.inline(), &file.stored) {
        (Some(Ok(bytes)), _) => {
            let blob = Blob::new(Form::File, media_type, bytes);
            let reference = blob.reference.clone();
            files.blobs.push(blob);
            reference
        }
        (_, Some(stored)) => {
            log.get(&submission.tenant, &stored.sha256, stored.size).await?;
            Ref { sha256: stored.sha256.clone(), form: Form::File, size: stored.size, media_type: media_type.into() }
        }
        // A goal with a file that is neither does not parse.
        _ => return Ok(()),
    };
    files.references.insert(file.name.clone(), reference);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::goal::Stored;

    fn file(size: u64) -> File {
        File { name: "x".into(), data_base64: None, stored: Some(Stored { sha256: "0".repeat(64), size }) }
    }

    #[test]
    fn files_that_are_too_large_are_named_alone_and_together() {
        let at = |files: &[File]| sizes(files).into_iter().map(|fault| fault.at).collect::<Vec<_>>();
        assert!(at(&[file(MAX_FILE), file(MAX_FILE), file(MAX_FILE), file(MAX_FILE)]).is_empty());
        assert_eq!(at(&[file(1), file(MAX_FILE + 1)]), ["/files/1"]);
        assert_eq!(at(&vec![file(MAX_FILE); 5]), ["/files"]);
        assert_eq!(at(&[file(u64::MAX), file(u64::MAX)]), ["/files/0", "/files/1", "/files"]);
    }
}
