//! AWS's side: credentials, region, bucket, stream and mapping.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::types::FunctionResponseType;
use aws_sdk_s3::config::ProvideCredentials as _;
use landfall_snowflake::provision::Check;

use super::refused;
use crate::aws;

/// What to look at, as far as it is named.
pub(super) struct Places {
    pub(super) bucket: Option<String>,
    pub(super) prefix: String,
    pub(super) stream: Option<String>,
    pub(super) function: Option<String>,
    /// Where Terraform deployed to.
    pub(super) region: Option<String>,
}

const NOT_NAMED: &str = "give --terraform DIR or --outputs FILE";

pub(super) async fn checks(places: &Places) -> Vec<Check> {
    let (mut checks, aws) = access(places).await;
    let Some(aws) = aws else {
        let why = "there are no credentials, or no region";
        checks.extend(["bucket", "stream", "mapping"].map(|what| Check::unknown(what, why)));
        return checks;
    };
    checks.push(match &places.bucket {
        None => Check::unknown("bucket", format!("{NOT_NAMED}, or set LANDING_BUCKET")),
        Some(bucket) => self::bucket(&aws, bucket, &places.prefix).await,
    });
    checks.push(match &places.stream {
        None => Check::unknown("stream", format!("{NOT_NAMED}, or --stream")),
        Some(stream) => self::stream(&aws, stream).await,
    });
    checks.push(match &places.function {
        None => Check::unknown("mapping", format!("{NOT_NAMED}, or --function")),
        Some(function) => mapping(&aws, function).await,
    });
    checks
}

/// Credentials and region.
async fn access(places: &Places) -> (Vec<Check>, Option<SdkConfig>) {
    let aws = aws_config::defaults(BehaviorVersion::latest()).load().await;
    let credentials = match aws.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.map_err(|error| landfall_core::root_cause(&error)),
        None => Err("there is no provider of any".to_owned()),
    };
    let first = match &credentials {
        Ok(found) => Check::ok("AWS credentials", format!("the key {}", found.access_key_id())),
        Err(why) => {
            // Over many lines, it is the list of all places where nothing was found.
            let why = if why.contains('\n') { "nothing in the environment, in a profile or of a role" } else { why };
            let remedy = "set AWS_PROFILE, or eval \"$(aws configure export-credentials --format env)\"";
            Check::fault("AWS credentials", format!("none are found: {why}"), remedy)
        }
    };
    let region = aws.region().map(ToString::to_string);
    let (second, aws) = match (region, &places.region) {
        (Some(here), Some(there)) if here != *there => {
            let what = format!("this machine is set to {here}, and Terraform deployed to {there}");
            let aws = aws.into_builder().region(Region::new(there.clone())).build();
            (Check::fault("region", what, format!("set AWS_REGION={there}")), Some(aws))
        }
        (Some(here), _) => (Check::ok("region", here), Some(aws)),
        (None, Some(there)) => {
            let aws = aws.into_builder().region(Region::new(there.clone())).build();
            (Check::ok("region", format!("{there}, as Terraform says")), Some(aws))
        }
        (None, None) => (
            Check::fault(
                "region",
                "neither AWS_REGION nor a profile names one",
                "set AWS_REGION, for example us-east-1",
            ),
            None,
        ),
    };
    (vec![first, second], aws.filter(|_| credentials.is_ok()))
}

async fn bucket(aws: &SdkConfig, bucket: &str, prefix: &str) -> Check {
    const WHAT: &str = "bucket";
    let list = aws_sdk_s3::Client::new(aws).list_objects_v2().bucket(bucket).prefix(format!("{prefix}/"));
    match list.max_keys(1).send().await {
        Err(error) => {
            let error = aws::failure(&format!("failed to list {bucket}"), &error);
            refused(WHAT, &error, "s3:ListBucket", "check the bucket's name")
        }
        Ok(answer) if answer.contents().is_empty() => Check::ok(WHAT, format!("{bucket}, nothing below {prefix}/ yet")),
        Ok(_) => Check::ok(WHAT, format!("{bucket}, objects below {prefix}/")),
    }
}

async fn stream(aws: &SdkConfig, stream: &str) -> Check {
    const WHAT: &str = "stream";
    let answer = aws_sdk_kinesis::Client::new(aws).describe_stream_summary().stream_name(stream).send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let error = aws::failure(&format!("failed to describe the stream {stream}"), &error);
            return refused(WHAT, &error, "kinesis:DescribeStreamSummary", "check the stream's name");
        }
    };
    let Some(summary) = answer.stream_description_summary() else { return Check::ok(WHAT, stream) };
    let status = summary.stream_status().as_str();
    if status == "ACTIVE" || status == "UPDATING" {
        let (n_shards, hours) = (summary.open_shard_count(), summary.retention_period_hours());
        return Check::ok(WHAT, format!("{stream}, {n_shards} shards, keeps {hours} h"));
    }
    Check::fault(WHAT, format!("{stream} is {status}"), "wait until it is ACTIVE, or terraform apply")
}

async fn mapping(aws: &SdkConfig, function: &str) -> Check {
    const WHAT: &str = "mapping";
    let mappings = aws_sdk_lambda::Client::new(aws).list_event_source_mappings().function_name(function).send().await;
    let mappings = match mappings {
        Ok(mappings) => mappings,
        Err(error) => {
            let error = aws::failure(&format!("failed to list the mappings of {function}"), &error);
            return refused(WHAT, &error, "lambda:ListEventSourceMappings", "check the function's name");
        }
    };
    let Some(mapping) = mappings.event_source_mappings().first() else {
        return Check::fault(
            WHAT,
            format!("no stream is mapped to {function}"),
            "terraform apply: its second phase maps it",
        );
    };
    let (state, uuid) = (mapping.state().unwrap_or("unknown"), mapping.uuid().unwrap_or_default());
    if state != "Enabled" {
        let remedy = format!(
            "set mapping_enabled = true and terraform apply, or aws lambda update-event-source-mapping --uuid {uuid} --enabled"
        );
        return Check::fault(WHAT, format!("{state}: no record is read"), remedy);
    }
    if !mapping.function_response_types().contains(&FunctionResponseType::ReportBatchItemFailures) {
        let what = "it does not take partial answers (ReportBatchItemFailures)";
        return Check::fault(WHAT, what, "terraform apply: it sets function_response_types");
    }
    let result = mapping.last_processing_result().unwrap_or("No records processed");
    if result.starts_with("PROBLEM") {
        let remedy = format!("read the function's log: aws logs tail /aws/lambda/{function} --since 1h");
        return Check::fault(WHAT, result, remedy);
    }
    Check::ok(WHAT, format!("{state}, {result}"))
}
