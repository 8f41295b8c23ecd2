use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::replay::fault::with_pauses;

/// Where an Invoke API answers with these, one a connection, and then is gone.
pub(in crate::replay) async fn api(answers: Vec<(&'static str, &'static str)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !is_whole(&asked) {
                assert!(stream.read_buf(&mut asked).await.unwrap() > 0);
            }
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    endpoint
}

/// Whether a request has come with its body.
fn is_whole(asked: &[u8]) -> bool {
    let asked = String::from_utf8_lossy(asked).to_lowercase();
    let Some((head, body)) = asked.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn empty() -> Event {
    Event { name: "empty".to_owned(), text: r#"{"Records":[]}"#.to_owned(), records: Vec::new() }
}

/// The answer, or the error and whether it is final.
async fn taken(answers: Vec<(&'static str, &'static str)>) -> Result<String, (String, bool)> {
    let endpoint = api(answers).await;
    let target = Target::at(&endpoint, "f");
    let event = empty();
    let taken = with_pauses(Duration::ZERO, || target.take(&event)).await;
    let masked = |fault: InvokeFault| (fault.error.to_string().replace(&endpoint, "…"), fault.is_final);
    taken.map(|answer| answer.text).map_err(masked)
}

pub(in crate::replay) const DONE: &str = r#"{"batchItemFailures":[]}"#;
const FAILED: &str = "200 OK\r\nx-amz-function-error: Unhandled";
const BUSY: (&str, &str) = ("429 Too Many Requests", r#"{"message":"Rate Exceeded."}"#);

#[tokio::test]
async fn a_throttle_or_a_passing_failure_is_waited_out() {
    let lost = (FAILED, r#"{"errorType":"UpsertTransient","errorMessage":"lost"}"#);
    let again = ("200 OK", r#"{"batchItemFailures":[{"itemIdentifier":"7"}]}"#);
    assert_eq!(taken(vec![BUSY, lost, again, ("500 Oops", "?"), ("200 OK", DONE)]).await, Ok(DONE.to_owned()));
    let busy = "failed to invoke f at …: HTTP 429: {\"message\":\"Rate Exceeded.\"}";
    assert_eq!(taken(vec![BUSY; 5]).await, Err((busy.to_owned(), false)));
}

#[tokio::test]
async fn an_event_of_which_some_is_taken_goes_on_from_there() {
    let record = |number: &str| {
        format!(
            r#"{{"eventID":"shardId-0:{number}","kinesis":{{"partitionKey":"k","sequenceNumber":"{number}","data":"e30=","approximateArrivalTimestamp":1795183200.123}}}}"#
        )
    };
    let text = format!(r#"{{"Records":[{},{}]}}"#, record("7"), record("8"));
    let records = landfall_core::event::records(&text).unwrap();
    let event = Event { name: "two".to_owned(), text, records };
    let from_8 = ("200 OK", r#"{"batchItemFailures":[{"itemIdentifier":"8"}]}"#);

    let target = Target::at(&api(vec![from_8, ("200 OK", DONE)]).await, "f");
    assert_eq!(target.take(&event).await.unwrap().text, DONE);

    // The rest begins with it: it came no further.
    let target = Target::at(&api(vec![from_8, from_8]).await, "f");
    let fault = target.take(&event).await.unwrap_err();
    assert!(fault.error.to_string().starts_with("f wants all records to be tried again"), "{}", fault.error);
}

#[tokio::test]
async fn what_stays_is_told_at_once_and_ends_it_when_it_is_the_functions() {
    let setup = (FAILED, r#"{"errorType":"LandSetup","errorMessage":"no bucket"}"#);
    assert_eq!(taken(vec![setup]).await, Err(("f failed: LandSetup: no bucket".to_owned(), false)));
    let unknown = ("404 Not Found", "no such function");
    let said = "failed to invoke f at …: HTTP 404: no such function";
    assert_eq!(taken(vec![unknown]).await, Err((said.to_owned(), true)));
    let other = "failed to understand the answer of f: {\"ok\":true}";
    assert_eq!(taken(vec![("200 OK", r#"{"ok":true}"#)]).await, Err((other.to_owned(), true)));
    let nobody = "failed to invoke f at …: nobody answers there";
    assert_eq!(taken(Vec::new()).await, Err((nobody.to_owned(), true)));
}

#[tokio::test]
async fn an_upsert_that_does_not_account_for_each_row_is_not_believed() {
    let request = r#"{"version":1,"shard_id":"s","columns":[],"arrived_ms":[0,0],"rows":[]}"#;
    let request: upsert::Request = serde_json::from_str(request).unwrap();
    let answers = vec![("200 OK", r#"{"inserted":1,"duplicates":0}"#), ("200 OK", r#"{"inserted":1,"duplicates":1}"#)];
    let target = Target::at(&api(answers).await, "f");
    let upserted = with_pauses(Duration::ZERO, || target.upsert(&request, 2)).await.unwrap();
    assert_eq!((upserted.inserted, upserted.duplicates), (1, 1));
}
