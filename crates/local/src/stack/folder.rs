//! The folder of a stack: whose it is, who uses it now, and how it is emptied.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::StackError;

/// Locked while a stack runs in the folder; marks the folder as a stack's.
const LOCK: &str = "landfall.lock";

/// What a stack's path must not hold.
pub(super) const AWKWARD: &str = "'\"#?%*[]\\";

/// The lock on a folder, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // To close the file is not enough: a child that is being started at this moment, by whomever in this process, has it
        // open too. What cannot be unlocked is when the last of them has closed it.
        let _ = self.0.unlock();
    }
}

/// The folder, made if absent, under its one true name, and the lock on it.
///
/// A folder has many names, by links and by `..`; what the stack remembers has one.
pub(super) fn take(dir: &Path) -> Result<(PathBuf, Lock), StackError> {
    let fault = |source| StackError::Dir { path: dir.to_owned(), source };
    let named = std::path::absolute(dir).map_err(fault)?;
    refuse_awkward(&named)?;
    std::fs::create_dir_all(&named).map_err(fault)?;
    let dir = named.canonicalize().map_err(fault)?;
    refuse_awkward(&dir)?;
    if let Some(found) = stranger(&dir).map_err(fault)? {
        return Err(StackError::NotOurs { path: dir, found });
    }
    let file = File::create(dir.join(LOCK)).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok((dir, Lock(file))),
        Err(TryLockError::WouldBlock) => Err(StackError::Running { path: dir }),
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}

fn refuse_awkward(dir: &Path) -> Result<(), StackError> {
    if dir.to_str().is_none_or(|path| path.chars().any(|c| c.is_control() || AWKWARD.contains(c))) {
        return Err(StackError::Awkward { path: dir.to_owned() });
    }
    Ok(())
}

/// What stands in a folder that no stack has used yet, and is not what may stand there: a folder is emptied at a clean
/// start, so one that holds a person's own files is none for a stack.
fn stranger(dir: &Path) -> std::io::Result<Option<String>> {
    if dir.join(LOCK).exists() {
        return Ok(None);
    }
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // The lock: another stack has taken the folder at this very moment.
        if !name.starts_with("venv") && name != "ci" && name != LOCK {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Removes objects, databases and logs; the venv stays.
pub(super) fn clean(dir: &Path) -> Result<(), StackError> {
    for name in ["s3", "snowflake", "logs"] {
        let path = dir.join(name);
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StackError::Dir { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}
