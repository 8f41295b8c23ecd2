//! Objects as plain files: the rules of S3 on top of a file system. Everything here blocks.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use s3s::{S3Result, s3_error};
use tokio::sync::mpsc::UnboundedSender;

use super::ObjectCreated;

/// Holds uploads that are not complete yet. No bucket is called so: a name begins with a letter or a digit.
pub(super) const UPLOADS: &str = ".uploads";

/// The files under one root.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    n_uploads: AtomicU64,
    /// Held between looking for an object and putting it there: of two writers with `If-None-Match: *`, one gets through.
    naming: Mutex<()>,
    notify: UnboundedSender<ObjectCreated>,
}

/// A file to upload into. It is removed when dropped without [`Files::name`].
#[derive(Debug)]
pub(super) struct Upload {
    path: PathBuf,
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Gone already when it got its name.
        fs::remove_file(&self.path).ok();
    }
}

impl Files {
    /// Opens the root, and removes what an earlier server left half uploaded.
    pub(super) fn open(root: &Path, notify: UnboundedSender<ObjectCreated>) -> io::Result<Self> {
        let uploads = root.join(UPLOADS);
        match fs::remove_dir_all(&uploads) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&uploads)?,
        }
        let root = root.canonicalize()?;
        Ok(Self { root, n_uploads: AtomicU64::new(0), naming: Mutex::new(()), notify })
    }

    /// `AlreadyExists` when there is one.
    pub(super) fn create_bucket(&self, bucket: &str) -> io::Result<()> {
        fs::create_dir(self.root.join(bucket))
    }

    /// The folder of a bucket, or `NoSuchBucket`.
    pub(super) fn bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        let path = self.root.join(bucket);
        if path.is_dir() {
            Ok(path)
        } else {
            Err(s3_error!(NoSuchBucket, "The specified bucket does not exist: {bucket}"))
        }
    }

    /// The names of all buckets, sorted.
    pub(super) fn buckets(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            match entry.file_name().into_string() {
                Ok(name) if !name.starts_with('.') && entry.path().is_dir() => names.push(name),
                _ => {}
            }
        }
        names.sort();
        Ok(names)
    }

    /// Where an object is, whether it exists or not.
    ///
    /// S3 takes a key literally, a file system does not: a key with an empty, `.` or `..` part is refused, since it would
    /// name another object's file.
    pub(super) fn object(&self, bucket: &str, key: &str) -> S3Result<PathBuf> {
        let path = self.bucket(bucket)?;
        if !is_key(key) {
            return Err(s3_error!(
                InvalidArgument,
                "the local S3 keeps objects as files: no part of a key may be empty, '.' or '..'"
            ));
        }
        Ok(path.join(key))
    }

    /// A new, empty file to upload into.
    pub(super) fn upload(&self) -> io::Result<(Upload, File)> {
        let n = self.n_uploads.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(UPLOADS).join(n.to_string());
        // The folder was emptied and no number comes twice, so nothing stands there, but for what stands in for a full disk.
        let file = File::create(&path)?;
        Ok((Upload { path }, file))
    }

    /// Gives a complete upload its name, at once and whole, and tells of it.
    ///
    /// Told here and not by the caller, whose future is dropped when the client hangs up: an object that exists untold
    /// would never be loaded, since a retry finds it in its place (412).
    pub(super) fn name(&self, upload: Upload, bucket: &str, key: &str, if_absent: bool) -> S3Result<()> {
        let object = self.object(bucket, key)?;
        if let Some(folder) = object.parent() {
            fs::create_dir_all(folder).map_err(refusal)?;
        }
        let naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        if if_absent && object.exists() {
            return Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"));
        }
        fs::rename(&upload.path, &object).map_err(refusal)?;
        drop(naming);
        // Nobody need listen.
        self.notify.send(ObjectCreated { bucket: bucket.into(), key: key.into() }).ok();
        Ok(())
    }

    /// Removes an object. One that is absent is no fault, as on S3.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> S3Result<()> {
        match fs::remove_file(self.object(bucket, key)?) {
            Err(error) if !is_absence(&error) => Err(refusal(error)),
            _ => Ok(()),
        }
    }
}

/// Whether a key names one file and stays in its bucket: a file system takes no part of a path literally that is empty,
/// `.` or `..`.
pub(super) fn is_key(key: &str) -> bool {
    !key.split('/').any(|part| matches!(part, "" | "." | ".."))
}

/// Whether there is just no such file.
pub(super) fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory | InvalidFilename)
}

/// What a client is told: a key that cannot be a file fails for good (400), anything else may be tried again (500).
pub(super) fn refusal(error: io::Error) -> s3s::S3Error {
    use io::ErrorKind::{AlreadyExists, InvalidFilename, IsADirectory, NotADirectory, QuotaExceeded, StorageFull};
    match error.kind() {
        AlreadyExists | InvalidFilename | IsADirectory | NotADirectory => s3_error!(
            InvalidArgument,
            "the local S3 keeps objects as files, and cannot keep this one ({error}): \
             no key may go on after another object's key and '/', and no part may be over 255 bytes"
        ),
        StorageFull | QuotaExceeded => s3_error!(
            InternalError,
            "no space left on device: free some on the disk where the local S3 keeps its objects"
        ),
        _ => s3_error!(InternalError, "failed to reach the object's file: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// Through HTTP the two writers hardly ever meet between the look and the renaming; here they do.
    #[test]
    fn of_conditional_writers_at_once_one_gets_through() {
        let root = tempfile::tempdir().unwrap();
        let (notify, mut created) = tokio::sync::mpsc::unbounded_channel();
        let files = Files::open(root.path(), notify).unwrap();
        files.create_bucket("landfall").unwrap();
        let (n_writers, n_rounds) = (4, 500);
        let barrier = Barrier::new(n_writers);

        let write = || {
            let write = |round: usize| {
                let (upload, _) = files.upload().unwrap();
                barrier.wait();
                files.name(upload, "landfall", &round.to_string(), true).is_ok()
            };
            (0..n_rounds).filter(|&round| write(round)).count()
        };
        let n_through: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..n_writers).map(|_| scope.spawn(write)).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });

        assert_eq!(n_through, n_rounds);
        let told: Vec<String> = std::iter::from_fn(|| created.try_recv().ok()).map(|object| object.key).collect();
        assert_eq!(told.len(), n_rounds);
    }
}
