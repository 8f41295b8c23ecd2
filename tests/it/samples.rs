//! Sample events that are checked in, and what makes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use landfall_core::{ArrivedAt, Record, SequenceNumber};
use landfall_generator::Generator;

use crate::support::{TableRow, workspace};

/// The account is that of AWS's documentation.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// A record of a sample, made plausible by `generator`'s partition keys.
///
/// Sequence numbers have 56 digits and grow by 2^80 from one record to the next, as Kinesis lets them; `sample`
/// tells those of different samples apart.
pub(crate) fn record(generator: &mut Generator, sample: u64, n: usize, arrived_ms: i64, data: &[u8]) -> Record {
    let high = 10_482_917 + 1_203_481 * sample;
    let low = 29_084_176_523_940_817_263_549_182_734_650_193_538 + ((n as u128) << 80);
    Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new(&format!("4967148302{high}{low}")).unwrap(),
        partition_key: generator.next_partition_key().into(),
        arrived_at: ArrivedAt::from_millis(arrived_ms).unwrap(),
        data: Ok(data.into()),
        place: None,
    }
}

/// The event as Lambda sends it, its fields in the order of Lambda's documentation.
pub(crate) fn event(records: &[Record], stream: &str) -> String {
    let records: Vec<_> = records.iter().map(|record| event_record(record, stream)).collect();
    if records.is_empty() {
        return "{\"Records\": []}\n".to_owned();
    }
    format!("{{\n  \"Records\": [\n{}\n  ]\n}}\n", records.join(",\n"))
}

fn event_record(record: &Record, stream: &str) -> String {
    let Record { shard_id, sequence_number, partition_key, .. } = record;
    let data = STANDARD.encode(record.data.as_ref().unwrap());
    let (seconds, ms) = (record.arrived_at.as_millis() / 1000, record.arrived_at.as_millis() % 1000);
    format!(
        r#"    {{
      "kinesis": {{
        "kinesisSchemaVersion": "1.0",
        "partitionKey": "{partition_key}",
        "sequenceNumber": "{sequence_number}",
        "data": "{data}",
        "approximateArrivalTimestamp": {seconds}.{ms:03}
      }},
      "eventSource": "aws:kinesis",
      "eventVersion": "1.0",
      "eventID": "{shard_id}:{sequence_number}",
      "eventName": "aws:kinesis:record",
      "invokeIdentityArn": "arn:aws:iam::{ACCOUNT}:role/landfall-orchestrator",
      "awsRegion": "{REGION}",
      "eventSourceARN": "arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}"
    }}"#
    )
}

/// The provenance of a document of `record`, as both tables hold it.
pub(crate) fn provenance(record: &Record, document: usize) -> TableRow {
    let arrived_at = DateTime::from_timestamp_millis(record.arrived_at.as_millis()).unwrap();
    [
        record.shard_id.to_string(),
        record.sequence_number.to_string(),
        "0".to_owned(),
        document.to_string(),
        record.partition_key.to_string(),
        arrived_at.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
    ]
    .map(Some)
    .to_vec()
}

/// A file of the repository holds `text`; LANDFALL_BLESS=1 writes it anew.
#[track_caller]
pub(crate) fn checked_in(file: &str, text: &str) {
    let path = workspace().join(file);
    if std::env::var_os("LANDFALL_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap();
    assert!(checked_in == text, "{file}: LANDFALL_BLESS=1 cargo test -p landfall-tests checked_in writes it anew");
}
