//! pipeline.toml changes, and the stack that holds rows starts with it.

use landfall_local::snowflake::SnowflakeError;
use landfall_local::stack::{BUCKET, Settings, Stack, StackError};
use landfall_snowflake::schema_change::{Deployed, Plan, plan};

use crate::support::{
    ARRIVED_TEXT, SENSORS, SHARD, TableRow, TestStack, record, sensor, sensor_row, settings, start, start_again,
    start_with,
};

const HUMIDITY: &str = "[[fields]]\nname = \"humidity\"\ntype = \"integer\"\n\n[landing]";

/// A pipeline with one thing replaced.
fn changed(pipeline: &str, from: &str, to: &str) -> String {
    assert!(pipeline.contains(from), "{from}");
    pipeline.replacen(from, to, 1)
}

async fn deployed(test: &TestStack) -> Deployed {
    Deployed::read(&test.session, &test.stack.pipeline).await.unwrap()
}

fn with(mut row: TableRow, cells: &[Option<&str>]) -> TableRow {
    row.extend(cells.iter().map(|cell| cell.map(str::to_owned)));
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_optional_field_takes_an_edit_of_pipeline_toml_and_nothing_else() {
    let test = start().await;
    test.takes(&[sensor(100, 6, 64, "OK"), sensor(101, 2, 65, "")]).await;
    test.holds(&[sensor_row(100, 6, 64, "OK"), sensor_row(101, 2, 65, "")]).await;
    let bucket = test.stack.bucket_dir(BUCKET);
    let dir = test.stop().await;
    // Landed before the edit, and Snowpipe did not live to load it.
    let in_flight = format!("{SHARD},99,0,0,key,{ARRIVED_TEXT},6,63,WARN\n");
    std::fs::write(bucket.join("kinesiscsv/in-flight.csv"), in_flight).unwrap();

    let pipeline = changed(SENSORS, "[landing]", HUMIDITY);
    let test = start_again(dir, &pipeline).await;
    let document = r#"{"sensorId": 6, "currentTemperature": 66, "status": "OK", "humidity": 40}"#;
    test.takes(&[record(102, document), sensor(103, 2, 67, "OK")]).await;

    let in_flight = with(sensor_row(99, 6, 63, "WARN"), &[None]);
    let rows = [
        with(sensor_row(100, 6, 64, "OK"), &[None]),
        with(sensor_row(101, 2, 65, ""), &[None]),
        with(sensor_row(102, 6, 66, "OK"), &[Some("40")]),
        with(sensor_row(103, 2, 67, "OK"), &[None]),
    ];
    for view in ["", "_DEDUPLICATED"] {
        let table = |name: &str| format!("KINESIS_SENSORS_{name}{view}");
        assert_eq!(test.microbatch().await.len(), 5);
        assert_eq!(test.table(&table("STREAMING")).await, rows, "{view}");
        assert_eq!(
            test.table(&table("MICROBATCH")).await,
            [std::slice::from_ref(&in_flight), &rows[..]].concat(),
            "{view}"
        );
    }
    assert_eq!(test.dead_letters(), []);

    // Nothing is left to do, and nothing loads twice.
    let test = start_again(test.stop().await, &pipeline).await;
    assert_eq!(plan(&test.stack.pipeline, &deployed(&test).await), Ok(Plan::default()));
    assert_eq!((test.streaming().await.len(), test.microbatch().await.len()), (4, 5));
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_every_type_may_be_added() {
    let dir = start().await.stop().await;
    let types = ["decimal(10,2)", "float", "boolean", "string", "timestamp", "date", "variant", "decimal(38,0)"];
    let fields =
        (0..).zip(types).map(|(n, data_type)| format!("[[fields]]\nname = \"f{n}\"\ntype = \"{data_type}\"\n"));
    let pipeline = changed(SENSORS, "[landing]", &format!("{}[landing]", fields.collect::<String>()));

    let test = start_again(dir, &pipeline).await;
    let document = r#"{"sensorId": 6, "f0": 1.10, "f1": 0.5, "f2": true, "f3": "", "f4": "2026-11-20T14:00:00.123456Z",
        "f5": "2026-11-20", "f6": {"a": [1, null]}, "f7": 7}"#;
    test.takes(&[record(100, document), record(101, r#"{"sensorId": 6}"#)]).await;

    let row = |n: u64| {
        let mut row = sensor_row(n, 6, 0, "");
        row[7..].fill(None);
        row
    };
    let cells = ["1.10", "0.5", "true", "", "2026-11-20 14:00:00.123456", "2026-11-20", r#"{"a":[1,null]}"#, "7"];
    test.holds(&[with(row(100), &cells.map(Some)), with(row(101), &[None; 8])]).await;
    assert_eq!(plan(&test.stack.pipeline, &deployed(&test).await), Ok(Plan::default()));
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_field_may_become_optional() {
    let strict = changed(SENSORS, "name = \"status\"", "name = \"status\"\nrequired = true");
    let test = start_with(&strict, |_| {}).await;
    test.takes(&[sensor(100, 6, 64, "OK"), record(101, r#"{"sensorId": 6, "currentTemperature": 64}"#)]).await;
    test.holds(&[sensor_row(100, 6, 64, "OK")]).await;

    let test = start_again(test.stop().await, SENSORS).await;
    test.takes(&[record(102, r#"{"sensorId": 6, "currentTemperature": 64}"#)]).await;

    let mut without_status = sensor_row(102, 6, 64, "");
    without_status[8] = None;
    let rows = [sensor_row(100, 6, 64, "OK"), without_status];
    test.holds(&rows).await;

    // Back again: rows without it are there, so the tables stay as they are.
    let test = start_again(test.stop().await, &strict).await;
    test.holds(&rows).await;
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tables_cannot_follow_is_refused_with_its_reason_and_changes_nothing() {
    const STATUS: &str = "[[fields]]\nname = \"status\"\ncolumn = \"STATUS\"\ntype = \"string\"\n";
    let test = start().await;
    test.takes(&[sensor(100, 6, 64, "OK")]).await;
    test.holds(&[sensor_row(100, 6, 64, "OK")]).await;
    let before = deployed(&test).await;
    let dir = test.stop().await;

    for (from, to, reason) in [
        (STATUS, "", "both tables: no field fills the column STATUS"),
        ("\"CURRENTTEMPERATURE\"", "\"TEMPERATURE\"", "both tables: no field fills the column CURRENTTEMPERATURE"),
        ("[landing]", &HUMIDITY.replace("\n\n", "\nrequired = true\n\n"), "the new column HUMIDITY is required"),
        (STATUS, &HUMIDITY.replace("[landing]", STATUS), "the new column HUMIDITY stands before STATUS"),
        ("type = \"string\"", "type = \"date\"", "the column STATUS is VARCHAR and would be DATE"),
        ("\"ignore\" ", "\"keep\"", "unknown_fields = \"keep\" needs the column EXTRA"),
        ("\"STATUS\"", "\"S\"", "no field fills the column STATUS"),
    ] {
        // Whatever else the change would make is not made either.
        let pipeline = changed(SENSORS, from, to);
        for pipeline in [changed(&pipeline, "KINESIS_SENSORS_MICROBATCH", "ANOTHER"), pipeline] {
            let settings = Settings { clean: false, ..settings(&dir, &pipeline) };
            let error = Stack::start(settings, |_| {}).await.unwrap_err();
            assert!(matches!(error, StackError::Snowflake(SnowflakeError::Schema(_))), "{error:?}");
            let another = pipeline.contains("ANOTHER");
            let reason =
                if another { reason.replace("both tables", "KINESIS_SENSORS_STREAMING") } else { reason.to_owned() };
            assert!(error.to_string().contains(&reason), "{error}");
        }
    }

    let test = start_again(dir, SENSORS).await;
    assert_eq!(deployed(&test).await, before);
    let tables = test.session.query("SHOW TABLES IN SCHEMA LANDFALL.STAGING", &[]).await.unwrap();
    assert_eq!(tables.rows.len(), 2, "{tables:?}");
    test.holds(&[sensor_row(100, 6, 64, "OK")]).await;
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_changed_places_are_refused() {
    let dir = start().await.stop().await;
    let swapped = SENSORS
        .replace("currentTemperature", "x")
        .replace("CURRENTTEMPERATURE", "X")
        .replace("STATUS", "CURRENTTEMPERATURE")
        .replace("name = \"status\"", "name = \"currentTemperature\"")
        .replace("\"x\"", "\"status\"")
        .replace("\"X\"", "\"STATUS\"");

    let settings = Settings { clean: false, ..settings(&dir, &swapped) };
    let error = Stack::start(settings, |_| {}).await.unwrap_err().to_string();

    assert!(error.contains("8 CURRENTTEMPERATURE, 9 STATUS in the table, 8 STATUS, 9 CURRENTTEMPERATURE"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_prefix_is_loaded_from_and_what_landed_under_the_old_one_stays() {
    let test = start().await;
    test.takes(&[sensor(100, 6, 64, "OK")]).await;
    test.holds(&[sensor_row(100, 6, 64, "OK")]).await;

    let pipeline = changed(SENSORS, "prefix = \"kinesiscsv\"", "prefix = \"elsewhere/csv\"");
    let test = start_again(test.stop().await, &pipeline).await;
    test.takes(&[sensor(101, 6, 65, "OK")]).await;

    test.holds(&[sensor_row(100, 6, 64, "OK"), sensor_row(101, 6, 65, "OK")]).await;
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_tables_take_nothing_that_landed_before_them() {
    let test = start().await;
    test.takes(&[sensor(100, 6, 64, "OK")]).await;
    test.holds(&[sensor_row(100, 6, 64, "OK")]).await;

    // Other columns under the old prefix: what lies there has the old ones.
    let renamed = SENSORS.replace("KINESIS_SENSORS_", "SENSORS_2_");
    let pipeline =
        changed(&renamed, "name = \"currentTemperature\"\ncolumn = \"CURRENTTEMPERATURE\"", "name = \"humidity\"");
    let test = start_again(test.stop().await, &pipeline).await;

    test.holds(&[]).await;
    test.takes(&[record(101, r#"{"sensorId": 6, "humidity": 40}"#)]).await;
    let mut row = sensor_row(101, 6, 40, "");
    row[8] = None;
    test.holds(&[row]).await;
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_moved_loads_nothing_again() {
    let test = start().await;
    test.takes(&[sensor(100, 6, 64, "OK")]).await;
    test.holds(&[sensor_row(100, 6, 64, "OK")]).await;
    let dir = test.stop().await;
    let (old, moved) = (dir.path().join("old"), dir.path().join("moved"));

    // The stack's own files, in a folder of another name.
    std::fs::create_dir(&old).unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path != old {
            std::fs::rename(&path, old.join(path.file_name().unwrap())).unwrap();
        }
    }
    std::fs::rename(&old, &moved).unwrap();
    // And under one of many names for it.
    let elsewhere = moved.join("../moved");
    let settings = Settings { dir: elsewhere, clean: false, ..settings(&dir, SENSORS) };
    let stack = Stack::start(settings, |_| {}).await.unwrap();
    let session = stack.snowflake.session(&stack.pipeline).unwrap();

    let query = "SELECT COUNT(*) FROM \"LANDFALL\".\"STAGING\".\"KINESIS_SENSORS_MICROBATCH\"";
    assert_eq!(session.query(query, &[]).await.unwrap().rows, [[Some("1".to_owned())]]);
    stack.stop().await;
}
