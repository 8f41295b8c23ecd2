//! The S3 operations, one method each, from `s3s`'s typed requests to files.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

use super::files::{Files, is_absence, refusal};
use super::{checksum, list};

/// How much of an object is in memory at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// S3 over [`Files`].
#[derive(Debug)]
pub(super) struct Service {
    files: Arc<Files>,
}

impl Service {
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self { files }
    }

    /// Runs something that blocks, to its end even when the request is dropped.
    async fn blocking<T: Send + 'static>(&self, f: impl FnOnce(&Files) -> S3Result<T> + Send + 'static) -> S3Result<T> {
        let files = self.files.clone();
        let done = tokio::task::spawn_blocking(move || f(&files)).await;
        done.map_err(|error| s3_error!(InternalError, "{error}"))?
    }

    async fn open(&self, bucket: &str, key: &str) -> S3Result<(tokio::fs::File, std::fs::Metadata)> {
        let path = self.files.object(bucket, key)?;
        let absent = || s3_error!(NoSuchKey, "The specified key does not exist.");
        let file = match tokio::fs::File::open(path).await {
            Err(error) if is_absence(&error) => return Err(absent()),
            opened => opened.map_err(refusal)?,
        };
        let metadata = file.metadata().await.map_err(refusal)?;
        if metadata.is_file() { Ok((file, metadata)) } else { Err(absent()) }
    }
}

// The trait is `s3s`'s own and made with this macro; ours are not.
#[async_trait]
impl S3 for Service {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        match self.files.create_bucket(&req.input.bucket) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(s3_error!(BucketAlreadyOwnedByYou)),
            made => made.map_err(refusal).map(|()| S3Response::new(CreateBucketOutput::default())),
        }
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.bucket(&req.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let names = self.blocking(|files| files.buckets().map_err(refusal)).await?;
        let bucket = |name| Bucket { name: Some(name), ..Default::default() };
        let buckets = names.into_iter().map(bucket).collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..Default::default() }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let S3Request { mut input, trailing_headers, .. } = req;
        // Before the body, so that a setup fault is not found after six megabytes.
        self.files.object(&input.bucket, &input.key)?;
        if input.if_match.is_some() || input.if_none_match.as_ref().is_some_and(|condition| !condition.is_any()) {
            return Err(s3_error!(NotImplemented, "of the conditions, the local S3 knows If-None-Match: * alone"));
        }
        let Some(mut body) = input.body.take() else { return Err(s3_error!(IncompleteBody)) };

        let (upload, file) = self.files.upload().map_err(refusal)?;
        let mut file = tokio::io::BufWriter::with_capacity(CHUNK_BYTES, tokio::fs::File::from_std(file));
        let mut checksums = checksum::hasher(&input);
        let mut md5 = Md5::new();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
            checksums.update(&bytes);
            md5.update(&bytes);
            file.write_all(&bytes).await.map_err(refusal)?;
        }
        file.flush().await.map_err(refusal)?;
        if let Some(trailers) = trailing_headers.and_then(|trailers| trailers.take()) {
            checksum::take_trailers(&mut input, &trailers);
        }
        let checksums = checksums.finalize();
        checksum::check(&input, &checksums)?;

        let if_absent = input.if_none_match.is_some();
        self.blocking(move |files| files.name(upload, &input.bucket, &input.key, if_absent)).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(checksum::hex(&md5.finalize()))),
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            ..Default::default()
        }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let (mut file, metadata) = self.open(&input.bucket, &input.key).await?;
        let n_bytes = metadata.len();
        let range = match input.range {
            Some(range) => range.check(n_bytes)?,
            None => 0..n_bytes,
        };
        file.seek(io::SeekFrom::Start(range.start)).await.map_err(refusal)?;
        let content_range =
            input.range.map(|_| format!("bytes {}-{}/{n_bytes}", range.start, range.end.saturating_sub(1)));
        let content_length = range.end - range.start;
        let body = ReaderStream::with_capacity(file.take(content_length), CHUNK_BYTES);
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(body)),
            content_length: i64::try_from(content_length).ok(),
            content_range,
            last_modified: metadata.modified().ok().map(Timestamp::from),
            ..Default::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let (_, metadata) = self.open(&req.input.bucket, &req.input.key).await?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(metadata.len()).ok(),
            last_modified: metadata.modified().ok().map(Timestamp::from),
            ..Default::default()
        }))
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        self.blocking(move |files| files.delete(&input.bucket, &input.key)).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = req.input;
        let deleted = self
            .blocking(move |files| {
                let mut deleted = Vec::new();
                for object in input.delete.objects {
                    files.delete(&input.bucket, &object.key)?;
                    deleted.push(DeletedObject { key: Some(object.key), ..Default::default() });
                }
                Ok(deleted)
            })
            .await?;
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..Default::default() }))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        self.blocking(move |files| list::page(&files.bucket(&input.bucket)?, input)).await.map(S3Response::new)
    }
}
