use super::*;
use crate::testing::{sensors, sensors_with};

fn errors(text: &str) -> String {
    Pipeline::from_toml(text).unwrap_err().to_string()
}

/// The faults of the default file with one change, without the heading.
#[track_caller]
fn check(from: &str, to: &str, expected: &[&str]) {
    let default = include_str!("../../../../pipeline.toml");
    assert!(default.contains(from), "{from}");
    let error = errors(&default.replacen(from, to, 1));
    let faults: Vec<&str> = error.lines().skip(1).map(str::trim).collect();
    assert_eq!(faults, expected, "{to}");
}

#[test]
fn the_default_file_is_the_sensor_stream() {
    let field = |name: &str, data_type, required| Field {
        name: name.to_owned(),
        path: vec![name.to_owned()],
        column: name.to_uppercase(),
        data_type,
        required,
    };
    let expected = Pipeline {
        name: "sensors".to_owned(),
        unknown_fields: UnknownFields::Ignore,
        documents: Documents::Lines,
        max_inflated_bytes: DEFAULT_MAX_INFLATED_BYTES,
        fields: vec![
            field("sensorId", DataType::Integer, true),
            field("currentTemperature", DataType::Integer, false),
            field("status", DataType::String, false),
        ],
        landing: Landing {
            prefix: "kinesiscsv".to_owned(),
            partition_by: 0,
            partition_label: "sensor".to_owned(),
            layout: Layout::PerPartition,
            compression: Compression::None,
            dead_letter_prefix: "deadletter".to_owned(),
        },
        snowflake: Snowflake {
            database: "LANDFALL".to_owned(),
            schema: "STAGING".to_owned(),
            streaming_table: "KINESIS_SENSORS_STREAMING".to_owned(),
            microbatch_table: "KINESIS_SENSORS_MICROBATCH".to_owned(),
        },
    };
    assert_eq!(sensors(), expected);
    assert_eq!(sensors().partition_field().name, "sensorId");
}

const RICH: &str = r#"
name = "rich"
unknown_fields = "keep"
documents = "array"
max_inflated_bytes = 0x10_0000
fields = [
    { name = "/device/id", type = "string", required = true },
    { name = "/device/a~1b~0", column = "A_B", type = "decimal( 38, 37 )" },
    { name = "i", type = "integer" },
    { name = "f", type = "float" },
    { name = "b", type = "boolean" },
    { name = "t", type = "timestamp" },
    { name = "s", type = "timestamp(s)" },
    { name = "ms", type = "timestamp(ms)" },
    { name = "d", type = "date" },
    { name = "v", type = "variant" },
]
[landing]
partition_by = "/device/id"
layout = "per-batch"
compression = "zstd"
[snowflake]
database = "_D$1"
schema = "S"
streaming_table = "A"
microbatch_table = "B"
"#;

#[test]
fn every_type_and_option_is_read() {
    let pipeline = Pipeline::from_toml(RICH).unwrap();

    let fields: Vec<_> = pipeline.fields.iter().map(|f| format!("{} {} {:?}", f.column, f.data_type, f.path)).collect();
    insta::assert_snapshot!(fields.join("\n"), @r#"
    ID string ["device", "id"]
    A_B decimal(38,37) ["device", "a/b~"]
    I integer ["i"]
    F float ["f"]
    B boolean ["b"]
    T timestamp ["t"]
    S timestamp(s) ["s"]
    MS timestamp(ms) ["ms"]
    D date ["d"]
    V variant ["v"]
    "#);
    assert_eq!((pipeline.unknown_fields, pipeline.documents), (UnknownFields::Keep, Documents::Array));
    assert_eq!(pipeline.max_inflated_bytes, 1 << 20);
    let Landing { prefix, partition_label, layout, compression, dead_letter_prefix, .. } = pipeline.landing;
    assert_eq!((layout, compression), (Layout::PerBatch, Compression::Zstd));
    assert_eq!([prefix, partition_label, dead_letter_prefix], ["kinesiscsv", "partition", "deadletter"]);
}

#[test]
fn extra_stands_between_provenance_and_the_fields() {
    let columns = |pipeline: &Pipeline| -> Vec<String> {
        pipeline.columns().into_iter().skip(5).map(|column| column.name).collect()
    };
    assert_eq!(columns(&sensors()), ["KINESIS_ARRIVED_AT", "SENSORID", "CURRENTTEMPERATURE", "STATUS"]);
    let keep = sensors_with(&[("\"ignore\"", "\"keep\"")]);
    assert_eq!(columns(&keep), ["KINESIS_ARRIVED_AT", "EXTRA", "SENSORID", "CURRENTTEMPERATURE", "STATUS"]);
}

#[test]
fn every_fault_of_a_file_is_named_at_once() {
    let error = errors(
        r#"name = "sen sors"
unknown_feilds = "keep"
documents = ["lines"]

[[fields]]
name = "sensorId"
column = "sensorid"
type = "integer"
requierd = true

[[fields]]
name = "temperature"
column = "STATUS"
type = "decimal(39,2)"

[[fields]]
name = "pressure"
column = "EXTRA"
type = "decimal(5,6)"

[[fields]]
name = "status"
column = "STATUS"
type = 7

[[fields]]
name = "/a"
column = "KINESIS_SHARD_ID"
type = "variant"
required = "yes"

[[fields]]
name = "/a/b"
type = "text"

[landing]
partition_by = "/a"
partition_label = "a/b"
layout = "per-sensor"
prefix = "landing"
dead_letter_prefix = "landing/dead"

[snowflake]
database = "LANDFALL"
schema = "staging-1"
streaming_table = "T"
microbatch_table = "T"
"#,
    );
    insta::assert_snapshot!(error, @r#"
    failed to read the pipeline: 21 faults
      line 1: the name "sen sors" does not fit; use letters, digits, - and _
      line 2: the file has no key `unknown_feilds`; write `unknown_fields`
      line 3: the file `documents` is an array; write documents = "lines"
      line 7: `column` is "sensorid", which is no upper-case identifier; write "SENSORID"
      line 9: the field has no key `requierd`; write `required`
      line 14: there is no type "decimal(39,2)"; write integer, decimal(p,s) with p up to 38 and s up to p (37 at most), float, boolean, string, timestamp, timestamp(s), timestamp(ms), date or variant
      line 18: the column EXTRA is Landfall's own; give the field another column
      line 19: there is no type "decimal(5,6)"; write integer, decimal(p,s) with p up to 38 and s up to p (37 at most), float, boolean, string, timestamp, timestamp(s), timestamp(ms), date or variant
      line 21: `temperature` and `status` share the column STATUS; give one of them another column
      line 24: the field `type` is an integer; write type = "integer"
      line 28: the column KINESIS_SHARD_ID is Landfall's own; give the field another column
      line 30: the field `required` is a string; write required = true or required = false
      line 32: `/a` and `/a/b` name the same value, or one holds the other; remove one of them
      line 34: there is no type "text"; write integer, decimal(p,s) with p up to 38 and s up to p (37 at most), float, boolean, string, timestamp, timestamp(s), timestamp(ms), date or variant
      line 37: the partitioning field `/a` is optional; add required = true to it, or partition by another
      line 37: the partitioning field `/a` is a variant; partition by a scalar field
      line 38: `partition_label` holds a slash; use letters, digits, - and _
      line 39: landing `layout` is "per-sensor"; write one of "per-partition", "per-batch"
      line 41: the dead letters lie under the landing prefix, where Snowpipe would load them; use a prefix beside it, such as "deadletter"
      line 45: `schema` is "staging-1", which is no upper-case identifier; use A-Z, 0-9, _ and $, not a digit first, 255 at most
      line 47: both tables have one name; name them apart: each row would stand twice
    "#);
}

#[test]
fn what_is_missing_is_named_where_it_would_stand() {
    insta::assert_snapshot!(errors(""), @r#"
    failed to read the pipeline: 4 faults
      line 1: the file has no `name`; add name = "sensors"
      line 1: there are no fields; add a [[fields]] section for each column
      line 1: there is no [landing] section; add [landing], as in the default pipeline.toml
      line 1: there is no [snowflake] section; add [snowflake], as in the default pipeline.toml
    "#);
    insta::assert_snapshot!(errors("name = \"x\"\nfields = []\n[landing]\n\n[snowflake]\n"), @r#"
    failed to read the pipeline: 6 faults
      line 1: there are no fields; add a [[fields]] section for each column
      line 3: landing has no `partition_by`; add partition_by = "sensorId"
      line 5: snowflake has no `database`; add database = "LANDFALL"
      line 5: snowflake has no `schema`; add schema = "STAGING"
      line 5: snowflake has no `streaming_table`; add streaming_table = "KINESIS_SENSORS_STREAMING"
      line 5: snowflake has no `microbatch_table`; add microbatch_table = "KINESIS_SENSORS_MICROBATCH"
    "#);
}

#[test]
fn a_tables_name_leaves_room_for_its_views() {
    let (longest, longer) = ("A".repeat(242), "A".repeat(243));
    let default = include_str!("../../../../pipeline.toml");
    let with = |name: &str| default.replacen("KINESIS_SENSORS_MICROBATCH", name, 1);
    assert!(Pipeline::from_toml(&with(&longest)).is_ok());
    let what = "line 34: `microbatch_table` has 243 characters, and its view's name is 13 longer; use 242 at most";
    check("KINESIS_SENSORS_MICROBATCH", &longer, &[what]);
}

#[test]
fn bad_toml_is_named_by_its_line() {
    let default = include_str!("../../../../pipeline.toml");
    insta::assert_snapshot!(errors(&default.replacen("column = \"STATUS\"", "column = STATUS", 1)), @"
    failed to read the pipeline: 1 fault
      line 19: this is not TOML: string values must be quoted, expected literal string; see https://toml.io
    ");
    insta::assert_snapshot!(errors(&default.replacen("[landing]", "[landing", 1)), @"
    failed to read the pipeline: 2 faults
      line 1: there is no [landing] section; add [landing], as in the default pipeline.toml
      line 22: this is not TOML: unclosed table, expected `]`; see https://toml.io
    ");
    insta::assert_snapshot!(
        errors(&default.replacen("KINESIS_SENSORS_MICROBATCH", "KINESIS_SENSORS_STREAMING_DEDUPLICATED", 1)),
        @r#"
    failed to read the pipeline: 1 fault
      line 34: `microbatch_table` is "KINESIS_SENSORS_STREAMING_DEDUPLICATED", as the deduplicating views are called; choose a name that does not end in _DEDUPLICATED
    "#
    );
    insta::assert_snapshot!(errors(&default.replacen("schema = \"STAGING\"", "database = \"STAGING\"", 1)), @r#"
    failed to read the pipeline: 2 faults
      line 30: snowflake has no `schema`; add schema = "STAGING"
      line 32: this is not TOML: duplicate key; see https://toml.io
    "#);
}

#[test]
fn the_partitioning_field_is_a_required_scalar() {
    let by = "partition_by = \"sensorId\"";
    check(
        by,
        "partition_by = \"sensor\"",
        &[r#"line 24: no field is named "sensor"; write one of: sensorId, currentTemperature, status"#],
    );
    check(
        by,
        "partition_by = \"status\"",
        &["line 24: the partitioning field `status` is optional; add required = true to it, or partition by another"],
    );
    check(
        "type = \"integer\"     ",
        "type = \"variant\"     ",
        &["line 24: the partitioning field `sensorId` is a variant; partition by a scalar field"],
    );
    // A wrong type is no reason to say that the field is not there.
    let types = "write integer, decimal(p,s) with p up to 38 and s up to p (37 at most), float, boolean, string, \
                 timestamp, timestamp(s), timestamp(ms), date or variant";
    check("type = \"integer\"     ", "type = \"int\"     ", &[&format!("line 9: there is no type \"int\"; {types}")]);
}

#[test]
fn prefixes_are_plain_and_apart() {
    let plain = "use letters, digits, -, _, . and =, with single slashes between parts";
    for bad in ["/a", "a/", "a//b", "../a", "a/.", "ä", "", "a b"] {
        let fault = format!("line 23: `prefix` is \"{bad}\"; {plain}");
        check("prefix = \"kinesiscsv\"", &format!("prefix = \"{bad}\""), &[&fault]);
    }
    let under = "line 28: the dead letters lie under the landing prefix, where Snowpipe would load them; \
                 use a prefix beside it, such as \"deadletter\"";
    check("\"deadletter\"", "\"kinesiscsv/deadletter\"", &[under]);
    check("\"deadletter\"", "\"kinesiscsv\"", &[under]);
    sensors_with(&[("\"deadletter\"", "\"kinesiscsv-dead\"")]);
}

#[test]
fn a_slip_of_the_fingers_is_recognised() {
    for slip in ["Compression", "compresion", "compresssion", "cmopression", "comprassion", "compress"] {
        let what = format!("line 27: landing has no key `{slip}`; write `compression`");
        check("compression", slip, &[&what]);
    }
    let known = "prefix, dead_letter_prefix, partition_label, partition_by, layout, compression";
    for other in ["codec", "\"\""] {
        let name = other.trim_matches('"');
        check("compression", other, &[&format!("line 27: landing has no key `{name}`; remove it; known are: {known}")]);
    }
}

#[test]
fn one_value_fills_one_column() {
    let twice = |a: &str| {
        format!("line 17: `sensorId` and `{a}` name the same value, or one holds the other; remove one of them")
    };
    check("name = \"status\"", "name = \"sensorId\"", &[&twice("sensorId")]);
    check("name = \"status\"", "name = \"/sensorId\"", &[&twice("/sensorId")]);
    check("name = \"status\"", "name = \"/sensorId/x\"", &[&twice("/sensorId/x")]);
    check(
        "\"STATUS\"",
        "\"SENSORID\"",
        &["line 17: `sensorId` and `status` share the column SENSORID; give one of them another column"],
    );
    for own in ["EXTRA", "KINESIS_SHARD_ID", "KINESIS_ARRIVED_AT"] {
        let fault = format!("line 19: the column {own} is Landfall's own; give the field another column");
        check("\"STATUS\"", &format!("\"{own}\""), &[&fault]);
    }
}

#[test]
fn what_records_inflate_to_is_a_number_of_bytes() {
    let with = |value: &str| format!("name = \"sensors\"\nmax_inflated_bytes = {value}");
    for bad in ["64", "\"64 MiB\"", "-1", "1048575", "1073741825", "1e8", "99999999999999999999"] {
        let what = "line 3: the file `max_inflated_bytes` is no number of bytes from 1048576 to 1073741824";
        let fault = format!("{what}; write one, such as max_inflated_bytes = 67108864");
        check("name = \"sensors\"", &with(bad), &[&fault]);
    }
    for (good, n_bytes) in [("1_048_576", 1 << 20), ("1073741824", 1 << 30)] {
        assert_eq!(sensors_with(&[("name = \"sensors\"", &with(good))]).max_inflated_bytes, n_bytes);
    }
}
