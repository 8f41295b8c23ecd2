//! What is refused, and what it says to do by hand.

use super::*;

#[tokio::test]
async fn what_would_lose_data_is_refused_with_the_sql_to_run_by_hand() {
    let (memory, settings) = (Memory::default(), settings());
    applied(&memory, &default_pipeline(), &settings).await;
    let before = memory.changes();

    let refused = planned(&memory, &changed("type = \"string\"", "type = \"boolean\""), &settings).await.unwrap_err();

    insta::assert_snapshot!(refused, @r#"
    failed to plan: 1 change is refused, and nothing has been changed

      KINESIS_SENSORS_STREAMING and KINESIS_SENSORS_MICROBATCH: the column STATUS is VARCHAR and would be BOOLEAN; give the field its type back, or start anew: other tables in [snowflake] and another prefix in [landing]
      By hand:
        -- 1. Stop landing: mapping_enabled = false in terraform.tfvars, and terraform apply. That does not stop
        --    Firehose: where it lands, firehose = false too two buffer intervals later, and terraform apply.
        -- 2. Wait for "pendingFileCount":0, and for landfall reconcile to find nothing missing. What is not
        --    loaded by then is not loaded any more:
        SELECT SYSTEM$PIPE_STATUS('"LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE"');
        -- 3. Only then:
        DROP PIPE IF EXISTS "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE";
        DROP STAGE IF EXISTS "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_STAGE";
        ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING" RENAME TO "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING_OLD";
        ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH" RENAME TO "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_OLD";
        -- 4. In pipeline.toml, name a new prefix in [landing]: the objects under the old one have the old
        --    columns, and belong to the old table. Build, and terraform apply.
        -- Then landfall snowflake apply; and mapping_enabled = true, with terraform apply.
        -- Where Firehose landed: not yet firehose = true. The orchestrator lands what has waited; after that as in
        -- docs/operations.md, From one way of landing to the other. For Firehose begins with what comes after it was
        -- made: what reconcile finds missing is there under Read a stretch of the stream again.
    "#);
    assert_eq!(memory.changes(), before);
}

#[tokio::test]
async fn an_integration_and_a_stage_that_lead_elsewhere_are_refused() {
    let (memory, pipeline) = (Memory::default(), default_pipeline());
    applied(&memory, &pipeline, &settings()).await;
    let other = Settings { landing_bucket: "other".to_owned(), external_id: "other-id".to_owned(), ..settings() };

    let refused = planned(&memory, &pipeline, &other).await.unwrap_err();

    insta::assert_snapshot!(refused, @r#"
    failed to plan: 2 changes are refused, and nothing has been changed

      the integration LANDFALL_INTEGRATION gives the external id landfall-0123456789abcdef and not other-id, may read s3://acme-landing/kinesiscsv/ and not s3://other/kinesiscsv/; other stages may live by that, so name another (--integration) or change it
      By hand:
        ALTER STORAGE INTEGRATION "LANDFALL_INTEGRATION" SET STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::123456789012:role/landfall-snowflake-storage' STORAGE_AWS_EXTERNAL_ID = 'other-id' STORAGE_ALLOWED_LOCATIONS = ('s3://acme-landing/kinesiscsv/', 's3://other/kinesiscsv/');

      the stage LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_STAGE is s3://acme-landing/kinesiscsv/ and not s3://other/kinesiscsv/: a pipe forgets what it has loaded when its stage goes elsewhere
      By hand:
        -- 1. Stop landing: mapping_enabled = false in terraform.tfvars, and terraform apply. That does not stop
        --    Firehose: where it lands, firehose = false too two buffer intervals later, and terraform apply.
        -- 2. Wait for "pendingFileCount":0, and for landfall reconcile to find nothing missing. What is not
        --    loaded by then is not loaded any more:
        SELECT SYSTEM$PIPE_STATUS('"LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE"');
        -- 3. Only then:
        DROP PIPE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE";
        ALTER STAGE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_STAGE" SET URL = 's3://other/kinesiscsv/';
        -- Then landfall snowflake apply; and mapping_enabled = true, with terraform apply.
        -- Where Firehose landed: not yet firehose = true. The orchestrator lands what has waited; after that as in
        -- docs/operations.md, From one way of landing to the other. For Firehose begins with what comes after it was
        -- made: what reconcile finds missing is there under Read a stretch of the stream again.
    "#);
}

/// What is refused after `spoil`, and that nothing else is.
async fn refused(spoil: impl FnOnce(&Memory)) -> String {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    spoil(&memory);
    let before = memory.changes();
    let refused = planned(&memory, &pipeline, &settings).await.unwrap_err();
    assert_eq!((refused.reasons.len(), memory.changes()), (1, before));
    refused.to_string()
}

const INTEGRATION: [&str; 3] = ["STORAGE_AWS_ROLE_ARN", "STORAGE_AWS_EXTERNAL_ID", "STORAGE_ALLOWED_LOCATIONS"];

fn integration(memory: &Memory, locations: &str, enabled: &str) {
    let (role, id) = (settings().storage_role_arn, settings().external_id);
    let [arn_name, id_name, locations_name] = INTEGRATION;
    let rows: [&[&str]; 4] = [&[arn_name, &role], &[id_name, &id], &[locations_name, locations], &["ENABLED", enabled]];
    memory.answer("DESC INTEGRATION", &["property", "property_value"], &rows);
}

#[tokio::test]
async fn an_integration_that_may_read_more_is_as_good() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    for locations in ["*", "s3://acme-landing/", "s3://acme-landing", "s3://x/,s3://acme-landing/kinesiscsv/"] {
        integration(&memory, locations, "true");
        assert_eq!(planned(&memory, &pipeline, &settings).await, Ok(Plan::default()), "{locations}");
    }
}

#[tokio::test]
async fn an_integration_that_may_not_read_the_prefix_or_is_switched_off_is_refused() {
    for locations in ["s3://acme-landing/kinesis", "s3://acme/", "s3://acme-landing/kinesiscsv/sensor-6/", ""] {
        let said = refused(|memory| integration(memory, locations, "true")).await;
        assert!(
            said.contains("not s3://acme-landing/kinesiscsv/") && said.contains("STORAGE_ALLOWED_LOCATIONS"),
            "{said}"
        );
    }
    let said = refused(|memory| integration(memory, "*", "false")).await;
    assert!(said.contains("LANDFALL_INTEGRATION is switched off;"), "{said}");
    assert!(said.ends_with("ALTER STORAGE INTEGRATION \"LANDFALL_INTEGRATION\" SET ENABLED = TRUE;"), "{said}");
}

#[tokio::test]
async fn what_belongs_to_another_role_is_refused_before_anything_is_made_in_it() {
    let said = refused(|memory| memory.answer("SHOW SCHEMAS", &["name", "owner"], &[&["STAGING", "SYSADMIN"]])).await;
    assert!(said.contains("the schema LANDFALL.STAGING belongs to SYSADMIN and not to LANDFALL_OWNER"), "{said}");
    let sql = r#"GRANT OWNERSHIP ON SCHEMA "LANDFALL"."STAGING" TO ROLE "LANDFALL_OWNER" COPY CURRENT GRANTS;"#;
    assert!(said.ends_with(sql), "{said}");

    let row = ["KINESIS_SENSORS_STREAMING", "ADA"];
    let said = refused(|memory| {
        memory.answer("SHOW TABLES LIKE 'KINESIS_SENSORS_STREAMING'", &["name", "owner"], &[&row]);
    })
    .await;
    assert!(said.contains(&format!("the table {TABLE} belongs to ADA")), "{said}");
}

#[tokio::test]
async fn an_administrator_who_does_not_see_what_is_there_is_told() {
    let said = refused(|memory| memory.revoke("ROLE", "LANDFALL_OWNER", "SYSADMIN")).await;
    assert!(said.contains("SYSADMIN has not been given LANDFALL_OWNER, so ACCOUNTADMIN does not see"), "{said}");
    assert!(said.ends_with("GRANT ROLE \"LANDFALL_OWNER\" TO ROLE \"SYSADMIN\";"), "{said}");
}

#[tokio::test]
async fn a_table_whose_columns_cannot_be_seen_is_not_taken_for_one_without() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    memory.answer("DESC TABLE", &["name", "type", "null?"], &[]);

    let error = Found::read(&memory, &settings, &pipeline).await.unwrap_err();

    assert_eq!(error.what, format!("failed to see the columns of {TABLE}, which is there"));
}

#[tokio::test]
async fn a_persons_user_is_refused() {
    let keys: [&[&str]; 2] = [&["RSA_PUBLIC_KEY_FP", "SHA256:a"], &["RSA_PUBLIC_KEY_2_FP", "null"]];
    let user = |sort: &'static str| {
        move |memory: &Memory| {
            let rows = [&["TYPE", sort], keys[0], keys[1]];
            memory.answer("DESC USER", &["property", "value"], &rows);
        }
    };
    // Of one that was made without a type, it is null.
    for sort in ["PERSON", "null"] {
        let said = refused(user(sort)).await;
        assert!(said.contains("the user LANDFALL_LOADER is of type PERSON and not SERVICE"), "{said}");
        assert!(said.ends_with("ALTER USER \"LANDFALL_LOADER\" SET TYPE = SERVICE;"), "{said}");
    }
}
