//! What the orchestrator is refused, as its answer to the mapping says.

use std::path::Path;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use landfall_core::event;
use landfall_local::lambda::{Function, Invoked, LambdaHost};
use landfall_local::s3::LocalS3;
use landfall_local::shards::STREAM_ARN;
use landfall_local::stack::BUCKET;

use super::{Variable, folder, is_for_a_person, server};
use crate::support::{sensor, start};

/// What the orchestrator answers in a Lambda of its own: the error's type, and the message without the object's key.
async fn failure(folder: &Path, variables: &[Variable<'_>]) -> (String, String) {
    let pipeline = folder.join("pipeline.toml").display().to_string();
    let common = [("PIPELINE_FILE", pipeline.as_str()), ("LANDING_BUCKET", "acme-landing-zone")];
    let function = Function {
        name: "orchestrator".to_owned(),
        program: env!("CARGO_BIN_EXE_landfall-tests").into(),
        args: vec!["orchestrator".to_owned()],
        env: common.iter().chain(variables).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        timeout: Duration::from_secs(180),
        memory_mb: 128,
        concurrency: 1,
        log_file: folder.join("orchestrator.log"),
    };
    let host = LambdaHost::start(vec![function], 0).await.unwrap();
    let event = event::render(&[sensor(100, 6, 64, "OK")], STREAM_ARN);
    let Invoked::Failed { payload, .. } = host.invoker().invoke("orchestrator", event.into()).await else {
        panic!("it did not fail")
    };
    host.stop().await;
    let error: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let message = error["errorMessage"].as_str().unwrap();
    is_for_a_person(message);
    let message = message.replace(
        "failed to land kinesiscsv/sensor-6/2026/11/20/14/shardId-000000000000-100-100-c51f9324cae35f5b.csv: ",
        "",
    );
    (error["errorType"].as_str().unwrap().to_owned(), message)
}

/// What it answers when S3 refuses everything so.
async fn refused(status: u16, headers: &[(&'static str, &'static str)], error: &str) -> String {
    let folder = folder();
    let headers: HeaderMap = headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
    let (status, error) = (StatusCode::from_u16(status).unwrap(), error.to_owned());
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{error}<RequestId>4442587FB7D0A2F9</RequestId></Error>"
    );
    let url = server(move || (status, headers.clone(), xml.clone()).into_response()).await;
    let (error_type, message) = failure(folder.path(), &[("UPSERT", "off"), ("AWS_ENDPOINT_URL_S3", &url)]).await;
    assert_eq!(error_type, "LandSetup", "{message}");
    message
}

#[tokio::test]
async fn a_bucket_in_another_region_is_named_with_it() {
    let moved = "<Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be addressed using the \
                 specified endpoint. Please send all future requests to this endpoint.</Message>\
                 <Endpoint>acme-landing-zone.s3.eu-central-1.amazonaws.com</Endpoint><Bucket>acme-landing-zone</Bucket>";
    insta::assert_snapshot!(refused(301, &[("x-amz-bucket-region", "eu-central-1")], moved).await, @"failed to put an object into the bucket acme-landing-zone: PermanentRedirect: The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint; it is in eu-central-1: set LANDING_BUCKET to one in the function's region, or deploy the function there (outside Lambda: set AWS_REGION=eu-central-1)");
    let signed_elsewhere = "<Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region \
                            'us-east-1' is wrong; expecting 'eu-central-1'</Message><Region>eu-central-1</Region>";
    insta::assert_snapshot!(refused(400, &[], signed_elsewhere).await, @"failed to put an object into the bucket acme-landing-zone: AuthorizationHeaderMalformed: The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'; it is in eu-central-1: set LANDING_BUCKET to one in the function's region, or deploy the function there (outside Lambda: set AWS_REGION=eu-central-1)");
}

#[tokio::test]
async fn a_bucket_that_one_may_not_write_to_names_the_right() {
    let denied = "<Code>AccessDenied</Code><Message>User: arn:aws:sts::123456789012:assumed-role/landfall/landfall-orchestrator \
                  is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::acme-landing-zone/…\"</Message>";
    insta::assert_snapshot!(refused(403, &[], denied).await, @r#"failed to put an object into the bucket acme-landing-zone: AccessDenied: User: arn:aws:sts::123456789012:assumed-role/landfall/landfall-orchestrator is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::acme-landing-zone/…"; allow the function's role s3:PutObject on arn:aws:s3:::acme-landing-zone/*, and if the bucket is not yours, set LANDING_BUCKET to one that is, for example LANDING_BUCKET=acme-landing-zone"#);
}

#[tokio::test]
async fn keys_that_the_local_s3_does_not_take_say_where_the_right_ones_are() {
    let (folder, root) = (folder(), tempfile::tempdir().unwrap());
    let s3 = LocalS3::start(root.path(), 0, tokio::sync::mpsc::unbounded_channel().0).await.unwrap();
    s3.create_bucket("acme-landing-zone").unwrap();
    let endpoint = s3.endpoint();
    let common = [("UPSERT", "off"), ("AWS_ENDPOINT_URL_S3", endpoint.as_str())];

    for (variable, code) in
        [("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId"), ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch")]
    {
        let (error_type, message) = failure(folder.path(), &[&common[..], &[(variable, "mine")]].concat()).await;

        assert_eq!(error_type, "LandSetup", "{message}");
        let remedy = "; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for the services of landfall dev take \
                      those of dev.env";
        assert!(message.contains(code) && message.ends_with(remedy), "{message}");
    }
    s3.stop().await;
}

#[tokio::test]
async fn an_s3_that_does_not_answer_says_what_to_check() {
    let folder = folder();

    // Nobody listens on port 9 (discard) of this machine.
    let (error_type, message) =
        failure(folder.path(), &[("UPSERT", "off"), ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")]).await;

    assert_eq!(error_type, "LandTransient");
    let what = "failed to put an object into the bucket acme-landing-zone: no answer (Connection refused";
    let remedy = "; check the network (in a VPC: an endpoint for the service), AWS_REGION and, if it is set, AWS_ENDPOINT_URL_S3";
    assert!(message.starts_with(what) && message.ends_with(remedy), "{message}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_under_the_local_s3_is_named() {
    let (folder, root) = (folder(), tempfile::tempdir().unwrap());
    let s3 = LocalS3::start(root.path(), 0, tokio::sync::mpsc::unbounded_channel().0).await.unwrap();
    s3.create_bucket("acme-landing-zone").unwrap();
    // What it uploads into, each try anew: every write to it fails as on a full disk.
    for upload in 0..10 {
        std::os::unix::fs::symlink("/dev/full", root.path().join(".uploads").join(upload.to_string())).unwrap();
    }

    let (error_type, message) =
        failure(folder.path(), &[("UPSERT", "off"), ("AWS_ENDPOINT_URL_S3", &s3.endpoint())]).await;

    assert_eq!(error_type, "LandTransient");
    insta::assert_snapshot!(message, @"failed to put an object into the bucket acme-landing-zone: InternalError: no space left on device: free some on the disk where the local S3 keeps its objects");
    assert_eq!(std::fs::read_dir(root.path().join("acme-landing-zone")).unwrap().count(), 0);
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upsert_function_of_another_name_is_named_with_the_variable() {
    let test = start().await;
    let folder = folder();
    let variables = [
        ("LANDING_BUCKET", BUCKET),
        ("UPSERT_FUNCTION", "landfall-upsrt"),
        ("AWS_ENDPOINT_URL_S3", &test.stack.s3.endpoint()),
        ("AWS_ENDPOINT_URL_LAMBDA", &test.stack.lambda.endpoint()),
    ];

    let (error_type, message) = failure(folder.path(), &variables).await;

    insta::assert_snapshot!(format!("{error_type}: {message}"), @"UpsertSetup: failed to upsert request 1 of 1 (1 rows): failed to invoke the upsert function landfall-upsrt: ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:landfall-upsrt; set UPSERT_FUNCTION to the name of one that exists in this region, for example UPSERT_FUNCTION=landfall-upsert");
    test.stack.stop().await;
}
