use super::*;

#[track_caller]
fn check(text: &str, expected: Result<PlaceName, &str>) {
    assert_eq!(text.parse(), expected.map_err(str::to_owned), "{text}");
}

#[test]
fn a_place_is_a_prefix_or_a_folder() {
    let s3 = |bucket: &str, prefix: &str| Ok(PlaceName::S3 { bucket: bucket.into(), prefix: prefix.into() });
    check("s3://acme/deadletter/2026/", s3("acme", "deadletter/2026/"));
    check("s3://acme/", s3("acme", ""));
    check("s3://acme", s3("acme", ""));
    check("./letters", Ok(PlaceName::Folder("./letters".into())));
    check("C:/letters", Ok(PlaceName::Folder("C:/letters".into())));
    check("s3:///deadletter", Err("it names no bucket: write s3://bucket/prefix"));
    check("gs://acme/x", Err("gs:// is none of ours: write s3://bucket/prefix or a folder"));
    check("", Err("write s3://bucket/prefix or a folder"));
    for text in ["s3://acme/deadletter/2026/", "./letters"] {
        assert_eq!(text.parse::<PlaceName>().unwrap().to_string(), text);
    }
}

#[tokio::test]
async fn a_folder_is_listed_by_key_and_a_file_stands_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("b")).unwrap();
    for (name, text) in [("b/1.jsonl", "one"), ("a.jsonl", "two")] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let place = Place::Folder(dir.path().to_owned());

    let listed = place.list(|_| true).await.unwrap();
    let read: Vec<_> = place.read_all(&listed).map(|(listed, bytes)| (&listed.key, bytes.unwrap())).collect().await;

    assert_eq!(read, [(&"a.jsonl".to_owned(), b"two".to_vec()), (&"b/1.jsonl".to_owned(), b"one".to_vec())]);
    assert!(listed.iter().all(|listed| listed.n_bytes == 3 && listed.written_at.is_some()));
    assert_eq!(place.name_of("b/1.jsonl"), dir.path().join("b/1.jsonl").display().to_string());

    let file = Place::Folder(dir.path().join("b/1.jsonl"));
    let listed = file.list(|_| true).await.unwrap();
    assert_eq!((listed[0].key.as_str(), file.read("1.jsonl").await.unwrap()), ("1.jsonl", b"one".to_vec()));
    assert_eq!(file.name_of("1.jsonl"), file.name());
}

#[tokio::test]
async fn what_is_not_kept_is_not_listed_and_is_there_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.jsonl"), "").unwrap();
    std::fs::write(dir.path().join("b.csv"), "").unwrap();
    let place = Place::Folder(dir.path().to_owned());

    let listed = place.list(|object| object.key.ends_with(".csv")).await.unwrap();

    assert_eq!(listed.iter().map(|object| &object.key).collect::<Vec<_>>(), ["b.csv"]);
    assert_eq!(place.list(|_| false).await.unwrap(), []);
}

#[test]
fn large_objects_are_read_by_themselves() {
    let check = |sizes: &[u64], expected: &[usize]| {
        let object = |n_bytes: &u64| Listed { key: "x".to_owned(), written_at: None, n_bytes: *n_bytes };
        let listed: Vec<_> = sizes.iter().map(object).collect();
        assert_eq!(parts(&listed).iter().map(|part| part.len()).collect::<Vec<_>>(), expected, "{sizes:?}");
    };
    check(&[], &[]);
    check(&[1; 40], &[16, 16, 8]);
    check(&[MAX_PART_BYTES + 1, 1, MAX_PART_BYTES - 1, 1, u64::MAX / 2], &[1, 2, 1, 1]);
}

#[tokio::test]
async fn an_empty_place_and_an_object_that_is_not_there_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (place, name) = (Place::Folder(dir.path().to_owned()), dir.path().display());
    let said = |error: anyhow::Error| landfall_core::chain(error.as_ref());
    assert_eq!(said(place.list(|_| true).await.unwrap_err()), format!("nothing under {name}"));
    let absent = "No such file or directory (os error 2)";
    assert_eq!(said(place.read("x").await.unwrap_err()), format!("failed to read {name}/x: {absent}"));
    let gone = Place::Folder(dir.path().join("gone"));
    assert_eq!(said(gone.list(|_| true).await.unwrap_err()), format!("failed to list {name}/gone: {absent}"));
}

#[tokio::test]
async fn a_bucket_that_is_not_on_the_local_stack_may_be_one_of_awss() {
    let answer = || async {
        let body = "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>";
        (axum::http::StatusCode::NOT_FOUND, body)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    let name: PlaceName = "s3://acme/deadletter/".parse().unwrap();

    let error = Place::local(&name, &url).list(|_| true).await.unwrap_err();

    assert_eq!(error.to_string(), "failed to list s3://acme/deadletter/: there is no such bucket");
    let remedy = crate::failure::remedy(&error).unwrap();
    assert!(remedy.contains("the S3 of the local stack; with --function-name"), "{remedy}");
}
