//! What did not get through, brought back by a function that runs elsewhere.

use super::*;

/// A batch as a mapping stores it.
fn given_up(function: &str, stream: &str) -> String {
    let payload = include_str!("../../../../../events/kinesis-batch.json");
    let info = serde_json::json!({
        "shardId": "shardId-000000000000", "startSequenceNumber": "1", "endSequenceNumber": "9", "streamArn": stream,
    });
    let context =
        serde_json::json!({ "functionArn": format!("arn:aws:lambda:us-east-1:123456789012:function:{function}") });
    serde_json::json!({ "requestContext": context, "KinesisBatchInfo": info, "payload": payload }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_deployed_function_took_only_what_was_seen_has_landed() {
    let all = Replayed::start().await;
    let name = "landfall-orchestrator";
    #[track_caller]
    fn ended(output: &Output, code: i32) -> String {
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{out}{error}");
        out + &error
    }
    let deployed =
        |args: &[&str], code| ended(&all.deployed(&[&["replay", "--function-name", name], args].concat()), code);
    let letters = ["--dead-letters", "s3://landfall-landing/deadletter/"];
    let bucket = ["--bucket", "landfall-landing"];

    // The local Lambda does not say what a function's variables are.
    let said = deployed(&letters, 0);
    assert!(
        said.contains("; expected by this pipeline.toml: 1 row, 16 poison\n") && !said.contains("landed"),
        "{said}"
    );
    assert!(said.contains("  but       not all of it was looked for: name its bucket with --bucket\n"), "{said}");

    let said = deployed(&[letters, bucket].concat(), 0);
    let summary = ": 0 landed now, 16 still poison by this pipeline.toml, 1 refused before and perhaps again\n";
    assert!(said.contains(summary), "{said}");
    let doubt = "  but       1 row that the warehouse refused before, shardId-000000000009:77:0:0 for one: refused";
    assert!(said.contains(doubt), "{said}");

    // Without its letter in the bucket, a new one tells.
    let is_of_77 = |path: &PathBuf| path.display().to_string().contains("-77-77-");
    let letter = all.objects("deadletter/2026").into_iter().find(is_of_77).unwrap();
    let copy = all.dir.path().join("copy.jsonl");
    std::fs::rename(letter, &copy).unwrap();
    let copy = copy.display().to_string();
    let said = deployed(&[&["--dead-letters", &copy], &bucket[..]].concat(), 0);
    assert!(said.contains("  refused   1 row by the warehouse still\n"), "{said}");
    let summary = "1 document taken in 1 event: 0 landed now, 0 still poison by this pipeline.toml, 1 still refused\n";
    assert!(said.contains(summary), "{said}");

    let stored = all.stack.bucket_dir("landfall-on-failure");
    let store = |id: &str, batch: String| {
        let path = stored.join(format!("aws/lambda/{id}/shardId-000000000000/2026/11/20/x.json"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, batch).unwrap();
    };
    let batches = ["--on-failure", "s3://landfall-on-failure/aws/"];
    let batches = [batches, bucket].concat();
    store("one", given_up(name, "arn:one"));
    std::fs::write(stored.join("aws/empty"), "").unwrap();
    std::fs::write(stored.join("aws/other.txt"), "no batch").unwrap();
    let said = deployed(&batches, 0);
    let summary = "100 records taken in 1 event: 100 landed now, 0 still poison by this pipeline.toml\n";
    assert!(said.contains(summary) && !said.contains("aws/empty"), "{said}");
    let other = "left alone: 1 object is no Kinesis batch, s3://landfall-on-failure/aws/other.txt for one\n";
    assert!(said.contains(other), "{said}");

    // Another function's, and then another stream's: nothing is sent.
    store("two", given_up("other", "arn:one"));
    let said = deployed(&batches, 1);
    assert!(said.contains("was given up by arn:aws:lambda:us-east-1:123456789012:function:other, and"), "{said}");
    let remedy = "try: name the prefix with its batches alone: s3://landfall-on-failure/aws/lambda/one/\n";
    assert!(said.contains(remedy) && said.contains("0 records taken in 0 events: "), "{said}");
    store("two", given_up(name, "arn:two"));
    let said = deployed(&batches, 1);
    let streams =
        "it holds batches of 2 streams: arn:one under s3://landfall-on-failure/aws/lambda/one/, arn:two under";
    assert!(said.contains(streams), "{said}");
    all.stack.stop().await;
}

#[tokio::test]
async fn ctrl_c_tells_what_was_sent_and_that_the_rest_may_be_under_way() {
    let own = tempfile::tempdir().unwrap();
    let batches = own.path().join("batches");
    std::fs::create_dir(&batches).unwrap();
    for name in ["a", "b"] {
        std::fs::write(batches.join(name), given_up("f", "arn:one")).unwrap();
    }
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", api.local_addr().unwrap());
    let mut command = in_dir("replay", &own.path().join("stack"));
    command.args(["--endpoint", &endpoint, "--on-failure"]).arg(&batches).current_dir(own.path());
    let replay = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

    let (mut first, _) = api.accept().await.unwrap();
    first.read_u8().await.unwrap();
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 24\r\n\r\n{\"batchItemFailures\":[]}";
    // What was asked is read to its end, or the answer would be lost with the connection.
    let (mut asked, mut answers) = first.split();
    answers.write_all(answer.as_bytes()).await.unwrap();
    let mut nobody = tokio::io::sink();
    let read = tokio::io::copy(&mut asked, &mut nobody);
    let second = tokio::select! { second = api.accept() => second, _ = read => api.accept().await };
    let pid = replay.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());

    let Output { status, stdout, stderr } = replay.wait_with_output().unwrap();
    drop(second);
    let (out, error) = (text(&stdout), text(&stderr));
    assert_eq!(status.code(), Some(130), "{out}{error}");
    let summary = "\n100 records taken in 1 event; expected by this pipeline.toml: 100 rows, 0 poison\n";
    assert!(out.ends_with(summary), "{out}{error}");
    assert!(error.contains("stopped; an invocation may still be running there: run the same again"), "{error}");
}
