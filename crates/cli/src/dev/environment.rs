//! What points other programs at the stack.

use std::path::Path;

use landfall_local::s3::{ACCESS_KEY, SECRET_KEY};
use landfall_local::snowflake::{ACCOUNT, USER};
use landfall_local::stack::{BUCKET, Endpoints};

/// Where `cargo lambda watch` listens, unless told otherwise.
const CARGO_LAMBDA: &str = "http://127.0.0.1:9000";

/// Variables and their values.
pub(super) type Environment = Vec<(&'static str, String)>;

/// What the AWS CLI needs to talk to the stack.
pub(super) fn aws(endpoints: &Endpoints) -> Environment {
    vec![
        ("AWS_ENDPOINT_URL_S3", endpoints.s3.clone()),
        ("AWS_ENDPOINT_URL_LAMBDA", endpoints.lambda.clone()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        // Version 1 of the AWS CLI reads this one.
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
    ]
}

/// What both functions need under `cargo lambda watch`: the checked-in dev.env is this for the default options.
///
/// `key_file` and `pipeline_file` are as a person at the repository's root would write them.
pub(super) fn functions(endpoints: &Endpoints, key_file: &Path, pipeline_file: &Path) -> Environment {
    let own = [
        ("PIPELINE_FILE", pipeline_file.display().to_string()),
        ("LANDING_BUCKET", BUCKET.to_owned()),
        ("UPSERT_FUNCTION", "upsert".to_owned()),
        ("SNOWFLAKE_ACCOUNT", ACCOUNT.to_owned()),
        ("SNOWFLAKE_USER", USER.to_owned()),
        ("SNOWFLAKE_PRIVATE_KEY_FILE", key_file.display().to_string()),
        ("SNOWFLAKE_URL", endpoints.snowflake.clone()),
    ];
    let mut aws = aws(endpoints);
    for (name, value) in &mut aws {
        // One function invokes the other through cargo lambda, too.
        if *name == "AWS_ENDPOINT_URL_LAMBDA" {
            *value = CARGO_LAMBDA.to_owned();
        }
    }
    own.into_iter().chain(aws).collect()
}

/// `NAME=value`, a line each.
pub(super) fn lines(environment: &Environment) -> String {
    environment.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_file_is_that_of_the_default_options() {
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let first = super::super::DEFAULT_PORT;
        let endpoints =
            Endpoints { s3: at(first), lambda: at(first + 1), snowflake: at(first + 2), key_file: "unused".into() };
        let checked_in = include_str!("../../../../dev.env");

        let environment =
            functions(&endpoints, Path::new(".landfall/snowflake/rsa_key.p8"), Path::new("pipeline.toml"));

        let without_comments: Vec<_> =
            checked_in.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert_eq!(without_comments.join("\n"), lines(&environment).trim_end());
    }
}
