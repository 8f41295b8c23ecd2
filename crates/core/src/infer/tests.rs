use super::*;
use crate::testing::record;
use crate::{Pipeline, decode};

/// The pipeline derived, and that it decodes every document of its sample.
#[track_caller]
fn derived(sample: &str) -> Inferred {
    let inferred = infer("test", sample.as_bytes()).unwrap();
    let pipeline = Pipeline::from_toml(&inferred.toml).unwrap_or_else(|error| panic!("{error}\n{}", inferred.toml));
    let batch = decode(&pipeline, &[record(100, sample.as_bytes())]);
    assert_eq!((batch.rows.len(), batch.poison), (inferred.n_documents, vec![]), "{sample}");
    inferred
}

/// The field that comes after `id`, of documents with these values under `key`, as `type column: comment`.
#[track_caller]
fn check_key(key: &str, values: &[&str], expected: &str) {
    let key = serde_json::Value::from(key);
    let documents = values.iter().map(|value| format!("{{\"id\":7,{key}:{value}}}"));
    let inferred = derived(&documents.collect::<Vec<_>>().join("\n"));
    let fields = inferred.fields.iter().skip(1).map(|field| {
        let required = if field.required { "" } else { "optional " };
        let comment = field.comment.as_ref().map_or(String::new(), |comment| format!(": {comment}"));
        format!("{} {} {required}{}{comment}", field.name, field.column, field.data_type)
    });
    assert_eq!(fields.collect::<Vec<_>>().join(" | "), expected, "{values:?}");
}

#[track_caller]
fn check(values: &[&str], expected: &str) {
    check_key("x", values, &format!("x X {expected}"));
}

#[test]
fn numbers_are_as_narrow_as_they_are_written() {
    check(&["1", "-2"], "integer");
    check(&["9007199254740993", "12345678901234567890123456789012345678"], "integer");
    check(&["1", "123456789012345678901234567890123456789"], "string: integers of more than 38 digits");
    check(&["1.0", "2"], "float");
    check(&["1.5", "2.25"], "float");
    check(&["1e3", "2"], "float");
    check(&["1.5e3", "2.5"], "float");
    check(&["1e999", "2.5"], "string: numbers beyond a double");
    check(&["1.10", "2.25", "-3.00"], "decimal(18,2): always 2 decimals in the sample");
    check(&["1.10", "2.25", "-3"], "float");
    check(&["1.1", "2.2"], "float");
    check_key(
        "total",
        &["1.5", "2", "64.90"],
        "total TOTAL decimal(18,2): money: more than 2 decimals would be poison",
    );
    check_key("unitPrice", &["1.5"], "unitPrice UNITPRICE decimal(18,2): money: more than 2 decimals would be poison");
    check_key(
        "taxAmount",
        &["1.125", "2"],
        "taxAmount TAXAMOUNT decimal(18,3): money: more than 3 decimals would be poison",
    );
    check_key("total", &["15", "2"], "total TOTAL integer");
    check_key("total", &["1.5e3", "2"], "total TOTAL float");
    check(&["1.123456789", "12345678901234.123456789"], "decimal(23,9): always 9 decimals in the sample");
    check(&["1.1234567890", "2.1234567890"], "float");
    let large = format!("{}.10", "9".repeat(37));
    check(&[&large, "2.25"], "float");
}

#[test]
fn strings_are_text_unless_all_are_moments_or_days() {
    check(&["\"a\"", "\"\""], "string");
    check(&["\"64\"", "\"65\""], "string");
    check(&["\"2026-11-20\"", "\"2026-11-21\""], "date");
    check(&["\"2026-11-20\"", "\"\""], "string");
    check(&["\"2026-11-20T14:00:00Z\"", "\"2026-11-20 15:00:00.5+0100\""], "timestamp");
    check(&["\"2026-11-20T14:00:00Z\"", "\"2026-11-20\""], "string");
    check(&["true", "false"], "boolean");
    check(&["true", "1"], "string: scalars of several types");
    check(&["64", "\"65\""], "string: scalars of several types");
    check(&["\"OK\"", "\"OK\"", "\"WARN\"", "\"OK\""], "string: 2 distinct values");
}

#[test]
fn a_number_is_an_epoch_when_its_key_says_so_and_it_lies_in_this_century() {
    let check = |key: &str, values: &[&str], expected: &str| {
        let column = key.to_uppercase();
        check_key(key, values, &format!("{key} {column} {expected}"));
    };
    for key in ["ts", "eventTime", "event_time", "timestamp", "createdAt", "created_at", "EVENT_TS", "epochMs", "date"]
    {
        check(key, &["1795183200123", "1795183200124"], "timestamp(ms)");
        check(key, &["1795183200", "1795183201.5"], "timestamp(s)");
    }
    for key in ["timeout", "status", "format", "attempts", "n"] {
        check(key, &["1795183200123", "1795183200124"], "integer");
    }
    check("ts", &["1795183200123", "1795183200"], "integer");
    check("ts", &["946684799", "946684800"], "integer");
    check("ts", &["946684800", "4102444799"], "timestamp(s)");
    check("ts", &["4102444800", "946684800"], "integer");
    check("ts", &["1795183200.1234567891", "1795183200"], "float");
    check("date", &["20261120", "20261121"], "integer");
    check("ts", &["\"1795183200123\"", "\"1795183200124\""], "string");
}

#[test]
fn objects_are_flattened_as_far_as_they_are_records() {
    let check = |values: &[&str], expected: &str| check_key("x", values, expected);
    check(
        &[r#"{"a":1,"b":{"c":"d"}}"#, r#"{"n":true,"b":{"c":"e"},"a":2}"#],
        "/x/a X_A integer | /x/b/c X_B_C string | /x/n X_N optional boolean: missing or null in 1 of 2 documents",
    );
    check(&[r#"{"a":1}"#, "null"], "/x/a X_A optional integer: missing or null in 1 of 2 documents");
    check(
        &[r#"{"b":{"c":{"d":1,"e":{"f":1}}}}"#],
        "/x/b/c/d X_B_C_D integer | /x/b/c/e X_B_C_E variant: an object below 4 levels",
    );
    check(
        &[r#"{"a":{}}"#, r#"{"a":null}"#],
        "/x/a X_A optional variant: an object, empty in the sample; missing or null in 1 of 2 documents",
    );
}

#[test]
fn what_is_no_scalar_in_all_documents_is_a_variant() {
    check(&["[1]", "[]"], "variant: an array");
    check(&["null", "null"], "optional variant: always null in the sample: give it a type");
    let mixed = "variant: an object, an array or a scalar: not the same in all documents";
    check(&["[1]", "1"], mixed);
    check(&["{\"a\":1}", "1"], mixed);
    check(&["{\"a\":1}", "[]"], mixed);
    check(&["{}", "{}"], "variant: an object, empty in the sample");
    let keys = |n: usize| format!("{{{}}}", (0..n).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","));
    check(&[&keys(31), "{}"], "variant: an object of more than 30 different keys");
    assert_eq!(derived(&format!("{{\"id\":1,\"x\":{}}}", keys(30))).fields.len(), 31);
    assert_eq!(derived(&format!("{{\"id\":1,{}", &keys(100)[1..])).fields.len(), 101, "a document is no map");
}

#[test]
fn a_field_keeps_its_key_and_gets_a_column_of_its_own() {
    check_key("", &["{\"\":1}"], "// _ integer");
    check_key("/a~b", &["1"], "/~1a~0b _A_B integer");
    check_key("a~/b", &["{\"c/d~\":1}"], "/a~0~1b/c~1d~0 A__B_C_D_ integer");
    check_key("größe", &["1"], "größe GR__E integer");
    check_key("1st", &["1"], "1st _1ST integer");
    check_key("$ref", &["{\"$date\":\"x\"}"], "/$ref/$date _$REF_$DATE string");
    check_key("extra", &["1"], "extra EXTRA_2 integer");
    check_key("kinesis_arrived_at", &["1"], "kinesis_arrived_at KINESIS_ARRIVED_AT_2 integer");
    check_key("ID", &["1"], "ID ID_2 integer");
    check_key("a", &["{\"b\":1,\"B\":2}"], "/a/b A_B integer | /a/B A_B_2 integer");
    check_key("a", &["{\"b_2\":1,\"b\":2,\"B\":3}"], "/a/b_2 A_B_2 integer | /a/b A_B integer | /a/B A_B_3 integer");
    check_key("a\n\"b\\\u{7f}\0'c", &["1"], "a\n\"b\\\u{7f}\0'c A__B____C integer");
    let long = "k".repeat(300);
    check_key(&long, &["1"], &format!("{long} {} integer", "K".repeat(240)));
}

/// The partitioning field, its label and the layout that a sample of such documents gets.
#[track_caller]
fn check_partition(n_documents: usize, document: impl Fn(usize) -> String, expected: &str) {
    let documents: Vec<_> = (0..n_documents).map(document).collect();
    let inferred = derived(&documents.join("\n"));
    let landing = Pipeline::from_toml(&inferred.toml).unwrap().landing;
    assert_eq!(format!("{} {} {:?}", inferred.partition_by, landing.partition_label, landing.layout), expected);
}

#[test]
fn the_partitioning_field_names_things_and_its_values_repeat() {
    let sensors = |n: usize| format!(r#"{{"status":"OK","t":{n},"sensorId":{}}}"#, n % 5);
    check_partition(20, sensors, "sensorId sensor PerPartition");
    check_partition(1, sensors, "sensorId sensor PerPartition");
    check_partition(3, sensors, "sensorId sensor PerBatch");
    let orders = |n: usize| format!(r#"{{"orderId":{n},"customer":{{"id":"c{}"}},"amount":{n}.25}}"#, n % 7);
    check_partition(20, orders, "/customer/id customer PerPartition");
    let mostly_unique =
        |n: usize| format!(r#"{{"customerId":{},"currency":"{}"}}"#, n % 17, ["EUR", "SEK", "BRL"][n % 3]);
    check_partition(20, mostly_unique, "currency currency PerPartition");
    let visits = |n: usize| format!(r#"{{"visitorId":{},"shop_id":"s{}","t":1}}"#, n % 9, n % 3);
    check_partition(20, visits, "shop_id shop PerPartition");
    let states = |n: usize| format!(r#"{{"orderId":{n},"quantity":{},"order_status":"{}"}}"#, n % 3, n % 4);
    check_partition(20, states, "order_status order_status PerPartition");
    let places = |n: usize| format!(r#"{{"orderId":{n},"quantity":{},"place":"{}"}}"#, n % 3, n % 4);
    check_partition(20, places, "place place PerPartition");
    let unique = |n: usize| format!(r#"{{"quantity":{},"order_uuid":"{n}","price":{n}.25}}"#, n % 3);
    check_partition(20, unique, "order_uuid order PerBatch");
    check_partition(20, |n| format!(r#"{{"ok":true,"day":"2026-11-{}"}}"#, 10 + n), "day day PerBatch");
    check_partition(20, |n| format!(r#"{{"id":{}}}"#, n % 3), "id id PerPartition");
    check_partition(20, |n| format!(r#"{{"__":"{}"}}"#, n % 3), "__ partition PerPartition");
    check_partition(20, |_| r#"{"__id":1}"#.to_owned(), "__id id PerPartition");
}

#[test]
fn a_sample_is_lines_or_documents_or_an_array() {
    let check = |sample: &str, n_documents: usize, documents: &str| {
        let inferred = infer("test", sample.as_bytes()).unwrap();
        assert_eq!(inferred.n_documents, n_documents, "{sample}");
        assert!(inferred.toml.contains(&format!("\ndocuments = \"{documents}\" ")), "{}", inferred.toml);
    };
    check("{\"id\":1}\n{\"id\":2}\n", 2, "lines");
    check("\u{feff}\r\n{\"id\":1}\r\n\r\n{\"id\":2}\r\n ", 2, "lines");
    check("{\"id\":1}{\"id\":2} {\n \"id\":\n3}", 3, "lines");
    check("[{\"id\":1},\n{\"id\":2}]", 2, "array");
    check("[]\n{\"id\":2}", 1, "array");
}

#[track_caller]
fn check_refused(sample: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(infer("test", sample.as_ref()).unwrap_err().to_string(), expected);
}

#[test]
fn a_sample_without_documents_says_so() {
    for empty in ["", "\u{feff}", " \r\n\n", "[]", "[]\n[]"] {
        check_refused(empty, "failed to read the sample: it holds no document");
    }
}

#[test]
fn a_line_that_is_no_document_is_named() {
    let check = |line: &str, expected: &str| {
        let sample = format!("{{\"id\":1}}\n\r\n{line}\n{{\"id\":2}}\n");
        check_refused(sample, &format!("failed to read the sample: line 3: {expected}"));
    };
    check("7", "the document is a number, not an object");
    check("[{\"id\":1}, null]", "the document is null, not an object");
    check("sensor 7", "invalid JSON: expected value at line 3 column 1");
    check("{\"id\":1", "invalid JSON: expected `,` or `}` at line 4 column 1");
    check("{\"id\":1,\"a\":{\"b\":1,\"b\":2}}", "the key `b` stands twice");
    check("{\"id\":\"\\ud800\"}", "invalid JSON: unexpected end of hex escape");
    check(&format!("{{\"id\":{}1{}}}", "[".repeat(200), "]".repeat(200)), "nested deeper than 128 levels");
    check_refused(b"{\"id\":1}\n{\"id\":\"\xff\"}", "failed to read the sample: line 2: invalid UTF-8 at byte 16");
}

#[test]
fn without_a_partitioning_field_there_is_no_pipeline() {
    for sample in ["{}", "{\"\":1}", "{\"a\":1}\n{\"b\":1}", "{\"a\":true,\"ts\":1795183200,\"b\":[],\"c\":1e3}"] {
        let expected =
            "failed to choose the partitioning field: no string, integer, decimal or date is in every document";
        check_refused(sample, expected);
    }
}

#[test]
fn names_are_made_of_what_is_given() {
    let check = |name: &str, expected: &str| {
        let pipeline = Pipeline::from_toml(&infer(name, b"{\"id\":1}").unwrap().toml).unwrap();
        assert_eq!(format!("{} {}", pipeline.name, pipeline.snowflake.streaming_table), expected);
        assert_eq!(pipeline.landing.prefix, format!("landing/{}", pipeline.name));
    };
    check("orders", "orders KINESIS_ORDERS_STREAMING");
    check("my orders.2026_1", "my-orders-2026_1 KINESIS_MY_ORDERS_2026_1_STREAMING");
    check("-\"ö\n", "stream KINESIS_STREAM_STREAMING");
    check(&"x".repeat(300), &format!("{} KINESIS_{}_STREAMING", "x".repeat(100), "X".repeat(100)));
}

#[test]
fn the_file_is_commented_as_the_default_one_is() {
    let inferred = derived("{\"\":0,\"id\":7,\"device\":{\"t\":1.25}}\n{\"id\":8,\"device\":{\"t\":2.50}}");
    insta::assert_snapshot!(inferred.toml, @r#"
    # What a record holds and where its rows go. Both functions, the generator and the DDL read this one file.
    # Derived from a sample of 2 documents: a proposal, to be read before the first deployment.
    #
    # The order of the fields is the order of the columns. Once deployed, it is append-only: new fields go to the end.
    # A document that lacks a field with `required = true`, or has null there, is poison: it becomes a dead letter.
    # Types: integer | decimal(p,s) | float | boolean | string | timestamp (ISO 8601) | timestamp(s), timestamp(ms)
    # (a number since 1970) | date | variant (any JSON). A name like "/a/b" reaches into nested objects.
    #
    # Next: landfall check FILE, then landfall demo --pipeline FILE
    name = "test"
    unknown_fields = "keep"              # ignore | reject | keep (as the VARIANT column EXTRA)
    documents = "lines"                  # lines (newline-separated or concatenated JSON) | array (a top-level array is several documents)

    [[fields]]
    name = "id"
    column = "ID"
    type = "integer"
    required = true

    [[fields]]
    name = "/device/t"
    column = "DEVICE_T"
    type = "decimal(18,2)"               # always 2 decimals in the sample
    required = true

    [landing]
    prefix = "landing/test"
    partition_by = "id"                  # 2 distinct values in 2 documents
    partition_label = "id"
    layout = "per-batch"                 # per-partition would put one object a document: each has a value of its own there
    compression = "none"                 # none | gzip | zstd
    dead_letter_prefix = "deadletter/test"

    [snowflake]
    database = "LANDFALL"
    schema = "STAGING"
    streaming_table = "KINESIS_TEST_STREAMING"
    microbatch_table = "KINESIS_TEST_MICROBATCH"
    "#);
    insta::assert_snapshot!(inferred.notes.join("\n"), @r#"
    the sample is small (2 documents): check what is required, for a document without it is poison
    each document has its own partition value, hence layout = "per-batch"
    the empty key cannot be a field: its value is kept in the column EXTRA
    "#);
}
