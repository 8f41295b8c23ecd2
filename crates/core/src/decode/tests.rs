use super::*;
use crate::testing::{record, records, sensors, sensors_with};
use crate::{Cell, Place, Position};

/// The outcome of one record, as `row: cell | cell` or the reason.
fn outcome(pipeline: &Pipeline, data: &[u8]) -> Vec<String> {
    let batch = decode(pipeline, &[record(100, data)]);
    let mut outcomes: Vec<(Position, String)> = Vec::new();
    for row in batch.rows {
        let cells: Vec<&str> = row.cells.iter().map(|cell| cell.as_text().unwrap_or("NULL")).collect();
        outcomes.push((row.position(), format!("row: {}", cells.join(" | "))));
    }
    for poison in batch.poison {
        outcomes.push((poison.position(), poison.reason));
    }
    outcomes.sort();
    outcomes.into_iter().map(|(_, text)| text).collect()
}

#[track_caller]
fn check(data: impl AsRef<[u8]>, expected: &[&str]) {
    let data = data.as_ref();
    assert_eq!(outcome(&sensors(), data), expected, "{}", String::from_utf8_lossy(data));
}

#[track_caller]
fn check_with(change: (&str, &str), data: &str, expected: &[&str]) {
    assert_eq!(outcome(&sensors_with(&[change]), data.as_bytes()), expected, "{data}");
}

/// A pipeline whose `status` is a variant.
const VARIANT: (&str, &str) = ("column = \"STATUS\"\ntype = \"string\"", "column = \"STATUS\"\ntype = \"variant\"");

#[test]
fn each_poison_says_why() {
    check("not json", &["invalid JSON: expected ident at line 1 column 2"]);
    check(r#"{"sensorId":1"#, &["invalid JSON: EOF while parsing an object at line 1 column 13"]);
    check(r#"{"sensorId":NaN}"#, &["invalid JSON: expected value at line 1 column 13"]);
    check(r#"{"status":"OK"}"#, &["the required field `sensorId` is missing"]);
    check(r#"{"sensorId":null}"#, &["the required field `sensorId` is null"]);
    check(r#"{"sensorId":64.5}"#, &["`sensorId` is 64.5, which is no integer"]);
    check(r#"{"sensorId":true}"#, &["`sensorId` is true, which is no integer"]);
    check(r#"{"sensorId":"six"}"#, &["`sensorId` is \"six\", which is no integer"]);
    check(r#"{"sensorId":[6]}"#, &["`sensorId` is an array, not an integer"]);
    check(r#"{"sensorId":6,"status":{}}"#, &["`status` is an object, not a string"]);
    let fifty = format!(r#"{{"sensorId":{}}}"#, "7".repeat(50));
    check(fifty, &["`sensorId` has 50 digits, more than the 38 of a NUMBER(38,0)"]);
    check(b"{\"sensorId\":1,\"status\":\"\xff\"}", &["invalid UTF-8 at byte 24"]);
    check("64", &["the document is a number, not an object"]);
    check("\"text\"", &["the document is a string, not an object"]);
    check("null", &["the document is null, not an object"]);
    check(r#"[{"sensorId":1}]"#, &["the document is an array, not an object"]);
    check("", &["the record holds no document"]);
    check("\r\n", &["the record holds no document"]);
}

#[test]
fn a_key_that_stands_twice_is_poison_at_any_depth() {
    check(r#"{"sensorId":1,"sensorId":2}"#, &["the key `sensorId` stands twice"]);
    check(r#"{"sensorId":1,"\u0073ensorId":2}"#, &["the key `sensorId` stands twice"]);
    check(r#"{"sensorId":1,"x":{"a":1,"a":1}}"#, &["the key `a` stands twice"]);
    check(r#"{"sensorId":1,"x":[[{"a":1,"a":1}]]}"#, &["the key `a` stands twice"]);
    check_with(VARIANT, r#"{"sensorId":1,"status":{"a":{"b":1,"b":2}}}"#, &["the key `b` stands twice"]);
    check_with(VARIANT, r#"{"sensorId":1,"status":{"a":{"b":1},"b":2}}"#, &[r#"row: 1 | NULL | {"a":{"b":1},"b":2}"#]);
}

#[test]
fn a_lone_surrogate_is_poison_at_any_depth() {
    for data in [
        r#"{"sensorId":1,"status":"\ud800"}"#,
        r#"{"sensorId":1,"\ud800":1}"#,
        r#"{"sensorId":1,"x":[{"y":"\udc00"}]}"#,
        r#"{"sensorId":1,"status":"\ud800\u0041"}"#,
    ] {
        let outcome = outcome(&sensors(), data.as_bytes());
        assert!(outcome.len() == 1 && outcome[0].contains("hex escape"), "{data}: {outcome:?}");
    }
    check(r#"{"sensorId":1,"status":"\ud83d\ude00"}"#, &["row: 1 | NULL | 😀"]);
}

#[test]
fn deep_nesting_is_poison_and_no_stack_overflow() {
    let nested = |n: usize| format!(r#"{{"sensorId":1,"x":{}1{}}}"#, "[".repeat(n), "]".repeat(n));
    let objects = format!(r#"{{"sensorId":1,"x":{}1{}}}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    check(nested(127), &["row: 1 | NULL | NULL"]);
    for deep in [nested(128), nested(200), nested(100_000), objects] {
        check(deep, &["nested deeper than 128 levels"]);
    }
    check("[".repeat(100_000), &["invalid JSON: EOF while parsing a list at line 1 column 100000"]);
}

#[test]
fn unknown_fields_are_dropped_or_rejected() {
    let data = r#"{"sensorId":1,"extra":[1],"more":2}"#;
    check(data, &["row: 1 | NULL | NULL"]);
    let reject = ("unknown_fields = \"ignore\"", "unknown_fields = \"reject\"");
    check_with(reject, data, &[r#"no field is declared for {"extra":[1],"more":2}"#]);
    check_with(reject, r#"{"sensorId":1,"status":null}"#, &["row: 1 | NULL | NULL"]);
    let long = format!(r#"{{"sensorId":1,"x":"{}"}}"#, "y".repeat(100_000));
    let reason = format!("no field is declared for {{\"x\":\"{}…", "y".repeat(34));
    check_with(reject, &long, &[&reason]);
}

#[test]
fn extra_keeps_exactly_the_unknown_keys() {
    let keep = ("unknown_fields = \"ignore\"", "unknown_fields = \"keep\"");
    check_with(keep, r#"{"sensorId":1}"#, &["row: NULL | 1 | NULL | NULL"]);
    check_with(
        keep,
        r#"{"b": 1.10, "sensorId":1, "a\"\n": [ {"x":null} ], "status":"OK", "currentTemperature":2}"#,
        &[r#"row: {"b":1.10,"a\"\n":[ {"x":null} ]} | 1 | 2 | OK"#],
    );
    let nested = sensors_with(&[keep, ("name = \"status\"", "name = \"/device/state\"")]);
    let check = |data: &str, expected: &str| assert_eq!(outcome(&nested, data.as_bytes()), [expected], "{data}");
    check(r#"{"sensorId":1,"device":{"state":"OK"}}"#, "row: NULL | 1 | NULL | OK");
    check(r#"{"sensorId":1,"device":{"state":"OK","id":7}}"#, r#"row: {"device":{"id":7}} | 1 | NULL | OK"#);
    check(r#"{"sensorId":1,"device":{"id":{"state":8}}}"#, r#"row: {"device":{"id":{"state":8}}} | 1 | NULL | NULL"#);
    check(r#"{"sensorId":1,"device":9,"state":8}"#, r#"row: {"device":9,"state":8} | 1 | NULL | NULL"#);
    check(r#"{"sensorId":1,"device":null}"#, "row: NULL | 1 | NULL | NULL");
}

#[test]
fn values_are_what_the_producer_wrote() {
    check(
        r#"{"sensorId":9007199254740993,"currentTemperature":"-12345678901234567890123456789012345678"}"#,
        &["row: 9007199254740993 | -12345678901234567890123456789012345678 | NULL"],
    );
    for (json, text) in [
        (r"x'), (1,2,'y", r"x'), (1,2,'y"),
        ("a,b", "a,b"),
        (r#"say \"hi\""#, r#"say "hi""#),
        (r"two\nlines", "two\nlines"),
        (r"C:\\temp", r"C:\temp"),
        (r"\\N", r"\N"),
        ("NULL", "NULL"),
        ("🌡 90°", "🌡 90°"),
        (r"\u0000", "\0"),
        (" ", " "),
        ("null", "null"),
    ] {
        let data = format!(r#"{{"sensorId":1,"status":"{json}"}}"#);
        check(&data, &[&format!("row: 1 | NULL | {text}")]);
    }
}

#[test]
fn null_and_the_empty_string_are_told_apart() {
    let check = |data: &str, expected| {
        let batch = decode(&sensors(), &records(&[data]));
        assert_eq!(batch.rows[0].cells.get(2), Some(expected), "{data}");
    };
    check(r#"{"sensorId":1,"status":""}"#, Cell::Text(""));
    check(r#"{"sensorId":1,"status":null}"#, Cell::Null);
    check(r#"{"sensorId":1}"#, Cell::Null);
}

#[test]
fn documents_are_numbered_poison_counted() {
    let data = "{\"sensorId\":6}\n7 {\"sensorId\":8}\n{\"sensorId\":";
    let batch = decode(&sensors(), &records(&[data, r#"{"sensorId":9}"#]));

    let places = |position: &Position| (position.sequence_number.to_string(), position.document_number);
    let rows: Vec<_> = batch.rows.iter().map(|row| places(&row.position())).collect();
    let poison: Vec<_> = batch.poison.iter().map(|poison| places(&poison.position())).collect();
    assert_eq!(rows, [("100".to_owned(), 0), ("100".to_owned(), 2), ("101".to_owned(), 0)]);
    assert_eq!(poison, [("100".to_owned(), 1), ("100".to_owned(), 3)]);
    assert_eq!(batch.rows[1].document.bytes(), br#"{"sensorId":8}"#);
    assert_eq!(batch.poison[0].document.bytes(), b"7");
    assert_eq!(batch.poison[1].document.bytes(), b"\n{\"sensorId\":");
    assert_eq!(batch.rows[1].partition_value(&sensors()), "8");
}

#[test]
fn a_position_twice_in_a_batch_counts_once() {
    let once = records(&[r#"{"sensorId":6}"#, "poison"]);
    let twice = [once.clone(), once.clone()].concat();

    let expected = decode(&sensors(), &once);
    let batch = decode(&sensors(), &twice);

    assert_eq!((&batch.rows, &batch.poison), (&expected.rows, &expected.poison));
    assert_eq!(batch.n_duplicates, 2);
}

#[test]
fn a_document_that_is_redriven_beside_its_record_counts_once() {
    let whole = record(100, br#"{"sensorId":6} {"sensorId":7}"#);
    let redriven = |document_number, data: &[u8]| Record {
        place: Some(Place { subsequence_number: 0, document_number }),
        ..record(100, data)
    };
    let records = [whole, redriven(1, br#"{"sensorId":7}"#), redriven(2, b"7"), redriven(2, b"8")];

    let batch = decode(&sensors(), &records);

    assert_eq!((batch.rows.len(), batch.poison.len(), batch.n_duplicates), (2, 1, 2));
    assert_eq!(batch.poison[0].document.bytes(), b"7");
}

#[test]
fn a_panic_is_its_records_own_poison() {
    let pipeline = sensors();
    let records = records(&[r#"{"sensorId":6}"#, r#"{"sensorId":7}"#, r#"{"sensorId":8}"#]);

    let read = |record: &Record, batch: &mut Batch| {
        read(&pipeline, &mut Inflater::new(0), record, batch);
        assert_ne!(record.sequence_number.as_str(), "101", "when it has come to something already");
        0
    };
    let (batch, _) = decode_with(&records, read, ANY);

    let rows: Vec<_> = batch.rows.iter().map(|row| row.document.source.sequence_number.as_str()).collect();
    assert_eq!(rows, ["100", "102"]);
    assert_eq!(batch.poison.len(), 1);
    assert_eq!(batch.poison[0].reason, "decoding the record panicked: a fault of Landfall");
    assert_eq!(batch.poison[0].document.source.sequence_number.as_str(), "101");
    assert_eq!(batch.poison[0].document.bytes(), br#"{"sensorId":7}"#);
}

#[test]
fn so_much_poison_is_one_dead_letter_from_there_on() {
    let data = "1 ".repeat(500) + r#"{"sensorId":6}"#;
    let batch = decode(&sensors(), &records(&[data.as_str(), r#"{"sensorId":7}"#]));

    // 10 and one for each 100 of the 1,014 bytes, and the rest.
    assert_eq!(batch.poison.len(), 21);
    let rest = &batch.poison[20];
    assert_eq!(rest.document.bytes(), &data.as_bytes()[40..]);
    let expected = "the document is a number, not an object; after so much poison the rest of the record was not read";
    assert_eq!(rest.reason, expected);
    assert_eq!(batch.rows.len(), 1, "the neighbour goes on");
}

#[test]
fn a_record_of_too_many_rows_is_one_poison_that_holds_it_as_it_came() {
    let packed = |n_rows: usize| zstd::encode_all("{\"sensorId\":6}".repeat(n_rows).as_bytes(), 0).unwrap();
    let (neighbour, too_many) = (packed(1), packed(MAX_RECORD_ROWS + 1));

    let batch = decode(&sensors(), &records(&[&neighbour, &too_many, &neighbour]));

    assert_eq!(batch.rows.len(), 2);
    let [poison] = &batch.poison[..] else { panic!("{} poison", batch.poison.len()) };
    assert_eq!(poison.reason, "the record holds more than 150000 documents");
    assert_eq!(poison.document.bytes(), too_many);
}

#[test]
fn an_invocation_takes_the_first_records_that_it_has_room_for() {
    let packed = |text: &str| zstd::encode_all(text.as_bytes(), 0).unwrap();
    let inside = |n_bytes: usize| packed(&format!("{{\"sensorId\":6,\"x\":\"{}\"}}", "x".repeat(n_bytes)));
    let behind = |n_bytes: usize| packed(&format!("{{\"sensorId\":6}}{}", " ".repeat(n_bytes)));
    let poison = |n_bytes: usize| packed(&"x".repeat(n_bytes));
    let rows = |n_rows: usize| "{\"sensorId\":6}".repeat(n_rows);
    let check = |data: &[Vec<u8>], n_records: usize, n_rows: usize| {
        let (batch, n) = decode_first(&sensors(), &records(data));
        assert_eq!((n, batch.rows.len()), (n_records, n_rows));
    };

    check(&[], 0, 0);
    check(&[inside(0), poison(1), inside(0)], 3, 2);
    // What is around a document is held as well, and so is poison.
    for half in [inside(MAX_BYTES / 2), behind(MAX_BYTES / 2)] {
        check(&[half.clone(), poison(MAX_BYTES / 4), inside(0), half, inside(0)], 3, 2);
    }
    check(&vec![rows(100).into_bytes(); MAX_ROWS / 100 + 1], MAX_ROWS / 100, MAX_ROWS);
    // One is taken however large it is, and nothing beside it.
    check(&[inside(0), inside(MAX_BYTES), inside(0)], 1, 1);
    check(&[inside(MAX_BYTES), inside(0)], 1, 1);
    check(&[packed(&rows(1)), packed(&rows(MAX_ROWS)), packed(&rows(1))], 1, 1);
    check(&[packed(&rows(MAX_ROWS + 1)), packed(&rows(1))], 1, MAX_ROWS + 1);
}

#[test]
fn a_record_that_is_left_to_the_next_invocation_leaves_nothing_behind() {
    let long = |document: &str| zstd::encode_all(format!("{document}{}", " ".repeat(MAX_BYTES)).as_bytes(), 0).unwrap();
    let (first, again) = (record(100, b"{\"sensorId\":6}"), record(100, &long("{\"sensorId\":6}")));
    let (batch, n) = decode_first(&sensors(), &[first.clone(), again, record(101, b"7")]);
    assert_eq!((batch, n), (decode(&sensors(), &[first]), 1));
}

#[test]
fn what_becomes_of_a_record_does_not_depend_on_its_batch() {
    let pipeline = sensors_with(&[("name = \"sensors\"", "name = \"sensors\"\nmax_inflated_bytes = 1048576")]);
    let packed = |n: u8, n_bytes: usize| {
        let text = format!("{{\"sensorId\":{n}}}");
        zstd::encode_all([text.as_bytes(), &vec![b' '; n_bytes - text.len()]].concat().as_slice(), 0).unwrap()
    };
    let data = [packed(6, 1 << 20), packed(7, (1 << 20) + 1), packed(8, 1 << 20)];

    let batch = decode(&pipeline, &records(&data));

    let rows: Vec<_> = batch.rows.iter().map(|row| row.partition_value(&pipeline)).collect();
    assert_eq!(rows, ["6", "8"]);
    let [poison] = &batch.poison[..] else { panic!("{} poison", batch.poison.len()) };
    assert_eq!(poison.document.source.sequence_number.as_str(), "101");
    assert_eq!(poison.document.bytes(), data[1], "as it came, to be redriven");
    let reason =
        "inflated, the record would take more than 1048576 bytes, which is max_inflated_bytes in pipeline.toml";
    assert_eq!(poison.reason, reason);
}
