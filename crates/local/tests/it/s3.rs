//! The local S3 as AWS's own SDK sees it.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use landfall_local::s3::{ACCESS_KEY, LocalS3, ObjectCreated, SECRET_KEY};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const BUCKET: &str = "landfall";

struct Fixture {
    s3: LocalS3,
    client: Client,
    created: UnboundedReceiver<ObjectCreated>,
    root: TempDir,
}

async fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let (notify, created) = unbounded_channel();
    let s3 = LocalS3::start(root.path(), 0, notify).await.unwrap();
    s3.create_bucket(BUCKET).unwrap();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .force_path_style(true)
        .endpoint_url(s3.endpoint())
        .build();
    Fixture { s3, client: Client::from_conf(config), created, root }
}

impl Fixture {
    async fn put(&self, key: &str, body: &str) -> Result<(), String> {
        let put = self.client.put_object().bucket(BUCKET).key(key).if_none_match("*");
        let put = put.body(ByteStream::from(body.as_bytes().to_vec())).send().await;
        put.map(|_| ()).map_err(|error| error.code().unwrap_or("no code").to_owned())
    }

    async fn get(&self, key: &str) -> String {
        let got = self.client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap()
    }

    fn created(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.created.try_recv().ok()).map(|object| object.key).collect()
    }
}

#[tokio::test]
async fn an_object_is_a_plain_file_and_is_told_of_once() {
    let mut fixture = fixture().await;

    fixture.put("kinesiscsv/a.csv", "6,64,OK\n").await.unwrap();
    let again = fixture.put("kinesiscsv/a.csv", "other").await;

    assert_eq!(again, Err("PreconditionFailed".into()));
    assert_eq!(fixture.created(), ["kinesiscsv/a.csv"]);
    assert_eq!(fixture.get("kinesiscsv/a.csv").await, "6,64,OK\n");
    let file = fixture.root.path().join(BUCKET).join("kinesiscsv/a.csv");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "6,64,OK\n");
    fixture.s3.stop().await;
}

#[tokio::test]
async fn keys_of_the_landing_zone_are_files_of_the_same_name() {
    let mut fixture = fixture().await;
    let digits = "49598630142999655949899443842509554952738656579378741250";
    let name = format!("2026/11/20/14/shardId-000000000000-{digits}-{digits}-9f86d081884c7d65.csv.zst");
    let values = ["6", "a%2Fb", "a b+c", "Zürich 🛰", "~", "%2E%2E", "..", "%00", "a&b=c?d#e", &"%FF".repeat(33)];
    let keys: Vec<String> = values.iter().map(|value| format!("kinesiscsv/sensor-{value}/{name}")).collect();

    for key in &keys {
        fixture.put(key, key).await.unwrap();
    }

    assert_eq!(fixture.created(), keys);
    for key in &keys {
        assert_eq!(std::fs::read_to_string(fixture.root.path().join(BUCKET).join(key)).unwrap(), *key);
        assert_eq!(fixture.get(key).await, *key);
    }
}

#[tokio::test]
async fn a_key_that_would_leave_its_place_is_refused() {
    let mut fixture = fixture().await;

    for key in ["../escaped", "a/../b", "a/./b", "a//b", "a/"] {
        assert_eq!(fixture.put(key, "").await, Err("InvalidArgument".into()), "{key}");
    }
    fixture.put("a", "").await.unwrap();
    assert_eq!(fixture.put("a/b", "").await, Err("InvalidArgument".into()), "below an object");

    assert_eq!(fixture.created(), ["a"]);
    let outside = fixture.client.list_objects_v2().bucket(BUCKET).prefix("../").send().await.unwrap();
    assert_eq!(outside.contents(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_conditional_puts_at_once_one_gets_through() {
    let mut fixture = fixture().await;

    for round in 0..20 {
        let key = format!("round-{round}");
        let bodies: Vec<String> = (0..16).map(|n| n.to_string()).collect();
        let puts = bodies.iter().map(|body| fixture.put(&key, body));
        let results = futures::future::join_all(puts).await;

        let through: Vec<usize> = (0..16).filter(|&n| results[n].is_ok()).collect();
        assert_eq!(through.len(), 1, "{results:?}");
        assert_eq!(fixture.get(&key).await, through[0].to_string());
        assert_eq!(fixture.created(), [key]);
    }
}

#[tokio::test]
async fn a_missing_bucket_and_a_missing_object_are_told_apart() {
    let mut fixture = fixture().await;
    let elsewhere = |key: &str| fixture.client.put_object().bucket("elsewhere").key(key);

    let put = elsewhere("a").body(ByteStream::from_static(b"x")).send().await.unwrap_err();
    let list = fixture.client.list_objects_v2().bucket("elsewhere").send().await.unwrap_err();
    let get = fixture.client.get_object().bucket(BUCKET).key("a").send().await.unwrap_err();
    let head = fixture.client.head_object().bucket(BUCKET).key("a").send().await.unwrap_err();

    assert_eq!(put.code(), Some("NoSuchBucket"));
    assert_eq!(put.raw_response().unwrap().status().as_u16(), 404);
    assert_eq!(list.code(), Some("NoSuchBucket"));
    assert!(get.into_service_error().is_no_such_key());
    assert!(head.into_service_error().is_not_found());
    assert_eq!(fixture.created(), [""; 0]);
    assert!(!fixture.root.path().join("elsewhere").exists());
}

#[tokio::test]
async fn an_upload_with_a_wrong_checksum_leaves_nothing() {
    let mut fixture = fixture().await;

    let put = fixture.client.put_object().bucket(BUCKET).key("a").body(ByteStream::from_static(b"x"));
    let error = put.checksum_crc32("AAAAAA==").send().await.unwrap_err();

    assert_eq!(error.code(), Some("BadDigest"));
    assert_eq!(fixture.created(), [""; 0]);
    assert!(!fixture.root.path().join(BUCKET).join("a").exists());
    assert_eq!(std::fs::read_dir(fixture.root.path().join(".uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut fixture = fixture().await;
    let presigning = aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_secs(60)).unwrap();
    let put = fixture.client.put_object().bucket(BUCKET).key("a").presigned(presigning).await.unwrap();
    let address = fixture.s3.endpoint().replace("http://", "");
    let path = put.uri().split_once(&address).unwrap().1.to_owned();

    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 10\r\n\r\nhalf");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    // The server hangs up once it is through.
    stream.read_to_end(&mut Vec::new()).await.unwrap();

    assert_eq!(fixture.created(), [""; 0]);
    assert!(!fixture.root.path().join(BUCKET).join("a").exists());
    assert_eq!(std::fs::read_dir(fixture.root.path().join(".uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_large_streamed_object_comes_back_whole_and_in_part() {
    let fixture = fixture().await;
    let file = fixture.root.path().join("large");
    std::fs::write(&file, "0123456789".repeat(700_000)).unwrap();

    // From a file the SDK streams, with its checksum in a trailer.
    let body = ByteStream::from_path(&file).await.unwrap();
    fixture.client.put_object().bucket(BUCKET).key("large").body(body).send().await.unwrap();
    let part = fixture.client.get_object().bucket(BUCKET).key("large").range("bytes=3-12").send().await.unwrap();

    assert_eq!(part.content_range(), Some("bytes 3-12/7000000"));
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"3456789012");
    assert_eq!(fixture.get("large").await, std::fs::read_to_string(&file).unwrap());
}

#[tokio::test]
async fn listing_pages_in_the_order_of_keys_and_groups_by_delimiter() {
    let fixture = fixture().await;
    for key in ["b/2.csv", "a.csv", "b/1.csv", "b-1.csv", "c/d/3.csv"] {
        fixture.put(key, "x").await.unwrap();
    }
    let list = || fixture.client.list_objects_v2().bucket(BUCKET);

    let mut pages = list().max_keys(2).into_paginator().send();
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await {
        listed.push(page.unwrap().contents().iter().map(|o| o.key().unwrap().to_owned()).collect::<Vec<_>>());
    }
    let top = list().delimiter("/").send().await.unwrap();
    let below = list().prefix("b/").send().await.unwrap();

    assert_eq!(listed, [vec!["a.csv", "b-1.csv"], vec!["b/1.csv", "b/2.csv"], vec!["c/d/3.csv"]]);
    let prefixes: Vec<_> = top.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap()).collect();
    assert_eq!(prefixes, ["b/", "c/"]);
    assert_eq!(top.key_count(), Some(4));
    assert_eq!(below.contents().len(), 2);
}

#[tokio::test]
async fn objects_outlive_their_server_and_can_be_deleted() {
    let mut fixture = fixture().await;
    fixture.put("a", "kept").await.unwrap();
    std::fs::write(fixture.root.path().join(".uploads/7"), "left by a crash").unwrap();

    let (notify, _created) = unbounded_channel();
    let next = LocalS3::start(fixture.root.path(), 0, notify).await.unwrap();
    next.create_bucket(BUCKET).unwrap();

    assert_eq!(fixture.get("a").await, "kept");
    assert_eq!(std::fs::read_dir(fixture.root.path().join(".uploads")).unwrap().count(), 0);
    fixture.client.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    fixture.client.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert!(!fixture.root.path().join(BUCKET).join("a").exists());
    assert_eq!(fixture.created(), ["a"]);
}
