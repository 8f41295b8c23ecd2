//! examples/, end to end: every type in the landing zone, in both tables and in their views.

use std::io::Read as _;

use flate2::read::GzDecoder;
use landfall_core::{Pipeline, Record, Stage};
use landfall_generator::{Generator, Template};
use landfall_local::stack::BUCKET;

use crate::expected::{Form, cells, of_csv};
use crate::samples::{self, checked_in, event, provenance};
use crate::support::{TableRow, TestStack, start_with};

const PIPELINE: &str = include_str!("../../examples/orders/pipeline.toml");
const DOCUMENTS: &str = include_str!("../../examples/orders/sample.jsonl");

/// 2026-11-20 14:10:00.271 UTC, after the last order was packed.
const ARRIVED_MS: i64 = 1_795_183_800_271;

/// How many documents the records of orders.json hold, one after the other.
const N_DOCUMENTS: [usize; 24] = [1, 1, 1, 1, 2, 1, 1, 1, 3, 1, 1, 2, 1, 1, 1, 4, 1, 1, 2, 1, 1, 3, 1, 3];

/// An order whose numbers are quoted, as some producers do.
const GOOD: &str = r#"{"orderId":"B-20261120-0500","placedAt":"2026-11-20T14:07:00Z","depot":"Gent","customer":{"id":"10300","name":"Rik"},"total":"10.00","payment":{"capturedAt":"1795183621000","tokenAmount":"0.5"},"packedAt":"1795183700","deliverOn":"2026-11-23","weightKg":"0.5","gift":false}"#;

/// What is poison about [`GOOD`] when a part of it is written otherwise.
const FAULTS: [(&str, &str, &str); 16] = [
    (
        r#""1795183700""#,
        "1795183700000",
        "`packedAt` is 1795183700000, which as timestamp(s) lies outside the years 1 to 9999",
    ),
    (
        r#""1795183621000""#,
        "1795183621000.1234567",
        "`/payment/capturedAt` is 1795183621000.1234567, which as timestamp(ms) is finer than a nanosecond",
    ),
    ("1795183621000", "soon", "`/payment/capturedAt` is \"soon\", which is no timestamp(ms)"),
    (r#""10.00""#, "19.999", "`total` is 19.999, which does not fit decimal(12,2) without rounding"),
    (r#""10.00""#, "12345678901", "`total` is 12345678901, which does not fit decimal(12,2) without rounding"),
    (
        r#""tokenAmount":"0.5""#,
        r#""tokenAmount":0.1234567890123456789"#,
        "`/payment/tokenAmount` is 0.1234567890123456789, which does not fit decimal(38,18) without rounding",
    ),
    (r#""depot":"Gent","#, "", "the required field `depot` is missing"),
    (r#""Gent""#, "null", "the required field `depot` is null"),
    ("2026-11-20T14:07:00Z", "20.11.2026 14:07", "`placedAt` is \"20.11.2026 14:07\", which is no timestamp"),
    ("2026-11-23", "2026-02-30", "`deliverOn` is \"2026-02-30\", which is no date"),
    ("false", "\"yes\"", "`gift` is \"yes\", which is no boolean"),
    (r#""weightKg":"0.5""#, r#""weightKg":"NaN""#, "`weightKg` is \"NaN\", which is no float"),
    (r#"{"id":"10300","name":"Rik"}"#, "\"Rik\"", "the required field `/customer/id` is missing"),
    (r#""10300""#, "10300.5", "`/customer/id` is 10300.5, which is no integer"),
    (r#""Rik""#, r#"{"first":"Rik"}"#, "`/customer/name` is an object, not a string"),
    (r#""gift":false}"#, r#""gift":fal"#, "invalid JSON: EOF while parsing a value at line 2 column 270"),
];

fn generator() -> Generator {
    Generator::new(Template::for_pipeline(&Pipeline::from_toml(PIPELINE).unwrap()), 1)
}

/// A record for each list of documents.
fn records(sample: u64, documents: &[Vec<String>]) -> Vec<Record> {
    let mut generator = generator();
    let numbered = documents.iter().map(|documents| documents.join("\n")).enumerate();
    numbered
        .map(|(n, data)| samples::record(&mut generator, sample, n, ARRIVED_MS + (n as i64) * 731, data.as_bytes()))
        .collect()
}

/// The lines of sample.jsonl, record by record.
fn orders() -> Vec<Vec<String>> {
    let mut lines = DOCUMENTS.lines().map(str::to_owned);
    let documents = N_DOCUMENTS.map(|n| lines.by_ref().take(n).collect()).to_vec();
    assert_eq!(lines.count(), 0);
    documents
}

/// An order for each fault between two good ones; the last record holds a good and a bad one.
fn poison() -> Vec<Vec<String>> {
    let mut documents = vec![vec![GOOD.to_owned()]];
    for (from, to, _) in FAULTS {
        assert!(GOOD.matches(from).count() == 1, "{from}");
        documents.push(vec![GOOD.replacen(from, to, 1)]);
    }
    let cut = documents.pop().unwrap();
    documents.push([vec![GOOD.to_owned()], cut].concat());
    documents
}

/// The rows of documents that are all good.
fn rows(records: &[Record], documents: &[Vec<String>], form: Form) -> Vec<TableRow> {
    let mut rows = Vec::new();
    for (record, documents) in records.iter().zip(documents) {
        for (n, document) in documents.iter().enumerate() {
            rows.push([provenance(record, n), cells(document, form)].concat());
        }
    }
    rows
}

/// The lines of all objects in the order of positions, read by `csv`, which knows no NULL.
fn landed(test: &TestStack) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for key in test.keys("orders/csv") {
        let file = std::fs::File::open(test.stack.bucket_dir(BUCKET).join(&key)).unwrap();
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        lines.extend(reader.records().map(|line| {
            let mut line: Vec<_> = line.unwrap().iter().map(str::to_owned).collect();
            for moment in [8, 15, 17] {
                line[moment] = of_csv(&line[moment]);
            }
            line
        }));
    }
    lines.sort();
    lines
}

#[test]
fn the_checked_in_orders_are_what_makes_them() {
    checked_in("examples/orders/events/orders.json", &event(&records(21, &orders()), "orders"));
    checked_in("examples/orders/events/poison.json", &event(&records(22, &poison()), "orders"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_of_an_order_arrives_in_both_tables_and_their_views() {
    let test = start_with(PIPELINE, |_| {}).await;
    let (records, documents) = (records(21, &orders()), orders());

    test.takes_file("examples/orders/events/orders.json").await;

    // fakesnow keeps microseconds: the nanoseconds of one order stand in the CSV alone.
    test.holds(&rows(&records, &documents, Form::Table)).await;
    assert_eq!(test.dead_letters(), []);
    let lines = landed(&test);
    for (line, row) in lines.iter().zip(rows(&records, &documents, Form::Csv)) {
        assert_eq!(*line, row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>());
    }
    assert_eq!(lines.len(), 36);
    // Eight depots, and names that no folder can have are escaped.
    let keys = test.keys("orders/csv");
    let prefix = "orders/csv/depot-K%C3%B6ln%20%2F%20Nord/2026/11/20/14/shardId-000000000000-";
    assert!(keys.len() == 8 && keys.iter().any(|key| key.starts_with(prefix)), "{keys:?}");
    assert!(keys.iter().all(|key| key.ends_with(".csv.gz")), "{keys:?}");
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoiled_order_is_a_dead_letter_that_says_why() {
    let test = start_with(PIPELINE, |_| {}).await;

    test.takes_file("examples/orders/events/poison.json").await;

    let records = records(22, &poison());
    let [first, .., last] = records.as_slice() else { panic!("{records:?}") };
    let row = |record| [provenance(record, 0), cells(GOOD, Form::Table)].concat();
    test.holds(&[row(first), row(last)]).await;
    let letters = test.dead_letters();
    let reasons: Vec<_> = letters.iter().map(|letter| (letter.stage, letter.reason.as_str())).collect();
    assert_eq!(reasons, FAULTS.map(|(.., reason)| (Stage::Decode, reason)));
    assert_eq!(test.keys("orders/deadletter").len(), 1);
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_orders_are_rows() {
    let test = start_with(PIPELINE, |_| {}).await;
    let mut generator = generator();
    let records: Vec<_> = (0..200)
        .map(|n| {
            let data = generator.next_record();
            samples::record(&mut generator, 23, n, ARRIVED_MS, &data)
        })
        .collect();

    test.takes(&records).await;

    assert_eq!((test.streaming().await.len(), test.microbatch().await.len()), (200, 200));
    assert_eq!(test.dead_letters(), []);
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integer_of_38_digits_lands_with_all_of_them() {
    let test = start_with(PIPELINE, |_| {}).await;
    let id = "98765432109876543210987654321098765432";
    let order = GOOD.replacen("10300", id, 1);

    test.takes(&records(24, &[vec![order]])).await;

    // fakesnow keeps NUMBER(38,0) in 64 bits and refuses the row, so the CSV is where to look.
    let [line] = landed(&test).try_into().unwrap();
    assert_eq!(line[10], id);
    test.stack.stop().await;
}
