//! `landfall init`: the sensor pipeline, or one derived from a sample.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{landfall, text};

/// Orders: 20 fields, nested keys, decimals, moments with a zone, epochs, days, arrays, nulls.
const ORDERS: &str = r#"{"orderId":"o-000","customer":{"id":1,"name":"Ada","address":{"city":"Köln","zip":"01067"}},"device":{"id":"d-0","firmware":"1.0"},"amount":19.90,"quantity":1,"weight":1.5,"paid":false,"orderedAt":"2026-11-20T15:00:00+01:00","shippedOn":"2026-11-20","event_ts":1795183200123,"tags":["new"],"attributes":{},"discount":null,"coupon":null,"currency":"EUR"}
{"orderId":"o-001","customer":{"id":2,"name":"Grace","address":{"city":"Bern","zip":"01068"}},"device":{"id":"d-1","firmware":"1.1"},"amount":5.25,"quantity":2,"weight":0.25,"paid":true,"orderedAt":"2026-11-20T15:01:00+01:00","shippedOn":"2026-11-21","event_ts":1795183201123,"tags":[],"attributes":{},"discount":"5%","coupon":null,"currency":"EUR"}
{"orderId":"o-002","customer":{"id":3,"name":"Edsger","address":{"city":"Wien","zip":"01069"}},"device":{"id":"d-0","firmware":"1.0"},"amount":120.00,"quantity":3,"weight":12,"paid":false,"orderedAt":"2026-11-20T15:02:00+01:00","shippedOn":"2026-11-22","event_ts":1795183202123,"tags":["new","gift"],"attributes":{},"discount":5,"coupon":null,"currency":"EUR"}
{"orderId":"o-003","customer":{"id":1,"name":"Ada","address":{"city":"Köln","zip":"01067"}},"device":{"id":"d-1","firmware":"1.1"},"amount":7.10,"quantity":1,"weight":3,"paid":true,"orderedAt":"2026-11-20T15:03:00+01:00","shippedOn":null,"event_ts":1795183203123,"tags":["new"],"attributes":{},"discount":null,"coupon":null,"currency":"EUR"}
{"orderId":"o-004","customer":{"id":2,"name":"Grace","address":{"city":"Bern","zip":"01068"}},"device":{"id":"d-0","firmware":"1.0"},"amount":19.90,"quantity":2,"weight":1.125,"paid":false,"orderedAt":"2026-11-20T15:04:00+01:00","shippedOn":"2026-11-24","event_ts":1795183204123,"tags":[],"attributes":{},"discount":"5%","coupon":null,"currency":"EUR"}
{"orderId":"o-005","customer":{"id":3,"name":"Edsger","address":{"city":"Wien","zip":"01069"}},"device":{"id":"d-1","firmware":"1.1"},"amount":3.05,"quantity":3,"weight":2,"paid":true,"orderedAt":"2026-11-20T15:05:00+01:00","shippedOn":"2026-11-25","event_ts":1795183205123,"tags":["new","gift"],"attributes":{},"discount":5,"coupon":null,"currency":"CHF","größe/€":1}
"#;

fn init(dir: &Path, args: &[&str]) -> Command {
    let mut command = landfall(&["init"]);
    // cargo, which runs this test, says so; a person's shell does not.
    command.args(args).current_dir(dir).env_remove("CARGO_MANIFEST_DIR");
    command
}

/// What `init` says to a sample that is called `sample.jsonl`.
fn init_from(dir: &Path, sample: &[u8]) -> Output {
    std::fs::write(dir.join("sample.jsonl"), sample).unwrap();
    init(dir, &["--from", "sample.jsonl"]).output().unwrap()
}

fn lines(bytes: &[u8]) -> String {
    text(bytes).lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn without_a_sample_it_is_the_sensor_pipeline() {
    let dir = tempfile::tempdir().unwrap();

    let output = init(dir.path(), &[]).output().unwrap();

    insta::assert_snapshot!(text(&output.stdout), @"
    pipeline.toml: the sensor pipeline

    Next: landfall check pipeline.toml, then landfall demo --pipeline pipeline.toml
    ");
    let written = std::fs::read_to_string(dir.path().join("pipeline.toml")).unwrap();
    assert_eq!(written, include_str!("../../../../pipeline.toml"));
}

#[test]
fn a_pipeline_is_derived_from_a_sample_and_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("orders.jsonl"), ORDERS).unwrap();

    let output = init(dir.path(), &["my orders.toml", "--from", "orders.jsonl"]).output().unwrap();

    insta::assert_snapshot!(lines(&output.stdout), @r#"
    my orders.toml: pipeline orders, 20 fields from 6 documents, partitioned by /device/id

     field                   column                 type           required  in the sample
     orderId                 ORDERID                string         required
     /customer/id            CUSTOMER_ID            integer        required  3 distinct values
     /customer/name          CUSTOMER_NAME          string         required  3 distinct values
     /customer/address/city  CUSTOMER_ADDRESS_CITY  string         required  3 distinct values
     /customer/address/zip   CUSTOMER_ADDRESS_ZIP   string         required  3 distinct values
     /device/id              DEVICE_ID              string         required  2 distinct values
     /device/firmware        DEVICE_FIRMWARE        string         required  2 distinct values
     amount                  AMOUNT                 decimal(18,2)  required  always 2 decimals in the sample
     quantity                QUANTITY               integer        required  3 distinct values
     weight                  WEIGHT                 float          required
     paid                    PAID                   boolean        required
     orderedAt               ORDEREDAT              timestamp      required
     shippedOn               SHIPPEDON              date                     missing or null in 1 of 6 documents
     event_ts                EVENT_TS               timestamp(ms)  required
     tags                    TAGS                   variant        required  an array
     attributes              ATTRIBUTES             variant        required  an object, empty in the sample
     discount                DISCOUNT               string                   scalars of several types; 2 distinct values; missing or null in 2 of 6 documents
     coupon                  COUPON                 variant                  always null in the sample: give it a type
     currency                CURRENCY               string         required  2 distinct values
     größe/€                 GR__E__                integer                  missing or null in 5 of 6 documents

    Note: the sample is small (6 documents): check what is required, for a document without it is poison

    Next: landfall check 'my orders.toml', then landfall demo --pipeline 'my orders.toml'
    "#);
    insta::assert_snapshot!(std::fs::read_to_string(dir.path().join("my orders.toml")).unwrap(), @r#"
    # What a record holds and where its rows go. Both functions, the generator and the DDL read this one file.
    # Derived from a sample of 6 documents: a proposal, to be read before the first deployment.
    #
    # The order of the fields is the order of the columns. Once deployed, it is append-only: new fields go to the end.
    # A document that lacks a field with `required = true`, or has null there, is poison: it becomes a dead letter.
    # Types: integer | decimal(p,s) | float | boolean | string | timestamp (ISO 8601) | timestamp(s), timestamp(ms)
    # (a number since 1970) | date | variant (any JSON). A name like "/a/b" reaches into nested objects.
    #
    # Next: landfall check FILE, then landfall demo --pipeline FILE
    name = "orders"
    unknown_fields = "keep"              # ignore | reject | keep (as the VARIANT column EXTRA)
    documents = "lines"                  # lines (newline-separated or concatenated JSON) | array (a top-level array is several documents)

    [[fields]]
    name = "orderId"
    column = "ORDERID"
    type = "string"
    required = true

    [[fields]]
    name = "/customer/id"
    column = "CUSTOMER_ID"
    type = "integer"                     # 3 distinct values
    required = true

    [[fields]]
    name = "/customer/name"
    column = "CUSTOMER_NAME"
    type = "string"                      # 3 distinct values
    required = true

    [[fields]]
    name = "/customer/address/city"
    column = "CUSTOMER_ADDRESS_CITY"
    type = "string"                      # 3 distinct values
    required = true

    [[fields]]
    name = "/customer/address/zip"
    column = "CUSTOMER_ADDRESS_ZIP"
    type = "string"                      # 3 distinct values
    required = true

    [[fields]]
    name = "/device/id"
    column = "DEVICE_ID"
    type = "string"                      # 2 distinct values
    required = true

    [[fields]]
    name = "/device/firmware"
    column = "DEVICE_FIRMWARE"
    type = "string"                      # 2 distinct values
    required = true

    [[fields]]
    name = "amount"
    column = "AMOUNT"
    type = "decimal(18,2)"               # always 2 decimals in the sample
    required = true

    [[fields]]
    name = "quantity"
    column = "QUANTITY"
    type = "integer"                     # 3 distinct values
    required = true

    [[fields]]
    name = "weight"
    column = "WEIGHT"
    type = "float"
    required = true

    [[fields]]
    name = "paid"
    column = "PAID"
    type = "boolean"
    required = true

    [[fields]]
    name = "orderedAt"
    column = "ORDEREDAT"
    type = "timestamp"
    required = true

    [[fields]]
    name = "shippedOn"
    column = "SHIPPEDON"
    type = "date"                        # missing or null in 1 of 6 documents

    [[fields]]
    name = "event_ts"
    column = "EVENT_TS"
    type = "timestamp(ms)"
    required = true

    [[fields]]
    name = "tags"
    column = "TAGS"
    type = "variant"                     # an array
    required = true

    [[fields]]
    name = "attributes"
    column = "ATTRIBUTES"
    type = "variant"                     # an object, empty in the sample
    required = true

    [[fields]]
    name = "discount"
    column = "DISCOUNT"
    type = "string"                      # scalars of several types; 2 distinct values; missing or null in 2 of 6 documents

    [[fields]]
    name = "coupon"
    column = "COUPON"
    type = "variant"                     # always null in the sample: give it a type

    [[fields]]
    name = "currency"
    column = "CURRENCY"
    type = "string"                      # 2 distinct values
    required = true

    [[fields]]
    name = "größe/€"
    column = "GR__E__"
    type = "integer"                     # missing or null in 5 of 6 documents

    [landing]
    prefix = "landing/orders"
    partition_by = "/device/id"          # 2 distinct values in 6 documents → landing/orders/device-…/
    partition_label = "device"
    layout = "per-partition"             # per-partition | per-batch (one object a batch: far fewer PUTs)
    compression = "none"                 # none | gzip | zstd
    dead_letter_prefix = "deadletter/orders"

    [snowflake]
    database = "LANDFALL"
    schema = "STAGING"
    streaming_table = "KINESIS_ORDERS_STREAMING"
    microbatch_table = "KINESIS_ORDERS_MICROBATCH"
    "#);
    let schema = landfall(&["schema", "--pipeline", "my orders.toml"]).current_dir(dir.path()).output().unwrap();
    assert!(schema.status.success(), "{}", text(&schema.stderr));
    let epoch = text(&schema.stdout).lines().find(|line| line.contains(" EVENT_TS ")).unwrap().to_owned();
    assert!(epoch.contains(" timestamp(ms)  TIMESTAMP_NTZ(9) NOT NULL"), "{epoch}");
}

#[test]
fn a_sample_from_stdin_is_called_as_one_says() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--from", "-", "--name", "Web Shop"];

    let mut child = init(dir.path(), &args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(ORDERS.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();

    let told = text(&output.stdout);
    assert!(told.starts_with("pipeline.toml: pipeline Web-Shop, 20 fields from 6 documents"), "{told}");
    let written = std::fs::read_to_string(dir.path().join("pipeline.toml")).unwrap();
    assert!(written.contains("\nstreaming_table = \"KINESIS_WEB_SHOP_STREAMING\"\n"), "{written}");
}

#[test]
fn a_file_is_replaced_only_by_force_and_only_when_there_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pipeline.toml");
    std::fs::write(&file, "mine").unwrap();

    let refused = init(dir.path(), &[]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    insta::assert_snapshot!(text(&refused.stderr), @"
    error: failed to write pipeline.toml: it exists
    try: give another name, or --force to replace it
    ");
    let unread = init(dir.path(), &["--from", "no-such.jsonl"]).output().unwrap();
    assert_eq!(text(&unread.stderr), text(&refused.stderr), "before a sample is read");
    let no_sample = init(dir.path(), &["--force", "--from", "no-such.jsonl"]).output().unwrap();
    assert_eq!(no_sample.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");

    let replaced = init(dir.path(), &["--force"]).output().unwrap();
    assert!(replaced.status.success(), "{}", text(&replaced.stderr));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), include_str!("../../../../pipeline.toml"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn a_link_is_kept_and_what_it_leads_to_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("real.toml"), dir.path().join("pipeline.toml"));
    std::fs::write(&file, "mine").unwrap();
    std::os::unix::fs::symlink("real.toml", &link).unwrap();

    assert_eq!(init(dir.path(), &[]).output().unwrap().status.code(), Some(1));
    assert!(init(dir.path(), &["--force"]).output().unwrap().status.success());

    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), include_str!("../../../../pipeline.toml"));
}

#[test]
fn a_write_that_fails_leaves_what_was_there_and_no_half_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine.toml"), "mine").unwrap();

    for args in ["new.toml", "mine.toml --force"] {
        // As on a full disk: no file may grow beyond one block, which holds less than the pipeline.
        let script = format!("trap '' XFSZ; ulimit -f 1; exec {} init {args}", env!("CARGO_BIN_EXE_landfall"));
        let output = Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap();

        assert_eq!(output.status.code(), Some(1), "{args}");
        let error = text(&output.stderr);
        assert!(error.starts_with("error: failed to write ") && error.contains("File too large"), "{args}: {error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{args}");
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("mine.toml")).unwrap(), "mine");
}

#[test]
fn what_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("folder")).unwrap();

    let nowhere = init(dir.path(), &["no/such.toml"]).output().unwrap();
    insta::assert_snapshot!(text(&nowhere.stderr), @"
    error: failed to write no/such.toml: No such file or directory (os error 2)
    try: name a file in a folder that exists and can be written to
    ");
    let folder = init(dir.path(), &["folder", "--force"]).output().unwrap();
    insta::assert_snapshot!(text(&folder.stderr), @"
    error: failed to write folder: it is no file
    try: name a file in a folder that exists and can be written to
    ");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_sample_that_is_none_is_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let check = |sample: &[u8], expected: &str| {
        let output = init_from(dir.path(), sample);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stderr).trim_end(), expected);
        assert!(!dir.path().join("pipeline.toml").exists());
    };
    check(
        b"{\"id\":1}\n{\"id\":2,\"id\":3}\n",
        "error: failed to read the sample: line 2: the key `id` stands twice\n\
         try: mend or remove that line: a sample is one JSON object a line, as UTF-8",
    );
    check(
        b"\n",
        "error: failed to read the sample: it holds no document\n\
         try: put documents into it as producers write them, one JSON object a line",
    );
    check(
        b"{\"a\":1}\n{\"b\":1}\n",
        "error: failed to choose the partitioning field: no string, integer, decimal or date is in every document\n\
         try: leave out the documents that lack the key to partition by, or write the pipeline.toml by hand",
    );
}

#[test]
fn a_sample_beyond_64_mib_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let sample = std::fs::File::create(dir.path().join("big.jsonl")).unwrap();
    sample.set_len((64 << 20) + 1).unwrap();

    let output = init(dir.path(), &["--from", "big.jsonl"]).output().unwrap();

    insta::assert_snapshot!(text(&output.stderr), @"
    error: failed to read big.jsonl: it is larger than 64 MiB
    try: give a part of it: head -n 10000 big.jsonl | landfall init pipeline.toml --from -
    ");
}
