//! Laws of deriving a pipeline from a sample.

use std::collections::BTreeMap;

use landfall_core::infer::{InferError, infer};
use landfall_core::pipeline::DataType;
use landfall_core::{Pipeline, decode};
use proptest::prelude::*;

use crate::record;

/// Keys that clash with one another, with Landfall's own columns, with TOML, and with JSON pointers.
const KEYS: [&str; 24] = [
    "",
    "a",
    "A",
    "a_2",
    "b",
    "a/b",
    "/a",
    "/",
    "~1",
    "a b",
    "größe",
    "1a",
    "$a",
    "EXTRA",
    "kinesis_shard_id",
    "id",
    "deviceId",
    "eventTime",
    "updated_at",
    "q\"'\\",
    "new\r\nline",
    "\u{0}\u{7f}\u{85}\u{feff}",
    "#",
    "'''\"\"\"",
];

const SCALARS: [&str; 30] = [
    "null",
    "null",
    "true",
    "0",
    "-0",
    "7",
    "64",
    "64.0",
    "1.25",
    "-3.50",
    "0.123456789",
    "1e3",
    "-1E-7",
    "1e400",
    "0e-9999999999999999999",
    "99999999999999999999999999999999999999",
    "999999999999999999999999999999999999999",
    "1795183200",
    "1795183200123",
    "1795183200.123456789",
    "\"\"",
    "\"64\"",
    "\"OK\"",
    "\"NaN\"",
    "\"false\"",
    "\"2026-11-20\"",
    "\"2026-11-20T14:00:00+0100\"",
    "\"2026-11-20 14:00:00.5\"",
    "[]",
    "[{\"a\":1}, 2.50]",
];

fn object(members: Vec<(String, String)>) -> String {
    // A key twice is no document.
    let members: BTreeMap<_, _> = members.into_iter().collect();
    let members = members.iter().map(|(key, value)| format!("{}:{value}", serde_json::Value::from(key.as_str())));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// The members of one object, up to six levels deep.
fn any_members() -> impl Strategy<Value = Vec<(String, String)>> {
    let key = prop_oneof![8 => prop::sample::select(&KEYS).prop_map(str::to_owned), 1 => any::<String>()];
    let scalar = prop_oneof![
        8 => prop::sample::select(&SCALARS).prop_map(str::to_owned),
        1 => any::<f64>().prop_filter("JSON", |n| n.is_finite()).prop_map(|n| n.to_string()),
        1 => any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    let value = scalar.prop_recursive(6, 40, 6, {
        let key = key.clone();
        move |value| prop::collection::vec((key.clone(), value), 0..6).prop_map(object)
    });
    prop::collection::vec((key, value), 0..8)
}

/// Documents, some of one shape: each key with one kind of value.
fn any_documents() -> impl Strategy<Value = Vec<String>> {
    let wild = prop::collection::vec(any_members(), 1..6);
    let alike = (any_members(), 1..12_usize).prop_map(|(members, n)| vec![members; n]);
    (prop_oneof![wild, alike], any::<bool>()).prop_map(|(documents, with_id)| {
        let with_id = |(n, mut members): (usize, Vec<(String, String)>)| {
            members.extend(with_id.then(|| ("sensorId".to_owned(), (n % 4).to_string())));
            object(members)
        };
        documents.into_iter().enumerate().map(with_id).collect()
    })
}

/// Whether a value stands at a key of each document, and is the same kind of scalar: a possible partitioning field.
fn has_sensor_id(documents: &[String]) -> bool {
    documents.iter().all(|document| document.contains("\"sensorId\":"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_document_of_the_sample_is_a_row_of_the_pipeline_derived(
        documents in any_documents(),
        as_array in any::<bool>(),
        name in any::<String>(),
    ) {
        let sample = if as_array { format!("[{}]", documents.join(",\n")) } else { documents.join("\n") };

        let inferred = match infer(&name, sample.as_bytes()) {
            Err(InferError::NoPartition) if !has_sensor_id(&documents) => return Ok(()),
            inferred => inferred.unwrap(),
        };

        let pipeline = Pipeline::from_toml(&inferred.toml);
        prop_assert!(pipeline.is_ok(), "{}\n{}", pipeline.unwrap_err(), inferred.toml);
        let pipeline = pipeline.unwrap();
        prop_assert_eq!(inferred.n_documents, documents.len());
        let as_read: Vec<_> = pipeline.fields.iter().map(|f| (&f.name, &f.column, f.data_type, f.required)).collect();
        let as_told: Vec<_> = inferred.fields.iter().map(|f| (&f.name, &f.column, f.data_type, f.required)).collect();
        prop_assert_eq!(as_read, as_told);
        prop_assert_eq!(&pipeline.name, &inferred.name);
        prop_assert_eq!(&pipeline.partition_field().name, &inferred.partition_by);

        let records: Vec<_> = documents.iter().zip(100..).map(|(data, n)| record(n, data.as_bytes())).collect();
        let whole = record(100, sample.as_bytes());
        for records in [&records[..], &[whole]] {
            let batch = decode(&pipeline, records);
            prop_assert_eq!(batch.rows.len(), documents.len(), "{:?}\n{}", batch.poison, inferred.toml);
            prop_assert_eq!(batch.poison.len(), 0);
        }
    }

    #[test]
    fn any_bytes_are_a_pipeline_or_a_reason(sample in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "[\\[\\]{}:,\" \nae1\\\\]{0,30}".prop_map(String::into_bytes),
    ]) {
        if let Ok(inferred) = infer("any", &sample) {
            prop_assert!(Pipeline::from_toml(&inferred.toml).is_ok());
        }
    }
}

#[test]
fn a_document_of_many_keys_is_read_in_linear_time() {
    let members = (0..50_000).map(|n| (format!("k{n}"), n.to_string())).collect();
    let document = object(members);
    let inferred = infer("wide", format!("{document}\n{document}").as_bytes()).unwrap();
    assert_eq!(inferred.fields.len(), 50_000);
    assert!(inferred.fields.iter().all(|field| field.required && field.data_type == DataType::Integer));
}
