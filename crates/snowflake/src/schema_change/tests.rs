use super::*;
use crate::testing::{default_pipeline, rich_pipeline};

const SENSORS: &str = include_str!("../../../../pipeline.toml");

const HUMIDITY: &str = "[[fields]]\nname = \"humidity\"\ntype = \"integer\"\n\n";

const STATUS: &str = "[[fields]]\nname = \"status\"\ncolumn = \"STATUS\"\ntype = \"string\"\n";
const TEMPERATURE: &str =
    "[[fields]]\nname = \"currentTemperature\"\ncolumn = \"CURRENTTEMPERATURE\"\ntype = \"integer\"\n";

/// The sensor pipeline with one thing replaced.
fn changed(from: &str, to: &str) -> Pipeline {
    assert!(SENSORS.contains(from), "{from}");
    Pipeline::from_toml(&SENSORS.replacen(from, to, 1)).unwrap()
}

/// The tables as the scripts of a pipeline make them.
fn deployed(pipeline: &Pipeline) -> Deployed {
    let columns: Vec<_> = pipeline
        .columns()
        .iter()
        .map(|column| DeployedColumn {
            name: column.name.clone(),
            data_type: column_type(column).replace("(3)", "").replace("(9)", ""),
            is_nullable: !column.required,
        })
        .collect();
    Deployed { streaming: columns.clone(), microbatch: columns }
}

/// A pipeline that was deployed as the sensor pipeline.
fn planned(pipeline: &Pipeline) -> Result<String, String> {
    shown(plan(pipeline, &deployed(&default_pipeline())))
}

fn shown(plan: Result<Plan, SchemaError>) -> Result<String, String> {
    let lines = |plan: Plan| plan.changes.iter().map(|change| format!("{change}\n{}\n", change.statement)).collect();
    plan.map(lines).map_err(|error| error.to_string())
}

#[test]
fn nothing_is_altered_where_nothing_changed_or_nothing_is_there() {
    for pipeline in [default_pipeline(), rich_pipeline()] {
        assert_eq!(plan(&pipeline, &deployed(&pipeline)), Ok(Plan::default()));
        assert_eq!(plan(&pipeline, &Deployed::default()), Ok(Plan::default()));
    }
}

#[test]
fn what_is_no_column_may_change() {
    for (from, to) in [
        ("name = \"status\"", "name = \"/device/status\""),
        ("per-partition", "per-batch"),
        ("kinesiscsv", "raw"),
        ("\"ignore\" ", "\"reject\""),
        ("partition_label = \"sensor\"", "partition_label = \"s\""),
    ] {
        assert_eq!(planned(&changed(from, to)), Ok(String::new()), "{to}");
    }
}

#[test]
fn a_new_optional_field_is_a_new_last_column_of_both_tables() {
    let pipeline = changed("[landing]", &format!("{HUMIDITY}[landing]"));
    insta::assert_snapshot!(planned(&pipeline).unwrap(), @r#"
    KINESIS_SENSORS_STREAMING: + HUMIDITY NUMBER(38,0)
    ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING" ADD COLUMN IF NOT EXISTS "HUMIDITY" NUMBER(38,0)
    KINESIS_SENSORS_MICROBATCH: + HUMIDITY NUMBER(38,0)
    ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH" ADD COLUMN IF NOT EXISTS "HUMIDITY" NUMBER(38,0)
    "#);
}

#[test]
fn a_required_field_may_become_optional_but_no_column_becomes_not_null() {
    let required = "name = \"currentTemperature\"\nrequired = true";
    let pipeline = changed("name = \"currentTemperature\"", required);
    assert_eq!(planned(&pipeline), Ok(String::new()));

    let back = plan(&default_pipeline(), &deployed(&pipeline));
    insta::assert_snapshot!(shown(back).unwrap(), @r#"
    KINESIS_SENSORS_STREAMING: ~ CURRENTTEMPERATURE NUMBER(38,0), no longer NOT NULL
    ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING" ALTER COLUMN "CURRENTTEMPERATURE" DROP NOT NULL
    KINESIS_SENSORS_MICROBATCH: ~ CURRENTTEMPERATURE NUMBER(38,0), no longer NOT NULL
    ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH" ALTER COLUMN "CURRENTTEMPERATURE" DROP NOT NULL
    "#);
}

#[test]
fn each_table_is_altered_by_itself() {
    let pipeline = changed("[landing]", &format!("{HUMIDITY}[landing]"));
    let mut half = deployed(&pipeline);
    half.microbatch.pop();
    let Plan { changes } = plan(&pipeline, &half).unwrap();
    assert_eq!(
        changes.iter().map(Change::to_string).collect::<Vec<_>>(),
        ["KINESIS_SENSORS_MICROBATCH: + HUMIDITY NUMBER(38,0)"]
    );

    half.microbatch.clear();
    assert_eq!(plan(&pipeline, &half), Ok(Plan::default()));

    half.microbatch = deployed(&changed("type = \"string\"", "type = \"date\"")).microbatch;
    let error = plan(&pipeline, &half).unwrap_err();
    assert_eq!(
        error.refusals.iter().map(|refusal| refusal.tables.join(" ")).collect::<Vec<_>>(),
        ["KINESIS_SENSORS_MICROBATCH"]
    );
}

#[test]
fn a_removed_field_is_refused() {
    insta::assert_snapshot!(planned(&changed(TEMPERATURE, "")).unwrap_err(), @"
    failed to fit the deployed tables to the pipeline: 1 change is refused
      both tables: no field fills the column CURRENTTEMPERATURE, and objects are loaded by position; keep the field (optional: what producers leave out is NULL), or start anew: other tables in [snowflake] and another prefix in [landing]
    ");
}

#[test]
fn fields_that_changed_places_are_refused() {
    let pipeline = SENSORS.replace(TEMPERATURE, "").replace(STATUS, &format!("{STATUS}\n{TEMPERATURE}"));
    insta::assert_snapshot!(planned(&Pipeline::from_toml(&pipeline).unwrap()).unwrap_err(), @"
    failed to fit the deployed tables to the pipeline: 1 change is refused
      both tables: columns changed places, and objects are loaded by position: 8 CURRENTTEMPERATURE, 9 STATUS in the table, 8 STATUS, 9 CURRENTTEMPERATURE in the pipeline; put the fields back in the order of the table: fields are append-only
    ");
}

#[test]
fn a_field_that_is_not_appended_is_refused() {
    insta::assert_snapshot!(planned(&changed(TEMPERATURE, &format!("{HUMIDITY}{TEMPERATURE}"))).unwrap_err(), @"
    failed to fit the deployed tables to the pipeline: 1 change is refused
      both tables: the new column HUMIDITY stands before CURRENTTEMPERATURE, and new columns come last; move the field to the end: fields are append-only
    ");
}

#[test]
fn a_new_field_that_is_required_is_refused() {
    let humidity = HUMIDITY.replace("\n\n", "\nrequired = true\n\n");
    insta::assert_snapshot!(planned(&changed("[landing]", &format!("{humidity}[landing]"))).unwrap_err(), @"
    failed to fit the deployed tables to the pipeline: 1 change is refused
      both tables: the new column HUMIDITY is required, and the rows that are there have no value for it; make the field optional: records that are in the stream already would be poison, too
    ");
}

#[test]
fn a_field_of_another_type_is_refused() {
    insta::assert_snapshot!(planned(&changed("type = \"string\"", "type = \"timestamp\"")).unwrap_err(), @"
    failed to fit the deployed tables to the pipeline: 1 change is refused
      both tables: the column STATUS is VARCHAR and would be TIMESTAMP_NTZ; give the field its type back, or start anew: other tables in [snowflake] and another prefix in [landing]
    ");

    let mut short = deployed(&default_pipeline());
    short.streaming[8].data_type = "VARCHAR(100)".to_owned();
    insta::assert_snapshot!(shown(plan(&default_pipeline(), &short)).unwrap_err(), @"
    failed to fit the deployed tables to the pipeline: 1 change is refused
      KINESIS_SENSORS_STREAMING: the column STATUS is VARCHAR(100) and would be VARCHAR; give the field its type back, or start anew: other tables in [snowflake] and another prefix in [landing]
    ");
}

#[test]
fn a_column_for_unknown_fields_neither_comes_nor_goes() {
    let keep = changed("\"ignore\" ", "\"keep\"");
    insta::assert_snapshot!(planned(&keep).unwrap_err(), @r#"
    failed to fit the deployed tables to the pipeline: 1 change is refused
      both tables: unknown_fields = "keep" needs the column EXTRA before the fields, and new columns come last; set unknown_fields back to "ignore" or "reject", or start anew: other tables in [snowflake] and another prefix in [landing]
    "#);
    insta::assert_snapshot!(shown(plan(&default_pipeline(), &deployed(&keep))).unwrap_err(), @r#"
    failed to fit the deployed tables to the pipeline: 1 change is refused
      both tables: only unknown_fields = "keep" fills the column EXTRA, and objects are loaded by position; set unknown_fields = "keep" again, or start anew: other tables in [snowflake] and another prefix in [landing]
    "#);
}

#[test]
fn a_table_that_is_not_landfalls_is_refused() {
    let mut foreign = deployed(&default_pipeline());
    foreign.microbatch.remove(0);
    insta::assert_snapshot!(shown(plan(&default_pipeline(), &foreign)).unwrap_err(), @"
    failed to fit the deployed tables to the pipeline: 1 change is refused
      KINESIS_SENSORS_MICROBATCH: the table does not begin with KINESIS_SHARD_ID, KINESIS_SEQUENCE_NUMBER, KINESIS_SUBSEQUENCE_NUMBER, KINESIS_DOCUMENT_NUMBER, KINESIS_PARTITION_KEY, KINESIS_ARRIVED_AT, so it is not one of Landfall's; name another table in [snowflake], or rename that one: ALTER TABLE … RENAME TO …
    ");
}

#[test]
fn everything_that_is_refused_is_named_at_once() {
    let pipeline = SENSORS
        .replace("column = \"CURRENTTEMPERATURE\"", "column = \"TEMPERATURE\"\nrequired = true")
        .replace("type = \"string\"", "type = \"boolean\"");
    insta::assert_snapshot!(planned(&Pipeline::from_toml(&pipeline).unwrap()).unwrap_err(), @"
    failed to fit the deployed tables to the pipeline: 4 changes are refused
      both tables: no field fills the column CURRENTTEMPERATURE, and objects are loaded by position; keep the field (optional: what producers leave out is NULL), or start anew: other tables in [snowflake] and another prefix in [landing]
      both tables: the new column TEMPERATURE stands before STATUS, and new columns come last; move the field to the end: fields are append-only
      both tables: the new column TEMPERATURE is required, and the rows that are there have no value for it; make the field optional: records that are in the stream already would be poison, too
      both tables: the column STATUS is VARCHAR and would be BOOLEAN; give the field its type back, or start anew: other tables in [snowflake] and another prefix in [landing]
    ");
}
