//! What Snowflake says about tables that are there, and about those that are not.

use landfall_core::Pipeline;
use landfall_snowflake::schema_change::{Deployed, deployed_query, plan};
use landfall_snowflake::{Session, SessionError};
use serde_json::{Value, json};

use crate::fake::{Answer, Fake, refusal, rows};

fn sensors() -> Pipeline {
    Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap()
}

async fn read(answer: Answer) -> Result<Deployed, SessionError> {
    let session: Session = Fake::answering(&[answer]).session().await;
    Deployed::read(&session, &sensors()).await
}

fn catalogue(of: Value) -> Answer {
    let text = ["TABLE_NAME", "COLUMN_NAME", "DATA_TYPE"].map(|name| (name, "text", 0));
    let numbers = ["CHARACTER_MAXIMUM_LENGTH", "NUMERIC_PRECISION", "NUMERIC_SCALE"].map(|name| (name, "fixed", 0));
    rows(&[&text[..], &numbers, &[("IS_NULLABLE", "text", 0)]].concat(), of)
}

#[tokio::test]
async fn a_database_that_is_not_there_is_nothing_deployed() {
    for code in ["002003", "002043"] {
        assert_eq!(read(refusal(code)).await.unwrap(), Deployed::default(), "{code}");
    }
    assert_eq!(read(catalogue(json!([]))).await.unwrap(), Deployed::default());
}

#[tokio::test]
async fn a_question_that_is_not_answered_is_not_nothing_deployed() {
    for code in ["000606", "000604", "003001", "390112"] {
        assert!(read(refusal(code)).await.is_err(), "{code}");
    }
    assert!(read(Answer::Status(500)).await.is_err());
}

#[tokio::test]
async fn tables_are_compared_as_the_catalogue_has_them() {
    const TABLE: &str = "KINESIS_SENSORS_STREAMING";
    let fake = Fake::answering(&[catalogue(json!([
        [TABLE, "KINESIS_SHARD_ID", "TEXT", "16777216", null, null, "NO"],
        [TABLE, "KINESIS_SEQUENCE_NUMBER", "TEXT", "16777216", null, null, "NO"],
        [TABLE, "KINESIS_SUBSEQUENCE_NUMBER", "NUMBER", null, "38", "0", "NO"],
        [TABLE, "KINESIS_DOCUMENT_NUMBER", "NUMBER", null, "38", "0", "NO"],
        [TABLE, "KINESIS_PARTITION_KEY", "TEXT", "16777216", null, null, "YES"],
        [TABLE, "KINESIS_ARRIVED_AT", "TIMESTAMP_NTZ", null, null, null, "NO"],
        [TABLE, "SENSORID", "NUMBER", null, "38", "0", "NO"],
        [TABLE, "CURRENTTEMPERATURE", "NUMBER", null, "38", "0", "NO"],
    ]))]);
    let (session, pipeline) = (fake.session().await, sensors());

    let deployed = Deployed::read(&session, &pipeline).await.unwrap();

    assert_eq!(fake.effects()[1..], [format!("{} with Snowflake Token=\"token-1\"", deployed_query(&pipeline))]);
    let changes = plan(&pipeline, &deployed).unwrap().changes;
    assert_eq!(
        changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "KINESIS_SENSORS_STREAMING: ~ CURRENTTEMPERATURE NUMBER(38,0), no longer NOT NULL",
            "KINESIS_SENSORS_STREAMING: + STATUS VARCHAR",
        ]
    );
}
