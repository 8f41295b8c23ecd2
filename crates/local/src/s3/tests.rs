//! A full disk, by Linux's `/dev/full`: each write to it fails as the kernel lets it fail on one.

use std::fs;
use std::os::unix::fs::symlink;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;

use super::*;

fn client(s3: &LocalS3) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .force_path_style(true)
        .endpoint_url(s3.endpoint())
        .build();
    Client::from_conf(config)
}

#[tokio::test]
async fn a_full_disk_leaves_no_half_object_and_says_so() {
    let root = tempfile::tempdir().unwrap();
    let (notify, mut created) = tokio::sync::mpsc::unbounded_channel();
    let s3 = LocalS3::start(root.path(), 0, notify).await.unwrap();
    s3.create_bucket("landfall").unwrap();
    let client = client(&s3);
    let put = async |key: &str, n_bytes: usize| {
        let body = ByteStream::from(vec![b'x'; n_bytes]);
        client.put_object().bucket("landfall").key(key).if_none_match("*").body(body).send().await
    };
    let uploads = root.path().join(files::UPLOADS);
    // One is found out when the upload is complete, the other on the way.
    for (upload, n_bytes) in [("0", 10), ("1", 1024 * 1024)] {
        symlink("/dev/full", uploads.join(upload)).unwrap();

        let error = put("kinesiscsv/a.csv", n_bytes).await.unwrap_err();

        assert_eq!(error.raw_response().unwrap().status().as_u16(), 500);
        let message = "no space left on device: free some on the disk where the local S3 keeps its objects";
        assert_eq!((error.code(), error.message()), (Some("InternalError"), Some(message)));
    }
    let bucket = root.path().join("landfall");
    assert_eq!((fs::read_dir(&bucket).unwrap().count(), fs::read_dir(&uploads).unwrap().count()), (0, 0));
    assert!(created.try_recv().is_err());

    // With space again, the same key.
    put("kinesiscsv/a.csv", 10).await.unwrap();
    assert_eq!(fs::read(bucket.join("kinesiscsv/a.csv")).unwrap(), [b'x'; 10]);
    assert_eq!(created.try_recv().unwrap().key, "kinesiscsv/a.csv");
    s3.stop().await;
}
