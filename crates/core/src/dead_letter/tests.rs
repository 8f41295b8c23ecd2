use super::*;
use crate::decode;
use crate::landing::MAX_OBJECT_BYTES;
use crate::testing::{records, sensors};

fn objects(pipeline: &Pipeline, poison: &[Poison]) -> serde_json::Result<Vec<Object>> {
    super::objects(pipeline, poison).collect()
}

fn text(object: &Object) -> &str {
    std::str::from_utf8(&object.body).unwrap()
}

#[test]
fn a_line_says_what_where_and_why() {
    let batch = decode(&sensors(), &records(&["{\"sensorId\":6} {\"sensorId\":64.5}\n"]));

    let objects = objects(&sensors(), &batch.poison).unwrap();

    assert_eq!(objects.len(), 1);
    insta::assert_snapshot!(objects[0].key, @"deadletter/2026/11/20/14/shardId-000000000000-100-100-9a25f8b4d90bed2a.jsonl");
    insta::assert_snapshot!(text(&objects[0]), @r#"{"stage":"decode","reason":"`sensorId` is 64.5, which is no integer","shard_id":"shardId-000000000000","sequence_number":"100","subsequence_number":0,"document_number":1,"partition_key":"key","arrived_at":"2026-11-20 14:00:00.123","data":"eyJzZW5zb3JJZCI6NjQuNX0="}"#);
    let letter: DeadLetter = serde_json::from_slice(&objects[0].body).unwrap();
    assert_eq!(STANDARD.decode(letter.data).unwrap(), br#"{"sensorId":64.5}"#, "the document's own bytes");
}

#[test]
fn a_refused_row_carries_its_document_and_the_warehouses_words() {
    let batch = decode(&sensors(), &records(&[r#"{"sensorId":6} {"sensorId":7}"#]));

    let refused = Poison::refused(&batch.rows[1], "100038", "Numeric value 'x' is not recognized");

    let letter = DeadLetter::from(&refused);
    assert_eq!((letter.stage, letter.document_number), (Stage::Upsert, 1));
    assert_eq!(letter.reason, "the warehouse refused the row: Numeric value 'x' is not recognized (100038)");
    assert_eq!(STANDARD.decode(letter.data).unwrap(), br#"{"sensorId":7}"#);
}

#[test]
fn each_shard_has_an_object_and_lines_are_in_order() {
    let mut records = records(&["a", "b", "c", "d"]);
    records[1].shard_id = "shardId-000000000001".into();
    records.reverse();

    let poison = decode(&sensors(), &records).poison;
    let objects = objects(&sensors(), &poison).unwrap();

    let keys: Vec<_> = objects.iter().map(|object| object.key.rsplit_once('-').unwrap().0).collect();
    let folder = "deadletter/2026/11/20/14";
    assert_eq!(
        keys,
        [format!("{folder}/shardId-000000000000-100-103"), format!("{folder}/shardId-000000000001-101-101"),]
    );
    let numbers: Vec<_> = text(&objects[0])
        .lines()
        .map(|line| serde_json::from_str::<DeadLetter>(line).unwrap().sequence_number)
        .collect();
    assert_eq!(numbers, ["100", "102", "103"]);
}

#[test]
fn bytes_that_are_no_text_come_back_whole() {
    let data = b"\xf3\x89\x9a\xc2\x00\xff";
    let poison = decode(&sensors(), &records(&[data])).poison;
    assert_eq!(STANDARD.decode(DeadLetter::from(&poison[0]).data).unwrap(), data);
}

#[test]
fn so_many_letters_are_several_objects() {
    let texts: Vec<String> = (0..20_000).map(|n| format!("poison {n}")).collect();
    let poison = decode(&sensors(), &records(&texts)).poison;

    let objects = objects(&sensors(), &poison).unwrap();

    assert!(objects.len() > 1 && objects.iter().all(|object| object.body.len() < MAX_OBJECT_BYTES + 1000));
    let lines = objects.iter().flat_map(|object| text(object).lines());
    let letters: Vec<DeadLetter> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(letters, poison.iter().map(DeadLetter::from).collect::<Vec<_>>());
}
