//! A stack of its own for each test, records, and the tables as rows of text.

use std::path::PathBuf;

use landfall_core::{ArrivedAt, Record, SequenceNumber, dead_letter::DeadLetter, event};
use landfall_local::lambda::Invoked;
use landfall_local::shards::STREAM_ARN;
use landfall_local::stack::{BUCKET, Between, ORCHESTRATOR, Ports, Settings, Stack};
use landfall_snowflake::{Session, sql};
use tempfile::TempDir;

pub(crate) const SENSORS: &str = include_str!("../../pipeline.toml");

/// 2026-11-20 14:00:00.123 UTC.
pub(crate) const ARRIVED_MS: i64 = 1_795_183_200_123;
pub(crate) const ARRIVED_TEXT: &str = "2026-11-20 14:00:00.123";
pub(crate) const SHARD: &str = "shardId-000000000000";

/// A running stack and the folder that it lives in.
pub(crate) struct TestStack {
    pub(crate) stack: Stack,
    pub(crate) session: Session,
    // Removed when it is dropped.
    dir: TempDir,
}

/// A row of a table, all columns in order.
pub(crate) type TableRow = Vec<Option<String>>;

pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) async fn start() -> TestStack {
    start_with(SENSORS, |_| {}).await
}

pub(crate) async fn start_with(pipeline: &str, change: impl FnOnce(&mut Settings)) -> TestStack {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(&dir, pipeline);
    change(&mut settings);
    TestStack::start(settings, dir, ()).await
}

/// A stack with something between its services, which gives up after this share of the usual times.
pub(crate) async fn start_between(between: impl Between, time_scale: f64) -> TestStack {
    start_between_with(between, |settings| settings.time_scale = time_scale).await
}

/// As [`start_between`], with other settings.
pub(crate) async fn start_between_with(between: impl Between, change: impl FnOnce(&mut Settings)) -> TestStack {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(&dir, SENSORS);
    change(&mut settings);
    TestStack::start(settings, dir, between).await
}

/// A stack in a folder that another has left: [`TestStack::stop`].
pub(crate) async fn start_again(dir: TempDir, pipeline: &str) -> TestStack {
    start_again_with(dir, pipeline, |_| {}).await
}

/// As [`start_again`], otherwise than it was.
pub(crate) async fn start_again_with(dir: TempDir, pipeline: &str, change: impl FnOnce(&mut Settings)) -> TestStack {
    let mut settings = Settings { clean: false, ..settings(&dir, pipeline) };
    change(&mut settings);
    TestStack::start(settings, dir, ()).await
}

pub(crate) fn settings(dir: &TempDir, pipeline: &str) -> Settings {
    Settings {
        dir: dir.path().to_owned(),
        // One for all tests and for the demo.
        venv_dir: workspace().join(".landfall/venv"),
        pipeline: pipeline.to_owned(),
        program: env!("CARGO_BIN_EXE_landfall-tests").into(),
        args: Vec::new(),
        concurrency: 4,
        time_scale: 1.0,
        clean: true,
        ports: Ports::default(),
        firehose: false,
    }
}

/// Record `n` of the only shard.
pub(crate) fn record(n: u64, data: impl AsRef<[u8]>) -> Record {
    Record {
        shard_id: SHARD.into(),
        sequence_number: SequenceNumber::new(&n.to_string()).unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(ARRIVED_MS).unwrap(),
        data: Ok(data.as_ref().into()),
        place: None,
    }
}

/// A sensor's record, made by `serde_json` and not by anything of ours.
pub(crate) fn sensor(n: u64, sensor_id: u64, temperature: i64, status: &str) -> Record {
    let document = serde_json::json!({ "sensorId": sensor_id, "currentTemperature": temperature, "status": status });
    record(n, document.to_string())
}

/// The row that [`sensor`] is to become.
pub(crate) fn sensor_row(n: u64, sensor_id: u64, temperature: i64, status: &str) -> TableRow {
    let [n, sensor_id, temperature] = [n.to_string(), sensor_id.to_string(), temperature.to_string()];
    [SHARD, &n, "0", "0", "key", ARRIVED_TEXT, &sensor_id, &temperature, status]
        .map(|text| Some(text.to_owned()))
        .to_vec()
}

impl TestStack {
    async fn start(settings: Settings, dir: TempDir, between: impl Between) -> Self {
        let stack = Stack::start_between(settings, |_| {}, between).await.unwrap();
        let session = stack.snowflake.session(&stack.pipeline).unwrap();
        Self { stack, session, dir }
    }

    /// Stops it. What it holds stays in the folder.
    pub(crate) async fn stop(self) -> TempDir {
        self.stack.stop().await;
        self.dir
    }

    /// Invokes the orchestrator as Lambda would.
    pub(crate) async fn invoke(&self, records: &[Record]) -> Invoked {
        self.stack.lambda.invoker().invoke(ORCHESTRATOR, event::render(records, STREAM_ARN).into()).await
    }

    /// Invokes it, and it answers that nothing has to be tried again.
    pub(crate) async fn takes(&self, records: &[Record]) {
        self.takes_event(event::render(records, STREAM_ARN)).await;
    }

    /// As [`TestStack::takes`], with an event that stands in a file of the repository.
    pub(crate) async fn takes_file(&self, file: &str) {
        self.takes_event(std::fs::read_to_string(workspace().join(file)).unwrap()).await;
    }

    async fn takes_event(&self, event: String) {
        match self.stack.lambda.invoker().invoke(ORCHESTRATOR, event.into()).await {
            Invoked::Succeeded { payload, .. } => assert_eq!(payload, r#"{"batchItemFailures":[]}"#),
            other => panic!("{other:?}"),
        }
    }

    /// Invokes it, and it fails with this type of error. Answers with the message.
    pub(crate) async fn fails(&self, records: &[Record], error_type: &str) -> String {
        let Invoked::Failed { payload, .. } = self.invoke(records).await else { panic!("it did not fail") };
        let error: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(error["errorType"], error_type, "{error}");
        error["errorMessage"].as_str().unwrap().to_owned()
    }

    /// The streaming table in the order of positions.
    pub(crate) async fn streaming(&self) -> Vec<TableRow> {
        self.table(&self.stack.pipeline.snowflake.streaming_table).await
    }

    /// The micro-batch table in the order of positions, once Snowpipe has loaded what landed.
    pub(crate) async fn microbatch(&self) -> Vec<TableRow> {
        self.stack.snowpipe.drained().await;
        self.table(&self.stack.pipeline.snowflake.microbatch_table).await
    }

    /// A table or view in the order of positions.
    pub(crate) async fn table(&self, name: &str) -> Vec<TableRow> {
        let target = &self.stack.pipeline.snowflake;
        let table = sql::qualified(&[&target.database, &target.schema, name]);
        let columns: Vec<_> = self.stack.pipeline.columns().iter().map(|column| sql::quoted(&column.name)).collect();
        let select = format!(
            "SELECT {} FROM {table} ORDER BY 1, LENGTH(\"KINESIS_SEQUENCE_NUMBER\"), 2, 3, 4",
            columns.join(", ")
        );
        self.session.query(&select, &[]).await.unwrap().rows
    }

    /// Both tables hold just these rows, and so do both views.
    pub(crate) async fn holds(&self, expected: &[TableRow]) {
        let target = self.stack.pipeline.snowflake.clone();
        same_rows("the streaming table", &self.streaming().await, expected);
        same_rows("the micro-batch table", &self.microbatch().await, expected);
        for table in [target.streaming_table, target.microbatch_table] {
            let view = format!("{table}_DEDUPLICATED");
            same_rows(&view, &self.table(&view).await, expected);
        }
    }

    /// Keys of all objects below a prefix of the bucket, in order.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let bucket = self.stack.bucket_dir(BUCKET);
        let (mut keys, mut folders) = (Vec::new(), vec![bucket.join(prefix)]);
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    keys.push(path.strip_prefix(&bucket).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        keys.sort();
        keys
    }

    /// All dead letters, in the order of positions.
    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        let mut letters: Vec<DeadLetter> = Vec::new();
        for key in self.keys(&self.stack.pipeline.landing.dead_letter_prefix) {
            let text = std::fs::read_to_string(self.stack.bucket_dir(BUCKET).join(key)).unwrap();
            letters.extend(text.lines().map(|line| serde_json::from_str::<DeadLetter>(line).unwrap()));
        }
        letters.sort_by_key(|letter| letter.position());
        letters
    }
}

/// Row by row, so that the first difference is what one sees.
#[track_caller]
pub(crate) fn same_rows(what: &str, rows: &[TableRow], expected: &[TableRow]) {
    for (index, (row, expected)) in rows.iter().zip(expected).enumerate() {
        assert_eq!(row, expected, "row {index} of {what}");
    }
    assert_eq!(rows.len(), expected.len(), "rows in {what}");
}
