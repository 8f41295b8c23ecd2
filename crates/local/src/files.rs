//! The files of a folder, at any depth: the objects of the local S3 are plain files.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// All files below a folder, in the order of their paths; none where there is no such folder.
pub fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(folder) {
            // Nothing landed, or somebody has put a file in its place.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}
