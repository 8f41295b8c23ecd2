//! An account is set up and verified, its tables in fakesnow, and in memory what that lacks.

use landfall_core::Pipeline;
use landfall_snowflake::Session;
use landfall_snowflake::Table;
use landfall_snowflake::ddl::{Settings, sections};
use landfall_snowflake::local::for_local;
use landfall_snowflake::provision::{Account, AccountError, Check, Found, Memory, apply, plan, verify};

use crate::support::{SENSORS, start};

/// What fakesnow has no word for.
const IN_MEMORY: [&str; 6] = ["SHOW ", "DESC ", "USE ", "LIST ", "SELECT CURRENT_USER", "SELECT SYSTEM$"];

struct Both {
    session: Session,
    memory: Memory,
    stage_url: String,
}

impl Account for Both {
    async fn run(&self, sql: &str, binds: &[&str]) -> Result<Table, AccountError> {
        let answer = self.memory.run(sql, binds).await?;
        if IN_MEMORY.iter().any(|beginning| sql.starts_with(beginning)) {
            return Ok(answer);
        }
        match for_local(sql, &self.stage_url).sql {
            Some(sql) => self.session.run(&sql, binds).await,
            None => Ok(answer),
        }
    }
}

async fn applied(account: &Both, pipeline: &Pipeline) -> Vec<String> {
    let settings = Settings { public_key: None, ..Settings::default() };
    let found = Found::read(account, &settings, pipeline).await.unwrap();
    let mut made = Vec::new();
    let plan = plan(pipeline, &settings, &found).unwrap();
    assert_eq!(apply(account, &settings, &plan, |step| made.push(step.what.clone())).await.unwrap(), None);
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_applied_once_grows_with_the_pipeline_and_takes_a_row() {
    let test = start().await;
    let sensors = Pipeline::from_toml(SENSORS).unwrap();
    let account = Both {
        session: test.stack.snowflake.session(&sensors).unwrap(),
        memory: Memory::default(),
        stage_url: format!("file://{}/", test.stack.dir().display()),
    };
    // Another database than the stack's own, which is there already.
    let fresh = SENSORS.replace("database = \"LANDFALL\"", "database = \"FRESH\"");
    let pipeline = Pipeline::from_toml(&fresh).unwrap();
    let grown = fresh.replacen("[landing]", "[[fields]]\nname = \"humidity\"\ntype = \"integer\"\n\n[landing]", 1);
    let grown = Pipeline::from_toml(&grown).unwrap();

    let n_steps: usize = sections(&pipeline, &Settings::default()).iter().map(|section| section.steps.len()).sum();
    assert_eq!(applied(&account, &pipeline).await.len(), n_steps);
    assert_eq!(applied(&account, &pipeline).await, [] as [&str; 0]);
    assert_eq!(
        applied(&account, &grown).await,
        [
            "column: KINESIS_SENSORS_STREAMING: + HUMIDITY NUMBER(38,0)",
            "column: KINESIS_SENSORS_MICROBATCH: + HUMIDITY NUMBER(38,0)",
            "view FRESH.STAGING.KINESIS_SENSORS_STREAMING_DEDUPLICATED",
            "view FRESH.STAGING.KINESIS_SENSORS_MICROBATCH_DEDUPLICATED",
        ]
    );
    assert_eq!(applied(&account, &grown).await, [] as [&str; 0]);

    let query = "select humidity from fresh.staging.kinesis_sensors_streaming_deduplicated";
    assert_eq!(account.session.query(query, &[]).await.unwrap().rows.len(), 0);
    let checks = verify(&account, &Settings::default(), &grown).await;
    let faults: Vec<_> = checks.iter().filter(|check| check.is_fault()).collect();
    assert_eq!(faults, [] as [&Check; 0]);
    let left = "select table_name from fresh.information_schema.tables where table_name like 'LANDFALL_SCRATCH%'";
    assert_eq!(account.session.query(left, &[]).await.unwrap().rows.len(), 0);
    test.stack.stop().await;
}
