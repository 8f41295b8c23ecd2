//! The tables, read with Snowflake's own Python connector: a client that shares nothing with ours.

use tokio::process::Command;

use crate::support::{sensor, sensor_row, start, workspace};

const PROGRAM: &str = r#"
import json, sys
from urllib.parse import urlparse
import snowflake.connector
url, key_file, table = urlparse(sys.argv[1]), sys.argv[2], sys.argv[3]
connection = snowflake.connector.connect(
    user="LANDFALL", account="local", private_key_file=key_file, authenticator="SNOWFLAKE_JWT", database="LANDFALL",
    schema="STAGING", protocol=url.scheme, host=url.hostname, port=url.port)
rows = connection.cursor().execute(f'SELECT * FROM "{table}" ORDER BY 1, 2, 3, 4').fetchall()
text = lambda value: None if value is None else value.isoformat(" ", "milliseconds") if hasattr(value, "isoformat") else str(value)
print(json.dumps([[text(value) for value in row] for row in rows]))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn snowflakes_own_client_reads_what_was_sent() {
    let test = start().await;
    let statuses = ["OK", "x'), (1,2,'y", "say \"hi\",\nthen \\N", "🌡️", ""];
    let numbered = || (100..).zip(statuses);

    test.takes(&numbered().map(|(n, status)| sensor(n, n % 2, -5, status)).collect::<Vec<_>>()).await;
    test.stack.snowpipe.drained().await;

    let expected: Vec<_> = numbered().map(|(n, status)| sensor_row(n, n % 2, -5, status)).collect();
    for table in ["KINESIS_SENSORS_STREAMING", "KINESIS_SENSORS_MICROBATCH"] {
        let output = Command::new(workspace().join(".landfall/venv/bin/python"))
            .args(["-c", PROGRAM, test.stack.snowflake.endpoint()])
            .arg(test.stack.snowflake.key_file())
            .arg(table)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rows: Vec<Vec<Option<String>>> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(rows, expected, "{table}");
    }
    test.stack.stop().await;
}
