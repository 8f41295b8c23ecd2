//! AWS's side: credentials, region, bucket, stream, mapping, and who hears of objects.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::ProvideCredentials as _;
use aws_sdk_s3::types::{FilterRuleName, QueueConfiguration};
use landfall_aws::Refusal;
use landfall_snowflake::provision::Check;

use super::{mapping, refused};
use crate::aws;

/// What to look at, as far as it is named.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) bucket: Option<String>,
    pub(super) prefix: String,
    pub(super) stream: Option<String>,
    pub(super) function: Option<String>,
    /// Where Terraform deployed to.
    pub(super) region: Option<String>,
    /// The ARN of the stream that it made.
    pub(super) stream_arn: Option<String>,
    /// The mapping that it made.
    pub(super) mapping: Option<String>,
    /// How far it has come: 1 before Snowflake is connected, 2 after that.
    pub(super) phase: Option<String>,
}

const NOT_NAMED: &str = "give --terraform DIR or --outputs FILE";

/// What there is of AWS: the way in, or why there is none.
pub(super) type Access = Result<SdkConfig, &'static str>;

pub(super) async fn checks(places: &Places) -> (Vec<Check>, Access) {
    let (mut checks, access) = access(places).await;
    let aws = match &access {
        Ok(aws) => aws,
        Err(why) => {
            checks.extend(["bucket", "stream", "mapping"].map(|what| Check::unknown(what, *why)));
            return (checks, access);
        }
    };
    checks.push(match &places.bucket {
        None => Check::unknown("bucket", format!("{NOT_NAMED}, or set LANDING_BUCKET")),
        Some(bucket) => self::bucket(aws, bucket, &places.prefix).await,
    });
    checks.push(match &places.stream {
        None => Check::unknown("stream", format!("{NOT_NAMED}, or --stream")),
        Some(stream) => self::stream(aws, stream).await,
    });
    checks.push(match &places.function {
        None => Check::unknown("mapping", format!("{NOT_NAMED}, or --function")),
        Some(function) => mapping::check(aws, function, places).await,
    });
    (checks, access)
}

/// Credentials and region.
async fn access(places: &Places) -> (Vec<Check>, Access) {
    let aws = aws_config::defaults(BehaviorVersion::latest()).load().await;
    let credentials = match aws.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.map_err(|error| landfall_core::root_cause(&error)),
        None => Err("there is no provider of any".to_owned()),
    };
    let here = aws.region().map(ToString::to_string);
    let (region, aws) = match (here, &places.region) {
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
        (None, None) => {
            let remedy = "set AWS_REGION, for example us-east-1";
            (Check::fault("region", "neither AWS_REGION nor a profile names one", remedy), None)
        }
    };
    let (first, access) = match (credentials, aws) {
        (Err(why), _) => {
            // Over many lines, it is the list of all places where nothing was found.
            let why = if why.contains('\n') { "nothing in the environment, in a profile or of a role" } else { &why };
            (Check::fault(CREDENTIALS, format!("none are found: {why}"), GET_SOME), Err("there are no credentials"))
        }
        (Ok(key), None) => {
            let why = format!("there is the key {}, and no region to try it in", key.access_key_id());
            (Check::unknown(CREDENTIALS, why), Err("there is no region"))
        }
        (Ok(key), Some(aws)) => {
            let deployed = places.stream_arn.as_deref().and_then(|arn| arn.split(':').nth(4));
            identity(aws, key.access_key_id(), deployed).await
        }
    };
    (vec![first, region], access)
}

const CREDENTIALS: &str = "AWS credentials";
const GET_SOME: &str = "set AWS_PROFILE, or eval \"$(aws configure export-credentials --format env)\"";

/// Whether AWS takes them, and as whom. It needs no right to ask that.
async fn identity(aws: SdkConfig, key: &str, deployed: Option<&str>) -> (Check, Access) {
    let answer = match aws_sdk_sts::Client::new(&aws).get_caller_identity().send().await {
        Ok(answer) => answer,
        Err(error) => {
            let refusal = Refusal::new(&error);
            if refusal.code.is_empty() {
                let why = format!("there is the key {key}, and AWS STS gave {}", refusal.said);
                return (Check::unknown(CREDENTIALS, why), Ok(aws));
            }
            let what = format!("AWS does not take the key {key}: {}", refusal.said);
            let remedy = format!("get new ones, for example with aws sso login; {GET_SOME}");
            return (Check::fault(CREDENTIALS, what, remedy), Err("AWS does not take the credentials"));
        }
    };
    let (arn, account) = (answer.arn().unwrap_or(key), answer.account().unwrap_or_default());
    if let Some(deployed) = deployed.filter(|deployed| *deployed != account) {
        let what = format!("{arn} is of account {account}, and Terraform deployed to {deployed}");
        let remedy = format!("set AWS_PROFILE to one of account {deployed}");
        return (Check::fault(CREDENTIALS, what, remedy), Err("the credentials are another account's"));
    }
    (Check::ok(CREDENTIALS, arn), Ok(aws))
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
        let shards = if n_shards == 1 { "shard" } else { "shards" };
        return Check::ok(WHAT, format!("{stream}, {n_shards} {shards}, keeps {hours} h"));
    }
    Check::fault(WHAT, format!("{stream} is {status}"), "wait until it is ACTIVE, or terraform apply")
}

/// Whether S3 tells the pipe's queue of what lands. The pipe has that queue in any case, and waits.
pub(super) async fn notification(aws: &SdkConfig, places: &Places, channel: Option<&str>) -> Check {
    const WHAT: &str = "notification";
    let Some(bucket) = &places.bucket else {
        return Check::unknown(WHAT, format!("{NOT_NAMED}, or set LANDING_BUCKET"));
    };
    let answer = aws_sdk_s3::Client::new(aws).get_bucket_notification_configuration().bucket(bucket).send().await;
    let answer = match answer {
        Ok(answer) => answer,
        // A stand-in for S3 may answer in other words.
        Err(error) if error.raw_response().is_some_and(|response| response.status().is_success()) => {
            return Check::unknown(WHAT, "what S3 answers cannot be read");
        }
        Err(error) => {
            let error = aws::failure(&format!("failed to see whom {bucket} tells of objects"), &error);
            return refused(WHAT, &error, "s3:GetBucketNotification", "check the bucket's name");
        }
    };
    let below = format!("{}/", places.prefix);
    let queues: Vec<_> = answer.queue_configurations().iter().filter(|queue| is_told(queue, &below)).collect();
    let connect = "landfall snowflake apply, then terraform apply: it sets the bucket's notification";
    if queues.is_empty() {
        return Check::fault(WHAT, format!("no queue is told of all objects below {below}"), connect);
    }
    let Some(channel) = channel else {
        return Check::unknown(
            WHAT,
            format!("a queue is told of objects below {below}, and which is the pipe's is not known"),
        );
    };
    if !queues.iter().any(|queue| queue.queue_arn() == channel) {
        let told: Vec<_> = queues.iter().map(|queue| queue.queue_arn()).collect();
        return Check::fault(WHAT, format!("{} is told, and the pipe listens to {channel}", told.join(", ")), connect);
    }
    Check::ok(WHAT, format!("the pipe's queue is told of objects below {below}"))
}

/// Whether a queue is told of every new object below a prefix.
fn is_told(queue: &QueueConfiguration, below: &str) -> bool {
    let all = |event: &str| event == "s3:ObjectCreated:*";
    // The orchestrator's objects are one PUT each.
    let put = |event: &str| event == "s3:ObjectCreated:Put";
    let is_created = queue.events().iter().any(|event| all(event.as_str()) || put(event.as_str()));
    let rules = queue.filter().and_then(|filter| filter.key()).map(|key| key.filter_rules()).unwrap_or_default();
    is_created
        && rules.iter().all(|rule| {
            let value = rule.value().unwrap_or_default();
            match rule.name() {
                Some(FilterRuleName::Prefix) => below.starts_with(value),
                // S3 answers with a capital.
                Some(name) if name.as_str() == "Prefix" => below.starts_with(value),
                _ => value.is_empty(),
            }
        })
}
